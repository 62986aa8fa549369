"""What a model would learn from: the parts, what is odd about them, and the way to the pages."""

import streamlit as st

import data
from pages.shared import jobs, links
from pages.shared.models.own_datasets import remember
from pages.shared.ui import charts, widgets
from pages.shared.ui.progress import wait_for

from . import figures, tasks, text
from .results import Reviewed
from .upload import Upload

PAGES = {
    "compare": "Compare",
    "train": "Train",
    "low_rank": "Low rank",
    "constrained": "Constrained",
    "decide": "Decide",
}


def draw_review(upload: Upload, choices: str) -> None:
    """The dataset that these choices make, before anything is trained."""
    found = wait_for(jobs.submit(tasks.review, upload.name, choices), "Looking at the dataset")
    if found is None:
        return
    _draw_way_on(found)
    for column, (label, value, help) in zip(st.columns(5), text.numbers(found), strict=True):
        column.metric(label, value, help=help)
    if found.warnings:
        st.warning(text.list_warnings(found.warnings), icon=":material/warning:")
    else:
        st.success(text.NOTHING_ODD, icon=":material/check_circle:")
    left, right = st.columns([3, 2], gap="medium")
    with left:
        charts.draw(
            figures.parts(found.parts, found.task), "parts", text.describe_parts(found.parts)
        )
        st.dataframe(found.parts)
    right.markdown("**What one unit of a weight, and so of a bound, is per**")
    right.dataframe(found.features, hide_index=True, height=420)
    right.caption(text.describe_units(found))
    for remark in found.remarks:
        st.caption(remark)


def _draw_way_on(found: Reviewed) -> None:
    query = {links.DATASET: data.find(found.name).title}
    for name in (links.MODEL, links.SEED):
        if (chosen := widgets.read_request(name)) is not None:
            query[name] = chosen
    if st.session_state.get(links.DATASET) != found.name:
        st.button(
            "Use this dataset on every page",
            type="primary",
            icon=":material/arrow_forward:",
            on_click=_use,
            args=(found.name,),
        )
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(text.IN_USE)
        for page, label in PAGES.items():
            st.page_link(f"pages/{page}.py", label=label, query_params=query)


def _use(name: str) -> None:
    remember(name)
    widgets.move(links.DATASET, name)
    # What the last menu has left for the URL would take the choice back on the next page.
    st.session_state[widgets.URL_TEXT + links.DATASET] = data.find(name).title
