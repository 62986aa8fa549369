"""A layer's weight as pictures: its approximation and residual, and what its ranks look for."""

from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from pages.shared.plots.layout import (
    MARGIN,
    NAMELESS,
    axis_name,
    build_figure,
    panel,
    place_in_grid,
)
from pages.shared.plots.palette import DIVERGING, FAINT, LOW_RANK
from pages.shared.plots.traces import colour_bar, heatmap, line, note

CELLS = 32_768  # of a heat map; beyond it rows or columns are left out, and the title says so
PICTURES = 12
_MARGIN = MARGIN | {"t": 62}


def matrices(weight: NDArray, approximation: NDArray, rank: int, layer: str) -> go.Figure:
    """Weight, its approximation and what is left, on one scale."""
    rows, columns = _choose_strides(weight.shape)
    parts = {
        "W": weight,
        "Ŵ": approximation,
        "W − Ŵ": weight - approximation,
    }
    largest = float(np.abs(weight).max()) or 1.0
    traces, notes = [], []
    axes: dict[str, Any] = {}
    for number, (name, matrix) in enumerate(parts.items(), start=1):
        traces.append(
            heatmap(
                matrix[::rows, ::columns].astype(np.float32),
                DIVERGING,
                x=np.arange(1, weight.shape[1] + 1, columns),
                y=np.arange(1, weight.shape[0] + 1, rows),
                hover="output %{y}, input %{x}<br>%{z:.4g}<extra>" + name + "</extra>",
                coloraxis="coloraxis",
                xaxis=f"x{number}",
                yaxis=f"y{number}",
            )
        )
        x, y, top = panel(number, len(parts))
        if number == 2:  # of all three: side by side they would overlap on a telephone
            x["title"] = {"text": "Input (column)", "standoff": 6}
        y["autorange"] = "reversed"
        if number == 1:
            y["title"] = {"text": "Output (row)", "standoff": 6}
        else:
            x["matches"], y["matches"] = "x", "y"
            y["showticklabels"] = False
        axes |= {axis_name("x", number): x, axis_name("y", number): y}
        notes.append(note(*top, name))
    title = f"{layer}: weight, approximation, residual; Ŵ has rank {rank}"
    if rows > 1 or columns > 1:
        title += f", every {_write_ordinal(rows)}row, every {_write_ordinal(columns)}column"
    scale = {
        "colorscale": DIVERGING,
        "cmin": -largest,
        "cmax": largest,
        "colorbar": colour_bar("units of the weight"),
    }
    return build_figure(
        traces,
        title,
        340,
        NAMELESS,
        NAMELESS,
        annotations=notes,
        margin=_MARGIN,
        coloraxis=scale,
        **axes,
    )


def patterns(values: NDArray, rank: int, layer: str, exact: bool) -> go.Figure:
    """What the first ranks of a first layer look for, as pictures or signals, side by side.

    ``exact``: the factors are right singular vectors, of length 1.
    """
    traces, labels = [], []
    for number, value in enumerate(values[:PICTURES], start=1):
        kept = number <= rank
        labels.append(str(number))
        if value.ndim == 2:
            end = float(np.abs(value).max()) or 1.0
            hover = "row %{y}, column %{x}: %{z:.3g}"
            ends: dict[str, Any] = {"low": -end, "high": end, "opacity": 1.0 if kept else 0.3}
            traces.append(heatmap(value.astype(np.float32), DIVERGING, **ends, hover=hover))
        else:
            colour, hover = LOW_RANK if kept else FAINT, "sample %{x}: %{y:.3g}"
            traces.append(line(np.arange(len(value)), value, "", colour, width=1.5, hover=hover))
    what = "Right singular vectors" if exact else "Rows of the right factor"
    title = f"{what} of {layer}; what each rank looks for, faint: left out"
    placed, layout = place_in_grid(traces, labels, PICTURES, gaps=(0.008, 0))
    return build_figure(
        placed, title, 185, NAMELESS, NAMELESS, margin=_MARGIN, showlegend=False, **layout
    )


def _choose_strides(shape: tuple[int, ...]) -> tuple[int, int]:
    """Every how manieth row and column leave at most CELLS."""
    rows = columns = 1
    while -(-shape[0] // rows) * -(-shape[1] // columns) > CELLS:
        if shape[0] / rows >= shape[1] / columns:
            rows += 1
        else:
            columns += 1
    return rows, columns


def _write_ordinal(step: int) -> str:
    return {1: "", 2: "2nd ", 3: "3rd "}.get(step, f"{step}th ")
