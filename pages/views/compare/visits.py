"""Pins and undo survive a reload: kept in memory under a name that stands in the link.

Whoever opens the link finds them as they were; the first change there gets a name of its own, so
that nobody alters what another one's link shows. They end with the server.
"""

import secrets
import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import streamlit as st

from pages.shared import links
from pages.shared.ui import widgets

from . import pins, undo
from .results import Pin

MAX_VISITS = 200  # kept visits; the one that changed longest ago is dropped first
GONE = "Pins and undo of this link are no longer kept here: the server has started anew since."
_OWN, _SEEN = "_own_visit", "_seen_visit"


@dataclass(frozen=True)
class Visit:
    """What a session has pinned, its choices in their order, and which of them stands."""

    pins: tuple[Pin, ...]
    past: tuple[dict[str, Any], ...]
    place: int


_kept: OrderedDict[str, Visit] = OrderedDict()
_writing = threading.Lock()


def restore() -> None:
    """In a session's first run: take what is kept under the name in its link."""
    if _SEEN in st.session_state:
        return
    name = st.query_params.get(links.VISIT)
    visit = None if name is None else _kept.get(name)
    if visit is not None:
        pins.list_pins()[:] = visit.pins
        undo.restore(visit.past, visit.place)
    elif name is not None:
        del st.query_params[links.VISIT]
        widgets.add_remark(links.VISIT, GONE)
    st.session_state[_SEEN] = _look()


def keep() -> None:
    """Keep what has changed since the last look; the link says under which name."""
    visit = _look()
    if visit == st.session_state[_SEEN]:
        return
    begun = bool(visit.pins) or len(visit.past) > 1
    st.session_state[_SEEN] = visit
    if not begun and _OWN not in st.session_state:  # the link holds the first choices anyway
        return
    name = st.session_state.setdefault(_OWN, secrets.token_urlsafe(9))
    widgets.add_remark(links.VISIT, "")
    with _writing:
        _kept[name] = visit
        _kept.move_to_end(name)
        while len(_kept) > MAX_VISITS:
            _kept.popitem(last=False)
    if st.query_params.get(links.VISIT) != name:
        st.query_params[links.VISIT] = name


def _look() -> Visit:
    past, place = undo.read_past()
    return Visit(tuple(pins.list_pins()), tuple(past), place)
