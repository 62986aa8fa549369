"""Figures that several pages show. Knows no Streamlit; a figure is tested by its traces."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from .layout import BELOW, COSTS, build_figure, frame_figure, score_scale, score_title
from .palette import CONSTRAINED, FAINT, LOW_RANK, REFERENCE, faded


def spectrum(
    singular_values: NDArray, rank: int, marks: Mapping[str, float], layer: str
) -> go.Figure:
    """Singular values of one layer: kept, left out, and where the usual choices lie.

    ``marks``: label -> rank, build_figure as thin vertical lines.
    """
    ranks = np.arange(1, len(singular_values) + 1)
    kept = ranks <= rank
    bars = [
        {
            "type": "bar",
            "x": ranks[chosen],
            "y": singular_values[chosen],
            "name": name,
            "marker": {"color": colour, "line": {"width": 0}},
            "hovertemplate": "σ<sub>%{x}</sub> = %{y:.4g}<extra></extra>",
        }
        for name, chosen, colour in (("kept", kept, LOW_RANK), ("left out", ~kept, FAINT))
    ]
    return build_figure(
        bars,
        f"Singular values of {layer}",
        280,
        *_index_axes(len(ranks)),
        barmode="overlay",
        bargap=0.15,
        **_vertical_marks(marks, len(ranks)),
    )


def _index_axes(ranks: int) -> tuple[tuple[str, dict], tuple[str, dict]]:
    return (
        ("Index i", {"range": [0.3, ranks + 0.7], "dtick": 1 if ranks <= 10 else None}),
        ("Singular value σ<sub>i</sub>", {"rangemode": "tozero"}),
    )


def _vertical_marks(marks: Mapping[str, float], ranks: int) -> dict[str, Any]:
    """Thin dotted lines with their labels at the top, lowered in turn so that none overlap.

    A label next to the right edge stands to the left of its line, where it is not cut.
    """
    labels: dict[float, list[str]] = {}
    for label, at in sorted(marks.items(), key=lambda item: item[1]):
        labels.setdefault(at, []).append(label)
    return {
        "shapes": [
            {
                "type": "line",
                "x0": at,
                "x1": at,
                "y0": 0,
                "y1": 1,
                "yref": "paper",
                "line": {"color": REFERENCE, "width": 1.2, "dash": "dot"},
            }
            for at in labels
        ],
        "annotations": [
            {
                "x": at,
                "y": 1 - 0.12 * (place % 4),
                "yref": "paper",
                "text": ", ".join(names),
                "showarrow": False,
                "xanchor": "right" if at > 0.9 * ranks else "left",
                "yanchor": "top",
                "xshift": -3 if at > 0.9 * ranks else 3,
                "font": {"size": 11, "color": REFERENCE},
            }
            for place, (at, names) in enumerate(labels.items())
        ],
    }


def constrained_spectrum(reference: NDArray, constrained: NDArray, layer: str) -> go.Figure:
    """Singular values of the constrained weight over the reference's."""
    ranks = np.arange(1, len(reference) + 1)
    traces = [
        {
            "type": "bar",
            "x": ranks,
            "y": constrained,
            "name": "constrained",
            "marker": {"color": CONSTRAINED, "line": {"width": 0}},
            "hovertemplate": "constrained σ<sub>%{x}</sub> = %{y:.4g}<extra></extra>",
        },
        {
            "type": "scatter",
            "x": ranks,
            "y": reference,
            "name": "reference",
            "mode": "lines",
            "line": {"color": REFERENCE, "width": 2, "shape": "hvh"},
            "hovertemplate": "reference σ<sub>%{x}</sub> = %{y:.4g}<extra></extra>",
        },
    ]
    axes = _index_axes(len(ranks))
    return build_figure(traces, f"Singular values of {layer}", 280, *axes, bargap=0.15)


