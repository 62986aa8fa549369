"""What people would do instead, thin on the plane of score against cost. Knows no Streamlit."""

from collections.abc import Sequence

import pandas as pd
import plotly.graph_objects as go

from pages.shared.format import describe_cost, format_score

from .layout import score_scale
from .palette import Style
from .traces import line

ThinCurve = tuple[str, Style, pd.DataFrame]
"""Title, look, and table with a column ``said``: what a row is called."""


def add_baselines(
    figure: go.Figure, curves: Sequence[ThinCurve], cost: str, task: str
) -> go.Figure:
    """The plane with what people would do instead as thin lines; a click on them does nothing."""
    scale = score_scale(task)
    traces = []
    for title, look, unsorted in curves:
        table = unsorted.sort_values(cost)
        traces.append(
            line(
                table[cost],
                scale * table["score"],
                title,
                look.colour,
                look.dash,
                width=1.2,
                markers=5,
                symbol=look.symbol,
                text=[
                    f"{said}: {format_score(score, task)}, {describe_cost(cost, x)}"
                    for said, score, x in zip(
                        table["said"], table["score"], table[cost], strict=True
                    )
                ],
                hover="%{text}",
            )
        )
    return figure.add_traces(traces) if traces else figure
