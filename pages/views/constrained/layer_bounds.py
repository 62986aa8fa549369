"""On request, of a network: a bound of its own for each layer."""

from functools import partial

import streamlit as st

from pages.shared import links
from pages.shared.jobs import Job, submit
from pages.shared.models.requests import Way
from pages.shared.models.results import ConstrainedView, CurveView, TrainedReference
from pages.shared.models.text import file_stem
from pages.shared.ui import blocks, knobs, widgets
from pages.shared.ui.progress import wait_for

from . import tasks, text
from .controls import PATIENCE_SECONDS


def draw_layer_bounds(
    trained: TrainedReference, constraint: str, way: Way, job: Job[ConstrainedView]
) -> None:
    st.header("A bound of its own for each layer", anchor="layer-bounds")

    @st.fragment
    def draw() -> None:
        if not widgets.switch(links.OWN_BOUNDS, "Choose a bound for each layer"):
            return
        if job.result is None:
            st.caption("As soon as every bound is judged.")
            return
        shares = _choose_shares(trained, job.result)
        st.caption(text.OWN)
        one = submit(
            tasks.bound_layers,
            trained.origin,
            constraint,
            way.name,
            shares,
            way.epochs,
            *(way.penalties or ()),
        )
        one.wait(PATIENCE_SECONDS)
        view = wait_for(one, "Constraining each layer")
        if view is None:
            return
        blocks.draw_metrics(trained, view.table.iloc[0])
        blocks.offer_model(
            partial(view.files.__getitem__, 0),
            f"{file_stem(trained)}-coc-own-bounds.safetensors",
            "own_bounds_file",
        )

    draw()


def _choose_shares(trained: TrainedReference, curve: CurveView) -> tuple[float, ...]:
    shares = []
    places = st.columns(len(trained.layers), gap="medium")
    for place, layer in zip(places, trained.layers, strict=True):
        with place:
            share = knobs.draw(
                links.LAYER_BOUND.format(layer.name),
                f"{layer.name}: relative bound ρ",
                curve.table["knob"],
                curve.suggestion,
            )
            shares.append(float(share))
    return tuple(shares)
