"""Drivers that share a store: each fit is leased while it is computed, and not before."""

import multiprocessing
import time
from concurrent.futures import Executor, Future

import pytest
import sqlalchemy as sql

from compression import studies
from compression.studies import driver, fit
from compression.studies.store import LEASES, StoreError, identify
from compression.studies.study_store import StudyStore
from tests.databases import execute

from .test_driver import STUDY, Inline, run


@pytest.fixture
def store(url):
    return StudyStore(url)


def read_leases(url):
    return dict(map(tuple, execute(url, sql.select(LEASES.c.fit, LEASES.c.expires_at))))


def test_a_lease_is_renewed_while_its_fit_is_computed_in_the_drivers_own_thread(
    url, store, monkeypatch
):
    """Before, a fit of more than two minutes was computed by a second driver too."""
    monkeypatch.setattr(driver, "LEASE_SECONDS", 1.0)
    ends, renewed = time.monotonic() + 60, []

    def compute_until_renewed(request, *arguments):
        key = identify(request)
        first = read_leases(url)[key]
        while read_leases(url)[key] == first and time.monotonic() < ends:
            time.sleep(0.02)
        renewed.append(read_leases(url)[key] > first)
        return fit.compute(request, *arguments)

    run(store, Inline(compute_until_renewed))
    assert renewed == [True] * 6


def test_a_fit_is_leased_when_it_is_computed_and_the_one_before_is_kept_by_then(url, store):
    """Of an executor that computes at once: it holds one fit, and loses one when it is killed."""
    done = []

    def look(request, *arguments):
        over = store.list_done("small")
        assert set(read_leases(url)) - over == {identify(request)}
        done.append(len(over))
        return fit.compute(request, *arguments)

    assert run(store, Inline(look)).failed == 0
    assert done == [0, 1, 2, 3, 4, 5]


class Holding(Executor):
    """Takes fits and ends none before it is told to."""

    def __init__(self, workers):
        self.workers, self.held = workers, []

    def submit(self, function, /, *arguments):
        self.held.append((Future(), function, arguments))
        return self.held[-1][0]

    def compute_all(self):
        held, self.held = self.held, []
        for future, function, arguments in held:
            future.set_result(function(*arguments))


def test_twice_as_many_fits_as_workers_are_in_flight(store):
    executor, seen = Holding(3), []
    study = studies.Study("wide", STUDY.datasets, STUDY.models, tuple(range(9)), STUDY.curves, 1)

    def count_and_compute(progress):
        seen.append(len(executor.held))
        executor.compute_all()
        return True

    assert studies.run(study, store, executor, report=count_and_compute).done == 27
    assert max(seen) == 6
    assert seen[1:6:2] == [6, 6, 6]  # at every other look: in between they are taken


def test_a_second_driver_goes_on_past_all_that_the_first_one_holds(url, store):
    """Before, it waited for the first one, whose fits were the next in its own order too."""
    first, second, steps = Holding(1), Inline(), []

    def let_the_second_driver_run(progress):
        steps.append(progress.done)
        if len(steps) == 2:
            ends = time.monotonic() + 60
            run(
                StudyStore(url),
                second,
                report=lambda its: its.done < 6 and time.monotonic() < ends,
                study=study,
            )
        first.compute_all()
        return True

    study = studies.Study("small", STUDY.datasets, STUDY.models, (0, 1, 2, 3), STUDY.curves, 3)
    assert studies.run(study, store, first, report=let_the_second_driver_run).done == 12
    assert {request.get("reference", request)["seed"] for request in second.requests} == {2, 3}
    assert len(second.requests) == 6


def drive(url, barrier, pipe):
    """A driver whose first fit lasts until the other driver has one as well."""

    def compute_beside_the_other(request, *arguments):
        if len(executor.requests) == 1:
            barrier.wait(120)
        return fit.compute(request, *arguments)

    executor = Inline(compute_beside_the_other)
    run(StudyStore(url), executor)
    pipe.send([identify(request) for request in executor.requests])


def test_two_processes_share_a_study_without_doubling(url, store):
    context = multiprocessing.get_context("fork")
    barrier, pipes = context.Barrier(2), [context.Pipe() for _ in range(2)]
    drivers = [context.Process(target=drive, args=(url, barrier, ours)) for _, ours in pipes]
    for each in drivers:
        each.start()
    first, second = (theirs.recv() if theirs.poll(240) else [] for theirs, _ in pipes)
    for each in drivers:
        each.join()
    assert first
    assert second
    assert len(first) + len(second) == len({*first, *second}) == 6
    assert len(studies.table(url, "small")) == 10


def test_a_store_in_memory_has_no_leases_to_renew(monkeypatch, caplog):
    """Another thread would see a database of its own."""
    monkeypatch.setattr(driver, "LEASE_SECONDS", 0.05)
    run(StudyStore("sqlite://"))
    assert not caplog.records


def test_a_lease_that_cannot_be_renewed_is_logged_and_ends_nothing(store, monkeypatch, caplog):
    def refuse(*arguments):
        raise StoreError("the database is gone")

    monkeypatch.setattr(driver, "LEASE_SECONDS", 0.5)
    monkeypatch.setattr(StudyStore, "renew", refuse)
    ends = time.monotonic() + 60

    def compute_until_logged(request, *arguments):
        while "could not be renewed: the database" not in caplog.text and time.monotonic() < ends:
            time.sleep(0.02)
        return fit.compute(request, *arguments)

    assert run(store, Inline(compute_until_logged)).failed == 0
    assert "could not be renewed" in caplog.text
