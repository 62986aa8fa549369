"""Figures of the comparison: two models' difference, and settings that stay as ghosts."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from pages.shared.format import describe_cost, format_score
from pages.shared.models.results import Layer, TrainedReference
from pages.shared.plots.layout import build_figure, score_scale
from pages.shared.plots.palette import (
    CONSTRAINED,
    FAINT,
    LOW_RANK,
    PINK,
    REFERENCE,
    UNCHANGED,
    fade,
)
from pages.shared.plots.traces import NO_HOVER, heatmap, interval, line, points, text

from .results import Pin
from .text import describe_layer

HEIGHT = 340


def difference(first: NDArray, second: NDArray, class_names: Sequence[str]) -> go.Figure:
    """Confusion matrix of COC minus that of LMM, in samples."""
    change = second - first
    most = max(int(np.abs(change).max()), 1)
    names = [str(name) for name in class_names]
    axis = {"type": "category", "categoryorder": "array", "categoryarray": names, "showgrid": False}
    traces = [
        heatmap(
            change,
            [[0.0, LOW_RANK], [0.5, fade(REFERENCE, 0.06)], [1.0, CONSTRAINED]],
            x=names,
            y=names,
            low=-most,
            high=most,
            scale="samples more in COC",
            hover="true %{y}, predicted %{x}<br>%{z:+d} samples in COC<extra></extra>",
            xgap=1,
            ygap=1,
        )
    ]
    # As in a confusion matrix, texts on faint cells have the page's own colour.
    faint = np.abs(change) < 0.6 * most
    for shown, font in ((faint, {}), (~faint, {"color": "white"})):
        true, predicted = np.nonzero(shown & (change != 0))
        words = [f"{value:+d}".replace("-", "−") for value in change[true, predicted]]
        columns, rows = [names[i] for i in predicted], [names[i] for i in true]
        traces.append(text(columns, rows, words, 12 if len(names) <= 10 else 9, **font))
    return build_figure(
        traces,
        "Confusion matrices: COC minus LMM",
        HEIGHT,
        ("Predicted class", axis),
        ("True class", {"autorange": "reversed", **axis}),
    )


def network(trained: TrainedReference, chosen: Layer) -> go.Figure:
    """The layers in a row: size by parameters, blue where few ranks are enough, the chosen ringed.

    A point's ``customdata`` is the layer's name.
    """
    stored = trained.structure.set_index("layer")["parameters"]
    counts = np.array([stored[layer.name] for layer in trained.layers], float)
    shares = [
        trained.energy_ranks[layer.name] / (layer.break_even or 0.5) for layer in trained.layers
    ]
    places, level = list(range(len(counts))), [0] * len(counts)
    squares = points(
        places,
        level,
        "",
        np.clip(shares, 0, 2),
        size=(12 + 22 * np.sqrt(counts / counts.max())).tolist(),
        symbol="square",
        marker={
            "colorscale": [[0, LOW_RANK], [0.5, UNCHANGED], [1, UNCHANGED]],
            "cmin": 0,
            "cmax": 2,
            "line": {
                "width": [3 if layer == chosen else 0 for layer in trained.layers],
                "color": PINK,
            },
        },
        mode="markers+text",
        text=[layer.name for layer in trained.layers],
        textposition="bottom center",
        customdata=[[layer.name] for layer in trained.layers],
        hovertext=[
            f"{layer.title}<br>{int(count):,} parameters<br>{describe_layer(trained, layer)}"
            for layer, count in zip(trained.layers, counts, strict=True)
        ],
        hover="%{hovertext}<extra></extra>",
        showlegend=False,
    )
    hidden = {"visible": False, "fixedrange": True}
    figure = build_figure(
        [line(places, level, "", FAINT, **NO_HOVER) | {"showlegend": False}, squares],
        "Layers by parameters: the bluer, the fewer ranks",
        92,
        ("", {**hidden, "range": [-0.6, len(counts) - 0.4]}),
        ("", {**hidden, "range": [-1.6, 1]}),
        hovermode="closest",
        margin={"l": 0, "r": 0, "t": 22, "b": 0},
    )
    return figure.update_layout(title_font_size=12)


def recalls(table: pd.DataFrame) -> go.Figure:
    """Recall of each class for both, with Wilson's 95 % intervals."""
    places = np.arange(len(table))
    labels = table[["class", "samples"]].astype(str).to_numpy().tolist()
    traces = []
    for name, title, colour, shift in (
        ("first", "LMM", LOW_RANK, -0.12),
        ("second", "COC", CONSTRAINED, 0.12),
    ):
        share, low, high = (
            100 * table[f"{name}_{column}"].to_numpy() for column in ("share", "low", "high")
        )
        traces.append(
            points(
                places + shift,
                share,
                title,
                colour,
                size=8,
                hover="class %{customdata[0]}: %{y:.1f} % of %{customdata[1]} samples",
                error_y=interval(share, low, high, colour),
                customdata=labels,
            )
        )
    ticks = {"tickvals": places.tolist(), "ticktext": [str(name) for name in table["class"]]}
    return build_figure(
        traces,
        "Recall of each class; bars: 95 % intervals",
        HEIGHT,
        ("True class", {**ticks, "showgrid": False}),
        ("Recall (%)", {}),
    )


def add_pins(figure: go.Figure, pins: Sequence[Pin], cost: str, task: str) -> go.Figure:
    """Add pinned settings to the plane: their curves as faint lines, their points by letter."""
    scale, ghosts = score_scale(task), []
    for pin in pins:
        for title, (setting, colour, row) in pin.rows.items():
            table, name = pin.curves[title], f"{pin.label}, {title}"
            costs, scores = table[cost].to_numpy(), scale * table["score"].to_numpy()
            curve = line(costs, scores, name, fade(colour), "dot", width=1.5, showlegend=False)
            ghosts.append(curve | NO_HOVER)
            ghosts.append(
                points(
                    [row[cost]],
                    [scale * row["score"]],
                    name,
                    "rgba(0,0,0,0)",
                    size=12,
                    marker={"line": {"color": colour, "width": 2}},
                    hover=f"{setting}: {format_score(row['score'], task)}, "
                    f"{describe_cost(cost, row[cost])}<br>{pin.of}",
                    mode="markers+text",
                    text=[pin.label],
                    textposition="top center",
                    textfont={"color": colour, "size": 13},
                    showlegend=False,
                )
            )
    if ghosts:
        figure.add_traces(ghosts)
    return figure
