"""Sliders over the values that a curve was computed at, bound to the URL.

A browser names the value of such a slider by its text. When the values change, messages that are
under way still name one that is gone, and Streamlit takes what it cannot find for the default. So
a slider whose values are still to come has another key than the final one, a change to the default
right after the values changed is none, and what was wished for is kept beside what is shown.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from time import monotonic
from typing import Any
from zlib import crc32

import streamlit as st
from streamlit.errors import StreamlitAPIException
from streamlit.runtime.scriptrunner import get_script_run_ctx

from pages.shared.format import parse_number, quote, short_decimals
from pages.shared.glossary import CONTROLS

from . import widgets

LARGEST_ASKED = 1e6  # largest number in a link that waits for its slider's values
STALE_SECONDS = 3.0  # in which a browser may still send the previous values
# Kept in the session for each knob: its value; the requested number with the value shown for it;
# the texts of its values with the time since when (None: a stand-in is shown); its stand-in's
# value.
_AT, _WISH, _TEXTS, SEEN = "_at_", "_wish_", "_texts_", "_seen_"


def draw(
    key: str,
    label: str,
    values: Sequence[float],
    default: float,
    settled: bool = True,
    *,
    redraw: Sequence[str] = (),
    then: Callable[[float], None] | None = None,
    help: str | None = None,
) -> Any:
    """One of the values that a curve was computed at, from a slider that is bound to the URL.

    A number between two of them, or one chosen when there were others, becomes the nearest; a
    number outside their range becomes the end it passed, with a remark. Until somebody chooses,
    by hand or by URL, it stands at the default.

    Parameters
    ----------
    key, label : str
    values : sequence of int or float
        Ascending.
    default : int or float
        One of them.
    settled : bool
        Whether the values and the default are final. Until then a stand-in takes the slider's
        place: a browser that looks again by itself sends what its slider shows, which would pass
        for a choice when either has just changed.
    redraw : sequence of str
        Keys of the fragments to draw again on a change; none: the slider's own surroundings.
    then : callable, optional
        Called with the new value before anything is drawn again; it may ask for the drawing too.

    Returns
    -------
    int or float
        One of ``values``.
    """
    import numpy as np  # import it here: the title paints first

    numbers = np.asarray(values).tolist()
    if not settled:
        numbers = _add_requested(key, numbers)
    texts = dict(zip(numbers, short_decimals(numbers), strict=True))
    if key not in st.session_state and widgets.read_request(key) is not None:
        widgets.mark_chosen(key)
    if widgets.is_chosen(key):
        _show_nearest(key, label, texts, default)
    slider = partial(
        st.select_slider,
        label,
        numbers,
        value=default,
        format_func=widgets.format_with(texts),
        help=help or CONTROLS.get(key),
    )
    if settled:
        if not widgets.is_chosen(key):
            st.session_state[key] = default
        _note_texts(key, list(texts.values()))
        value = slider(
            key=key,
            bind=widgets.bind(key),
            persist_state="session",
            on_change=_on_slide,
            args=(key, default, redraw, then),
        )
    else:
        value = _draw_stand_in(slider, key, texts, default)
    st.session_state[_AT + key] = value
    widgets.draw_remarks(key)
    return value


def _draw_stand_in(
    slider: Callable[..., Any], key: str, texts: Mapping[float, str], default: float
) -> Any:
    """A slider of its own where the values, or the default, are not final."""
    standing = default
    if widgets.is_chosen(key):
        numbers = {text: number for number, text in texts.items()}
        standing = numbers.get(str(widgets.read_request(key)), st.session_state.get(key, default))
    early = f"{key}_early_{crc32(','.join(texts.values()).encode())}"
    seen = st.session_state.get(SEEN + key)  # None: no run has finished yet
    if early not in st.session_state or seen in (None, st.session_state[early]):
        # The stand-in was not moved; the choice may have been moved elsewhere.
        st.session_state[early] = standing
    # Put it in a container: at the same place in the tree a browser keeps one slider for both. Give
    # it no callback: a late message would still call it when the final slider has taken its place.
    with st.container():
        value = slider(key=early)
    st.session_state[SEEN + key] = value
    # Any values of the final slider will count as a change.
    st.session_state[_TEXTS + key] = [], None
    if value != standing:
        widgets.move(key, value)
    if widgets.is_chosen(key):
        st.session_state[key] = value
        _write_link(key, texts[value])
    return value


def _note_texts(key: str, names: list[str]) -> None:
    """Remember the texts of the final slider and since when it has had them.

    It changes when it takes its stand-in's place too: a browser that was told of the stand-in in
    a run that did not end still has the slider of before.
    """
    before, since = st.session_state.get(_TEXTS + key, (names, -STALE_SECONDS))
    if since is None or names != before:
        since = monotonic()
    st.session_state[_TEXTS + key] = names, since


def _write_link(key: str, text: str) -> None:
    """Have the URL say a choice while the widget is not there that would."""
    context = get_script_run_ctx()
    if context is None or st.query_params.get(key) == text:
        return
    # In the first run without the widget, the widget still owns the URL.
    with suppress(StreamlitAPIException):
        st.query_params[key] = text
        with context.session_state.query_params() as url:
            url.set_initial_query_params_from_current()


def _add_requested(key: str, numbers: list[float]) -> list[float]:
    """The values so far and the one that is asked for, which the final ones may have.

    A kernel has more ranks than any linear layer: a link to one waits for the curve.
    """
    wanted = parse_number(widgets.read_request(key) or "")
    if wanted is None or not 0 < wanted <= LARGEST_ASKED or wanted in numbers:
        return numbers
    if isinstance(numbers[0], int):
        return sorted([*numbers, int(wanted)]) if wanted == int(wanted) else numbers
    return sorted([*numbers, wanted])


def read_number(key: str) -> float:
    """Where a knob that was drawn before stands."""
    return float(st.session_state[_AT + key])


def note_place(key: str, value: float) -> None:
    """Say where a knob stands that is not drawn: there is nothing to choose."""
    st.session_state[_AT + key] = value


def _on_slide(
    key: str, default: float, redraw: Sequence[str], then: Callable[[float], None] | None
) -> None:
    value, stood = float(st.session_state[key]), st.session_state.get(_AT + key)
    # Streamlit also calls this for a slider that was first drawn in an interrupted run.
    if value == stood:
        return
    # ``since`` is None where a stand-in has taken the slider's place.
    _, since = st.session_state.get(_TEXTS + key, ([], None))
    stale = since is None or (value == default and monotonic() - since < STALE_SECONDS)
    if stale and stood is not None:
        st.session_state[key] = stood
    else:
        widgets.on_change(key, redraw, then)


def _show_nearest(key: str, label: str, texts: Mapping[float, str], default: float) -> None:
    """Put the nearest value in place of a number that the curve does not have."""
    request = widgets.request_one(key, label)
    wished, shown = st.session_state.get(_WISH + key, (None, None))
    if shown is not None and str(shown) == request:
        request = wished  # no new choice: the shown value was the nearest to the request
    if request is None or (request in texts.values() and shown is None):
        return
    numbers, wanted = list(texts), parse_number(request)
    nearest = default if wanted is None else min(numbers, key=lambda n: abs(n - wanted))
    if wanted is None or not numbers[0] <= wanted <= numbers[-1]:
        ends = f"{texts[numbers[0]]} to {texts[numbers[-1]]}"
        sentence = f"{label} = {quote(request)} is not possible here, only {ends}."
        st.session_state.pop(_WISH + key, None)
        widgets.refuse(key, nearest, f"{sentence} Shown instead: {texts[nearest]}.")
        return
    st.session_state[_WISH + key] = request, nearest
    st.session_state[key] = nearest
