"""The low-rank page: what its worker hands over, its figures by their traces, and it, rendered."""

import io
import re

import numpy as np
import pandas as pd
import pytest

from compression.catalog import LOW_RANK_METHODS
from compression.low_rank.curve import TRAINED_RANKS
from compression.low_rank.kernels import decompose_kernel
from pages.shared.models import requests
from pages.shared.models import tasks as work
from pages.shared.models.requests import Way
from pages.shared.models.results import Layer
from pages.shared.ui import tables
from pages.views.low_rank import figures as low_rank_figures
from pages.views.low_rank import sections as low_rank_sections
from pages.views.low_rank import tasks as low_rank_work
from pages.views.low_rank import text as low_rank_words
from pages.views.low_rank.results import LayerRanks
from tests.pages.rendering import rendered


def go_on(*_args):
    return True


@pytest.fixture(scope="module")
def digits():
    return work.reference(go_on, "digits", "mlp", 0)


def inputs_of_fc2():
    """What fc2 of the reference sees of the training rows, by NumPy."""
    from compression import storage
    from data import load

    dataset = load("digits", seed=0)
    trained = work.reference(go_on, "digits", "mlp", 0)
    first = storage.from_bytes(trained.file).fc1
    x = dataset.x_train[dataset.fit_rows].astype(np.float64)
    return np.maximum(x @ first.weight.detach().numpy().T + first.bias.detach().numpy(), 0)


def test_the_spectra_are_those_of_w_of_w_root_sigma_and_of_root_sigma(digits):
    view = low_rank_work.layer_view(go_on, digits.origin, "truncated_svd", "fc2")
    x = inputs_of_fc2()
    centred = (x - x.mean(0)) / np.sqrt(len(x))
    weight = view.weight.astype(np.float64)
    for name, matrix in (("weight", weight), ("weighted", centred @ weight.T), ("inputs", centred)):
        expected = np.linalg.svd(matrix, compute_uv=False)[: len(view.spectra[name])]
        assert np.allclose(view.spectra[name], expected, rtol=1e-3, atol=1e-5 * expected[0])


@pytest.mark.parametrize("rank", [1, 7, 40])
def test_the_approximation_loses_what_the_errors_say(digits, rank):
    view = low_rank_work.layer_view(go_on, digits.origin, "truncated_svd", "fc2")
    left = np.sum((view.weight - view.approximations.weight(rank)) ** 2)
    assert left == pytest.approx(view.approximations.errors[rank], rel=1e-3)


def test_a_rank_pays_up_to_the_break_even_and_not_above(digits):
    view = low_rank_work.layer_view(go_on, digits.origin, "truncated_svd", "fc1")
    found = view.approximations.ranks
    rows, columns = view.weight.shape
    assert found.break_even * (rows + columns) < rows * columns
    assert (found.break_even + 1) * (rows + columns) >= rows * columns
    assert view.marks["break_even"] == found.break_even


def test_only_the_first_layer_has_patterns_and_only_the_last_the_mark_of_its_classes(digits):
    views = [
        low_rank_work.layer_view(go_on, digits.origin, "truncated_svd", name)
        for name in ("fc1", "fc2", "fc3")
    ]
    assert views[0].patterns.shape == (64, 8, 8)
    assert np.allclose(np.linalg.norm(views[0].patterns.reshape(64, -1), axis=1), 1, atol=1e-4)
    assert views[1].patterns is None
    assert views[2].patterns is None
    assert [view.marks.get("classes_minus_1") for view in views] == [None, None, 9.0]


def test_a_method_for_convolutions_leaves_a_linear_layer_with_its_spectra(digits):
    view = low_rank_work.layer_view(go_on, digits.origin, "tucker2", "fc1")
    assert view.approximations is None
    assert len(view.spectra["weight"]) == 64


@pytest.mark.parametrize("method", ["spatial_svd", "tucker2", "truncated_svd"])
def test_a_kernels_approximation_is_that_of_its_stages(method):
    kernel = np.random.default_rng(0).normal(size=(6, 4, 3, 3))
    decomposition = decompose_kernel(kernel, method)
    found = low_rank_work._approximations("conv", decomposition, (6, 36), False)
    for rank in (1, found.max_rank):
        expected = decomposition.at(rank).kernel.reshape(6, 36)
        assert np.allclose(found.weight(rank), expected)


