"""What the tests of the page that decides have in common."""

from dataclasses import replace

import pytest

import compression.catalog
from pages.views.decide import series
from pages.views.decide.series import list_series

EPOCHS = 1  # of each network that is trained on: many are no part of what is tested
IN_FEW_BITS = (  # of many alike
    "activation_aware_svd_few_bits",
    "cardinality_few_bits",
    "constrained_then_low_rank_few_bits",
)

with pytest.MonkeyPatch.context() as _patch:
    _patch.setattr(series, "EPOCHS", EPOCHS)
    SERIES = {one.name: one for one in list_series()}


def with_copy(monkeypatch, catalogue, name, **changed):
    """A catalogue with one more entry named "new", a copy of another one."""
    entries = dict(getattr(compression.catalog, catalogue))
    entries["new"] = replace(entries[name], name="new", **changed)
    monkeypatch.setattr(series, catalogue, entries)
    return next(one for one in list_series() if one.name == "new")


def find_traces(figure, name):
    return [trace for trace in figure.data if trace.name == name]


def go_on(*_args):
    return True
