"""On request, of a convex model: all solvers on the same problem."""

import pandas as pd
import streamlit as st

from compression.constrained.convex.results import Race
from pages.shared import links
from pages.shared.jobs import Job, submit
from pages.shared.models.results import ConstrainedView, CurveView, TrainedReference
from pages.shared.ui import charts, knobs, tables, widgets
from pages.shared.ui.progress import follow, show_status

from . import tasks, text
from .controls import require_solvers
from .figures.race import tracks

_RACED = "_raced"  # the problem whose race is on the page


def draw_race(trained: TrainedReference, constraint: str, job: Job[ConstrainedView]) -> None:
    st.header("Do all solvers agree?", anchor="race")

    @st.fragment
    def draw() -> None:
        if not widgets.switch(links.RACE, "Race the solvers"):
            st.session_state[_RACED] = None
            if job.result is not None:
                st.markdown(text.answer_before_race(job.result.facts))
            return
        if job.result is None:
            st.caption("As soon as every bound is judged.")
            return
        names = require_solvers(trained, constraint)
        if names is None:
            return
        bound = _choose_bound(trained, constraint, job.result)
        race = submit(tasks.race_solvers, trained.origin, constraint, bound, names)
        follow(lambda: _draw_tracks(trained, bound, race), race)

    draw()


def _choose_bound(trained: TrainedReference, constraint: str, curve: CurveView) -> float:
    """Where the race is held. It takes long: it stays there until it is asked for elsewhere.

    In the URL, so that a link reproduces the race; without it the suggested bound.
    """
    bounds = {f"{value:.6g}": float(value) for value in curve.table["knob"]}
    names = list(bounds)
    here = names[curve.row(knobs.read_number(links.BOUND))]
    problem = (trained.file, constraint)
    # Race at the current bound where the problem has changed, but not right after a link was
    # followed.
    if st.session_state.get(_RACED, problem) != problem:
        widgets.move(links.RACE_BOUND, here)
    st.session_state[_RACED] = problem
    with widgets.open_row():
        at = widgets.pick(links.RACE_BOUND, "At bound c", names, names[curve.suggested], width=160)
        st.button(
            "Race at the current bound",
            icon=":material/flag:",
            key="race_here",
            on_click=widgets.move,
            args=(links.RACE_BOUND, here),
        )
    widgets.draw_remarks(links.RACE_BOUND)
    return bounds[at]


def _draw_tracks(trained: TrainedReference, bound: float, job: Job[Race]) -> None:
    show_status(job, f"The race at c = {bound:.3g}")
    race = job.so_far
    if race is None:
        return
    titles, where = text.title_solvers(), f"c = {bound:.3g}"
    st.markdown(text.answer_race(race, where))
    left, right = st.columns(2, gap="medium")
    for place, clock in ((left, "iteration"), (right, "seconds")):
        with place:
            charts.draw(
                tracks(race, titles, clock),
                f"race_{clock}",
                text.describe_tracks(race, where, clock),
            )
    st.markdown(f"At c = **{bound:.3g}**:")
    every = pd.concat([track.assign(solver=name) for name, track in race.tracks.items()])
    tables.draw(tabulate_race(race.table), "race", trained, every)
    st.caption(text.RACE)


def tabulate_race(table: pd.DataFrame) -> pd.DataFrame:
    """The end of a race as a table for people."""
    titles = text.title_solvers()
    return pd.DataFrame(
        {
            "solver": [titles[name] for name in table["solver"]],
            # The gap has a column of its own.
            "status": [status.rpartition("reached, ")[2] for status in table["status"]],
            "objective": table["objective"],
            "duality gap": table["duality_gap"],
            "KKT residual": table["kkt_residual"],
            "iterations": table["iterations"],
            "time": [text.format_duration(seconds) for seconds in table["seconds"]],
            "pinned (%)": 100 * table["pinned"],
        }
    )