def test_the_rules_keep_what_they_promise(digits):
    curve = work.low_rank_curve(go_on, digits.origin, "truncated_svd")
    found = low_rank_work.chosen_ranks(
        go_on,
        digits.origin,
        tuple(curve.table["knob"]),
        tuple(curve.table["validation_score"]),
        curve.reference["validation_score"],
        "truncated_svd",
    )
    table = found.table.set_index("rule")
    for loss, rule in ((0.01, "at most 1 point"), (0.05, "at most 5 points")):
        score = table.loc[f"{rule} lost on validation", "validation_score"]
        assert score >= found.reference["validation_score"] - loss
    ninety = found.ranks[0]
    for layer in digits.layers:
        energy = np.cumsum(digits.spectra[layer.name] ** 2) / np.sum(
            digits.spectra[layer.name] ** 2
        )
        least = int(np.searchsorted(energy, 0.9)) + 1
        assert ninety[layer.name] == (least if least <= layer.break_even else None)


def test_a_tucker_rank_pays_where_its_own_stages_hold_fewer_numbers():
    # A kernel of one input channel needs no stage before: k stages' numbers are k (9 + 8).
    kernel = np.random.default_rng(0).normal(size=(8, 1, 3, 3))
    ranks = low_rank_work._ranks("conv", decompose_kernel(kernel, "tucker2"))
    assert list(ranks.parameters[:5]) == [17 * k for k in range(5)]
    assert list(ranks.stages[:5]) == [0, 2, 2, 2, 2]
    assert ranks.break_even == 4  # 4 · 17 < 72 < 5 · 17
    assert ranks.pays(4)
    assert not ranks.pays(5)
    assert not ranks.pays(1000)


def test_a_kernel_s_break_even_rank_is_its_method_s_and_not_its_unfolding_s():
    kernel = np.random.default_rng(0).normal(size=(4, 16, 3, 3))

    def break_even(method):
        return low_rank_work._ranks("conv", decompose_kernel(kernel, method)).break_even

    # 576 numbers. Unfolded, 4 x 144: 148 a rank. Columns and rows: 16 · 3 + 4 · 3 a rank. Tucker-2
    # needs no stage after from rank 4 on: 16 k + 4 · 9 k.
    assert break_even("truncated_svd") == 3
    assert break_even("spatial_svd") == 9
    assert break_even("tucker2") == 11


def test_the_spectrum_of_a_spatial_method_is_that_of_the_matrix_it_truncates():
    kernel = np.random.default_rng(0).normal(size=(6, 4, 3, 5))
    decomposition = decompose_kernel(kernel, "spatial_svd")
    expected = np.stack([kernel[:, :, row].transpose(1, 0, 2) for row in range(3)], axis=1)
    unfolded = low_rank_work._unfolded(decomposition, kernel.reshape(6, -1))
    assert np.array_equal(unfolded, expected.reshape(12, 30))
    tails = np.cumsum(np.linalg.svd(unfolded, compute_uv=False)[::-1] ** 2)[::-1]
    assert np.allclose(decomposition.errors[:-1], tails)
    words = low_rank_work._unfolding("spatial_svd", unfolded.shape)
    assert words.startswith("12 × 30: a row for each input channel and row of the kernel")


def test_sigma_squared_draws_an_activation_aware_weight_to_the_truncated_one(digits):
    def weight(method, ridge):
        view = low_rank_work.layer_view(go_on, digits.origin, method, "fc2", ridge)
        return view.approximations.weight(5)

    nearest = weight("truncated_svd", 0.0)
    far, near = (
        np.linalg.norm(weight("activation_aware_svd", ridge) - nearest) for ridge in (0.0, 1e4)
    )
    assert near < 1e-2 * far


def test_a_setting_reaches_the_curve_and_its_file(digits):
    from compression import storage

    asked = {"layers": ("fc2",), "ridge": 0.1, "calibration": "sequential"}
    curve = work.low_rank_curve(go_on, digits.origin, "activation_aware_svd", **asked)
    file = work.low_rank_file(go_on, digits.origin, "activation_aware_svd", 3, **asked)
    held = sum(parameter.numel() for parameter in storage.from_bytes(file).parameters())
    rows, columns = next(layer.shape for layer in digits.layers if layer.name == "fc2")
    assert held == digits.parameters - rows * columns + 3 * (rows + columns)
    assert curve.table.set_index("knob").loc[3, "parameters"] == held


