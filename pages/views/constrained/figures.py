"""Figures of the constrained page: tables and arrays to Plotly. Knows no Streamlit."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from compression.weight_states import FREE, LOWER, UPPER, ZERO, WeightState
from pages.shared.models.results import LayerRows
from pages.shared.models.text import bound_letter, bound_title
from pages.shared.plots.layout import BELOW, COSTS, MARGIN, build_figure, score_scale, score_title
from pages.shared.plots.palette import (
    CONSTRAINED,
    FAINT,
    GREEN,
    LOW_RANK,
    OCHRE,
    PINK,
    REFERENCE,
    TEAL,
    VIOLET,
    faded,
)

from .results import (
    Race,
    Runs,
    Slices,
    Trail,
)

WAYS = {
    "projected_training": CONSTRAINED,
    "learning_compression": VIOLET,
    "refit": TEAL,
    "clip": OCHRE,
    "fine_tuning": PINK,
}
SOLVERS = {
    "coordinate_descent": TEAL,
    "quasi_newton": VIOLET,
    "hamiltonian_descent": OCHRE,
    "accelerated_projected_gradient": CONSTRAINED,
    "projected_newton": PINK,
    "face_newton": GREEN,
    "cvxpy": REFERENCE,
}
AXES = {"knob": "Bound", **COSTS}
LINES = (LOW_RANK, CONSTRAINED, TEAL, VIOLET, PINK, OCHRE, GREEN, "#4C6272", "#6FB3E8", "#F0A875")

# Orange and violet differ for every kind of colour vision.
DIVERGING = [[0.0, VIOLET], [0.5, "rgba(138, 143, 152, 0.10)"], [1.0, CONSTRAINED]]
PICTURES = 12
DEAREST = 15
SINGLE_LINES = 40  # weights that a path names one by one
MOST_LINES = 200


def states(letter: str = "c") -> dict[WeightState, tuple[str, str]]:
    """What a weight can be, by value, with its colour; ``letter``: of a layer's own bound."""
    return {
        LOWER: (f"at −{letter}", VIOLET),
        ZERO: ("zero", REFERENCE),
        FREE: ("free", "rgba(138, 143, 152, 0.28)"),
        UPPER: (f"at +{letter}", CONSTRAINED),
    }


def histogram(rows: LayerRows, row: int, letter: str = "c") -> go.Figure:
    """Where a layer's weights lie: the free ones, those that are held, and the reference's.

    A weight that is held stands in no bin: those at a bound are a bar of their own outside it,
    those at zero a narrow one, each with its count. Held weights can be a hundred times as many
    as fit beside the free ones: their bar is then cut by the axis, marked, and said to be cut.
    """
    edges, free, reference = (
        found[row] for found in (rows.edges, rows.free_counts, rows.reference_counts)
    )
    centres, width = (edges[1:] + edges[:-1]) / 2, edges[1] - edges[0]
    bound, held = rows.bounds[row], rows.held_counts[row]
    top = 1.15 * max(reference.max(), free.max(), 1)
    end = 1.12 * top
    traces: list[dict[str, Any]] = [
        {
            "type": "bar",
            "x": centres,
            "y": free,
            "width": width,
            "name": f"free: {held[FREE]:,}",
            "marker": {"color": FAINT, "line": {"width": 0}},
            "hovertemplate": "%{y} free weights near %{x:.3g}<extra></extra>",
        }
    ]
    notes: list[dict[str, Any]] = []
    cuts: list[dict[str, Any]] = []
    names = states(letter)
    reach = float(edges[-1])
    # (state, place of its weights, left end of its bar in bar widths, where its count stands)
    bar = 0.8 * width
    for state, at, start, side in (
        (LOWER, -bound, -1.0, "right"),
        (ZERO, 0.0, -0.5, "left"),
        (UPPER, bound, 0.0, "left"),
    ):
        count = int(held[state])
        if count == 0:
            continue
        name, colour = names[state]
        wide = 0.5 * bar if state == ZERO else bar
        left = at + start * wide
        traces.append(
            {
                "type": "bar",
                "x": [at],
                "offset": start * wide,
                "y": [count],
                "width": wide,
                "name": f"{name}: {count:,}",
                "marker": {"color": colour, "line": {"width": 0}},
                "hovertemplate": f"%{{y:,}} weights {name} = %{{x:.3g}}<extra></extra>",
            }
        )
        cut = count > end
        if cut:
            cuts += _break_mark(left, wide, 0.9 * end, end)
        if abs(at) > 0.7 * reach:  # beside the bar there is no room outside
            side = "left" if side == "right" else "right"
        notes.append(
            {
                "x": left if side == "right" else left + wide,
                # Apart in height where zero's would lie on the upper bound's.
                "y": (0.86 if state == ZERO else 0.97) * end if cut else count,
                "text": f"<b>{count:,}</b>{' (bar cut)' if cut else ''}",
                "showarrow": False,
                "xanchor": side,
                "yanchor": "middle" if cut else "bottom",
                "font": {"color": colour},
            }
        )
    traces.append(
        {
            "type": "scatter",
            "x": centres,
            "y": reference,
            "mode": "lines",
            "name": "reference",
            "line": {"color": REFERENCE, "width": 2, "shape": "hvh"},
            "hovertemplate": "%{y} reference weights near %{x:.3g}<extra></extra>",
        }
    )
    return build_figure(
        traces,
        f"Weights of {rows.name}",
        330,
        ("Weight θ", {"range": [-1.05 * reach, 1.05 * reach]}),
        ("Weights in the bin", {"range": [0, end]}),
        barmode="overlay",
        bargap=0,
        legend=BELOW,
        shapes=cuts,
        annotations=notes,
    )


