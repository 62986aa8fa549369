"""What is compressed, and how: asked where there is a choice."""

import streamlit as st

import compression
from pages.shared import links
from pages.shared.models import controls, requests
from pages.shared.models.results import LowRankSetting, TrainedReference
from pages.shared.ui import knobs, widgets

from . import text

# Fragments, and those to draw again when the rank moves.
RANK, LAYER, COMPARISON, RULES = "low_rank", "low_rank_layer", "low_rank_methods", "low_rank_rules"
FOLLOWERS = (RANK, LAYER, COMPARISON, RULES)


def choose_setting(trained: TrainedReference, method: str) -> LowRankSetting:
    """Which layers are compressed, and what the method looks at."""
    entry = compression.LOW_RANK_METHODS[method]
    ridge, calibration = 0.0, "reference"
    if not controls.is_mixed(trained, method) and not entry.needs_inputs:
        return LowRankSetting(method, requests.compressed_layers(trained, method))
    with widgets.open_row():
        layers = controls.choose_layers(trained, method)
        if entry.needs_inputs:
            calibration = widgets.choose_segment(
                links.CALIBRATION, "Inputs from", text.CALIBRATIONS
            )
            with st.container(width=320):
                ridge = float(
                    knobs.draw(links.RIDGE, "Ridge σ²", text.RIDGES, 0.0, help=text.RIDGE)
                )
    if calibration == "sequential":
        st.caption(text.CALIBRATION)
    if ridge and not entry.ridge_moves_factors:
        st.caption(text.RIDGE_MOVES_NO_FACTOR)
    return LowRankSetting(method, layers, ridge, calibration)
