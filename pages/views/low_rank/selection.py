"""Which rank the usual rules take, and cross-validation of the rank."""

import pandas as pd
import streamlit as st

from pages.shared import links
from pages.shared.jobs import submit
from pages.shared.models.results import CurveView, LowRankSetting, TrainedReference
from pages.shared.ui import blocks, charts, tables, widgets
from pages.shared.ui.progress import wait_for

from . import tasks, text
from .controls import FOLLOWERS, RULES
from .figures.selection import cross_validation


def draw_selection(
    trained: TrainedReference, setting: LowRankSetting, curve: CurveView | None
) -> None:
    st.header("Which rank should I take?", anchor="which-rank")
    blocks.draw_suggestion(trained, curve, links.RANK, RULES, FOLLOWERS)
    st.caption(text.CHOOSING)
    if curve is not None:
        _draw_rules(trained, setting, curve)
    if widgets.switch(links.FOLDS, "Cross-validate the rank (trains five networks)"):
        _draw_cross_validation(trained, setting)


def _draw_rules(trained: TrainedReference, setting: LowRankSetting, curve: CurveView) -> None:
    tried = curve.table
    job = submit(
        tasks.ranks_by_rule,
        trained.origin,
        tuple(tried["knob"].tolist()),
        tuple(tried["parameters"].tolist()),
        tuple(tried["validation_score"].tolist()),
        curve.reference["validation_score"],
        setting,
    )
    table = wait_for(job, "Asking the rules for their ranks")
    if table is not None:
        rules = [
            {
                "rule": text.describe_rule(line["rule"], line["amount"], trained.task),
                "ranks": text.list_ranks(line["ranks"]),
                **tables.describe_row(line, trained.task, "times smaller"),
            }
            for _, line in table.iterrows()
        ]
        tables.draw(pd.DataFrame(rules), "rules", trained)


def _draw_cross_validation(trained: TrainedReference, setting: LowRankSetting) -> None:
    """The folds' scores, and the one-standard-error rule."""
    job = submit(tasks.cross_validate, trained.origin, setting)
    table = wait_for(job, "Training a network in each fold")
    if table is None:
        return
    charts.draw(
        cross_validation(table, trained.task),
        "low_rank_folds",
        f"Mean score over folds with one standard error at {len(table)} ranks; chosen is rank "
        f"{table.loc[table['chosen'], 'rank'].iloc[0]:.0f}",
    )
    st.caption(text.CROSS_VALIDATION)
    tables.take_away(table, "cross-validation", trained)