def _break_mark(left: float, wide: float, at: float, end: float) -> list[dict[str, Any]]:
    """Two slanted strokes across a bar: it goes on beyond the axis."""
    return [
        {
            "type": "line",
            "x0": left - 0.5 * wide,
            "x1": left + 1.5 * wide,
            "y0": at + (shift - 0.02) * end,
            "y1": at + (shift + 0.02) * end,
            "line": {"color": REFERENCE, "width": 3},
            "layer": "above",
        }
        for shift in (-0.015, 0.015)
    ]


def matrix(rows: LayerRows, row: int, letter: str = "c") -> go.Figure:
    """A layer's weight as a heat map, and which of its entries are held."""
    kinds = states(letter)
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
    maps = [
        {
            "type": "heatmap",
            "z": rows.weights[row],
            "x": x,
            "y": y,
            "zmin": -largest,
            "zmax": largest,
            "colorscale": DIVERGING,
            "showscale": False,
            "hovertemplate": "output %{y}, input %{x}: %{z:.4g}<extra></extra>",
        },
        {
            "type": "heatmap",
            "z": places,
            "x": x,
            "y": y,
            "xaxis": "x2",
            "zmin": -0.5,
            "zmax": len(kinds) - 0.5,
            "colorscale": steps,
            "colorbar": {
                "thickness": 8,
                "outlinewidth": 0,
                "tickvals": list(range(len(kinds))),
                "ticktext": names.tolist(),
                "xpad": 2,
            },
            "text": names[places],
            "hovertemplate": "output %{y}, input %{x}: %{text}<extra></extra>",
        },
    ]
    plain = {"showgrid": False, "zeroline": False}
    if max(rows.shape) <= 10:
        plain["dtick"] = 1
    thinned = "" if down == across == 1 else f", every {down}. row and {across}. column"
    above = {
        "y": 1,
        "xref": "paper",
        "yref": "paper",
        "xanchor": "center",
        "yanchor": "bottom",
        "showarrow": False,
        "font": {"size": 12},
    }
    return build_figure(
        maps,
        f"Weight of {rows.name} and what the bound holds{thinned}",
        330,
        ("Input", {"domain": [0, 0.48], **plain}),
        ("Output", {"autorange": "reversed", **plain}),
        xaxis2={"title": {"text": "Input", "standoff": 6}, "domain": [0.52, 1], **plain},
        annotations=[
            {"x": 0.24, "text": f"weight θ, from −{largest:.3g} to {largest:.3g}", **above},
            {"x": 0.76, "text": "held", **above},
        ],
        margin={"l": 8, "r": 8, "t": 62, "b": 8},
    )


