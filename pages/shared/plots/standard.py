"""Figures that several pages show. Knows no Streamlit; a figure is tested by its traces."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from pages.shared.format import describe_cost, format_interval, format_score

from .layout import (
    BELOW,
    COSTS,
    MARGIN,
    NAMELESS,
    build_figure,
    cost_axis,
    place_in_grid,
    score_scale,
    score_title,
)
from .palette import CONSTRAINED, FAINT, INK, LOW_RANK, REFERENCE, SLATE, TEAL, UNCHANGED
from .traces import (
    NO_HOVER,
    Trace,
    bars,
    current_point,
    heatmap,
    interval,
    levels,
    line,
    note,
    points,
    text,
    vertical,
)

_MARKS = {"k*": "break-even rank: above it two factors hold more numbers than the layer"}
FEW_RANKS = 10  # with so few ranks, wide bars leave no room for labels
LABEL_ROWS, LABEL_HEIGHT = 4, 0.12  # labels of a spectrum's marks; height as a share of the plot
IN_SIGHT = 0.2  # of score below the reference: the range of decisions


def spectrum(
    singular_values: NDArray, rank: int, marks: Mapping[str, float], layer: str
) -> go.Figure:
    """Singular values of one layer: kept, left out, and where the usual choices lie.

    ``marks``: label -> rank, drawn as thin vertical lines.
    """
    ranks = np.arange(1, len(singular_values) + 1)
    kept = ranks <= rank
    hover = "σ<sub>%{x}</sub> = %{y:.4g}<extra></extra>"
    traces = [
        bars(ranks[part], singular_values[part], name, colour, hover=hover)
        for name, part, colour in (("kept", kept, LOW_RANK), ("left out", ~kept, FAINT))
    ]
    return build_figure(
        traces,
        f"Singular values of {layer}",
        280,
        *_index_axes(len(ranks), _leave_room_above(singular_values, marks)),
        barmode="overlay",
        bargap=0.15,
        legend=BELOW,
        **_vertical_marks(marks, len(ranks)),
    )


def _leave_room_above(singular_values: NDArray, marks: Mapping[str, float]) -> dict[str, Any]:
    """An axis that leaves the labels of the marks above a few wide bars."""
    if len(singular_values) > FEW_RANKS or not marks:
        return {"rangemode": "tozero"}
    rows = min(len(set(marks.values())), LABEL_ROWS)
    return {"range": [0, float(singular_values.max()) / (1 - LABEL_HEIGHT * rows)]}


def _index_axes(ranks: int, values: Mapping[str, Any]) -> tuple[tuple[str, dict], tuple[str, dict]]:
    return (
        ("Index i", {"range": [0.3, ranks + 0.7], "dtick": 1 if ranks <= FEW_RANKS else None}),
        ("Singular value σ<sub>i</sub>", dict(values)),
    )


def _vertical_marks(marks: Mapping[str, float], ranks: int) -> dict[str, Any]:
    """Thin dotted lines with their labels at the top, lowered in turn so that none overlap.

    A label next to the right edge stands to the left of its line, where it is not cut.
    """
    labels: dict[float, list[str]] = {}
    for label, at in sorted(marks.items(), key=lambda item: item[1]):
        labels.setdefault(at, []).append(label)
    notes = []
    for place, (at, names) in enumerate(labels.items()):
        left_hand = at > 0.9 * ranks
        notes.append(
            note(
                at,
                1 - LABEL_HEIGHT * (place % LABEL_ROWS),
                ", ".join(names),
                xref="x",
                xanchor="right" if left_hand else "left",
                xshift=-3 if left_hand else 3,
                yanchor="top",
                font={"size": 11, "color": REFERENCE},
                hovertext="<br>".join(
                    _MARKS.get(name, f"keeps {name} of the energy") for name in names
                ),
            )
        )
    lines = [vertical(at, REFERENCE, width=1.2, dash="dot") for at in labels]
    return {"shapes": lines, "annotations": notes}


def constrained_spectrum(reference: NDArray, constrained: NDArray, layer: str) -> go.Figure:
    """Singular values of the constrained weight over the reference's."""
    ranks = np.arange(1, len(reference) + 1)
    hover = "{} σ<sub>%{{x}}</sub> = %{{y:.4g}}<extra></extra>"
    steps = line(ranks, reference, "reference", REFERENCE, hover=hover.format("reference"))
    steps["line"] |= {"shape": "hvh"}
    name = "constrained"
    traces = [bars(ranks, constrained, name, CONSTRAINED, hover=hover.format(name)), steps]
    axes = _index_axes(len(ranks), {"rangemode": "tozero"})
    return build_figure(
        traces, f"Singular values of {layer}", 300, *axes, bargap=0.15, legend=BELOW
    )


