"""What a study computes once: a reference for all its curves, and in a worker process what the
curves of a reference have in common: decompositions, exact paths, networks before few bits."""

import pandas as pd
import pytest
from torch import nn

import compression
import data
from compression import studies
from compression.constrained.convex import path
from compression.constrained.training.projected_training import ProjectedTraining
from compression.low_rank.activation_aware_svd import ActivationAwareSVD
from compression.low_rank.truncated_svd import TruncatedSVD
from compression.shared_work import SharedWork
from compression.studies import fit
from compression.studies.study_store import StudyStore

from .test_driver import run


@pytest.fixture(autouse=True)
def worker(monkeypatch):
    """A new worker process, as far as it keeps anything."""
    monkeypatch.setattr(fit, "shared_between_curves", SharedWork(fit.SHARED_BYTES))


@pytest.fixture
def count_calls(monkeypatch):
    """Calls of a function or method, which goes on as before."""

    def count(owner, name):
        calls, own = [], getattr(owner, name)

        def call(*arguments, **options):
            calls.append(arguments)
            return own(*arguments, **options)

        monkeypatch.setattr(owner, name, call)
        return calls

    return count


@pytest.mark.parametrize("epochs", [0, 1], ids=["plain", "fine-tuned"])
def test_a_curve_decomposes_each_layer_once_for_all_its_ranks_and_bits(count_calls, epochs):
    calls = count_calls(TruncatedSVD, "decompose")
    settings = {"method": "truncated_svd", "ranks": [1, 2, 3], "epochs": epochs}
    curve = studies.Curves("low_rank", settings, bits=(32, 8, 4))
    study = studies.Study("shared", ("iris",), ("mlp",), (0, 1), (curve,), 1)
    run(store := StudyStore("sqlite://"), study=study)
    rows = studies.table(store, "shared").query("family == 'low_rank'")
    assert len(rows) == 2 * 3 * 3
    assert len(calls) == 2 * count_layers("iris")


def count_layers(dataset, model="mlp"):
    network = compression.train(data.load(dataset), model=model, epochs=1).network
    return sum(isinstance(layer, nn.Linear) for layer in network.modules())


@pytest.mark.parametrize("bounds", [[0.05, 0.1, 0.2, 0.4], None], ids=["bounds", "own bounds"])
def test_a_curve_follows_one_path_for_all_its_bounds_and_bits(count_calls, bounds):
    calls = count_calls(path, "follow")
    curve = studies.Curves("constrained", {"constraint": "box", "bounds": bounds}, bits=(32, 8))
    study = studies.Study("shared", ("diabetes",), ("linear_regression",), (0, 1), (curve,))
    run(store := StudyStore("sqlite://"), study=study)
    rows = studies.table(store, "shared").query("family == 'constrained'")
    met = rows.groupby("seed")["knob"].nunique()
    assert (met == 4).all() if bounds else (met >= 40).all()
    assert len(rows) == 2 * met.sum()
    assert len(calls) == 2


def test_one_curve_follows_one_path_without_a_study_too(count_calls):
    calls = count_calls(path, "follow")
    dataset = data.load("diabetes")
    reference = compression.train(dataset, model="linear_regression", epochs=1)
    compression.constrained_curve(reference, dataset, "box")
    assert len(calls) == 1
    compression.constrained_curve(reference, dataset, "box")
    assert len(calls) == 2  # nothing outlives a curve that no study asked for


