"""What a study is made of, chosen from menus; the same as a text to take away."""

import streamlit as st

import compression
import data
from compression.errors import CompressionError
from compression.studies.specification import Curves, Study
from pages.shared import links
from pages.shared.models.text import titles_of
from pages.shared.ui import blocks, widgets

from . import text

DATASETS, MODELS, SEEDS = ("iris", "wine"), ("mlp",), 5
FIRST_CURVES = ("Truncated SVD", "Rounding to few bits")
MOST_SEEDS = 50


def define_study() -> Study:
    """The study that the menus say; the page ends where they say none."""
    left, right = st.columns(2, gap="medium")
    with left:
        datasets = _choose(links.STUDY_DATASETS, "Datasets", titles_of(data.DATASETS), DATASETS)
        models = _choose(links.STUDY_MODELS, "Models", titles_of(compression.MODELS), MODELS)
    with right:
        known = {each.label: each for each in all_curves()}
        labels = {label: label for label in known}
        curves = _choose(links.STUDY_CURVES, "Curves", labels, FIRST_CURVES)
        seeds = widgets.knob(links.SEEDS, "Seeds", range(2, MOST_SEEDS + 1), SEEDS, help=text.SEEDS)
    chosen = tuple(known[label] for label in curves)
    try:
        study = Study(text.NAME, datasets, models, tuple(range(seeds)), chosen)
        study = Study(text.name_study(study), datasets, models, tuple(range(seeds)), chosen)
    except CompressionError as error:
        st.info(f"Choose what the study is made of: {error}.", icon=":material/info:")
        st.stop()
    if not study.pairs():
        st.info(text.NO_PAIRS, icon=":material/info:")
        st.stop()
    blocks.download("Study as TOML", text.as_toml(study), "study.toml", "study_toml", text.TOML)
    return study


def all_curves() -> list[Curves]:
    """Every low-rank method, constraint set and baseline, with its own settings."""
    return [
        *(
            Curves("low_rank", {"method": name}, name=entry.title)
            for name, entry in compression.LOW_RANK_METHODS.items()
        ),
        *(
            Curves("constrained", {"constraint": name}, name=entry.title)
            for name, entry in compression.CONSTRAINTS.items()
        ),
        *(
            Curves("baseline", {"method": name}, name=entry.title)
            for name, entry in compression.BASELINES.items()
        ),
    ]


def _choose(
    key: str, label: str, titles: dict[str, str], first: tuple[str, ...]
) -> tuple[str, ...]:
    """Some of these names by their titles; at first the given ones."""
    shown = {title.replace(",", ";"): name for name, title in titles.items()}
    if widgets.read_request(key) is None:
        names = {name: title for title, name in shown.items()}
        st.session_state[key] = [names[name] for name in first if name in names]
    return tuple(shown[title] for title in widgets.several(key, label, list(shown)))
