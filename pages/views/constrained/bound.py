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
from pages.shared.jobs import Job, submit
from pages.shared.models import text as words
from pages.shared.models.requests import Way
from pages.shared.models.results import ConstrainedView, CurveView, Layer, Trained
from pages.shared.plots.palette import CONSTRAINED
from pages.shared.plots.standard import constrained_spectrum
from pages.shared.ui import blocks, charts, knobs, tables
from pages.shared.ui.progress import follow, show_status

from . import tasks, text
from .controls import BOUND, SIGHT, SUGGESTION, list_followers
from .figures import weights as figures


def draw_bound(
    trained: Trained, layer: Layer, constraint: str, way: Way, job: Job[ConstrainedView]
) -> None:
    """The slider, and all that is known of the network at its bound."""
    layers_job = None
    entry = CONSTRAINED_METHODS.get(way.name)
    if entry is not None and entry.certifies_layers and job.result is not None:
        layers_job = submit_networks(tasks.certify_layers, trained, job.result)

    def draw_sight() -> None:
        bound = _choose_bound(trained, constraint, job)
        show_status(job, "Judging every bound")
        if (found := job.so_far) is not None:
            blocks.metrics(trained, found.table.iloc[found.row(bound)])

    with blocks.keep_in_sight():
        follow(draw_sight, job, key=SIGHT)
    st.header("Which bound should I take?", anchor="which-bound")
    blocks.draw_suggestion(trained, job.result, links.BOUND, SUGGESTION, list_followers(trained))

    def draw() -> None:
        found, bound = job.so_far, knobs.number(links.BOUND)
        if found is None:
            return
        row = found.row(bound)
        caption = words.missing_value(found, row, bound)
        st.caption(caption + words.bound_caption(trained, found, row, way.name))
        _draw_certificate(found, row, constraint)
        if layers_job is not None:
            _draw_layer_certificates(trained, layers_job, found.table["knob"].iloc[row])
        if found.files:
            blocks.model_download(
                partial(found.files.__getitem__, row),
                words.model_file_name(trained, "COC", "bound", bound),
                "constrained_file",
            )
        _draw_weights(trained, layer, found, row)
        left, right = st.columns(2, gap="medium")
        with left:
            blocks.predictions(
                trained,
                found.predictions[row],
                found.confusion[row],
                CONSTRAINED,
                "constrained_predictions",
            )
        with right:
            charts.draw(
                constrained_spectrum(
                    trained.spectra[layer.name], found.spectra[layer.name][row], layer.title
                ),
                "constrained_spectrum",
                f"Singular values of {layer.title} under the bound, over the reference's",
            )

    follow(draw, *((job,) if layers_job is None else (job, layers_job)), key=BOUND)


def submit_networks(task: Callable[..., Any], trained: Trained, curve: CurveView) -> Job:
    """A job on the networks of a curve."""
    return submit(task, trained.origin, curve.files, tuple(curve.table["knob"].tolist()))


def _choose_bound(trained: Trained, constraint: str, job: Job[ConstrainedView]) -> float:
    values, curve = trained.bounds[constraint], job.result
    return knobs.draw(
        links.BOUND,
        words.bound_title(words.knob_of(trained), constraint),
        values,
        values[len(values) // 2] if curve is None else curve.suggestion,
        settled=curve is not None,
        redraw=list_followers(trained),
        help=words.SUGGESTED,
    )


def _draw_certificate(found: ConstrainedView, row: int, constraint: str) -> None:
    if found.facts is None:
        st.info(words.NOT_CONVEX, icon=":material/info:")
        return
    convex = CONSTRAINTS[constraint].convex
    kind, sentence = text.describe_certificate(found.facts.iloc[row], convex)
    if kind == "success":
        st.success(sentence, icon=":material/verified:")
    elif kind == "warning":
        st.warning(sentence, icon=":material/warning:")
    else:
        st.info(sentence, icon=":material/info:")


def _draw_layer_certificates(trained: Trained, job: Job, bound: float) -> None:
    show_status(job, "Certifying each layer's own problem")
    table: pd.DataFrame | None = job.so_far
    if table is None or not (table["bound"] == bound).any():
        return
    st.caption(text.LAYERS)
    own = table[table["bound"] == bound]
    shown = pd.DataFrame(
        {
            "layer": own["layer"],
            "outputs lost (%)": 100 * own["error"],
            "gap (%)": 100 * own["duality_gap"],
            "KKT residual": own["kkt_residual"],
        }
    )
    tables.draw(shown, "layers", trained, table)


def _draw_weights(trained: Trained, layer: Layer, found: ConstrainedView, row: int) -> None:
    """Where the weights lie, which are held, and what each bound costs."""
    st.header("Which weights are held, and at what price?", anchor="weights")
    rows = found.layers[layer.name]
    letter = words.layer_letter(found.knob, found.method)
    st.markdown(text.describe_states(rows, row, letter), help=text.HELD)
    left, right = st.columns(2, gap="medium")
    with left:
        charts.draw(
            figures.histogram(rows, row, letter),
            "constrained_histogram",
            f"Histogram of the weights of {layer.name}: free, pinned, zero, and the reference's",
        )
    with right:
        charts.draw(
            figures.matrix(rows, row, letter),
            "constrained_matrix",
            f"Weight of {layer.name} as a heat map, and which of its entries are held",
        )
    prices = None if found.multipliers is None else found.multipliers[row]
    if trained.convex and len(found.input_shape) == 3 and trained.task == "classification":
        weights = rows.weights[row]
        signed = None if prices is None else np.where(weights > 0, prices, -prices)
        charts.draw(
            figures.pictures(weights, signed, found.input_shape, trained.class_names),
            "constrained_pictures",
            "Weights and multipliers of each class in the shape of the inputs",
        )
    if prices is not None:
        _draw_prices(trained, found, prices, rows.weights[row])
    elif found.facts is not None and found.facts["price"].notna().any():
        st.caption(text.NO_PRICES)


def _draw_prices(
    trained: Trained, found: ConstrainedView, prices: NDArray, weights: NDArray
) -> None:
    outputs, inputs = prices.shape
    names = text.name_weights(found.feature_names, inputs, outputs, trained.class_names)
    table = rank_prices(prices, weights, names)
    if table.empty:
        st.caption("No bound costs anything here: all multipliers are zero.")
        return
    left, right = st.columns([3, 2], gap="medium")
    with left:
        charts.draw(
            figures.largest_multipliers(table, text.name_loss_unit(trained.task)),
            "constrained_prices",
            f"Largest multipliers: {min(len(table), figures.MAX_MULTIPLIERS)} bounds",
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
