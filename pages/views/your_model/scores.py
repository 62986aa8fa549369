"""The model judged on data: its score against its size, by both methods."""

from dataclasses import dataclass

import streamlit as st

from compression.graphs.smallest import ScoreCurve
from pages.shared import jobs
from pages.shared.format import escape_markdown, format_score, score_name
from pages.shared.jobs import Job
from pages.shared.ui import charts
from pages.shared.ui.progress import follow, show_status

from . import figures, tasks, text
from .budget import ask_layers, replace_plan
from .judging import DIGITS, is_example
from .results import CalibratedPlan, JudgingData, ModelView
from .tasks import Files


@dataclass(frozen=True, eq=False)
class MethodScores:
    """Ranks by truncated SVD, and by what layers give once that is known, each judged.

    Attributes
    ----------
    plan_job : Job
        Of the layers.
    views : dict of str to ModelView
        Method -> the model with its ranks.
    curves : dict of str to Job
        Method -> its files of rising size.
    """

    plan_job: Job[CalibratedPlan]
    views: dict[str, ModelView]
    curves: dict[str, Job[ScoreCurve]]


def judge_both(view: ModelView, files: Files, judging: JudgingData) -> MethodScores:
    """``view``: the model with the ranks of truncated SVD."""
    plan_job = ask_layers(files, judging)
    views = [view]
    if plan_job.result is not None:
        views.append(replace_plan(view, plan_job.result, judging))
    curves = {each.method: _submit(each, files, judging) for each in views}
    return MethodScores(plan_job, {each.method: each for each in views}, curves)


def draw_scores(
    both: MethodScores, chosen: str, row: int, files: Files, judging: JudgingData
) -> None:
    """Score against size; of the chosen method in few bits too.

    ``row``: of the plan that is shown.
    """
    st.header("What it costs on data", anchor="scores")

    def draw() -> None:
        if both.plan_job.status == "failed":
            st.caption(f"{text.ONE_METHOD} {escape_markdown(both.plan_job.error)}")
        else:
            show_status(both.plan_job, "Asking the layers what they give on fit rows")
        for job in both.curves.values():
            show_status(job, "Judging smaller models on the test part")
        names = sorted(both.curves, key=lambda name: name != chosen)
        begun = {name: both.curves[name].so_far for name in names}
        tables = {name: curve.table for name, curve in begun.items() if curve is not None}
        if chosen not in tables:
            return
        task, whole = judging.readings.task, tables[chosen].query("bits == 32")
        rows = list(whole["row"])
        current = rows.index(row) if row in rows else None
        figure = figures.scores_by_size(tables, judging.readings.floor, current, task)
        best = format_score(max(table["score"].max() for table in tables.values()), task)
        said = f"{score_name(task)} against file size, with intervals; the best is {best}"
        if current is not None:
            said += f", {format_score(whole['score'].iloc[current], task)} at the size shown"
        charts.draw(figure, "scores_by_size", said)
        unseen = is_example(files) and judging.dataset == DIGITS
        st.caption(text.NOT_SEEN if unseen else text.SEEN)

    follow(draw, both.plan_job, *both.curves.values(), key="scores")


def _submit(view: ModelView, files: Files, judging: JudgingData) -> Job[ScoreCurve]:
    return jobs.submit(
        tasks.scores,
        files,
        judging.dataset,
        judging.seed,
        view.ranks,
        judging.way,
        judging.readings.order,
        view.calibration is not None,
    )
