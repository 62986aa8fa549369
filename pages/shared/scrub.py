"""Both curves as one figure that moves in the browser: its sliders ask no server.

Every row of a curve is a frame that changes four traces of its side: spectrum, predictions, the
point in the plane and the numbers. Only lines, points and texts move: Plotly animates those
without drawing the rest again, which is what keeps up with a hand.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from . import figures, words
from .results import Layer, Traded, Trained

HEIGHT = 1180
# Of a confusion matrix's text: on coloured cells, and on faint ones of a light or a dark page.
ON_COLOUR, ON_FAINT = "#ffffff", "#7a808a"
_AT_ONCE = {
    "mode": "immediate",
    "frame": {"duration": 0, "redraw": False},
    "transition": {"duration": 0},
}
_COLUMNS = ((0.0, 0.47), (0.53, 1.0))


def scrub(
    trained: Trained, layer: Layer, low_rank: Traded, constrained: Traded, rank: float, bound: float
) -> go.Figure:
    """The comparison as one figure with a slider for k and one for c.

    Parameters
    ----------
    trained : Trained
    layer : Layer
        Whose spectra are drawn.
    low_rank, constrained : Traded
        Whole curves.
    rank, bound : float
        Where the sliders begin.
    """
    most = max((part.break_even for part in trained.layers), default=0) + 1
    rows = [row for row, k in enumerate(low_rank.table["knob"]) if k <= most] or [0]
    sides = [
        _Side(0, "k", "Rank k", figures.LOW_RANK, low_rank, rows, low_rank.row(rank)),
        _Side(
            1,
            "c",
            "Bound c",
            figures.CONSTRAINED,
            constrained,
            list(range(len(constrained.table))),
            constrained.row(bound),
        ),
    ]
    still = _spectra(trained, layer, low_rank) + _plane(trained, sides)
    traces, frames, sliders = list(still), [], []
    for side in sides:
        places = list(range(len(traces), len(traces) + 4))
        begin = side.begin if side.begin in side.rows else side.rows[-1]
        traces += _moving(trained, layer, side, begin)
        for row in side.rows:
            changes = [_change(trace) for trace in _moving(trained, layer, side, row)]
            frames.append((side.frame(row), places, changes))
        sliders.append(_slider(side, begin))
    # Without a redraw Plotly takes away what a frame does not name: each names every trace.
    whole = []
    for name, places, changes in frames:
        data = [{"type": trace["type"]} for trace in traces]
        for place, change in zip(places, changes, strict=True):
            data[place] = change
        whole.append({"name": name, "traces": list(range(len(traces))), "data": data})
    return go.Figure(
        data=traces, frames=whole, layout=_layout(trained, layer, sides) | {"sliders": sliders}
    )


class _Side:
    """One side's curve, its rows that are frames, and where it stands in the figure."""

    def __init__(
        self,
        number: int,
        letter: str,
        label: str,
        colour: str,
        curve: Traded,
        rows: list[int],
        begin: int,
    ):
        self.number, self.letter, self.label = number, letter, label
        self.colour, self.curve, self.rows, self.begin = colour, curve, rows, begin

    def knob(self, row: int) -> float:
        return float(self.curve.table["knob"].iloc[row])

    def frame(self, row: int) -> str:
        return f"{self.letter} = {self.knob(row):.6g}"


def _axes(number: int) -> dict[str, str]:
    return {"xaxis": f"x{number}", "yaxis": f"y{number}"}


def _spectra(trained: Trained, layer: Layer, low_rank: Traded) -> list[dict[str, Any]]:
    reference = trained.spectra[layer.name]
    bars = low_rank.spectra.get(layer.name, reference)
    return [
        {
            "type": "bar",
            "x": np.arange(1, len(bars) + 1),
            "y": np.round(bars, 5),
            "marker": {"color": figures.faded(figures.LOW_RANK), "line": {"width": 0}},
            **_axes(1),
        },
        {
            "type": "scatter",
            "x": np.arange(1, len(reference) + 1),
            "y": np.round(reference, 5),
            "mode": "lines",
            "line": {"color": figures.REFERENCE, "width": 1.5, "shape": "hvh"},
            **_axes(2),
        },
    ]


