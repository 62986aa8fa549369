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

SETTINGS = {"low_rank": "ranks", "constrained": "bounds", "baseline": "knobs"}  # of each family


def choose_values(curves: Sequence[Curves]) -> tuple[Curves, ...]:
    """The curves at the values that a line for each says; an empty line is the method's own."""
    keys = [key_of(each) for each in curves]
    given = any(widgets.read_request(key) for key in keys)
    with st.expander(text.VALUES, expanded=given, icon=":material/tune:"):
        st.caption(text.VALUES_HELP)
        found = tuple(_choose(each) for each in curves)
    widgets.remark(*keys)
    return found


def key_of(curves: Curves) -> str:
    """The URL's parameter for the values of a curve of the menu."""
    name = curves.settings.get("method") or curves.settings["constraint"]
    return links.STUDY_VALUES.format(name)


def _choose(curves: Curves) -> Curves:
    key, whole = key_of(curves), curves.family == "low_rank"
    label = f"{curves.label}: {text.KNOBS[curves.family]}"
    asked = widgets.request_one(key, label) or ""
    if read_values(asked, whole) is None:
        widgets.refuse(key, "", text.refuse_values(label, quote(asked), whole))
    said = st.text_input(
        label,
        key=key,
        bind=widgets.bind(key),
        persist_state="session",
        on_change=widgets.on_change,
        args=(key,),
        max_chars=text.LONGEST_VALUES,
        placeholder=text.OWN_VALUES,
        help=text.VALUE_HELP[curves.family],
    )
    values = read_values(said, whole)
    if not values:
        return curves
    return replace(curves, settings={**curves.settings, SETTINGS[curves.family]: list(values)})


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
