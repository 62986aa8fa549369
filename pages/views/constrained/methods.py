"""Score against the bound or its cost: the chosen way, the baselines, all ways."""

from functools import partial

import pandas as pd
import streamlit as st

from compression import CONSTRAINED_METHODS
from pages.shared import links
from pages.shared.jobs import Job
from pages.shared.models import requests
from pages.shared.models.requests import Way
from pages.shared.models.results import ConstrainedView, TrainedReference
from pages.shared.models.text import bound_letter, say_best
from pages.shared.ui import charts, knobs, tables, widgets
from pages.shared.ui.baselines import request_behind
from pages.shared.ui.progress import follow, show_status

from . import text
from .controls import WAYS, list_followers
from .figures import methods as figures

_CHART = "constrained_ways_chart"


def draw_methods(
    trained: TrainedReference, constraint: str, way: Way, job: Job[ConstrainedView]
) -> None:
    st.header("What would another way have given?", anchor="ways")
    with widgets.open_row():
        which = widgets.choose_segment(links.WAYS, "Methods", text.COMPARED)
        axis = widgets.choose_segment(links.BOUND_AGAINST, "Against", figures.AXES)
    ways = _list_ways(trained, way, which == "all")
    jobs = {way.name: job} | {
        name: requests.constrained_curve(trained, constraint, other)
        for name, other in ways.items()
        if name != way.name
    }

    behind = request_behind(trained, axis, list(jobs.values()))

    def draw() -> None:
        titles = {name: text.title_way(one) for name, one in ways.items()}
        for name, other in jobs.items():
            if other is not job:
                show_status(other, titles[name])
        first = job.so_far
        if first is None:
            return
        curves = [
            (name, titles[name], view.table)
            for name, other in jobs.items()
            if (view := other.so_far) is not None
        ]
        bound = knobs.read_number(links.BOUND)
        rows = {
            title: table.iloc[(table["knob"] - bound).abs().argmin()] for _, title, table in curves
        }
        letter = bound_letter(first.knob)
        near = f"{letter} = {bound:.3g}"
        st.markdown(say_best(rows, f"Near {near}", trained.task))
        figure = figures.methods(curves, trained.costs, axis, bound, first.knob, trained.task)
        charts.draw(
            behind.add_to(figure),
            _CHART,
            text.describe_ways(rows, figures.AXES[axis], near, trained.task),
            on_select=partial(_move_bound, trained),
        )
        behind.draw_status()
        lines = [
            {
                "way": title,
                letter: f"{line['knob']:.3g}",
                **tables.describe_row(line, trained.task, "bytes"),
                "free": f"{100 * line['free']:.0f} %",
            }
            for title, line in rows.items()
        ]
        every = pd.concat([table.assign(way=title) for _, title, table in curves])
        tables.draw(pd.DataFrame(lines), "ways", trained, every)

    follow(draw, *jobs.values(), *behind.jobs.values(), key=WAYS)
    st.caption(text.WAYS)
    st.caption(behind.describe())
    behind.look_again()


def _move_bound(trained: TrainedReference) -> None:
    for point in st.session_state[_CHART]["selection"]["points"]:
        # The first curve is the chosen way's: the slider has its bounds.
        if point["curve_number"] == 0:
            widgets.move(links.BOUND, point["customdata"][0])
            st.rerun(scope=list(list_followers(trained)))


def _list_ways(trained: TrainedReference, way: Way, every: bool) -> dict[str, Way]:
    """The chosen way first, then the baselines, or ``every`` other one, with as many epochs."""
    ways = {way.name: way}
    for name, entry in CONSTRAINED_METHODS.items():
        if name != way.name and (every or entry.is_baseline):
            other = Way(name, way.epochs, warm_start=way.warm_start)
            ways[name] = requests.way_beside_optimum(name) if trained.convex else other
    return ways
