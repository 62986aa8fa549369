"""Figures of the training page: the data."""

import pandas as pd
import plotly.graph_objects as go

from pages.shared.plots.layout import build_figure
from pages.shared.plots.palette import FAINT, REFERENCE
from pages.shared.plots.traces import bars


def class_counts(counts: pd.DataFrame) -> go.Figure:
    """Samples of each class, training and test part."""
    names = [str(name) for name in counts.index]
    traces = [
        bars(names, counts[part], part, colour, hover="%{x}: %{y} samples")
        for part, colour in zip(counts.columns, (REFERENCE, FAINT), strict=True)
    ]
    classes = ("Class", {"type": "category"})
    return build_figure(
        traces, "Samples of each class", 300, classes, ("Samples", {}), barmode="stack"
    )


def distribution(values: pd.Series) -> go.Figure:
    """How often each value occurs."""
    bins = {"type": "histogram", "x": values, "marker": {"color": REFERENCE}, "nbinsx": 30}
    title = "Target values of the training part"
    return build_figure([bins], title, 300, (str(values.name), {}), ("Samples", {}), bargap=0.05)
