"""Score against rank: this method, all that fit, each beside its fine-tuned baseline."""

from collections.abc import Mapping, Sequence

import pandas as pd
import streamlit as st

import compression
from pages.shared import links
from pages.shared.format import score_name
from pages.shared.jobs import Job
from pages.shared.models import requests
from pages.shared.models.results import CurveView, LowRankSetting, TrainedReference
from pages.shared.models.text import say_best
from pages.shared.ui import charts, knobs, tables, widgets
from pages.shared.ui.baselines import request_behind
from pages.shared.ui.progress import follow, show_status

from . import text
from .controls import COMPARISON
from .figures.methods import AXES, methods


def draw_methods(
    trained: TrainedReference, setting: LowRankSetting, curve_job: Job[CurveView]
) -> None:
    st.header("What would a cleverer method have given?", anchor="methods")
    with widgets.open_row():
        which = widgets.choose_segment(links.METHODS, "Methods", text.COMPARISONS)
        axis = widgets.choose_segment(links.AGAINST, "Against", AXES)
        epochs = 0
        if which != "one":
            with st.container(width=320):
                label = "Epochs after truncation"
                epochs = int(knobs.draw(links.EPOCHS, label, text.EPOCHS, 3))
    names = [setting.method]
    if which == "all":
        names += [n for n in list_fitting(trained, setting) if n != setting.method]
    jobs = _request_curves(trained, setting, curve_job, names, epochs)
    behind = request_behind(trained, axis, list(jobs.values()))

    def draw() -> None:
        # The first job's progress is shown above, by the slider.
        others = [(key, job) for key, job in jobs.items() if job is not curve_job]
        for (name, kind), job in others:
            if job.status != "waiting":
                show_status(job, text.method_title(name, kind, epochs))
        waiting = sum(job.status == "waiting" for _, job in others)
        if waiting:
            st.caption(f"{waiting} more wait for their turn.")
        curves = [
            (name, text.method_title(name, kind, epochs), kind, job.so_far.table)
            for (name, kind), job in jobs.items()
            if job.so_far is not None
        ]
        if not curves or curves[0][0] != setting.method:
            return
        rank = int(knobs.read_number(links.RANK))
        rows = {
            title: table.iloc[(table["knob"] - rank).abs().argmin()]
            for _, title, _, table in curves
        }
        st.markdown(say_best(rows, f"Near rank {rank}", trained.task) or text.MORE_METHODS)
        charts.draw(
            behind.add_to(methods(curves, trained.costs, axis, rank, trained.task)),
            "low_rank_methods_chart",
            f"{score_name(trained.task)} against {AXES[axis]} "
            f"for {len(curves)} curves, rank {rank} ringed",
        )
        behind.draw_status()
        _draw_table(trained, curves, rows)

    follow(draw, *jobs.values(), *behind.jobs.values(), key=COMPARISON)
    if epochs:
        st.caption(text.BASELINE)
    st.caption(behind.describe())
    st.caption(text.TRIED)
    behind.look_again()


def _request_curves(
    trained: TrainedReference,
    setting: LowRankSetting,
    curve_job: Job[CurveView],
    names: Sequence[str],
    epochs: int,
) -> dict[tuple[str, str], Job[CurveView]]:
    """(method, "plain" or "tuned") -> its curve, of the same layers."""
    jobs = {(setting.method, "plain"): curve_job}
    for name in names:
        other = setting._replace(method=name)
        if not compression.LOW_RANK_METHODS[name].needs_inputs:
            other = LowRankSetting(name, setting.layers)
        jobs.setdefault((name, "plain"), requests.low_rank_curve(trained, other))
        if epochs:
            jobs[name, "tuned"] = requests.low_rank_curve(trained, other, epochs)
    return jobs


def _draw_table(
    trained: TrainedReference,
    curves: Sequence[tuple[str, str, str, pd.DataFrame]],
    rows: Mapping[str, pd.Series],
) -> None:
    """All curves at the rank that the slider shows, one line each."""
    lines = [
        {
            "method": title,
            "k": int(line["knob"]),
            **tables.describe_row(line, trained.task, "times smaller"),
        }
        for title, line in rows.items()
    ]
    every = pd.concat([table.assign(method=title) for _, title, _, table in curves])
    tables.draw(pd.DataFrame(lines), "methods", trained, every)


def list_fitting(trained: TrainedReference, setting: LowRankSetting) -> list[str]:
    """The methods that can compress all of these layers."""
    kinds = {layer.kind for layer in trained.layers if layer.name in setting.layers}
    return [
        name for name, entry in compression.LOW_RANK_METHODS.items() if kinds <= set(entry.layers)
    ]
