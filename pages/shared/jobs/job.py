"""One piece of long work, as every session that asked for it sees it."""

import threading
import time
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from . import worker
from .arguments import size_of_argument
from .durations import Key
from .sessions import Session, current_session

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
        Since the work began, or that it took; while it waits: since it was asked for.
    size : int
        Bytes that it holds: arguments, what there is so far, the result.
    lasting : bool
        Whether its result may be kept beyond this process.
    damaged : bool
        Whether its result was kept, and dropped as it was damaged.
    arguments : dict or None
        What its task is called with; None once it is done.
    withdrawn_by : set of sessions
        Who cancelled it, and did not ask again.
    number : int
        Of its run, another for every run of a pool; 0 where it never ran.
    stop_by : float
        When its process is ended, in seconds of the monotonic clock; 0 until it is asked to stop.

    ``reset``, ``recall``, ``begin``, ``note`` and ``end`` are for the pool that does the job.
    """

    def __init__(
        self,
        key: Key,
        task: str,
        arguments: dict[str, Any],
        pool: "Pool | None",
        lasting: bool = False,
    ):
        self.key, self.task, self.lasting = key, task, lasting
        self.damaged = False
        self.arguments: dict[str, Any] | None = arguments
        self._pool = pool
        self.withdrawn_by: set[Session] = set()
        self.reset()

    def reset(self) -> None:
        """Set the job back to waiting, as if it were new."""
        self.status: Status = "waiting"
        self.progress, self.message, self.error = 0.0, "", ""
        self.result: R | None = None
        self._result_size = 0
        self._partial: tuple[worker.Packed | None, Any] = (None, None)
        self._request_time, self._began, self._ended = time.monotonic(), 0.0, 0.0
        self.number, self.stop_by = 0, 0.0
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
        return (self._ended or time.monotonic()) - (self._began or self._request_time)

    @property
    def size(self) -> int:
        arguments = size_of_argument(tuple((self.arguments or {}).values()))
        return JOB_BYTES + arguments + worker.count_bytes(self._partial[0]) + self._result_size

    @property
    def withdrawn(self) -> bool:
        """Whether this session has cancelled it, though it goes on for others."""
        return current_session() in self.withdrawn_by

    def look_ahead(self) -> tuple[int | None, float | None]:
        """Place in the line of a waiting job, from 1, and estimated seconds until it is over.

        None where there is no place, and where nothing is known to estimate from.
        """
        if self.status == "running":
            known = self.seconds >= 2 and self.progress >= 0.05
            return None, self.seconds * (1 / self.progress - 1) if known else None
        return (None, None) if self._pool is None else self._pool.look_ahead(self)

    def wait(self, timeout: float | None = None) -> bool:
        """Block until the job is over; False if it is not after ``timeout`` seconds."""
        return self._over.wait(timeout)

    def wait_for_news(self, timeout: float) -> bool:
        """Block until there is something to show, a partial result or the end of the job."""
        return self._news.wait(timeout)

    def look(self) -> None:
        """Say that this session is there still, and wants it."""
        if self._pool is not None:
            self._pool.look(self)

    def cancel(self) -> None:
        """Take back this session's wish; the job stops when nobody else is there for it.

        Outside of any session: stop it for everybody. What there is so far stays.
        """
        assert self._pool is not None
        self._pool.cancel(self)

    def retry(self) -> None:
        """Request it again: a failed or cancelled job starts anew, for every session."""
        assert self._pool is not None
        self._pool.retry(self)

    def recall(self, result: R, size: int, seconds: float) -> None:
        """End the job with a result that was computed before, in ``seconds``."""
        self._began = time.monotonic() - seconds
        self.end("done", result=result, size=size)

    def begin(self, number: int) -> None:
        """Mark the job as running; ``number`` is the run's."""
        self.number = number
        self._began = time.monotonic()
        self.message = ""
        self.status = "running"

    def note(self, done: float, total: float, message: str, packed: worker.Packed | None) -> None:
        """Take over what its task reports on its way."""
        self.progress = min(max(done / total, 0.0), 1.0) if total else 0.0
        self.message = message
        if packed is not None:
            self._partial = (packed, None)
            self._news.set()

    def end(
        self, status: Status, *, result: R | None = None, size: int = 0, error: str = ""
    ) -> None:
        """End the job as "done", "failed" or "cancelled"; ``size``: the result's bytes."""
        self.result, self.error, self._result_size = result, error, size
        if status == "done":
            self.progress = 1.0
            self.arguments = None
            self.withdrawn_by.clear()
        self._ended = time.monotonic()
        self.status = status  # Set the status last: readers check it first, then the result.
        self._news.set()
        self._over.set()