def test_one_request_is_one_job_however_its_defaults_are_spelt(digits):
    linear = requests.compressed_layers(digits, "truncated_svd")
    job = requests.low_rank_curve(digits, "truncated_svd")
    assert requests.low_rank_curve(digits, "truncated_svd", linear, 0.0, "reference", 0) is job
    assert requests.low_rank_curve(digits, "truncated_svd", linear[:1]) is not job
    assert requests.constrained_curve(digits, "box", Way("clip", epochs=3)) is (
        requests.constrained_curve(digits, "box", Way("clip", epochs=30))  # it trains nothing
    )


def test_a_rank_for_each_layer_costs_what_its_factors_hold(digits):
    found = low_rank_work.by_hand(go_on, digits.origin, "truncated_svd", ("fc1", "fc2"), (5, 0))
    rows, columns = next(layer.shape for layer in digits.layers if layer.name == "fc1")
    expected = digits.parameters - rows * columns + 5 * (rows + columns)
    assert found.table["parameters"].iloc[0] == expected


def test_training_on_gives_no_worse_training_loss_at_a_low_rank(digits):
    plain = work.low_rank_curve(go_on, digits.origin, "truncated_svd").table.set_index("knob")
    tuned = work.low_rank_curve(
        go_on, digits.origin, "truncated_svd", ("fc1", "fc2", "fc3"), epochs=1
    ).table
    assert len(tuned) <= TRAINED_RANKS
    for _, line in tuned[tuned["knob"] <= 8].iterrows():
        assert line["train_loss"] < plain.loc[line["knob"], "train_loss"]


def test_spectra_are_shown_relative_to_their_largest_value():
    values = {
        name: np.array([4.0, 2.0, 1.0]) * n
        for n, name in enumerate(("weight", "weighted", "inputs"), 1)
    }
    figure = low_rank_figures.spectra(values, {"k*": 2, "95 %": 2}, 2, False, "fc1")
    assert [list(trace.y) for trace in figure.data] == [[100, 50, 25]] * 3
    assert [list(trace.customdata) for trace in figure.data][2] == [12, 6, 3]
    assert [note.text for note in figure.layout.annotations] == ["k*, 95 %"]


def test_weight_approximation_and_residual_share_a_scale():
    weight = np.arange(12.0).reshape(3, 4)
    figure = low_rank_figures.matrices(weight, weight - 1, 2, "fc1")
    shown = [trace.z for trace in figure.data]
    assert np.allclose(shown[0] - shown[1], shown[2])
    assert (figure.layout.coloraxis.cmin, figure.layout.coloraxis.cmax) == (-11, 11)


def test_a_large_matrix_is_thinned_and_says_so():
    figure = low_rank_figures.matrices(np.ones((300, 784)), np.ones((300, 784)), 2, "fc1")
    assert figure.data[0].z.size <= low_rank_figures.CELLS
    assert "every" in figure.layout.title.text


def test_cross_validation_stars_the_rule_s_choice():
    table = pd.DataFrame(
        {
            "rank": [1, 2, 3],
            "mean": [0.5, 0.89, 0.9],
            "standard_error": [0.01, 0.02, 0.02],
            "chosen": [False, True, False],
        }
    )
    figure = low_rank_figures.cross_validation(table, "classification")
    star = next(trace for trace in figure.data if trace.name.startswith("chosen"))
    best = next(trace for trace in figure.data if trace.name.startswith("best"))
    assert (star.x[0], star.y[0]) == (2, 89)
    assert (best.x[0], best.y[0]) == (3, 90)
    assert figure.layout.shapes[0].y0 == pytest.approx(88)


def test_a_dense_layer_has_no_bar_but_the_word():
    lines = pd.DataFrame({"rule": ["exact"]})
    figure = low_rank_figures.budget_ranks(lines, [{"fc1": 3, "fc2": None}])
    bars, words = figure.data
    assert list(bars.y) == [3, 0]
    assert (list(words.x), list(words.text)) == (["fc2"], ["dense"])


