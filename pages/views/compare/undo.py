"""Undo and redo of choices, and settings that are loaded as a whole."""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from pages.shared import links
from pages.shared.ui import widgets

KNOBS = (links.RANK, links.BOUND)
KEYS = (
    *(*links.REFERENCE, links.LAYER, links.METHOD, links.LAYER_KINDS, links.CONSTRAINT),
    *(*KNOBS, links.COST, links.TIE, links.SIDES),
)
LONGEST = 100  # settings that are remembered
_PAST, _PLACE = "_past", "_place"


def draw_buttons() -> None:
    for label, step in (("Undo", -1), ("Redo", 1)):
        st.button(
            label,
            key=label.lower(),
            icon=f":material/{label.lower()}:",
            disabled=not is_possible(step),
            on_click=undo_or_redo,
            args=(step,),
        )
    st.button("Reset", key="reset", icon=":material/restart_alt:", on_click=load, args=({},))


def current_choices() -> dict[str, Any]:
    """The choices that stand now, by their widgets' keys; knobs only once somebody chose.

    None is a default whose widget is not drawn here: to go back to it is no choice.
    """
    return {
        key: st.session_state[key]
        for key in KEYS
        if st.session_state.get(key) is not None and (key not in KNOBS or widgets.is_chosen(key))
    }


def record() -> None:
    """Remember the choices, if they are not those of the last look."""
    past, place = read_past()
    choices = current_choices()
    if past and past[place] == choices:
        return
    del past[place + 1 :]
    past.append(choices)
    del past[:-LONGEST]
    st.session_state[_PLACE] = len(past) - 1


def is_possible(step: int) -> bool:
    """Whether there is a setting that many steps on (or back, if negative)."""
    past, place = read_past()
    return 0 <= place + step < len(past)


def undo_or_redo(step: int) -> None:
    """Undo or redo; for callbacks."""
    past, place = read_past()
    if is_possible(step):
        st.session_state[_PLACE] = place + step
        load(past[place + step])


def load(choices: Mapping[str, Any]) -> None:
    """Make these the choices, put the others back to their defaults, and run the whole app.

    For callbacks; nothing after it is run.
    """
    for key in KEYS:
        widgets.move(key, choices.get(key))
    st.rerun()


def restore(past: Sequence[dict[str, Any]], place: int) -> None:
    """Take over the choices of another session; ``place``: of those that stand."""
    st.session_state[_PAST], st.session_state[_PLACE] = list(past), place


def read_past() -> tuple[list[dict[str, Any]], int]:
    """All choices that are remembered, and the place of those that stand."""
    past = st.session_state.setdefault(_PAST, [])
    return past, st.session_state.setdefault(_PLACE, 0)