def pictures(
    values: NDArray, prices: NDArray | None, shape: tuple[int, ...], names: Sequence[str]
) -> go.Figure:
    """A class's weights, and what their bounds cost, in the shape of the inputs; first channel.

    ``values``, ``prices``: shape (classes, features). A price has the sign of its weight's bound.
    """
    shown = min(len(values), PICTURES)
    lines = [("weights", values)] + ([] if prices is None else [("price λ", prices)])
    maps: list[dict[str, Any]] = []
    axes: dict[str, Any] = {}
    for line, (what, kind) in enumerate(lines):
        end = float(np.abs(kind).max()) or 1.0
        low = 1 - (line + 1) / len(lines)
        for column in range(shown):
            number = str(len(maps) + 1) if maps else ""
            maps.append(
                {
                    "type": "heatmap",
                    "z": kind[column].reshape(shape)[0],
                    "zmin": -end,
                    "zmax": end,
                    "xaxis": f"x{number}",
                    "yaxis": f"y{number}",
                    "colorscale": DIVERGING,
                    "showscale": column == shown - 1,
                    "colorbar": {
                        "title": {"text": what, "side": "right"},
                        "thickness": 8,
                        "outlinewidth": 0,
                        "len": 0.9 / len(lines),
                        "y": low + 0.5 / len(lines),
                        "nticks": 5,
                    },
                    "hovertemplate": f"{names[column]}, row %{{y}}, column %{{x}}: %{{z:.4g}}"
                    f"<extra>{what}</extra>",
                }
            )
            axes[f"xaxis{number}"] = {
                "domain": [(column + 0.04) / shown, (column + 0.96) / shown],
                "anchor": f"y{number}",
                "visible": False,
                "constrain": "domain",
            }
            axes[f"yaxis{number}"] = {
                "domain": [low + 0.02, low + 1 / len(lines) - 0.02],
                "anchor": f"x{number}",
                "scaleanchor": f"x{number}",
                "autorange": "reversed",
                "visible": False,
                "constrain": "domain",
            }
    title = "Weights of each class in the shape of the inputs"
    if prices is not None:
        title += ", and what each weight's bound costs (sign: +c or −c)"
    return build_figure(
        maps,
        title,
        70 + 130 * len(lines),
        ("", axes.pop("xaxis")),
        ("", axes.pop("yaxis")),
        **axes,
        annotations=[
            {
                "x": (column + 0.5) / shown,
                "y": 1,
                "xref": "paper",
                "yref": "paper",
                "xanchor": "center",
                "yanchor": "bottom",
                "text": str(names[column]),
                "showarrow": False,
            }
            for column in range(shown)
        ],
        margin={"l": 8, "r": 8, "t": 62, "b": 8},
    )


def dearest(prices: pd.DataFrame, unit: str) -> go.Figure:
    """The bounds that cost most: columns weight (its name), bound (+c, −c) and price."""
    shown = prices.head(DEAREST)[::-1]
    bars = []
    for sign, (name, colour) in {"+c": states()[UPPER], "−c": states()[LOWER]}.items():
        own = shown[shown["bound"] == sign]
        bars.append(
            {
                "type": "bar",
                "x": own["price"],
                "y": own["weight"],
                "orientation": "h",
                "name": name,
                "marker": {"color": colour, "line": {"width": 0}},
                "hovertemplate": "%{y}: %{x:.4g} per unit of c<extra>" + name + "</extra>",
            }
        )
    order = {
        "categoryorder": "array",
        "categoryarray": shown["weight"].tolist(),
        "type": "category",
    }
    return build_figure(
        bars,
        "The dearest bounds",
        max(200, 90 + 20 * len(shown)),
        (f"Multiplier λ ({unit} per unit of c)", {"rangemode": "tozero", "tickformat": "~g"}),
        ("", order),
        bargap=0.25,
    )


def shares(table: pd.DataFrame, bound: float, knob: str) -> go.Figure:
    """Shares of the weights that are held, zero and free, against the bound."""
    areas = [
        {
            "type": "scatter",
            "x": table["knob"],
            "y": 100 * table[column],
            "name": name,
            "mode": "lines",
            "stackgroup": "one",
            "line": {"width": 0.8, "color": colour},
            "fillcolor": fill,
            "hovertemplate": f"{bound_letter(knob)} = "
            "%{x:.4g}: %{y:.1f} %<extra>" + name + "</extra>",
        }
        for column, name, colour, fill in (
            ("pinned", "pinned at the bound", CONSTRAINED, "rgba(224, 112, 43, 0.45)"),
            ("zero", "zero", REFERENCE, FAINT),
            ("free", "free", FAINT, "rgba(138, 143, 152, 0.10)"),
        )
    ]
    return build_figure(
        areas,
        "What becomes of the weights",
        320,
        _bound_axis(knob),
        ("Share of the weights (%)", {"range": [0, 100]}),
        shapes=[_line_at(bound)],
        hovermode="x unified",
        legend=BELOW,
    )


