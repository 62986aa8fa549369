"""One layer at every rank: its spectra, the energy kept, and the errors predicted and realised."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from pages.shared.plots.layout import BELOW, MARGIN, build_figure
from pages.shared.plots.palette import FAINT, LOW_RANK, REFERENCE, TEAL, VIOLET
from pages.shared.plots.traces import Shape, Trace, current_point, horizontal, line, note, vertical

SPECTRA = {
    "weight": ("weight W", LOW_RANK, "solid", "units of the weight"),
    "weighted": ("activation-weighted W Σ<sup>½</sup>", TEAL, "solid", "units of the outputs"),
    "inputs": ("inputs Σ<sup>½</sup>", VIOLET, "dot", "units of the inputs"),
}

LEVEL_HEIGHT = 0.07  # of the plot
LABEL_WIDTH = 0.024  # share of a telephone's plot per letter
FEW_POINTS = 40  # a line with at most this many points has markers
TO_ZERO = {"rangemode": "tozero"}


def spectra(
    values: Mapping[str, NDArray],
    marks: Mapping[str, float],
    rank: int,
    logarithmic: bool,
    layer: str,
) -> go.Figure:
    """Spectra of W, W Σ^½ and Σ^½, each relative to its largest value; the chosen rank marked.

    ``marks``: label -> rank, drawn as thin vertical lines with labels above the plot.
    """
    traces = []
    longest = min(max(map(len, values.values())), 2 * len(values["weight"]))
    for name, (title, colour, dash, unit) in SPECTRA.items():
        shown = values[name][:longest]
        largest = shown[0] if shown[0] > 0 else 1.0
        relative = 100 * shown / largest
        # Leave out values that are zero but for rounding: a logarithmic axis cannot show them.
        y = np.where(relative > 1e-5, relative, np.nan) if logarithmic else relative
        traces.append(
            line(
                np.arange(1, len(shown) + 1),
                y,
                title,
                colour,
                dash,
                markers=5 if len(shown) <= FEW_POINTS else 0,
                customdata=shown,
                hover=f"σ<sub>%{{x}}</sub> = %{{customdata:.4g}} ({unit})<br>"
                "%{y:.3g} % of the largest",
            )
        )
    y_axis = {"type": "log", "dtick": 1, "tickformat": "~g"} if logarithmic else TO_ZERO
    return _build_with_marks(
        traces,
        f"Spectra of {layer}",
        ("Index i", {"range": [0.5, longest + 0.5]}),
        ("σ<sub>i</sub>, % of the largest", y_axis),
        marks,
        longest,
        _mark_rank(rank, longest),
    )


def energy(
    objective: NDArray | None, spectrum: NDArray, marks: Mapping[str, float], rank: int, layer: str
) -> go.Figure:
    """Share of the energy kept at every rank: the weight's own, and that of an objective, if given."""
    weight_energy = np.append(0.0, np.cumsum(spectrum**2) / np.sum(spectrum**2))
    curves = [("of the weight", weight_energy, LOW_RANK, "solid")]
    if objective is not None:
        curves = [
            ("of the weight, at best", weight_energy, REFERENCE, "dot"),
            ("of the method's objective", objective, LOW_RANK, "solid"),
        ]
    traces = [
        line(
            np.arange(len(share)),
            100 * share,
            name,
            colour,
            dash,
            hover=f"rank %{{x}}: %{{y:.2f}} % {name}<extra></extra>",
            showlegend=True,
        )
        for name, share, colour, dash in curves
    ]
    shown = curves[-1][1]
    now = min(rank, len(shown) - 1)
    traces.append(current_point(now, 100 * shown[now], LOW_RANK))
    longest = max(len(share) for _, share, *_ in curves) - 1
    levels = [horizontal(share, FAINT, width=1, dash="dot") for share in (90, 95, 99)]
    return _build_with_marks(
        traces,
        f"Energy kept of {layer}",
        ("Rank k", {"range": [0, longest + 0.5]}),
        ("Energy kept (%)", {"range": [0, 102]}),
        marks,
        longest,
        [*levels, *_mark_rank(rank, longest)],
    )


def predicted_errors(errors: pd.DataFrame, rank: int, layer: str) -> go.Figure:
    """What the method said that a layer would lose, and what it loses on validation rows."""
    rows = errors[errors["layer"] == layer]
    ranks, whole = rows["rank"].to_numpy(), rows["whole"].to_numpy()
    traces = [
        line(
            ranks,
            100 * rows[column].to_numpy() / whole,
            name,
            colour,
            dash,
            hover="rank %{x}: %{y:.3g} %",
        )
        for column, name, colour, dash in (
            ("predicted", "predicted (calibration rows)", LOW_RANK, "solid"),
            ("realised", "realised (validation rows)", TEAL, "dot"),
        )
    ]
    return build_figure(
        traces,
        f"Error of {layer}: predicted and realised",
        340,
        ("Rank k", {"dtick": 1} if ranks.max() <= 10 else {}),
        ("Error (% of rank 0's)", TO_ZERO),
        legend=BELOW,
        shapes=_mark_rank(rank, ranks.max()),  # beyond the mark the layer stays dense
    )


def _mark_rank(rank: int, longest: int) -> list[Shape]:
    return [vertical(rank)] if rank <= longest else []


def _build_with_marks(
    traces: Sequence[Trace],
    title: str,
    x: tuple[str, Mapping],
    y: tuple[str, Mapping],
    marks: Mapping[str, float],
    longest: int,
    shapes: Sequence[Shape],
) -> go.Figure:
    """A plot with thin dotted lines, and their labels above it on levels where none overlap."""
    at_rank: dict[float, list[str]] = {}
    for label, at in sorted(marks.items(), key=lambda item: item[1]):
        if at <= longest:
            at_rank.setdefault(round(at, 1), []).append(label)
    placed: list[tuple[float, float, int]] = []
    lines, labels = [], []
    # A label stands above those that it would overlap. In this order its line passes beside them:
    # labels lie right of their lines, and left of them near the right end.
    right = sorted(at for at in at_rank if at / longest > 0.8)
    left = sorted((at for at in at_rank if at / longest <= 0.8), reverse=True)
    for at in right + left:
        text = ", ".join(at_rank[at])
        left_hand = at in right
        width = LABEL_WIDTH * (len(text) + 1)
        start = at / longest - (width if left_hand else 0.0)
        end = start + width
        level = max((n + 1 for s, e, n in placed if s < end and start < e), default=0)
        placed.append((start, end, level))
        top = 1 + LEVEL_HEIGHT * level
        lines.append(vertical(at, REFERENCE, width=1.1, dash="dot", top=top))
        labels.append(
            note(
                at,
                top,
                text,
                xref="x",
                xanchor="right" if left_hand else "left",
                xshift=-2 if left_hand else 2,
                font={"size": 11},
            )
        )
    return build_figure(
        traces,
        title,
        416,
        x,
        y,
        shapes=[*shapes, *lines],
        annotations=labels,
        legend=BELOW,
        margin=MARGIN | {"t": 120},
    )
