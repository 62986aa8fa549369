"""One piece of long work, as every session that asked for it sees it."""

import threading
import time
from collections.abc import Hashable
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from . import worker
from .arguments import size_of_argument

if TYPE_CHECKING:
    from .pool import Pool

R = TypeVar("R")
Status = Literal["waiting", "running", "done", "failed", "cancelled"]
JOB_BYTES = 1024  # bytes that a job without a result counts for


class Job(Generic[R]):
    """One piece of long work, the same object for every session that asked for it.

    Attributes
    ----------
    status : "waiting" | "running" | "done" | "failed" | "cancelled"
    progress : float
        Share done, 0 to 1.
    message : str
        What the task is doing.
    partial : object or None
        What there is so far; kept when the job is cancelled or fails.
    so_far : object or None
        The result, and until there is one what is partly there.
    result : object or None
        Once done. Shared between sessions: its arrays are read-only.
    error : str
        Once failed: a sentence for the person who waits.
    seconds : float
        Since the work began, or that it took.
    """

    def __init__(self, key: Hashable, task: str, arguments: dict[str, Any], pool: "Pool | None"):
        self.key, self.task = key, task
        self._arguments: dict[str, Any] | None = arguments
        self._pool = pool
        self._reset()

    def _reset(self) -> None:
        self.status: Status = "waiting"
        self.progress, self.message, self.error = 0.0, "", ""
        self.result: R | None = None
        self.size = 0
        self._partial: tuple[worker.Packed | None, Any] = (None, None)
        self._began = self._ended = 0.0
        self._number, self._asked_to_stop = 0, False
        self._over, self._news = threading.Event(), threading.Event()

    @property
    def pending(self) -> bool:
        """Whether there is something to wait for."""
        return self.status in ("waiting", "running")

    @property
    def partial(self) -> R | None:
        packed, value = self._partial
        if packed is not None and value is None:
            value = worker.unpack(packed)
            self._partial = (packed, value)
        return value

    @property
    def so_far(self) -> R | None:
        """The result, or what there is of it."""
        return self.partial if self.result is None else self.result

    @property
    def seconds(self) -> float:
        if not self._began:
            return 0.0
        return (self._ended or time.monotonic()) - self._began

    def wait(self, timeout: float | None = None) -> bool:
        """Block until the job is over; False if it is not after ``timeout`` seconds."""
        return self._over.wait(timeout)

    def wait_for_news(self, timeout: float) -> bool:
        """Block until there is something to show, a partial result or the end of the job."""
        return self._news.wait(timeout)

    def cancel(self) -> None:
        """Ask the job to stop, for every session; what there is so far stays."""
        assert self._pool is not None
        self._pool.cancel(self)

    def retry(self) -> None:
        """Start a failed or cancelled job again, for every session."""
        assert self._pool is not None
        self._pool.retry(self)

    def _begin(self, number: int) -> None:
        self._number = number
        self._began = time.monotonic()
        self.status = "running"

    def _note(self, done: float, total: float, message: str, packed: worker.Packed | None) -> None:
        self.progress = min(max(done / total, 0.0), 1.0) if total else 0.0
        self.message = message
        if packed is not None:
            self._partial = (packed, None)
            self._news.set()

    def _end(
        self, status: Status, *, result: R | None = None, size: int = 0, error: str = ""
    ) -> None:
        self.result, self.error = result, error
        self.size = JOB_BYTES + size + worker.size(self._partial[0])
        if status == "done":
            self.progress = 1.0
            self._arguments = None
        else:
            self.size += size_of_argument(tuple((self._arguments or {}).values()))
        self._ended = time.monotonic()
        self.status = status  # Set the status last: readers check it first, then the result.
        self._news.set()
        self._over.set()