def free_by_layer(
    layers: Mapping[str, LayerRows], knobs: Sequence[float], bound: float, knob: str
) -> go.Figure:
    """Share of each layer's weights that are numbers of their own, against the bound."""
    lines = [
        {
            "type": "scatter",
            "x": knobs,
            "y": 100 * rows.held_counts[:, FREE] / rows.held_counts.sum(axis=1),
            "name": name,
            "mode": "lines",
            "line": {"color": LINES[place % len(LINES)], "width": 2},
            "hovertemplate": f"{bound_letter(knob)} = "
            "%{x:.4g}: %{y:.1f} % free<extra>" + name + "</extra>",
        }
        for place, (name, rows) in enumerate(layers.items())
    ]
    return build_figure(
        lines,
        "Free weights of each layer",
        320,
        _bound_axis(knob),
        ("Share of its weights (%)", {"range": [0, 103]}),
        shapes=[_line_at(bound)],
        hovermode="x unified",
        legend=BELOW,
    )


def price(facts: pd.DataFrame, bound: float, knob: str, unit: str) -> go.Figure:
    """What one more unit of c would take off the training loss."""
    curve = {
        "type": "scatter",
        "x": facts["knob"],
        "y": facts["price"].where(facts["price"] > 0),
        "mode": "lines+markers",
        "line": {"color": CONSTRAINED, "width": 2},
        "marker": {"size": 5},
        "hovertemplate": "c = %{x:.4g}: %{y:.4g}<extra></extra>",
        "showlegend": False,
    }
    return build_figure(
        [curve],
        "What one more unit of c would buy",
        420,
        _bound_axis(knob),
        (f"Σ λ ({unit} per unit of c)", _decades(facts["price"])),
        shapes=[_line_at(bound)],
    )


def losses(
    table: pd.DataFrame, reference: pd.Series, bound: float, knob: str, unit: str
) -> go.Figure:
    """Loss of the three parts against the bound, the reference's training loss dashed."""
    lines = [
        {
            "type": "scatter",
            "x": table["knob"],
            "y": table[column],
            "name": name,
            "mode": "lines",
            "line": {"color": colour, "width": 2, "dash": dash},
            "hovertemplate": f"{bound_letter(knob)} = "
            "%{x:.4g}: %{y:.4g}<extra>" + name + "</extra>",
        }
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
        _bound_axis(knob),
        (f"Mean {unit}".replace("nats", "cross-entropy (nats)"), {"rangemode": "tozero"}),
        shapes=[_line_at(bound), _level(reference["train_loss"])],
        hovermode="x unified",
        legend=BELOW,
    )


def ways(
    curves: Sequence[tuple[str, str, pd.DataFrame]],
    reference: Mapping[str, float],
    axis: str,
    bound: float,
    knob: str,
    task: str,
) -> go.Figure:
    """Score against the bound, or what it costs: a line a way; bars are the first one's intervals.

    ``curves``: (way's name in the catalogue, title, table).
    """
    scale = score_scale(task)
    traces: list[dict[str, Any]] = []
    for number, (name, title, table) in enumerate(curves):
        colour = WAYS.get(name, CONSTRAINED)
        ordered = table.sort_values("knob")
        low, high, scores = (
            scale * ordered[column].to_numpy() for column in ("score_low", "score_high", "score")
        )
        traces.append(
            {
                "type": "scatter",
                "x": ordered[axis],
                "y": scores,
                "name": title,
                "mode": "lines+markers" if axis == "knob" else "markers",
                "line": {"color": colour, "width": 2, "dash": _dash(name)},
                "marker": {"size": 6, "symbol": _symbol(name), "color": colour},
                "error_y": {
                    "type": "data",
                    "symmetric": False,
                    "array": high - scores,
                    "arrayminus": scores - low,
                    "color": faded(colour),
                    "thickness": 3,
                    "width": 0,
                    "visible": number == 0,
                },
                # As lists: of a row of an array a click would be told something else.
                "customdata": np.stack(
                    [ordered["knob"], low, high, ordered["bytes"]], axis=1
                ).tolist(),
                "hovertemplate": f"{bound_letter(knob)} = "
                "%{customdata[0]:.4g}: %{y:.4g} (%{customdata[1]:.4g} to "
                f"%{{customdata[2]:.4g}})<br>%{{customdata[3]:,}} bytes<extra>{title}</extra>",
            }
        )
    first = curves[0][2]
    now = first.iloc[[(first["knob"] - bound).abs().argmin()]]
    traces.append(
        {
            "type": "scatter",
            "x": now[axis],
            "y": scale * now["score"],
            "mode": "markers",
            "name": "now",
            "showlegend": False,
            "hoverinfo": "skip",
            "marker": {
                "size": 14,
                "color": WAYS.get(curves[0][0], CONSTRAINED),
                "line": {"width": 2.5, "color": "white"},
            },
        }
    )
    settings = {"type": "log", "tickformat": "~s"}
    if axis != "knob":
        ends = [v for _, _, table in curves for v in (table[axis].min(), table[axis].max())]
        settings["dtick"] = "D1" if max(ends) < 10 * min(ends) else "D2"
    return build_figure(
        traces,
        f"{score_title(task)} against {AXES[axis].lower()}, with 95 % intervals of the first",
        420,
        _bound_axis(knob) if axis == "knob" else (COSTS[axis], settings),
        (score_title(task), {}),
        shapes=[_level(scale * reference["score"])] + ([_line_at(bound)] if axis == "knob" else []),
        hovermode="closest",
        legend=BELOW | {"y": -0.16},
    )


