"""The reference: how it learned, what it consists of, and what it gets right."""

import streamlit as st

from pages.shared.glossary import explain
from pages.shared.models.results import TrainedReference
from pages.shared.models.text import reference_line
from pages.shared.plots.palette import REFERENCE
from pages.shared.plots.standard import learning_curve
from pages.shared.plots.text import describe_learning
from pages.shared.ui import blocks, charts

from . import text


def draw_model(trained: TrainedReference) -> None:
    st.header("Model", anchor=False)
    st.markdown(reference_line(trained), help=explain("reference", "test part"))
    st.caption(text.describe_training(trained))
    left, right = st.columns(2, gap="medium")
    with left:
        charts.draw(
            learning_curve(trained.history, trained.task),
            "learning_curve",
            describe_learning(trained.history),
        )
        st.dataframe(trained.structure, hide_index=True)
    with right:
        blocks.draw_predictions(
            trained,
            trained.predictions,
            trained.confusion,
            REFERENCE,
            "predictions",
            "the reference",
        )
        if trained.report is not None:
            st.dataframe(trained.report.style.format(precision=3), hide_index=True)
