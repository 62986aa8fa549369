"""What is combined, over which grid, and which pair of it is shown."""

from collections.abc import Sequence

import streamlit as st

from compression import COMBINED_METHODS
from pages.shared import links
from pages.shared.glossary import explain
from pages.shared.jobs import Job
from pages.shared.models import controls, requests
from pages.shared.models.results import CurveView, Layer, TrainedReference
from pages.shared.models.text import titles_of
from pages.shared.ui import knobs, widgets

from . import text
from .results import CombinationSetting

EPOCHS = range(1, 51)
SIGHT, PAIR = "combined_sight", "combined"  # fragments to draw again when the pair moves


def choose_setting(trained: TrainedReference) -> CombinationSetting:
    """Method, set where there is a choice, and epochs."""
    with widgets.open_row():
        titles = titles_of(COMBINED_METHODS)
        method = widgets.pick(
            links.COMBINED_METHOD,
            "LMM and COC by",
            list(titles),
            next(iter(titles)),
            titles=titles,
        )
        entry = COMBINED_METHODS[method]
        constraint = entry.constraint or controls.choose_constraint()
        with st.container(width=280):
            start = default_epochs(trained.rows["training"])
            epochs = int(knobs.draw(links.PAIR_EPOCHS, "Epochs per pair", EPOCHS, start))
        path = controls.choose_course()
    widgets.draw_remarks(links.COMBINED_METHOD)
    ranks = requests.combined_ranks(trained.layers)
    setting = CombinationSetting(method, constraint, ranks, entry.bounds, epochs, path)
    st.caption(text.describe_grid(setting))
    if not any_rank_pays(trained.layers):
        st.info(text.NOTHING_TO_FACTOR, icon=":material/info:")
    return setting


def default_epochs(rows: int) -> int:
    """Epochs that make some hundred steps per pair, for few and for many rows."""
    return min(max(round(100 * 64 / rows), 2), 50)


def any_rank_pays(layers: Sequence[Layer]) -> bool:
    """Whether any rank makes a linear layer smaller."""
    return any(layer.break_even > 0 for layer in layers if layer.kind == "linear")


def choose_pair(setting: CombinationSetting, grid: Job[CurveView]) -> tuple[float, float]:
    """k and ρ, side by side; both begin at the suggested pair."""
    ranks, bounds, curve = setting.ranks, setting.bounds, grid.result
    start: tuple[float, float] = (ranks[len(ranks) // 2], bounds[len(bounds) // 2])
    if curve is not None:
        line = curve.table.iloc[curve.suggested]
        start = (int(line["rank"]), float(line["bound"]))
    done = curve is not None
    left, right = st.columns(2, gap="medium")
    with left:
        rank = knobs.draw(
            links.RANK,
            "Rank k",
            ranks,
            start[0],
            done,
            redraw=(SIGHT, PAIR),
            help=f"{text.RANK}\n\n{explain('rank k', 'break-even rank k*')}",
        )
    with right:
        bound = knobs.draw(
            links.BOUND,
            "Relative bound ρ",
            bounds,
            start[1],
            done,
            redraw=(SIGHT, PAIR),
            help=f"{text.BOUND}\n\n{explain('relative bound ρ', 'pinned')}",
        )
    return float(rank), float(bound)
