"""What stands above the two sides and follows both sliders: buttons, and the conclusion."""

from functools import partial

import streamlit as st

from pages.shared.jobs import Job
from pages.shared.models.results import CurveView
from pages.shared.ui.progress import follow

from . import difference, exercise, linking, pins, presets, text, tour, undo, visits
from .side import Sides, current_rows


def draw(sides: Sides | None, baseline: Job[CurveView] | None = None) -> None:
    """Draw it; without sides while the reference is trained: presets are for then, too."""
    watched = [side.job for side in sides or ()] + ([] if baseline is None else [baseline])
    follow(partial(_draw, sides, baseline), *watched, key=linking.TOP)


def _draw(sides: Sides | None, baseline: Job[CurveView] | None) -> None:
    complete = sides is not None and current_rows(sides) is not None
    with st.container(
        horizontal=True, vertical_alignment="bottom", horizontal_alignment="distribute"
    ):
        linking.choose_link(sides)
        if complete:
            undo.record()
            visits.keep()
        with st.container(horizontal=True, gap="xsmall", width="content"):
            undo.draw_buttons()
            pins.draw_button(sides if complete else None)
            presets.draw_menu()
            tour.draw_button()
    tour.draw()
    if sides is not None:
        presets.draw_message(sides, baseline)
        exercise.draw_answer(sides)
    conclusion = None if sides is None else difference.conclude(sides)
    st.markdown(conclusion or text.NO_CONCLUSION, help=text.CONCLUSION_HELP)
