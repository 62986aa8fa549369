"""Figures of the page that decides: tables to Plotly. Knows no Streamlit."""

from collections.abc import Collection
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from compression import COMBINED_METHODS, LOW_RANK_METHODS
from pages.shared.plots.layout import CONFIG, COSTS, build_figure, score_scale, score_title
from pages.shared.plots.palette import (
    COMBINED,
    CONSTRAINED,
    LOW_RANK,
    REFERENCE,
    TEAL,
    faded,
    style,
)

from . import text
from .results import BATCHES, POINT, Measured, latency

AXES = {
    **COSTS,
    **{latency(batch): f"Time of a call with batch {batch} (ms)" for batch in BATCHES},
}
SELECTABLE = {**CONFIG, "modeBarButtonsToRemove": ["select2d", "autoScale2d"]}
_SYMBOLS = (
    *("pentagon", "square", "diamond", "triangle-up", "star", "hexagon"),
    *("triangle-down", "cross", "x", "hourglass"),
)
LOOK = {
    **{name: (style("low_rank", name).colour, "circle") for name in LOW_RANK_METHODS},
    "truncated_svd_tuned": (LOW_RANK, "diamond"),
    "activation_aware_svd_tuned": (TEAL, "diamond"),
    "budgets": (LOW_RANK, "pentagon"),
    "box": (CONSTRAINED, "circle"),
    "upper": (CONSTRAINED, "triangle-down"),
    "l1": (CONSTRAINED, "triangle-up"),
    "l2": (CONSTRAINED, "square"),
    "cardinality": (CONSTRAINED, "star"),
    "refit": (CONSTRAINED, "diamond"),
    "learning_compression": (CONSTRAINED, "hexagon"),
    "quantized": (CONSTRAINED, "pentagon"),
    **dict(zip(COMBINED_METHODS, product([COMBINED], _SYMBOLS), strict=False)),
    "fine_tuned": (REFERENCE, "diamond-open"),
    "reference": (REFERENCE, "diamond"),
}
_IN_SIGHT = 20 * POINT  # of score below the reference; the rest is a zoom away
_BELOW = {"orientation": "h", "yanchor": "top", "x": 0, "xanchor": "left"}
_SPEED = dict(zip(BATCHES, (LOW_RANK, TEAL), strict=True))
_SCORES = {"test": ("score", "score"), "validation": ("validation_score", "validation")}


