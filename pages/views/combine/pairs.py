"""Every pair of a rank and a bound, and one of them."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import streamlit as st

from compression import BASELINES, COMBINED_METHODS
from compression.pareto import nearest_pair
from pages.shared import links
from pages.shared.format import format_score, score_name
from pages.shared.jobs import Job
from pages.shared.models import requests
from pages.shared.models.baselines import is_next_due, request_in_turn
from pages.shared.models.results import CurveView, TrainedReference
from pages.shared.plots.layout import COSTS
from pages.shared.plots.palette import COMBINED, REFERENCE, Style
from pages.shared.plots.text import describe_place
from pages.shared.ui import blocks, charts, knobs, widgets
from pages.shared.ui.baselines import style_baselines
from pages.shared.ui.progress import flush, follow, show_status

from . import figures, text, verdict
from .controls import PAIR, SIGHT, choose_pair
from .results import CombinationSetting

TUNED_RANKS = 24  # ranks of the baseline: a pair is compared with the best file just below its own


def draw_pairs(trained: TrainedReference, setting: CombinationSetting) -> None:
    """The grid, one pair of it, and whether it beats each alone."""
    grid = requests.combined_grid(
        trained, setting.method, setting.constraint, setting.epochs, setting.warm_start
    )
    ranks = requests.combined_ranks(trained.layers, TUNED_RANKS)
    fresh = None if setting.warm_start else requests.fresh_way(trained, setting.epochs)
    alone: dict[str, Job[Any]] = {
        "low_rank": requests.low_rank_curve(trained, "truncated_svd"),
        "bound": requests.constrained_curve(trained, setting.constraint, fresh),
        # Train it for as many epochs as any pair.
        "tuned": requests.low_rank_curve(trained, "truncated_svd", setting.most_epochs, ranks),
    }
    comparison = verdict.submit_comparison(trained, grid, alone)
    longer = requests.fine_tuned_curve(trained, setting.most_epochs)
    ahead = [grid, *alone.values(), longer, *([] if comparison is None else [comparison])]
    late = any(job.pending for job in ahead)  # baselines wait until these jobs are done
    baselines = {} if late else request_in_turn(trained)
    against_baselines = verdict.submit_baselines(trained, grid, baselines)

    def draw_sight() -> None:
        wanted = choose_pair(setting, grid)
        show_status(grid, "Training the pairs")
        if (together := grid.so_far) is not None:
            blocks.draw_metrics(trained, together.table.iloc[nearest_pair(together.table, *wanted)])
            flush()

    with blocks.keep_in_sight():
        follow(draw_sight, grid, key=SIGHT)

    def draw() -> None:
        if (together := grid.so_far) is None:
            return
        wanted = knobs.read_number(links.RANK), knobs.read_number(links.BOUND)
        row = nearest_pair(together.table, *wanted)
        line = together.table.iloc[row]
        st.caption(text.describe_pair(trained, setting.method, line, wanted))
        _draw_grid(trained, setting, together, row)
        _draw_downloads(trained, setting, together, row)
        st.header("Does it beat each alone at equal bytes?", anchor=False)
        for name, job in alone.items():
            show_status(job, text.ALONE[name].capitalize())
        behind = verdict.read_curves(baselines)
        if comparison is not None:
            verdict.draw_verdict(
                trained, comparison, against_baselines, behind, line["bytes"], "combined_margins"
            )
        _draw_plane(trained, setting, (together, row), alone, behind, longer)
        st.caption(text.describe_baseline(setting, len(ranks)))
        for name, job in baselines.items():
            show_status(job, BASELINES[name].title)

    watched = [*ahead, *baselines.values()]
    watched += [] if against_baselines is None else [against_baselines]
    follow(draw, *watched, key=PAIR)
    if is_next_due(trained, baselines, ahead):
        st.rerun()


def _draw_grid(
    trained: TrainedReference, setting: CombinationSetting, together: CurveView, row: int
) -> None:
    def move_sliders() -> None:
        for point in st.session_state["combined_heat"]["selection"]["points"]:
            for knob, value in zip((links.RANK, links.BOUND), point["customdata"], strict=True):
                widgets.move(knob, value)
        st.rerun(scope=[SIGHT, PAIR])

    line = together.table.iloc[row]
    pair = text.name_pair(line)
    place = f"{pair} with {format_score(line['score'], trained.task)}"
    left, right = st.columns(2, gap="medium")
    with left:
        charts.draw(
            figures.score_map(together.table, setting.ranks, setting.bounds, row, trained.task),
            "combined_heat",
            f"{score_name(trained.task)} for every rank and bound; ringed is {place}",
            on_select=move_sliders,
        )
        st.caption(text.HEAT)
    with right:
        blocks.draw_predictions(
            trained,
            together.predictions[row],
            together.confusion[row],
            COMBINED,
            "combined_predictions",
            f"the combination of {pair}",
        )


def _draw_downloads(
    trained: TrainedReference, setting: CombinationSetting, together: CurveView, row: int
) -> None:
    line = together.table.iloc[row]
    name = text.file_name(trained, setting.method)
    with st.container(horizontal=True):
        if together.files:
            file = f"{name}-k{line['rank']:g}-c{line['bound']:g}.safetensors"
            blocks.offer_model(together.files[row], file, "combined_file")
        blocks.download(
            "All pairs (CSV)",
            partial(together.table.to_csv, index=False),
            f"{name}.csv",
            "combined_table",
            mime="text/csv",
        )


def _draw_plane(
    trained: TrainedReference,
    setting: CombinationSetting,
    now: tuple[CurveView, int],
    alone: Mapping[str, Job[Any]],
    baselines: Mapping[str, CurveView],
    longer: Job[CurveView],
) -> None:
    """``now``: all pairs, and the row of the one shown; ``longer``: the reference trained on."""
    cost = widgets.choose_segment(links.COST, "Cost axis", COSTS)
    curves = verdict.read_curves(alone)
    pairs = (COMBINED_METHODS[setting.method].title, now[0].table, now[1])
    thin = style_baselines(baselines)
    if (trained_on := longer.so_far) is not None:
        title = text.title_longer_reference(setting)
        look = Style(REFERENCE, "diamond-open")
        thin.append((title, look, trained_on.table.assign(said=title)))
    line = now[0].table.iloc[now[1]]
    place = describe_place(line, text.name_pair(line), trained.task, cost)
    charts.draw(
        figures.plane(pairs, curves, trained.costs, cost, trained.task, thin),
        "combined_plane",
        f"{score_name(trained.task)} against {COSTS[cost]}: {len(curves)} curves alone and "
        f"{len(thin)} baselines beside all pairs; {place}",
    )
    st.caption(text.PLANE)
