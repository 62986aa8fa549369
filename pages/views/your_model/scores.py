"""The model judged on data: how it reads its input, and its score against its size."""

import streamlit as st

import data
from compression.graphs import example
from pages.shared import jobs, links
from pages.shared.format import score_name
from pages.shared.jobs import Job
from pages.shared.models.own_datasets import own_titles, why_gone
from pages.shared.models.text import titles_of
from pages.shared.ui import charts, widgets
from pages.shared.ui.progress import follow, show_status, wait_for

from . import figures, tasks, text
from .head import draw_head
from .latency import draw_latency
from .results import ModelView, Readings
from .tasks import Files

_SEED = 0  # of the split
_DIGITS = "digits"  # what the example was made for


def draw_scores(view: ModelView, files: Files, row: int) -> None:
    """Data to judge the model on, the way it reads them, and the curve."""
    st.header("What it costs on data", anchor=False)
    if view.kind != "ONNX graph":
        st.info(text.NO_GRAPH, icon=":material/info:")
        return
    dataset = _choose_data(files)
    if dataset == text.NO_DATA:
        st.caption("Choose the data that the model was made for, or bring them on *Your data*.")
        return
    found: Readings | None = wait_for(
        jobs.submit(tasks.readings, files, dataset, _SEED), "Trying ways to read the input"
    )
    if found is None:
        return
    if found.order is not None:
        st.warning(text.describe_order(found), icon=":material/swap_vert:")
    place = _choose_reading(found)
    st.markdown(text.describe_reading(found, place))
    with st.expander(f"All {len(found.table)} ways"):
        st.dataframe(
            found.table.drop(columns="reordered"),
            hide_index=True,
            column_config={
                name: st.column_config.NumberColumn(format="percent")
                for name in ("score", "low", "high")
            }
            if found.task == "classification"
            else None,
        )
    if not found.usable[place]:
        st.warning(text.describe_useless(found), icon=":material/info:")
        return
    _draw_curve(view, files, row, dataset, found, place)
    draw_latency(view, files, row, dataset, _SEED, found.ways[place])
    draw_head(files, dataset, _SEED, found, found.ways[place])


def is_example(files: Files) -> bool:
    return files == ((example.NAME, example.content()),)


def _choose_data(files: Files) -> str:
    """A dataset of the catalogue or one's own; or none."""
    known = titles_of(data.DATASETS)
    own = own_titles(widgets.read_request(links.JUDGED_ON))
    titles = {text.NO_DATA: "none"} | known | own
    default = _DIGITS if is_example(files) else text.NO_DATA
    with st.container(width=320):
        chosen = widgets.pick(
            links.JUDGED_ON, "Judge it on", titles, default, why_gone, titles=titles
        )
    widgets.remark(links.JUDGED_ON)
    return chosen


def _choose_reading(found: Readings) -> int:
    names = list(found.table["reading"])
    with st.container(width=420):
        chosen = widgets.pick(
            links.READING,
            "How the model reads its input (the best on validation first)",
            names,
            names[0],
        )
    widgets.remark(links.READING)
    return names.index(chosen)


def _draw_curve(
    view: ModelView, files: Files, row: int, dataset: str, found: Readings, place: int
) -> None:
    way = found.ways[place]
    job: Job = jobs.submit(tasks.scores, files, dataset, _SEED, view.ranks, way, found.order)

    def draw() -> None:
        show_status(job, "Judging smaller models on the test part")
        table = job.result if job.result is not None else job.partial
        if table is None or len(table) == 0:
            return
        if job.result is not None:
            st.markdown(text.describe_scores(table, view.file_bytes, found.task))
        shown = list(table.loc[table["bits"] == 32, "row"])
        current = shown.index(row) if row in shown else None
        figure = figures.scores_by_size(table, found.majority, current, found.task)
        said = f"{score_name(found.task)} against file size, with intervals"
        charts.draw(figure, "scores_by_size", said)
        st.caption(text.NOT_SEEN if is_example(files) and dataset == _DIGITS else text.SEEN)

    follow(draw, job, key="scores")
