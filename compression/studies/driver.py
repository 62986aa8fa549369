"""Run a study: every fit once, each reference once for all its curves, whatever stops on the way.

What is pending is a fit without a row in the store, so that a study that was stopped, in whatever
way, goes on where it was: at most the fits in flight are lost. Workers hand rows back; only the
driver writes. Two drivers on one store share a study by leases that expire.
"""

import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    wait,
)
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from compression.errors import CompressionError

from .contents import find_contents, forget_content, read_contents
from .executors import LocalProcesses, is_lost
from .fit import NO_REFERENCE, OTHER_SAMPLES, FitOutcome, compute, compute_each, make_failure
from .overview import keep_large_overview
from .pending import TRIES, PendingFits, group_by_split, group_by_work, name_curves
from .specification import Study
from .store import Fit, NewFit, StoreError, identify
from .study_store import FinishedFits, StudyStore

LEASE_SECONDS = 120.0
LOOK_SECONDS = 0.5  # between two looks at what is done, and at other drivers' work
LOST = "the worker process was lost {} times, most likely because memory ran out: choose less"
GONE = "the executor has cancelled what it was given: run the study again, what is over is kept"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Progress:
    """How far a study is.

    Attributes
    ----------
    done, failed, total : int
        Fits; failed ones are among the done.
    seconds_left : float or None
        Estimated from the fits of this run; None while there is none.
    """

    done: int
    failed: int
    total: int
    seconds_left: float | None = None


def run(
    study: Study,
    store: str | StudyStore = "sqlite:///studies.db",
    executor: Executor | None = None,
    *,
    workers: int | None = None,
    report: Callable[[Progress], bool] = lambda progress: True,
) -> Progress:
    """Compute what is not there yet of a study; keep what a large one's page shows.

    Parameters
    ----------
    study : Study
    store : str or StudyStore
        URL of the database, or an open one.
    executor : concurrent.futures.Executor, optional
        Who computes: any that takes functions of modules. Left out: ``LocalProcesses``.
    workers : int, optional
        Calls at a time, twice as many being in flight: a call is one fit, or several that share
        work or, where the executor has ``bundle_seconds``, are short. Left out: the executor's own
        ``workers``, or 1 where it has none.
    report : callable
        Called with a ``Progress`` after each call and twice a second; returning False stops the
        study: what is in flight is finished and kept.

    Returns
    -------
    Progress

    Raises
    ------
    StoreError
        The database cannot be opened or written.
    CompressionError
        The executor is gone as a whole. Run the study again: what is over is kept.
    KeyboardInterrupt
        From who interrupts the call; processes that it has started for itself are killed, and what
        is over is kept.
    """
    kept = StudyStore(store) if isinstance(store, str) else store
    used = LocalProcesses(workers) if executor is None else executor
    try:
        over = _count_if_over(study, kept)
        if over is None:
            progress = _drive(study, kept, used, workers, report)
        else:
            progress = Progress(over.done, over.failed, over.done)
            kept.mark_study(study.name)
            report(progress)
        keep_large_overview(kept, study.name, over)
        return progress
    except KeyboardInterrupt:
        if executor is None:  # At exit Python waits for all that its processes were given.
            used.shutdown(cancel_futures=True)
        raise
    finally:
        if isinstance(store, str):
            kept.close()


def _count_if_over(study: Study, store: StudyStore) -> FinishedFits | None:
    """A study's fits where all of them are over, without making each one's key; else None.

    Keys hold the code's version: those of one seed, or fold, of every pair say whether all that is
    there is of today's.
    """
    contents = find_contents(study.datasets, store)
    if len(contents) < len(study.datasets):
        return None
    one_seed = replace(study, seeds=study.seeds[:1])
    first = {(each["dataset"], each["model"]): each for each in one_seed.references(contents)}
    requests = [
        request
        for reference in first.values()
        for request in (reference, *study.curve_requests(reference))
    ]
    if not store.has_study(study.name, study.to_json(), requests):
        return None
    fits = store.count_over(study.name)
    return fits if fits.done == study.count() else None


def _drive(
    study: Study,
    store: StudyStore,
    executor: Executor,
    workers: int | None,
    report: Callable[[Progress], bool],
) -> Progress:
    driver = StudyDriver(study, store, executor, workers)
    try:
        with driver.renew_leases():
            return driver.drive(report)
    finally:
        store.release(driver.owner)


