"""What people would do instead stands behind the two sides, and says what it gives at their size."""

import json
import re
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import streamlit as st

import compression
import data
from pages.shared.models import baselines, requests, tasks
from pages.shared.models.text import name_baseline
from pages.shared.ui import widgets
from pages.views.compare import baselines as behind
from pages.views.compare import text
from tests.pages.rendering import render, settle

TITLE = "Rounding to few bits"


def plane_of(app):
    (chart,) = (c for c in app.get("plotly_chart") if c.proto.id.endswith("plane_chart"))
    return json.loads(chart.proto.spec)


def sentence_of(app):
    return next((t.value for t in app.markdown if "file size (" in t.value), "")


@pytest.fixture(scope="module")
def reference():
    return compression.train(data.load("iris", seed=0), model="mlp", seed=0)


def find_best_row(tables, size):
    """By hand: the best validation score, of equal ones the smallest file."""
    rows = pd.concat(tables, ignore_index=True)
    rows = rows[rows["bytes"] <= size]
    return rows.sort_values(["validation_score", "bytes"], ascending=[False, True]).iloc[0]


def size_of_bound(app, reference):
    bound = app.select_slider(key="bound").value
    curve = compression.constrained_curve(reference, data.load("iris", seed=0))
    return curve.table.set_index("knob").loc[bound, "bytes"]


def test_a_link_to_rounding_shows_rounding_alone_and_its_sentence_is_that_of_its_curve(reference):
    app = render(dataset="iris", model="mlp", baselines="rounding")
    names = [trace.get("name") for trace in plane_of(app)["data"]]
    assert {entry.title for entry in compression.BASELINES.values()} & {*names} == {TITLE}
    table = compression.baseline_curve(reference, data.load("iris", seed=0), "rounding").table
    best = find_best_row([table], size_of_bound(app, reference))
    (of_constrained,) = (s for s in sentence_of(app).split(". ") if s.startswith("At COC's"))
    assert f"({best['knob']:g} bits)" in of_constrained
    assert f"{100 * best['score']:.1f} %" in of_constrained


def test_every_baseline_is_on_the_plane_unasked_and_the_sentence_tells_the_best(reference):
    app = render(dataset="iris", model="mlp")
    names = [trace.get("name") for trace in plane_of(app)["data"]]
    assert {entry.title for entry in compression.BASELINES.values()} <= {*names}
    dataset = data.load("iris", seed=0)
    tables = [
        compression.baseline_curve(reference, dataset, name).table for name in compression.BASELINES
    ]
    best = find_best_row(tables, size_of_bound(app, reference))
    (of_constrained,) = (s for s in sentence_of(app).split(". ") if s.startswith("At COC's"))
    assert f"{100 * best['score']:.1f} %" in of_constrained
    size = f"{best['bytes']:,.0f} B" if best["bytes"] < 1e4 else f"{best['bytes'] / 1e3:.3g} kB"
    assert f"in {size}: " in of_constrained


class OpenJob(SimpleNamespace):
    """A job that is over when a test says so."""


def test_a_baseline_that_is_trained_is_asked_for_when_all_before_it_are_over(monkeypatch):
    asked = {}
    monkeypatch.setattr(
        requests,
        "baseline_curve",
        lambda trained, name: asked.setdefault(name, OpenJob(pending=True)),
    )
    trained, side = SimpleNamespace(model="mlp"), OpenJob(pending=True)
    assert list(baselines.request_in_turn(trained, [side])) == ["rounding"]
    side.pending = False
    assert list(baselines.request_in_turn(trained, [side])) == ["rounding"]
    for count, name in enumerate(baselines.list_baselines(trained), 1):
        assert list(asked) == baselines.list_baselines(trained)[:count]
        asked[name].pending = False
        found = baselines.request_in_turn(trained, [side])
        assert len(asked) == min(count + 1, len(compression.BASELINES))
        # The next one is there, or there is none: nothing has to look again.
        assert not baselines.is_next_due(trained, found, [side])
    early = {"rounding": asked["rounding"]}
    assert baselines.is_next_due(trained, early, [side])
    side.pending = True
    assert not baselines.is_next_due(trained, early, [side])


