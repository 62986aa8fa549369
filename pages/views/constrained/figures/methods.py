"""Figures of the ways to a bound: their scores, and learning–compression's penalties."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from compression import CONSTRAINED_METHODS
from pages.shared.format import describe_point
from pages.shared.models.constrained_tasks import PATH
from pages.shared.models.text import bound_letter, format_epochs
from pages.shared.plots.layout import (
    BELOW,
    COSTS,
    build_figure,
    cost_axis,
    score_scale,
    score_title,
)
from pages.shared.plots.palette import CONSTRAINED, Style, style
from pages.shared.plots.traces import current_point, interval, levels, line, vertical

from .axes import bound_axis

AXES = {"knob": "Bound", **COSTS}


def methods(
    curves: Sequence[tuple[str, str, pd.DataFrame]],
    reference: Mapping[str, float],
    axis: str,
    bound: float,
    knob: str,
    task: str,
) -> go.Figure:
    """Score against the bound, or what it costs: a line a way; bars are the first one's intervals.

    ``curves``: (way's name in the catalogue, title, table).
    """
    scale, letter = score_scale(task), bound_letter(knob)
    cost = "bytes" if axis == "knob" else axis
    traces = []
    for number, (name, title, table) in enumerate(curves):
        look, ordered = _style_of(name), table.sort_values("knob")
        low, high, scores = (
            scale * ordered[column].to_numpy() for column in ("score_low", "score_high", "score")
        )
        traces.append(
            line(
                ordered[axis],
                scores,
                title,
                look.colour,
                look.dash,
                markers=6,
                symbol=look.symbol,
                mode="lines+markers" if axis == "knob" else "markers",
                error_y=interval(scores, low, high, look.colour, visible=number == 0),
                # Use lists: a click would return an array's row in another form.
                customdata=[[bound] for bound in ordered["knob"].tolist()],
                text=[
                    describe_point(
                        line,
                        f"{letter} = {line['knob']:.3g}{format_epochs(line['epochs'])}",
                        task,
                        cost,
                    )
                    for line in ordered.to_dict("records")
                ],
                hover="%{text}",
            )
        )
    first = curves[0][2]
    now = first.iloc[(first["knob"] - bound).abs().argmin()]
    traces.append(
        current_point(now[axis], scale * now["score"], _style_of(curves[0][0]).colour, size=14)
    )
    ends = [v for _, _, table in curves for v in (table[axis].min(), table[axis].max())]
    marks = [vertical(bound, CONSTRAINED)] if axis == "knob" else []
    return build_figure(
        traces,
        f"{score_title(task)} against {AXES[axis].lower()}; bars: 95 % intervals of the first",
        420,
        bound_axis(knob) if axis == "knob" else cost_axis(axis, min(ends), max(ends)),
        (score_title(task), {}),
        shapes=[*levels(reference, scale), *marks],
        hovermode="closest",
        legend=BELOW | {"y": -0.16},
    )


def _style_of(way: str) -> Style:
    """Of a method, or of the optimum, whichever solver finds it."""
    return style("way", way if way in CONSTRAINED_METHODS else PATH)


def schedule(way: str, first: float, last: float, count: int) -> go.Figure:
    """The penalty, round by round of each bound: geometric."""
    rounds = line(
        np.arange(1, count + 1),
        np.geomspace(first, last, count),
        "μ",
        style("way", way).colour,
        markers=6,
        hover="round %{x}: μ = %{y:.3g}<extra></extra>",
        showlegend=False,
    )
    return build_figure(
        [rounds],
        "Penalty μ of each round",
        200,
        ("Round of a bound", {"dtick": max(1, count // 10)}),
        ("μ", {"type": "log", "tickformat": "~g", "dtick": "D2"}),
    )
