"""One budget shared among the layers by every rule, beside its fine-tuned baseline."""

import pandas as pd
import streamlit as st

from pages.shared import links
from pages.shared.format import format_score, score_name
from pages.shared.models import requests
from pages.shared.models.results import LowRankSetting, TrainedReference
from pages.shared.plots.layout import COSTS
from pages.shared.ui import charts, knobs, tables, widgets
from pages.shared.ui.progress import wait_for

from . import text
from .figures.budgets import RULES, budget_ranks, budget_scores


def draw_budgets(trained: TrainedReference, setting: LowRankSetting) -> None:
    with widgets.open_row():
        unit = widgets.choose_segment(links.UNIT, "Budget in", COSTS)
        with st.container(width=320):
            label = "Epochs after truncation"
            epochs = int(knobs.draw(links.BUDGET_EPOCHS, label, text.BUDGET_EPOCHS, 3))
    job = requests.budget_curve(trained, setting, unit)
    curve = wait_for(job, "Sharing ten budgets by every rule")
    if curve is None:
        return
    table, tuned = curve.table, None
    if epochs:
        job = requests.budget_curve(trained, setting, unit, epochs)
        longer = wait_for(job, "Training on what every rule gives")
        tuned = None if longer is None else longer.table

    @st.fragment
    def draw() -> None:
        values = sorted(table["knob"].unique())
        label = f"Budget: {COSTS[unit].lower()}"
        budget = knobs.draw(links.BUDGET, label, values, values[len(values) // 3])
        lines = table[table["knob"] == budget]
        low, high = (format_score(lines["score"].agg(end), trained.task) for end in ("min", "max"))
        scores = f"{low} to {high}"
        left, right = st.columns(2, gap="medium")
        with left:
            charts.draw(
                budget_ranks(lines),
                "budget_ranks",
                f"Rank of each layer by every rule under a budget of {budget:,.0f}",
            )
        with right:
            charts.draw(
                budget_scores(table, tuned, trained.costs, budget, unit, trained.task),
                "budget_scores",
                f"{score_name(trained.task)} of every rule; {scores} under a budget of {budget:,.0f}",
            )
        _draw_table(trained, table, lines)
        st.caption(text.BUDGET)

    draw()


def _draw_table(trained: TrainedReference, table: pd.DataFrame, lines: pd.DataFrame) -> None:
    shown = pd.DataFrame(
        [
            {
                "rule": RULES.get(line["rule"], line["rule"]),
                "ranks": text.list_ranks(line["ranks"]),
                "predicted loss": line["predicted_loss"],
                "gap to exact": line["gap"],
                **tables.describe_row(line, trained.task, "times smaller"),
            }
            for _, line in lines.iterrows()
        ]
    )
    whole = table.assign(ranks=[text.list_ranks(ranks) for ranks in table["ranks"]])
    tables.draw(shown, "budgets", trained, whole)
    if starved := text.describe_starved(shown["rule"], lines["warning"]):
        st.caption(f":material/warning: {starved}")
