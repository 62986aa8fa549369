"""What moves with the bound: shares of held weights, losses, the price, and every weight."""

import pandas as pd
import streamlit as st

from compression import CONSTRAINTS
from pages.shared import links
from pages.shared.glossary import explain
from pages.shared.jobs import Job, submit
from pages.shared.models.results import ConstrainedView, TrainedReference
from pages.shared.models.text import describe_setting
from pages.shared.ui import charts, knobs, tables
from pages.shared.ui.progress import follow, show_status

from . import tasks, text
from .controls import MOVES
from .figures import path as figures
from .results import Trail


def draw_path(trained: TrainedReference, constraint: str, job: Job[ConstrainedView]) -> None:
    trail_job = submit(tasks.trace_weights, trained.origin, constraint) if trained.convex else None
    st.header("What happens as the bound tightens?", anchor="path")

    def draw() -> None:
        curve = job.so_far
        if curve is None:
            return
        bound = knobs.read_number(links.BOUND)
        line, where = _find_row(curve, bound)
        largest = curve.table.loc[curve.table["knob"].idxmax()]
        st.markdown(text.describe_moves(line, largest, trained.task, where))
        _draw_shares_and_losses(trained, curve, bound)
        facts = curve.facts
        priced = facts is not None and bool((facts["price"] > 0).any())
        left, right = st.columns([3, 2], gap="medium") if priced else (st.container(), None)
        if trail_job is not None:
            with left:
                show_status(trail_job, "Following the path")
                if trail_job.result is not None:
                    _draw_trail(trained, curve, trail_job.result, bound, constraint)
        if right is not None and facts is not None:
            with right:
                charts.draw(
                    figures.price(facts, bound, curve.knob, text.name_loss_unit(trained.task)),
                    "constrained_price",
                    "What one more unit of the bound would take off the training loss: "
                    f"{facts['price'].iloc[curve.row(bound)]:.3g} at {where}",
                )
        table = curve.table if facts is None else curve.table.merge(facts, on="knob")
        tables.take_away(table, "bounds", trained)

    follow(draw, *((job,) if trail_job is None else (job, trail_job)), key=MOVES)


def _find_row(curve: ConstrainedView, bound: float) -> tuple[pd.Series, str]:
    """The row at the bound, and its setting in words."""
    line = curve.table.iloc[curve.row(bound)]
    return line, describe_setting(curve.knob, line["knob"], curve.method)


def _draw_shares_and_losses(
    trained: TrainedReference, curve: ConstrainedView, bound: float
) -> None:
    line, where = _find_row(curve, bound)
    left, right = st.columns(2, gap="medium")
    with left:
        charts.draw(
            figures.shares(curve.table, bound, curve.knob),
            "constrained_shares",
            text.describe_shares(line, where),
        )
    if len(curve.layers) > 1:
        with right:
            charts.draw(
                figures.free_by_layer(curve.layers, curve.table["knob"], bound, curve.knob),
                "constrained_free_by_layer",
                text.describe_free(curve.layers, curve.row(bound), where),
            )
        right = st.container()
    with right:
        unit = text.name_loss_unit(trained.task)
        charts.draw(
            figures.losses(curve.table, curve.reference, bound, curve.knob, unit),
            "constrained_losses",
            text.describe_losses(line, curve.reference, where, unit),
        )


def _draw_trail(
    trained: TrainedReference, curve: ConstrainedView, trail: Trail, bound: float, constraint: str
) -> None:
    outputs, inputs = trail.weights.shape[1:]
    names = text.name_weights(curve.feature_names, inputs, outputs, trained.class_names)
    elementwise = CONSTRAINTS[constraint].elementwise
    _, where = _find_row(curve, bound)
    how = f"{'exact' if trail.exact else 'on a grid'}, {len(trail.bounds)} bounds"
    charts.draw(
        figures.path(trail, names, trained.class_names, bound, elementwise),
        "constrained_path",
        f"Path of {outputs * inputs:,} weights as the bound moves, {how}; {where} is marked",
    )
    st.caption(text.describe_trail(len(trail.bounds), trail.exact), help=explain("path", "pinned"))
