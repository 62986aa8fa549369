"""Figures of what moves with the bound: shares, losses, the price, and every weight."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from compression.constrained.weight_history import LayerHistory
from compression.weight_states import FREE
from pages.shared.models.text import bound_letter
from pages.shared.plots.layout import BELOW, build_figure
from pages.shared.plots.palette import (
    CONSTRAINED,
    FAINT,
    FAINTEST,
    REFERENCE,
    TEAL,
    VIOLET,
    fade,
    number_style,
)
from pages.shared.plots.traces import NO_HOVER, Trace, horizontal, line, points, vertical

from ..results import Trail
from .axes import bound_axis, log_axis

MAX_NAMED = 40  # weights that a path names one by one
MAX_LINES = 200


def shares(table: pd.DataFrame, bound: float, knob: str) -> go.Figure:
    """Shares of the weights that are held, zero and free, against the bound."""
    areas = [
        line(
            table["knob"],
            100 * table[column],
            name,
            colour,
            width=0.8,
            hover=f"{bound_letter(knob)} = %{{x:.4g}}: %{{y:.1f}} %",
            stackgroup="one",
            fillcolor=fill,
        )
        for column, name, colour, fill in (
            ("pinned", "pinned at the bound", CONSTRAINED, fade(CONSTRAINED, 0.45)),
            ("zero", "zero", REFERENCE, FAINT),
            ("free", "free", FAINT, FAINTEST),
        )
    ]
    return build_figure(
        areas,
        "What becomes of the weights",
        320,
        bound_axis(knob),
        ("Share of the weights (%)", {"range": [0, 100]}),
        shapes=[vertical(bound, CONSTRAINED)],
        hovermode="x unified",
        legend=BELOW,
    )


def free_by_layer(
    layers: Mapping[str, LayerHistory], knobs: Sequence[float], bound: float, knob: str
) -> go.Figure:
    """Share of each layer's weights that are numbers of their own, against the bound."""
    lines = [
        line(
            knobs,
            100 * rows.state_counts[:, FREE] / rows.state_counts.sum(axis=1),
            name,
            number_style(place).colour,
            number_style(place).dash,
            hover=f"{bound_letter(knob)} = %{{x:.4g}}: %{{y:.1f}} % free",
        )
        for place, (name, rows) in enumerate(layers.items())
    ]
    return build_figure(
        lines,
        "Free weights of each layer",
        320,
        bound_axis(knob),
        ("Share of its weights (%)", {"range": [0, 103]}),
        shapes=[vertical(bound, CONSTRAINED)],
        hovermode="x unified",
        legend=BELOW,
    )


def price(facts: pd.DataFrame, bound: float, knob: str, unit: str) -> go.Figure:
    """What one more unit of c would take off the training loss."""
    curve = line(
        facts["knob"],
        facts["price"].where(facts["price"] > 0),
        "price",
        CONSTRAINED,
        markers=5,
        hover="c = %{x:.4g}: %{y:.4g}<extra></extra>",
        showlegend=False,
    )
    return build_figure(
        [curve],
        "What one more unit of c would buy",
        420,
        bound_axis(knob),
        (f"Σ λ ({unit} per unit of c)", log_axis(facts["price"])),
        shapes=[vertical(bound, CONSTRAINED)],
    )


def losses(
    table: pd.DataFrame, reference: pd.Series, bound: float, knob: str, unit: str
) -> go.Figure:
    """Loss of the three parts against the bound, the reference's training loss dashed."""
    lines = [
        line(
            table["knob"],
            table[column],
            name,
            colour,
            dash,
            hover=f"{bound_letter(knob)} = %{{x:.4g}}: %{{y:.4g}}",
        )
        for column, name, colour, dash in (
            ("train_loss", "training", CONSTRAINED, "solid"),
            ("validation_loss", "validation", TEAL, "dot"),
            ("test_loss", "test", VIOLET, "dashdot"),
        )
    ]
    return build_figure(
        lines,
        "Loss; dashed: the reference on the training rows",
        320,
        bound_axis(knob),
        (f"Mean {unit}".replace("nats", "cross-entropy (nats)"), {"rangemode": "tozero"}),
        shapes=[vertical(bound, CONSTRAINED), horizontal(reference["train_loss"])],
        hovermode="x unified",
        legend=BELOW,
    )


