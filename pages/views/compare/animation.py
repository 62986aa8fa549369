"""Both curves as one figure that moves in the browser: its sliders ask no server.

Every row of a curve is a frame that changes five traces of its side: spectrum, squares and
counts of the confusion matrix, the point in the plane, and the numbers. Only lines, points and
texts move: Plotly animates those without drawing the rest again, and so keeps up with a hand.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st
from numpy.typing import NDArray

from pages.shared.models import text as words
from pages.shared.models.results import CurveView, Layer, TrainedReference
from pages.shared.models.text import metric_rows
from pages.shared.plots import traces
from pages.shared.plots.baselines import ThinCurve
from pages.shared.plots.layout import COSTS, score_scale, score_title
from pages.shared.plots.palette import CONSTRAINED, LOW_RANK, REFERENCE
from pages.shared.plots.traces import levels, note
from pages.shared.ui import charts

from . import text
from .side import Sides, current_rows

HEIGHT = 1120
MAX_RANKS = 64  # most ranks of a slider, evenly chosen: each makes every frame slower
# Colours of a confusion matrix's text: on coloured cells, and on faint cells of a light or dark
# page.
ON_COLOUR, ON_FAINT = "#ffffff", "#7a808a"
_AT_ONCE = {
    "mode": "immediate",
    "frame": {"duration": 0, "redraw": False},
    "transition": {"duration": 0},
}
_COLUMNS = ((0.0, 0.47), (0.53, 1.0))


def draw(sides: Sides, behind: Sequence[ThinCurve] = ()) -> None:
    """Both curves as one figure whose sliders ask no server."""
    low_rank, constrained = sides
    rows = current_rows(sides)
    if rows is None or low_rank.job.result is None or constrained.job.result is None:
        st.caption(text.BOTH_CURVES)
        return
    figure = scrub(
        low_rank.trained,
        low_rank.layer,
        low_rank.job.result,
        constrained.job.result,
        low_rank.value,
        constrained.value,
        behind,
    )
    begin = text.name_both(rows[0].setting, rows[1].setting)
    alt = f"The comparison with sliders of its own, which begin with {begin}"
    charts.draw(figure, "scrub_chart", alt)


def scrub(
    trained: TrainedReference,
    layer: Layer,
    low_rank: CurveView,
    constrained: CurveView,
    rank: float,
    bound: float,
    behind: Sequence[ThinCurve] = (),
) -> go.Figure:
    """The comparison as one figure with a slider for k and one for c.

    Parameters
    ----------
    trained : TrainedReference
    layer : Layer
        Whose spectra are drawn.
    low_rank, constrained : CurveView
        Whole curves.
    rank, bound : float
        Where the sliders begin.
    behind : sequence of ThinCurve
        Baselines, and whatever else is drawn thin behind both curves of the plane.
    """
    most = max((part.break_even for part in trained.layers), default=0) + 1
    rows = [row for row, k in enumerate(low_rank.table["knob"]) if k <= most] or [0]
    rows = sorted({rows[round(at)] for at in np.linspace(0, len(rows) - 1, MAX_RANKS)})
    sides = [
        _AnimatedSide(0, "k", "Rank k", LOW_RANK, low_rank, rows, low_rank.row(rank)),
        _AnimatedSide(
            1,
            words.bound_letter(constrained.knob),
            words.bound_title(constrained.knob, constrained.method),
            CONSTRAINED,
            constrained,
            list(range(len(constrained.table))),
            constrained.row(bound),
        ),
    ]
    drawn: list[dict[str, Any]] = []
    frames: list[tuple[str, list[int], list[dict[str, Any]]]] = []
    sliders: list[dict[str, Any]] = []
    for side in sides:
        places = list(range(len(drawn), len(drawn) + 5))
        begin = min(side.rows, key=lambda row: abs(row - side.begin))
        drawn += _draw_moving(trained, layer, side, begin)
        for row in side.rows:
            changes = [_change(trace) for trace in _draw_moving(trained, layer, side, row)]
            frames.append((side.frame(row), places, changes))
        sliders.append(_build_slider(side, begin))
    # Without a redraw Plotly removes what a frame does not name: name every trace in each frame.
    whole = []
    for name, places, changes in frames:
        data = [{"type": trace["type"]} for trace in drawn]
        for place, change in zip(places, changes, strict=True):
            data[place] = change
        whole.append({"name": name, "traces": list(range(len(drawn))), "data": data})
    layout = _build_layout(trained, layer, sides, behind) | {
        "sliders": sliders,
        "shapes": _draw_still(trained, layer, sides, behind),
    }
    return go.Figure(data=drawn, frames=whole, layout=layout)


@dataclass(frozen=True, eq=False)
class _AnimatedSide:
    """One side's curve, its rows that are frames, and where it stands in the figure."""

    number: int
    letter: str
    label: str
    colour: str
    curve: CurveView
    rows: list[int]
    begin: int

    def knob(self, row: int) -> float:
        return float(self.curve.table["knob"].iloc[row])

    def frame(self, row: int) -> str:
        return f"{self.letter} = {self.knob(row):.6g}"


