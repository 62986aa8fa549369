"""Score against cost for both sides, and what else follows both sliders below it."""

from collections.abc import Sequence
from functools import partial

import streamlit as st

from pages.shared import links
from pages.shared.format import score_name
from pages.shared.glossary import explain
from pages.shared.models.text import PLANE_HELP, describe_settings
from pages.shared.plots import standard
from pages.shared.plots.baselines import add_baselines
from pages.shared.plots.layout import COSTS
from pages.shared.plots.text import describe_place
from pages.shared.ui import charts, widgets
from pages.shared.ui.progress import follow

from . import baselines, difference, figures, html_report, linking, pins
from .results import Pin
from .side import Sides

COST_AXES = ("bytes", "parameters", "macs")  # few bits save no parameters: bytes come first


def draw(sides: Sides, ghosts: Sequence[Pin] = ()) -> Sequence[baselines.BackgroundCurve]:
    """The plane, pins, differences and the report. ``ghosts``: drawn as pins are, no rows.

    Returns
    -------
    sequence of BackgroundCurve
        What stands behind the two sides: see :func:`baselines.look_again`.
    """
    behind = baselines.request_curves(sides)
    jobs = [*(side.job for side in sides), *(one.job for one in behind)]
    follow(partial(_draw, sides, ghosts, behind), *jobs, key=linking.PLANE)
    return behind


def _draw(sides: Sides, ghosts: Sequence[Pin], behind: Sequence[baselines.BackgroundCurve]) -> None:
    _draw_plane(sides, ghosts, behind)
    baselines.draw_status(behind)
    pins.draw(sides)
    difference.draw(sides)
    html_report.draw(sides, baselines.curves_of(behind))


def _draw_plane(
    sides: Sides, ghosts: Sequence[Pin], behind: Sequence[baselines.BackgroundCurve]
) -> None:
    """A clicked point moves its side's slider."""
    trained = sides[0].trained
    # Redraw after a change: the report links to the page as it is, including the axis.
    axes = {name: COSTS[name] for name in COST_AXES}
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        terms = explain("file", "parameters", "MACs", "Pareto front")
        cost = widgets.choose_segment(
            links.COST, "Cost axis", axes, redraw=(linking.PLANE,), help=terms
        )
        whole = widgets.switch(links.WHOLE_AXIS, "Whole score axis")
    known = [(side, curve) for side in sides if (curve := side.curve) is not None]
    if not known:
        return
    curves = [
        standard.PlaneCurve(
            side.title, side.colour, curve.table, curve.row(side.value), describe_settings(curve)
        )
        for side, curve in known
    ]
    figure = standard.plane(curves, trained.costs, cost, trained.task, whole=whole)
    others = baselines.curves_of(behind)
    figure = add_baselines(figure, baselines.list_thin(others), cost, trained.task)
    places = [
        describe_place(row.line, f"{side.title}, {row.setting}", trained.task, cost)
        for side, _ in known
        if (row := side.current) is not None
    ]
    charts.draw(
        figures.add_pins(
            figure, [*pins.list_pins_of(trained.dataset), *ghosts], cost, trained.task
        ),
        "plane_chart",
        f"{score_name(trained.task)} against {COSTS[cost]}. {'; '.join(places)}",
        on_select=partial(_move_to_point, sides, [side for side, _ in known]),
    )
    baselines.describe(sides, others)
    st.caption(PLANE_HELP)


def _move_to_point(sides: Sides, known: Sequence) -> None:
    for point in st.session_state["plane_chart"]["selection"]["points"]:
        if "customdata" in point:
            number, value = point["customdata"][:2]
            side = known[int(number)]
            widgets.move(side.knob, value)
            linking.slide(sides, side, value)
