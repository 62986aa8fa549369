"""Figures of the loss in the plane of two weights, the set, and the solvers' iterates."""

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from compression.constrained.convex.results import LossPlanes, Trajectories
from pages.shared.plots.layout import BELOW, MARGIN, build_figure
from pages.shared.plots.palette import CONSTRAINED, OCHRE, REFERENCE, TEAL, fade, style
from pages.shared.plots.traces import NO_HOVER, Trace, contour_area, contour_lines, line, points


def plane_of_all_bounds(planes: LossPlanes, row: int, names: tuple[str, str]) -> go.Figure:
    """Loss and set in the plane of two weights, in one window for all bounds: how the set grows."""
    optima = line(
        planes.optimum[:, 0],
        planes.optimum[:, 1],
        "optimum of every bound",
        OCHRE,
        width=1.5,
        markers=4,
        customdata=planes.bounds,
        hover="c = %{customdata:.3g}: %{x:.4g}, %{y:.4g}<extra>optimum</extra>",
    )
    title = f"The same window for every bound, c = {planes.bounds[row]:.3g}"
    return _plane(planes, row, planes.far_loss[row], planes.far, [optima], names, title)


def plane_of_one_bound(
    planes: LossPlanes,
    row: int,
    trajectories: Trajectories | None,
    pair: tuple[int, int],
    names: tuple[str, str],
    titles: Mapping[str, str],
) -> go.Figure:
    """Loss, set and solvers' ways in the plane of two weights, as near as the set is small.

    ``pair``: the two weights, numbered row by row.
    """
    lines = [
        line(
            weights[:, pair[0]],
            weights[:, pair[1]],
            titles[solver],
            style("solver", solver).colour,
            style("solver", solver).dash,
            width=1.5,
            markers=5,
            symbol=style("solver", solver).symbol,
            hover="%{x:.4g}, %{y:.4g}",
        )
        for solver, by_bound in ({} if trajectories is None else trajectories.weights).items()
        if (weights := by_bound[row]) is not None
    ]
    title = f"The window follows the bound, c = {planes.bounds[row]:.3g}"
    near = float(planes.near[row])
    return _plane(planes, row, planes.near_loss[row], near, lines, names, title)


def _plane(
    planes: LossPlanes,
    row: int,
    loss: NDArray,
    wide: float,
    between: Sequence[Trace],
    names: tuple[str, str],
    title: str,
) -> go.Figure:
    """``between``: traces over the set and under the optimum."""
    optimum = points(
        [planes.optimum[row, 0]],
        [planes.optimum[row, 1]],
        "optimum",
        OCHRE,
        size=15,
        symbol="star",
        marker={"line": {"width": 1.2, "color": "white"}},
        hover="optimum: %{x:.4g}, %{y:.4g}<extra></extra>",
    )
    window = {"range": [-wide, wide], "zeroline": False, "nticks": 8, "constrain": "domain"}
    return build_figure(
        [*_contours(loss, wide), *_outline_set(planes.outlines[row]), *between, optimum],
        title,
        580,
        (names[0], window),
        (names[1], {**window, "scaleanchor": "x", "constraintoward": "top"}),
        hovermode="closest",
        legend=BELOW | {"y": -0.11},
        # Leave room for the longer of two legends, so that both squares have one size.
        margin={**MARGIN, "b": 130},
    )


def _contours(loss: NDArray, wide: float) -> list[Trace]:
    """Of the loss, and of where it is less than the optimum's; none until it is computed."""
    if not np.isfinite(loss).all():
        return []
    ends = np.linspace(-wide, wide, loss.shape[-1])
    hover = "%{x:.4g}, %{y:.4g}: loss %{z:+.3g}<extra>against the optimum</extra>"
    return [
        contour_lines(ends, loss, REFERENCE, 22, hover=hover),
        contour_area(ends, loss, "less loss than the optimum", TEAL),
    ]


def _outline_set(outline: NDArray | None) -> list[Trace]:
    if outline is None:
        return []
    return [
        line(
            outline[:, 0],
            outline[:, 1],
            "allowed",
            CONSTRAINED,
            "dash",
            width=1.5,
            fill="toself",
            fillcolor=fade(CONSTRAINED, 0.16),
            **NO_HOVER,
        )
    ]