def _name_axes(number: int) -> dict[str, Any]:
    return {"xaxis": f"x{number}", "yaxis": f"y{number}"}


def _draw_still(
    trained: TrainedReference,
    layer: Layer,
    sides: Sequence[_AnimatedSide],
    behind: Sequence[ThinCurve],
) -> list[dict[str, Any]]:
    """Draw what never moves as shapes: a frame would draw traces again."""
    reference = trained.spectra[layer.name]
    scale = score_scale(trained.task)
    shapes = [
        {
            "type": "path",
            "path": _draw_stairs(spectrum),
            "xref": f"x{number}",
            "yref": f"y{number}",
            "line": {"color": REFERENCE, "width": 1.5},
            "fillcolor": fill,
            "layer": "below",
        }
        for number, spectrum, fill in (
            (1, sides[0].curve.spectra.get(layer.name, reference), "rgba(138, 143, 152, 0.2)"),
            (2, reference, "rgba(0, 0, 0, 0)"),
        )
    ]
    for title, look, table in behind:
        thin = {"color": look.colour, "width": 1.2, "dash": look.dash}
        shapes.append(_draw_plane_path(table.sort_values("bytes"), scale, thin) | {"name": title})
    for side in sides:
        shapes.append(_draw_plane_path(side.curve.table, scale, {"color": side.colour, "width": 2}))
    lines = levels(trained.costs, scale)
    return [*shapes, *({**line, "xref": "x5 domain", "yref": "y5"} for line in lines)]


def _draw_plane_path(table: pd.DataFrame, scale: float, stroke: dict[str, Any]) -> dict[str, Any]:
    """A curve in the plane, its rows in their order."""
    points = zip(table["bytes"], scale * table["score"], strict=True)
    path = "M" + " L".join(f"{x},{y:.4f}" for x, y in points)
    return {"type": "path", "path": path, "xref": "x5", "yref": "y5", "line": stroke}


def _draw_stairs(values: NDArray) -> str:
    """A step around each index, down to zero at both ends."""
    steps = [f"{i + 0.5},{value:.5g} L{i + 1.5},{value:.5g}" for i, value in enumerate(values)]
    return f"M0.5,0 L{' L'.join(steps)} L{len(values) + 0.5},0"


def _draw_moving(
    trained: TrainedReference, layer: Layer, side: _AnimatedSide, row: int
) -> list[dict[str, Any]]:
    """Spectrum, predictions, point in the plane and numbers of a row."""
    line = side.curve.table.iloc[row]
    scale = score_scale(trained.task)
    return [
        _draw_spectrum(trained, layer, side, row),
        *_draw_predictions(trained, side, row),
        traces.points(
            [int(line["bytes"])],
            [round(float(scale * line["score"]), 4)],
            "",
            side.colour,
            size=15,
            marker={"line": {"width": 2.5, "color": "#fff"}},
            **_name_axes(5),
        ),
        # Write the numbers above the spectrum: a place of their own would be one more plot to draw.
        traces.text(
            [0.5], [0.86 * _find_highest(trained, layer)], [_write_numbers(trained, line)], 13
        )
        | {"textposition": "middle right", **_name_axes(1 + side.number)},
    ]


