"""Every pair of a rank and a bound, and one of them."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import streamlit as st

from compression import COMBINED_METHODS
from compression.pareto import nearest_pair
from pages.shared import links
from pages.shared.format import score_name
from pages.shared.jobs import Job, submit
from pages.shared.models import requests
from pages.shared.models.results import CurveView, Trained
from pages.shared.plots.layout import COSTS
from pages.shared.plots.palette import COMBINED
from pages.shared.ui import blocks, charts, knobs, widgets
from pages.shared.ui.progress import flush, follow, show_status

from . import figures, tasks, text, verdict
from .controls import PAIR, SIGHT, choose_pair
from .results import Setting

TUNED_RANKS = 24  # of the baseline: a pair is compared with the best file just below its own


def draw_pairs(trained: Trained, setting: Setting) -> None:
    """The grid, one pair of it, and whether it beats each alone."""
    grid = requests.combined_grid(
        trained, setting.method, setting.constraint, setting.epochs, setting.warm_start
    )
    ranks = requests.combined_ranks(trained.layers, TUNED_RANKS)
    fresh = None if setting.warm_start else requests.fresh_way(trained, setting.epochs)
    alone: dict[str, Job[Any]] = {
        "low_rank": requests.low_rank_curve(trained, "truncated_svd"),
        "bound": requests.constrained_curve(trained, setting.constraint, fresh),
        "tuned": submit(tasks.tune_low_rank, trained.origin, ranks, setting.most_epochs),
    }
    comparison = verdict.submit_comparison(trained, grid, alone)

    def draw_sight() -> None:
        asked = choose_pair(setting, grid)
        show_status(grid, "Training the pairs")
        if (together := grid.so_far) is not None:
            blocks.metrics(trained, together.table.iloc[nearest_pair(together.table, *asked)])
            flush()

    with blocks.keep_in_sight():
        follow(draw_sight, grid, key=SIGHT)

    def draw() -> None:
        if (together := grid.so_far) is None:
            return
        asked = knobs.number(links.RANK), knobs.number(links.BOUND)
        row = nearest_pair(together.table, *asked)
        line = together.table.iloc[row]
        st.caption(text.describe_pair(trained, setting.method, line, asked))
        _draw_grid(trained, setting, together, row)
        _draw_downloads(trained, setting, together, row)
        st.header("Does it beat each alone at equal bytes?", anchor=False)
        for name, job in alone.items():
            show_status(job, text.ALONE[name].capitalize())
        if comparison is not None:
            verdict.draw_verdict(trained, comparison, line["bytes"])
        _draw_plane(trained, setting, together, row, alone)
        st.caption(text.describe_baseline(setting, len(ranks)))

    watched = [grid, *alone.values(), *([] if comparison is None else [comparison])]
    follow(draw, *watched, key=PAIR)


def _draw_grid(trained: Trained, setting: Setting, together: CurveView, row: int) -> None:
    def move_sliders() -> None:
        for point in st.session_state["combined_heat"]["selection"]["points"]:
            for knob, value in zip((links.RANK, links.BOUND), point["customdata"], strict=True):
                widgets.move(knob, value)
        st.rerun(scope=[SIGHT, PAIR])

    left, right = st.columns(2, gap="medium")
    with left:
        charts.draw(
            figures.heat(together.table, setting.ranks, setting.bounds, row, trained.task),
            "combined_heat",
            f"{score_name(trained.task)} for every rank and bound, the chosen ringed",
            on_select=move_sliders,
        )
        st.caption(text.HEAT)
    with right:
        blocks.predictions(
            trained,
            together.predictions[row],
            together.confusion[row],
            COMBINED,
            "combined_predictions",
        )


def _draw_downloads(trained: Trained, setting: Setting, together: CurveView, row: int) -> None:
    line = together.table.iloc[row]
    name = text.file_name(trained, setting.method)
    with st.container(horizontal=True):
        if together.files:
            file = f"{name}-k{line['rank']:g}-c{line['bound']:g}.safetensors"
            blocks.model_download(together.files[row], file, "combined_file")
        blocks.download(
            "All pairs (CSV)",
            partial(together.table.to_csv, index=False),
            f"{name}.csv",
            "combined_table",
            mime="text/csv",
        )


def _draw_plane(
    trained: Trained,
    setting: Setting,
    together: CurveView,
    row: int,
    alone: Mapping[str, Job[Any]],
) -> None:
    cost = widgets.segment(links.COST, "Cost axis", COSTS)
    curves = {n: curve for n, job in alone.items() if (curve := job.so_far) is not None}
    pairs = (COMBINED_METHODS[setting.method].title, together.table, row)
    charts.draw(
        figures.plane(pairs, curves, trained.costs, cost, trained.task),
        "combined_plane",
        f"{score_name(trained.task)} against {COSTS[cost]}: together and each alone",
    )
    st.caption(text.PLANE)