def test_rules_stand_beside_the_same_networks_fine_tuned():
    table = pd.DataFrame(
        [
            {"rule": rule, "knob": budget, "gap": 0.1, "score": 0.5, "score_low": 0.4}
            for rule in low_rank_figures.RULES
            for budget in (10, 20)
        ]
    ).assign(score_high=0.6)
    reference = {"score": 0.9}
    figure = low_rank_figures.budget_scores(
        table, table.assign(score=0.7), reference, 15, "parameters", "classification"
    )
    rules = len(low_rank_figures.RULES)
    plain, tuned = figure.data[:rules], figure.data[rules:]
    assert [trace.name for trace in tuned] == [f"{trace.name}, fine-tuned" for trace in plain]
    assert {trace.line.dash for trace in tuned} == {"dash"}
    assert "dash" not in {trace.line.dash for trace in plain}
    assert all(np.allclose(trace.y, 70) for trace in tuned)
    assert all(np.allclose(trace.y, 50) for trace in plain)
    assert [shape.y0 for shape in figure.layout.shapes] == [90, 0]


def test_rules_that_starve_a_layer_are_named_with_it():
    told = low_rank_words.starved(["Exact", "Greedy", "Uniform k"], ["fc1 has 1", "fc1 has 1", ""])
    assert told == "Exact, Greedy: fc1 has 1."
    assert low_rank_words.starved(["Exact"], [""]) == ""


def test_every_rule_of_a_budget_curve_has_a_name_and_a_colour():
    from compression.low_rank.budgets import RULES

    assert tuple(low_rank_figures.RULES) == RULES
    assert len({colour for colour, _ in low_rank_figures.RULES.values()}) == len(RULES)


def test_sensitivity_has_a_row_a_layer_and_its_interval_in_the_hover():
    table = pd.DataFrame(
        {
            "layer": ["b", "b", "a", "a"],
            "share": [0.1, 0.5, 0.1, 0.5],
            "rank": pd.Series([1, None, 2, 3], dtype="Int64"),
            "kept": [0.2, 1.0, 0.1, 0.45],
            "validation_score": [0.5, 0.9, 0.6, 0.8],
            "low": 0.4,
            "high": 0.95,
            "change": [-0.4, 0.0, -0.3, -0.1],
            "change_low": [-0.5, 0.0, -0.4, -0.2],
            "change_high": [-0.3, 0.0, -0.2, 0.0],
            "samples": 50,
        }
    )
    heat = low_rank_figures.sensitivity(table, "classification").data[0]
    assert list(heat.y) == ["b", "a"]
    assert np.allclose(heat.z, [[-40, 0], [-30, -10]])
    assert list(heat.customdata[0, 0][:3]) == ["1", "-50.0", "-30.0"]
    assert heat.customdata[0, 1][0] == "dense"
    # Rank 1 of b holds a fifth, not a tenth; and where b stays dense it holds all.
    assert [list(row) for row in heat.text] == [["(−40.0)", "(0)"], ["−30.0", "−10.0"]]


def test_methods_are_compared_on_the_same_layers():
    class Convolutional:
        layers = (Layer("conv1", "conv2d", (6, 25), 4), Layer("fc1", "linear", (10, 20), 6))

    assert requests.compressed_layers(Convolutional, "truncated_svd") == ("fc1",)
    assert requests.compressed_layers(Convolutional, "tucker2") == ("conv1",)
    matrices = {name for name in LOW_RANK_METHODS if "linear" in LOW_RANK_METHODS[name].layers}
    assert set(low_rank_sections.fitting(Convolutional, ("fc1",))) == matrices
    assert set(low_rank_sections.fitting(Convolutional, ("conv1", "fc1"))) == matrices
    # A kernel's unfolding is a matrix too.
    assert set(low_rank_sections.fitting(Convolutional, ("conv1",))) == set(LOW_RANK_METHODS)


