"""Short fits go to an executor together where a call costs it as much as they do."""

from concurrent.futures import BrokenExecutor, Executor, Future
from threading import Timer

import pandas as pd
import pytest

from compression import studies
from compression.studies import driver, fit
from compression.studies.store import BLOBS, identify
from compression.studies.study_store import StudyStore

from .test_driver import STUDY, assert_same_table, run


class Bundling(Executor):
    """Computes calls when the driver looks; keeps what each was given.

    Parameters
    ----------
    seconds : dict
        What fits of a stage, "reference" or a curve's family, say they took.
    lost : set of str
        The families whose fit ends the worker that computes it, each time.
    """

    workers, bundle_seconds = 2, 1.0

    def __init__(self, seconds=None, lost=()):
        self.calls, self._seconds, self._lost = [], seconds, lost

    def submit(self, function, /, first, *arguments):
        bundle = first if isinstance(first, list) else [(first, *arguments)]
        names = [request.get("family", "reference") for request, file in bundle]
        self.calls.append(names)
        future = Future()
        if self._lost & set(names) if self._lost else False:
            future.set_exception(BrokenExecutor("a worker is gone"))
            return future
        if self._seconds is None:
            future.set_result(function(first, *arguments))
            return future
        outcomes = [self.make_outcome(name) for name in names]
        future.set_result(outcomes if isinstance(first, list) else outcomes[0])
        return future

    def make_outcome(self, name):
        table = pd.DataFrame([{"bytes": 1.0, "score": 1.0}])
        return fit.FitOutcome(table, b"a file", "", self._seconds[name])


class Late(Bundling):
    """Hands its results back a little later, so that several calls are in flight."""

    def submit(self, *call):
        over, future = super().submit(*call), Future()
        Timer(0.05, lambda: future.set_result(over.result())).start()
        return future


def make_study(seeds):
    return studies.Study(
        "small", STUDY.datasets, STUDY.models, tuple(range(seeds)), STUDY.curves, 3
    )


def count(executor):
    return [len(names) for names in executor.calls]


def test_short_fits_are_handed_out_together_and_give_the_same_table(url):
    study, executor, store = make_study(8), Bundling(), StudyStore(url)
    progress = studies.run(study, store, executor)
    assert (progress.done, progress.failed, progress.total) == (24, 0, 24)
    assert sum(count(executor)) == 24
    assert max(count(executor)) > 1
    run(whole := StudyStore("sqlite://"), study=study)
    assert_same_table(store, whole)


def test_a_short_curve_follows_its_reference_in_one_call_and_no_file_is_sent(monkeypatch):
    sent = []
    compute_each = fit.compute_each
    monkeypatch.setattr(
        driver, "compute_each", lambda calls: sent.append(calls) or compute_each(calls)
    )
    executor, store = Bundling(), StudyStore("sqlite://")
    executor.bundle_seconds = 60.0
    studies.run(make_study(8), store, executor)
    followed = 0
    for calls in sent:
        references = [request for request, file in calls if "reference" not in request]
        for request, file in calls:
            if request.get("reference") in references:
                assert file is None
                followed += 1
    assert followed >= 8
    run(whole := StudyStore("sqlite://"), study=make_study(8))
    assert_same_table(store, whole)


def test_a_curve_that_follows_a_failing_reference_has_its_sentence():
    """As it has where the reference was computed by a call of its own."""
    study = make_study(1)
    reference = next(study.references()) | {"model": "no_such_model"}
    calls = [(reference, None), *((each, None) for each in study.curve_requests(reference))]
    first, *curves = fit.compute_each(calls)
    assert "no_such_model" in first.sentence
    assert [each.sentence for each in curves] == [f"its reference failed: {first.sentence}"] * 2
    assert all(each.content is None and each.rows.empty for each in curves)


def test_a_curve_waits_while_another_driver_has_its_reference(url):
    """It was to follow the reference in one call, and only the curve's lease could be had."""
    study, store, executor = make_study(6), StudyStore(url), Bundling()
    executor.bundle_seconds = 60.0
    *_, last = study.references()
    store.lease([identify(last)], "another driver", 60.0)
    end = Timer(1.0, lambda: store.put(last, fit.compute(last).content, name="reference"))
    end.start()
    progress = studies.run(study, store, executor)
    end.join()
    assert (progress.done, progress.failed) == (18, 0)
    assert sum(count(executor)) == 17
    assert sum(names.count("reference") for names in executor.calls) == 5


def test_a_bundle_holds_no_more_seconds_than_the_executor_asks_for():
    executor = Bundling({"reference": 0.3, "low_rank": 0.4, "baseline": 5.0})
    studies.run(make_study(40), StudyStore("sqlite://"), executor)
    alone = [names for names in executor.calls if "baseline" in names]
    assert alone == [["baseline"]] * 40
    seconds = [
        sum({"reference": 0.3, "low_rank": 0.4}[n] for n in names)
        for names in executor.calls
        if names != ["baseline"]
    ]
    assert max(seconds) <= 1.0
    assert max(seconds) > 0.5


