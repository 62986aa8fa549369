"""The reference that a page works on: chosen, waited for, and its layers and methods."""

from collections.abc import Sequence
from typing import NamedTuple

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

import compression
import data
from pages.shared import links
from pages.shared.format import parse_number, quote
from pages.shared.glossary import explain
from pages.shared.jobs import Job
from pages.shared.models import requests
from pages.shared.models.own_datasets import explain_gone, list_own_titles
from pages.shared.models.results import OWN_RECIPE, Layer, TrainedReference, Training
from pages.shared.models.text import LAYER_KINDS, titles_of
from pages.shared.plots import standard
from pages.shared.plots.layout import CONFIG
from pages.shared.plots.text import describe_learning
from pages.shared.ui import charts, widgets
from pages.shared.ui.progress import wait_for

DATASET, MODEL, SEED = "digits", "mlp", 0
OWN = "model's own"
EPOCHS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
WIDTHS = (0.125, 0.25, 0.5, 2, 4)
LEARNING_RATES = (1e-4, 3e-4, 1e-3, 3e-3, 0.01, 0.03, 0.1)
TRAINING = (
    "How the reference is trained: epochs, width, learning rate. All pages use the network that "
    "these choices give."
)
COURSES = {links.EQUAL: "Equal", links.AS_PATH: "As a path"}
COURSES_HELP = (
    "Equal: every network that is trained on starts from the reference and has the same epochs. "
    "As a path: each bound goes on from the one before, so that the tightest has the epochs of all."
)
LARGEST_SEED = 2**32 - 1


class Choices(NamedTuple):
    """What a reference is made from."""

    dataset: str
    model: str
    seed: int
    training: Training = OWN_RECIPE


def choose_reference(place: DeltaGenerator | None = None, *, open: bool = False) -> Choices:
    """Dataset, model, seed and training in a row, and remarks on what was asked for in vain.

    ``open``: how it is trained is asked in a row of its own, and not in a menu.
    """
    row = widgets.open_row() if place is None else place
    with row:
        titles = titles_of(data.DATASETS) | list_own_titles(widgets.read_request(links.DATASET))
        dataset = widgets.pick(
            links.DATASET, "Dataset", titles, DATASET, explain_gone, titles=titles, width=210
        )
        entry = data.find(dataset)
        unfit = {name: model.fits(entry) for name, model in compression.MODELS.items()}
        model = widgets.pick(
            links.MODEL,
            "Model",
            [name for name, reason in unfit.items() if reason is None],
            MODEL,
            lambda name: (
                f"{compression.MODELS[name].title} {unfit[name]}" if name in unfit else None
            ),
            titles=titles_of(compression.MODELS),
            width=190,
        )
        seed = choose_seed()
    scalable = compression.MODELS[model].scalable
    if open:
        with widgets.open_row():
            training = _choose_training(scalable)
    else:
        with row, st.popover("Training", icon=":material/tune:", help=TRAINING):
            training = _choose_training(scalable)
    widgets.draw_remarks(*links.REFERENCE)
    return Choices(dataset, model, seed, training)


def require_reference(chosen: Choices) -> TrainedReference:
    """The trained reference; until there is one its learning curve is drawn, and the page ends."""

    def draw_learning(job: Job) -> None:
        task = data.find(chosen.dataset).task
        figure = standard.learning_curve(job.partial, task)
        st.plotly_chart(figure, alt=describe_learning(job.partial), config=CONFIG)

    job = requests.reference(*chosen)
    if job.pending:
        charts.preload()
    trained = wait_for(job, "Training the reference", draw_learning)
    if trained is None:
        st.stop()
    return trained


def choose_layer(trained: TrainedReference) -> Layer:
    """The layer whose spectrum is looked at; at first one that every page's defaults compress."""
    layers = {layer.name: layer for layer in trained.layers}
    linear = [layer.name for layer in trained.layers if layer.kind == "linear"]
    titles = {name: layer.title for name, layer in layers.items()}
    first = (linear or list(layers))[0]
    name = widgets.pick(links.LAYER, "Layer", list(layers), first, titles=titles, width=210)
    widgets.draw_remarks(links.LAYER)
    return layers[name]


