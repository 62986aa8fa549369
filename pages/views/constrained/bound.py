"""The bound: what it costs, whether that is the optimum, and the weights under it."""

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from compression import CONSTRAINED_METHODS, CONSTRAINTS
from pages.shared import links
from pages.shared.glossary import explain
from pages.shared.jobs import Job, submit
from pages.shared.models import text as words
from pages.shared.models.requests import Way
from pages.shared.models.results import ConstrainedView, CurveView, Layer, TrainedReference
from pages.shared.plots.palette import CONSTRAINED
from pages.shared.plots.standard import constrained_spectrum
from pages.shared.plots.text import describe_spectrum
from pages.shared.ui import blocks, charts, knobs, tables
from pages.shared.ui.progress import follow, show_status

from . import tasks, text
from .controls import BOUND, SIGHT, SUGGESTION, list_followers
from .figures import weights as figures


def draw_bound(
    trained: TrainedReference, layer: Layer, constraint: str, way: Way, job: Job[ConstrainedView]
) -> None:
    """The slider, and all that is known of the network at its bound."""
    layers_job = None
    entry = CONSTRAINED_METHODS.get(way.name)
    if entry is not None and entry.certifies_layers and job.result is not None:
        layers_job = submit_networks(tasks.certify_layers, trained, job.result)

    def draw_sight() -> None:
        bound = _choose_bound(trained, constraint, job)
        show_status(job, "Judging every bound")
        if (view := job.so_far) is not None:
            blocks.draw_metrics_at(trained, view, bound)

    with blocks.keep_in_sight():
        follow(draw_sight, job, key=SIGHT)
    st.header("Which bound should I take?", anchor="which-bound")
    blocks.draw_suggestion(trained, job.result, links.BOUND, SUGGESTION, list_followers(trained))

    def draw() -> None:
        view, bound = job.so_far, knobs.read_number(links.BOUND)
        if view is None:
            return
        row = view.row(bound)
        shown = view.table["knob"].iloc[row]
        where = words.describe_setting(view.knob, shown, view.method)
        st.caption(words.bound_caption(trained, view, row, way.name))
        _draw_certificate(view, row, constraint)
        if layers_job is not None:
            _draw_layer_certificates(trained, layers_job, shown)
        if view.files:
            blocks.offer_model(
                partial(view.files.__getitem__, row),
                words.model_file_name(trained, "COC", "bound", shown),
                "constrained_file",
            )
        _draw_weights(trained, layer, view, row, where)
        left, right = st.columns(2, gap="medium")
        with left:
            blocks.draw_predictions(
                trained,
                view.predictions[row],
                view.confusion[row],
                CONSTRAINED,
                "constrained_predictions",
                f"the network at {where}",
            )
        with right:
            before, after = trained.spectra[layer.name], view.spectra[layer.name][row]
            charts.draw(
                constrained_spectrum(before, after, layer.title),
                "constrained_spectrum",
                describe_spectrum(after, before, layer.title, where),
            )

    follow(draw, *((job,) if layers_job is None else (job, layers_job)), key=BOUND)


def submit_networks(task: Callable[..., Any], trained: TrainedReference, curve: CurveView) -> Job:
    """A job on the networks of a curve."""
    return submit(task, trained.origin, curve.files, tuple(curve.table["knob"].tolist()))


