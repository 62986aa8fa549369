"""Short fits go to an executor together where a call costs it as much as they do."""

from concurrent.futures import BrokenExecutor, Executor, Future
from threading import Timer

import pandas as pd
import pytest

from compression import studies
from compression.studies import fit
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
        outcomes = [self._compute(request, file) for request, file in bundle]
        future.set_result(outcomes if isinstance(first, list) else outcomes[0])
        return future

    def _compute(self, request, file):
        if self._seconds is None:
            return fit.compute(request, file)
        seconds = self._seconds[request.get("family", "reference")]
        return fit.FitOutcome(pd.DataFrame([{"bytes": 1.0, "score": 1.0}]), b"", "", seconds)


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