class StudyDriver:
    """One process's share of a study."""

    def __init__(
        self, study: Study, store: StudyStore, executor: Executor, workers: int | None
    ) -> None:
        self.owner = f"{_place()}:{os.getpid()}:{uuid.uuid4().hex[:12]}"
        self._study, self._store, self._executor = study, store, executor
        self._asked_workers = workers
        references = group_by_split(study.references(read_contents(study.datasets, store)))
        requests = [
            request
            for reference in references
            for request in (reference, *group_by_work(study.curve_requests(reference)))
        ]
        self._release_dead()
        keys = store.put_study(study.name, study.to_json(), requests)
        self._requests = dict(zip(keys, requests, strict=True))
        self._done = store.list_done(study.name)
        # References before their own curves, and these before the next reference.
        pending = (key for key in keys if key not in self._done)
        self._pending = PendingFits(self._requests, pending)
        self._flying: dict[Future[Any], list[str]] = {}
        self._recent: dict[str, Fit] = {}
        self._seconds: list[float] = []
        self._failed = store.count_failed(study.name)

    def drive(self, report: Callable[[Progress], bool]) -> Progress:
        going_on = report(self._measure_progress())
        while (going_on and self._pending) or self._flying:
            if going_on:
                self._submit()
            ended, _ = wait(self._flying, LOOK_SECONDS, FIRST_COMPLETED)
            for future in ended:
                self._take(future)
            if not self._flying and not ended:
                time.sleep(LOOK_SECONDS)  # another driver has what is left
            if not ended and (self._pending.has_fits_of_others or not self._flying):
                self._see_others()
            going_on = report(self._measure_progress()) and going_on
        return self._measure_progress()

    @property
    def _workers(self) -> int:
        available: int = getattr(self._executor, "workers", 1)
        return self._asked_workers or available

    def _measure_progress(self) -> Progress:
        left = len(self._requests) - len(self._done)
        pace = sum(self._seconds) / len(self._seconds) / self._workers if self._seconds else None
        return Progress(
            len(self._done),
            self._failed,
            len(self._requests),
            None if pace is None else pace * left,
        )

    @contextmanager
    def renew_leases(self) -> Iterator[None]:
        """Renew leases in a thread: an executor may compute in the driver's own."""
        over = threading.Event()

        def renew() -> None:
            while not over.wait(LEASE_SECONDS / 3):
                try:
                    self._store.renew(self.owner, LEASE_SECONDS)
                except StoreError as error:  # another driver may compute the same; the first stays
                    log.warning("leases could not be renewed: %s", error)

        thread = threading.Thread(target=renew, daemon=True)
        if self._store.is_shared:
            thread.start()
        try:
            yield
        finally:
            over.set()
            if thread.is_alive():
                thread.join()

    def _submit(self) -> None:
        """Keep as many calls in flight as there are workers, and as many again ready for them.

        A call is one fit, or several that share work or are short. Fits are leased when they are
        submitted, one call at a time: an executor may compute it at once.
        """
        window = 2 * self._workers
        while len(self._flying) < window and (fits := self._lease_call()):
            self._start(fits)
            if any(future.done() for future in self._flying):
                return  # Keep it before the next one is computed.

    def _lease_call(self) -> list[str]:
        """Fits for one call; none where nothing is ready that nobody else has."""
        seconds: float = getattr(self._executor, "bundle_seconds", 0.0)
        while call := self._pending.choose_call(
            self._done, self._list_flying(), self._workers, seconds
        ):
            leased, over = self._store.lease(call, self.owner, LEASE_SECONDS)
            self._done |= over  # by another driver
            for key in call:
                if key in over or key in leased:
                    self._pending.take(key)
                else:
                    self._pending.leave(key)
            if leased:
                return leased
        return []

    def _start(self, keys: list[str]) -> None:
        calls = {key: call for key in keys if (call := self._find_call(key, keys)) is not None}
        if not calls:
            return
        first, *others = calls.values()
        future: Future[Any]
        try:
            if others:
                future = self._executor.submit(compute_each, [first, *others])
            else:
                future = self._executor.submit(compute, *first)
        except BrokenExecutor as error:
            future = Future()
            future.set_exception(error)
        self._flying[future] = list(calls)

    def _find_call(
        self, key: str, keys: Collection[str]
    ) -> tuple[Mapping[str, Any], bytes | None] | None:
        """A fit's request and its reference's file; None where that file is not there.

        No file goes with a curve whose reference is computed in the same call, of ``keys``.
        """
        request = self._requests[key]
        if (reference := request.get("reference")) is None or identify(reference) in keys:
            return request, None
        fit = self._find_reference(reference)
        if fit is None:  # its content was damaged, and it was dropped: compute it again
            dropped = {identify(reference)} & self._done  # once for all curves of this call
            self._done -= dropped
            self._pending.put_first(*dropped, key)
            return None
        if fit.content is None:
            self._keep({key: make_failure(NO_REFERENCE.format(fit.sentence))})
            return None
        return request, fit.content

    def _find_reference(self, reference: Mapping[str, Any]) -> Fit | None:
        """From memory where this driver has just kept it: its curves come soon after it."""
        return self._recent.get(identify(reference)) or self._store.get(reference)

    def _take(self, future: Future[Any]) -> None:
        keys = self._flying.pop(future)
        try:
            result = future.result()
        except CancelledError:
            raise CompressionError(GONE) from None
        except Exception as error:
            if is_lost(error):
                for key in keys:
                    self._lose(key)
                return
            result = make_failure(f"{type(error).__name__}: {error}")
        listed = result if isinstance(result, list) else [result] * len(keys)
        outcomes = dict(zip(keys, listed, strict=True))
        for key, outcome in outcomes.items():
            self._seconds.append(outcome.seconds)
            if not outcome.sentence:  # What failed at once may take long where it does not fail.
                self._pending.note_seconds(key, outcome.seconds)
        self._keep(outcomes)

    def _lose(self, key: str) -> None:
        """A worker is gone: its fit is tried again, a few times."""
        if not self._pending.suspect(key):
            self._keep({key: make_failure(LOST.format(TRIES))})

    def _keep(self, outcomes: Mapping[str, FitOutcome]) -> None:
        """Keep what one call came to, in one transaction."""
        self._store.put_each(
            NewFit(
                self._requests[key],
                outcome.content,
                name=name_curves(self._requests[key]),
                seconds=outcome.seconds,
                sentence=outcome.sentence,
                rows=outcome.rows,
            )
            for key, outcome in outcomes.items()
        )
        for key, outcome in outcomes.items():
            self._note(key, outcome)

    def _note(self, key: str, outcome: FitOutcome) -> None:
        """Know of a fit that it is kept."""
        request = self._requests[key]
        self._done.add(key)
        self._failed += bool(outcome.sentence)
        dataset = request.get("reference", request)["dataset"]
        if outcome.sentence == OTHER_SAMPLES.format(dataset):
            forget_content(dataset, self._store)  # The next run reads the samples anew.
        if "reference" not in request:
            self._recent[key] = Fit(outcome.content, outcome.sentence, outcome.seconds)
            if len(self._recent) > 2 * max(self._workers, len(self._list_flying())):
                del self._recent[next(iter(self._recent))]

    def _list_flying(self) -> list[str]:
        """Fits that an executor has."""
        return [key for call in self._flying.values() for key in call]

    def _see_others(self) -> None:
        """What other drivers have done meanwhile is not computed here."""
        self._release_dead()
        self._done = self._store.list_done(self._study.name)
        self._pending.forget_others(self._done)
        self._failed = self._store.count_failed(self._study.name)

    def _release_dead(self) -> None:
        """A driver of this machine that was killed holds nothing: its leases are given back."""
        for owner in self._store.list_owners():
            place, _, rest = owner.partition(":")
            pid = rest.partition(":")[0]
            if place == _place() and pid.isdigit() and not _is_alive(int(pid)):
                self._store.release(owner)


def _place() -> str:
    """Where a process number means one process: host and, in containers, the number space."""
    try:
        numbers = str(os.stat("/proc/self/ns/pid").st_ino)
    except OSError:
        numbers = ""
    return f"{socket.gethostname()[:20]}/{numbers}".replace(":", "-")


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # another user's
        return True
    return True
