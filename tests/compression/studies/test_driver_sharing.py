"""What a study computes once: a reference for all its curves, and within a curve all that its knob
values share. Curves share nothing else, since each may be computed on another machine."""

import pytest
from torch import nn

import compression
import data
from compression import studies
from compression.constrained.convex import path
from compression.low_rank.truncated_svd import TruncatedSVD
from compression.studies.study_store import StudyStore

from .test_driver import run


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
    network = compression.train(data.load("iris"), model="mlp", epochs=1).network
    layers = sum(isinstance(layer, nn.Linear) for layer in network.modules())
    assert len(calls) == 2 * layers


def test_a_curve_follows_one_path_for_all_its_bounds_and_bits(count_calls):
    calls = count_calls(path, "follow")
    settings = {"constraint": "box", "bounds": [0.05, 0.1, 0.2, 0.4]}
    curve = studies.Curves("constrained", settings, bits=(32, 8))
    study = studies.Study("shared", ("diabetes",), ("linear_regression",), (0, 1), (curve,))
    run(store := StudyStore("sqlite://"), study=study)
    assert len(studies.table(store, "shared").query("family == 'constrained'")) == 2 * 4 * 2
    assert len(calls) == 2