def _choose_bound(trained: TrainedReference, constraint: str, job: Job[ConstrainedView]) -> float:
    values, curve = trained.bounds[constraint], job.result
    term = "bound c" if trained.convex else "relative bound ρ"
    return knobs.draw(
        links.BOUND,
        words.bound_title(words.knob_of(trained), constraint),
        values,
        values[len(values) // 2] if curve is None else curve.suggestion,
        settled=curve is not None,
        redraw=list_followers(trained),
        help=f"{words.SUGGESTED}\n\n{explain(term, 'pinned', 'validation part')}",
    )


def _draw_certificate(view: ConstrainedView, row: int, constraint: str) -> None:
    if view.facts is None:
        st.info(words.NOT_CONVEX, icon=":material/info:")
        return
    convex = CONSTRAINTS[constraint].convex
    kind, sentence = text.describe_certificate(view.facts.iloc[row], convex)
    if kind == "success":
        st.success(sentence, icon=":material/verified:")
    elif kind == "warning":
        st.warning(sentence, icon=":material/warning:")
    else:
        st.info(sentence, icon=":material/info:")
    if convex:
        st.caption(text.CERTIFIED_BY, help=explain(*text.CERTIFICATE_TERMS))


def _draw_layer_certificates(trained: TrainedReference, job: Job, bound: float) -> None:
    show_status(job, "Certifying each layer's own problem")
    table: pd.DataFrame | None = job.so_far
    if table is None or not (table["bound"] == bound).any():
        return
    st.caption(text.LAYERS)
    rows = table[table["bound"] == bound]
    shown = pd.DataFrame(
        {
            "layer": rows["layer"],
            "outputs lost (%)": 100 * rows["error"],
            "gap (%)": 100 * rows["duality_gap"],
            "KKT residual": rows["kkt_residual"],
        }
    )
    tables.draw(shown, "layers", trained, table)


def _draw_weights(
    trained: TrainedReference, layer: Layer, view: ConstrainedView, row: int, where: str
) -> None:
    """Where the weights lie, which are held, and what each bound costs.

    ``where``: the bound in words.
    """
    st.header("Which weights are held, and at what price?", anchor="weights")
    rows = view.layers[layer.name]
    letter = words.layer_letter(view.knob, view.method)
    st.markdown(
        text.describe_states(rows, row, letter),
        help=f"{text.HELD}\n\n{explain('pinned', 'multiplier')}",
    )
    sentence = text.describe_held(rows, row, letter)
    left, right = st.columns(2, gap="medium")
    with left:
        charts.draw(
            figures.histogram(rows, row, letter),
            "constrained_histogram",
            f"Histogram of the weights, over the reference's. {sentence}",
        )
    with right:
        charts.draw(
            figures.matrix(rows, row, letter),
            "constrained_matrix",
            f"The weight as a heat map, and which of its entries are held. {sentence}",
        )
    prices = None if view.multipliers is None else view.multipliers[row]
    if trained.convex and len(view.input_shape) == 3 and trained.task == "classification":
        weights = rows.weights[row]
        signed = None if prices is None else np.where(weights > 0, prices, -prices)
        charts.draw(
            figures.pictures(weights, signed, view.input_shape, trained.class_names),
            "constrained_pictures",
            "Weights of each class in the shape of the inputs, with what their bounds cost. "
            f"{sentence}",
        )
    if prices is not None:
        _draw_prices(trained, view, prices, rows.weights[row], where)
    elif view.facts is not None and view.facts["price"].notna().any():
        st.caption(text.NO_PRICES)


def _draw_prices(
    trained: TrainedReference, view: ConstrainedView, prices: NDArray, weights: NDArray, where: str
) -> None:
    outputs, inputs = prices.shape
    names = text.name_weights(view.feature_names, inputs, outputs, trained.class_names)
    table = rank_prices(prices, weights, names)
    if table.empty:
        st.caption("No bound costs anything here: all multipliers are zero.")
        return
    left, right = st.columns([3, 2], gap="medium")
    with left:
        charts.draw(
            figures.largest_multipliers(table, text.name_loss_unit(trained.task)),
            "constrained_prices",
            text.describe_prices(table, where),
        )
    with right:
        tables.draw(
            format_prices(table),
            "multipliers",
            trained,
            table,
            height=300 if len(table) > 7 else "auto",
        )


def rank_prices(
    multipliers: NDArray, weights: NDArray, names: Sequence[Sequence[str]]
) -> pd.DataFrame:
    """Every bound that costs something, the dearest first: weight, bound, price."""
    flat = multipliers.ravel()
    order = np.argsort(-flat, kind="stable")
    order = order[flat[order] > 0]
    every = [name for line in names for name in line]
    return pd.DataFrame(
        {
            "weight": [every[n] for n in order],
            "bound": np.where(weights.ravel()[order] > 0, "+c", "−c"),
            "price": flat[order],
        }
    )


def format_prices(table: pd.DataFrame) -> pd.DataFrame:
    """For people: as many decimals in every line as give the dearest four digits."""
    decimals = max(0, 3 - math.floor(math.log10(table["price"].max())))
    return table.assign(price=[f"{price:.{decimals}f}" for price in table["price"]])
