"""The sections of the page that combines, from top to bottom."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import streamlit as st

from compression import COMBINED_METHODS
from pages.shared import app_shell as shell
from pages.shared.jobs import Job, submit
from pages.shared.models import controls as reference
from pages.shared.models import requests
from pages.shared.models import text as words
from pages.shared.models.results import CurveView, Trained
from pages.shared.plots import standard as figures
from pages.shared.ui import blocks, charts
from pages.shared.ui import widgets as choices
from pages.views.combine import figures as combine_figures
from pages.views.combine import results as combine_results
from pages.views.combine import tasks
from pages.views.combine import text as combine_words

PAIR = "combined"


@dataclass(frozen=True)
class Setting:
    """What is combined, and over which grid."""

    method: str
    constraint: str
    ranks: tuple[int, ...]
    bounds: tuple[float, ...]
    epochs: int

    @property
    def title(self) -> str:
        return COMBINED_METHODS[self.method].title


def setting(trained: Trained) -> Setting:
    """Method, set where there is a choice, and epochs."""
    with choices.row():
        titles = words.titles(COMBINED_METHODS)
        method = choices.pick(
            "together", "LMM and COC by", list(titles), next(iter(titles)), titles=titles
        )
        constraint = COMBINED_METHODS[method].constraint or reference.constraint()
        with st.container(width=280):
            epochs = int(
                choices.knob(
                    "pair_epochs",
                    "Epochs a pair",
                    combine_words.EPOCHS,
                    combine_results.epochs(trained.rows["training"]),
                )
            )
    choices.remark("together")
    found = Setting(
        method,
        constraint,
        requests.combined_ranks(trained.layers),
        COMBINED_METHODS[method].bounds,
        epochs,
    )
    st.caption(combine_words.grid(found.ranks, found.bounds, method, epochs))
    if not combine_results.pays(trained.layers):
        st.info(combine_words.NOTHING_TO_FACTOR, icon=":material/info:")
    return found


def pairs(trained: Trained, chosen: Setting) -> None:
    """The grid, one pair of it, and whether it beats each alone."""
    grid = requests.combined_grid(trained, chosen.method, chosen.constraint, chosen.epochs)
    finer = requests.combined_ranks(trained.layers, combine_results.TUNED_RANKS)
    alone = {
        "low_rank": requests.low_rank_curve(trained, "truncated_svd"),
        "bound": requests.constrained_curve(trained, chosen.constraint),
        "tuned": submit(tasks.tuned, trained.origin, finer, chosen.epochs * len(chosen.bounds)),
    }
    ended = not any(job.pending for job in (grid, *alone.values()))
    judging = _against(trained, grid, alone) if ended else None

    def draw() -> None:
        together = grid.so_far
        rank, bound = _sliders(chosen, grid)
        shell.status(grid, "Training the pairs")
        if together is None:
            return
        row = combine_results.cell(together.table, rank, bound)
        _numbers(trained, together, row)
        st.caption(
            combine_words.pair(trained, chosen.method, together.table.iloc[row], (rank, bound))
        )
        shell.send()

        def clicked() -> None:
            for point in st.session_state["combined_heat"]["selection"]["points"]:
                for knob, value in zip(("rank", "bound"), point["customdata"], strict=True):
                    choices.move(knob, value)

        left, right = st.columns(2, gap="medium")
        with left:
            charts.draw(
                combine_figures.heat(
                    together.table, chosen.ranks, chosen.bounds, row, trained.task
                ),
                "combined_heat",
                f"{words.score_name(trained.task)} for every rank and bound, the chosen ringed",
                on_select=clicked,
            )
            st.caption(combine_words.HEAT)
        with right:
            blocks.predictions(
                trained,
                together.predictions[row],
                together.confusion[row],
                figures.COMBINED,
                "combined_predictions",
            )
        _files(trained, chosen, together, row)
        st.subheader("Does it beat each alone at equal bytes?", anchor=False)
        for name, job in alone.items():
            shell.status(job, combine_words.ALONE[name].capitalize())
        if judging is not None:
            _verdict(trained, judging, together.table["bytes"].iloc[row])
        _plane(trained, chosen, together, row, alone)
        st.caption(combine_words.baseline(chosen.epochs, len(chosen.bounds), len(finer)))

    watched = [grid, *alone.values(), *([judging] if judging is not None else [])]
    shell.follow(draw, *watched, key=PAIR)


def _sliders(chosen: Setting, grid: Job) -> tuple[float, float]:
    """k and c, side by side; both begin at the suggested pair."""
    done = grid.result is not None
    start = (chosen.ranks[len(chosen.ranks) // 2], chosen.bounds[len(chosen.bounds) // 2])
    if done:
        line = grid.result.table.iloc[grid.result.suggested]
        start = (int(line["rank"]), float(line["bound"]))
    left, right = st.columns(2, gap="medium")
    with left:
        rank = choices.knob(
            "rank", "Rank k", chosen.ranks, start[0], settled=done, help=combine_words.RANK
        )
    with right:
        bound = choices.knob(
            "bound", "Bound c", chosen.bounds, start[1], settled=done, help=combine_words.BOUND
        )
    return float(rank), float(bound)


def _numbers(trained: Trained, together: CurveView, row: int) -> None:
    line = together.table.iloc[row]
    for place, (label, value, delta, colour) in zip(
        st.columns(4), words.metrics(trained, line), strict=True
    ):
        place.metric(label, value, delta, delta_color=colour, delta_arrow="off")


def _files(trained: Trained, chosen: Setting, together: CurveView, row: int) -> None:
    line = together.table.iloc[row]
    name = combine_words.name(trained, chosen.method)
    with st.container(horizontal=True):
        if together.files:
            st.download_button(
                "Take this model away (safetensors)",
                together.files[row],
                file_name=f"{name}-k{line['rank']:g}-c{line['bound']:g}.safetensors",
                on_click="ignore",
                key="combined_file",
                icon=":material/download:",
                type="tertiary",
            )
        st.download_button(
            "All pairs (CSV)",
            lambda: together.table.to_csv(index=False).encode(),
            file_name=f"{name}.csv",
            mime="text/csv",
            on_click="ignore",
            key="combined_table",
            icon=":material/download:",
            type="tertiary",
        )


def _against(trained: Trained, grid: Job, alone: Mapping[str, Job]) -> Job | None:
    together = grid.so_far
    others = {
        name: found
        for name in combine_words.ALONE
        if (found := alone[name].so_far) is not None and len(found.table)
    }
    if together is None or not others:
        return None
    return submit(
        tasks.against,
        trained.origin,
        _entrant("together", together),
        tuple(_entrant(name, found) for name, found in others.items()),
    )


def _entrant(name: str, curve: CurveView) -> tuple[object, ...]:
    return (
        name,
        tuple(curve.table["bytes"].tolist()),
        tuple(curve.table["validation_score"].tolist()),
        np.asarray(curve.predictions, np.float64).tobytes(),
    )


def _verdict(trained: Trained, judging: Job, budget: float) -> None:
    shell.status(judging, "Holding both against each other")
    if judging.result is None:
        return
    sentences = combine_words.verdict(judging.result, budget, trained.task)
    st.markdown("\n".join(f"- {sentence}" for sentence in sentences))
    st.caption(combine_words.tally(judging.result))
    charts.draw(
        combine_figures.margins(judging.result, budget, trained.task),
        "combined_margins",
        "Score of the combination minus that of each alone at equal bytes, with intervals",
    )
    st.caption(combine_words.HELD)


def _plane(
    trained: Trained, chosen: Setting, together: CurveView, row: int, alone: Mapping[str, Job]
) -> None:
    cost = choices.segment("cost", "Cost axis", figures.COSTS)
    tables = {n: found.table for n, job in alone.items() if (found := job.so_far) is not None}
    charts.draw(
        combine_figures.plane(
            (chosen.title, together.table, row), tables, trained.costs, cost, trained.task
        ),
        "combined_plane",
        f"{words.score_name(trained.task)} against {figures.COSTS[cost]}: together and each alone",
    )
    st.caption(combine_words.PLANE)
