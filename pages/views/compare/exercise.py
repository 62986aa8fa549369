"""For classes, in a link: predict the rank, then move the slider."""

import streamlit as st

from pages.shared import links
from pages.shared.models.results import Layer, TrainedReference
from pages.shared.plots import standard
from pages.shared.ui import charts, widgets

from . import text
from .link import drop_unknown
from .side import LowRankSide, Sides

_RANK = "rank"  # what there is to predict


def draw_button() -> None:
    st.button(
        "Exercise: predict the rank",
        key="exercise_begin",
        help="Hides both sides until a rank was predicted. The link can be given to a class.",
        on_click=_begin,
        width="stretch",
    )


def check_link() -> None:
    """Drop what a link says of the exercise that means nothing."""
    drop_unknown(links.EXERCISE, "Exercise", _RANK, _RANK.__eq__)
    whole = "a whole number from 1 on"
    drop_unknown(links.GUESS, "Prediction", whole, lambda text: _parse(text) is not None)


def is_open() -> bool:
    """Whether a prediction is asked for and not made yet."""
    return links.EXERCISE in st.query_params and _read_guess() is None


def ask(trained: TrainedReference, layer: Layer) -> None:
    """The layer's singular values, and a field for the prediction."""
    st.markdown(text.EXERCISE)
    values = trained.spectra[layer.name]
    chart = standard.spectrum(values, len(values), {"k*": layer.break_even}, layer.title)
    alt = f"{len(values)} singular values of {layer.title}, all of them kept"
    charts.draw(chart, "exercise_spectrum", alt)
    with st.form("exercise", border=False):
        rank = st.number_input("Your prediction: rank k", 1, trained.largest_rank, 1, width=220)
        if st.form_submit_button("Check it"):
            st.query_params[links.GUESS] = str(rank)
            widgets.move(links.RANK, rank)
            st.rerun()


def draw_answer(sides: Sides) -> None:
    """What the prediction gives, beside the rank that validation suggests."""
    guess, side = _read_guess(), sides[0]
    if links.EXERCISE not in st.query_params or guess is None or side.job.result is None:
        return
    curve = side.job.result
    guessed, suggested = (curve.table.iloc[curve.row(rank)] for rank in (guess, curve.suggestion))
    said = text.judge_guess(sides[0].trained, guessed, suggested)
    message, button = st.columns([8, 1], vertical_alignment="center", gap="small")
    message.info(said, icon=":material/school:")
    button.button("Close", key="exercise_end", type="tertiary", on_click=_end)


def _read_guess() -> int | None:
    return _parse(st.query_params.get(links.GUESS, ""))


def _parse(text: str) -> int | None:
    plain = text.isascii() and text.isdigit() and len(text) < 6
    return int(text) if plain and int(text) else None


def _begin() -> None:
    st.query_params.pop(links.GUESS, None)
    st.query_params[links.EXERCISE] = _RANK
    widgets.add_remark(links.EXERCISE, "")
    widgets.move(LowRankSide.knob, None)
    st.rerun()


def _end() -> None:
    for name in (links.EXERCISE, links.GUESS):
        st.query_params.pop(name, None)
    st.rerun()
