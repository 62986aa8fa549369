"""What people would do instead: thin lines behind the two sides, and a sentence at their size."""

from collections.abc import Mapping

import streamlit as st

from compression import BASELINES
from pages.shared import links
from pages.shared.format import format_change, format_score, format_size
from pages.shared.jobs import Job
from pages.shared.models import requests
from pages.shared.models.results import CurveView, Trained
from pages.shared.ui import widgets
from pages.shared.ui.progress import show_status

from . import text
from .side import Sides

Baselines = Mapping[str, Job[CurveView]]


def request_baselines(trained: Trained) -> Baselines:
    """The chosen baselines, by name; by default those that need no training."""
    chosen = widgets.segment(
        links.BASELINES, "Compare with", text.BASELINES, help=text.BASELINES_HELP
    )
    if chosen == "none":
        return {}
    return {
        name: requests.baseline_curve(trained, name)
        for name, entry in BASELINES.items()
        if chosen == "all" or not entry.trains
    }


def draw_status(baselines: Baselines) -> None:
    for name, job in baselines.items():
        show_status(job, BASELINES[name].title)


def curves_of(baselines: Baselines) -> dict[str, CurveView]:
    """What there is so far of each."""
    return {n: curve for n, job in baselines.items() if (curve := job.so_far) is not None}


def describe(sides: Sides, curves: Mapping[str, CurveView]) -> None:
    """At each side's file size the baseline of best validation score that fits."""
    sentences = []
    for side in sides:
        if (curve := side.curve) is None:
            continue
        size = int(curve.table["bytes"].iloc[curve.row(side.value)])
        best = None
        for name, baseline in curves.items():
            rows = baseline.table[baseline.table["bytes"] <= size]
            if len(rows):
                line = rows.loc[rows["validation_score"].idxmax()]
                if best is None or line["validation_score"] > best[1]["validation_score"]:
                    best = name, line
        if best is None:
            sentences.append(f"No baseline shown is as small as {side.title}'s file.")
            continue
        name, line = best
        task = side.trained.task
        unit = " points" if task == "classification" else " of R²"
        sentences.append(
            f"At {side.title}'s file size ({format_size(size)}) "
            f"{text.describe_baseline(name, float(line['knob']))} scores "
            f"{format_score(line['score'], task)} in {format_size(line['bytes'])}: "
            f"{format_change(line['change'], task)}{unit} against the reference."
        )
    if sentences and curves:
        st.markdown(" ".join(sentences))