def path(
    trail: Trail,
    names: Sequence[Sequence[str]],
    classes: Sequence[str],
    bound: float,
    elementwise: bool,
) -> go.Figure:
    """Every weight against c: a line each, breakpoints as ticks, the current c as a line.

    ``names``: of the weights, by output and input. With more than a few weights there is one
    colour a class, and of very many only the largest of each class are drawn. ``elementwise``:
    c bounds each weight by itself, and is drawn.
    """
    outputs, inputs = trail.weights.shape[1:]
    drawn = _choose_weights(trail.weights)
    traces = _weight_lines(trail, drawn, names, classes)
    for sign in (1, -1) if elementwise else ():
        traces.append(
            line(
                trail.bounds,
                sign * trail.bounds,
                "±c",
                REFERENCE,
                "dot",
                width=1,
                showlegend=sign > 0,
                **NO_HOVER,
            )
        )
    traces.append(
        points(
            trail.bounds,
            np.full(len(trail.bounds), float(trail.weights.min())),
            "breakpoints" if trail.exact else "grid",
            REFERENCE,
            size=9,
            symbol="line-ns-open",
            hover="c = %{x:.4g}",
        )
    )
    largest = float(np.abs(trail.weights).max()) or 1.0
    shown = ""
    if drawn.shape[1] < inputs:
        per_class = " per class" if outputs > 1 else ""
        shown = f"; the {drawn.shape[1]} largest of {inputs:,}{per_class}"
    kind = "exact, piecewise linear" if trail.exact else "on a grid"
    return build_figure(
        traces,
        f"Path of the weights, {kind}{shown}",
        420,
        ("Bound c", {} if trail.exact else {"type": "log", "tickformat": "~g", "dtick": "D2"}),
        ("Weight θ", {"range": [-1.08 * largest, 1.08 * largest]}),
        shapes=[vertical(bound, CONSTRAINED)],
        hovermode="closest",
        legend=BELOW | {"y": -0.16},
    )


def _choose_weights(weights: NDArray) -> NDArray[np.intp]:
    """The inputs of the weights to draw, a row an output, the largest first.

    Many end at the same bound: of those the ones that were held least say most.
    """
    sizes = np.abs(weights)
    largest_first = np.lexsort((sizes.sum(axis=0), -sizes.max(axis=0)), axis=-1)
    return largest_first[:, : max(MAX_LINES // weights.shape[1], 1)]


def _weight_lines(
    trail: Trail, drawn: NDArray[np.intp], names: Sequence[Sequence[str]], classes: Sequence[str]
) -> list[Trace]:
    hover = "θ = %{y:.4g} at c = %{x:.4g}"
    outputs, inputs = trail.weights.shape[1:]
    if outputs == 1 and inputs <= MAX_NAMED:
        return [
            line(
                trail.bounds,
                trail.weights[:, 0, weight],
                names[0][weight],
                number_style(place).colour,
                number_style(place).dash,
                hover=hover,
            )
            for place, weight in enumerate(sorted(drawn[0]))
        ]
    # Use single precision and no names: every moved slider sends all lines.
    gap = np.append(trail.bounds, np.nan).astype(np.float32)
    lines = []
    for output, indices in enumerate(drawn):
        columns = trail.weights[:, output, indices]
        broken = np.vstack([columns, np.full(len(indices), np.nan)]).T.ravel().astype(np.float32)
        look, name = number_style(output), str(classes[output])
        x = np.tile(gap, len(indices))
        lines.append(line(x, broken, name, look.colour, look.dash, width=1, hover=hover))
    return lines