def confusion(counts: NDArray, class_names: Sequence[str], colour: str) -> go.Figure:
    """Confusion matrix: colour is the share of each true class (row), text the count."""
    share = 100 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    names = [str(name) for name in class_names]
    cells = heatmap(
        np.where(counts > 0, share, np.nan),
        [
            [0, UNCHANGED],
            [1, colour],
        ],  # opaque, so that one ink is legible on a light and on a dark page
        x=names,
        y=names,
        low=0,
        high=100,
        scale="% of row",
        customdata=counts,
        hover="true %{y}, predicted %{x}<br>%{customdata} samples, %{z:.1f} % of the class",
        xgap=1,
        ygap=1,
    )
    true, predicted = np.nonzero(counts)
    x, y = ([names[i] for i in places] for places in (predicted, true))
    words = [str(count) for count in counts[counts > 0]]
    traces = [cells, text(x, y, words, 13 if len(names) <= 10 else 9, color=INK)]
    axis = {"type": "category", "categoryorder": "array", "categoryarray": names, "showgrid": False}
    return build_figure(
        traces,
        "Confusion on the test set (counts)",
        340,
        ("Predicted class", axis),
        ("True class", {"autorange": "reversed", **axis}),
    )


def predicted_true(
    target: NDArray, predicted: NDArray, reference: NDArray, colour: str, quantity: str
) -> go.Figure:
    """Predicted against true values of the test set, the reference's behind."""
    values = np.concatenate([target, predicted, reference])
    ends = [float(values.min()), float(values.max())]
    hover = "true %{x:.4g}, predicted %{y:.4g}"
    traces = [
        line(ends, ends, "exact", REFERENCE, "dash", width=1.2, **NO_HOVER),
        points(target, reference, "reference", FAINT, hover=hover),
        points(target, predicted, "compressed", colour, hover=hover),
    ]
    return build_figure(
        traces,
        "Predicted against true, test set",
        340,
        (f"True {quantity}", {}),
        ("Predicted", {}),
        legend=BELOW,
    )


class PlaneCurve(NamedTuple):
    """A method in the plane: ``settings`` are its knob's values in words, a row each.

    ``row``: the current one, or None.
    """

    name: str
    colour: str
    table: pd.DataFrame
    row: int | None
    settings: Sequence[str]