def _write_numbers(trained: TrainedReference, line: Any) -> str:
    score, parameters, file, macs = metric_rows(trained, line)
    return (
        f"<b>{score[1]}</b> {score[0].replace('Test', 'test')}, {score[2]}<br>"
        f"<b>{parameters[1]}</b> parameters, {parameters[2]} · <b>{file[1]}</b>, {file[2]} · "
        f"<b>{macs[1]}</b> MACs"
    )


def _draw_spectrum(
    trained: TrainedReference, layer: Layer, side: _AnimatedSide, row: int
) -> dict[str, Any]:
    if side.number == 1:
        values = side.curve.spectra[layer.name][row]
        return _draw_steps(values, len(values), side.colour, 2)
    values = side.curve.spectra.get(layer.name, trained.spectra[layer.name])
    rank = int(side.knob(row))
    kept = len(values) if rank > layer.break_even else min(rank, len(values))
    # Draw the kept values as a line over the bars: a bar's colour cannot change without a redraw.
    return _draw_steps(values[:kept], len(values), side.colour, 1)


def _draw_steps(values: NDArray, count: int, colour: str, number: int) -> dict[str, Any]:
    """Some of so many values: few get their points, since one alone is no line."""
    return traces.line(
        np.arange(1, len(values) + 1),
        np.round(values, 5),
        "",
        colour,
        markers=6 if count <= 10 else 0,  # many points would be slow
        fill="tozeroy",
        **_name_axes(number),
    ) | {"line": {"color": colour, "width": 2, "shape": "hvh"}}


def _draw_predictions(
    trained: TrainedReference, side: _AnimatedSide, row: int
) -> list[dict[str, Any]]:
    """Squares and counts of a confusion matrix; or points, and nothing more."""
    axes = _name_axes(3 + side.number)
    counts = side.curve.confusion[row]
    if counts is None:
        predictions = side.curve.predictions[row] * trained.target_scale + trained.target_mean
        target = np.round(trained.target * trained.target_scale + trained.target_mean, 4)
        answered = traces.points(target, np.round(predictions, 4), "", side.colour, **axes)
        return [answered, traces.text([], [], [], 12) | axes]
    share = (100 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)).round().astype(int)
    true, predicted = np.indices(counts.shape)
    squares = traces.points(
        predicted.ravel().tolist(),
        true.ravel().tolist(),
        "",
        share.ravel().tolist(),
        size=max(6, int(250 / len(counts))),
        symbol="square",
        marker={
            "cmin": 0,
            "cmax": 100,
            "colorscale": [[0, "rgba(138,143,152,0.08)"], [1, side.colour]],
            "line": {"width": 0},
        },
        **axes,
    )
    # Write few texts: they take longer to draw than all squares.
    rows, columns = np.nonzero(counts)
    texts = traces.text(
        columns.tolist(),
        rows.tolist(),
        [str(count) for count in counts[rows, columns]],
        12,
        color=[ON_COLOUR if value >= 50 else ON_FAINT for value in share[rows, columns]],
    )
    return [squares, texts | axes]


def _change(trace: dict[str, Any]) -> dict[str, Any]:
    """The part of a trace that its frame has to contain."""
    kept: dict[str, Any] = {
        name: trace[name] for name in ("type", "x", "y", "text") if name in trace
    }
    if isinstance(trace.get("textfont", {}).get("color"), list):
        kept["textfont"] = {"color": trace["textfont"]["color"]}
    if isinstance(trace.get("marker", {}).get("color"), list):
        kept["marker"] = {"color": trace["marker"]["color"]}
        del kept["x"], kept["y"]
    return kept


