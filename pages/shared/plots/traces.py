"""The vocabulary of figures: each kind of trace and line, written once, as a plain mapping.

Plotly checks a figure's mappings once, when the figure is built from all of them: a figure that is
changed step by step takes five times as long, and a moved slider waits for it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .palette import LOW_RANK, REFERENCE, fade

Trace = dict[str, Any]
Shape = dict[str, Any]
Values = Any  # what Plotly takes: an array, a Series, a sequence

NO_HOVER: dict[str, Any] = {"hoverinfo": "skip"}


def line(
    x: Values,
    y: Values,
    name: str,
    colour: str,
    dash: str = "solid",
    *,
    width: float = 2,
    markers: float = 0,
    symbol: str = "circle",
    hover: str | None = None,
    **more: Any,
) -> Trace:
    """A line; with markers of that size (pixels) where it is more than 0.

    ``hover`` is Plotly's template; the name stands beside it, unless it says otherwise.
    """
    trace: Trace = {
        "type": "scatter",
        "x": x,
        "y": y,
        "name": name,
        "mode": "lines+markers" if markers else "lines",
        "line": {"color": colour, "width": width, "dash": dash},
    }
    if markers:
        trace["marker"] = {"size": markers, "symbol": symbol}
    return trace | _hover(hover, name) | more


def points(
    x: Values,
    y: Values,
    name: str,
    colour: Values,
    *,
    size: Values = 6,
    symbol: Values = "circle",
    hover: str | None = None,
    marker: Mapping[str, Any] | None = None,
    **more: Any,
) -> Trace:
    """Points without a line between them; ``marker`` adds to the marker's settings."""
    trace: Trace = {
        "type": "scatter",
        "x": x,
        "y": y,
        "name": name,
        "mode": "markers",
        "marker": {"color": colour, "size": size, "symbol": symbol, **(marker or {})},
    }
    return trace | _hover(hover, name) | more


def current_point(x: float, y: float, colour: str, *, size: float = 13, **more: Any) -> Trace:
    """The point where a slider stands: large, with a ring around it."""
    ring = {"line": {"width": 2.5, "color": "rgba(255,255,255,0.95)"}}
    return points([x], [y], "", colour, size=size, marker=ring, showlegend=False, **NO_HOVER) | more


def bars(
    x: Values,
    y: Values,
    name: str,
    colour: Values,
    *,
    hover: str | None = None,
    **more: Any,
) -> Trace:
    """Bars without an outline; ``orientation="h"`` for lying ones."""
    trace: Trace = {
        "type": "bar",
        "x": x,
        "y": y,
        "name": name,
        "marker": {"color": colour, "line": {"width": 0}},
    }
    return trace | _hover(hover, name) | more


def band(x: Values, low: Values, high: Values, colour: str, **more: Any) -> Trace:
    """The area between two curves, faded and without a hover."""
    x = np.asarray(x)
    trace: Trace = {
        "type": "scatter",
        "x": np.concatenate([x, x[::-1]]),
        "y": np.concatenate([np.asarray(high), np.asarray(low)[::-1]]),
        "mode": "lines",
        "fill": "toself",
        "fillcolor": fade(colour),
        "line": {"width": 0},
        "showlegend": False,
    }
    return trace | NO_HOVER | more


def interval(values: Values, low: Values, high: Values, colour: str, **more: Any) -> dict[str, Any]:
    """Ends of intervals around values, for a trace's ``error_y`` or ``error_x``."""
    values, low, high = np.asarray(values), np.asarray(low), np.asarray(high)
    return {
        "type": "data",
        "symmetric": False,
        "array": high - values,
        "arrayminus": values - low,
        "color": fade(colour),
        "thickness": 3,
        "width": 0,
        **more,
    }


