"""Nobody has to read a catalogue's names: menus, tables, figures and sentences show titles."""

import json

import pytest

import compression
import data
from tests.pages.rendering import render

CATALOGUES = (
    compression.MODELS,
    compression.LOW_RANK_METHODS,
    compression.CONSTRAINTS,
    compression.CONSTRAINED_METHODS,
    compression.COMBINED_METHODS,
    compression.SOLVERS,
    compression.BASELINES,
    data.DATASETS,
)
NAMES = {name for catalogue in CATALOGUES for name in catalogue if "_" in name}
# Of a figure's specification: what a browser hands back and never shows.
UNSEEN = {"customdata", "legendgroup", "uid", "type", "ids"}


def strings(part):
    """Every string of a nested value, without those that are not shown."""
    if isinstance(part, str):
        yield part
    elif isinstance(part, dict):
        for key, value in part.items():
            if key not in UNSEEN:
                yield from strings(value)
    elif isinstance(part, list):
        for value in part:
            yield from strings(value)


def read_page(app):
    """Whatever a person reads: sentences, menus, tables, figures."""
    for kind in ("markdown", "caption", "info", "warning", "success", "header", "title"):
        yield from (said.value for said in getattr(app, kind))
    for menu in (*app.selectbox, *app.multiselect, *app.select_slider):
        yield from (menu.label, *map(str, menu.options))
    for group in app.get("button_group"):
        yield from (option.content for option in group.proto.options)
    for button in app.button:
        yield button.label
    for metric in app.metric:
        yield from (metric.label, metric.value, metric.delta)
    for table in app.dataframe:
        yield from map(str, (*table.value.columns, *table.value.to_numpy().ravel()))
    for chart in app.get("plotly_chart"):
        yield from (chart.proto.alt, *strings(json.loads(chart.proto.spec)))


@pytest.mark.parametrize(
    ("page", "more"),
    [
        ("compare.py", {"differences": "true", "baselines": "rounding"}),
        ("decide.py", {"compare": "Truncated SVD rank 1"}),
    ],
)
def test_no_name_of_a_catalogue_is_on_screen(page, more):
    app = render(page, dataset="breast_cancer", model="softmax_regression", **more)
    read = list(read_page(app))
    for title in ("Breast cancer", "Softmax regression", "Truncated SVD"):
        assert any(title in text for text in read), title
    assert [(name, text) for name in NAMES for text in read if name in text] == []
