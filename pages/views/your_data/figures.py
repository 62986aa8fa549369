"""Figures of the page: rows of each class in each part."""

import pandas as pd
import plotly.graph_objects as go

from pages.shared.plots.layout import BELOW, build_figure
from pages.shared.plots.palette import FAINT, OCHRE, REFERENCE
from pages.shared.plots.traces import bars


def parts(counts: pd.DataFrame, task: str) -> go.Figure:
    """Rows of each class, stacked by the part that they are in."""
    names = [str(name) for name in counts.index]
    traces = [
        bars(names, counts[part], part, colour, hover="%{x}: %{y:,} rows")
        for part, colour in zip(counts.columns, (REFERENCE, OCHRE, FAINT), strict=True)
    ]
    kind = "class" if task == "classification" else "part"
    return build_figure(
        traces,
        f"Rows of each {kind}",
        340,
        ("Class" if task == "classification" else "", {"type": "category"}),
        ("Rows", {}),
        barmode="stack",
        legend=BELOW,
    )
