"""The constrained page's first choices: how the bounds are met."""

from dataclasses import replace

import streamlit as st

from compression import CONSTRAINED_METHODS, CONSTRAINTS
from pages.shared import links
from pages.shared.jobs import submit
from pages.shared.models.requests import PATH, Way, default_way
from pages.shared.models.results import TrainedReference
from pages.shared.ui import charts, knobs, widgets
from pages.shared.ui.progress import wait_for

from . import tasks, text
from .figures.methods import schedule

# Fragments that follow the bound.
SIGHT, SUGGESTION, BOUND = "constrained_sight", "constrained_suggestion", "constrained"
MOVES, WAYS, STORED = "constrained_moves", "constrained_ways", "bits_stored"
LOSS_PLANE = "constrained_plane"
PATIENCE_SECONDS = 1.0  # for a small job, before the page shows a progress bar


def list_followers(trained: TrainedReference) -> tuple[str, ...]:
    """The fragments to draw again when the bound moves."""
    plane = (LOSS_PLANE,) if trained.convex else ()
    return SIGHT, SUGGESTION, BOUND, MOVES, WAYS, STORED, *plane


def choose_way(trained: TrainedReference, constraint: str) -> Way:
    """A solver of a convex model, a network's method and its epochs."""
    return _choose_solver(trained, constraint) if trained.convex else _choose_method(trained)


def _choose_solver(trained: TrainedReference, constraint: str) -> Way:
    obstacles = check_solvers(trained, constraint)
    if obstacles is None:
        return Way(PATH)
    convex = CONSTRAINTS[constraint].convex
    rows, outputs = trained.rows["training"], trained.layers[0].shape[0]
    reasons = text.rule_out_solvers(obstacles, rows, outputs, convex)
    titles = text.title_solvers()
    offered = [PATH, *(name for name, why in reasons.items() if why is None)]
    name = widgets.pick(
        links.SOLVER,
        "Solver",
        offered,
        PATH,
        lambda wanted: f"{titles[wanted]}: {reasons[wanted]}" if reasons.get(wanted) else None,
        titles={name: titles[name] for name in offered},
        help=text.explain_missing_solvers(reasons),
        width=230,
    )
    widgets.draw_remarks(links.SOLVER)
    return Way(name)


def _choose_method(trained: TrainedReference) -> Way:
    titles = text.title_ways()
    name = widgets.pick(
        links.WAY,
        "Method",
        list(titles),
        default_way(trained).name,
        lambda wanted: (
            f"{CONSTRAINED_METHODS[wanted].title} has no bound: it is a baseline below"
            if wanted in CONSTRAINED_METHODS
            else None
        ),
        titles=titles,
        width=230,
    )
    way = Way(name)
    if CONSTRAINED_METHODS[name].trains:
        epochs = widgets.pick(links.WAY_EPOCHS, "Epochs per bound", text.EPOCHS, "3", width=160)
        starts = widgets.choose_segment(
            links.STARTS, "Each bound starts from", text.STARTS, help=text.STARTS_HELP
        )
        way = Way(name, int(epochs), warm_start=starts != links.FROM_REFERENCE)
    widgets.draw_remarks(links.WAY, links.WAY_EPOCHS)
    return way


def choose_penalties(way: Way) -> Way:
    """The way with its first and last penalty, where it has any; of a refit, what it aims at."""
    entry = CONSTRAINED_METHODS.get(way.name)
    if entry is not None and entry.certifies_layers:
        st.caption(text.REFIT)
    if entry is None or not entry.has_penalties:
        return way
    first, last, picture = st.columns([1, 1, 2], gap="medium", vertical_alignment="center")
    with first:
        low = knobs.draw(links.FIRST_MU, "First μ", text.PENALTIES, 0.1)
    with last:
        high = knobs.draw(links.LAST_MU, "Last μ", text.PENALTIES, 0.3)
    with picture:
        charts.draw(
            schedule(way.name, low, high, way.epochs),
            "constrained_schedule",
            f"Penalty from {low:g} to {high:g} over {way.epochs} rounds of each bound",
        )
    st.caption(text.PENALTY)
    return replace(way, penalties=(low, high))


def check_solvers(trained: TrainedReference, constraint: str) -> dict[str, str | None] | None:
    """Solver -> None, or why it does not fit the set; None while that is not known."""
    job = submit(tasks.check_solvers, constraint, trained.task)
    job.wait(PATIENCE_SECONDS)
    return wait_for(job, "Asking which solvers fit")


def require_solvers(trained: TrainedReference, constraint: str) -> tuple[str, ...] | None:
    """The solvers that find the optimum over a set; None while unknown, or where there is none."""
    if not CONSTRAINTS[constraint].convex:
        st.info(
            "The set is not convex: there is no optimum to find. Choose another set.",
            icon=":material/info:",
        )
        return None
    obstacles = check_solvers(trained, constraint)
    return (
        None if obstacles is None else tuple(name for name, why in obstacles.items() if why is None)
    )
