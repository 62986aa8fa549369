"""Undo and redo of choices, and settings that are loaded as a whole."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

KEYS = ("dataset", "model", "seed", "layer", "method", "set", "rank", "bound", "cost", "tie")
KNOBS = ("rank", "bound")
_PAST, _PLACE, _WHOLE = "_past", "_place", "_whole"
LONGEST = 100


def now() -> dict[str, Any]:
    """The choices that stand now, by their widgets' keys; knobs only once somebody chose."""
    return {
        key: st.session_state[key]
        for key in KEYS
        if key in st.session_state and (key not in KNOBS or st.session_state.get(f"_chosen_{key}"))
    }


def record() -> None:
    """Remember the choices, if they are not those of the last look."""
    past, place = _past()
    standing = now()
    if not past:
        past.append(standing)
    elif past[place] != standing:
        del past[place + 1 :]
        past.append(standing)
        del past[:-LONGEST]
    else:
        return
    st.session_state[_PLACE] = len(past) - 1


def possible(step: int) -> bool:
    """Whether there is a setting that many steps on (or back, if negative)."""
    past, place = _past()
    return 0 <= place + step < len(past)


def go(step: int) -> None:
    """Undo or redo; for callbacks."""
    past, place = _past()
    if possible(step):
        st.session_state[_PLACE] = place + step
        load(past[place + step])


def load(setting: Mapping[str, Any]) -> None:
    """Make these the choices, and put the others back to their defaults; for callbacks."""
    for key in KEYS:
        st.session_state.pop(f"_remark_{key}", None)
        if key in KNOBS:
            st.session_state[f"_chosen_{key}"] = key in setting
            if key not in setting:
                continue
        st.session_state[key] = setting.get(key)
    changed()


def changed() -> None:
    """Ask for a run of the whole app: what was clicked stands in a fragment; for callbacks."""
    st.session_state[_WHOLE] = True


def run_whole() -> None:
    """Run the whole app now, if a callback has asked for it; a fragment begins with this."""
    if st.session_state.pop(_WHOLE, False):
        st.rerun()


def _past() -> tuple[list[dict[str, Any]], int]:
    past = st.session_state.setdefault(_PAST, [])
    return past, st.session_state.setdefault(_PLACE, 0)
