"""Six steps on the live page, each a sentence and a thing to move; the step is in the link."""

from collections.abc import Callable
from typing import NamedTuple

import streamlit as st

from pages.shared import links
from pages.shared.format import MACS
from pages.shared.ui import widgets

from . import pins
from .link import drop_unknown


class Step(NamedTuple):
    """A sentence with a thing to move, and whether it was moved."""

    says: str
    is_done: Callable[[], bool]


STEPS = (
    Step(
        "Move **Rank k** on the left to the left: the file shrinks, and from some rank on the "
        "accuracy falls. The number beside each value says what it is held against.",
        lambda: widgets.is_chosen(links.RANK),
    ),
    Step(
        "Blue **singular values** are kept. Choose another **layer** above, in its menu or in the "
        "picture of the network, and see how fast its values fall: right of k* it stays dense.",
        lambda: links.LAYER in st.query_params,
    ),
    Step(
        "Move the **bound** on the right: the smaller it is, the more weights stand at it. They "
        "need no number of their own, so the file shrinks; the MACs do not.",
        lambda: widgets.is_chosen(links.BOUND),
    ),
    Step(
        "Press **Link sliders by: File**, then move either slider: both sides now have about the "
        "same size. The sentence above them says whether a difference is shown.",
        lambda: st.session_state.get(links.TIE) == "bytes",
    ),
    Step(
        f"Below, choose **Cost axis: {MACS}**: low rank saves multiplications, a bound "
        "does not. A click on a point moves its slider.",
        lambda: st.session_state.get(links.COST) == "macs",
    ),
    Step(
        "Press **Pin** to keep these two models, and change anything: the pinned ones stay in the "
        "plane and in a table. Then take a model away below its pictures, or ask *Decide*.",
        lambda: bool(pins.list_pins()),
    ),
)


def draw_button() -> None:
    st.button(
        "Tour",
        key="tour_begin",
        icon=":material/explore:",
        on_click=_move_step,
        args=(1,),
        help="Six steps on this page, each a sentence and a thing to move.",
    )


def check_link() -> None:
    """Drop what a link says of the tour that is no step."""
    known = {str(step) for step in range(1, len(STEPS) + 1)}
    drop_unknown(links.TOUR, "Tour", f"a step from 1 to {len(STEPS)}", known.__contains__)


def draw() -> None:
    """The step that the link says, if it says one."""
    number = _read_step()
    if number is None:
        return
    step = STEPS[number - 1]
    with st.container(border=True, key="tour"):
        mark = " :green[:material/check_circle: done]" if step.is_done() else ""
        st.markdown(f"**Step {number} of {len(STEPS)}.** {step.says}{mark}")
        with st.container(horizontal=True, gap="small"):
            for label, to in (("Back", number - 1), ("Next", number + 1)):
                st.button(
                    label,
                    key=f"tour_{label.lower()}",
                    disabled=not 1 <= to <= len(STEPS),
                    on_click=_move_step,
                    args=(to,),
                )
            st.button("End the tour", key="tour_end", type="tertiary", on_click=_end)


def _read_step() -> int | None:
    step = st.query_params.get(links.TOUR)
    return None if step is None else int(step)


def _move_step(step: int) -> None:
    st.query_params[links.TOUR] = str(step)
    widgets.add_remark(links.TOUR, "")


def _end() -> None:
    st.query_params.pop(links.TOUR, None)