def test_of_equally_good_baselines_the_smallest_file_is_the_best():
    tables = {
        "one": pd.DataFrame({"bytes": [10, 20, 40], "validation_score": [0.5, 0.9, 1.0]}),
        "other": pd.DataFrame({"bytes": [15, 30], "validation_score": [0.9, float("nan")]}),
    }
    assert baselines.find_best(tables, 9) is None
    name, line = baselines.find_best(tables, 39)
    assert (name, line["bytes"]) == ("other", 15)
    name, line = baselines.find_best(tables, 40)
    assert (name, line["bytes"]) == ("one", 40)


def test_the_best_baseline_is_the_first_of_all_rows_in_their_order():
    """Against a loop over every row, with many ties and missing scores."""
    random = np.random.default_rng(0)
    for _ in range(200):
        tables = {
            name: pd.DataFrame(
                {
                    "bytes": random.integers(1, 6, 4),
                    "validation_score": random.choice([0.1, 0.2, 0.3, np.nan], 4),
                }
            )
            for name in range(3)
        }
        lines = [
            (-line["validation_score"], line["bytes"], name, place)
            for name, table in tables.items()
            for place, line in table.iterrows()
            if line["bytes"] <= 3 and not np.isnan(line["validation_score"])
        ]
        found = baselines.find_best(tables, 3)
        assert (found is None) == (not lines)
        if found is not None:
            _, _, name, place = min(lines)
            assert (found[0], found[1].name) == (name, place)


def test_a_smaller_network_of_the_page_has_the_reference_s_epochs_and_ten_more():
    trained = tasks.reference(lambda *_, **__: True, "breast_cancer", "mlp", 0)
    shown = tasks.baseline_curve(
        lambda *_, **__: True, trained.origin, "smaller_network", len(trained.history)
    )
    dataset = data.load("breast_cancer", seed=0)
    reference = compression.train(dataset, model="mlp", seed=0)
    expected = compression.baseline_curve(reference, dataset, "smaller_network")
    pd.testing.assert_frame_equal(shown.table, expected.table)
    assert shown.table["epochs"].max() <= len(trained.history) + 10


def test_the_epochs_of_all_that_is_compared_are_told_beside_the_plane():
    app = render(dataset="iris", model="mlp", bound="0.284")
    (said,) = [t.value for t in app.markdown if "equal epochs**: " in t.value]
    curve = compression.constrained_curve(
        compression.train(data.load("iris", seed=0), model="mlp", seed=0), data.load("iris", seed=0)
    )
    epochs = int(curve.table["epochs"].iloc[(curve.table["knob"] - 0.284).abs().argmin()])
    assert said.startswith(
        f"**Not at equal epochs**: this rank 0, this bound {epochs}, baselines 10 beyond the "
        "reference's 60, and a smaller network "
    )
    equal = render(dataset="iris", model="mlp", sides="equal", baselines="none", rank="4")
    (said,) = [t.value for t in equal.markdown if "equal epochs**: " in t.value]
    assert said.startswith("**At equal epochs**: this rank 10, this bound 10, Reference + 10")


def test_epochs_of_a_solved_bound_are_called_solved():
    said = text.compare_epochs(
        {"this rank": {0}, "this bound": {0}, "baselines": {10}}, (), 7, True
    )
    assert said == (
        "**Not at equal epochs**: this rank 0, this bound 0 (solved), baselines 10 beyond the "
        "reference's 7."
    )


def test_a_link_without_baselines_draws_none():
    app = render(dataset="iris", model="mlp", baselines="none")
    assert TITLE not in [trace.get("name") for trace in plane_of(app)["data"]]
    assert not sentence_of(app)
    assert any("equal epochs**: this rank 0" in shown.value for shown in app.markdown)


