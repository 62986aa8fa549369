"""Figures of the page that combines. Knows no Streamlit."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from pages.shared.format import format_count, format_interval, format_score, format_size
from pages.shared.models.results import CurveView
from pages.shared.models.text import describe_settings, format_epochs
from pages.shared.plots import standard, traces
from pages.shared.plots.baselines import ThinCurve, add_baselines
from pages.shared.plots.layout import build_figure, cost_axis, score_scale, score_title
from pages.shared.plots.palette import (
    COMBINED,
    CONSTRAINED,
    INK,
    LOW_RANK,
    OCHRE,
    SLATE,
    TEAL,
    UNCHANGED,
)

from .text import ALONE, BASELINE, OTHERS

_BELOW = {"orientation": "h", "y": -0.16, "yanchor": "top", "x": 0, "xanchor": "left"}
_IN_SIGHT = 0.1  # of score, in both directions; zoom out to see the rest
COLOURS = {"low_rank": LOW_RANK, "tuned": TEAL, "bound": CONSTRAINED, BASELINE: SLATE}


def score_map(
    table: pd.DataFrame,
    ranks: Sequence[int],
    bounds: Sequence[float],
    current: int,
    task: str,
) -> go.Figure:
    """Score over rank and bound; what is not computed yet is empty, the current pair ringed.

    A point's ``customdata`` is its rank and its bound.
    """
    scale = score_scale(task)
    x, y = [f"{rank}" for rank in ranks], [f"{bound:g}" for bound in bounds]
    columns = [list(ranks).index(rank) for rank in table["rank"]]
    rows = [list(bounds).index(bound) for bound in table["bound"]]
    scores = scale * table["score"].to_numpy()
    z = np.full((len(bounds), len(ranks)), np.nan)
    z[rows, columns] = scores
    said = [
        f"k = {line['rank']:g}, ρ = {line['bound']:g}{format_epochs(line['epochs'])}: {format_score(line['score'], task)}<br>"
        f"{format_interval(line['score_low'], line['score_high'], task)}<br>"
        f"{format_count(line['parameters'])} parameters, {format_size(line['bytes'])}"
        for _, line in table.iterrows()
    ]
    colours = [[0, UNCHANGED], [1, COMBINED]]
    cells = traces.heatmap(
        z, colours, x=x, y=y, scale=score_title(task), xgap=2, ygap=2, **traces.NO_HOVER
    )
    # A heat map's cells cannot be selected: draw invisible points on them, which can.
    targets = traces.points(
        [x[column] for column in columns],
        [y[row] for row in rows],
        "",
        COMBINED,
        size=24,
        symbol="square",
        marker={"opacity": 0},
        hover="%{text}<extra></extra>",
        customdata=table[["rank", "bound"]].to_numpy().tolist(),
        text=said,
        showlegend=False,
    )
    column, row = columns[current], rows[current]
    ring = {
        "type": "rect",
        "x0": column - 0.5,
        "x1": column + 0.5,
        "y0": row - 0.5,
        "y1": row + 0.5,
        "line": {"color": OCHRE, "width": 4},
    }
    axis = {"type": "category", "categoryorder": "array", "showgrid": False}
    return build_figure(
        [cells, targets],
        f"{score_title(task)} over rank and bound",
        380,
        ("Rank k", axis | {"categoryarray": x, "range": [-0.5, len(x) - 0.5]}),
        ("Relative bound ρ", axis | {"categoryarray": y, "range": [-0.5, len(y) - 0.5]}),
        shapes=[ring],
        annotations=_number_cells(columns, rows, scores, 1 if scale > 1 else 2),
        hovermode="closest",
        hoverdistance=-1,  # a cell reacts everywhere, however far from its centre
    )


def _number_cells(
    columns: Sequence[int], rows: Sequence[int], scores: NDArray, digits: int
) -> list[dict[str, Any]]:
    """The score in each cell."""
    return [
        {
            "x": column,  # a name such as "1" would be taken for a number
            "y": row,
            # Avoid -0.0.
            "text": f"{round(value, digits) + 0.0:.{digits}f}".replace("-", "−"),
            "showarrow": False,
            "font": {"size": 12, "color": INK},
        }
        for column, row, value in zip(columns, rows, scores, strict=True)
    ]


def plane(
    together: tuple[str, pd.DataFrame, int],
    alone: Mapping[str, CurveView],
    reference: Mapping[str, float],
    cost: str,
    task: str,
    baselines: Sequence[ThinCurve] = (),
) -> go.Figure:
    """Score against cost: the pairs as points, each alone as a curve, baselines thin.

    ``together``: (title, table, current row). ``alone``: a name of ``ALONE`` -> its curve.
    ``baselines``: as ``add_baselines`` takes them.
    """
    title, table, current = together
    curves = [
        standard.PlaneCurve(ALONE[name], COLOURS[name], curve.table, None, describe_settings(curve))
        for name, curve in alone.items()
    ]
    pairs = [
        f"rank {line['rank']:g}, ρ = {line['bound']:.3g}{format_epochs(line['epochs'])}"
        for line in table.to_dict("records")
    ]
    curves.append(standard.PlaneCurve(title, COMBINED, table, current, pairs))
    figure = standard.plane(curves, reference, cost, task)
    # Draw no line: a grid's points have no order.
    figure.update_traces({"mode": "markers", "marker.size": 8}, {"name": title})
    add_baselines(figure, baselines, cost, task)
    # On a telephone each name takes a line of its own.
    return figure.update_layout(legend=_BELOW, height=figure.layout.height + 16 * len(baselines))


def margins(table: pd.DataFrame, budget: float, task: str) -> go.Figure:
    """The combination's score minus each other's, at equal bytes, with intervals."""
    scale = score_scale(task)
    unit = "points of accuracy" if task == "classification" else "R²"
    ends = table["budget"].min(), table["budget"].max()
    drawn = []
    # Shift them sideways: at one budget the intervals would overlap.
    for place, (name, colour) in enumerate(COLOURS.items()):
        lines = table[(table["other"] == name) & table["change"].notna()]
        if lines.empty:
            continue
        change, low, high = (scale * lines[column] for column in ("change", "low", "high"))
        drawn.append(
            traces.points(
                lines["budget"] * (ends[1] / ends[0]) ** (0.004 * (place - 1)),
                change,
                f"against {OTHERS[name]}",
                colour,
                size=7,
                hover="%{y:+.3g} (%{customdata[0]:+.3g} to %{customdata[1]:+.3g})<br>"
                "at most %{text}",
                text=[format_size(length) for length in lines["budget"]],
                error_y=traces.interval(change, low, high, colour, color=colour, thickness=1.5),
                customdata=np.stack([low, high], axis=1),
            )
        )
    return build_figure(
        drawn,
        "What the combination gains at equal bytes; bars: 95 % intervals",
        400,
        ("Budget of bytes", cost_axis("bytes", *ends)[1]),
        (f"Difference ({unit})", {"zeroline": False, **_choose_range(table, scale)}),
        hovermode="closest",
        legend=_BELOW,
        shapes=[
            traces.horizontal(0, dash="solid"),
            traces.vertical(budget, COMBINED, width=1.2, dash="dot"),
        ],
    )


def _choose_range(table: pd.DataFrame, scale: float) -> dict[str, list[float]]:
    """An axis about zero, where most differences are that near; a few far ones would flatten them."""
    change = table["change"].dropna()
    if len(change) == 0 or (change.abs() > _IN_SIGHT).mean() > 0.5:
        return {}
    reach = max(table["high"].max(), -table["low"].min(), 0.01)
    reach = 1.05 * scale * min(reach, 1.2 * _IN_SIGHT)
    return {"range": [-reach, reach]}
