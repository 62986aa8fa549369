"""Baselines behind the curves of Low rank and Constrained, where these are drawn by file size."""

from types import SimpleNamespace

import numpy as np
import pytest

import compression
import data
from compression import BASELINES
from pages.shared.models import requests
from pages.shared.models.text import BASELINES_BEHIND, WITHOUT_BASELINES
from pages.shared.plots.palette import style
from pages.shared.ui.baselines import request_behind
from pages.shared.ui.charts import DRAWN
from tests.pages.rendering import render

PAGES = {
    "low_rank.py": ("against", "low_rank_methods_chart"),
    "constrained.py": ("bound_against", "constrained_ways_chart"),
}
WINE = {"dataset": "wine", "model": "mlp"}


def traces_of(app, chart):
    return {trace.name: trace for trace in app.session_state[DRAWN][chart][1].data}


@pytest.mark.parametrize("page", PAGES)
def test_every_baseline_stands_behind_the_curves_by_file_size(page):
    axis, chart = PAGES[page]
    app = render(page, **WINE, **{axis: "bytes"})
    traces = traces_of(app, chart)
    assert BASELINES_BEHIND in [caption.value for caption in app.caption]
    assert WITHOUT_BASELINES not in [caption.value for caption in app.caption]
    dataset = data.load("wine", seed=0)
    reference = compression.train(dataset, "mlp", seed=0)
    for name, entry in BASELINES.items():
        table = compression.baseline_curve(reference, dataset, name).table.sort_values("bytes")
        drawn = traces[entry.title]
        assert list(drawn.x) == table["bytes"].tolist()
        np.testing.assert_allclose(drawn.y, 100 * table["score"])
        assert drawn.line.color == style("baseline", name).colour
        assert drawn.line.width < 2
    # The page's own curves come first: a click on the first one moves the slider.
    assert {*[*traces][-len(BASELINES) :]} == {entry.title for entry in BASELINES.values()}


@pytest.mark.parametrize("page", PAGES)
def test_without_a_file_size_no_baseline_is_drawn_and_the_page_says_where_they_are(page):
    app = render(page, **WINE)
    assert not {entry.title for entry in BASELINES.values()} & {*traces_of(app, PAGES[page][1])}
    assert WITHOUT_BASELINES in [caption.value for caption in app.caption]


def test_a_baseline_waits_for_the_page_s_own_curves(monkeypatch):
    asked = []
    monkeypatch.setattr(
        requests,
        "baseline_curve",
        lambda trained, name: asked.append(name) or SimpleNamespace(pending=False),
    )
    trained, own = SimpleNamespace(model="mlp"), SimpleNamespace(pending=True)
    for axis in ("knob", "parameters", "macs"):
        assert not request_behind(trained, axis, [own]).jobs
    assert not asked
    early = request_behind(trained, "bytes", [own])
    assert [*early.jobs] == asked == ["rounding"]  # it takes no training
    own.pending = False
    assert {*request_behind(trained, "bytes", [own]).jobs} == {*BASELINES}