@pytest.mark.parametrize("name", compression.BASELINES)
def test_every_baseline_is_told_with_its_knob(name):
    said = name_baseline(name, 0.5)
    assert "0.5 bits" in said or "50 %" in said


def test_both_sides_in_few_bits_name_their_bits_and_epochs():
    app = render(dataset="iris", model="mlp", baselines="few_bits")
    traces = {trace.get("name"): trace for trace in plane_of(app)["data"]}
    for side, knob in (("LMM", "rank"), ("COC", "ρ")):
        trace = traces[f"{side} in few bits"]
        assert all(" bits" in said and "10 epochs" in said for said in trace["text"])
        assert all(knob in said for said in trace["text"])
    app.segmented_control(key="one_b").set_value("3").run()
    app = settle(app)
    traces = {trace.get("name"): trace for trace in plane_of(app)["data"]}
    assert all("3 bits" in said for said in traces["COC in few bits"]["text"])


def test_few_bits_stand_beside_every_baseline_and_the_best_of_both_is_told(reference, downloads):
    app = render(dataset="iris", model="mlp", baselines="few_bits")
    names = {trace.get("name") for trace in plane_of(app)["data"]}
    titles = {entry.title for entry in compression.BASELINES.values()}
    assert titles | {"LMM in few bits", "COC in few bits"} <= names
    dataset = data.load("iris", seed=0)
    tables = [
        compression.baseline_curve(reference, dataset, name).table for name in compression.BASELINES
    ]
    best = find_best_row(tables, size_of_bound(app, reference))
    (said,) = (s for s in sentence_of(app).split(". ") if s.startswith("At COC's"))
    of_baseline, in_few_bits = said.split("; ")
    assert f"scores {100 * best['score']:.1f} % in " in of_baseline
    pattern = r"(LMM|COC) in few bits \(.* bits, 10 epochs\) scores .*: [+−]?\d[\d.]* points"
    assert re.match(pattern, in_few_bits)
    written = downloads["report_false"]()
    title, row = re.search(r"At COC's file size \(.*?\) (.*?) \((.*?)\) scores", said).groups()
    assert title in {title.lower() for title in titles}
    assert f"Best baseline at COC's file size: {title}, {row}" in written


def test_few_bits_leave_the_turns_of_the_baselines_as_they_are(monkeypatch):
    """In the default mode nothing more is asked for, and in few bits those that are due come."""
    asked, mode = [], {"baselines": "all"}
    monkeypatch.setattr(
        requests,
        "baseline_curve",
        lambda trained, name: asked.append(name) or OpenJob(pending=True),
    )
    monkeypatch.setattr(
        requests,
        "few_bits_curve",
        lambda trained, kind, name, bits: asked.append(kind) or OpenJob(pending=True),
    )
    monkeypatch.setattr(
        widgets, "choose_segment", lambda key, *_, **__: mode.get(key, text.BEST_BITS)
    )
    trained = SimpleNamespace(model="mlp")
    sides = [
        SimpleNamespace(
            trained=trained, job=OpenJob(pending=True), epochs=0, title=side, label="ρ", name=name
        )
        for side, name in (("LMM", "truncated_svd"), ("COC", "box"))
    ]
    behind.request_curves(sides)
    assert asked == ["rounding"]
    asked.clear()
    mode["baselines"] = "few_bits"
    behind.request_curves(sides)
    assert asked == ["low_rank", "constraint", "rounding"]
    for side in sides:
        side.job.pending = False
    monkeypatch.setattr(st, "session_state", mode)
    monkeypatch.setattr(st, "rerun", lambda: asked.append("again"))
    asked.clear()
    behind.look_again(
        sides, [OpenJob(baseline="rounding", job=OpenJob(pending=False), as_long=False)]
    )
    assert asked == ["again"]
