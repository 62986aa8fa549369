"""Figures of one bound's weights: where they lie, which are held, and what that costs."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from compression.constrained.weight_history import LayerHistory
from compression.weight_states import FREE, LOWER, UPPER, ZERO, WeightState
from pages.shared.plots.layout import BELOW, NAMELESS, build_figure, place_in_grid
from pages.shared.plots.palette import (
    CONSTRAINED,
    DIVERGING_CONSTRAINED,
    FAINT,
    FAINTER,
    REFERENCE,
    VIOLET,
)
from pages.shared.plots.traces import Trace, bars, colour_bar, heatmap, line, note

MAX_CLASSES = 12  # with pictures
MAX_MULTIPLIERS = 15
_PLAIN = {"showgrid": False, "zeroline": False}
_MARGIN = {"l": 8, "r": 8, "t": 62, "b": 8}


def name_states(letter: str = "c") -> dict[WeightState, tuple[str, str]]:
    """What a weight can be, by value, with its colour; ``letter``: of a layer's own bound."""
    return {
        LOWER: (f"at −{letter}", VIOLET),
        ZERO: ("zero", REFERENCE),
        FREE: ("free", FAINTER),
        UPPER: (f"at +{letter}", CONSTRAINED),
    }


def histogram(rows: LayerHistory, row: int, letter: str = "c") -> go.Figure:
    """Where a layer's weights lie: the free ones, those that are held, and the reference's.

    A weight that is held stands in no bin: those at a bound are a bar of their own outside it,
    those at zero a narrow one, each with its count. Held weights can be a hundred times as many
    as fit beside the free ones: their bar is then cut by the axis, marked, and said to be cut.
    """
    edges, free, reference = rows.edges[row], rows.free_counts[row], rows.reference_counts[row]
    centres, width = (edges[1:] + edges[:-1]) / 2, edges[1] - edges[0]
    counts, bound, reach = rows.state_counts[row], rows.bounds[row], float(edges[-1])
    end = 1.12 * 1.15 * max(reference.max(), free.max(), 1)
    free_bars = bars(
        centres,
        free,
        f"free: {counts[FREE]:,}",
        FAINT,
        width=width,
        hover="%{y} free weights near %{x:.3g}<extra></extra>",
    )
    held_bars = [
        _draw_held_bar(int(counts[state]), *name_states(letter)[state], place, wide, end, reach)
        for state, place, wide in (
            (LOWER, -bound, 0.8 * width),
            (ZERO, 0.0, 0.4 * width),
            (UPPER, bound, 0.8 * width),
        )
        if counts[state]
    ]
    outline = line(
        centres,
        reference,
        "reference",
        REFERENCE,
        hover="%{y} reference weights near %{x:.3g}<extra></extra>",
    )
    outline["line"]["shape"] = "hvh"
    return build_figure(
        [free_bars, *(trace for trace, _, _ in held_bars), outline],
        f"Weights of {rows.name}",
        330,
        ("Weight θ", {"range": [-1.05 * reach, 1.05 * reach]}),
        ("Weights in the bin", {"range": [0, end]}),
        barmode="overlay",
        bargap=0,
        legend=BELOW,
        shapes=[stroke for _, _, strokes in held_bars for stroke in strokes],
        annotations=[label for _, label, _ in held_bars],
    )


def _draw_held_bar(
    count: int, name: str, colour: str, place: float, wide: float, end: float, reach: float
) -> tuple[Trace, dict[str, Any], list[dict[str, Any]]]:
    """The bar of the weights at one value, its count, and the strokes that mark it as cut.

    ``end``, ``reach``: of the axes upwards and to the right.
    """
    start = {-1: -wide, 0: -0.5 * wide, 1: 0.0}[int(np.sign(place))]
    left, cut = place + start, count > end
    trace = bars(
        [place],
        [count],
        f"{name}: {count:,}",
        colour,
        offset=start,
        width=wide,
        hover=f"%{{y:,}} weights {name} = %{{x:.3g}}<extra></extra>",
    )
    # Put the label outside the bound, or beside the bar where there is no room.
    to_the_left = (place < 0) != (abs(place) > 0.7 * reach)
    label = {
        "x": left if to_the_left else left + wide,
        # Raise it where zero's label would overlap the upper bound's.
        "y": (0.97 if place else 0.86) * end if cut else count,
        "text": f"<b>{count:,}</b>{' (bar cut)' if cut else ''}",
        "showarrow": False,
        "xanchor": "right" if to_the_left else "left",
        "yanchor": "middle" if cut else "bottom",
        "font": {"color": colour},
    }
    strokes = [
        {
            "type": "line",
            "x0": left - 0.5 * wide,
            "x1": left + 1.5 * wide,
            "y0": (0.9 + shift - 0.02) * end,
            "y1": (0.9 + shift + 0.02) * end,
            "line": {"color": REFERENCE, "width": 3},
            "layer": "above",
        }
        for shift in (-0.015, 0.015)
    ]
    return trace, label, strokes if cut else []


