"""Worker processes, the jobs that wait for them, and the results that are kept."""

import contextlib
import logging
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, TypeVar

from . import worker
from .arguments import bind, make_hashable, task_name
from .durations import Key
from .job import Job
from .kept_results import KeptResults
from .process import KILLED, WorkerProcess
from .report import Report, is_measuring
from .sessions import Session, current_session
from .waiting_line import LineFullError, WaitingLine

P = ParamSpec("P")
R = TypeVar("R")

MAX_WORKERS = 4  # by default: each takes about 250 MB
KEPT_BYTES = 512 * 2**20
CANCEL_GRACE_SECONDS = 10.0  # for a cancelled task to notice, before its process is ended
POLL_SECONDS = 0.25  # between two checks for changes without a notification
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 10.0  # seconds between two tries to start a process
BUSY_SECONDS = 5.0  # of work on all workers, after which the spare one starts
QUIET_SECONDS = 8.0  # after the start, in which no worker starts without a job
STUCK_SECONDS = 30.0  # for a job that waits while nothing runs
WARM_UP = "pages.shared.models.tasks:warm_up"

WENT_WRONG = "something went wrong here that should not (it was logged): try again, or report it"
NO_WORKER = "no worker process could be started (no memory or file handle was left): try again soon"
TOO_SLOW = "no worker process was ready in time (the machine is very busy): try again soon"
KILLED_ERROR = (
    "the worker process was killed, most likely because memory ran out; it was replaced: "
    "choose a smaller model or fewer rows, or try again"
)
CLOSED = "the app is being stopped"
STARTING = "loading PyTorch"

log = logging.getLogger(__name__)


def default_workers() -> int:
    """COMPRESS_WORKERS, where it is a number above 0; else as many as cores, up to 4."""
    setting = os.environ.get("COMPRESS_WORKERS", "")
    if setting.isdecimal() and int(setting) > 0:
        return int(setting)
    if setting:
        log.warning("COMPRESS_WORKERS=%s is no number above 0: taking the cores' count", setting)
    return min(count_cores(), MAX_WORKERS)


def count_cores() -> int:
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


