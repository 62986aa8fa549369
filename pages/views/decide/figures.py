"""Figures of the page that decides: tables to Plotly. Knows no Streamlit."""

from collections.abc import Collection
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from compression.latency import BATCHES, RankLatencies
from pages.shared.plots import traces
from pages.shared.plots.layout import CONFIG, COSTS, build_figure, score_scale, score_title
from pages.shared.plots.palette import LOW_RANK, REFERENCE, TEAL, Style

from . import text
from .text import POINT

AXES = {
    **COSTS,
    "bytes": "File size",
    **{text.latency_column(batch): f"Time of a call with batch {batch} (ms)" for batch in BATCHES},
}
SELECTABLE = {**CONFIG, "modeBarButtonsToRemove": ["select2d", "autoScale2d"]}
_IN_SIGHT = 20 * POINT  # of score below the reference; zoom out to see the rest
_BELOW = {"orientation": "h", "yanchor": "top", "x": 0, "xanchor": "left"}
_BATCH_COLOURS = dict(zip(BATCHES, (LOW_RANK, TEAL), strict=True))
_SCORES = {"test": ("score", "score"), "validation": ("validation_score", "validation")}
_SAID = "%{text}<extra></extra>"
_BEHIND = {"layer": "below"}


def plane(
    table: pd.DataFrame,
    front: NDArray[np.bool_],
    cost: str,
    part: str,
    task: str,
    picked: Collection[str] = (),
    majority: float = float("nan"),
) -> go.Figure:
    """Score against cost: a series a method, the front joined, what it dominates faded.

    Parameters
    ----------
    table : DataFrame
        As ``candidates.list_candidates`` gives it; its first row is the reference's.
    front : ndarray of bool
        Which rows nothing dominates on the validation part.
    cost, part, task : str
        ``part``: "test" or "validation", whose scores are drawn.
    picked : collection of str
        Ids of rows to ring.
    majority : float
        Test score of always the same answer; NaN: no line. Validation scores have none.

    Notes
    -----
    A point's ``customdata`` begins with its id.
    """
    scale = score_scale(task)
    value, ends = _SCORES[part]
    shown = table[cost].notna() & table[value].notna()
    table = table.assign(
        y=scale * table[value],
        low=scale * table[f"{ends}_low"],
        high=scale * table[f"{ends}_high"],
        front=front,
        said=[text.describe_point(line, cost, task) for line in table.to_dict("records")],
    )[shown]
    reference = table[table["series"] == "reference"]
    front_line = table[table["front"]].sort_values([cost, "validation_score"])
    place = front_line[cost], front_line["y"]
    drawn = [traces.line(*place, "Pareto front", REFERENCE, "dot", width=1.5, **traces.NO_HOVER)]
    for name, rows in table[table["series"] != "reference"].groupby("series", sort=False):
        style, title = rows["style"].iloc[0], rows["method"].iloc[0]
        for on_front in (False, True):
            members = rows[rows["front"] == on_front]
            drawn.append(_points(str(name), title, style, members, cost, on_front))
    drawn.append(
        traces.points(
            reference[cost],
            reference["y"],
            "Reference",
            REFERENCE,
            size=12,
            symbol="diamond",
            hover=_SAID,
            customdata=[[line] for line in reference["id"]],
            text=reference["said"].tolist(),
        )
    )
    ringed = table[table["id"].isin(list(picked))]
    if len(ringed):
        look: dict[str, Any] = {
            "size": 19,
            "symbol": "circle-open",
            "marker": {"line": {"width": 2.5}},
        }
        drawn.append(
            traces.points(ringed[cost], ringed["y"], "picked", REFERENCE, **look)
            | {"showlegend": False, **traces.NO_HOVER}
        )
    title = score_title(task)
    if part == "validation":
        title = title.replace("Test", "Validation")
    level = reference["y"].iloc[0]
    floor = majority if part == "test" else float("nan")
    lines = traces.levels({"score": level / scale, "majority": floor}, scale)
    return build_figure(
        drawn,
        f"{title} against {AXES[cost].lower()}; bars: 95 % intervals",
        520,
        (AXES[cost], _cost_axis(table[cost], cost)),
        (title, {"range": _score_range(table, level, scale)}),
        shapes=[line | _BEHIND for line in lines],
        legend=_BELOW | {"y": -0.16},
        hovermode="closest",
    )


def _cost_axis(costs: pd.Series, cost: str) -> dict[str, Any]:
    """A logarithm where the costs differ by much."""
    tick_format = "~s" if cost in COSTS else "~g"
    axis = {"tickformat": tick_format, "ticksuffix": "B" if cost == "bytes" else ""}
    if costs.max() <= 4 * costs.min():
        return {"type": "linear", "dtick": None, **axis}
    ticks = "D2" if costs.max() > 10 * costs.min() else "D1"
    return {"type": "log", "dtick": ticks, **axis}


