"""Pieces of a screen that several pages show."""

import streamlit as st
from numpy.typing import NDArray

from pages.shared.models.results import Trained
from pages.shared.plots import standard
from pages.shared.plots.layout import CONFIG


def predictions(
    trained: Trained, predicted: NDArray, counts: NDArray | None, colour: str, key: str
) -> None:
    """What a model answers on the test set: confusion matrix, or predicted against true."""
    if counts is not None:
        figure = standard.confusion(counts, trained.class_names, colour)
        alt = "Confusion matrix on the test set"
    else:
        own_units = (
            values * trained.target_scale + trained.target_mean
            for values in (trained.target, predicted, trained.predictions)
        )
        figure = standard.predicted_true(*own_units, colour, trained.target_title)
        alt = "Predicted against true values of the test set"
    st.plotly_chart(figure, key=key, alt=alt, config=CONFIG)
