"""The recommendation: what fulfils the requirements, and how sure that is."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from compression.latency import RankLatencies
from compression.pareto import Wish, recommend, recommend_nearest
from pages.shared.jobs import Job
from pages.shared.models.results import CurveView, TrainedReference
from pages.shared.ui import blocks, charts
from pages.shared.ui.progress import follow, show_status

from . import figures, text
from .candidates import (
    add_latency,
    draw_candidates,
    draw_table,
    list_candidates,
    load_sliders,
    open_page,
    pick_candidate,
)
from .choice import Series
from .promise import draw_promise, draw_takeover
from .requirements import choose_requirements
from .winners import draw_winners

LARGEST_FOREST = 8  # choices whose intervals are drawn

Jobs = Mapping[Series, Job[Any]]


def draw_answer(trained: TrainedReference, jobs: Jobs, measured: RankLatencies | None) -> None:
    """The requirements, what fulfils them, and where that lies among all that was computed."""

    def draw() -> None:
        wish, cost = choose_requirements(trained.task, measured)
        _show_progress(jobs)
        curves = {
            series: curve for series, job in jobs.items() if (curve := job.so_far) is not None
        }
        if not curves:
            return
        reference = next(iter(curves.values())).reference
        table = add_latency(list_candidates(reference, curves), measured)
        best, caption = _draw_recommendation(trained, table, wish, cost)
        promised = draw_promise(trained, table, curves, wish, cost)
        settled = not any(job.pending for job in jobs.values())
        picked = pick_candidate(table, best, promised, settled)
        draw_takeover(best, promised, picked)
        if len(best):
            draw_table(trained, best, "ranked", caption)
        left, right = st.columns(2, gap="medium")
        if picked is not None:
            with left.container(border=True):
                _draw_card(trained, picked, curves)
        if len(best):
            chosen = None if picked is None else picked["id"]
            with right:
                charts.draw(
                    figures.changes(best[:LARGEST_FOREST], trained.task, wish.loss, chosen),
                    "decide_changes",
                    f"Change of test score with 95 % intervals of {len(best[:LARGEST_FOREST])} "
                    f"choices, first {best['label'].iloc[0]}: "
                    f"{text.describe_change(best.iloc[0], trained.task)}",
                )
        draw_winners(trained, table, curves)
        draw_candidates(trained, table, cost, picked, settled)

    follow(draw, *jobs.values(), key="decide")


def _show_progress(jobs: Jobs) -> None:
    """What is going on or went wrong; of what waits, the first one, and the others in a line."""
    waiting = [series for series, job in jobs.items() if job.status == "waiting"]
    if not any(job.status == "running" for job in jobs.values()):
        waiting = waiting[1:]
    for series, job in jobs.items():
        if series not in waiting:
            show_status(job, series.title)
    if waiting:
        st.caption(text.say_waiting(series.title for series in waiting))


def _draw_recommendation(
    trained: TrainedReference, table: pd.DataFrame, wish: Wish, cost: str
) -> tuple[pd.DataFrame, str]:
    """What fulfils the wish, in words; the rows, or the nearest ones, and their table's caption."""
    reference, judged = table.iloc[0], len(table) - 1
    best = recommend(table, wish, reference, cost)
    if len(best):
        st.markdown(text.describe_recommendation(trained, best.iloc[0], wish, cost, judged))
        return best, text.RANKED
    near = recommend_nearest(table, wish, reference, cost)
    # Inform that nothing is smaller; warn where rows only come near.
    show = st.warning if near else st.info
    show(text.say_nothing_fits(trained, wish, cost, judged, near), icon=":material/search_off:")
    best = pd.DataFrame([line for _, line in near], columns=table.columns)
    return best.drop_duplicates("id").reset_index(drop=True), text.NEAREST


def _draw_card(
    trained: TrainedReference, line: pd.Series, curves: Mapping[Series, CurveView]
) -> None:
    st.markdown(f"**{line['label']}**")
    blocks.draw_metrics(trained, line, spread=False)
    if starved := text.warn_starved(line["warning"]):
        st.caption(starved)
    with st.container(horizontal=True, gap="small"):
        link = line["link"]
        if st.button(
            f"Open in {link.title}",
            key="open_picked",
            icon=":material/tune:",
            type="primary",
            on_click=load_sliders,
            args=(line,),
        ):
            open_page(link)
        matches = [series for series in curves if series.name == line["series"]]
        file = (
            matches[0].model_file(trained, curves[matches[0]], int(line["place"]))
            if matches
            else trained.file
        )
        if file is not None:
            blocks.offer_model(file, text.file_name(trained, line), "decide_file")