def test_a_layer_s_score_is_drawn_against_what_it_keeps_with_its_interval():
    table = pd.DataFrame(
        {
            "layer": ["a", "a", "b"],
            "kept": [0.5, 0.1, 1.0],
            "validation_score": [0.8, 0.6, 0.9],
            "low": [0.7, 0.5, 0.8],
            "high": [0.9, 0.65, 0.95],
        }
    )
    first, second = low_rank_figures.share_kept(table, "classification").data
    assert (first.name, second.name) == ("a", "b")
    assert np.allclose(first.x, [10, 50])
    assert np.allclose(first.y, [60, 80])
    assert np.allclose(first.error_y.array, [5, 10])
    assert np.allclose(first.error_y.arrayminus, [10, 10])


@pytest.mark.parametrize("rank", [1, 6])
def test_pictures_of_ranks_say_which_are_left_out(rank):
    figure = low_rank_figures.patterns(np.ones((6, 5, 5)), rank, "conv1", True)
    assert [trace.opacity for trace in figure.data] == [1.0] * rank + [0.3] * (6 - rank)
    notes = [note.text for note in figure.layout.annotations]
    assert sum("left out" in note for note in notes) == 6 - rank


def test_labels_of_marks_on_one_level_do_not_overlap():
    marks = {"stable": 3.2, "k*": 4, "90 %": 5, "95 %": 5, "effective": 5.8, "99 %": 6}
    values = dict.fromkeys(("weight", "weighted", "inputs"), np.arange(6.0, 0, -1))
    figure = low_rank_figures.spectra(values, marks, 2, False, "conv1")
    spans = {}
    for note in figure.layout.annotations:
        width = low_rank_figures.LABEL_WIDTH * len(note.text) * 6
        start = note.x - (width if note.xanchor == "right" else 0)
        spans.setdefault(note.y, []).append((start, start + width))
    assert sum(map(len, spans.values())) == 5  # 90 and 95 % share a line
    for level in spans.values():
        for (_, end), (start, _) in zip(sorted(level), sorted(level)[1:], strict=False):
            assert end <= start


def test_the_network_s_caption_says_what_becomes_of_each_layer():
    class Convolutional:
        layers = tuple(
            Layer(name, "conv2d", (2, 2), 1) for name in ("conv1", "conv2", "conv3", "fc1")
        )

    layers = [
        LayerRanks("conv1", np.array([0, 2, 4]), 9, np.array([0, 3, 2])),
        LayerRanks("conv2", np.array([0, 2, 4, 6, 8, 10]), 7, np.array([0, 2, 2, 2, 2, 2])),
        LayerRanks("conv3", np.array([0, 1, 2, 3, 4, 5]), 9, np.array([0, 2, 2, 2, 2, 2])),
    ]
    assert low_rank_words.network_at(Convolutional, layers, 5) == (
        "Rank 5 in conv1 (2 smaller layers, its largest rank 2), conv3 (2 smaller layers). "
        "It would make conv2 larger: kept dense. Not compressed here: fc1."
    )


@pytest.mark.parametrize(
    ("dataset", "model", "charts"),
    # A weight of one row has no rank that pays: there is no error to predict.
    [("iris", "softmax_regression", 10), ("diabetes", "linear_regression", 9)],
)
def test_every_section_is_drawn_from_a_link(dataset, model, charts):
    app = rendered(
        "low_rank.py",
        dataset=dataset,
        model=model,
        folds="true",
        share="true",
        methods="all",
        scale="log",
    )
    headings = [heading.value for heading in app.subheader]
    assert len(headings) == 5
    assert len(app.get("plotly_chart")) == charts
    # All of them go into the file of figures.
    assert len(app.session_state["_charts"]) == charts
    assert app.get("download_button")[-1].label == "Figures as HTML"
    assert app.toggle(key="folds").value
    assert app.toggle(key="share").value
    assert len(app.get("download_button")) >= 6


def test_a_rank_above_the_break_even_is_said_to_make_the_model_larger():
    def said(rank):
        app = rendered("low_rank.py", dataset="iris", model="softmax_regression", rank=rank)
        return any("This makes the model larger" in warning.value for warning in app.warning)

    # k* of a 3 x 4 weight is 1: 1 · 7 < 12, 2 · 7 > 12.
    assert said("2")
    assert not said("1")


