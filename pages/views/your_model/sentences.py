"""The text model judged without labels: how far sentences turn at each size."""

import pandas as pd
import streamlit as st

from compression.graphs import example
from pages.shared import jobs
from pages.shared.jobs import Job
from pages.shared.ui import charts
from pages.shared.ui.progress import follow, show_status

from . import figures, tasks, text
from .results import ModelView


def draw_sentences(view: ModelView, row: int) -> None:
    """``row``: of the plan that is shown."""
    assert view.plan is not None
    plan = view.plan
    st.header("What it costs on sentences", anchor="sentences")
    st.caption(text.SENTENCES)
    job: Job[pd.DataFrame] = jobs.submit(
        tasks.turn_sentences, str(example.find_text_model()), view.ranks
    )

    def draw() -> None:
        show_status(job, "Comparing sentences")
        table = job.so_far
        if table is None or not len(table):
            return
        if row < len(table):
            st.markdown(text.describe_sentences(table.iloc[row]))
        charts.draw(
            figures.cosine_by_size(table, plan["bytes"], row, view.file_bytes),
            "cosine_by_size",
            "Mean cosine of each sentence's vector and its own in your model, against file size: "
            f"{table['value'].iloc[min(row, len(table) - 1)]:.3f} at the size shown",
        )

    follow(draw, job, key="sentences")
