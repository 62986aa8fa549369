"""The reference model: its data, how it learned, and what it gets right."""

import streamlit as st

import data
from pages.shared import jobs
from pages.shared.app_shell import begin_page
from pages.shared.models import controls
from pages.shared.models.text import reference_line
from pages.shared.plots import standard
from pages.shared.plots.layout import CONFIG
from pages.shared.plots.palette import REFERENCE
from pages.shared.ui import blocks
from pages.shared.ui.progress import wait_for
from pages.views.train import tasks, text

begin_page("Train", "The reference model: its data, how it learned, and what it gets right.")
chosen = controls.choose_reference()
preview = wait_for(jobs.submit(tasks.preview, chosen.dataset, chosen.seed), "Reading the data")
if preview is not None:
    entry = data.DATASETS[chosen.dataset]
    st.markdown(text.dataset(entry, preview))
    st.caption(text.origin(entry))
    for remark in preview.remarks:
        st.caption(remark)
    rows, picture = st.columns([3, 2], gap="medium")
    rows.dataframe(preview.table, hide_index=True, height=320)
    if preview.pictures is not None:
        figure, alt = standard.pictures(preview.pictures, preview.table["class"]), "First samples"
    elif preview.class_counts is not None:
        figure, alt = standard.class_counts(preview.class_counts), "Samples of each class"
    else:
        figure, alt = standard.distribution(preview.target), "Values of the target"
    picture.plotly_chart(figure, key="samples", alt=alt, config=CONFIG)

trained = controls.require_reference(chosen)
st.subheader("Model", anchor=False)
st.markdown(reference_line(trained))
st.caption(text.training(trained))
left, right = st.columns(2, gap="medium")
with left:
    st.plotly_chart(
        standard.learning_curve(trained.history, trained.task),
        key="learning_curve",
        alt="Training and validation loss by epoch",
        config=CONFIG,
    )
    st.dataframe(trained.structure, hide_index=True)
with right:
    blocks.predictions(trained, trained.predictions, trained.confusion, REFERENCE, "predictions")
    if trained.report is not None:
        st.dataframe(trained.report.style.format(precision=3), hide_index=True)
