"""What the validation rows can promise of the choice, and what it cost to choose among so many."""

from collections.abc import Mapping
from dataclasses import replace

import pandas as pd
import streamlit as st

from compression.pareto import Wish, mark_smaller
from compression.promise import judge_choice
from pages.shared.models.results import CurveView, TrainedReference
from pages.shared.models.text import describe_promise

from . import text
from .candidates import load_sliders, stack_rows
from .choice import Series


def draw_promise(
    trained: TrainedReference,
    table: pd.DataFrame,
    curves: Mapping[Series, CurveView],
    wish: Wish,
    cost: str,
) -> pd.Series | None:
    """A paragraph, where a loss is allowed and some model stays within it; what is promised."""
    if wish.loss is None:
        return None
    possible = (
        mark_smaller(table, table.iloc[0], cost)
        & replace(wish, loss=None).find_fulfilling(table, table.iloc[0])
        & table[cost].notna().to_numpy()
    )
    if not possible.any():
        return None
    candidates = table[possible]
    gains = stack_rows(table, curves, "gains")[possible]
    promise = judge_choice(candidates[cost].to_numpy(float), gains, wish.loss, trained.task)
    if promise is None:
        return None
    line = None if promise.promised is None else candidates.iloc[promise.promised]
    promised = None if line is None else text.describe_promised(trained, line)
    said = describe_promise(promise, promised, wish.loss, trained.task)
    st.markdown(said if line is None else f"{said} {text.SHOWN}")
    return line


def draw_takeover(best: pd.DataFrame, promised: pd.Series | None, picked: pd.Series | None) -> None:
    """A button that makes the smallest model the choice, or the promised one again."""
    if promised is None or best.empty or promised["id"] == best["id"].iloc[0]:
        return
    is_promised = picked is not None and picked["id"] == promised["id"]
    line = best.iloc[0] if is_promised else promised
    st.button(
        text.TAKE_BEST if is_promised else text.TAKE_PROMISED,
        key="take_promised",
        icon=":material/swap_horiz:" if is_promised else ":material/verified:",
        help=text.TAKE_HELP,
        on_click=load_sliders,
        args=(line,),
    )