def matrix(rows: LayerHistory, row: int, letter: str = "c") -> go.Figure:
    """A layer's weight as a heat map, and which of its entries are held."""
    kinds = name_states(letter)
    largest = float(np.abs(rows.weights[row]).max()) or 1.0
    down, across = rows.strides
    y, x = (np.arange(0, n, step) + 1 for n, step in zip(rows.shape, (down, across), strict=True))
    names = np.array([name for name, _ in kinds.values()])
    places = np.argsort(list(kinds))[rows.states[row]]  # in the order in which states are shown
    steps = [
        [(place + end) / len(kinds), colour]
        for place, (_, colour) in enumerate(kinds.values())
        for end in (0, 1)
    ]
    at = "output %{y}, input %{x}: "
    maps = [
        heatmap(
            rows.weights[row],
            DIVERGING_CONSTRAINED,
            x=x,
            y=y,
            low=-largest,
            high=largest,
            hover=at + "%{z:.4g}",
        ),
        heatmap(
            places,
            steps,
            x=x,
            y=y,
            low=-0.5,
            high=len(kinds) - 0.5,
            hover=at + "%{text}",
            text=names[places],
            xaxis="x2",
            showscale=True,
            colorbar=colour_bar(
                "", thickness=8, tickvals=list(range(len(kinds))), ticktext=names.tolist(), xpad=2
            ),
        ),
    ]
    plain = _PLAIN | ({"dtick": 1} if max(rows.shape) <= 10 else {})
    thinned = "" if down == across == 1 else f", every {down}. row and {across}. column"
    return build_figure(
        maps,
        f"Weight of {rows.name} and what the bound holds{thinned}",
        330,
        ("Input", {"domain": [0, 0.48], **plain}),
        ("Output", {"autorange": "reversed", **plain}),
        xaxis2={"title": {"text": "Input", "standoff": 6}, "domain": [0.52, 1], **plain},
        annotations=[
            note(0.24, 1, f"weight θ, from −{largest:.3g} to {largest:.3g}", xanchor="center"),
            note(0.76, 1, "held", xanchor="center"),
        ],
        margin=_MARGIN,
    )


def pictures(
    values: NDArray, prices: NDArray | None, shape: tuple[int, ...], names: Sequence[str]
) -> go.Figure:
    """A class's weights, and what their bounds cost, in the shape of the inputs; first channel.

    ``values``, ``prices``: shape (classes, features). A price has the sign of its weight's bound.
    """
    shown = min(len(values), MAX_CLASSES)
    kinds = [("weights", values)] + ([] if prices is None else [("price λ", prices)])
    maps: list[Trace] = []
    for number, (what, kind) in enumerate(kinds):
        end = float(np.abs(kind).max()) or 1.0
        maps += [
            heatmap(
                class_values.reshape(shape)[0],
                DIVERGING_CONSTRAINED,
                low=-end,
                high=end,
                hover=f"{name}, row %{{y}}, column %{{x}}: %{{z:.4g}}<extra>{what}</extra>",
            )
            for class_values, name in zip(kind[:shown], names[:shown], strict=True)
        ]
        length, middle = 0.9 / len(kinds), 1 - (number + 0.5) / len(kinds)
        bar = colour_bar(what, thickness=8, len=length, y=middle, nticks=5)
        maps[-1] |= {"showscale": True, "colorbar": bar}
    title = "Weights of each class in the shape of the inputs"
    if prices is not None:
        title += "; below: what their bounds cost (sign: +c or −c)"
    labels = [*map(str, names[:shown]), *[""] * (len(maps) - shown)]
    placed, layout = place_in_grid(
        maps, labels, shown, (0.08 / shown, 0.04), xanchor="center", font={}
    )
    height = 70 + 130 * len(kinds)
    return build_figure(placed, title, height, NAMELESS, NAMELESS, margin=_MARGIN, **layout)


def largest_multipliers(prices: pd.DataFrame, unit: str) -> go.Figure:
    """The bounds that cost most: columns weight (its name), bound (+c, −c) and price."""
    shown = prices.head(MAX_MULTIPLIERS)[::-1]
    traces = []
    for sign, state in {"+c": UPPER, "−c": LOWER}.items():
        name, colour = name_states()[state]
        rows = shown[shown["bound"] == sign]
        hover = "%{y}: %{x:.4g} per unit of c"
        traces.append(
            bars(rows["price"], rows["weight"], name, colour, hover=hover, orientation="h")
        )
    order = {"categoryorder": "array", "categoryarray": shown["weight"].tolist()}
    return build_figure(
        traces,
        "Largest multipliers",
        max(220, 110 + 20 * len(shown)),
        (f"λ ({unit} per unit of c)", {"rangemode": "tozero", "tickformat": "~g"}),
        ("", {"type": "category", **order}),
        bargap=0.25,
        legend=BELOW,
    )
