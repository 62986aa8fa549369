"""Figures of the low-rank page by their traces."""

import numpy as np
import pandas as pd
import pytest

from pages.shared.plots.palette import style
from pages.views.low_rank.figures import (
    budgets,
    layer,
    methods,
    pictures,
    selection,
    sensitivity,
)


def test_spectra_are_shown_relative_to_their_largest_value():
    values = {
        name: np.array([4.0, 2.0, 1.0]) * n
        for n, name in enumerate(("weight", "weighted", "inputs"), 1)
    }
    figure = layer.spectra(values, {"k*": 2, "95 %": 2}, 2, False, "fc1")
    assert [list(trace.y) for trace in figure.data] == [[100, 50, 25]] * 3
    assert [list(trace.customdata) for trace in figure.data][2] == [12, 6, 3]
    assert [note.text for note in figure.layout.annotations] == ["k*, 95 %"]


def test_weight_approximation_and_residual_share_a_scale():
    weight = np.arange(12.0).reshape(3, 4)
    figure = pictures.matrices(weight, weight - 1, 2, "fc1")
    shown = [trace.z for trace in figure.data]
    assert np.allclose(shown[0] - shown[1], shown[2])
    assert (figure.layout.coloraxis.cmin, figure.layout.coloraxis.cmax) == (-11, 11)


def test_a_large_matrix_is_thinned_and_says_so():
    figure = pictures.matrices(np.ones((300, 784)), np.ones((300, 784)), 2, "fc1")
    assert figure.data[0].z.size <= pictures.CELLS
    assert "every" in figure.layout.title.subtitle.text


def test_cross_validation_stars_the_rule_s_choice():
    table = pd.DataFrame(
        {
            "rank": [1, 2, 3],
            "mean": [0.5, 0.89, 0.9],
            "standard_error": [0.01, 0.02, 0.02],
            "chosen": [False, True, False],
        }
    )
    figure = selection.cross_validation(table, "classification")
    star = next(trace for trace in figure.data if trace.name.startswith("chosen"))
    best = next(trace for trace in figure.data if trace.name.startswith("best"))
    assert (star.x[0], star.y[0]) == (2, 89)
    assert (best.x[0], best.y[0]) == (3, 90)
    assert figure.layout.shapes[0].y0 == pytest.approx(88)


def test_a_dense_layer_has_no_bar_but_the_word():
    lines = pd.DataFrame({"rule": ["exact"], "ranks": [{"fc1": 3, "fc2": None}]})
    figure = budgets.budget_ranks(lines)
    bars, words = figure.data
    assert list(bars.y) == [3, 0]
    assert (list(words.x), list(words.text)) == (["fc2"], ["dense"])


def test_rules_stand_beside_the_same_networks_fine_tuned():
    table = pd.DataFrame(
        [
            {"rule": rule, "knob": budget, "gap": 0.1, "score": 0.5, "score_low": 0.4}
            for rule in budgets.RULES
            for budget in (10, 20)
        ]
    ).assign(score_high=0.6, bytes=900)
    reference = {"score": 0.9}
    figure = budgets.budget_scores(
        table, table.assign(score=0.7), reference, 15, "parameters", "classification"
    )
    plain, tuned = figure.data[: len(budgets.RULES)], figure.data[len(budgets.RULES) :]
    assert [trace.name for trace in tuned] == [f"{trace.name}, fine-tuned" for trace in plain]
    assert {trace.line.dash for trace in tuned} == {"dash"}
    assert "dash" not in {trace.line.dash for trace in plain}
    assert all(np.allclose(trace.y, 70) for trace in tuned)
    assert all(np.allclose(trace.y, 50) for trace in plain)
    assert [shape.y0 for shape in figure.layout.shapes] == [90, 0]


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
    heat = sensitivity.score_changes(table, "classification").data[0]
    assert list(heat.y) == ["b", "a"]
    assert np.allclose(heat.z, [[-40, 0], [-30, -10]])
    assert list(heat.customdata[0, 0][:3]) == ["1", "-50.0", "-30.0"]
    assert heat.customdata[0, 1][0] == "dense"
    # Rank 1 of b holds a fifth, not a tenth; and where b stays dense it holds all.
    assert [list(row) for row in heat.text] == [["(−40.0)", "(0)"], ["−30.0", "−10.0"]]


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
    first, second = sensitivity.share_kept(table, "classification").data
    assert (first.name, second.name) == ("a", "b")
    assert np.allclose(first.x, [10, 50])
    assert np.allclose(first.y, [60, 80])
    assert np.allclose(first.error_y.array, [5, 10])
    assert np.allclose(first.error_y.arrayminus, [10, 10])


