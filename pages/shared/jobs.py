"""Long work off the script's thread: submit, watch, cancel.

Whatever needs torch or cvxpy runs in a worker process; the app's own process stays light. One job
serves every session that asks for the same thing; it goes on when a slider moves or a tab closes,
and its result is kept until memory is needed for newer ones.

    job = jobs.submit("pages.shared.work:reference", dataset="digits", model="mlp", seed=0)
    job.status, job.progress, job.partial, job.result

A task is a function ``task(report, **arguments)`` that calls ``report(done, total, partial,
message)`` on its way, and stops when that returns False.
"""

import contextlib
import hashlib
import logging
import math
import os
import signal
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Hashable
from multiprocessing.connection import Connection
from typing import Any, Literal

import streamlit as st

from . import worker

Status = Literal["waiting", "running", "done", "failed", "cancelled"]

WORKERS = 2
KEPT_BYTES = 512 * 2**20
SMALLEST = 1024  # bytes that a job without a result counts for
PATIENCE = 10.0  # seconds that a cancelled task may take to notice, before its process is ended
WARM_UP = "pages.shared.work:warm_up"
# One thread a worker: the networks are small, and the app needs its core.
ENVIRONMENT = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")

WENT_WRONG = "something went wrong here that should not (it was logged): try again, or report it"

log = logging.getLogger(__name__)


class Job:
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

    def __init__(self, key: Hashable, task: str, arguments: dict[str, Any], pool: "Pool"):
        self.key, self.task = key, task
        self._arguments: dict[str, Any] | None = arguments
        self._pool = pool
        self._reset()

    def _reset(self) -> None:
        self.status: Status = "waiting"
        self.progress, self.message, self.error = 0.0, "", ""
        self.result: Any = None
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
    def partial(self) -> Any:
        packed, value = self._partial
        if packed is not None and value is None:
            value = worker.unpack(packed)
            self._partial = (packed, value)
        return value

    @property
    def so_far(self) -> Any:
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
        self._pool.cancel(self)

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

    def _end(self, status: Status, *, result: Any = None, size: int = 0, error: str = "") -> None:
        self.result, self.error = result, error
        self.size = SMALLEST + size + worker.size(self._partial[0])
        if status == "done":
            self.progress = 1.0
            self._arguments = None
        else:
            self.size += _weight(tuple((self._arguments or {}).values()))
        self._ended = time.monotonic()
        self.status = status  # last: who sees it finds the rest
        self._news.set()
        self._over.set()


class _Process:
    """A worker process and the app's end of its pipe."""

    def __init__(self, warm_up: str):
        from loky.backend import get_context  # here, in a worker's thread: the title paints first

        context = get_context("loky")
        self.pipe: Connection
        self.pipe, theirs = context.Pipe()
        self._process = context.Process(
            target=worker.serve, args=(theirs, warm_up), env=ENVIRONMENT, daemon=True
        )
        self._process.start()
        theirs.close()  # so that the pipe ends with the worker
        self._sending = threading.Lock()

    @property
    def pid(self) -> int:
        return self._process.pid

    def alive(self) -> bool:
        return self._process.is_alive()

    def tell(self, *message: Any) -> None:
        with self._sending:
            self.pipe.send(message)

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):  # loky's processes have no kill()
            os.kill(self.pid, getattr(signal, "SIGKILL", signal.SIGTERM))

    def end(self) -> str:
        """Make sure that it is gone; says how it went."""
        self.pipe.close()
        self._process.join(1)
        if self._process.exitcode is None:
            self.kill()
            self._process.join()
        code = self._process.exitcode
        if code is None:
            return "nobody knows how"  # others waited for it first, as when the app itself ends
        if code == -signal.SIGKILL:
            return "it was killed, as happens when memory runs out"
        return f"signal {-code}" if code < 0 else f"exit code {code}"