def plane(
    table: pd.DataFrame,
    front: NDArray[np.bool_],
    cost: str,
    part: str,
    task: str,
    picked: Collection[str] = (),
) -> go.Figure:
    """Score against cost: a series a method, the front joined, what it dominates faded.

    Parameters
    ----------
    table : DataFrame
        As ``decide_results.everything`` gives it; one row is the reference's.
    front : ndarray of bool
        Which rows nothing dominates on the validation part.
    cost, part, task : str
        ``part``: "test" or "validation", whose scores are drawn.
    picked : collection of str
        Ids of rows to ring.

    Notes
    -----
    A point's ``customdata`` begins with its id.
    """
    scale = score_scale(task)
    value, ends = _SCORES[part]
    shown = table[cost].notna() & table[value].notna()
    table = table.assign(
        y=scale * table[value],
        above=scale * (table[f"{ends}_high"] - table[value]),
        below=scale * (table[value] - table[f"{ends}_low"]),
        front=front,
        said=[text.hover(line, cost, task) for line in table.to_dict("records")],
    )[shown]
    reference = table[table["series"] == "reference"].iloc[0]
    joined = table[table["front"]].sort_values([cost, "validation_score"])
    traces: list[dict[str, Any]] = [
        {
            "type": "scatter",
            "x": joined[cost],
            "y": joined["y"],
            "mode": "lines",
            "name": "Pareto front",
            "line": {"color": REFERENCE, "width": 1.5, "dash": "dot"},
            "hoverinfo": "skip",
        }
    ]
    for name, rows in table[table["series"] != "reference"].groupby("series", sort=False):
        for on_front in (False, True):
            part_of = rows[rows["front"] == on_front]
            traces.append(_points(str(name), rows["method"].iloc[0], part_of, cost, on_front))
    traces.append(
        {
            "type": "scatter",
            "x": [reference[cost]],
            "y": [reference["y"]],
            "mode": "markers",
            "name": "Reference",
            "marker": {"color": REFERENCE, "size": 12, "symbol": "diamond"},
            "customdata": [[reference["id"]]],
            "text": [reference["said"]],
            "hovertemplate": "%{text}<extra></extra>",
        }
    )
    ringed = table[table["id"].isin(list(picked))]
    if len(ringed):
        traces.append(
            {
                "type": "scatter",
                "x": ringed[cost],
                "y": ringed["y"],
                "mode": "markers",
                "name": "picked",
                "showlegend": False,
                "hoverinfo": "skip",
                "marker": {
                    "size": 19,
                    "symbol": "circle-open",
                    "color": REFERENCE,
                    "line": {"width": 2.5},
                },
            }
        )
    sight = table[table["y"] >= reference["y"] - scale * _IN_SIGHT]
    bottom, top = sight["y"].min(), (sight["y"] + sight["above"].where(sight["front"], 0)).max()
    room = 0.06 * max(top - bottom, scale * POINT)
    costs = table[cost]
    wide = costs.max() > 4 * costs.min()
    title = score_title(task)
    if part == "validation":
        title = title.replace("Test", "Validation")
    return build_figure(
        traces,
        f"{title} against {AXES[cost].lower()}, with 95 % intervals",
        520,
        (
            AXES[cost],
            {
                "type": "log" if wide else "linear",
                "tickformat": "~s" if cost in COSTS else "~g",
                "dtick": ("D2" if costs.max() > 10 * costs.min() else "D1") if wide else None,
            },
        ),
        (title, {"range": [bottom - room, top + room]}),
        shapes=[
            {
                "type": "line",
                "xref": "paper",
                "x0": 0,
                "x1": 1,
                "y0": reference["y"],
                "y1": reference["y"],
                "line": {"color": REFERENCE, "dash": "dash", "width": 1.5},
                "layer": "below",
            }
        ],
        legend=_BELOW | {"y": -0.16},
        hovermode="closest",
    )


def _points(name: str, title: str, rows: pd.DataFrame, cost: str, front: bool) -> dict[str, Any]:
    colour, symbol = LOOK[name]
    trace: dict[str, Any] = {
        "type": "scatter",
        # A series of which nothing is on the front keeps its place in the legend.
        "x": rows[cost] if len(rows) else [None],
        "y": rows["y"] if len(rows) else [None],
        "mode": "markers",
        "name": title,
        "legendgroup": name,
        "showlegend": front,
        "marker": {
            "color": colour,
            "symbol": symbol,
            "size": 10 if front else 6,
            "opacity": 1 if front else 0.35,
        },
        "customdata": [[line] for line in rows["id"]],
        "text": rows["said"].tolist(),
        "hovertemplate": "%{text}<extra></extra>",
    }
    if front:
        trace["error_y"] = {
            "type": "data",
            "symmetric": False,
            "array": rows["above"],
            "arrayminus": rows["below"],
            "color": faded(colour),
            "thickness": 3,
            "width": 0,
        }
    return trace


