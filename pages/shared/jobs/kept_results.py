"""Results that outlive the process: a restarted app shows at once what was computed before.

COMPRESS_STORE names the database by its URL, or is ``none``; without it a file in the user's own
data folder is used. What cannot be kept, or cannot be read again, is computed again.
"""

import hashlib
import logging
import math
import threading
from typing import TYPE_CHECKING, Any, NamedTuple

from compression.studies.location import MAX_BYTES

if TYPE_CHECKING:
    from compression.studies.store import Store

OPEN_SECONDS = 10.0  # for the first request to wait until the database is open
SOURCES = ("compression", "data", "pages/**/*tasks.py", "pages/**/results.py")

log = logging.getLogger(__name__)


class KeptResult(NamedTuple):
    """A result that was computed before: its size in bytes, and the seconds that it took then."""

    result: Any
    size: int
    seconds: float


class KeptResults:
    """Results by task and arguments, in a database that is opened off the caller's thread."""

    def __init__(self, url: str | None):
        self._url = url
        self._store: Store | None = None
        self._version = ""
        self._ready = threading.Event()
        if url is None:
            self._ready.set()
        else:
            threading.Thread(target=self._open, name="open store", daemon=True).start()

    def find(self, task: str, arguments: dict[str, Any]) -> KeptResult | None:
        """What is kept of this task and these arguments, of the same versions; else None."""
        if not self._ready.wait(OPEN_SECONDS) or self._store is None:
            return None
        from .encoding import EncodingError, decode

        try:
            fit = self._store.get(self._request(task, arguments))
            if fit is None or fit.content is None:
                return None
            return KeptResult(decode(fit.content), len(fit.content), fit.seconds)
        except EncodingError as error:
            log.warning("what was kept of %s cannot be read: %s", task, error)
        except Exception:  # the database may be gone: the result is computed instead
            log.warning("the store cannot be used", exc_info=True)
        return None

    def was_damaged(self, task: str, arguments: dict[str, Any]) -> bool:
        """Whether ``find`` has dropped what was kept of them, as it was damaged."""
        from compression.studies.store import identify

        dropped = set() if self._store is None else self._store.damaged
        return bool(dropped) and identify(self._request(task, arguments)) in dropped

    def keep(self, task: str, arguments: dict[str, Any], result: Any, seconds: float) -> None:
        """Keep a result; where that is not possible the log says so."""
        if not self._ready.wait(OPEN_SECONDS) or self._store is None:
            return
        from .encoding import EncodingError, encode

        try:
            content, request = encode(result), self._request(task, arguments)
            self._store.put(request, content, name=task, seconds=seconds)
        except EncodingError as error:
            log.warning("the result of %s is not kept: %s", task, error)
        except Exception:  # a full disk must not end the thread that serves jobs
            log.warning("the result of %s could not be kept", task, exc_info=True)

    def close(self) -> None:
        if self._store is not None:
            self._store.close()

    def _open(self) -> None:
        try:
            from compression.studies.store import Store
            from compression.studies.version import code_version

            assert self._url is not None
            self._version = code_version(*SOURCES)
            self._store = Store(self._url, MAX_BYTES)
        except Exception as error:  # read-only or full folders: the app works without
            log.warning("nothing is kept beyond this run: %s", error)
        finally:
            self._ready.set()

    def _request(self, task: str, arguments: dict[str, Any]) -> dict[str, Any]:
        named = {name: _as_json(value) for name, value in arguments.items()}
        return {"task": task, "arguments": named, "version": self._version}


def _as_json(value: Any) -> Any:
    """An argument for a key: bytes by their SHA-256, equal numbers written alike."""
    if isinstance(value, bytes):
        return {"sha256": hashlib.sha256(value).hexdigest()}
    if isinstance(value, tuple):
        return [_as_json(item) for item in value]
    if isinstance(value, float):
        if not math.isfinite(value):
            return str(value)
        return int(value) if value.is_integer() else value
    return value