class Pool:
    """Worker processes, the queue before them, and the results that are kept.

    Parameters
    ----------
    workers : int
        Jobs that run at the same time; the others wait in order.
    kept_bytes : int
        Bound on the pickled sizes of what is kept; the least recently asked for goes first.
    warm_up : str
        Function that a new process calls before its first job, if it exists.
    """

    def __init__(
        self, workers: int = WORKERS, kept_bytes: int = KEPT_BYTES, warm_up: str = WARM_UP
    ):
        self._kept_bytes, self._warm_up = kept_bytes, warm_up
        self._jobs: OrderedDict[Hashable, Job] = OrderedDict()
        self._waiting: deque[Job] = deque()
        self._running: dict[Job, _Process] = {}
        self._numbers = 0
        self._closed = False
        self._change = threading.Condition()
        for number in range(1, workers + 1):
            threading.Thread(target=self._attend, name=f"worker {number}", daemon=True).start()

    def submit(self, task: str, /, **arguments: Any) -> Job:
        """The job of that task and those arguments: a new one, or the one that there is.

        See the module's ``submit``.
        """
        normal = {name: _normal(name, value) for name, value in arguments.items()}
        key = (task, *((name, _key(value)) for name, value in sorted(normal.items())))
        with self._change:
            job = self._jobs.get(key)
            if job is None:
                job = self._jobs[key] = Job(key, task, normal, self)
                self._enqueue(job)
            self._jobs.move_to_end(key)
            return job

    def retry(self, job: Job) -> None:
        """Start a failed or cancelled job again, for every session."""
        with self._change:
            if job.status in ("failed", "cancelled"):
                job._reset()
                self._jobs[job.key] = job
                self._enqueue(job)

    def cancel(self, job: Job) -> None:
        """Take a waiting job out of the queue; ask a running one to stop."""
        with self._change:
            if job in self._waiting:
                self._waiting.remove(job)
                job._end("cancelled")
            elif job in self._running and not job._asked_to_stop:
                job._asked_to_stop, job.message = True, "stopping"
                with contextlib.suppress(OSError):  # it has just gone: its thread sees to it
                    self._running[job].tell("cancel", job._number)
                timer = threading.Timer(PATIENCE, self._end_deaf, (job, job._number))
                timer.daemon = True
                timer.start()

    def close(self) -> None:
        """End the worker processes; running jobs fail."""
        with self._change:
            self._closed = True
            for process in self._running.values():
                process.kill()
            self._change.notify_all()

    def _enqueue(self, job: Job) -> None:
        self._waiting.append(job)
        self._change.notify()

    def _end_deaf(self, job: Job, number: int) -> None:
        with self._change:
            if job in self._running and job._number == number:
                self._running[job].kill()

    def _attend(self) -> None:
        """The life of one worker: take a job, follow it to its end, take the next."""
        process = _Process(self._warm_up)
        while (job := self._next()) is not None:
            if not process.alive():
                process.end()
                process = _Process(self._warm_up)
            with self._change:
                self._numbers += 1
                job._begin(self._numbers)
                self._running[job] = process
            try:
                process.tell("task", job._number, job.task, job._arguments)
                self._follow(job, process)
            except (EOFError, OSError):
                how = process.end()
                if job._asked_to_stop:
                    job._end("cancelled")
                else:
                    log.error("a worker process stopped during %s: %s", job.task, how)
                    job._end(
                        "failed",
                        error=f"the worker process stopped ({how}); it was replaced: try again",
                    )
                if not self._closed:
                    process = _Process(self._warm_up)
            except Exception:
                # Its messages cannot be read: what else is in the pipe cannot be trusted either.
                log.exception("what %s sent could not be read", job.task)
                process.kill()
                process.end()
                job._end("failed", error=WENT_WRONG)
                process = _Process(self._warm_up)
            with self._change:
                del self._running[job]
                self._make_room()
        process.end()

    def _next(self) -> Job | None:
        with self._change:
            self._change.wait_for(lambda: self._waiting or self._closed)
            return None if self._closed else self._waiting.popleft()

    def _follow(self, job: Job, process: _Process) -> None:
        while True:
            kind, *message = process.pipe.recv()
            if kind == "progress":
                job._note(*message)
                continue
            if kind == "done":
                job._end("done", result=worker.unpack(message[0]), size=worker.size(message[0]))
            elif kind == "failed":
                sentence, trace = message
                if trace is not None:
                    log.error("%s failed with %s\n%s", job.task, sentence, trace)
                    sentence = WENT_WRONG
                job._end("failed", error=sentence)
            else:
                job._end("cancelled")
            return

    def _make_room(self) -> None:
        over = [job for job in self._jobs.values() if not job.pending]
        kept = sum(job.size for job in over)
        for job in over[:-1]:  # the newest stays, however large: somebody has just asked for it
            if kept <= self._kept_bytes:
                break
            kept -= job.size
            del self._jobs[job.key]


def _normal(name: str, value: Any) -> Any:
    """An argument as plain Python values."""
    import numpy as np  # here, and not above: the title paints first

    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and math.isnan(value):
        raise ValueError(f"{name} is not a number: a job could never be found again by it")
    if value is None or isinstance(value, (bool, int, float, str, bytes)):
        return value
    if isinstance(value, (tuple, list)):
        return tuple(_normal(name, item) for item in value)
    raise TypeError(
        f"{name} is a {type(value).__name__}: a job takes names, numbers, bytes and tuples of them"
    )


def _weight(value: Any) -> int:
    """Bytes that an argument holds on to."""
    if isinstance(value, tuple):
        return sum(map(_weight, value))
    return len(value) if isinstance(value, bytes) else 0


def _key(value: Any) -> Hashable:
    if isinstance(value, bytes):
        return "bytes", hashlib.sha256(value).digest()
    if isinstance(value, tuple):
        return tuple(_key(item) for item in value)
    return value


@st.cache_resource(show_spinner=False, on_release=lambda pool: pool.close())
def _pool() -> Pool:
    return Pool()


def start() -> None:
    """Start the workers, if they are not there yet; comes back at once."""
    _pool()


def submit(task: str, /, **arguments: Any) -> Job:
    """The job of that task and those arguments: a new one, or the one that there is.

    Parameters
    ----------
    task : str
        "module:function", importable in a worker: ``function(report, **arguments)``.
    **arguments
        Names, numbers, bytes, and tuples of them. Equal numbers are the same argument whatever
        their type (12, 12.0, np.int64(12)); bytes are recognised by their SHA-256.

    Returns
    -------
    Job
        In whatever state it is; a failed or cancelled one is started again by ``retry``.
    """
    return _pool().submit(task, **arguments)


def retry(job: Job) -> None:
    """Start a failed or cancelled job again, for every session."""
    job._pool.retry(job)