def _plane(trained: Trained, sides: Sequence[_Side]) -> list[dict[str, Any]]:
    scale = figures.score_scale(trained.task)
    curves = [
        {
            "type": "scatter",
            "x": side.curve.table["bytes"].to_numpy(),
            "y": np.round(scale * side.curve.table["score"].to_numpy(), 4),
            "mode": "lines",
            "line": {"color": side.colour, "width": 2},
            **_axes(5),
        }
        for side in sides
    ]
    point = {
        "type": "scatter",
        "x": [trained.bytes],
        "y": [scale * trained.score],
        "mode": "markers",
        "marker": {"color": figures.REFERENCE, "size": 11, "symbol": "diamond"},
        **_axes(5),
    }
    return [*curves, point]


def _moving(trained: Trained, layer: Layer, side: _Side, row: int) -> list[dict[str, Any]]:
    """Spectrum, predictions, point in the plane and numbers of a row."""
    line = side.curve.table.iloc[row]
    scale = figures.score_scale(trained.task)
    return [
        _spectrum(trained, layer, side, row),
        _predictions(trained, side, row),
        {
            "type": "scatter",
            "x": [int(line["bytes"])],
            "y": [round(float(scale * line["score"]), 4)],
            "mode": "markers",
            "marker": {"color": side.colour, "size": 15, "line": {"width": 2.5, "color": "#fff"}},
            **_axes(5),
        },
        {
            "type": "scatter",
            "x": [0],
            "y": [0],
            "mode": "text",
            "text": [_numbers(trained, line)],
            "textposition": "middle right",
            "textfont": {"size": 13},
            **_axes(6 + side.number),
        },
    ]


def _numbers(trained: Trained, line: Any) -> str:
    score, parameters, file, macs = words.metrics(trained, line)
    return (
        f"<b>{score[1]}</b> {score[0].replace('Test', 'test')}, {score[2]}<br>"
        f"<b>{parameters[1]}</b> parameters, {parameters[2]} · <b>{file[1]}</b>, {file[2]} · "
        f"<b>{macs[1]}</b> MACs"
    )


def _spectrum(trained: Trained, layer: Layer, side: _Side, row: int) -> dict[str, Any]:
    if side.number == 1:
        values = side.curve.spectra[layer.name][row]
        return {
            "type": "scatter",
            "x": np.arange(1, len(values) + 1),
            "y": np.round(values, 5),
            "mode": "lines+markers",
            "marker": {"size": 4},
            "fill": "tozeroy",
            "line": {"color": side.colour, "width": 2, "shape": "hvh"},
            **_axes(2),
        }
    values = side.curve.spectra.get(layer.name, trained.spectra[layer.name])
    rank = int(side.knob(row))
    kept = len(values) if rank > layer.break_even else min(rank, len(values))
    # The kept values as a line over the bars: a bar's colour cannot change without a redraw.
    return {
        "type": "scatter",
        "x": np.arange(1, kept + 1),
        "y": np.round(values[:kept], 5),
        "mode": "lines+markers",
        "marker": {"size": 4},
        "fill": "tozeroy",
        "line": {"color": side.colour, "width": 2, "shape": "hvh"},
        **_axes(1),
    }


def _predictions(trained: Trained, side: _Side, row: int) -> dict[str, Any]:
    axes = _axes(3 + side.number)
    counts = side.curve.confusion[row]
    if counts is None:
        own = side.curve.predictions[row] * trained.target_scale + trained.target_mean
        return {
            "type": "scatter",
            "x": np.round(trained.target * trained.target_scale + trained.target_mean, 4),
            "y": np.round(own, 4),
            "mode": "markers",
            "marker": {"color": side.colour, "size": 6},
            **axes,
        }
    return {"type": "scatter", "mode": "markers+text", **_squares(counts, side.colour), **axes}


def _squares(counts: NDArray, colour: str) -> dict[str, Any]:
    """A confusion matrix of square points: they change colour without a redraw."""
    share = (100 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)).round().astype(int)
    true, predicted = np.indices(counts.shape)
    return {
        "x": predicted.ravel().tolist(),
        "y": true.ravel().tolist(),
        # A text that was empty once stays away: Plotly then has nothing to change.
        "text": [str(count) if count else "\u00a0" for count in counts.ravel().tolist()],
        "textfont": {
            "size": 12,
            "color": [ON_COLOUR if value >= 50 else ON_FAINT for value in share.ravel()],
        },
        "marker": {
            "symbol": "square",
            "size": max(6, int(250 / len(counts))),
            "color": share.ravel().tolist(),
            "cmin": 0,
            "cmax": 100,
            "colorscale": [[0, "rgba(138,143,152,0.08)"], [1, colour]],
            "line": {"width": 0},
        },
    }