def plane(
    curves: Sequence[PlaneCurve],
    reference: Mapping[str, float],
    cost: str,
    task: str,
    *,
    whole: bool = True,
) -> go.Figure:
    """Score against cost: a curve a method, the reference dashed, the current points ringed.

    Points are joined in the order of their cost. A point's ``customdata`` is (method's position in
    ``curves``, knob). Not ``whole``: the score's axis ends where decisions do.
    """
    scale = score_scale(task)
    traces: list[Trace] = []
    for number, (name, colour, table, row, settings) in enumerate(curves):
        order = np.argsort(table[cost].to_numpy(), kind="stable")
        costs, knobs = (table[column].to_numpy()[order] for column in (cost, "knob"))
        score, low, high = (
            scale * table[column].to_numpy()[order]
            for column in ("score", "score_low", "score_high")
        )
        traces.append(
            line(
                costs,
                score,
                name,
                colour,
                markers=6,
                error_y=interval(score, low, high, colour),
                # Use lists: a click would return an array's row in another form.
                customdata=[[number, knob] for knob in knobs.tolist()],
                text=[
                    f"{settings[at]}: {_describe_point(cost, task, *numbers)}"
                    for at, *numbers in zip(order, costs, score, low, high, strict=True)
                ],
                hover="%{text}",
            )
        )
        if row is not None:
            line_now = table.iloc[row]
            ring = current_point(line_now[cost], scale * line_now["score"], colour, size=15)
            traces.append(ring | {"name": f"{name}, now"})
    level = scale * reference["score"]
    hover = f"{format_score(reference['score'], task)}, {describe_cost(cost, reference[cost])}"
    place = [reference[cost]], [level]
    traces.append(points(*place, "reference", REFERENCE, size=11, symbol="diamond", hover=hover))
    ends = [end for curve in curves for end in (curve.table[cost].min(), curve.table[cost].max())]
    across = cost_axis(cost, min(ends), max(ends))
    words = COSTS[cost] if cost == "macs" else across[0].lower()
    return build_figure(
        traces,
        f"{score_title(task)} against {words}",
        420,
        across,
        (score_title(task), {} if whole else {"range": _find_decisions(curves, level, scale)}),
        hovermode="closest",
        shapes=levels(reference, scale),
        legend=BELOW | {"y": -0.16},
    )


def _describe_point(cost: str, task: str, amount: float, *drawn: float) -> str:
    """A point's hover; ``drawn``: the score and the ends of its interval as they are drawn."""
    score, low, high = (value / score_scale(task) for value in drawn)
    ends = format_interval(low, high, task)
    return f"{format_score(score, task)} ({ends}), {describe_cost(cost, amount)}"


def _find_decisions(
    curves: Sequence[PlaneCurve], level: float, scale: float
) -> tuple[float, float]:
    """The range from ``IN_SIGHT`` below the reference, or the current points, up to the best."""
    scores = [
        scale * curve.table["score"].iloc[curve.row] for curve in curves if curve.row is not None
    ]
    low = min([level - scale * IN_SIGHT, *(score - 0.02 * scale for score in scores)])
    high = max(level, *(scale * curve.table["score_high"].max() for curve in curves))
    return low, high + 0.04 * (high - low)


def learning_curve(history: pd.DataFrame, task: str) -> go.Figure:
    """Loss of the training and validation parts by epoch."""
    unit = "cross-entropy (nats)" if task == "classification" else "½ squared error"
    traces = [
        line(history["epoch"], history[column], name, colour, dash, hover="epoch %{x}: %{y:.4g}")
        for column, name, colour, dash in (
            ("train_loss", "training", SLATE, "solid"),
            ("validation_loss", "validation", TEAL, "dot"),
        )
    ]
    loss = {"type": "log", "dtick": "D2", "tickformat": "~g"}
    return build_figure(traces, "Learning curve", 320, ("Epoch", {}), (f"Mean {unit}", loss))


def pictures(values: NDArray, labels: Sequence[str]) -> go.Figure:
    """Images (rows, height, width) or signals (rows, samples) in a grid of four columns."""
    small = [
        heatmap(value, "Greys", hoverinfo="z")
        if value.ndim == 2
        else line(np.arange(len(value)), value, "", REFERENCE, width=1.5, hoverinfo="y")
        for value in values
    ]
    font = {"size": 11}
    placed, layout = place_in_grid(small, list(map(str, labels)), 4, xanchor="center", font=font)
    return build_figure(
        placed,
        "First samples of the training part, by class",
        320,
        NAMELESS,
        NAMELESS,
        margin=MARGIN | {"t": 56},
        showlegend=False,
        **layout,
    )
