"""What each layer costs when it alone is compressed."""

import streamlit as st

from pages.shared.jobs import submit
from pages.shared.models.results import LowRankSetting, TrainedReference
from pages.shared.ui import charts, tables
from pages.shared.ui.progress import wait_for

from . import tasks, text
from .figures.sensitivity import score_changes, share_kept


def draw_sensitivity(trained: TrainedReference, setting: LowRankSetting) -> None:
    st.header("What does each layer cost me?", anchor="sensitivity")
    job = submit(tasks.sensitivity, trained.origin, *setting[:3])
    table = wait_for(job, "Compressing one layer at a time")
    if table is None:
        return
    answer = text.compare_layers(table, trained.task)
    st.markdown(answer)
    said = answer.replace("**", "")
    charts.draw(
        score_changes(table, trained.task),
        "low_rank_sensitivity",
        f"Change of the validation score by layer and share of its numbers kept. {said}",
        wide=True,
    )
    charts.draw(
        share_kept(table, trained.task),
        "low_rank_share_kept",
        f"Validation score against the share of its numbers that each layer keeps. {said}",
    )
    st.caption(text.SENSITIVITY)
    tables.take_away(table, "sensitivity", trained)
