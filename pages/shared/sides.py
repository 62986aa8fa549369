"""The two sides of a comparison, LMM and COC, and the plane that they share.

Each is a fragment of its own: moving k draws the LMM side and its mark in the plane again, never
COC's.
"""

from collections.abc import Callable

import streamlit as st

from compression import CONSTRAINTS, LOW_RANK_METHODS

from . import cache, choices, figures, shell, words
from .jobs import Job
from .results import Layer, Traded, Trained

LOW_RANK, CONSTRAINED, PLANE = "low_rank", "constrained", "plane"


def _moved(side: str) -> Callable[[], None]:
    return lambda: st.rerun(scope=[side, PLANE])


def low_rank(trained: Trained, layer: Layer, method: str) -> Job:
    """The LMM side: rank, what it costs and what it loses."""
    job = cache.low_rank_curve(trained, method)

    def draw() -> None:
        st.subheader(f"LMM · {LOW_RANK_METHODS[method].title}", anchor=False)
        curve = _curve(job)
        rank = choices.rank(trained.largest_rank, curve, _moved(LOW_RANK))
        shell.status(job, "Every rank")
        if curve is None:
            return
        row = curve.row(rank)
        _numbers(trained, curve, row)
        st.caption(words.rank(trained, curve, row))
        if layer.name in curve.spectra:
            values = curve.spectra[layer.name]
            st.plotly_chart(
                figures.spectrum(
                    values, min(rank, len(values)), words.marks(curve.marks[layer.name]), layer.name
                ),
                key="low_rank_spectrum",
                alt=f"Singular values of {layer.name}, rank {rank} kept",
                config=figures.CONFIG,
            )
        else:
            st.info(
                f"{layer.name} is a convolution: {LOW_RANK_METHODS[method].title} leaves it as it is."
            )
        _predictions(trained, curve, row, figures.LOW_RANK, LOW_RANK)

    shell.follow(draw, job, key=LOW_RANK)
    return job


def constrained(trained: Trained, layer: Layer, constraint: str) -> Job:
    """The COC side: bound, what it costs and what it loses."""
    job = cache.constrained_curve(trained, constraint)

    def draw() -> None:
        st.subheader(f"COC · {CONSTRAINTS[constraint].title}", anchor=False)
        curve = _curve(job)
        bound = choices.bound(trained.bounds[constraint], curve, _moved(CONSTRAINED))
        shell.status(job, "Every bound")
        if curve is None:
            return
        row = curve.row(bound)
        _numbers(trained, curve, row)
        st.caption(words.bound(trained, curve, row, bound))
        st.plotly_chart(
            figures.constrained_spectrum(
                trained.spectra[layer.name], curve.spectra[layer.name][row], layer.name
            ),
            key="constrained_spectrum",
            alt=f"Singular values of {layer.name}, constrained over the reference's",
            config=figures.CONFIG,
        )
        _predictions(trained, curve, row, figures.CONSTRAINED, CONSTRAINED)

    shell.follow(draw, job, key=CONSTRAINED)
    return job


def plane(trained: Trained, low_rank_job: Job, constrained_job: Job) -> None:
    """Score against cost for both, over the full width; a clicked point moves its side's slider."""

    def draw() -> None:
        cost = choices.cost()
        curves, knobs = [], []
        for key, job, name, colour in (
            ("rank", low_rank_job, "LMM", figures.LOW_RANK),
            ("bound", constrained_job, "COC", figures.CONSTRAINED),
        ):
            curve = _curve(job)
            if curve is not None:
                knob = st.session_state.get(key)
                row = None if knob is None else curve.row(float(knob))
                curves.append((name, colour, curve.table, row))
                knobs.append(key)
        if not curves:
            return
        figure = figures.plane(curves, trained.costs, cost, trained.task)

        def clicked() -> None:
            points = st.session_state["plane_chart"]["selection"]["points"]
            for point in points:
                if "customdata" in point:
                    key = knobs[int(point["customdata"][0])]
                    choices.move(key, point["customdata"][1])
                    st.rerun(scope=[LOW_RANK if key == "rank" else CONSTRAINED, PLANE])

        st.plotly_chart(
            figure,
            key="plane_chart",
            on_select=clicked,
            selection_mode="points",
            alt=f"{figures.score_title(trained.task)} against {figures.COSTS[cost]} for LMM and COC",
            config=figures.CONFIG,
        )

    shell.follow(draw, low_rank_job, constrained_job, key=PLANE)


def _curve(job: Job) -> Traded | None:
    return job.partial if job.result is None else job.result


def _numbers(trained: Trained, curve: Traded, row: int) -> None:
    """What this row stores and how well it does, each beside its baseline."""
    line = curve.table.iloc[row]
    columns = st.columns(4)
    for column, (label, value, delta, direction) in zip(
        columns, words.metrics(trained, line), strict=True
    ):
        column.metric(label, value, delta, delta_color=direction, delta_arrow="off")


def _predictions(trained: Trained, curve: Traded, row: int, colour: str, side: str) -> None:
    counts = curve.confusion[row]
    if counts is not None:
        figure = figures.confusion(counts, trained.class_names, colour)
        alt = "Confusion matrix on the test set"
    else:
        target, predicted, reference = (
            values * trained.target_scale + trained.target_mean
            for values in (trained.target, curve.predictions[row], trained.predictions)
        )
        figure = figures.predicted_true(target, predicted, reference, colour, trained.target_title)
        alt = "Predicted against true values of the test set"
    st.plotly_chart(figure, key=f"{side}_predictions", alt=alt, config=figures.CONFIG)
