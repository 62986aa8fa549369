"""The two sides of a comparison, LMM and COC, and the plane that they share.

Each is a fragment of its own: moving k draws the LMM side and its mark in the plane again, never
COC's.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType

import plotly.graph_objects as go
import streamlit as st

from compression.pareto import nearest_row
from pages.shared.format import score_name
from pages.shared.jobs import Job
from pages.shared.models import requests
from pages.shared.models import text as words
from pages.shared.models.results import CurveView, Layer, Trained
from pages.shared.models.text import (
    PLANE_HELP,
    SUGGESTED,
    bound_caption,
    metric_rows,
    missing_value,
    model_file_name,
    rank_caption,
    short_marks,
    works_on_kernels,
)
from pages.shared.plots import standard
from pages.shared.plots.layout import CONFIG, COSTS
from pages.shared.plots.palette import CONSTRAINED, LOW_RANK
from pages.shared.ui import blocks, widgets
from pages.shared.ui.progress import flush, follow, show_status

from . import figures
from .results import Pin

PLANE, TAKE_AWAY = "plane", "take_away"

Follow = Callable[[float], None]
"""What moving a slider does to the other side's: called with its new value."""


@dataclass(frozen=True)
class Side:
    """What tells the sides apart: keys of the fragment and of its slider, names, colour."""

    key: str
    knob: str
    title: str
    label: str
    waiting: str
    colour: str


LMM = Side("low_rank", "rank", "LMM", "Rank k", "Judging every rank", LOW_RANK)
COC = Side("constrained", "bound", "COC", "Bound c", "Judging every bound", CONSTRAINED)


def low_rank(
    trained: Trained,
    layer: Layer,
    job: Job,
    *,
    redraw: Sequence[str] = (PLANE,),
    then: Follow | None = None,
) -> None:
    """The LMM side: a rank, what it costs and what it loses.

    ``redraw``: fragments that its slider draws again, beside its own. ``then``: see ``tie``.
    """

    def spectrum(curve: CurveView, row: int) -> go.Figure | None:
        values = curve.spectra.get(layer.name)
        if values is None:
            return None
        rank = int(curve.table["knob"].iloc[row])
        if works_on_kernels(curve.method):  # k* and energies of a matrix do not speak of it
            return standard.spectrum(values, rank, {}, layer.name)
        if rank > layer.break_even:
            rank = len(values)  # the layer stays dense: nothing is left out
        return standard.spectrum(values, rank, short_marks(curve.marks[layer.name]), layer.name)

    def file(curve: CurveView, row: int) -> Callable[[], bytes]:
        rank = int(curve.table["knob"].iloc[row])
        return partial(requests.low_rank_file, trained, curve.method, rank)

    values = range(1, trained.largest_rank + 1)
    _side(LMM, trained, job, values, rank_caption, spectrum, file, redraw=redraw, then=then)


def constrained(
    trained: Trained,
    layer: Layer,
    constraint: str,
    job: Job,
    alone: bool = False,
    *,
    redraw: Sequence[str] = (PLANE,),
    then: Follow | None = None,
) -> None:
    """The COC side: a bound, what it costs and what it loses; or all of a page, if alone."""

    def spectrum(curve: CurveView, row: int) -> go.Figure:
        return standard.constrained_spectrum(
            trained.spectra[layer.name], curve.spectra[layer.name][row], layer.name
        )

    def file(curve: CurveView, row: int) -> Callable[[], bytes] | None:
        return (lambda: curve.files[row]) if curve.files else None

    values = trained.bounds[constraint]
    side = replace(COC, label=words.bound_title(words.knob_of(trained), constraint))
    _side(
        side, trained, job, values, bound_caption, spectrum, file, alone, redraw=redraw, then=then
    )


