"""When to use which: the best family within shares of the reference's file, on this reference."""

from collections.abc import Mapping

import pandas as pd
import streamlit as st

from compression.equal_bytes import winners
from pages.shared.models.results import CurveView, Trained

from . import text
from .candidates import stack_rows
from .series import Series


def draw_winners(trained: Trained, table: pd.DataFrame, curves: Mapping[Series, CurveView]) -> None:
    """A line a share: the best row of every family that was computed, and a verdict."""
    st.subheader("When to use which", anchor=False)
    predictions = stack_rows(table, curves, "predictions")
    found = winners(table, predictions, table.iloc[0], trained.target, trained.task)
    if not found:
        st.info(text.NOTHING_SMALL, icon=":material/info:")
        return
    st.dataframe(
        text.tabulate_winners(trained, table, found), key="decide_winners", hide_index=True
    )
    st.caption(text.WINNERS)
