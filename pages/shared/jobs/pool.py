"""Worker processes, the queue before them, and the results that are kept."""

import contextlib
import logging
import os
import signal
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable
from multiprocessing.connection import Connection
from typing import Any, Concatenate, ParamSpec, TypeVar

from . import worker
from .arguments import bind, hashable, task_name
from .job import Job
from .report import Report

P = ParamSpec("P")
R = TypeVar("R")

WORKERS = 2
KEPT_BYTES = 512 * 2**20
CANCEL_GRACE_SECONDS = 10.0  # that a cancelled task may take to notice, before its process is ended
WARM_UP = "pages.shared.models.tasks:warm_up"
# One thread a worker: the networks are small, and the app needs its core.
ENVIRONMENT = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")

WENT_WRONG = "something went wrong here that should not (it was logged): try again, or report it"

log = logging.getLogger(__name__)


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

    def send(self, *message: Any) -> None:
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
            threading.Thread(target=self._serve_jobs, name=f"worker {number}", daemon=True).start()

    def submit(
        self, task: Callable[Concatenate[Report, P], R], /, *args: P.args, **kwargs: P.kwargs
    ) -> Job[R]:
        """The job of that task and those arguments: a new one, or the one that there is.

        See :func:`pages.shared.jobs.submit`.
        """
        name, arguments = task_name(task), bind(task, args, kwargs)
        key = (name, *((argument, hashable(value)) for argument, value in arguments.items()))
        with self._change:
            job = self._jobs.get(key)
            if job is None:
                job = self._jobs[key] = Job(key, name, arguments, self)
                self._enqueue(job)
            self._jobs.move_to_end(key)
            return job

    def jobs(self) -> list[Job]:
        """Every job that waits, runs or is kept, the most recently asked for last."""
        with self._change:
            return list(self._jobs.values())

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
                    self._running[job].send("cancel", job._number)
                timer = threading.Timer(
                    CANCEL_GRACE_SECONDS, self._kill_unresponsive, (job, job._number)
                )
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

    def _kill_unresponsive(self, job: Job, number: int) -> None:
        with self._change:
            if job in self._running and job._number == number:
                self._running[job].kill()

    def _serve_jobs(self) -> None:
        """The life of one worker: take a job, follow it to its end, take the next."""
        process = _Process(self._warm_up)
        while (job := self._take_job()) is not None:
            if not process.alive():
                process.end()
                process = _Process(self._warm_up)
            with self._change:
                self._numbers += 1
                job._begin(self._numbers)
                self._running[job] = process
            try:
                process.send("task", job._number, job.task, job._arguments)
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

    def _take_job(self) -> Job | None:
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
