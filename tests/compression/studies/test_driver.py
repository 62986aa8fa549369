"""A study computes every fit once, and loses nothing when it is stopped."""

import multiprocessing
import os
import signal
import time
from concurrent.futures import (
    BrokenExecutor,
    Executor,
    Future,
    ThreadPoolExecutor,
)
from pathlib import Path
from threading import Thread

import numpy as np
import pandas as pd
import pytest

import compression
import data
from compression import studies
from compression.studies import fit
from compression.studies.driver import LEASE_SECONDS, TRIES
from compression.studies.store import FITS, LEASES, identify
from compression.studies.study_store import StudyStore

STUDY = studies.Study(
    "small",
    ("iris",),
    ("softmax_regression",),
    (0, 1),
    (
        studies.Curves("low_rank", {"method": "truncated_svd", "ranks": [1, 2]}),
        studies.Curves("baseline", {"method": "rounding", "knobs": [2, 8]}),
    ),
    epochs=3,
)


class Inline(Executor):
    """Computes at once, in the calling thread; counts what it was given."""

    def __init__(self, compute=None):
        self.requests, self._compute = [], compute

    def submit(self, function, /, request, *arguments):
        self.requests.append(request)
        future = Future()
        try:
            future.set_result((self._compute or function)(request, *arguments))
        except Exception as error:
            future.set_exception(error)
        return future


@pytest.fixture
def store(url):
    return StudyStore(url)


def run(store, executor=None, study=STUDY, **options):
    return studies.run(study, store, executor or Inline(), workers=1, **options)


def assert_same_table(one, other):
    """To the last bit."""
    tables = [studies.table(store, "small") for store in (one, other)]
    pd.testing.assert_frame_equal(*tables, check_exact=True)


def test_the_table_is_what_the_functions_give(store):
    progress = run(store)
    assert (progress.done, progress.failed, progress.total) == (6, 0, 6)
    table = studies.table(store, "small")
    assert len(table) == 2 * (1 + 2 + 2)
    for seed in STUDY.seeds:
        dataset = data.load("iris", seed=seed)
        reference = compression.train(dataset, model="softmax_regression", seed=seed, epochs=3)
        curve = compression.low_rank_curve(reference, dataset, "truncated_svd", [1, 2]).table
        rows = table[(table["seed"] == seed) & (table["label"] == "truncated_svd")]
        for column in ("knob", "bytes", "score", "validation_score", "change_low"):
            assert rows[column].tolist() == curve[column].tolist()
        own = table[(table["seed"] == seed) & (table["family"] == "reference")].iloc[0]
        assert own["score"] == reference.score
        assert own["test_rows"] == len(dataset.x_test)
        assert (rows["reference_bytes"] == own["bytes"]).all()


def take_two_seconds(request, *rest):
    """A fit that says it took two seconds, and takes none."""
    return fit.FitOutcome(pd.DataFrame([{"bytes": 1.0, "score": 1.0}]), b"", "", 2.0)


def test_what_is_left_is_told_from_this_runs_seconds_and_its_workers():
    """Two workers that take two seconds a fit do one a second."""
    store, seen = StudyStore("sqlite://"), []

    def stop_after_three(progress):
        seen.append(progress)
        return progress.done < 3

    executor = Inline(take_two_seconds)
    studies.run(STUDY, store, executor, workers=2, report=stop_after_three)
    assert (seen[0].done, seen[0].seconds_left) == (0, None)
    assert [each.seconds_left for each in seen[1:]] == [6 - each.done for each in seen[1:]]
    assert 3 <= seen[-1].done < 6
    # What was kept before says nothing of who computes now.
    resumed = []
    studies.run(STUDY, store, executor, workers=1, report=lambda now: not resumed.append(now))
    assert (resumed[0].done, resumed[0].seconds_left) == (seen[-1].done, None)
    assert [each.seconds_left for each in resumed[1:]] == [
        2 * (6 - each.done) for each in resumed[1:]
    ]
    assert resumed[-1].seconds_left == 0


def test_a_smaller_network_has_the_reference_s_epochs_and_no_more_than_the_others(store):
    """A worker is given the reference's file alone: it says how long the reference was trained."""
    curve = studies.Curves("baseline", {"method": "smaller_network", "knobs": [0.3]})
    study = studies.Study("small", ("iris",), ("mlp",), (0,), (curve,), 2)
    run(store, study=study)
    dataset = data.load("iris", seed=0)
    reference = compression.train(dataset, model="mlp", seed=0, epochs=2)
    expected = compression.baseline_curve(reference, dataset, "smaller_network", [0.3]).table
    (row,) = studies.table(store, "small").query("family == 'baseline'").to_dict("records")
    assert row["epochs"] == expected["epochs"].item() == 2 + 10
    assert row["score"] == expected["score"].item()


def test_a_second_run_computes_nothing(store):
    run(store)
    again = Inline()
    assert run(store, again).done == 6
    assert not again.requests


