"""Figures by their traces."""

import re

import numpy as np
import pandas as pd
import pytest
from plotly.offline import get_plotlyjs

from compression.catalog import LOW_RANK_METHODS
from pages.shared.format import compare_sizes, format_change, format_score, format_size
from pages.shared.plots import standard
from pages.shared.plots.export import figures_page
from pages.shared.plots.layout import COSTS, cost_axis
from pages.shared.plots.palette import CONSTRAINED, LOW_RANK, style
from pages.shared.plots.traces import levels


def table(**columns):
    rows = {
        "knob": [1, 2, 3],
        "parameters": [10, 20, 30],
        "bytes": [100, 200, 300],
        "macs": [5, 6, 7],
        "score": [0.5, 0.8, 0.9],
        "score_low": [0.4, 0.7, 0.85],
        "score_high": [0.6, 0.85, 0.95],
    }
    return pd.DataFrame(rows | columns)


def find_trace(figure, name):
    (trace,) = [trace for trace in figure.data if trace.name == name]
    return trace


def test_a_spectrum_is_cut_at_the_rank():
    figure = standard.spectrum(np.array([4.0, 3.0, 2.0, 1.0]), 3, {"k*": 2}, "fc1")
    assert list(find_trace(figure, "kept").x) == [1, 2, 3]
    assert list(find_trace(figure, "left out").y) == [1.0]
    assert [shape.x0 for shape in figure.layout.shapes] == [2]


def test_a_label_next_to_the_right_edge_stands_to_the_left_of_its_line():
    figure = standard.spectrum(np.ones(50), 2, {"k*": 20, "99 %": 49}, "fc1")
    anchors = {note.text: note.xanchor for note in figure.layout.annotations}
    assert anchors == {"k*": "left", "99 %": "right"}


def test_labels_stand_above_a_few_wide_bars():
    values = np.array([4.0, 3.9, 3.8, 3.7])
    figure = standard.spectrum(values, 2, {"90 %": 3, "k*": 2, "99 %": 4}, "fc1")
    top = figure.layout.yaxis.range[1]
    lowest = min(note.y for note in figure.layout.annotations) - standard.LABEL_HEIGHT
    assert lowest * top >= values.max() - 1e-9
    assert standard.spectrum(np.ones(50), 2, {"k*": 20}, "fc1").layout.yaxis.range is None


def test_marks_at_the_same_rank_share_a_label():
    figure = standard.spectrum(np.ones(4), 2, {"90 %": 3, "95 %": 3, "k*": 1}, "fc1")
    assert sorted(note.text for note in figure.layout.annotations) == ["90 %, 95 %", "k*"]


def test_confusion_is_coloured_by_the_share_of_each_true_class():
    counts = np.array([[8, 2], [0, 5]])
    figure = standard.confusion(counts, ["no", "yes"], LOW_RANK)
    assert np.array_equal(figure.data[0].z, [[80, 20], [np.nan, 100]], equal_nan=True)
    texts = {
        (true, predicted): text
        for trace in figure.data[1:]
        for true, predicted, text in zip(trace.y, trace.x, trace.text, strict=True)
    }
    assert texts == {("no", "no"): "8", ("no", "yes"): "2", ("yes", "yes"): "5"}


def test_a_class_without_samples_has_an_empty_row():
    figure = standard.confusion(np.array([[3, 0], [0, 0]]), ["a", "b"], LOW_RANK)
    assert np.array_equal(figure.data[0].z, [[100, np.nan], [np.nan, np.nan]], equal_nan=True)


@pytest.mark.parametrize("cost", COSTS)
def test_the_plane_shows_score_against_the_chosen_cost(cost):
    reference = {"score": 0.95, "parameters": 40, "bytes": 400, "macs": 9}
    words = ["rank 1", "rank 2", "rank 3"]
    curves = [
        standard.PlaneCurve("LMM", LOW_RANK, table(), 1, words),
        standard.PlaneCurve("COC", CONSTRAINED, table()[::-1], None, words[::-1]),
    ]
    figure = standard.plane(curves, reference, cost, "classification")
    line = find_trace(figure, "LMM")
    assert list(line.x) == list(table()[cost])
    assert np.allclose(line.y, [50, 80, 90])
    assert np.allclose(line.error_y.array, [10, 5, 5])
    assert np.allclose(line.error_y.arrayminus, [10, 10, 5])
    # Joined in the order of the cost, whatever the order of the rows is.
    assert [list(row) for row in find_trace(figure, "COC").customdata] == [[1, 1], [1, 2], [1, 3]]
    said = [text.split(" (")[0] for text in find_trace(figure, "COC").text]
    assert said == ["rank 1: 50.0 %", "rank 2: 80.0 %", "rank 3: 90.0 %"]
    assert "knob" not in str(figure)
    assert list(find_trace(figure, "LMM, now").x) == [table()[cost][1]]
    assert figure.layout.shapes[0].y0 == pytest.approx(95)
    assert not [trace for trace in figure.data if trace.name == "COC, now"]


