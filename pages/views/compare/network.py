"""A small picture of the network: which layer is looked at, how large it is, whether low rank pays."""

import streamlit as st

from pages.shared import links
from pages.shared.models.results import Layer, TrainedReference
from pages.shared.ui import widgets

from . import figures, text

_CHART = "network_chart"
_STILL = {"displayModeBar": False, "scrollZoom": False}


def draw(trained: TrainedReference, layer: Layer) -> None:
    """Each layer as a square; a clicked one is chosen, as from the menu."""
    st.plotly_chart(
        figures.network(trained, layer),
        key=_CHART,
        alt=text.describe_network(trained, layer),
        on_select=_choose,
        selection_mode="points",
        config=_STILL,
        width=max(300, 110 * len(trained.layers)),
    )


def _choose() -> None:
    for point in st.session_state[_CHART]["selection"]["points"]:
        widgets.move(links.LAYER, point["customdata"][0])
