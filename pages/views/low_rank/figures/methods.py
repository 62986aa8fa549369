"""Methods compared: score against rank, or cost."""

from collections.abc import Mapping, Sequence

import pandas as pd
import plotly.graph_objects as go

from pages.shared.format import describe_point
from pages.shared.models.text import format_epochs
from pages.shared.plots.layout import (
    BELOW,
    COSTS,
    build_figure,
    cost_axis,
    score_scale,
    score_title,
)
from pages.shared.plots.palette import style
from pages.shared.plots.traces import Trace, band, current_point, levels, line

from .layer import FEW_POINTS

AXES = {"knob": "Rank k", **COSTS}


def methods(
    curves: Sequence[tuple[str, str, str, pd.DataFrame]],
    reference: Mapping[str, float],
    axis: str,
    rank: int,
    task: str,
) -> go.Figure:
    """Score against rank, or cost: a line a method, fine-tuned ones dashed.

    ``curves``: (method, title, "plain" | "tuned", table). Bands are the first curve's 95 %
    intervals; every point's hover has its own.
    """
    scale = score_scale(task)
    first, _, _, table = curves[0]
    first_style = style("low_rank", first)
    ordered = table.sort_values(axis)
    low, high = (scale * ordered[end].to_numpy() for end in ("score_low", "score_high"))
    traces: list[Trace] = [band(ordered[axis], low, high, first_style.colour)]
    for method, title, kind, rows in curves:
        cost = "parameters" if axis == "knob" else axis
        said = [
            describe_point(
                line, f"rank {line['knob']:.0f}{format_epochs(line['epochs'])}", task, cost
            )
            for line in rows.to_dict("records")
        ]
        tuned = kind == "tuned"
        look = style("low_rank", method)
        traces.append(
            line(
                rows[axis],
                scale * rows["score"],
                title,
                look.colour,
                "dash" if tuned else look.dash,
                markers=5 if len(rows) <= FEW_POINTS else 0,
                symbol="circle-open" if tuned else "circle",
                text=said,
                hover="%{text}",
                showlegend=True,
            )
        )
    now = table.iloc[(table["knob"] - rank).abs().argmin()]
    traces.append(current_point(now[axis], scale * now["score"], first_style.colour))
    ends = [end for *_, rows in curves for end in (rows[axis].min(), rows[axis].max())]
    across = cost_axis(axis, min(ends), max(ends))
    return build_figure(
        traces,
        f"{score_title(task)} against {AXES[axis].lower()}; band: 95 % interval",
        420,
        across,
        (score_title(task), {}),
        hovermode="closest",
        legend=BELOW,
        shapes=levels(reference, scale),
    )