def _score_range(table: pd.DataFrame, level: float, scale: float) -> list[float]:
    """From somewhat below the reference to the top of the front's intervals."""
    sight = table[table["y"] >= level - scale * _IN_SIGHT]
    bottom, top = sight["y"].min(), sight["high"].where(sight["front"], sight["y"]).max()
    room = 0.06 * max(top - bottom, scale * POINT)
    return [bottom - room, top + room]


def _points(
    name: str, title: str, style: Style, rows: pd.DataFrame, cost: str, front: bool
) -> traces.Trace:
    bars = {}
    if front:
        bars["error_y"] = traces.interval(rows["y"], rows["low"], rows["high"], style.colour)
    return traces.points(
        # A series without a row on the front keeps its place in the legend.
        rows[cost] if len(rows) else [None],
        rows["y"] if len(rows) else [None],
        title,
        style.colour,
        size=10 if front else 6,
        symbol=style.symbol,
        hover=_SAID,
        marker={"opacity": 1 if front else 0.35},
        legendgroup=name,
        showlegend=front,
        customdata=[[line] for line in rows["id"]],
        text=rows["said"].tolist(),
        **bars,
    )


def changes(rows: pd.DataFrame, task: str, loss: float | None, picked: str | None) -> go.Figure:
    """How sure is each choice: its change of test score with the paired 95 % interval."""
    scale = score_scale(task)
    drawn = []
    for _, line in rows.iterrows():
        change, low, high = (
            [scale * line[column]] for column in ("change", "change_low", "change_high")
        )
        colour = line["style"].colour
        drawn.append(
            traces.points(
                change,
                [line["label"]],
                "",
                colour,
                size=11 if line["id"] == picked else 8,
                hover="%{y}<br>%{text}<extra></extra>",
                error_x=traces.interval(change, low, high, colour, thickness=5),
                showlegend=False,
                customdata=[[line["id"]]],
                text=[text.describe_change(line, task)],
            )
        )
    marks = [(0.0, "dash", "reference")]
    if loss:
        marks.append((-scale * loss, "dot", "your limit"))
    ends = [
        *(scale * rows[["change_low", "change_high"]]).to_numpy().ravel(),
        *(at for at, *_ in marks),
    ]
    span = max(max(ends) - min(ends), scale * POINT)
    unit = "points" if task == "classification" else "R²"
    font = {"size": 11}
    return build_figure(
        drawn,
        "What each loses on the test set; bars: 95 % intervals",
        130 + 26 * len(rows),
        (
            f"Change ({unit})",
            # Leave room for the lines' labels on either side.
            {"zeroline": False, "range": [min(ends) - 0.1 * span, max(ends) + 0.2 * span]},
        ),
        ("", {"autorange": "reversed", "type": "category"}),
        shapes=[traces.vertical(at, REFERENCE, dash=dash) | _BEHIND for at, dash, _ in marks],
        annotations=[
            traces.note(at, 1, words, xref="x", xanchor="left" if at == 0 else "right", font=font)
            for at, _, words in marks
        ],
        hovermode="closest",
        margin={"l": 8, "r": 8, "t": 56, "b": 8},
    )


def speed(measured: RankLatencies) -> go.Figure:
    """How many times faster low rank is than the reference, measured and by counting MACs."""
    drawn = []
    for batch, rows in measured.ranks.groupby("batch"):
        colour = _BATCH_COLOURS[int(batch)]
        ratio, low, high = rows["ratio"], rows["ratio_low"], rows["ratio_high"]
        drawn.append(
            traces.line(
                rows["rank"],
                ratio,
                f"measured, batch {batch}",
                colour,
                markers=6,
                hover="rank %{x}: %{y:.2f}× (%{customdata[0]:.2f} to %{customdata[1]:.2f})"
                f"<extra>batch {batch}</extra>",
                error_y=traces.interval(ratio, low, high, colour),
                customdata=np.stack([low, high], axis=1),
            )
        )
    counted = measured.ranks.drop_duplicates("rank")
    drawn.append(
        traces.line(
            counted["rank"],
            counted["counted"],
            "if MACs were time",
            REFERENCE,
            "dot",
            hover="rank %{x}: %{y:.2f}× fewer MACs<extra></extra>",
        )
    )
    return build_figure(
        drawn,
        "Times faster than the reference",
        340,
        ("Rank k", {"type": "log", "dtick": "D2", "tickformat": "~g"}),
        ("Reference's time ÷ this one's", _ratio_axis(measured.ranks)),
        legend=_BELOW | {"y": -0.25},
        shapes=[traces.horizontal(1) | _BEHIND],
    )


def _ratio_axis(ranks: pd.DataFrame) -> dict[str, Any]:
    """A logarithm only where the ratios differ by much."""
    ends = ranks[["ratio_low", "ratio_high", "counted"]].to_numpy()
    if ends.max(initial=1) < 4 * ends.min(initial=1):
        return {}
    return {"type": "log", "dtick": "D2", "tickformat": "~g"}
