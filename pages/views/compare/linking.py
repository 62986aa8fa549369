"""What a moved slider does: the other may follow, and what shows either is drawn again."""

from functools import partial

import streamlit as st

from compression.pareto import nearest_row
from pages.shared import links
from pages.shared.ui import widgets

from . import text
from .side import Side, Sides

TOP, PLANE = "top", "plane"  # the fragments that show both sides
FREE = "free"


def choose_link(sides: Sides | None) -> None:
    """A row of buttons: by which number the sliders follow each other."""
    then = None if sides is None else partial(_match, sides)
    widgets.choose_segment(links.TIE, "Link sliders by", text.LINKS, then=then, help=text.LINK_HELP)


def slide(sides: Sides, moved: Side, value: float) -> None:
    """Let the linked slider follow, and draw again what shows either; for callbacks.

    The other goes to the row of its curve that is nearest in the chosen column; the score meant
    is the validation part's: a match, too, is a choice.
    """
    redraw = [moved.key, TOP, PLANE]
    column = st.session_state.get(links.TIE, FREE)
    other = sides[1] if moved is sides[0] else sides[0]
    leading, following = moved.curve, other.curve
    if column != FREE and leading is not None and following is not None:
        wanted = float(leading.table[column].iloc[leading.row(value)])
        row = nearest_row(following.table, column, wanted)
        widgets.move(other.knob, following.table["knob"].iloc[row].item())
        redraw.append(other.key)
    st.rerun(scope=redraw)


def _match(sides: Sides, column: str) -> None:
    if column != FREE:
        slide(sides, sides[0], sides[0].value)
