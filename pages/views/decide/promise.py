"""What the validation rows can promise of the choice, and what it cost to choose among so many."""

from collections.abc import Mapping
from dataclasses import replace

import pandas as pd
import streamlit as st

from compression.pareto import Wish, mark_smaller
from compression.promise import judge_choice
from pages.shared.models.results import CurveView, Trained
from pages.shared.models.text import describe_promise

from . import text
from .candidates import stack_rows
from .choice import Series


def draw_promise(
    trained: Trained,
    table: pd.DataFrame,
    curves: Mapping[Series, CurveView],
    wish: Wish,
    cost: str,
) -> None:
    """A paragraph, where a loss is allowed and some model stays within it."""
    if wish.loss is None:
        return
    possible = (
        mark_smaller(table, table.iloc[0], cost)
        & replace(wish, loss=None).find_fulfilling(table, table.iloc[0])
        & table[cost].notna().to_numpy()
    )
    if not possible.any():
        return
    candidates = table[possible]
    gains = stack_rows(table, curves, "gains")[possible]
    found = judge_choice(candidates[cost].to_numpy(float), gains, wish.loss, trained.task)
    if found is not None:
        promised = None
        if found.promised is not None:
            promised = text.describe_promised(trained, candidates.iloc[found.promised])
        st.markdown(describe_promise(found, promised, wish.loss, trained.task))