class Pool:
    """Worker processes, the jobs that wait for them, and the results that are kept.

    Parameters
    ----------
    workers : int, optional
        Jobs that run at the same time; see ``WaitingLine`` for the order of the others, and for
        the spare worker, whose process starts when it is first of use.
    kept_bytes : int
        Bound on the sizes of arguments and results; of results the least recently asked for goes
        first, and what would have to wait beyond it fails at once.
    warm_up : str
        Function that a new process calls before its first job; "" for none.
    store : str, optional
        URL of the database that results are kept in beyond this process; None: they are not.
    """

    def __init__(
        self,
        workers: int | None = None,
        kept_bytes: int = KEPT_BYTES,
        warm_up: str = WARM_UP,
        store: str | None = None,
    ):
        self._store = KeptResults(store)
        self._workers = default_workers() if workers is None else workers
        self._kept_bytes, self._warm_up = kept_bytes, warm_up
        self._jobs: OrderedDict[Key, Job] = OrderedDict()
        self._line: WaitingLine[Job] = WaitingLine(self._workers)
        self._running: dict[Job, WorkerProcess] = {}
        self._processes: set[WorkerProcess] = set()
        self._numbers = self._failed_starts = 0
        # Warm up on half the cores: the app and the browser need one too, and the first worker is
        # ready sooner.
        self._warming = threading.Semaphore(max(1, count_cores() // 2))
        self._closed = False
        self._quiet_until = time.monotonic() + QUIET_SECONDS
        self._change = threading.Condition()
        self._threads = [
            threading.Thread(
                target=self._serve_jobs, args=(number,), name=f"worker {number}", daemon=True
            )
            for number in range(1, self._workers + 2)
        ]
        for thread in self._threads:
            thread.start()

    def submit(
        self, task: Callable[Concatenate[Report, P], R], /, *args: P.args, **kwargs: P.kwargs
    ) -> Job[R]:
        """The job of that task and those arguments: a new one, or the one that there is.

        See :func:`pages.shared.jobs.submit`.
        """
        name, arguments = task_name(task), bind(task, args, kwargs)
        key = (name, *((argument, make_hashable(value)) for argument, value in arguments.items()))
        lasting = not is_measuring(task)
        kept = self._store.find(name, arguments) if lasting and key not in self._jobs else None
        with self._change:
            self._drop_abandoned()
            job = self._jobs.get(key)
            if job is None:
                job = Job(key, name, arguments, self, lasting)
                if kept is None:
                    job.damaged = lasting and self._store.was_damaged(name, arguments)
                    self._enqueue(job, current_session())
                else:
                    job.recall(*kept)
                    self._jobs[key] = job
                    self._make_room()
            elif job.status == "cancelled" and not job.withdrawn:  # other sessions have stopped it
                self._restart(job, current_session())
            else:
                self.look(job)
            if key in self._jobs:
                self._jobs.move_to_end(key)
            return job

    def jobs(self) -> list[Job]:
        """Every job that waits, runs or is kept, the most recently asked for last."""
        with self._change:
            return list(self._jobs.values())

    def look(self, job: Job) -> None:
        """Note that the calling session wants a job and is there still."""
        with self._change:
            if not job.withdrawn:
                self._line.look(job, current_session())

    def look_ahead(self, job: Job) -> tuple[int | None, float | None]:
        """A waiting job's place in the line, and seconds until it is done, where that is known."""
        with self._change:
            return self._line.find_position(job), self._line.estimate(job)

    def retry(self, job: Job) -> None:
        """Request a job again; one that has failed or was cancelled starts anew."""
        with self._change:
            job.withdrawn_by.discard(current_session())
            if job.pending:
                self.look(job)
            elif job.status != "done" and self._jobs.get(job.key, job) is job:
                self._restart(job, current_session())

    def cancel(self, job: Job) -> None:
        """Take back a session's wish for a job, and stop it unless somebody else is there for it.

        Outside of any session: stop it for everybody.
        """
        session = current_session()
        with self._change:
            if not job.pending:
                return
            leaving = self._line.list_watchers(job) if session is None else []
            job.withdrawn_by.update([session, *leaving])
            wanted = [self._line.withdraw(job, each) for each in (*leaving, session)][-1]
            if not wanted:
                self._stop(job)

    def close(self) -> None:
        """End the worker processes, what runs and what waits."""
        with self._change:
            self._closed = True
            for job in self._line.waiting:
                self._line.remove(job)
                job.end("failed", error=CLOSED)
            for process in self._running.values():
                process.kill()
            self._change.notify_all()

    def health(self) -> dict[str, float]:
        """What the pool is doing, in plain numbers; ``ok`` is False when it cannot do its work."""
        with self._change:
            waits = [job.seconds for job in self._line.waiting]
            runs = [job.seconds for job in self._running]
            took = sorted(job.seconds for job in self._jobs.values() if job.status == "done")
            threads = sum(thread.is_alive() for thread in self._threads)
            oldest = max(waits, default=0.0)
            starved = bool(self._failed_starts) and not self._processes
            stuck = oldest > STUCK_SECONDS and not runs and bool(self._processes)
            return {
                "ok": threads == len(self._threads) and not (self._closed or starved or stuck),
                "workers": self._workers,
                "threads": threads,
                "processes": len(self._processes),
                "failed_starts": self._failed_starts,
                "running": len(runs),
                "waiting": len(waits),
                "oldest_waiting_seconds": oldest,
                "longest_running_seconds": max(runs, default=0.0),
                "median_job_seconds": took[len(took) // 2] if took else 0.0,
                "kept_bytes": sum(job.size for job in self._jobs.values()),
            }

    def _enqueue(self, job: Job, *sessions: Session) -> None:
        """Let a job wait; where that is too much it fails, and is not kept."""
        try:
            if self._closed:
                raise LineFullError(CLOSED)
            pending = sum(other.size for other in (*self._line.waiting, *self._running))
            if pending + job.size > self._kept_bytes:
                raise LineFullError(f"too much is waiting already ({pending / 2**20:.0f} MB)")
            self._line.add(job, job.key, sessions[0])
        except LineFullError as full:
            job.end("failed", error=f"{full}: try again later")
            return
        if not self._processes:
            job.message = STARTING
        for session in sessions[1:]:
            self._line.look(job, session)
        self._jobs[job.key] = job
        self._make_room()
        self._change.notify_all()

    def _restart(self, job: Job, *sessions: Session) -> None:
        job.reset()
        self._enqueue(job, *sessions)

    def _stop(self, job: Job) -> None:
        """Take a waiting job out of the line; ask a running one to stop."""
        if job not in self._running:
            self._line.remove(job)
            job.end("cancelled")
        elif not job.stop_by:
            job.stop_by, job.message = time.monotonic() + CANCEL_GRACE_SECONDS, "stopping"
            # The process has just ended: its thread handles that.
            with contextlib.suppress(OSError):
                self._running[job].send("cancel", job.number)

    def _drop_abandoned(self) -> None:
        """Forget jobs that no session waits for: a session that comes back asks anew."""
        for job in self._line.drop_abandoned():
            self._jobs.pop(job.key, None)
            job.end("cancelled")

    def _serve_jobs(self, number: int) -> None:
        """Serve jobs with one worker: take one, follow it to its end, take the next."""
        process: WorkerProcess | None = None
        while not self._closed:
            try:
                if process is None or not process.is_alive():
                    self._dismiss(process)
                    if number > self._workers:
                        self._wait_until_spare_is_wanted()
                    self._wait_until_job_or_quiet_ends()
                    process = self._start_process()
                elif (job := self._take_job(process)) and not self._perform(job, process):
                    self._dismiss(process)
                    process = None
            except Exception:  # this thread must not end: no other one takes its place
                log.exception("%s went wrong", threading.current_thread().name)
                time.sleep(FIRST_PAUSE)
        self._dismiss(process)

    def _wait_until_job_or_quiet_ends(self) -> None:
        """Wait at the start: loading PyTorch delays pages whose results are all kept."""
        with self._change:
            left = self._quiet_until - time.monotonic()
            self._change.wait_for(lambda: self._closed or len(self._line) > 0, max(left, 0))

    def _wait_until_spare_is_wanted(self) -> None:
        """Wait until workers are busy for long: a first visitor's jobs need the cores."""
        with self._change:
            while not self._closed and (
                len(self._running) < self._workers
                or (
                    min(job.seconds for job in self._running) < BUSY_SECONDS
                    and self._line.find_next() is None
                )
            ):
                self._change.wait(POLL_SECONDS if self._running else None)

    def _start_process(self) -> WorkerProcess | None:
        """A new worker process, however long it takes to get one; None when the pool closes."""
        pause = FIRST_PAUSE
        while not self._closed:
            process: WorkerProcess | None = None
            try:
                with self._warming:
                    process = WorkerProcess(self._warm_up)
                    process.wait_until_warm(lambda: self._closed)
            except Exception as error:
                self._dismiss(process)
                if self._closed:
                    return None
                why = TOO_SLOW if isinstance(error, TimeoutError) else NO_WORKER
                log.exception("a worker process could not be started")
                with self._change:
                    self._failed_starts += 1
                    if not self._processes:  # no other process can run the waiting jobs
                        for job in self._line.waiting:
                            self._line.remove(job)
                            job.end("failed", error=why)
                    self._change.wait_for(lambda: self._closed, pause)
                pause = min(2 * pause, LONGEST_PAUSE)
            else:
                with self._change:
                    self._processes.add(process)
                    # They wait for their turn now, not for a process.
                    for job in self._line.waiting:
                        job.message = ""
                return process
        return None

    def _dismiss(self, process: WorkerProcess | None) -> str:
        """End a process; says how it went."""
        if process is None:
            return ""
        with self._change:
            self._processes.discard(process)
        return process.end()

    def _take_job(self, process: WorkerProcess) -> Job | None:
        """The job that this process does next; None when it has gone or the pool closes."""
        with self._change:
            while not self._closed and process.is_alive():
                self._drop_abandoned()
                if (job := self._line.take()) is not None:
                    self._numbers += 1
                    job.begin(self._numbers)
                    self._running[job] = process
                    self._change.notify_all()
                    return job
                self._change.wait(POLL_SECONDS if len(self._line) else None)
            return None

    def _perform(self, job: Job, process: WorkerProcess) -> bool:
        """Let a process do a job; whether the process can be used again."""
        ending: dict[str, Any] = {"status": "failed", "error": WENT_WRONG}
        usable, arguments = False, job.arguments or {}
        try:
            process.send("task", job.number, job.task, job.arguments)
            ending = self._follow(job, process)
            usable = True
        except (EOFError, OSError):
            ending = self._explain_loss(job, self._dismiss(process))
        except Exception:
            # A message could not be read: the rest of the pipe cannot be trusted either.
            log.exception("what %s sent could not be read", job.task)
            process.kill()
        finally:
            self._finish(job, ending)
        if job.lasting and ending["status"] == "done":
            self._store.keep(job.task, arguments, ending["result"], job.seconds)
        return usable

    def _follow(self, job: Job, process: WorkerProcess) -> dict[str, Any]:
        """Note what a task reports; how it ends."""
        while True:
            if not process.pipe.poll(POLL_SECONDS):
                if 0 < job.stop_by < time.monotonic():
                    process.kill()
                continue
            kind, *message = process.pipe.recv()
            if kind == "progress":
                job.note(*message)
            elif kind == "done":
                size = worker.count_bytes(message[0])
                return {"status": "done", "result": worker.unpack(message[0]), "size": size}
            elif kind == "failed":
                sentence, trace = message
                if trace is not None:
                    log.error("%s failed with %s\n%s", job.task, sentence, trace)
                    sentence = WENT_WRONG
                return {"status": "failed", "error": sentence}
            else:
                return {"status": "cancelled"}

    def _explain_loss(self, job: Job, how: str) -> dict[str, Any]:
        """How a job ends whose process has gone."""
        if self._closed:
            return {"status": "failed", "error": CLOSED}
        if job.stop_by:
            return {"status": "cancelled"}
        log.error("a worker process stopped during %s: %s", job.task, how)
        error = f"the worker process stopped ({how}); it was replaced: try again"
        return {"status": "failed", "error": KILLED_ERROR if how == KILLED else error}

    def _finish(self, job: Job, ending: dict[str, Any]) -> None:
        with self._change:
            del self._running[job]
            asked_again = self._line.list_watchers(job) if ending["status"] == "cancelled" else []
            self._line.finish(job, job.seconds if ending["status"] == "done" else None)
            job.end(**ending)
            if asked_again:  # sessions asked again while the job was stopping
                self._restart(job, *asked_again)
            self._make_room()
            self._change.notify_all()

    def _make_room(self) -> None:
        over = [job for job in self._jobs.values() if not job.pending]
        kept = sum(job.size for job in self._jobs.values())
        for job in over[:-1]:  # the newest stays, however large: somebody has just asked for it
            if kept <= self._kept_bytes:
                break
            kept -= job.size
            del self._jobs[job.key]
