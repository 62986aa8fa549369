"""What a study is made of, chosen from menus or presets; the same as a text to take away."""

from collections.abc import Callable, Mapping
from typing import Any

import streamlit as st

import compression
import data
from compression.errors import CompressionError
from compression.grid import TRIED_BITS
from compression.studies.protocol import read_protocol
from compression.studies.specification import SHARES, SOURCES, Curves, Study, name_share
from pages.shared import links
from pages.shared.models.own_datasets import explain_gone, list_own_titles
from pages.shared.models.text import titles_of
from pages.shared.ui import blocks, knobs, widgets

from . import text
from .curve_training import choose_epochs, round_too, train_on
from .curve_values import choose_values, keys_of

DATASETS, MODELS, SEEDS = ("iris", "wine"), ("mlp",), 5
FIRST_CURVES = ("Truncated SVD", "Rounding to few bits")
RANK_CURVES = ("Truncated SVD", "Activation-aware SVD")
MOST_SEEDS = 50
EPOCHS = (0, 1, 2, 3, 5, 10, 20, 30, 50, 100, 200)  # epochs of references; 0: the recipe's
_MENU = "study_presets"
_SIZES = {name: name_share(share) for name, share in text.SIZES.items()}
_BITS = {f"{bits}": f"{bits} bits" if bits > 1 else "1 bit" for bits in TRIED_BITS}
_FIRST_SIZES = tuple(f"{share:g}" for share in SHARES)


