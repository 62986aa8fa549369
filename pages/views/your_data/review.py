"""What a model would learn from: the parts, what is odd about them, and the way to the pages."""

import streamlit as st

import data
from pages.shared import jobs, links
from pages.shared.models.own_datasets import remember
from pages.shared.ui import blocks, charts, widgets
from pages.shared.ui.progress import wait_for

from . import figures, tasks, text
from .results import ReviewedDataset
from .upload import Upload

PAGES = (
    links.to_compare(),
    links.to_train(),
    links.to_low_rank(),
    links.to_constrained(),
    links.to_decide(),
)


def draw_review(upload: Upload, choices: str) -> None:
    """The dataset that these choices make, before anything is trained."""
    review = wait_for(jobs.submit(tasks.review, upload.name, choices), "Looking at the dataset")
    if review is None:
        return
    _draw_way_on(review)
    blocks.draw_explained(text.numbers(review))
    if review.warnings:
        st.warning(text.list_warnings(review.warnings), icon=":material/warning:")
    else:
        st.success(text.NOTHING_ODD, icon=":material/check_circle:")
    left, right = st.columns([3, 2], gap="medium")
    with left:
        charts.draw(
            figures.parts(review.parts, review.task), "parts", text.describe_parts(review.parts)
        )
        st.dataframe(review.parts)
    right.markdown("**What one unit of a weight, and so of a bound, is per**")
    right.dataframe(review.features, hide_index=True, height=420)
    right.caption(text.describe_units(review))
    for remark in review.remarks:
        st.caption(remark)


def _draw_way_on(review: ReviewedDataset) -> None:
    query = {links.DATASET: data.find(review.name).title}
    for name in (links.MODEL, links.SEED):
        if (chosen := widgets.read_request(name)) is not None:
            query[name] = chosen
    if st.session_state.get(links.DATASET) != review.name:
        st.button(
            "Use this dataset on every page",
            type="primary",
            icon=":material/arrow_forward:",
            on_click=_use,
            args=(review.name,),
        )
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(text.IN_USE)
        for link in PAGES:
            st.page_link(link.page, label=link.title, query_params=query)


def _use(name: str) -> None:
    remember(name)
    widgets.move(links.DATASET, name)
    # Replace the last menu's text for the URL: it would undo the choice on the next page.
    st.session_state[widgets.URL_TEXT + links.DATASET] = data.find(name).title