SVD, ASVD = ({"method": name} for name in ("truncated_svd", "activation_aware_svd"))
TUNED = {"ranks": [1, 3], "epochs": 1}
BOX = {"constraint": "box", "epochs": 1, "bounds": [0.3, 0.6]}
CURVES = (
    studies.Curves("low_rank", SVD),
    studies.Curves("low_rank", SVD | TUNED, bits=(8, 4), name="tuned"),
    studies.Curves("low_rank", SVD | TUNED, bits=(4,), bits_epochs=1, name="tuned, then rounded"),
    studies.Curves("low_rank", ASVD),
    studies.Curves("low_rank", ASVD | TUNED, name="aware and tuned"),
    studies.Curves("low_rank", ASVD | {"ridge": 0.1}, name="aware, with a ridge"),
    studies.Curves("low_rank", SVD | {"calibration": "sequential", "ranks": [2]}, name="in turn"),
    studies.Curves(
        "combined",
        {"method": "low_rank_then_constrained", "ranks": [2], "bounds": [0.5], "epochs": 1},
    ),
    studies.Curves("constrained", BOX),
    studies.Curves("constrained", BOX, bits=(8,), bits_epochs=1, name="box, then rounded"),
    studies.Curves("constrained", BOX | {"constraint": "l1"}, name="l1"),
    studies.Curves("baseline", {"method": "magnitude_pruning", "epochs": 1}),
    studies.Curves("baseline", {"method": "magnitude_pruning", "epochs": 1}, (8,), name="and bits"),
)
LINEAR_CURVES = (
    *(each for each in CURVES if each.family == "constrained"),
    studies.Curves("constrained", {"constraint": "box"}, name="box at its own bounds"),
    studies.Curves("constrained", {"constraint": "l1"}, name="l1 at its own bounds"),
    studies.Curves("constrained", {"constraint": "l2", "bounds": [0.1]}),  # has no exact path
)
CONVOLUTION_CURVES = tuple(
    studies.Curves("low_rank", {"method": method, "ranks": ranks, "epochs": epochs}, bits, name)
    for method in ("cp", "activation_aware_svd")
    for name, ranks, epochs, bits in (
        (f"{method}, plain", [1, 2], 0, ()),
        (f"{method}, tuned", [2], 1, (8,)),
    )
)
PAIRS = {
    ("iris", "mlp"): CURVES,
    ("diabetes", "linear_regression"): LINEAR_CURVES,
    ("planted", "softmax_regression"): LINEAR_CURVES[:2],
    ("mnist1d", "conv1d"): CONVOLUTION_CURVES,
}


def test_the_curves_of_a_reference_decompose_each_layer_once(count_calls):
    plain = count_calls(TruncatedSVD, "decompose")
    aware = count_calls(ActivationAwareSVD, "decompose")
    study = studies.Study("shared", ("iris",), ("mlp",), (0, 1), CURVES, 1)
    assert run(StudyStore("sqlite://"), study=study).failed == 0
    assert len(plain) == 2 * count_layers("iris")
    assert len(aware) == 2 * 2 * count_layers("iris")  # a ridge is another problem


def test_the_curves_of_a_reference_follow_each_path_once(count_calls):
    calls = count_calls(path, "follow")
    study = studies.Study("shared", ("diabetes",), ("linear_regression",), (0, 1), LINEAR_CURVES)
    run(StudyStore("sqlite://"), study=study)
    assert sorted(type(each[1]).__name__ for each in calls) == ["Box"] * 2 + ["L1Ball"] * 2


def test_a_curve_in_other_bits_trains_its_networks_no_second_time(count_calls):
    calls = count_calls(ProjectedTraining, "networks")
    curves = [each for each in CURVES if each.settings == BOX]
    study = studies.Study("shared", ("iris",), ("mlp",), (0, 1), tuple(curves), 1)
    run(StudyStore("sqlite://"), study=study)
    assert len(calls) == 2


@pytest.mark.parametrize(("dataset", "model"), PAIRS)
def test_what_is_shared_changes_no_bit_of_any_row(monkeypatch, dataset, model):
    curves, tables = PAIRS[dataset, model], []
    for most_bytes, order in ((0, 1), (fit.SHARED_BYTES, 1), (fit.SHARED_BYTES, -1)):
        monkeypatch.setattr(fit, "shared_between_curves", SharedWork(most_bytes))
        study = studies.Study("shared", (dataset,), (model,), (0,), curves[::order], 1)
        run(store := StudyStore("sqlite://"), study=study)
        assert (fit.shared_between_curves.bytes > 0) == (most_bytes > 0)
        assert fit.shared_between_curves.bytes <= most_bytes
        table = studies.table(store, "shared")
        by_curve = table.sort_values(["family", "label"], kind="stable")
        tables.append(by_curve.reset_index(drop=True))
    for other in tables[1:]:
        pd.testing.assert_frame_equal(tables[0], other, check_exact=True)
