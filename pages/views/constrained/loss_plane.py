"""On request, of a convex model: two weights as c moves: loss, set, optimum, solvers' ways."""

import streamlit as st

from compression import SOLVERS
from compression.constrained.convex.results import LossPlanes, Trajectories
from pages.shared import links
from pages.shared.jobs import Job, submit
from pages.shared.models.results import ConstrainedView, TrainedReference
from pages.shared.ui import charts, knobs, widgets
from pages.shared.ui.progress import follow, show_status

from . import tasks, text
from .controls import LOSS_PLANE, require_solvers
from .figures import loss_plane as figures


def draw_loss_plane(trained: TrainedReference, constraint: str, job: Job[ConstrainedView]) -> None:
    st.header("Where does the bound meet the loss?", anchor="plane")

    @st.fragment(key=LOSS_PLANE)
    def draw() -> None:
        if not widgets.switch(
            links.PLANE, "Draw the loss over two weights (runs the solvers at every bound)"
        ):
            return
        fits = require_solvers(trained, constraint)
        if fits is None:
            return
        curve = job.so_far
        if curve is None:
            st.caption("As soon as the first bounds are judged.")
            return
        pair = _choose_pair(trained, curve)
        if pair is None:
            return
        numbers, names = pair
        planes = submit(tasks.slice_loss, trained.origin, constraint, *numbers)
        solvers = tuple(name for name in fits if SOLVERS[name].has_trajectory)
        trajectories = submit(tasks.follow_solvers, trained.origin, constraint, solvers)
        follow(
            lambda: _draw_planes(trained, planes, trajectories, numbers, names),
            planes,
            trajectories,
        )

    draw()


def _choose_pair(
    trained: TrainedReference, curve: ConstrainedView
) -> tuple[tuple[int, int], tuple[str, str]] | None:
    """Two weights: their numbers, row by row, and their names."""
    (rows,) = curve.layers.values()
    outputs, inputs = rows.shape
    lines = text.name_weights(curve.feature_names, inputs, outputs, trained.class_names)
    names = [name for line in lines for name in line]
    first, second = curve.largest
    with widgets.open_row():
        across = widgets.pick(links.ACROSS, "Across", names, names[first], width=260)
        up = widgets.pick(links.UP, "Up", names, names[second], width=260)
    widgets.draw_remarks(links.ACROSS, links.UP)
    if across == up:
        st.info("Choose two different weights.", icon=":material/info:")
        return None
    return (names.index(across), names.index(up)), (across, up)


def _draw_planes(
    trained: TrainedReference,
    planes_job: Job[LossPlanes],
    trajectories_job: Job[Trajectories],
    pair: tuple[int, int],
    names: tuple[str, str],
) -> None:
    show_status(planes_job, "The loss around the optimum")
    show_status(trajectories_job, "The solvers' ways to every bound")
    planes, trajectories = planes_job.so_far, trajectories_job.so_far
    if planes is None:
        return
    row = planes.row(knobs.read_number(links.BOUND))
    has_outline = planes.outlines[row] is not None
    allowed = ", what the set allows," if has_outline else ""
    contours = f"Loss contours over {names[0]} and {names[1]}{allowed} and"
    at = ", ".join(f"{value:.3g}" for value in planes.optimum[row])
    optimum = f"the optimum at c = {planes.bounds[row]:.3g} is ({at})"
    left, right = st.columns(2, gap="medium")
    with left:
        charts.draw(
            figures.plane_of_all_bounds(planes, row, names),
            "plane_of_all_bounds",
            f"{contours} the optimum of every bound; {optimum}",
        )
    with right:
        charts.draw(
            figures.plane_of_one_bound(
                planes, row, trajectories, pair, names, text.title_solvers()
            ),
            "plane_of_one_bound",
            f"{contours} the solvers' ways; {optimum}",
        )
    st.caption(text.describe_plane(trajectories, row, trained.task, has_outline))
