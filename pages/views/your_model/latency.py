"""How long a call takes before and after, measured in turns, with the noise of this machine."""

import streamlit as st

from pages.shared import jobs, links
from pages.shared.jobs import Job
from pages.shared.ui import widgets
from pages.shared.ui.progress import wait_for

from . import tables, tasks, text
from .results import JudgingData, ModelView
from .tasks import Files


def draw_latency(view: ModelView, files: Files, row: int, judging: JudgingData) -> None:
    """The table, once it is asked for: a measurement keeps one processor busy for seconds."""
    st.header("How long does it take?", anchor="latency")
    if not widgets.switch(links.TIMED, "Measure latency on this machine"):
        st.caption(text.ASK_LATENCY)
        return
    job: Job = jobs.submit(
        tasks.latency, files, *judging.calibration, view.ranks[row], view.calibration is not None
    )
    table = wait_for(job, "Measuring in turns")
    if table is None:
        return
    st.markdown(text.describe_latency(table))
    st.dataframe(tables.latency_table(table), hide_index=True)
    st.caption(text.LATENCY)
