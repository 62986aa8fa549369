"""The plane of Compare: where its score axis begins, and what it is asked for."""

import json

import pandas as pd
import pytest

from pages.shared.plots import standard
from pages.shared.plots.palette import CONSTRAINED, LOW_RANK
from tests.pages.rendering import render

REFERENCE = {"score": 0.95, "parameters": 40, "bytes": 400, "macs": 9}


def curve(name, colour, scores, row):
    table = pd.DataFrame(
        {
            "knob": range(1, len(scores) + 1),
            "bytes": [100 * n for n in range(1, len(scores) + 1)],
            "score": scores,
            "score_low": [score - 0.03 for score in scores],
            "score_high": [score + 0.03 for score in scores],
        }
    )
    words = [f"rank {n}" for n in table["knob"]]
    return standard.PlaneCurve(name, colour, table, row, words)


def score_range(scores, row, **named):
    two = [curve("LMM", LOW_RANK, scores, row), curve("COC", CONSTRAINED, [0.9, 0.93], 1)]
    figure = standard.plane(two, REFERENCE, "bytes", "classification", **named)
    return figure.layout.yaxis.range


def test_the_score_axis_begins_where_decisions_lie():
    low, high = score_range([0.1, 0.3, 0.94], 2, whole=False)
    assert low == pytest.approx(75)  # twenty points below the reference: 10 and 30 % are cut off
    assert 97 <= high < 101


def test_the_score_axis_holds_the_current_points_wherever_they_are():
    low, high = score_range([0.1, 0.3, 0.94], 0, whole=False)
    assert low < 10
    assert high > 97


def test_the_whole_score_axis_has_no_ends_of_its_own():
    assert score_range([0.1, 0.3, 0.94], 2, whole=True) is None


@pytest.mark.parametrize("whole", [False, True])
def test_the_page_s_switch_decides(whole):
    link = {"dataset": "iris", "model": "softmax_regression", "baselines": "none"}
    app = render(**link, **({"whole": "true"} if whole else {}))
    (chart,) = (one for one in app.get("plotly_chart") if one.key == "plane_chart")
    figure = json.loads(chart.proto.spec)
    assert ("range" not in figure["layout"]["yaxis"]) == whole
    if not whole:
        low, high = figure["layout"]["yaxis"]["range"]
        rings = [trace for trace in figure["data"] if trace.get("name", "").endswith(", now")]
        assert len(rings) == 2
        assert all(low <= ring["y"][0] <= high for ring in rings)


def parameters(app):
    return next(one.value for one in app.metric if one.label == "Parameters")


def test_convolutions_are_compressed_on_compare_as_they_are_on_low_rank():
    link = {"dataset": "mnist1d", "model": "conv1d", "train_epochs": "1", "width": "0.5"}
    link["rank"] = "2"
    default = render(**link, baselines="none")
    both = render(**link, baselines="none", layers="all")
    alone = render("low_rank.py", **link, layers="all")
    assert parameters(both) != parameters(default)
    assert parameters(both) == parameters(alone)
    (chart,) = (one for one in both.get("plotly_chart") if one.key == "low_rank_predictions")
    assert "LMM, rank 2" in chart.proto.alt
