"""The two methods as pictures."""

from typing import Any

import numpy as np
import plotly.graph_objects as go

from pages.shared.plots.layout import BELOW, MARGIN, axis_name, build_figure, panel
from pages.shared.plots.palette import CONSTRAINED, FAINT, LOW_RANK, OCHRE, REFERENCE, fade
from pages.shared.plots.traces import NO_HOVER, bars, contour_lines, heatmap, line, note, points

from .examples import REACH, BoundedProblem, Shadow

HEIGHT = 250
_SHADES = [[0.0, "rgba(138,143,152,0.06)"], [1.0, LOW_RANK]]


def shadow(picture: Shadow, rank: int) -> go.Figure:
    """The matrix, its nearest of that rank, and the singular values that were kept."""
    whole, ranks = picture.truncate(len(picture.values)), np.arange(1, len(picture.values) + 1)
    traces, notes = [], []
    axes: dict[str, Any] = {}
    parts = (("W", whole), (f"Ŵ, rank {rank}", picture.truncate(rank)))
    for number, (name, matrix) in enumerate(parts, start=1):
        traces.append(
            heatmap(
                matrix.round(3),
                _SHADES,
                low=float(whole.min()),
                high=float(whole.max()),
                hover="row %{y}, column %{x}: %{z:.2f}<extra></extra>",
                xaxis=f"x{number}",
                yaxis=f"y{number}",
            )
        )
        x, y, top = panel(number, 3, gaps=(0.06, 0))
        x |= {"visible": False, "constrain": "domain"}
        y |= {"visible": False, "autorange": "reversed", "scaleanchor": f"x{number}"}
        axes |= {axis_name("x", number): x, axis_name("y", number): y | {"constrain": "domain"}}
        notes.append(note(*top, name, xanchor="center"))
    kept = ranks <= rank
    for part, colour in ((kept, LOW_RANK), (~kept, FAINT)):
        hover = "σ<sub>%{x}</sub> = %{y:.2f}<extra></extra>"
        values = bars(ranks[part], picture.values[part], "", colour, hover=hover)
        traces.append(values | {"xaxis": "x3", "yaxis": "y3", "showlegend": False})
    x, y, top = panel(3, 3, gaps=(0.06, 0))
    axes |= {"xaxis3": x | {"title": {"text": "Index i"}}, "yaxis3": y}
    notes.append(note(*top, "Singular values", xanchor="center"))
    nameless: tuple[str, dict] = ("", {})
    title = f"A matrix and its shadow of rank {rank}"
    margin = MARGIN | {"t": 60}
    return build_figure(
        traces, title, HEIGHT, nameless, nameless, annotations=notes, margin=margin, **axes
    )


def feasible_set(problem: BoundedProblem, bound: float) -> go.Figure:
    """The loss over two weights, the box, every optimum, and that of this bound."""
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1], [-1, -1]]) * bound
    optima = np.array([problem.path.at(at) for at in np.linspace(0, REACH, 89)])
    optimum, free = problem.path.at(bound), problem.path.at(10 * REACH)
    where = "%{x:.3g}, %{y:.3g}"
    traces = [
        contour_lines(problem.ends, np.sqrt(problem.loss), REFERENCE, 18),
        line(
            corners[:, 0],
            corners[:, 1],
            "allowed: |θ| ≤ c",
            CONSTRAINED,
            "dash",
            fill="toself",
            fillcolor=fade(CONSTRAINED, 0.16),
            **NO_HOVER,
        ),
        line(optima[:, 0], optima[:, 1], "optimum of every c", OCHRE, width=1.5, hover=where),
        points([free[0]], [free[1]], "without a bound", REFERENCE, size=11, symbol="diamond"),
        points(
            [optimum[0]],
            [optimum[1]],
            "optimum of this c",
            OCHRE,
            size=16,
            symbol="star",
            marker={"line": {"width": 1.2, "color": "white"}},
            hover=where,
        ),
    ]
    window = {"range": [-REACH, REACH], "zeroline": False, "constrain": "domain"}
    return build_figure(
        traces,
        f"The loss, and what c = {bound:.3g} allows",
        400,
        ("θ<sub>1</sub>", window),
        ("θ<sub>2</sub>", {**window, "scaleanchor": "x"}),
        hovermode="closest",
        legend=BELOW,
    )
