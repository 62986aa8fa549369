"""The reference model: its data, how it learned, and what it gets right."""

import streamlit as st

import data
from pages.shared import app_shell as shell
from pages.shared import jobs
from pages.shared.models import controls as reference
from pages.shared.models import text as words
from pages.shared.plots import standard as figures
from pages.shared.ui import blocks
from pages.shared.ui import widgets as choices
from pages.views.train import tasks, text

shell.stand("Train", "The reference model: its data, how it learned, and what it gets right.")
chosen = choices.header()
preview = shell.wait_for(
    jobs.submit(tasks.preview, chosen.dataset, chosen.seed), "Reading the data"
)
if preview is not None:
    entry = data.DATASETS[chosen.dataset]
    st.markdown(text.dataset(entry, preview))
    st.caption(text.origin(entry))
    for remark in preview.remarks:
        st.caption(remark)
    rows, picture = st.columns([3, 2], gap="medium")
    rows.dataframe(preview.table, hide_index=True, height=320)
    if preview.pictures is not None:
        figure, alt = figures.pictures(preview.pictures, preview.table["class"]), "First samples"
    elif preview.class_counts is not None:
        figure, alt = figures.class_counts(preview.class_counts), "Samples of each class"
    else:
        figure, alt = figures.distribution(preview.target), "Values of the target"
    picture.plotly_chart(figure, key="samples", alt=alt, config=figures.CONFIG)

trained = reference.needed(chosen)
st.subheader("Model", anchor=False)
st.markdown(words.reference(trained))
st.caption(text.training(trained))
left, right = st.columns(2, gap="medium")
with left:
    st.plotly_chart(
        figures.learning_curve(trained.history, trained.task),
        key="learning_curve",
        alt="Training and validation loss by epoch",
        config=figures.CONFIG,
    )
    st.dataframe(trained.structure, hide_index=True)
with right:
    blocks.predictions(
        trained, trained.predictions, trained.confusion, figures.REFERENCE, "predictions"
    )
    if trained.report is not None:
        st.dataframe(trained.report.style.format(precision=3), hide_index=True)