def test_one_reference_serves_all_its_curves(store):
    executor = Inline()
    run(store, executor)
    stages = [request["stage"] for request in executor.requests]
    assert stages.count("reference") == 2
    assert len(stages) == 6


def test_a_stopped_study_goes_on_where_it_was(store):
    seen, first = [], Inline()

    def stop_after_three(progress):
        seen.append(progress.done)
        return progress.done < 3

    assert run(store, first, report=stop_after_three).done < 6
    second = Inline()
    assert run(store, second).done == 6
    assert len(first.requests) + len(second.requests) == 6
    assert seen == sorted(seen)


def test_a_failing_fit_is_kept_with_its_sentence_and_the_rest_goes_on(store):
    bad = studies.Curves("low_rank", {"method": "truncated_svd", "ranks": [99]}, name="too large")
    study = studies.Study("bad", STUDY.datasets, STUDY.models, (0,), (*STUDY.curves, bad), 3)
    progress = run(store, study=study)
    assert (progress.done, progress.failed) == (4, 1)
    failed = studies.failures(store, "bad")
    assert failed["label"].tolist() == ["too large"]
    assert "rank 99 is not possible" in failed["sentence"][0]
    assert set(studies.table(store, "bad")["label"]) == {"reference", "truncated_svd", "rounding"}


def test_without_its_reference_a_curve_says_so(store):
    def no_reference(request, *rest):
        return fit.FitOutcome(pd.DataFrame(), None, "the training diverged", 0.0)

    executor = Inline(no_reference)
    assert run(store, executor).failed == 6
    assert len(executor.requests) == 2
    said = studies.failures(store, "small")["sentence"]
    assert said.str.contains("its reference failed: the training diverged").sum() == 4


def test_a_lost_worker_costs_its_fit_another_try_and_not_the_study(store):
    lost = {"rounding": 1, "truncated_svd": 99}
    computed = []

    def lose(request, *rest):
        method = request.get("settings", {}).get("method")
        if lost.get(method, 0) > 0:
            lost[method] -= 1
            raise BrokenExecutor
        computed.append(identify(request))
        return fit.compute(request, *rest)

    executor = Inline(lose)
    progress = run(store, executor)
    assert (progress.done, progress.failed) == (6, 2)
    assert len(computed) == len(set(computed)) == 4  # none twice: two references, two roundings
    assert (
        len(executor.requests) == 4 + 1 + 2 * TRIES
    )  # and what was lost, as often as it was tried
    failed = studies.failures(store, "small")
    assert set(failed["label"]) == {"truncated_svd"}
    assert failed["sentence"].str.contains("lost 3 times").all()


class Fatal(studies.LocalProcesses):
    """Two processes, of which the curve of one rank kills its own, at once; others take their time."""

    def submit(self, function, /, request, *arguments):
        fatal = request.get("settings", {}).get("ranks") == [1]
        return super().submit(die if fatal else sleep_and_say)


def die():
    os.kill(os.getpid(), signal.SIGKILL)  # as the system does where memory runs out


def sleep_and_say():
    time.sleep(1)
    return fit.FitOutcome(pd.DataFrame([{"bytes": 1.0, "score": 1.0}]), b"", "", 0.2)


def test_a_fit_that_ends_its_worker_fails_with_a_sentence_and_takes_no_other_with_it(store):
    """Who flies along is lost too: one after the other is then tried alone."""
    ranks = [
        studies.Curves("low_rank", {"method": "truncated_svd", "ranks": [k]}, name=f"{k}")
        for k in (1, 2, 3)
    ]
    study = studies.Study("fatal", STUDY.datasets, STUDY.models, (0,), tuple(ranks))
    progress = studies.run(study, store, Fatal(2))
    assert (progress.done, progress.failed) == (4, 1)
    failed = studies.failures(store, "fatal")
    assert failed["label"].tolist() == ["1"]
    assert "most likely because memory ran out" in failed["sentence"][0]


def test_what_another_driver_holds_is_left_to_it(store):
    """Its lease runs out; then the fit is free."""
    reference = identify(next(STUDY.references()))
    assert store.lease([reference], "another", 60) == ([reference], set())
    executor, ends = Inline(), time.monotonic() + 1.5

    run(store, executor, report=lambda progress: time.monotonic() < ends)
    assert [request.get("seed") for request in executor.requests if "seed" in request] == [1]
    store.write(lambda connection: connection.execute(LEASES.update().values(expires_at=0.0)))
    assert run(store).done == 6