def test_a_page_of_figures_needs_nothing_else_and_holds_the_script_once():
    one = standard.spectrum(np.array([4.0, 3.0]), 1, {}, "fc1")
    other = standard.confusion(np.eye(2, dtype=int), ["no", "yes"], LOW_RANK)
    page = figures_page([("Spectrum of <fc1>", one), ("Confusion", other)], "Low rank", "digits")
    assert page.count(get_plotlyjs()) == 1
    own = page.replace(get_plotlyjs(), "")
    assert not re.search(r"(src|href)=", own)
    assert own.count("Plotly.newPlot(") == 2
    assert own.index("Spectrum of &lt;fc1&gt;") < own.index("Confusion<")
    assert '"format": "svg"' in own
    assert one.layout.template == standard.spectrum(np.array([4.0]), 1, {}, "").layout.template


def test_every_method_has_a_colour_of_its_own():
    assert len({style("low_rank", name).colour for name in LOW_RANK_METHODS}) == len(
        LOW_RANK_METHODS
    )
    assert style("solver", "a new one") == style("solver", "a new one")


def test_a_number_is_read_with_its_unit():
    assert format_size(9_999) == "9,999 B"
    assert format_size(203_900) == "204 kB"
    assert format_score(0.96944, "classification") == "96.9 %"
    assert format_change(-0.0083, "classification") == "−0.8"
    assert format_change(0.0421, "regression") == "+0.042"
    assert compare_sizes(100, 25) == "4× smaller"
    assert compare_sizes(25, 100) == "4× larger"
    assert compare_sizes(1000, 1001) == "as the reference"


@pytest.mark.parametrize("shape", [(6, 5, 4), (6, 9)])
def test_pictures_stand_in_rows_of_four_each_under_its_label(shape):
    values = np.arange(np.prod(shape), dtype=float).reshape(shape)
    figure = standard.pictures(values, list("abcdef"))
    assert [note.text for note in figure.layout.annotations] == list("abcdef")
    fifth = figure.data[4]
    assert np.array_equal(fifth.z if len(shape) == 3 else fifth.y, values[4])
    # Of the first column and the second row.
    assert figure.layout[f"{fifth.xaxis[0]}axis5"].domain == figure.layout.xaxis.domain
    assert figure.layout.yaxis5.domain[1] < figure.layout.yaxis.domain[0]


def test_a_learning_curve_has_both_parts_on_a_logarithmic_axis():
    history = pd.DataFrame({"epoch": [1, 2], "train_loss": [1, 0.5], "validation_loss": [1.1, 0.7]})
    figure = standard.learning_curve(history, "classification")
    assert list(find_trace(figure, "training").y) == [1, 0.5]
    assert list(find_trace(figure, "validation").y) == [1.1, 0.7]
    assert figure.layout.yaxis.type == "log"


def test_level_lines_are_the_reference_s_and_that_of_always_the_same_answer():
    reference, same = levels({"score": 0.9, "majority": 0.4}, 100)
    assert (reference["y0"], same["y0"]) == (90, 40)
    assert reference["line"]["dash"] != same["line"]["dash"]
    assert same["label"]["text"] == "always the same answer"
    assert len(levels({"score": 0.9, "majority": float("nan")}, 100)) == 1


@pytest.mark.parametrize("cost", ["bytes", "parameters", "rank"])
@pytest.mark.parametrize("high", [37, 52, 356, 9_999, 10_001, 204_000])
@pytest.mark.parametrize("times", [1.02, 1.3, 2.9, 3.0, 9.0])
def test_an_axis_of_costs_has_ticks_where_they_are_read_however_narrow_it_is(cost, high, times):
    low = high / times
    _, axis = cost_axis(cost, low, high)
    if "tickvals" not in axis:  # Plotly's own, of a range wide enough for them
        assert times >= 3
        return
    inside = [value for value in axis["tickvals"] if low <= value <= high]
    around = [value for value in axis["tickvals"] if 0.8 * low <= value <= 1.25 * high]
    assert len(inside) <= 13
    assert len(around) >= 3
    assert axis["tickvals"] == sorted(set(axis["tickvals"]))
    if cost == "bytes":
        assert len(set(axis["ticktext"])) == len(axis["ticktext"])