def test_a_fit_of_a_kind_that_was_never_computed_goes_alone():
    executor = Bundling({"reference": 0.01, "low_rank": 0.01, "baseline": 0.01})
    studies.run(make_study(20), StudyStore("sqlite://"), executor)
    for name in ("reference", "low_rank", "baseline"):
        assert next(names for names in executor.calls if name in names) == [name]


class Failing(Bundling):
    """All baselines fail, at once."""

    def make_outcome(self, name):
        return fit.make_failure("no") if name == "baseline" else super().make_outcome(name)


def test_what_fails_at_once_is_not_expected_to_be_short():
    executor = Failing({"reference": 0.01, "low_rank": 0.01})
    assert studies.run(make_study(20), StudyStore("sqlite://"), executor).failed == 20
    assert [names for names in executor.calls if "baseline" in names] == [["baseline"]] * 20
    assert max(count(executor)) > 1


def test_the_last_fits_are_spread_over_all_workers():
    executor = Bundling({"reference": 0.001, "low_rank": 0.001, "baseline": 0.001})
    studies.run(make_study(30), StudyStore("sqlite://"), executor)
    sizes = count(executor)
    assert max(sizes) <= 90 // 4
    assert sizes[-3:] == [1, 1, 1]


def test_a_bundle_whose_worker_is_lost_is_tried_again_one_by_one():
    """Only the fit that ends its worker fails; those that shared its call are kept."""
    store, executor = StudyStore("sqlite://"), Bundling(lost={"baseline"})
    study = make_study(6)
    progress = studies.run(study, store, executor)
    failed = store.study_fits("small").query("status == 'failed'")
    assert (progress.done, progress.failed) == (18, 6)
    kept = studies.table(store, "small")
    assert set(kept["family"]) == {"reference", "low_rank"}
    assert failed["sentence"].str.contains("lost 3 times").all()


SHARING = (  # of the first and the last pair one call has both
    studies.Curves("low_rank", {"method": "truncated_svd", "ranks": [1, 2]}),
    studies.Curves("baseline", {"method": "rounding", "knobs": [2, 8]}),
    studies.Curves("constrained", {"constraint": "box", "bounds": [0.5]}, name="box"),
    studies.Curves("low_rank", {"method": "truncated_svd", "ranks": [1]}, (8,), "in 8 bits"),
    studies.Curves("constrained", {"constraint": "l1", "bounds": [0.5]}, name="l1"),
    studies.Curves("constrained", {"constraint": "l1", "bounds": [0.5]}, (4,), "l1 in 4 bits"),
)
NO_BUNDLES = 0.0  # seconds


def make_sharing_study(seeds):
    return studies.Study("small", STUDY.datasets, STUDY.models, tuple(range(seeds)), SHARING, 3)


def test_curves_that_share_work_are_handed_out_together_however_long_they_take():
    executor = Bundling(dict.fromkeys(("reference", "low_rank", "baseline", "constrained"), 60.0))
    executor.bundle_seconds = NO_BUNDLES
    studies.run(make_sharing_study(12), StudyStore("sqlite://"), executor)
    together = [names for names in executor.calls if len(names) > 1]
    assert sum(count(executor)) == 12 * (1 + len(SHARING))
    assert {tuple(names) for names in together} == {("low_rank",) * 2, ("constrained",) * 2}
    # The last fits are spread over both workers, whatever they share.
    assert len(together) >= 2 * (12 - 2)


def test_a_damaged_reference_is_computed_once_for_all_curves_of_a_call(url):
    study, store = make_sharing_study(6), StudyStore(url)
    every = Late(dict.fromkeys(("reference", "low_rank", "baseline", "constrained"), 60.0))
    every.bundle_seconds = NO_BUNDLES
    studies.run(study, store, every)
    for reference in (references := list(study.references())):
        store.delete(identify(each) for each in study.curve_requests(reference))
    damaged = BLOBS.update().values(content=b"something else")
    store.write(lambda connection: connection.execute(damaged))
    every.calls.clear()
    progress = studies.run(study, store, every)
    assert (progress.done, progress.failed) == (progress.total, 0)
    assert every.calls.count(["reference"]) == len(references)
    assert sum(count(every)) == progress.total


def test_an_executor_that_asks_for_no_bundles_gets_one_fit_a_call():
    executor = Bundling({"reference": 0.01, "low_rank": 0.01, "baseline": 0.01})
    executor.bundle_seconds = NO_BUNDLES
    studies.run(make_study(10), StudyStore("sqlite://"), executor)
    assert count(executor) == [1] * 30


@pytest.mark.parametrize("file", [b"", None])
def test_each_call_of_a_bundle_has_its_own_outcome(file, monkeypatch):
    monkeypatch.setattr(fit, "compute", lambda request, file: (request["seed"], file))
    assert fit.compute_each([({"seed": 1}, file), ({"seed": 2}, b"a")]) == [(1, file), (2, b"a")]
