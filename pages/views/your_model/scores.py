"""The model judged on data: its score against its size, by each method that was asked for."""

import streamlit as st

from pages.shared import jobs
from pages.shared.format import score_name
from pages.shared.jobs import Job
from pages.shared.ui import charts
from pages.shared.ui.progress import follow, show_status

from . import figures, tasks, text
from .head import draw_head
from .judging import DIGITS, is_example
from .latency import draw_latency
from .results import TRUNCATED, Judging, ModelView
from .tasks import Files


def draw_scores(
    view: ModelView, shown: ModelView, files: Files, row: int, judging: Judging
) -> None:
    """Score against size, latency, and the last layer alone.

    Parameters
    ----------
    view, shown : ModelView
        The model with the ranks of truncated SVD, and with those of the method that was chosen.
    files : tuple
    row : int
        Of the plan that is shown.
    judging : Judging
    """
    st.header("What it costs on data", anchor=False)
    _draw_curve(view, shown, files, row, judging)
    draw_latency(shown, files, row, judging)
    draw_head(files, judging.dataset, judging.seed, judging.found, judging.way)


def _draw_curve(
    view: ModelView, shown: ModelView, files: Files, row: int, judging: Judging
) -> None:
    job, *others = [
        _submit(own, files, judging) for own in ((shown,) if shown is view else (shown, view))
    ]

    def draw() -> None:
        for watched in (job, *others):
            show_status(watched, "Judging smaller models on the test part")
        table = job.so_far
        if table is None or len(table) == 0:
            return
        task = judging.found.task
        tables = {shown.method: table}
        if others and others[0].so_far is not None and len(others[0].so_far):
            tables[TRUNCATED] = others[0].so_far
        if job.result is not None:
            st.markdown(text.describe_scores(table, view.file_bytes, task))
        if len(tables) == 2 and all(watched.result is not None for watched in (job, *others)):
            st.markdown(text.describe_methods(tables, task))
        rows = list(table.loc[table["bits"] == 32, "row"])
        current = rows.index(row) if row in rows else None
        figure = figures.scores_by_size(tables, judging.found.majority, current, task)
        said = f"{score_name(task)} against file size, with intervals"
        charts.draw(figure, "scores_by_size", said)
        unseen = is_example(files) and judging.dataset == DIGITS
        st.caption(text.NOT_SEEN if unseen else text.SEEN)

    follow(draw, job, *others, key="scores")


def _submit(view: ModelView, files: Files, judging: Judging) -> Job:
    return jobs.submit(
        tasks.scores,
        files,
        judging.dataset,
        judging.seed,
        view.ranks,
        judging.way,
        judging.found.order,
        view.calibration is not None,
    )