def choose_low_rank_method(trained: TrainedReference) -> str:
    """A method that takes at least one of the model's layers."""
    kinds = {layer.kind for layer in trained.layers}
    fitting = {
        name: entry.title
        for name, entry in compression.LOW_RANK_METHODS.items()
        if kinds.intersection(entry.layers)
    }
    method = widgets.pick(
        links.METHOD,
        "Low-rank method (LMM)",
        list(fitting),
        "truncated_svd",
        titles=fitting,
        help="\n\n".join(
            f"**{title}**: {compression.LOW_RANK_METHODS[name].summary}"
            for name, title in fitting.items()
        ),
    )
    widgets.draw_remarks(links.METHOD)
    return method


def is_mixed(trained: TrainedReference, method: str) -> bool:
    """Whether a method takes both the linear layers and the convolutions of a model."""
    return (
        len({layer.kind == "linear" for layer in requests.list_possible_layers(trained, method)})
        == 2
    )


def choose_layers(trained: TrainedReference, method: str) -> tuple[str, ...]:
    """The layers that a method compresses: asked where it takes linear ones and convolutions."""
    if not is_mixed(trained, method):
        return requests.compressed_layers(trained, method)
    kinds = widgets.choose_segment(links.LAYER_KINDS, "Compress", LAYER_KINDS)
    return tuple(
        layer.name
        for layer in requests.list_possible_layers(trained, method)
        if kinds == "all" or (layer.kind == "linear") == (kinds == "linear")
    )


def choose_constraint() -> str:
    titles = titles_of(compression.CONSTRAINTS)
    terms = explain("box", "upper bound", "L1 ball", "L2 ball", "cardinality")
    name = widgets.pick(
        links.CONSTRAINT, "Constraint set (COC)", list(titles), "box", titles=titles, help=terms
    )
    widgets.draw_remarks(links.CONSTRAINT)
    return name


def choose_course() -> bool:
    """Whether bounds are met as a path, each from the one before; else all have equal epochs."""
    return (
        widgets.choose_segment(links.COURSE, "Epochs", COURSES, help=COURSES_HELP) == links.AS_PATH
    )


def _choose_training(scalable: bool) -> Training:
    """Epochs, width and learning rate; what is the model's own leaves the URL."""
    epochs = _choose_number(links.TRAIN_EPOCHS, "Epochs, at most", EPOCHS)
    width = (
        _choose_number(links.WIDTH, "Width, times the model's own", WIDTHS) if scalable else None
    )
    rate = _choose_number(links.LEARNING_RATE, "Learning rate", LEARNING_RATES)
    return Training(None if epochs is None else int(epochs), width or 1.0, rate)


def _choose_number(key: str, label: str, values: Sequence[float]) -> float | None:
    """One of these numbers, or None: the model's own."""
    names = [OWN, *(f"{value:g}" for value in values)]
    chosen = widgets.pick(key, label, names, OWN, width=200)
    return None if chosen == OWN else float(chosen)


def choose_seed() -> int:
    """The field of the seed, as the link asks for it; another is refused in words."""
    widgets.reset_none(links.SEED, SEED)
    request = widgets.request_one(links.SEED, "Seed")
    if request is not None:
        wanted = parse_number(request)
        if wanted is None or wanted != int(wanted) or not 0 <= wanted <= LARGEST_SEED:
            widgets.refuse(
                links.SEED,
                SEED,
                f"Seed {quote(request)} is not possible, only whole numbers from 0 to "
                f"{LARGEST_SEED}. Shown instead: {SEED}.",
            )
    return int(
        st.number_input(
            "Seed",
            min_value=0,
            max_value=LARGEST_SEED,
            value=SEED,
            step=1,
            key=links.SEED,
            bind=widgets.bind(links.SEED),
            persist_state="session",
            on_change=widgets.on_change,
            args=(links.SEED, ()),
            help=f"{explain('seed')} The same seed gives the same numbers.",
            width=120,
        )
    )