def _side(
    side: Side,
    trained: Trained,
    job: Job,
    values: Sequence[float],
    caption: Callable[[Trained, CurveView, int], str],
    spectrum: Callable[[CurveView, int], go.Figure | None],
    file: Callable[[CurveView, int], Callable[[], bytes] | None],
    alone: bool = False,
    *,
    redraw: Sequence[str],
    then: Follow | None,
) -> None:
    def draw() -> None:
        done = job.result is not None
        chosen = widgets.knob(
            side.knob,
            side.label,
            job.result.table["knob"] if done else values,
            job.result.suggestion if done else values[len(values) // 2],
            settled=done,
            redraw=(side.key,) if alone else (side.key, *redraw),
            then=then,
            help=SUGGESTED,
        )
        show_status(job, side.waiting)
        curve = job.so_far
        if curve is None:
            return
        row = curve.row(chosen)
        _numbers(trained, curve, row)
        flush()
        first, second = st.columns(2) if alone else (st.container(), st.container())
        chart = spectrum(curve, row)
        if chart is None:
            first.info("The method leaves this layer as it is: choose another.")
        else:
            first.plotly_chart(
                chart,
                key=f"{side.key}_spectrum",
                alt=f"{chart.layout.title.text}, {side.label} = {chosen:g}",
                config=CONFIG,
            )
        with second:
            blocks.predictions(
                trained,
                curve.predictions[row],
                curve.confusion[row],
                side.colour,
                f"{side.key}_predictions",
            )
        st.caption(missing_value(curve, row, chosen) + caption(trained, curve, row))
        if (data := file(curve, row)) is not None:
            st.download_button(
                "Take this model away (safetensors)",
                data,
                file_name=model_file_name(trained, side.title, side.knob, chosen),
                on_click="ignore",
                key=f"{side.key}_file",
                icon=":material/download:",
                type="tertiary",
            )

    follow(draw, job, key=side.key)


def tie(column: str, leading: Job, follower: Side, following: Job) -> Follow:
    """What moves a side's slider with the other's: to the row that is nearest in a column.

    Parameters
    ----------
    column : str
        "bytes", "parameters" or "validation_score": a match, too, is a choice.
    leading, following : Job
        The two curves.
    follower : Side
    """

    def follow(value: float) -> None:
        first, second = leading.so_far, following.so_far
        if first is None or second is None:
            return
        wanted = float(first.table[column].iloc[first.row(value)])
        row = nearest_row(second.table, column, wanted)
        widgets.move(follower.knob, second.table["knob"].iloc[row].item())

    return follow


def plane(
    trained: Trained,
    low_rank_job: Job,
    constrained_job: Job,
    *,
    redraw: Sequence[str] = (PLANE,),
    ties: Mapping[str, Follow] = MappingProxyType({}),
    pins: Sequence[Pin] = (),
) -> None:
    """Score against cost for both, over the full width; a clicked point moves its side's slider.

    ``ties``: a side's key -> what follows its slider. ``pins``: settings that stay as ghosts.
    """

    def draw() -> None:
        # The report links to the page as it is, the axis included.
        cost = widgets.segment("cost", "Cost axis", COSTS, redraw=(PLANE, TAKE_AWAY))
        both = [
            (side, curve)
            for side, job in ((LMM, low_rank_job), (COC, constrained_job))
            if (curve := job.so_far) is not None
        ]
        if not both:
            return
        curves = [
            (side.title, side.colour, curve.table, curve.row(widgets.number(side.knob)))
            for side, curve in both
        ]

        def clicked() -> None:
            for point in st.session_state["plane_chart"]["selection"]["points"]:
                if "customdata" in point:
                    side = both[int(point["customdata"][0])][0]
                    value = point["customdata"][1]
                    widgets.move(side.knob, value)
                    if side.key in ties:
                        ties[side.key](value)
                    st.rerun(scope=[side.key, *redraw])

        figure = standard.plane(curves, trained.costs, cost, trained.task)
        st.plotly_chart(
            figures.pinned(figure, pins, cost, trained.task),
            key="plane_chart",
            on_select=clicked,
            selection_mode="points",
            alt=f"{score_name(trained.task)} against {COSTS[cost]}, LMM and COC",
            config=CONFIG,
        )
        st.caption(PLANE_HELP)

    follow(draw, low_rank_job, constrained_job, key=PLANE)


def _numbers(trained: Trained, curve: CurveView, row: int) -> None:
    """What this row stores and how well it does, each beside its baseline."""
    line = curve.table.iloc[row]
    with st.container(horizontal=True, gap="small"):
        for label, value, delta, colour in metric_rows(trained, line):
            st.metric(label, value, delta, delta_color=colour, delta_arrow="off", width="content")
