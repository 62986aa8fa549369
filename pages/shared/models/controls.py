"""The reference that a page works on: asked for, waited for, and its layers to choose from."""

import streamlit as st

import compression
import data
from pages.shared import app_shell as shell
from pages.shared.jobs import Job
from pages.shared.models import requests
from pages.shared.models import text as words
from pages.shared.models.results import Layer, Trained
from pages.shared.plots import standard as figures
from pages.shared.ui import widgets as choices
from pages.shared.ui.widgets import Choices


def needed(chosen: Choices) -> Trained:
    """The trained reference; until there is one its learning curve is drawn, and the page ends."""

    def learning(job: Job) -> None:
        task = data.DATASETS[chosen.dataset].task
        st.plotly_chart(figures.learning_curve(job.partial, task), config=figures.CONFIG)

    trained = shell.wait_for(requests.reference(*chosen), "Training the reference", learning)
    if trained is None:
        st.stop()
    return trained


def layer(trained: Trained) -> Layer:
    """The layer whose spectrum is looked at; at first one that every page's defaults compress."""
    layers = {layer.name: layer for layer in trained.layers}
    linear = [layer.name for layer in trained.layers if layer.kind == "linear"]
    name = choices.pick("layer", "Layer", list(layers), (linear or list(layers))[0], width=150)
    choices.remark("layer")
    return layers[name]


def low_rank_method(trained: Trained) -> str:
    """A method that takes at least one of the model's layers."""
    kinds = {layer.kind for layer in trained.layers}
    fitting = {
        name: entry.title
        for name, entry in compression.LOW_RANK_METHODS.items()
        if kinds.intersection(entry.layers)
    }
    method = choices.pick(
        "method", "LMM: low rank by", list(fitting), "truncated_svd", titles=fitting
    )
    choices.remark("method")
    return method


def constraint() -> str:
    titles = words.titles(compression.CONSTRAINTS)
    name = choices.pick("set", "COC: weights in the", list(titles), "box", titles=titles)
    choices.remark("set")
    return name