def _build_slider(side: _AnimatedSide, begin: int) -> dict[str, Any]:
    return {
        "active": side.rows.index(begin),
        "x": _COLUMNS[side.number][0],
        "len": 0.47,
        "y": 1.0,
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


def _build_layout(
    trained: TrainedReference,
    layer: Layer,
    sides: Sequence[_AnimatedSide],
    behind: Sequence[ThinCurve],
) -> dict[str, Any]:
    layout: dict[str, Any] = {
        "height": HEIGHT,
        "margin": {"l": 50, "r": 10, "t": 10, "b": 45},
        "showlegend": False,
        "hovermode": False,
        "bargap": 0.15,
        "annotations": [],
    }

    def axis(number: int, x: tuple, y: tuple, across: dict, up: dict) -> None:
        shared = {"title_standoff": 4}
        layout[f"xaxis{number}"] = {"domain": x, "anchor": f"y{number}", **shared, **across}
        layout[f"yaxis{number}"] = {"domain": y, "anchor": f"x{number}", **shared, **up}

    def title(words: str, x: float, y: float) -> None:
        layout["annotations"].append(note(x, y, f"<b>{words}</b>", xanchor="left"))

    for side in sides:
        x = _COLUMNS[side.number]
        indices = {"title": "Index i", "range": [0.3, len(trained.spectra[layer.name]) + 0.7]}
        spectrum = {"title": "Singular value", "range": [0, _find_highest(trained, layer)]}
        axis(1 + side.number, x, (0.665, 0.88), indices, spectrum)
        title(f"Singular values of {layer.title}", x[0], 0.885)
        axis(
            3 + side.number, x, (0.345, 0.585), *_build_prediction_axes(trained, sides, side.number)
        )
        title(
            "Confusion matrix, test set" if trained.class_names else "Predicted against true",
            x[0],
            0.59,
        )
    score = score_title(trained.task)
    costs, scores = _find_reach(
        trained, [*(side.curve.table for side in sides), *(table for _, _, table in behind)]
    )
    axis(
        5,
        (0.0, 1.0),
        (0.0, 0.245),
        {"type": "log", "title": COSTS["bytes"], "range": np.log10(costs).tolist()},
        {"title": score, "range": scores},
    )
    title(
        f"{score} against file size: LMM blue, COC orange, reference dashed, always the same answer dotted"
        + _name_behind(behind),
        0,
        0.25,
    )
    return layout


def _name_behind(behind: Sequence[ThinCurve]) -> str:
    """A line below the plane's title: what is drawn thin, each in its own colour."""
    if not behind:
        return ""
    named = (f'<span style="color:{look.colour}">{title}</span>' for title, look, _ in behind)
    return f"<br>Thin: {', '.join(named)}"


def _find_reach(
    trained: TrainedReference, tables: Sequence[pd.DataFrame]
) -> tuple[list[float], list[float]]:
    """Ends of the plane's axes: sizes in bytes, and scores as they are drawn."""
    sizes = np.concatenate([[trained.bytes], *(table["bytes"] for table in tables)])
    scores = score_scale(trained.task) * np.concatenate(
        [[trained.score], *(table["score"] for table in tables)]
    )
    margin = 0.06 * (scores.max() - scores.min()) + 1e-3
    ends = [float(scores.min() - margin), float(scores.max() + margin)]
    return [0.93 * float(sizes.min()), 1.07 * float(sizes.max())], ends


def _find_highest(trained: TrainedReference, layer: Layer) -> float:
    """Upper end of the spectra's axes."""
    return 1.4 * float(trained.spectra[layer.name].max())


def _build_prediction_axes(
    trained: TrainedReference, sides: Sequence[_AnimatedSide], number: int
) -> tuple[dict, dict]:
    if trained.confusion is None:
        values = [trained.target, *(side.curve.predictions for side in sides)]
        ends = _find_ends(values, trained)
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


def _find_ends(values: Sequence[NDArray], trained: TrainedReference) -> list[float]:
    low, high = min(float(v.min()) for v in values), max(float(v.max()) for v in values)
    return [end * trained.target_scale + trained.target_mean for end in (low, high)]