def changes(rows: pd.DataFrame, task: str, loss: float | None, picked: str | None) -> go.Figure:
    """How sure is each choice: its change of test score with the paired 95 % interval."""
    scale = score_scale(task)
    names = [text.name(line) for _, line in rows.iterrows()]
    colours = [LOOK[name][0] for name in rows["series"]]
    traces = [
        {
            "type": "scatter",
            "x": [scale * line["change"]],
            "y": [name],
            "error_x": {
                "type": "data",
                "symmetric": False,
                "array": [scale * (line["change_high"] - line["change"])],
                "arrayminus": [scale * (line["change"] - line["change_low"])],
                "color": faded(colour),
                "thickness": 5,
                "width": 0,
            },
            "mode": "markers",
            "marker": {"color": colour, "size": 11 if line["id"] == picked else 8},
            "showlegend": False,
            "customdata": [[line["id"]]],
            "text": [text.change(line, task)],
            "hovertemplate": "%{y}<br>%{text}<extra></extra>",
        }
        for name, colour, (_, line) in zip(names, colours, rows.iterrows(), strict=True)
    ]
    marks = [(0.0, "dash", "reference")]
    if loss:
        marks.append((-scale * loss, "dot", "your limit"))
    ends = [
        *(scale * rows[["change_low", "change_high"]]).to_numpy().ravel(),
        *(at for at, *_ in marks),
    ]
    span = max(max(ends) - min(ends), scale * POINT)
    score = "test accuracy (points)" if task == "classification" else "test R²"
    return build_figure(
        traces,
        "What each loses on the test set, with 95 % intervals",
        130 + 26 * len(rows),
        (
            f"Change of {score}",
            # Room for the lines' labels, which stand on either side.
            {"zeroline": False, "range": [min(ends) - 0.1 * span, max(ends) + 0.2 * span]},
        ),
        ("", {"autorange": "reversed", "type": "category"}),
        shapes=[
            {
                "type": "line",
                "x0": at,
                "x1": at,
                "yref": "paper",
                "y0": 0,
                "y1": 1,
                "line": {"color": REFERENCE, "width": 1.5, "dash": dash},
                "layer": "below",
            }
            for at, dash, _ in marks
        ],
        annotations=[
            {
                "x": at,
                "y": 1,
                "yref": "paper",
                "yanchor": "bottom",
                "xanchor": "center" if at == 0 else "right",
                "text": text,
                "showarrow": False,
                "font": {"size": 11, "color": REFERENCE},
            }
            for at, _, text in marks
        ],
        hovermode="closest",
        margin={"l": 8, "r": 8, "t": 56, "b": 8},
    )


def _ratios(ranks: pd.DataFrame) -> dict[str, Any]:
    """Settings of an axis of ratios: a logarithm only where they differ by much."""
    ends = ranks[["ratio_low", "ratio_high", "counted"]].to_numpy()
    if ends.max(initial=1) < 4 * ends.min(initial=1):
        return {}
    return {"type": "log", "dtick": "D2", "tickformat": "~g"}


def speed(measured: Measured) -> go.Figure:
    """How many times faster low rank is than the reference, measured and by counting MACs."""
    traces: list[dict[str, Any]] = []
    for batch, rows in measured.ranks.groupby("batch"):
        colour = _SPEED[int(batch)]
        traces.append(
            {
                "type": "scatter",
                "x": rows["rank"],
                "y": rows["ratio"],
                "error_y": {
                    "type": "data",
                    "symmetric": False,
                    "array": rows["ratio_high"] - rows["ratio"],
                    "arrayminus": rows["ratio"] - rows["ratio_low"],
                    "color": faded(colour),
                    "thickness": 3,
                    "width": 0,
                },
                "mode": "lines+markers",
                "name": f"measured, batch {batch}",
                "line": {"color": colour, "width": 2},
                "customdata": np.stack([rows["ratio_low"], rows["ratio_high"]], axis=1),
                "hovertemplate": "rank %{x}: %{y:.2f}× (%{customdata[0]:.2f} to "
                f"%{{customdata[1]:.2f}})<extra>batch {batch}</extra>",
            }
        )
    counted = measured.ranks.drop_duplicates("rank")
    traces.append(
        {
            "type": "scatter",
            "x": counted["rank"],
            "y": counted["counted"],
            "mode": "lines",
            "name": "if MACs were time",
            "line": {"color": REFERENCE, "width": 2, "dash": "dot"},
            "hovertemplate": "rank %{x}: %{y:.2f}× fewer MACs<extra></extra>",
        }
    )
    return build_figure(
        traces,
        "Times faster than the reference",
        340,
        ("Rank k", {"type": "log", "dtick": "D2", "tickformat": "~g"}),
        ("Reference's time ÷ this one's", _ratios(measured.ranks)),
        legend=_BELOW | {"y": -0.25},
        shapes=[
            {
                "type": "line",
                "xref": "paper",
                "x0": 0,
                "x1": 1,
                "y0": 1,
                "y1": 1,
                "line": {"color": REFERENCE, "dash": "dash", "width": 1.5},
                "layer": "below",
            }
        ],
    )
