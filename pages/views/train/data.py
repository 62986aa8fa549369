"""The dataset: what it is, its first rows, and a picture of them."""

import streamlit as st

import data
from data.preview import Preview
from pages.shared import jobs
from pages.shared.models.controls import Choices
from pages.shared.plots.standard import pictures
from pages.shared.ui import charts
from pages.shared.ui.progress import wait_for

from . import figures, tasks, text


def draw_data(chosen: Choices) -> None:
    job = jobs.submit(tasks.preview, chosen.dataset, chosen.seed)
    preview = wait_for(job, "Reading the data")
    if preview is None:
        return
    entry = data.find(chosen.dataset)
    st.markdown(text.describe_dataset(entry, preview))
    st.caption(text.describe_origin(entry))
    for remark in preview.remarks:
        st.caption(remark)
    rows, picture = st.columns([3, 2], gap="medium")
    rows.dataframe(preview.table, hide_index=True, height=320)
    with picture:
        _draw_picture(preview)


def _draw_picture(preview: Preview) -> None:
    if preview.pictures is not None:
        figure = pictures(preview.pictures, preview.table["class"])
        alt = f"First {len(preview.pictures)} samples of the training part"
    elif preview.class_counts is not None:
        figure = figures.class_counts(preview.class_counts)
        samples = preview.class_counts.sum(axis=1)
        alt = f"Samples of each of {len(samples)} classes, {samples.min():,} to {samples.max():,}"
    else:
        assert preview.target is not None
        figure = figures.distribution(preview.target)
        low, high = preview.target.min(), preview.target.max()
        alt = f"Values of the target, from {low:.3g} to {high:.3g}"
    charts.draw(figure, "samples", alt)