def schedule(first: float, last: float, count: int) -> go.Figure:
    """Learning–compression's penalty, round by round of each bound: geometric."""
    penalties = np.geomspace(first, last, count)
    rounds = {
        "type": "scatter",
        "x": np.arange(1, len(penalties) + 1),
        "y": penalties,
        "mode": "lines+markers",
        "line": {"color": WAYS["learning_compression"], "width": 2},
        "hovertemplate": "round %{x}: μ = %{y:.3g}<extra></extra>",
        "showlegend": False,
    }
    return build_figure(
        [rounds],
        "Penalty μ of each round",
        200,
        ("Round of a bound", {"dtick": max(1, len(penalties) // 10)}),
        ("μ", {"type": "log", "tickformat": "~g", "dtick": "D2"}),
    )


def path(
    trail: Trail, names: Sequence[Sequence[str]], classes: Sequence[str], bound: float, box: bool
) -> go.Figure:
    """Every weight against c: a line each, breakpoints as ticks, the current c as a line.

    ``names``: of the weights, by output and input. With more than a few weights there is one
    colour a class, and of very many only the largest of each class are drawn.
    """
    outputs, inputs = trail.weights.shape[1:]
    flat = trail.weights.reshape(len(trail.bounds), -1)
    # Many end at the same bound: of those the ones that were held least say most.
    sizes = np.abs(trail.weights)
    largest_first = np.lexsort((sizes.sum(axis=0), -sizes.max(axis=0)), axis=-1)
    each = largest_first[:, : max(MOST_LINES // outputs, 1)]
    order = (inputs * np.arange(outputs)[:, None] + each).ravel()
    traces: list[dict[str, Any]] = []
    if outputs * inputs <= SINGLE_LINES and outputs == 1:
        for place, weight in enumerate(sorted(order)):
            traces.append(_thread(trail.bounds, flat[:, weight], names[0][weight], place))
    else:
        # In single precision, without names: every moved slider sends all of it.
        gap = np.append(trail.bounds, np.nan).astype(np.float32)
        for output in range(outputs):
            own = [weight for weight in order if weight // inputs == output]
            if not own:
                continue
            broken = np.concatenate([np.append(flat[:, weight], np.nan) for weight in own]).astype(
                np.float32
            )
            line = _thread(np.tile(gap, len(own)), broken, str(classes[output]), output)
            line["line"]["width"] = 1.0
            traces.append(line)
    if box:
        for sign in (1, -1):
            traces.append(
                {
                    "type": "scatter",
                    "x": trail.bounds,
                    "y": sign * trail.bounds,
                    "mode": "lines",
                    "name": "±c",
                    "showlegend": sign > 0,
                    "hoverinfo": "skip",
                    "line": {"color": REFERENCE, "width": 1, "dash": "dot"},
                }
            )
    traces.append(
        {
            "type": "scatter",
            "x": trail.bounds,
            "y": np.full(len(trail.bounds), float(flat.min())),
            "mode": "markers",
            "name": "breakpoints" if trail.exact else "grid",
            "marker": {"symbol": "line-ns-open", "size": 9, "color": REFERENCE},
            "hovertemplate": "c = %{x:.4g}<extra>%{fullData.name}</extra>",
        }
    )
    largest = float(np.abs(flat).max()) or 1.0
    shown = (
        ""
        if len(order) == flat.shape[1]
        else f", the {each.shape[1]} largest of {inputs:,}" + (" a class" if outputs > 1 else "")
    )
    kind = "exact, piecewise linear" if trail.exact else "on a grid"
    return build_figure(
        traces,
        f"Path of the weights, {kind}{shown}",
        420,
        ("Bound c", {} if trail.exact else {"type": "log", "tickformat": "~g", "dtick": "D2"}),
        ("Weight θ", {"range": [-1.08 * largest, 1.08 * largest]}),
        shapes=[_line_at(bound)],
        hovermode="closest",
        legend=BELOW | {"y": -0.16},
    )


def _thread(x: NDArray, y: NDArray, name: str, place: int) -> dict[str, Any]:
    return {
        "type": "scatter",
        "x": x,
        "y": y,
        "mode": "lines",
        "name": name,
        "line": {"color": LINES[place % len(LINES)], "width": 2},
        "hovertemplate": "θ = %{y:.4g} at c = %{x:.4g}<extra>" + name + "</extra>",
    }


def bits(own: pd.DataFrame, chosen: int, reference: Mapping[str, float], task: str) -> go.Figure:
    """One bound's network in every number of bits: its score, the reference's dashed."""
    scale = score_scale(task)
    lines = [
        {
            "type": "scatter",
            "x": [_bits(b) for b in own["bits"]],
            "y": scale * own[column],
            "name": name,
            "mode": "lines+markers",
            "line": {"color": colour, "width": 2, "dash": dash},
            "marker": {"size": [12 if b == chosen else 6 for b in own["bits"]]},
            "hovertemplate": "%{x} bits: %{y:.4g}<extra>" + name + "</extra>",
        }
        for column, name, colour, dash in (
            ("validation_score", "validation", TEAL, "dot"),
            ("score", "test", CONSTRAINED, "solid"),
        )
    ]
    return build_figure(
        lines,
        "Score in every number of bits; dashed: reference",
        320,
        ("Bits of a free weight", {"type": "category"}),
        ("Accuracy (%)" if task == "classification" else "R²", {}),
        shapes=[_level(scale * reference["score"])],
        legend=BELOW,
    )


def lengths(own: pd.DataFrame, chosen: int, reference: Mapping[str, float]) -> go.Figure:
    """One bound's file in every number of bits, the reference's dashed."""
    bars = {
        "type": "bar",
        "x": [_bits(b) for b in own["bits"]],
        "y": own["bytes"],
        "marker": {
            "color": [
                CONSTRAINED if b == chosen else "rgba(224, 112, 43, 0.35)" for b in own["bits"]
            ],
            "line": {"width": 0},
        },
        "hovertemplate": "%{x} bits: %{y:,} bytes<extra></extra>",
        "showlegend": False,
    }
    return build_figure(
        [bars],
        "File as it is written; dashed: the reference's",
        320,
        ("Bits of a free weight", {"type": "category"}),
        ("File size (bytes)", {"tickformat": "~s"}),
        shapes=[_level(reference["bytes"])],
    )


def _bits(number: int) -> str:
    return "off" if number == 32 else str(number)


def rounding(table: pd.DataFrame, chosen: int, bound: float, knob: str) -> go.Figure:
    """How the bound trades what it clips against what b bits round, root mean squares."""
    own = table[table["bits"] == chosen].sort_values("bound")
    lines = [
        {
            "type": "scatter",
            "x": own["bound"],
            "y": own[column].where(own[column] > 0),
            "name": name,
            "mode": "lines",
            "line": {"color": colour, "width": 2, "dash": dash},
            "hovertemplate": f"{bound_letter(knob)} = "
            "%{x:.4g}: %{y:.3g}<extra>" + name + "</extra>",
        }
        for column, name, colour, dash in (
            ("clipping_error", "cut off the reference by the bound", CONSTRAINED, "solid"),
            ("rounding_error", "added by rounding", VIOLET, "solid"),
            ("step", "step of the grid", REFERENCE, "dot"),
        )
    ]
    title = "Clipping against rounding" + ("" if chosen == 32 else f", {chosen} bits")
    return build_figure(
        lines,
        title,
        340,
        _bound_axis(knob),
        ("Units of the weights", _decades(own[["clipping_error", "rounding_error", "step"]])),
        shapes=[_line_at(bound)],
        legend=BELOW,
    )


def affordable(table: pd.DataFrame, bound: float, knob: str) -> go.Figure:
    """The fewest bits that each bound can do with."""
    fewest = table.drop_duplicates("bound").sort_values("bound")
    steps = {
        "type": "scatter",
        "x": fewest["bound"],
        "y": np.minimum(fewest["fewest_bits"], 17),
        "mode": "lines+markers",
        "line": {"color": CONSTRAINED, "width": 2, "shape": "hvh"},
        "marker": {"size": 5},
        "customdata": [_bits(b) for b in fewest["fewest_bits"]],
        "hovertemplate": f"{bound_letter(knob)} = %{{x:.4g}}: %{{customdata}} bits<extra></extra>",
        "showlegend": False,
    }
    ticks = {
        "tickvals": [2, 4, 6, 8, 10, 12, 14, 16, 17],
        "ticktext": [*map(str, range(2, 17, 2)), "off"],
    }
    return build_figure(
        [steps],
        "Fewest bits that lose at most a point on validation",
        340,
        _bound_axis(knob),
        ("Bits of a free weight", {"range": [1.5, 17.5], **ticks}),
        shapes=[_line_at(bound)],
    )


def tracks(race: Race, titles: Mapping[str, str], clock: str) -> go.Figure:
    """How far above the optimum each solver still is, by iteration or by seconds."""
    lines = []
    for name, track in race.tracks.items():
        run = track[track[clock] > 0]  # the axis is logarithmic
        lines.append(
            {
                "type": "scatter",
                "x": run[clock],
                "y": np.maximum(run["above"], 1e-16),
                "name": titles[name],
                "mode": "lines+markers",
                "line": {"color": SOLVERS[name], "width": 2},
                "marker": {"size": 4},
                "customdata": np.stack([run["iteration"], run["seconds"]], axis=1),
                "hovertemplate": "iteration %{customdata[0]}, %{customdata[1]:.3g} s: "
                "%{y:.3g} above<extra>" + titles[name] + "</extra>",
            }
        )
    x = {
        "iteration": ("Iteration", {"type": "log", "tickformat": "~s", "dtick": 1}),
        "seconds": ("Seconds", {"type": "log", "tickformat": "~g", "dtick": 1}),
    }[clock]
    return build_figure(
        lines,
        f"Objective above the best lower bound, by {clock.removesuffix('s') if clock == 'iteration' else 'time'}",
        360,
        x,
        ("Objective − lower bound", {"type": "log", "exponentformat": "power"}),
        legend=BELOW,
        hovermode="closest",
    )


def plane_of_all_bounds(cuts: Slices, row: int, names: tuple[str, str]) -> go.Figure:
    """Loss and set in the plane of two weights, in one window for all bounds: how the set grows."""
    path = {
        "type": "scatter",
        "x": cuts.optimum[:, 0],
        "y": cuts.optimum[:, 1],
        "mode": "lines+markers",
        "name": "optimum of every bound",
        "line": {"color": OCHRE, "width": 1.5},
        "marker": {"size": 4},
        "customdata": cuts.bounds,
        "hovertemplate": "c = %{customdata:.3g}: %{x:.4g}, %{y:.4g}<extra>optimum</extra>",
    }
    title = f"The same window for every bound, c = {cuts.bounds[row]:.3g}"
    return _plane(cuts, row, cuts.far_loss[row], cuts.far, [path], names, title)


def plane_of_one_bound(
    cuts: Slices,
    row: int,
    runs: Runs | None,
    pair: tuple[int, int],
    names: tuple[str, str],
    titles: Mapping[str, str],
) -> go.Figure:
    """Loss, set and solvers' ways in the plane of two weights, as near as the set is small.

    ``pair``: the two weights, numbered row by row.
    """
    ways = []
    for solver, own in {} if runs is None else runs.weights.items():
        weights = own[row]
        if weights is None:
            continue
        ways.append(
            {
                "type": "scatter",
                "x": weights[:, pair[0]],
                "y": weights[:, pair[1]],
                "mode": "lines+markers",
                "name": titles[solver],
                "line": {"color": SOLVERS[solver], "width": 1.5},
                "marker": {"size": 5},
                "hovertemplate": "%{x:.4g}, %{y:.4g}<extra>" + titles[solver] + "</extra>",
            }
        )
    title = f"The window follows the bound, c = {cuts.bounds[row]:.3g}"
    return _plane(cuts, row, cuts.near_loss[row], float(cuts.near[row]), ways, names, title)


def _plane(
    cuts: Slices,
    row: int,
    loss: NDArray,
    wide: float,
    between: Sequence[Mapping[str, Any]],
    names: tuple[str, str],
    title: str,
) -> go.Figure:
    """``between``: traces over the set and under the optimum."""
    ends = np.linspace(-wide, wide, loss.shape[-1])
    plane = {"x": ends, "y": ends, "z": loss}
    contours: list[Mapping[str, Any]] = []
    if np.isfinite(loss).all():
        contours = [
            {
                "type": "contour",
                **plane,
                "contours": {"coloring": "lines"},
                "ncontours": 22,
                "line": {"width": 1},
                "colorscale": [[0, REFERENCE], [1, "rgba(138, 143, 152, 0.25)"]],
                "showscale": False,
                "name": "loss",
                "hovertemplate": "%{x:.4g}, %{y:.4g}: loss %{z:+.3g}<extra>against the optimum</extra>",
            },
            {
                "type": "contour",
                **plane,
                # Plotly fills what the constraint leaves out.
                "contours": {"type": "constraint", "operation": ">", "value": 0},
                "fillcolor": "rgba(15, 143, 131, 0.16)",
                "line": {"color": TEAL, "width": 1.5},
                "name": "less loss than the optimum",
                "showlegend": True,
                "hoverinfo": "skip",
            },
        ]
    border = cuts.border[row]
    allowed = {
        "type": "scatter",
        "x": border[:, 0],
        "y": border[:, 1],
        "mode": "lines",
        "fill": "toself",
        "fillcolor": "rgba(224, 112, 43, 0.16)",
        "line": {"color": CONSTRAINED, "width": 1.5, "dash": "dash"},
        "name": "allowed",
        "hoverinfo": "skip",
    }
    optimum = {
        "type": "scatter",
        "x": [cuts.optimum[row, 0]],
        "y": [cuts.optimum[row, 1]],
        "mode": "markers",
        "name": "optimum",
        "marker": {
            "symbol": "star",
            "size": 15,
            "color": OCHRE,
            "line": {"width": 1.2, "color": "white"},
        },
        "hovertemplate": "optimum: %{x:.4g}, %{y:.4g}<extra></extra>",
    }
    window = {"range": [-wide, wide], "zeroline": False, "nticks": 8, "constrain": "domain"}
    return build_figure(
        [*contours, allowed, *between, optimum],
        title,
        580,
        (names[0], window),
        (names[1], {**window, "scaleanchor": "x", "constraintoward": "top"}),
        hovermode="closest",
        legend=BELOW | {"y": -0.11},
        # Room for the longer of two legends, so that both squares are of one size.
        margin={**MARGIN, "b": 130},
    )


def _bound_axis(knob: str) -> tuple[str, dict[str, Any]]:
    return bound_title(knob), {"type": "log", "tickformat": "~g", "dtick": "D2"}


def _decades(values: pd.Series | pd.DataFrame) -> dict[str, Any]:
    """A logarithmic axis with as many ticks as its decades leave room for."""
    seen = values.to_numpy(float)
    seen = seen[seen > 0]
    decades = np.log10(seen.max() / seen.min()) if seen.size else 0.0
    return {"type": "log", "tickformat": "~g", "dtick": "D2" if decades < 3 else 1}


def _line_at(bound: float) -> dict[str, Any]:
    return {
        "type": "line",
        "x0": bound,
        "x1": bound,
        "yref": "paper",
        "y0": 0,
        "y1": 1,
        "line": {"color": CONSTRAINED, "width": 1.5},
    }


def _level(value: float) -> dict[str, Any]:
    return {
        "type": "line",
        "xref": "paper",
        "x0": 0,
        "x1": 1,
        "y0": value,
        "y1": value,
        "line": {"color": REFERENCE, "dash": "dash", "width": 1.5},
    }


def _dash(way: str) -> str:
    return "dot" if way in ("clip", "fine_tuning") else "solid"


def _symbol(way: str) -> str:
    return "circle-open" if way in ("clip", "fine_tuning") else "circle"
