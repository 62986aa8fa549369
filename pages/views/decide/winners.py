"""When to use which: the best family within shares of the reference's costs, on this reference."""

from collections.abc import Mapping, Sequence

import pandas as pd
import streamlit as st

from compression.equal_bytes import Winner, winners
from compression.studies.protocol import read_protocol
from pages.shared import links
from pages.shared.models.results import CurveView, TrainedReference

from . import text
from .candidates import stack_rows
from .choice import Series

SHARES = {
    "bytes": (0.5, 0.25, 0.125, 0.06),
    "macs": (0.5, 0.25, 0.125),
    **dict.fromkeys(text.TIMES, (0.75, 0.5)),
}
"""Cost -> shares of the reference's; times where they were measured."""


def draw_winners(
    trained: TrainedReference, table: pd.DataFrame, curves: Mapping[Series, CurveView]
) -> None:
    """A line a cost and share: the best row of every family that was computed, and a verdict."""
    st.header("When to use which", anchor="winners")
    predictions = stack_rows(table, curves, "predictions")
    cost_winners = [
        (cost, one)
        for cost, shares in SHARES.items()
        if cost in table
        for one in winners(
            table, predictions, table.iloc[0], trained.target, trained.task, shares, cost
        )
    ]
    if not cost_winners:
        st.info(text.NOTHING_SMALL, icon=":material/info:")
        return
    st.dataframe(
        tabulate_winners(trained.task, table, cost_winners, find_proofs(table, curves)),
        key="decide_winners",
        hide_index=True,
    )
    st.caption(text.WINNERS)
    _link_atlas(trained)


def _link_atlas(trained: TrainedReference) -> None:
    """A link to what the atlas says of this dataset and model, where it has them."""
    if (trained.dataset, trained.model) in read_protocol().pairs():
        link = links.to_atlas(trained.dataset, trained.model)
        st.page_link(link.page, label=text.ATLAS, icon=":material/map:", query_params=link.texts())


def find_proofs(table: pd.DataFrame, curves: Mapping[Series, CurveView]) -> dict[int, pd.Series]:
    """Row of the table -> what is certified of it, where it is an optimum that is certified."""
    proofs = {}
    for series, curve in curves.items():
        facts = getattr(curve, "facts", None)
        if facts is None:
            continue
        for row, place in table.loc[table["series"] == series.name, "place"].items():
            if bool(facts["certified"].iloc[int(place)]):
                proofs[int(str(row))] = facts.iloc[int(place)]
    return proofs


def tabulate_winners(
    task: str,
    table: pd.DataFrame,
    cost_winners: Sequence[tuple[str, Winner]],
    proofs: Mapping[int, pd.Series],
) -> pd.DataFrame:
    """A line a cost and share of the reference's: the best family, its verdict, every family's row."""
    present = [
        family for family in text.FAMILIES if any(family in one.rows for _, one in cost_winners)
    ]
    reference, lines = table.iloc[0], []
    for cost, one in cost_winners:
        rows = {
            text.FAMILIES[family]: text.describe_winning_row(table.iloc[one.rows[family]], task)
            if family in one.rows
            else "none"
            for family in present
        }
        lines.append(
            {
                "at most": text.describe_share(one.share, cost, reference),
                "best on validation": text.FAMILIES[table["family"].iloc[one.best]],
                "against the best alternative": text.judge_winner(one, task),
                "what it gives besides": text.list_reasons(
                    table.iloc[one.best], reference, cost, proofs.get(one.best)
                ),
                **rows,
            }
        )
    return pd.DataFrame(lines)