def _change(trace: dict[str, Any]) -> dict[str, Any]:
    """What of a trace its frame has to carry."""
    kept = {name: trace[name] for name in ("type", "x", "y", "text") if name in trace}
    if "textfont" in trace and isinstance(trace["textfont"].get("color"), list):
        kept["textfont"] = {"color": trace["textfont"]["color"]}
        kept["marker"] = {"color": trace["marker"]["color"]}
        del kept["x"], kept["y"]
    return kept


def _slider(side: _Side, begin: int) -> dict[str, Any]:
    return {
        "active": side.rows.index(begin),
        "x": _COLUMNS[side.number][0],
        "len": 0.47,
        "y": 0.945,
        "yanchor": "top",
        "pad": {"t": 0, "b": 0},
        "currentvalue": {"prefix": f"{side.label} = ", "xanchor": "left"},
        "ticklen": 0,
        "bgcolor": side.colour,
        "steps": [
            {
                "label": f"{side.knob(row):.3g}",
                "method": "animate",
                "args": [[side.frame(row)], _AT_ONCE],
            }
            for row in side.rows
        ],
    }


def _layout(trained: Trained, layer: Layer, sides: Sequence[_Side]) -> dict[str, Any]:
    layout: dict[str, Any] = {
        "height": HEIGHT,
        "margin": {"l": 50, "r": 10, "t": 10, "b": 45},
        "showlegend": False,
        "hovermode": False,
        "bargap": 0.15,
        "annotations": [],
    }

    def axis(number: int, x: tuple, y: tuple, across: dict, up: dict) -> None:
        layout[f"xaxis{number}"] = {"domain": x, "anchor": f"y{number}", "title_standoff": 4}
        layout[f"yaxis{number}"] = {"domain": y, "anchor": f"x{number}", "title_standoff": 4}
        layout[f"xaxis{number}"] |= across
        layout[f"yaxis{number}"] |= up

    def title(text: str, x: float, y: float) -> None:
        layout["annotations"].append(
            {
                "text": f"<b>{text}</b>",
                "x": x,
                "y": y,
                "xref": "paper",
                "yref": "paper",
                "xanchor": "left",
                "yanchor": "bottom",
                "showarrow": False,
            }
        )

    highest = 1.08 * float(trained.spectra[layer.name].max())
    for side in sides:
        x = _COLUMNS[side.number]
        hidden = {"visible": False, "range": [0, 1], "fixedrange": True}
        axis(6 + side.number, x, (0.955, 1.0), hidden, {**hidden, "range": [-1, 1]})
        indices = {"title": "Index i", "range": [0.3, len(trained.spectra[layer.name]) + 0.7]}
        spectrum = {"title": "Singular value", "range": [0, highest]}
        axis(1 + side.number, x, (0.665, 0.83), indices, spectrum)
        title(f"Singular values of {layer.name}", x[0], 0.835)
        axis(3 + side.number, x, (0.345, 0.585), *_prediction_axes(trained, sides, side.number))
        title(
            "Confusion matrix, test set" if trained.class_names else "Predicted against true",
            x[0],
            0.59,
        )
    score = figures.score_title(trained.task)
    axis(
        5,
        (0.0, 1.0),
        (0.0, 0.245),
        {"type": "log", "title": figures.COSTS["bytes"]},
        {"title": score},
    )
    title(f"{score} against file size: LMM blue, COC orange, reference grey", 0, 0.25)
    return layout


def _prediction_axes(trained: Trained, sides: Sequence[_Side], number: int) -> tuple[dict, dict]:
    if trained.confusion is None:
        values = [trained.target, *(side.curve.predictions for side in sides)]
        ends = _ends(values, trained)
        return (
            {"title": f"True {trained.target_title}"},
            {"title": "Predicted", "range": ends},
        )
    names = [str(name) for name in trained.class_names]
    ticks = {"tickvals": list(range(len(names))), "ticktext": names, "showgrid": False}
    around = [-0.6, len(names) - 0.4]
    square = {"scaleanchor": f"x{3 + number}", "constrain": "domain"}
    return (
        {
            "title": "Predicted class",
            "range": around,
            "zeroline": False,
            "constrain": "domain",
            "constraintoward": "left",
            **ticks,
        },
        {"title": "True class", "range": around[::-1], "zeroline": False, **square, **ticks},
    )


def _ends(values: Sequence[NDArray], trained: Trained) -> list[float]:
    low, high = min(float(v.min()) for v in values), max(float(v.max()) for v in values)
    return [end * trained.target_scale + trained.target_mean for end in (low, high)]
