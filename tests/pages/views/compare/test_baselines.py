"""What people would do instead stands behind the two sides, and says what it gives at their size."""

import json

import pytest

import compression
import data
from pages.views.compare import text
from tests.pages.rendering import render, settle

TITLE = "Rounding to few bits"


def plane_of(app):
    (chart,) = (c for c in app.get("plotly_chart") if c.proto.id.endswith("plane_chart"))
    return json.loads(chart.proto.spec)


def sentence_of(app):
    return next((t.value for t in app.markdown if "file size (" in t.value), "")


def test_rounding_is_on_the_plane_from_the_start_and_its_sentence_is_that_of_its_curve():
    app = render(dataset="iris", model="mlp")
    assert TITLE in [trace.get("name") for trace in plane_of(app)["data"]]
    dataset = data.load("iris", seed=0)
    reference = compression.train(dataset, model="mlp", seed=0)
    table = compression.baseline_curve(reference, dataset, "rounding").table
    bound = app.select_slider(key="bound").value
    constrained = compression.constrained_curve(reference, dataset)
    size = constrained.table.set_index("knob").loc[bound, "bytes"]
    fitting = table[table["bytes"] <= size]
    best = fitting.loc[fitting["validation_score"].idxmax()]
    (of_constrained,) = (s for s in sentence_of(app).split(". ") if s.startswith("At COC's"))
    assert f"({best['knob']:g} bits)" in of_constrained
    assert f"{100 * best['score']:.1f} %" in of_constrained


def test_a_link_without_baselines_draws_none():
    app = render(dataset="iris", model="mlp", baselines="none")
    assert TITLE not in [trace.get("name") for trace in plane_of(app)["data"]]
    assert not sentence_of(app)


@pytest.mark.parametrize("name", compression.BASELINES)
def test_every_baseline_is_told_with_its_knob(name):
    said = text.name_value(name, 0.5)
    assert "0.5 bits" in said or "50 %" in said


def test_both_sides_in_few_bits_name_their_bits_and_epochs():
    app = render(dataset="iris", model="mlp", baselines="few_bits")
    traces = {trace.get("name"): trace for trace in plane_of(app)["data"]}
    for side, knob in (("LMM", "rank"), ("COC", "ρ")):
        trace = traces[f"{side} in few bits"]
        assert all(" bits" in said and "10 epochs" in said for said in trace["text"])
        assert all(knob in said for said in trace["text"])
        assert "(" in sentence_of(app)
    app.segmented_control(key="one_b").set_value("3").run()
    app = settle(app)
    traces = {trace.get("name"): trace for trace in plane_of(app)["data"]}
    assert all("3 bits" in said for said in traces["COC in few bits"]["text"])
