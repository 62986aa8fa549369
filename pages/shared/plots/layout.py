"""Frames, axes and legends that all figures share."""

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from pages.shared.format import MACS

from .traces import note

NARROW = 3  # times the lowest cost; narrower axes get at least five ticks at other round numbers
COSTS = {"parameters": "Parameters", "bytes": "File size (bytes)", "macs": MACS}

# The camera above a chart takes a PNG of twice the screen's resolution.
CAMERA = {"format": "png", "scale": 2, "filename": "figure"}
CONFIG = {
    "displaylogo": False,
    "modeBarButtonsToRemove": ["select2d", "lasso2d", "autoScale2d"],
    "toImageButtonOptions": CAMERA,
}

MARGIN = {"l": 8, "r": 8, "t": 36, "b": 8}
SUBTITLE = 24  # pixels of a title's second line
LEGEND = {"orientation": "h", "y": 1.0, "yanchor": "bottom", "x": 1, "xanchor": "right"}
BELOW = {"orientation": "h", "y": -0.2, "yanchor": "top", "x": 0, "xanchor": "left"}
NAMELESS: tuple[str, dict[str, Any]] = ("", {})  # an axis without a title
STANDOFF = {"x": 6, "y": 10}  # pixels between an axis and its title


def _frame(title: str, height: int, margin: Mapping[str, int] = MARGIN) -> dict[str, Any]:
    """What every figure has; a title's second line, behind a semicolon, has room of its own."""
    text, _, second = title.partition("; ")
    more = SUBTITLE if second else 0
    return {
        "title": {
            "text": text,
            "subtitle": {"text": second, "font": {"size": 12}},
            "font": {"size": 14},
            "x": 0,
            "xanchor": "left",
            "y": 0.98,
            "yanchor": "top",
        },
        "height": height + more,
        "margin": {**margin, "t": margin["t"] + more},
        "legend": LEGEND,
        "hoverlabel": {"namelength": -1},
    }


def build_figure(
    traces: Sequence[Mapping[str, Any]],
    title: str,
    height: int,
    x: tuple[str, Mapping[str, Any]],
    y: tuple[str, Mapping[str, Any]],
    **layout: Any,
) -> go.Figure:
    """A figure of one plot from plain mappings.

    Plotly checks them once: a figure that is changed step by step takes five times as long to
    build, and a moved slider waits for it. ``x``, ``y``: an axis' title and its other settings.
    ``title``: up to 50 characters a line, for a telephone cuts it; behind "; " is its second line.
    """
    frame = _frame(title, height, layout.pop("margin", MARGIN))
    axes = {
        f"{name}axis": {
            "title": {"text": text, "standoff": STANDOFF[name]},
            "automargin": True,
            **settings,
        }
        for name, (text, settings) in {"x": x, "y": y}.items()
    }
    return go.Figure(data=traces, layout=frame | axes | layout)


def panel(
    number: int, columns: int, rows: int = 1, gaps: tuple[float, float] = (0.02, 0.12)
) -> tuple[dict[str, Any], dict[str, Any], tuple[float, float]]:
    """One of several plots in a grid, counted from 1 along its rows.

    Its x axis, its y axis, and the middle of its upper edge, where its title stands; ``gaps`` are
    those between columns and between rows. All as shares of the whole picture.
    """
    down, across = divmod(number - 1, columns)
    width = (1 - (columns - 1) * gaps[0]) / columns
    height = (1 - (rows - 1) * gaps[1]) / rows
    left, top = across * (width + gaps[0]), 1 - down * (height + gaps[1])
    right, bottom = min(left + width, 1.0), max(top - height, 0.0)
    common = {"showgrid": False, "automargin": True}
    x = {"domain": (left, right), "anchor": f"y{number}", **common}
    y = {"domain": (bottom, top), "anchor": f"x{number}", **common}
    return x, y, ((left + right) / 2, top)


def cost_axis(cost: str, low: float, high: float) -> tuple[str, dict[str, Any]]:
    """Title and settings of an axis of costs, or ranks, from ``low`` to ``high``: bytes as kB."""
    fine, narrow = high < 10 * low, high < NARROW * low
    if narrow:
        places = _round_places(low, high)
    else:
        steps = range(1, 10) if fine else (1, 2, 5)
        places = [step * 10**power for power in range(12) for step in steps]
    if cost == "bytes":
        words = [_write_bytes(place) for place in places]
        return "File size", {"type": "log", "tickvals": places, "ticktext": words}
    ticks = {"tickvals": places} if narrow else {"dtick": "D1" if fine else "D2"}
    return COSTS.get(cost, "Rank k"), {"type": "log", "tickformat": "~s", **ticks}


def _round_places(low: float, high: float) -> list[int]:
    """Whole round numbers, some five of them from ``low`` to ``high`` and as far beyond."""
    span = max(high - low, high / 4, 1)
    step = next(
        step * 10**power
        for power in range(12)
        for step in (1, 2, 5)
        if 5 * step * 10**power >= span
    )
    first = max(int((low - span) // step), 1)
    return [step * number for number in range(first, int((high + span) // step) + 1)]


def _write_bytes(value: int) -> str:
    for unit, size in (("MB", 10**6), ("kB", 10**3)):
        if value >= size:
            return f"{value / size:g} {unit}"
    return f"{value} B"


def place_in_grid(
    traces: Sequence[Mapping[str, Any]],
    labels: Sequence[str],
    columns: int,
    gaps: tuple[float, float] = (0.02, 0.12),
    **style: Any,
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Small plots without axes, along the rows of a grid, each below its label.

    The traces with their places, and what the layout has of them. Pictures keep their proportions.
    """
    placed, axes, notes = [], {}, []
    rows = -(-len(traces) // columns)
    for number, (trace, label) in enumerate(zip(traces, labels, strict=True), start=1):
        x, y, top = panel(number, columns, rows, gaps)
        if trace["type"] == "heatmap":
            x["constrain"] = y["constrain"] = "domain"
            y |= {"autorange": "reversed", "scaleanchor": f"x{number}", "constraintoward": "top"}
        placed.append({**trace, "xaxis": f"x{number}", "yaxis": f"y{number}"})
        axes[axis_name("x", number)] = x | {"visible": False}
        axes[axis_name("y", number)] = y | {"visible": False}
        if label:
            notes.append(note(*top, label, **style))
    return placed, {"annotations": notes, **axes}


def axis_name(side: str, number: int) -> str:
    """What a layout calls the x or y axis of one of several plots."""
    return f"{side}axis{number if number > 1 else ''}"


def score_title(task: str) -> str:
    return "Test accuracy (%)" if task == "classification" else "Test R²"


def score_scale(task: str) -> float:
    """Accuracies are drawn in per cent, R² as it is."""
    return 100.0 if task == "classification" else 1.0