def define_study() -> Study:
    """The study that the menus say; the page ends where they say none."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        source = widgets.choose_segment(links.STUDY_SOURCE, "Study", text.ORIGINS)
        _draw_presets()
    study = _choose_part() if source == "atlas" else _choose_own()
    if not study.pairs():
        st.info(text.NO_PAIRS, icon=":material/info:")
        st.stop()
    blocks.download("Study as TOML", text.as_toml(study), "study.toml", "study_toml", text.TOML)
    return study


def _choose_own() -> Study:
    left, right = st.columns(2, gap="medium")
    with left:
        datasets = _choose_datasets()
        models = _choose(links.STUDY_MODELS, "Models", titles_of(compression.MODELS), MODELS)
        folds = widgets.choose_segment(links.STUDY_FOLDS, "Folds", text.FOLDS, help=text.FOLDS_HELP)
        sizes = _choose(links.STUDY_SIZES, "Sizes", _SIZES, _FIRST_SIZES)
        label = "Epochs of the references (0: the recipe's)"
        epochs = knobs.draw(links.STUDY_EPOCHS, label, EPOCHS, 0)
    with right:
        known = {each.label: each for each in list_curves()}
        labels = {label: label for label in known}
        curves = _choose(links.STUDY_CURVES, "Curves", labels, FIRST_CURVES)
        vary = widgets.choose_segment(
            links.STUDY_VARY, "Seeds vary", text.VARY, help=text.VARY_HELP
        )
        seeds = knobs.draw(links.SEEDS, "Seeds", range(2, MOST_SEEDS + 1), SEEDS, help=text.SEEDS)
        bits = _choose(links.STUDY_BITS, "In few bits too", _BITS, ())
        epochs_after = choose_epochs()
    chosen = tuple(
        round_too(train_on(each, epochs_after), [int(number) for number in bits])
        for each in choose_values([known[label] for label in curves])
    )
    varied = SOURCES if vary == text.ALL_SOURCES else (vary,)
    budgets = tuple(sorted((text.SIZES[each] for each in sizes), reverse=True))
    made = (
        *(datasets, models, tuple(range(seeds)), chosen),
        *(epochs or None, int(folds) or None, varied, budgets),
    )
    try:
        return Study(text.name_study(Study(text.NAME, *made)), *made)
    except CompressionError as error:
        st.info(f"Choose what the study is made of: {error}.", icon=":material/info:")
        st.stop()


def _choose_datasets() -> tuple[str, ...]:
    """Of the catalogue, and uploads of this session or of its link."""
    key = links.STUDY_DATASETS
    request = " ".join([*st.query_params.get_all(key), *(st.session_state.get(key) or ())])
    titles = titles_of(data.DATASETS) | list_own_titles(request)
    return _choose(key, "Datasets", titles, DATASETS, explain_gone)


def _choose_part() -> Study:
    """A part of the atlas, as its protocol says it."""
    parts = {str(number): study for number, study in enumerate(read_protocol().studies())}
    titles = {number: study.name.partition(": ")[2] for number, study in parts.items()}
    part = widgets.pick(links.STUDY_PART, "Part", parts, "0", titles=titles, width=320)
    widgets.draw_remarks(links.STUDY_PART)
    st.caption(text.ATLAS)
    return parts[part]


def _draw_presets() -> None:
    everything = [each.label for each in list_curves()]
    presets: Mapping[str, Mapping[str, Any]] = {
        "Rank by cross-validation": _list_menu_values(("digits",), ("mlp",), RANK_CURVES, 2, "5"),
        "Ten seeds of everything on digits": _list_menu_values(
            ("digits",), _list_fitting("digits"), everything, 10, "0"
        ),
        text.name_first_part(read_protocol()): {
            links.STUDY_SOURCE: "atlas",
            links.STUDY_PART: "0",
        },
    }
    # A choice resets the menu's state, which closes the menu.
    with st.popover("Presets", icon=":material/flag:", key=_MENU, on_change=_keep_menu):
        for number, (title, choices) in enumerate(presets.items()):
            key = f"study_preset_{number}"
            st.button(title, key=key, on_click=_take, args=(choices,), width="stretch")


def _list_fitting(dataset: str) -> tuple[str, ...]:
    """The models that a dataset of the catalogue can have."""
    models = compression.MODELS.items()
    return tuple(name for name, entry in models if entry.fits(data.DATASETS[dataset]) is None)


def _keep_menu() -> None:
    """Nothing to do: with a callback a popover has a state that can be set."""


def _list_menu_values(
    datasets: tuple[str, ...], models: tuple[str, ...], curves: Any, seeds: int, folds: str
) -> dict[str, Any]:
    """What the menus hold, each by its key."""
    return {
        links.STUDY_SOURCE: "own",
        links.STUDY_DATASETS: [_show(data.DATASETS[name].title) for name in datasets],
        links.STUDY_MODELS: [_show(compression.MODELS[name].title) for name in models],
        links.STUDY_CURVES: [_show(label) for label in curves],
        links.SEEDS: seeds,
        links.STUDY_FOLDS: folds,
        links.STUDY_VARY: text.ALL_SOURCES,
        links.STUDY_EPOCHS: 0,
        links.STUDY_CURVE_EPOCHS: text.OWN_EPOCHS,
        links.STUDY_BITS: [],
        links.STUDY_SIZES: [_SIZES[name] for name in _FIRST_SIZES],
        **{key: "" for each in list_curves() for key in keys_of(each)},
    }


def _take(choices: Mapping[str, Any]) -> None:
    st.session_state[_MENU] = False
    for key, value in choices.items():
        widgets.move(key, value)


def list_curves() -> list[Curves]:
    """Every low-rank method, constraint set, combination and baseline, with its own settings."""
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
            Curves("combined", {"method": name}, name=entry.title)
            for name, entry in compression.COMBINED_METHODS.items()
        ),
        *(
            Curves("baseline", {"method": name}, name=entry.title)
            for name, entry in compression.BASELINES.items()
        ),
    ]


def _choose(
    key: str,
    label: str,
    titles: dict[str, str],
    first: tuple[str, ...],
    why_not: Callable[[str], str | None] = lambda name: None,
) -> tuple[str, ...]:
    """Some of these names by their titles, a link may say either; at first the given ones."""
    shown = {_show(title): name for name, title in titles.items()}
    titled = {name: title for title, name in shown.items()}
    if widgets.read_request(key) is None:
        st.session_state[key] = [titled[name] for name in first if name in titled]
    elif titled.keys() & (wanted := st.query_params.get_all(key)) and key not in st.session_state:
        widgets.choose(key, [titled.get(each, each) for each in wanted])
    return tuple(shown[title] for title in widgets.choose_several(key, label, list(shown), why_not))


def _show(title: str) -> str:
    """A title without a comma, which a URL's list would lose."""
    return title.replace(",", ";")
