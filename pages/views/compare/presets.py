"""Settings to begin with, and what to look at in the one that was chosen."""

import streamlit as st

from compression import LOW_RANK_METHODS
from pages.shared.jobs import Job
from pages.shared.models import requests
from pages.shared.models.results import CurveView, TrainedReference
from pages.shared.models.text import name_reference
from pages.shared.ui import knobs

from . import exercise, text, undo
from .results import Pin
from .side import LowRankSide, Sides, current_rows

_MENU = "presets"
_PRESET = "_preset"  # (number of the chosen preset, the choices at that time)


def draw_menu() -> None:
    # A choice resets the menu's state, which closes the menu.
    with st.popover("Presets", icon=":material/flag:", key=_MENU, on_change=_keep_menu):
        for number, preset in enumerate(text.PRESETS):
            st.button(
                preset.title,
                key=f"preset_{number}",
                help=preset.says,
                on_click=_choose,
                args=(number,),
                width="stretch",
            )
        exercise.draw_button()


def _keep_menu() -> None:
    """Does nothing: only a popover with a callback has a state that can be set."""


def _choose(number: int) -> None:
    st.session_state[_MENU] = False
    st.session_state[_PRESET] = number, None
    undo.load(text.PRESETS[number].choices)


def _close() -> None:
    del st.session_state[_PRESET]
    st.rerun()


def request_baseline(trained: TrainedReference) -> Job[CurveView] | None:
    """The curve that the chosen preset draws beside the two."""
    number, _ = st.session_state.get(_PRESET, (None, None))
    method = None if number is None else text.PRESETS[number].baseline
    return None if method is None else requests.low_rank_curve(trained, method)


def list_ghosts(trained: TrainedReference, job: Job[CurveView] | None) -> list[Pin]:
    """The preset's curve as a ghost in the plane, once it is computed."""
    if job is None or job.result is None:
        return []
    curve, rank = job.result, knobs.read_number(LowRankSide.knob)
    title = LOW_RANK_METHODS[curve.method].title
    row = curve.table.iloc[curve.row(rank)]
    rows = {LowRankSide.title: (f"{title}, rank {rank:g}", LowRankSide.colour, row)}
    return [Pin(title, {}, name_reference(trained), rows, {LowRankSide.title: curve.table})]


def draw_message(sides: Sides, baseline: Job[CurveView] | None) -> None:
    """What to look at in the chosen preset, until it is put away or a choice changes."""
    if _PRESET not in st.session_state:
        return
    number, choices = st.session_state[_PRESET]
    if choices is None:  # the widgets have got the preset's choices in this run
        st.session_state[_PRESET] = number, undo.current_choices()
    elif choices != undo.current_choices():
        del st.session_state[_PRESET]
        st.rerun()
    chosen = text.PRESETS[number]
    message, button = st.columns([12, 1], vertical_alignment="center", gap="small")
    message.info(
        f"**{chosen.title}.** {_describe_preset(chosen, sides, baseline)}", icon=":material/flag:"
    )
    button.button(
        "Close",
        key="close_preset",
        icon=":material/close:",
        type="tertiary",
        on_click=_close,
    )


def _describe_preset(chosen: text.Preset, sides: Sides, baseline: Job[CurveView] | None) -> str:
    rows = current_rows(sides, complete=False)
    if sides[0].job.result is None or rows is None:
        return chosen.says
    line = None
    if baseline is not None and baseline.result is not None:
        curve = baseline.result
        line = curve.table.iloc[curve.row(sides[0].value)]
    return chosen.look(text.ShownRows(sides[0].trained, *rows, line))