def test_fits_on_the_same_rows_follow_each_other(store):
    """A worker keeps the few splits that it loaded last."""
    models = ("softmax_regression", "mlp")
    executor = Inline()
    run(store, executor, study=studies.Study("both", ("iris",), models, (0, 1, 2), STUDY.curves, 1))
    seeds = [request.get("reference", request)["seed"] for request in executor.requests]
    assert len(seeds) == 18
    assert all(abs(place // 6 - seed) <= 1 for place, seed in enumerate(seeds))
    assert max(np.ptp(seeds[place : place + 4]) for place in range(15)) == 1


def test_two_drivers_share_a_study_without_doubling(url):
    executors = [Inline(), Inline()]
    drivers = [Thread(target=run, args=(StudyStore(url), each)) for each in executors]
    for driver in drivers:
        driver.start()
    for driver in drivers:
        driver.join()
    asked = [identify(request) for each in executors for request in each.requests]
    assert len(asked) == len(set(asked)) == 6
    assert len(studies.table(url, "small")) == 10


def test_a_damaged_reference_is_computed_again(store):
    study = studies.Study("part", STUDY.datasets, STUDY.models, (0,), STUDY.curves[:1], 3)
    run(store, study=study)
    store.write(lambda each: each.execute(FITS.update().values(digest="0" * 64)))
    wider = studies.Study("part", STUDY.datasets, STUDY.models, (0,), STUDY.curves, 3)
    assert run(store, study=wider).failed == 0
    assert set(studies.table(store, "part")["label"]) >= {"reference", "rounding"}


def drive(url):
    run(StudyStore(url))


def test_a_driver_that_is_killed_loses_at_most_what_it_was_computing(url, store):
    context = multiprocessing.get_context("fork")
    for done in (1, 3):
        driver = context.Process(target=drive, args=(url,))
        driver.start()
        while len(store.list_done("small")) < done and driver.is_alive():
            time.sleep(0.005)
        os.kill(driver.pid, signal.SIGKILL)
        driver.join()
    last = Inline()
    began = time.monotonic()
    run(store, last)
    assert time.monotonic() - began < LEASE_SECONDS / 2  # a dead driver's leases are void
    assert len(last.requests) <= 6 - 3
    whole = StudyStore("sqlite://")
    run(whole)
    assert_same_table(store, whole)


def drive_and_die_writing(url, writes):
    """A driver that is killed in the middle of a write, when all but its commit is done."""
    write, left = StudyStore.write, [writes]

    def write_or_die(store, change):
        left[0] -= 1

        def change_and_die(connection):
            change(connection)
            os.kill(os.getpid(), signal.SIGKILL)

        write(store, change if left[0] else change_and_die)

    StudyStore.write = write_or_die
    drive(url)


def test_a_driver_that_is_killed_while_it_writes_leaves_nothing_torn(url, store):
    context = multiprocessing.get_context("fork")
    for writes in (1, 3, 4, 6):
        driver = context.Process(target=drive_and_die_writing, args=(url, writes))
        driver.start()
        driver.join()
        assert driver.exitcode == -signal.SIGKILL
    run(store)
    run(whole := StudyStore("sqlite://"))
    assert_same_table(store, whole)


def drive_and_wait(pipe):
    executor = studies.LocalProcesses(1)
    pipe.send(executor.submit(os.getpid).result())
    executor.submit(time.sleep, 60).result()


def test_workers_end_with_a_driver_that_is_killed():
    """Before, they finished what they had been given, and then waited for more."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    driver = context.Process(target=drive_and_wait, args=(theirs,))
    driver.start()
    assert ours.poll(60)
    worker = ours.recv()
    os.kill(driver.pid, signal.SIGKILL)
    driver.join()
    end = time.monotonic() + 20
    while is_running(worker):
        assert time.monotonic() < end
        time.sleep(0.05)


def is_running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_processes_give_the_same_table(url, store):
    studies.run(STUDY, url, workers=1)
    run(whole := StudyStore("sqlite://"))
    assert_same_table(store, whole)


def test_threads_of_one_process_do_not_share_a_seeds_random_numbers():
    requests = [next(STUDY.references()) | {"seed": seed} for seed in (0, 1)] * 4
    alone = [fit.compute(request).rows["train_loss"][0] for request in requests[:2]]
    with ThreadPoolExecutor(4) as pool:
        together = [outcome.rows["train_loss"][0] for outcome in pool.map(fit.compute, requests)]
    assert together == alone * 4


def test_a_scheduler_that_is_gone_ends_the_study_and_fails_no_fit(store):
    class Cancelling(Executor):
        def submit(self, function, /, *arguments):
            future = Future()
            future.cancel()
            future.set_running_or_notify_cancel()
            return future

    with pytest.raises(compression.CompressionError, match="run the study again"):
        run(store, Cancelling())
    assert not store.list_done("small")
    assert run(store).failed == 0


def test_studies_are_listed_with_what_is_done(store):
    run(store)
    listed = store.list_studies().iloc[0]
    assert (listed["name"], listed["fits"], listed["done"], listed["failed"]) == ("small", 6, 6, 0)
    with pytest.raises(
        compression.CompressionError, match="no study named 'other': there are small"
    ):
        studies.table(store, "other")
