"""The sections of the page that combines, from top to bottom."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import streamlit as st

from compression import COMBINED_METHODS
from pages.shared.format import score_name
from pages.shared.jobs import Job, submit
from pages.shared.models import controls, requests
from pages.shared.models.results import CurveView, Trained
from pages.shared.models.text import metric_rows, titles_of
from pages.shared.plots.layout import COSTS
from pages.shared.plots.palette import COMBINED
from pages.shared.ui import blocks, charts, widgets
from pages.shared.ui.progress import flush, follow, show_status

from . import figures, results, tasks, text

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
    with widgets.row():
        titles = titles_of(COMBINED_METHODS)
        method = widgets.pick(
            "together", "LMM and COC by", list(titles), next(iter(titles)), titles=titles
        )
        constraint = COMBINED_METHODS[method].constraint or controls.choose_constraint()
        with st.container(width=280):
            epochs = int(
                widgets.knob(
                    "pair_epochs",
                    "Epochs a pair",
                    text.EPOCHS,
                    results.epochs(trained.rows["training"]),
                )
            )
    widgets.remark("together")
    found = Setting(
        method,
        constraint,
        requests.combined_ranks(trained.layers),
        COMBINED_METHODS[method].bounds,
        epochs,
    )
    st.caption(text.grid(found.ranks, found.bounds, method, epochs))
    if not results.pays(trained.layers):
        st.info(text.NOTHING_TO_FACTOR, icon=":material/info:")
    return found


def pairs(trained: Trained, chosen: Setting) -> None:
    """The grid, one pair of it, and whether it beats each alone."""
    grid = requests.combined_grid(trained, chosen.method, chosen.constraint, chosen.epochs)
    finer = requests.combined_ranks(trained.layers, results.TUNED_RANKS)
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
        show_status(grid, "Training the pairs")
        if together is None:
            return
        row = results.cell(together.table, rank, bound)
        _numbers(trained, together, row)
        st.caption(text.pair(trained, chosen.method, together.table.iloc[row], (rank, bound)))
        flush()

        def clicked() -> None:
            for point in st.session_state["combined_heat"]["selection"]["points"]:
                for knob, value in zip(("rank", "bound"), point["customdata"], strict=True):
                    widgets.move(knob, value)

        left, right = st.columns(2, gap="medium")
        with left:
            charts.draw(
                figures.heat(together.table, chosen.ranks, chosen.bounds, row, trained.task),
                "combined_heat",
                f"{score_name(trained.task)} for every rank and bound, the chosen ringed",
                on_select=clicked,
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
        _files(trained, chosen, together, row)
        st.subheader("Does it beat each alone at equal bytes?", anchor=False)
        for name, job in alone.items():
            show_status(job, text.ALONE[name].capitalize())
        if judging is not None:
            _verdict(trained, judging, together.table["bytes"].iloc[row])
        _plane(trained, chosen, together, row, alone)
        st.caption(text.baseline(chosen.epochs, len(chosen.bounds), len(finer)))

    watched = [grid, *alone.values(), *([judging] if judging is not None else [])]
    follow(draw, *watched, key=PAIR)


def _sliders(chosen: Setting, grid: Job) -> tuple[float, float]:
    """k and ρ, side by side; both begin at the suggested pair."""
    done = grid.result is not None
    start = (chosen.ranks[len(chosen.ranks) // 2], chosen.bounds[len(chosen.bounds) // 2])
    if done:
        line = grid.result.table.iloc[grid.result.suggested]
        start = (int(line["rank"]), float(line["bound"]))
    left, right = st.columns(2, gap="medium")
    with left:
        rank = widgets.knob("rank", "Rank k", chosen.ranks, start[0], settled=done, help=text.RANK)
    with right:
        bound = widgets.knob(
            "bound",
            "Relative bound ρ",
            chosen.bounds,
            start[1],
            settled=done,
            help=text.BOUND,
        )
    return float(rank), float(bound)


def _numbers(trained: Trained, together: CurveView, row: int) -> None:
    line = together.table.iloc[row]
    for place, (label, value, delta, colour) in zip(
        st.columns(4), metric_rows(trained, line), strict=True
    ):
        place.metric(label, value, delta, delta_color=colour, delta_arrow="off")


def _files(trained: Trained, chosen: Setting, together: CurveView, row: int) -> None:
    line = together.table.iloc[row]
    name = text.name(trained, chosen.method)
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
        for name in text.ALONE
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
    show_status(judging, "Holding both against each other")
    if judging.result is None:
        return
    sentences = text.verdict(trained, judging.result, budget)
    st.markdown("\n".join(f"- {sentence}" for sentence in sentences))
    st.caption(text.tally(judging.result, trained.bytes))
    charts.draw(
        figures.margins(judging.result, budget, trained.task),
        "combined_margins",
        "Score of the combination minus that of each alone at equal bytes, with intervals",
    )
    st.caption(text.HELD)


def _plane(
    trained: Trained, chosen: Setting, together: CurveView, row: int, alone: Mapping[str, Job]
) -> None:
    cost = widgets.segment("cost", "Cost axis", COSTS)
    tables = {n: found.table for n, job in alone.items() if (found := job.so_far) is not None}
    charts.draw(
        figures.plane(
            (chosen.title, together.table, row), tables, trained.costs, cost, trained.task
        ),
        "combined_plane",
        f"{score_name(trained.task)} against {COSTS[cost]}: together and each alone",
    )
    st.caption(text.PLANE)
