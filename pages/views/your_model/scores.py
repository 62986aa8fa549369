"""The model judged on data: its score against its size, by both methods."""

from dataclasses import dataclass

import streamlit as st

from compression.graphs.smallest import ScoreCurve
from pages.shared import jobs
from pages.shared.format import escape_markdown, score_name
from pages.shared.jobs import Job
from pages.shared.ui import charts
from pages.shared.ui.progress import follow, show_status

from . import figures, tasks, text
from .budget import ask_layers, with_plan
from .judging import DIGITS, is_example
from .results import CalibratedPlan, Judging, ModelView
from .tasks import Files


@dataclass(frozen=True, eq=False)
class BothMethods:
    """Ranks by truncated SVD, and by what layers give once that is known, each judged.

    Attributes
    ----------
    asked : Job
        Of the layers.
    views : dict of str to ModelView
        Method -> the model with its ranks.
    curves : dict of str to Job
        Method -> its files of rising size.
    """

    asked: Job[CalibratedPlan]
    views: dict[str, ModelView]
    curves: dict[str, Job[ScoreCurve]]


def judge_both(view: ModelView, files: Files, judging: Judging) -> BothMethods:
    """``view``: the model with the ranks of truncated SVD."""
    asked = ask_layers(files, judging)
    views = [view]
    if asked.result is not None:
        views.append(with_plan(view, asked.result, judging))
    curves = {own.method: _submit(own, files, judging) for own in views}
    return BothMethods(asked, {own.method: own for own in views}, curves)


def draw_scores(both: BothMethods, chosen: str, row: int, files: Files, judging: Judging) -> None:
    """Score against size; of the chosen method in few bits too.

    ``row``: of the plan that is shown.
    """
    st.header("What it costs on data", anchor=False)

    def draw() -> None:
        if both.asked.status == "failed":
            st.caption(f"{text.ONE_METHOD} {escape_markdown(both.asked.error)}")
        else:
            show_status(both.asked, "Asking the layers what they give on fit rows")
        for job in both.curves.values():
            show_status(job, "Judging smaller models on the test part")
        names = sorted(both.curves, key=lambda name: name != chosen)
        begun = {name: both.curves[name].so_far for name in names}
        tables = {name: curve.table for name, curve in begun.items() if curve is not None}
        if chosen not in tables:
            return
        task, whole = judging.found.task, tables[chosen].query("bits == 32")
        rows = list(whole["row"])
        current = rows.index(row) if row in rows else None
        figure = figures.scores_by_size(tables, judging.found.floor, current, task)
        said = f"{score_name(task)} against file size, with intervals"
        charts.draw(figure, "scores_by_size", said)
        unseen = is_example(files) and judging.dataset == DIGITS
        st.caption(text.NOT_SEEN if unseen else text.SEEN)

    follow(draw, both.asked, *both.curves.values(), key="scores")


def _submit(view: ModelView, files: Files, judging: Judging) -> Job[ScoreCurve]:
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
