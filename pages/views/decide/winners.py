"""When to use which: the best family within shares of the reference's file, on this reference."""

from collections.abc import Mapping, Sequence

import pandas as pd
import streamlit as st

from compression.equal_bytes import Winner, winners
from compression.studies.protocol import read_protocol
from pages.shared import links
from pages.shared.format import format_size
from pages.shared.models.results import CurveView, Trained

from . import text
from .candidates import stack_rows
from .series import Series


def draw_winners(trained: Trained, table: pd.DataFrame, curves: Mapping[Series, CurveView]) -> None:
    """A line a share: the best row of every family that was computed, and a verdict."""
    st.header("When to use which", anchor=False)
    predictions = stack_rows(table, curves, "predictions")
    found = winners(table, predictions, table.iloc[0], trained.target, trained.task)
    if not found:
        st.info(text.NOTHING_SMALL, icon=":material/info:")
        return
    st.dataframe(tabulate_winners(trained, table, found), key="decide_winners", hide_index=True)
    st.caption(text.WINNERS)
    _link_atlas(trained)


def _link_atlas(trained: Trained) -> None:
    """A link to what the atlas says of this dataset and model, where it has them."""
    if (trained.dataset, trained.model) in read_protocol().pairs():
        link = links.to_atlas(trained.dataset, trained.model)
        st.page_link(link.page, label=text.ATLAS, icon=":material/map:", query_params=link.texts())


def tabulate_winners(
    trained: Trained, table: pd.DataFrame, found: Sequence[Winner]
) -> pd.DataFrame:
    """A line a share of the reference's file: the best family, its verdict, every family's row."""
    present = [family for family in text.FAMILIES if any(family in one.rows for one in found)]
    lines = []
    for one in found:
        rows = {
            text.FAMILIES[family]: text.describe_winning_row(
                table.iloc[one.rows[family]], trained.task
            )
            if family in one.rows
            else "none"
            for family in present
        }
        lines.append(
            {
                "at most": f"{100 * one.share:g} % ({format_size(one.share * trained.bytes)})",
                "best on validation": text.FAMILIES[table["family"].iloc[one.best]],
                "against the best alternative": text.judge_winner(one, trained.task),
                **rows,
            }
        )
    return pd.DataFrame(lines)