def test_a_link_says_which_inputs_which_ridge_and_how_many_epochs():
    app = rendered(
        "low_rank.py",
        dataset="iris",
        model="softmax_regression",
        method="activation_aware_svd",
        calibration="sequential",
        ridge="0.1",
        methods="tuned",
        epochs="2",
    )
    assert app.select_slider(key="ridge").value == 0.1
    assert app.select_slider(key="epochs").value == 2
    assert app.get("button_group")
    said = " ".join(caption.value for caption in app.caption)
    assert low_rank_words.CALIBRATION in said
    assert low_rank_words.BASELINE in said
    drawn = app.session_state["_charts"]["low_rank_methods_chart"][1]
    named = [trace.name for trace in drawn.data if trace.showlegend]
    title = LOW_RANK_METHODS["activation_aware_svd"].title
    assert named == [title, f"{title} + 2 epochs"]


def test_a_curve_that_compares_methods_has_a_baseline_for_each():
    app = rendered(
        "low_rank.py", dataset="iris", model="softmax_regression", methods="all", epochs="1"
    )
    drawn = app.session_state["_charts"]["low_rank_methods_chart"][1]
    named = {trace.name for trace in drawn.data if trace.showlegend}
    titles = {entry.title for entry in LOW_RANK_METHODS.values() if "linear" in entry.layers}
    assert named == titles | {f"{title} + 1 epoch" for title in titles}


def test_a_kernel_s_own_method_says_its_own_break_even_rank():
    app = rendered(
        "low_rank.py", dataset="mnist1d", model="conv1d", method="tucker2", layer="conv2", rank="1"
    )
    said = " ".join(part.value for part in [*app.markdown, *app.warning])
    best = int(re.search(r"up to k\* = (\d+)", said)[1])
    slider = app.select_slider(key="rank_conv2")
    assert int(slider.options[-1]) == best
    # 25 channels on either side and 3 entries: rank k holds 25 k + 3 k² + 25 k of 25 · 25 · 3.
    assert best == max(k for k in range(1, 25) if 50 * k + 3 * k**2 < 25 * 25 * 3)
    captions = " ".join(caption.value for caption in app.caption)
    assert "truncates both channel sides at once" in captions
    assert "Not compressed here: fc" in captions


def test_the_energy_curve_is_the_cumulated_share_of_the_squares_with_its_rank_ringed():
    # squares 16, 4, 4, 1 of 25
    figure = low_rank_figures.energy(None, np.array([4.0, 2.0, 2.0, 1.0]), {"k*": 1}, 2, "fc1")
    own, ring = figure.data
    assert list(own.x) == [0, 1, 2, 3, 4]
    assert np.allclose(own.y, [0, 64, 80, 96, 100])
    assert (ring.x[0], ring.y[0]) == (2, pytest.approx(80))
    levels = [shape.y0 for shape in figure.layout.shapes if shape.y0 == shape.y1]
    assert levels == [90, 95, 99]
    assert [note.text for note in figure.layout.annotations] == ["k*"]


def test_an_objective_s_energy_stands_beside_the_best_that_the_weight_allows():
    objective = np.array([0.0, 0.5, 0.7, 0.9, 1.0])
    figure = low_rank_figures.energy(objective, np.array([4.0, 2.0, 2.0, 1.0]), {}, 3, "fc1")
    best, own, ring = figure.data
    assert np.allclose(best.y, [0, 64, 80, 96, 100])
    assert np.allclose(own.y, [0, 50, 70, 90, 100])
    assert (ring.x[0], ring.y[0]) == (3, pytest.approx(90))


def test_predicted_and_realised_errors_of_one_layer_are_shares_of_its_whole():
    errors = pd.DataFrame(
        {
            "layer": ["a", "a", "b"],
            "rank": [1, 2, 1],
            "predicted": [4.0, 1.0, 9.0],
            "realised": [5.0, 2.0, 9.0],
            "whole": [10.0, 10.0, 9.0],
        }
    )
    predicted, realised = low_rank_figures.predicted_errors(errors, 1, "a").data
    assert predicted.name.startswith("predicted")
    assert realised.name.startswith("realised")
    assert list(predicted.x) == list(realised.x) == [1, 2]
    assert np.allclose(predicted.y, [40, 10])
    assert np.allclose(realised.y, [50, 20])