def confusion(counts: NDArray, class_names: Sequence[str], colour: str) -> go.Figure:
    """Confusion matrix: colour is the share of each true class (row), text the count."""
    share = 100 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    names = [str(name) for name in class_names]
    traces: list[dict[str, Any]] = [
        {
            "type": "heatmap",
            "z": share,
            "x": names,
            "y": names,
            "zmin": 0,
            "zmax": 100,
            "customdata": counts,
            "hovertemplate": "true %{y}, predicted %{x}<br>%{customdata} samples, "
            "%{z:.1f} % of the class<extra></extra>",
            "colorscale": [[0, "rgba(138,143,152,0.06)"], [1, colour]],
            "xgap": 1,
            "ygap": 1,
            "colorbar": {
                "title": {"text": "% of row", "side": "right"},
                "thickness": 10,
                "outlinewidth": 0,
            },
        }
    ]
    # The counts are a layer of their own: on faint cells they take the page's text colour.
    for shown, font in (
        ((counts > 0) & (share < 50), {}),
        ((counts > 0) & (share >= 50), {"color": "white"}),
    ):
        true, predicted = np.nonzero(shown)
        traces.append(
            {
                "type": "scatter",
                "x": [names[i] for i in predicted],
                "y": [names[i] for i in true],
                "text": [str(count) for count in counts[shown]],
                "mode": "text",
                "textfont": {"size": 13 if len(names) <= 10 else 9, **font},
                "hoverinfo": "skip",
                "showlegend": False,
            }
        )
    axis = {"type": "category", "categoryorder": "array", "categoryarray": names, "showgrid": False}
    return build_figure(
        traces,
        "Confusion on the test set: counts, colour by row share",
        340,
        ("Predicted class", axis),
        ("True class", {"autorange": "reversed", **axis}),
    )


def predicted_true(
    target: NDArray, predicted: NDArray, reference: NDArray, colour: str, quantity: str
) -> go.Figure:
    """Predicted against true values of the test set, the reference's behind."""
    low = float(min(target.min(), predicted.min(), reference.min()))
    high = float(max(target.max(), predicted.max(), reference.max()))
    traces: list[dict[str, Any]] = [
        {
            "type": "scatter",
            "x": [low, high],
            "y": [low, high],
            "mode": "lines",
            "name": "exact",
            "hoverinfo": "skip",
            "line": {"color": REFERENCE, "dash": "dash", "width": 1.2},
        }
    ]
    for name, values, shade in (("reference", reference, FAINT), ("compressed", predicted, colour)):
        traces.append(
            {
                "type": "scatter",
                "x": target,
                "y": values,
                "mode": "markers",
                "name": name,
                "marker": {"color": shade, "size": 6},
                "hovertemplate": "true %{x:.4g}, predicted %{y:.4g}<extra>" + name + "</extra>",
            }
        )
    return build_figure(
        traces,
        "Predicted against true, test set",
        340,
        (f"True {quantity}", {}),
        ("Predicted", {}),
        legend=BELOW,
    )


def plane(
    curves: Sequence[tuple[str, str, pd.DataFrame, int | None]],
    reference: Mapping[str, float],
    cost: str,
    task: str,
) -> go.Figure:
    """Score against cost: a curve a method, the reference dashed, the current points ringed.

    ``curves``: (name, colour, table, current row or None). A point's ``customdata`` is (method's
    position in ``curves``, knob, ends of the interval).
    """
    scale = score_scale(task)
    traces: list[dict[str, Any]] = []
    for number, (name, colour, table, current) in enumerate(curves):
        costs, scores, low, high, knobs = (
            table[column].to_numpy()
            for column in (cost, "score", "score_low", "score_high", "knob")
        )
        traces.append(
            {
                "type": "scatter",
                "x": costs,
                "y": scale * scores,
                "error_y": {
                    "type": "data",
                    "symmetric": False,
                    "array": scale * (high - scores),
                    "arrayminus": scale * (scores - low),
                    "color": faded(colour),
                    "thickness": 3,
                    "width": 0,
                },
                "name": name,
                "mode": "lines+markers",
                "line": {"color": colour, "width": 2},
                "marker": {"size": 6},
                # Lists: an array would come back from a click as something else.
                "customdata": np.stack(
                    [np.full(len(table), number), knobs, scale * low, scale * high], axis=1
                ).tolist(),
                "hovertemplate": "%{y:.4g} (%{customdata[2]:.4g} to %{customdata[3]:.4g})<br>"
                f"%{{x:,}} {COSTS[cost]}<br>knob %{{customdata[1]:.4g}}<extra>{name}</extra>",
            }
        )
        if current is not None:
            traces.append(
                {
                    "type": "scatter",
                    "x": costs[current : current + 1],
                    "y": scale * scores[current : current + 1],
                    "mode": "markers",
                    "name": f"{name}, now",
                    "showlegend": False,
                    "hoverinfo": "skip",
                    "marker": {
                        "size": 15,
                        "color": colour,
                        "line": {"width": 2.5, "color": "rgba(255,255,255,0.95)"},
                    },
                }
            )
    level = scale * reference["score"]
    traces.append(
        {
            "type": "scatter",
            "x": [reference[cost]],
            "y": [level],
            "name": "reference",
            "mode": "markers",
            "marker": {"color": REFERENCE, "size": 11, "symbol": "diamond"},
            "hovertemplate": f"%{{y:.4g}}<br>%{{x:,}} {COSTS[cost]}<extra>reference</extra>",
        }
    )
    ends = [value for *_, table, _ in curves for value in (table[cost].min(), table[cost].max())]
    ticks = "D1" if max(ends) < 10 * min(ends) else "D2"
    return build_figure(
        traces,
        f"{score_title(task)} against {COSTS[cost].lower()}, with 95 % intervals",
        420,
        (COSTS[cost], {"type": "log", "tickformat": "~s", "dtick": ticks}),
        (score_title(task), {}),
        hovermode="closest",
        shapes=[
            {
                "type": "line",
                "xref": "x domain",
                "x0": 0,
                "x1": 1,
                "y0": level,
                "y1": level,
                "line": {"color": REFERENCE, "dash": "dash", "width": 1.5},
            }
        ],
    )


