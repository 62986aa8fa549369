"""The two sides' controls: which ranks the slider has, which layers, and what stands where none is."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

import compression
import data
from compression.low_rank.curve import list_spaced_ranks
from pages.shared.format import format_score, format_size
from pages.shared.models import controls, tasks
from pages.shared.models.results import Layer
from pages.views.compare import figures, text
from pages.views.compare.side import list_slider_ranks
from tests.pages.rendering import render, settle


def report(*arguments, **named):
    return True


def test_the_slider_spends_its_width_on_small_ranks():
    assert list_slider_ranks(1) == [1]
    assert list_slider_ranks(12) == list(range(1, 13))
    steps = list_slider_ranks(216)
    assert steps[:32] == list(range(1, 33))
    assert steps[-1] == 216
    assert steps == sorted(set(steps))
    ratios = np.diff(steps[31:]) / np.array(steps[31:-1])
    assert len(steps) < 80
    assert ratios.max() < 0.07  # no rank is further than that from a step


@pytest.fixture(scope="module")
def wine():
    return render(dataset="wine", model="mlp")


def ranks(app):
    return [int(option) for option in app.select_slider(key="rank").options]


def test_the_slider_ends_at_the_largest_break_even_rank(wine):
    trained = tasks.reference(report, "wine", "mlp", 0)
    assert ranks(wine)[-1] == max(layer.break_even for layer in trained.layers) == 85


@pytest.mark.parametrize("rank", [33, 120])
def test_a_rank_between_the_steps_or_beyond_them_is_reached_by_a_link(rank):
    app = render(dataset="wine", model="mlp", rank=str(rank))
    assert app.select_slider(key="rank").value == rank
    app.select_slider(key="rank").set_value(4).run()
    assert settle(app).select_slider(key="rank").value == 4
    assert not app.warning


def test_where_nothing_can_be_compressed_a_notice_offers_a_model_that_can():
    app = render(dataset="diabetes", model="linear_regression")
    assert "is 1 × 10: even rank 1 would store 11 numbers" in app.info[0].value
    assert not [slider for slider in app.select_slider if slider.key == "rank"]
    assert not [chart for chart in app.get("plotly_chart") if chart.key == "low_rank_spectrum"]
    app.button(key="load_larger").click().run()
    assert settle(app).selectbox(key="model").value == "mlp"
    assert app.selectbox(key="dataset").value == "diabetes"
    assert app.select_slider(key="rank")


def test_the_picture_of_the_network_is_sized_coloured_and_marked():
    trained = tasks.reference(report, "wine", "mlp", 0)
    squares = figures.network(trained, trained.layers[1]).data[1]
    assert [name for (name,) in squares.customdata] == ["fc1", "fc2", "fc3"]
    stored = [13 * 256 + 256, 256 * 128 + 128, 128 * 3 + 3]
    assert np.array_equal(np.argsort(squares.marker.size), np.argsort(stored))
    assert list(squares.marker.line.width) == [0, 3, 0]
    for layer, colour in zip(trained.layers, squares.marker.color, strict=True):
        squares_of = np.square(trained.spectra[layer.name])
        needed = int(np.searchsorted(np.cumsum(squares_of) / squares_of.sum(), 0.95)) + 1
        assert colour == pytest.approx(min(needed / layer.break_even, 2))
        assert f"takes rank {needed}" in text.describe_layer(trained, layer)
    assert "fc2 · linear 256 → 128 (chosen)" in text.describe_network(trained, trained.layers[1])


def test_layers_are_asked_for_where_a_method_takes_both_kinds():
    layers = (Layer("conv1", "conv1d", (25, 5), 4, (5,)), Layer("fc1", "linear", (10, 125), 9))
    both = SimpleNamespace(layers=layers)
    assert controls.is_mixed(both, "truncated_svd")
    assert not controls.is_mixed(both, "tucker2")
    assert not controls.is_mixed(SimpleNamespace(layers=layers[1:]), "truncated_svd")
    assert layers[0].title == "conv1 · convolution 1 → 25, window 5"
    assert layers[1].title == "fc1 · linear 125 → 10"


def test_at_equal_epochs_both_sides_start_from_the_reference_and_say_their_epochs():
    app = render(dataset="iris", model="mlp", sides="equal")
    assert any("Equal epochs" in shown.value for shown in app.markdown)
    (chart,) = (c for c in app.get("plotly_chart") if c.proto.id.endswith("plane_chart"))
    traces = {trace.get("name"): trace for trace in json.loads(chart.proto.spec)["data"]}
    said = [words for side in ("LMM", "COC") for words in traces[side]["text"]]
    assert all("10 epochs" in words for words in said)
    dataset = data.load("iris", seed=0)
    reference = compression.train(dataset, model="mlp", seed=0)
    ranks = list_spaced_ranks(reference, dataset, "truncated_svd")
    assert [int(rank) for rank in app.select_slider(key="rank").options] == ranks
    rank, bound = (float(app.select_slider(key=knob).value) for knob in ("rank", "bound"))
    alone = (
        compression.low_rank_curve(reference, dataset, ranks=[int(rank)], epochs=10),
        compression.constrained_curve(
            reference, dataset, bounds=[bound], epochs=10, warm_start=False
        ),
    )
    shown = [metric.value for metric in app.metric]
    for curve in alone:
        assert format_score(curve.table["score"].iloc[0], "classification") in shown
        assert format_size(curve.table["bytes"].iloc[0]) in shown
    captions = [caption.value for caption in app.caption]
    assert sum("10 epochs lie behind it" in caption for caption in captions) == 2
    # The reference is trained on as long, and told with its interval.
    longer = compression.constrained_curve(
        reference, dataset, bounds=[1.0], method="fine_tuning", epochs=10
    ).table.iloc[0]
    (said,) = traces["Reference + 10 epochs"]["text"]
    assert format_score(longer["score"], "classification") in said
    (sentence,) = (t.value for t in app.markdown if "the reference scores" in t.value)
    for column in ("score", "score_low", "score_high"):
        assert format_score(longer[column], "classification") in sentence


def test_a_solved_model_has_no_epochs_to_choose():
    app = render(dataset="iris", model="softmax_regression", sides="equal")
    assert not [choice for choice in app.segmented_control if choice.key == "sides"]
