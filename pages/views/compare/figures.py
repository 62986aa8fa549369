"""Figures of the comparison: two models' difference, and settings that stay as ghosts."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from pages.shared.plots.layout import build_figure, score_scale
from pages.shared.plots.palette import CONSTRAINED, LOW_RANK, faded

from .results import Pin

TITLES = ("LMM", "COC")
COLOURS = (LOW_RANK, CONSTRAINED)


def difference(first: NDArray, second: NDArray, class_names: Sequence[str]) -> go.Figure:
    """Confusion matrix of COC minus that of LMM, in samples."""
    change = second - first
    most = max(int(np.abs(change).max()), 1)
    names = [str(name) for name in class_names]
    axis = {"type": "category", "categoryorder": "array", "categoryarray": names, "showgrid": False}
    heat = {
        "type": "heatmap",
        "z": change,
        "x": names,
        "y": names,
        "zmin": -most,
        "zmax": most,
        "hovertemplate": "true %{y}, predicted %{x}<br>%{z:+d} samples in COC<extra></extra>",
        "colorscale": [
            [0.0, LOW_RANK],
            [0.5, "rgba(138,143,152,0.06)"],
            [1.0, CONSTRAINED],
        ],
        "xgap": 1,
        "ygap": 1,
        "colorbar": {
            "title": {"text": "samples more in COC", "side": "right"},
            "thickness": 10,
            "outlinewidth": 0,
        },
    }
    # As in a confusion matrix: on faint cells the texts take the page's own colour.
    texts = []
    for shown, font in (
        ((change != 0) & (np.abs(change) < 0.6 * most), {}),
        ((change != 0) & (np.abs(change) >= 0.6 * most), {"color": "white"}),
    ):
        true, predicted = np.nonzero(shown)
        texts.append(
            {
                "type": "scatter",
                "x": [names[i] for i in predicted],
                "y": [names[i] for i in true],
                "text": [f"{value:+d}".replace("-", "−") for value in change[shown]],
                "mode": "text",
                "textfont": {"size": 12 if len(names) <= 10 else 9, **font},
                "hoverinfo": "skip",
                "showlegend": False,
            }
        )
    return build_figure(
        [heat, *texts],
        "Confusion matrices: COC minus LMM",
        340,
        ("Predicted class", axis),
        ("True class", {"autorange": "reversed", **axis}),
    )


def recalls(table: pd.DataFrame) -> go.Figure:
    """Recall of each class for both, with Wilson's 95 % intervals."""
    places = np.arange(len(table))
    traces = []
    for name, title, colour, shift in zip(
        ("first", "second"), TITLES, COLOURS, (-0.12, 0.12), strict=True
    ):
        share, low, high = (
            100 * table[f"{name}_{column}"].to_numpy() for column in ("share", "low", "high")
        )
        traces.append(
            {
                "type": "scatter",
                "x": places + shift,
                "y": share,
                "name": title,
                "mode": "markers",
                "marker": {"color": colour, "size": 8},
                "error_y": {
                    "type": "data",
                    "symmetric": False,
                    "array": high - share,
                    "arrayminus": share - low,
                    "color": faded(colour),
                    "thickness": 3,
                    "width": 0,
                },
                "customdata": np.stack(
                    [table["class"].astype(str), table["samples"].astype(str)], axis=1
                ).tolist(),
                "hovertemplate": "class %{customdata[0]}: %{y:.1f} % of %{customdata[1]} samples"
                f"<extra>{title}</extra>",
            }
        )
    ticks = {"tickvals": places.tolist(), "ticktext": [str(name) for name in table["class"]]}
    return build_figure(
        traces,
        "Recall of each class, with 95 % intervals",
        340,
        ("True class", {**ticks, "showgrid": False}),
        ("Recall (%)", {}),
    )


def pinned(figure: go.Figure, pins: Sequence[Pin], cost: str, task: str) -> go.Figure:
    """The plane with the pinned settings: their curves as faint lines, their points by letter."""
    scale = score_scale(task)
    ghosts = []
    for pin in pins:
        for title, (words, colour, row) in pin.rows.items():
            table = pin.curves[title]
            ghosts.append(
                {
                    "type": "scatter",
                    "x": table[cost].to_numpy(),
                    "y": scale * table["score"].to_numpy(),
                    "name": f"{pin.label}, {title}",
                    "mode": "lines",
                    "line": {"color": faded(colour), "width": 1.5, "dash": "dot"},
                    "hoverinfo": "skip",
                    "showlegend": False,
                }
            )
            ghosts.append(
                {
                    "type": "scatter",
                    "x": [row[cost]],
                    "y": [scale * row["score"]],
                    "name": f"{pin.label}, {title}",
                    "mode": "markers+text",
                    "text": [pin.label],
                    "textposition": "top center",
                    "textfont": {"color": colour, "size": 13},
                    "marker": {
                        "size": 12,
                        "color": "rgba(0,0,0,0)",
                        "line": {"color": colour, "width": 2},
                    },
                    "hovertemplate": f"%{{y:.4g}}<br>%{{x:,}}<br>{words}, {pin.of}"
                    f"<extra>{pin.label}, {title}</extra>",
                    "showlegend": False,
                }
            )
    if ghosts:
        figure.add_traces(ghosts)
    return figure