def learning_curve(history: pd.DataFrame, task: str) -> go.Figure:
    """Loss of the training and validation parts by epoch."""
    unit = "cross-entropy (nats)" if task == "classification" else "½ squared error"
    traces = [
        {
            "type": "scatter",
            "x": history["epoch"],
            "y": history[column],
            "name": name,
            "mode": "lines",
            "line": {"color": colour, "width": 2, "dash": dash},
            "hovertemplate": "epoch %{x}: %{y:.4g}<extra>" + name + "</extra>",
        }
        for column, name, colour, dash in (
            ("train_loss", "training", LOW_RANK, "solid"),
            ("validation_loss", "validation", CONSTRAINED, "dot"),
        )
    ]
    loss = {"type": "log", "dtick": "D2", "tickformat": "~g"}
    return build_figure(traces, "Learning curve", 320, ("Epoch", {}), (f"Mean {unit}", loss))


def class_counts(counts: pd.DataFrame) -> go.Figure:
    """Samples of each class, training and test part."""
    bars = [
        {
            "type": "bar",
            "x": [str(name) for name in counts.index],
            "y": counts[part],
            "name": part,
            "marker": {"color": colour},
            "hovertemplate": "%{x}: %{y} samples<extra>" + part + "</extra>",
        }
        for part, colour in zip(counts.columns, (REFERENCE, FAINT), strict=True)
    ]
    axes: tuple[Any, Any] = ("Class", {"type": "category"}), ("Samples", {})
    return build_figure(bars, "Samples of each class", 300, *axes, barmode="stack")


def pictures(values: NDArray, labels: Sequence[str]) -> go.Figure:
    """Images (rows, height, width) or signals (rows, samples) in a grid of four columns."""
    columns = 4
    figure = make_subplots(
        rows=-(-len(values) // columns),
        cols=columns,
        subplot_titles=[str(label) for label in labels],
        horizontal_spacing=0.02,
        vertical_spacing=0.12,
    )
    for number, value in enumerate(values):
        place = {"row": number // columns + 1, "col": number % columns + 1}
        if value.ndim == 2:
            trace = go.Heatmap(z=value, colorscale="Greys", showscale=False, hoverinfo="z")
            figure.update_yaxes(
                autorange="reversed", scaleanchor=f"x{number + 1}", constrain="domain", **place
            )
            figure.update_xaxes(constrain="domain", **place)
        else:
            line = {"color": REFERENCE, "width": 1.5}
            trace = go.Scatter(y=value, mode="lines", line=line, showlegend=False, hoverinfo="y")
        figure.add_trace(trace, **place)
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False)
    figure.update_annotations(font_size=11)
    frame_figure(figure, "First samples of the training part, by class", 320)
    return figure.update_layout(margin_t=56)


def distribution(values: pd.Series) -> go.Figure:
    """How often each value occurs."""
    bars = [{"type": "histogram", "x": values, "marker": {"color": REFERENCE}, "nbinsx": 30}]
    axes: tuple[Any, Any] = (values.name, {}), ("Samples", {})
    return build_figure(bars, "Target values of the training part", 300, *axes, bargap=0.05)
