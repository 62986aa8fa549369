"""Which values of its knob each chosen curve is computed at: its method's own, or one's own list."""

import re
from collections.abc import Sequence
from dataclasses import replace

import streamlit as st

from compression.studies.specification import Curves
from pages.shared import links
from pages.shared.format import parse_number, quote
from pages.shared.ui import widgets

from . import text

SETTINGS = {  # of each family, those that are lists
    "low_rank": ("ranks",),
    "constrained": ("bounds",),
    "baseline": ("knobs",),
    "combined": ("ranks", "bounds"),
}


def choose_values(curves: Sequence[Curves]) -> tuple[Curves, ...]:
    """The curves at the values that a line for each says; an empty line is the method's own."""
    keys = [key for each in curves for key in keys_of(each)]
    given = any(widgets.read_request(key) for key in keys)
    with st.expander(text.VALUES, expanded=given, icon=":material/tune:"):
        st.caption(text.VALUES_HELP)
        chosen = tuple(_choose(each) for each in curves)
    widgets.draw_remarks(*keys)
    return chosen


def keys_of(curves: Curves) -> tuple[str, ...]:
    """The URL's parameters for the values of a curve of the menu, one for each of its settings."""
    name = curves.settings.get("method") or curves.settings["constraint"]
    endings = ("", *(f"_{setting}" for setting in SETTINGS[curves.family][1:]))
    return tuple(links.STUDY_VALUES.format(f"{name}{ending}") for ending in endings)


def _choose(curves: Curves) -> Curves:
    chosen = {
        setting: list(values)
        for key, setting in zip(keys_of(curves), SETTINGS[curves.family], strict=True)
        if (values := _ask(key, curves, setting))
    }
    return replace(curves, settings={**curves.settings, **chosen})


def _ask(key: str, curves: Curves, setting: str) -> tuple[float, ...] | None:
    whole = setting == "ranks"
    label = f"{curves.label}: {text.KNOBS[setting]}"
    request = widgets.request_one(key, label) or ""
    if read_values(request, whole) is None:
        widgets.refuse(key, "", text.refuse_values(label, quote(request), whole))
    said = st.text_input(
        label,
        key=key,
        bind=widgets.bind(key),
        persist_state="session",
        on_change=widgets.on_change,
        args=(key,),
        max_chars=text.LONGEST_VALUES,
        placeholder=text.OWN_VALUES,
        help=text.VALUE_HELP[setting],
    )
    return read_values(said, whole)


def read_values(said: str, whole: bool) -> tuple[float, ...] | None:
    """The numbers of a line, ascending and each once; None where it says something else.

    ``whole``: none but whole numbers. All are above 0.
    """
    words = re.split(r"[\s,;]+", said.strip(" \t\r\n,;"))
    numbers = [parse_number(word) for word in words if word]
    if len(said) > text.LONGEST_VALUES or len(numbers) > text.MOST_VALUES:
        return None
    if any(number is None or number <= 0 for number in numbers):
        return None
    plain = {int(each) if each == int(each) else each for each in numbers if each is not None}
    if whole and not all(isinstance(each, int) for each in plain):
        return None
    return tuple(sorted(plain))