@pytest.mark.parametrize("rank", [1, 6])
def test_pictures_of_ranks_say_which_are_left_out(rank):
    figure = pictures.patterns(np.ones((6, 5, 5)), rank, "conv1", True)
    assert [trace.opacity for trace in figure.data] == [1.0] * rank + [0.3] * (6 - rank)
    assert "faint: left out" in figure.layout.title.subtitle.text


def test_labels_of_marks_on_one_level_do_not_overlap():
    marks = {"stable": 3.2, "k*": 4, "90 %": 5, "95 %": 5, "effective": 5.8, "99 %": 6}
    values = dict.fromkeys(("weight", "weighted", "inputs"), np.arange(6.0, 0, -1))
    figure = layer.spectra(values, marks, 2, False, "conv1")
    spans = {}
    for note in figure.layout.annotations:
        width = layer.LABEL_WIDTH * len(note.text) * 6
        start = note.x - (width if note.xanchor == "right" else 0)
        spans.setdefault(note.y, []).append((start, start + width))
    assert sum(map(len, spans.values())) == 5  # 90 and 95 % share a line
    for level in spans.values():
        for (_, end), (start, _) in zip(sorted(level), sorted(level)[1:], strict=False):
            assert end <= start


def test_the_energy_curve_is_the_cumulated_share_of_the_squares_with_its_rank_ringed():
    # squares 16, 4, 4, 1 of 25
    figure = layer.energy(None, np.array([4.0, 2.0, 2.0, 1.0]), {"k*": 1}, 2, "fc1")
    own, ring = figure.data
    assert list(own.x) == [0, 1, 2, 3, 4]
    assert np.allclose(own.y, [0, 64, 80, 96, 100])
    assert (ring.x[0], ring.y[0]) == (2, pytest.approx(80))
    levels = [shape.y0 for shape in figure.layout.shapes if shape.y0 == shape.y1]
    assert levels == [90, 95, 99]
    assert [note.text for note in figure.layout.annotations] == ["k*"]


def test_an_objective_s_energy_stands_beside_the_best_that_the_weight_allows():
    objective = np.array([0.0, 0.5, 0.7, 0.9, 1.0])
    figure = layer.energy(objective, np.array([4.0, 2.0, 2.0, 1.0]), {}, 3, "fc1")
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
    predicted, realised = layer.predicted_errors(errors, 1, "a").data
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
            "epochs": [0, 0],
        }
    )
    curves = [
        ("truncated_svd", "plain", "plain", table),
        ("truncated_svd", "tuned", "tuned", table.assign(epochs=[3, 1])),
    ]
    figure = methods.methods(curves, {"score": 0.9}, "knob", 2, "classification")
    band, plain, tuned, ring = figure.data
    assert list(band.x) == [1, 2, 2, 1]
    assert np.allclose(band.y, [60, 85, 70, 40])
    for line, epochs in ((plain, ("", "")), (tuned, (", 3 epochs", ", 1 epoch"))):
        assert np.allclose(line.y, [50, 80])
        assert list(line.text) == [
            f"rank 1{epochs[0]}: 50.0 % (40.0–60.0 %), 10 parameters",
            f"rank 2{epochs[1]}: 80.0 % (70.0–85.0 %), 20 parameters",
        ]
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
    mean = selection.cross_validation(table, "classification").data[0]
    assert np.allclose(mean.y, [50, 90])
    assert np.allclose(mean.error_y.array, [1, 2])


def test_spectra_are_on_a_logarithmic_axis_when_asked_for():
    values = dict.fromkeys(("weight", "weighted", "inputs"), np.array([4.0, 2.0, 1.0]))
    kinds = [
        layer.spectra(values, {}, 2, logarithmic, "fc1").layout.yaxis.type
        for logarithmic in (False, True)
    ]
    assert kinds[1] == "log"
    assert kinds[0] != "log"


def test_every_rule_of_a_budget_curve_has_a_name_and_a_colour():
    from compression.low_rank.budgets import RULES

    assert tuple(budgets.RULES) == RULES
    assert len({style("allocation_rule", rule).colour for rule in RULES}) == len(RULES)


def test_a_rule_without_a_name_or_colour_of_its_own_is_drawn_all_the_same():
    lines = pd.DataFrame({"rule": ["a new rule"], "ranks": [{"fc1": 3}]})
    assert budgets.budget_ranks(lines).data[0].name == "a new rule"