def test_the_score_s_interval_is_the_band_and_in_every_hover():
    table = pd.DataFrame(
        {
            "knob": [1, 2],
            "parameters": [10, 20],
            "score": [0.5, 0.8],
            "score_low": [0.4, 0.7],
            "score_high": [0.6, 0.85],
        }
    )
    curves = [("truncated_svd", kind, kind, table) for kind in ("plain", "tuned")]
    figure = low_rank_figures.methods(curves, {"score": 0.9}, "knob", 2, "classification")
    band, plain, tuned, ring = figure.data
    assert list(band.x) == [1, 2, 2, 1]
    assert np.allclose(band.y, [60, 85, 70, 40])
    for line in (plain, tuned):
        assert np.allclose(line.y, [50, 80])
        assert np.allclose(line.customdata[:, 1:3], [[40, 60], [70, 85]])
    assert plain.line.dash != tuned.line.dash
    assert (ring.x[0], ring.y[0]) == (2, pytest.approx(80))
    assert [shape.y0 for shape in figure.layout.shapes] == [pytest.approx(90)]


def test_every_fold_s_mean_has_its_standard_error_as_a_bar():
    table = pd.DataFrame(
        {
            "rank": [1, 2],
            "mean": [0.5, 0.9],
            "standard_error": [0.01, 0.02],
            "chosen": [False, True],
        }
    )
    mean = low_rank_figures.cross_validation(table, "classification").data[0]
    assert np.allclose(mean.y, [50, 90])
    assert np.allclose(mean.error_y.array, [1, 2])


def test_every_table_of_the_page_can_be_taken_away_whole(monkeypatch):
    files = {}
    real = tables.st.download_button

    def button(label, content, **named):
        files[named["file_name"]] = content
        return real(label, content, **named)

    monkeypatch.setattr(tables.st, "download_button", button)
    rendered(
        "low_rank.py",
        dataset="iris",
        model="softmax_regression",
        folds="true",
        share="true",
        methods="all",
        epochs="1",
    )
    files = {
        name.removeprefix("iris-softmax_regression-"): content
        for name, content in files.items()
        if name.endswith(".csv")
    }
    assert set(files) == {
        f"{name}.csv"
        for name in (
            ["marks", "errors", "methods", "rules", "cross-validation", "sensitivity", "budgets"]
        )
    }
    held = {name: pd.read_csv(io.StringIO(content())) for name, content in files.items()}
    # Not what the page shows of them at one rank and under one budget, but all of it.
    methods = held["methods.csv"]
    assert methods.groupby("method")["knob"].nunique().max() == 3
    assert methods["method"].nunique() == 2 * len(
        [entry for entry in LOW_RANK_METHODS.values() if "linear" in entry.layers]
    )
    assert held["budgets.csv"]["knob"].nunique() > 1
    assert set(held["budgets.csv"]["rule"]) == set(low_rank_figures.RULES)
    assert list(held["cross-validation.csv"]["rank"]) == [1, 2, 3]


def test_spectra_are_on_a_logarithmic_axis_when_asked_for():
    values = dict.fromkeys(("weight", "weighted", "inputs"), np.array([4.0, 2.0, 1.0]))
    kinds = [
        low_rank_figures.spectra(values, {}, 2, logarithmic, "fc1").layout.yaxis.type
        for logarithmic in (False, True)
    ]
    assert kinds[1] == "log"
    assert kinds[0] != "log"


def test_a_link_says_each_layer_s_rank_and_the_budget_in_its_unit():
    app = rendered(
        "low_rank.py",
        dataset="iris",
        model="softmax_regression",
        share="true",
        unit="macs",
        budget_epochs="2",
        against="parameters",
        rank="1",
        rank_linear="1",
    )
    assert not app.warning
    assert app.segmented_control(key="unit").value == "macs"
    assert app.segmented_control(key="against").value == "parameters"
    assert app.select_slider(key="budget_epochs").value == 2
    assert app.select_slider(key="rank_linear").value == 1
    assert "Budget: MACs".lower() in app.select_slider(key="budget").label.lower()
    drawn = app.session_state["_charts"]["budget_scores"][1]
    named = [trace.name for trace in drawn.data if trace.name]
    assert sum(name.endswith("fine-tuned") for name in named) == len(low_rank_figures.RULES)