def heatmap(
    z: Values,
    colours: Sequence[Any] | str,
    *,
    x: Values = None,
    y: Values = None,
    low: float | None = None,
    high: float | None = None,
    scale: str | None = None,
    hover: str | None = None,
    **more: Any,
) -> Trace:
    """A matrix as colours; ``scale`` is the title of its colour bar, None: it has none."""
    trace: Trace = {
        "type": "heatmap",
        "z": z,
        "colorscale": colours,
        "showscale": scale is not None,
    }
    for name, value in {"x": x, "y": y, "zmin": low, "zmax": high}.items():
        if value is not None:
            trace[name] = value
    if scale is not None:
        trace["colorbar"] = colour_bar(scale)
    return trace | _hover(hover, "") | more


def contour_lines(
    ends: Values, z: Values, colour: str, count: int, *, hover: str | None = None, **more: Any
) -> Trace:
    """Lines of equal loss over two weights that run over the same range, pale where it is large."""
    return {
        "type": "contour",
        "x": ends,
        "y": ends,
        "z": z,
        "contours": {"coloring": "lines"},
        "ncontours": count,
        "line": {"width": 1},
        "colorscale": [[0, colour], [1, fade(colour, 0.25)]],
        "showscale": False,
        "name": "loss",
        **(NO_HOVER if hover is None else {"hovertemplate": hover}),
        **more,
    }


def contour_area(ends: Values, z: Values, name: str, colour: str) -> Trace:
    """Where values over two weights are below 0, as an area."""
    return {
        "type": "contour",
        "x": ends,
        "y": ends,
        "z": z,
        # Plotly fills where the constraint does not hold.
        "contours": {"type": "constraint", "operation": ">", "value": 0},
        "fillcolor": fade(colour, 0.16),
        "line": {"color": colour, "width": 1.5},
        "name": name,
        "showlegend": True,
        **NO_HOVER,
    }


def colour_bar(title: str, **more: Any) -> dict[str, Any]:
    """A thin colour bar with its title beside it."""
    return {"title": {"text": title, "side": "right"}, "thickness": 10, "outlinewidth": 0, **more}


def text(x: Values, y: Values, words: Values, size: float, **font: Any) -> Trace:
    """Words at places, without markers."""
    trace: Trace = {"type": "scatter", "x": x, "y": y, "text": words, "mode": "text"}
    return trace | {"textfont": {"size": size, **font}, "showlegend": False} | NO_HOVER


def vertical(
    x: float, colour: str = LOW_RANK, *, width: float = 1.5, dash: str = "solid", top: float = 1.0
) -> Shape:
    """An upright line over the whole plot; ``top``: where it ends, 1 is the plot's upper edge."""
    stroke = {"color": colour, "width": width, "dash": dash}
    return {"type": "line", "x0": x, "x1": x, "y0": 0, "y1": top, "yref": "paper", "line": stroke}


def horizontal(
    y: float, colour: str = REFERENCE, *, width: float = 1.5, dash: str = "dash"
) -> Shape:
    """A level line over the whole plot: by default the reference's, dashed."""
    stroke = {"color": colour, "width": width, "dash": dash}
    return {
        "type": "line",
        "xref": "x domain",
        "x0": 0,
        "x1": 1,
        "y0": y,
        "y1": y,
        "line": stroke,
    }


def levels(reference: Mapping[str, float], scale: float) -> list[Shape]:
    """Two level lines: the reference's score, dashed, and that of always the same answer, dotted."""
    lines = [horizontal(scale * reference["score"])]
    majority = reference.get("majority", float("nan"))
    if majority == majority:
        words = {"text": "always the same answer", "textposition": "end", "font": {"size": 10}}
        lines.append(horizontal(scale * majority, width=1, dash="dot") | {"label": words})
    return lines


def note(x: float, y: float, words: str, **more: Any) -> dict[str, Any]:
    """Words above a place of the whole picture, 0 to 1 each way, for ``annotations``."""
    place = {"x": x, "y": y, "xref": "paper", "yref": "paper", "yanchor": "bottom"}
    return {**place, "text": words, "showarrow": False, "font": {"size": 12}, **more}


def _hover(template: str | None, name: str) -> dict[str, Any]:
    if template is None:
        return {}
    if "<extra>" not in template:
        template += f"<extra>{name}</extra>"
    return {"hovertemplate": template}
