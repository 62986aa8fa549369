"""What the low-rank page asks a worker for, and what it is handed."""

import pytest

from compression.catalog import LOW_RANK_METHODS
from compression.low_rank.curve import TRAINED_RANKS
from pages.shared.models import requests
from pages.shared.models import tasks as work
from pages.shared.models.requests import Way
from pages.shared.models.results import Layer, LowRankSetting
from pages.views.low_rank import tasks
from pages.views.low_rank.methods import list_fitting


def go_on(*_args):
    return True


@pytest.fixture(scope="module")
def digits():
    return work.reference(go_on, "digits", "mlp", 0)


def test_a_setting_reaches_the_curve_and_its_file(digits):
    from compression import storage

    asked = LowRankSetting("activation_aware_svd", ("fc2",), ridge=0.1, calibration="sequential")
    curve = work.low_rank_curve(go_on, digits.origin, asked)
    file = work.low_rank_file(go_on, digits.origin, asked, 3)
    held = sum(parameter.numel() for parameter in storage.from_bytes(file).parameters())
    rows, columns = next(layer.shape for layer in digits.layers if layer.name == "fc2")
    assert held == digits.parameters - rows * columns + 3 * (rows + columns)
    assert curve.table.set_index("knob").loc[3, "parameters"] == held


def test_one_request_is_one_job_however_its_defaults_are_spelt(digits):
    linear = requests.compressed_layers(digits, "truncated_svd")
    job = requests.low_rank_curve(digits, "truncated_svd")
    assert (
        requests.low_rank_curve(
            digits, LowRankSetting("truncated_svd", linear, 0.0, "reference"), 0
        )
        is job
    )
    assert requests.low_rank_curve(digits, LowRankSetting("truncated_svd", linear[:1])) is not job
    assert requests.constrained_curve(digits, "box", Way("clip", epochs=3)) is (
        requests.constrained_curve(digits, "box", Way("clip", epochs=30))  # it trains nothing
    )


def test_a_rank_for_each_layer_costs_what_its_factors_hold(digits):
    found = tasks.judge_ranks(
        go_on, digits.origin, LowRankSetting("truncated_svd", ("fc1", "fc2")), (5, 0)
    )
    rows, columns = next(layer.shape for layer in digits.layers if layer.name == "fc1")
    expected = digits.parameters - rows * columns + 5 * (rows + columns)
    assert found["parameters"].iloc[0] == expected


def test_training_on_gives_no_worse_training_loss_at_a_low_rank(digits):
    every = LowRankSetting("truncated_svd", ("fc1", "fc2", "fc3"))
    plain = work.low_rank_curve(go_on, digits.origin, every).table.set_index("knob")
    tuned = work.low_rank_curve(go_on, digits.origin, every, epochs=1).table
    assert len(tuned) <= TRAINED_RANKS
    for _, line in tuned[tuned["knob"] <= 8].iterrows():
        assert line["train_loss"] < plain.loc[line["knob"], "train_loss"]


def test_methods_are_compared_on_the_same_layers():
    class Convolutional:
        layers = (Layer("conv1", "conv2d", (6, 25), 4), Layer("fc1", "linear", (10, 20), 6))

    assert requests.compressed_layers(Convolutional, "truncated_svd") == ("fc1",)
    assert requests.compressed_layers(Convolutional, "tucker2") == ("conv1",)
    matrices = {name for name in LOW_RANK_METHODS if "linear" in LOW_RANK_METHODS[name].layers}
    assert set(list_fitting(Convolutional, LowRankSetting("", ("fc1",)))) == matrices
    kernels = {name for name in LOW_RANK_METHODS if "conv2d" in LOW_RANK_METHODS[name].layers}
    # A kernel's unfolding is a matrix too.
    assert (
        set(list_fitting(Convolutional, LowRankSetting("", ("conv1", "fc1")))) == matrices & kernels
    )
    assert set(list_fitting(Convolutional, LowRankSetting("", ("conv1",)))) == kernels
