"""Whether the combination beats each alone, and the best baseline, at equal bytes."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from compression import BASELINES
from pages.shared.jobs import Job, submit
from pages.shared.models.baselines import find_best, list_baselines
from pages.shared.models.results import CurveView, TrainedReference
from pages.shared.models.text import describe_baseline
from pages.shared.ui import charts
from pages.shared.ui.progress import show_status

from . import figures, tasks, text


def submit_comparison(
    trained: TrainedReference, grid: Job[CurveView], alone: Mapping[str, Job[Any]]
) -> Job[pd.DataFrame] | None:
    """The comparison with each alone; None: some curve is not over yet, or there is none."""
    if any(job.pending for job in (grid, *alone.values())):
        return None
    together = grid.so_far
    others = read_curves({name: alone[name] for name in text.ALONE if name in alone})
    if together is None or not others:
        return None
    return submit(
        tasks.compare_curves,
        trained.origin,
        pack_curves("together", [together]),
        tuple(pack_curves(name, [curve]) for name, curve in others.items()),
    )


def submit_baselines(
    trained: TrainedReference, grid: Job[CurveView], baselines: Mapping[str, Job[CurveView]]
) -> Job[pd.DataFrame] | None:
    """The comparison with the best of all baselines; None: one is still to come."""
    together = grid.so_far
    curves = read_curves(baselines)
    complete = len(baselines) == len(list_baselines(trained))
    if not complete or any(job.pending for job in baselines.values()):
        return None
    if together is None or not curves:
        return None
    return submit(
        tasks.compare_curves,
        trained.origin,
        pack_curves("together", [together]),
        (pack_curves(text.BASELINE, list(curves.values())),),
    )


def read_curves(jobs: Mapping[str, Job[Any]]) -> dict[str, CurveView]:
    """Each curve's rows so far."""
    return {
        name: curve
        for name, job in jobs.items()
        if (curve := job.so_far) is not None and len(curve.table)
    }


def pack_curves(name: str, curves: Sequence[CurveView]) -> tasks.PackedCurve:
    """Rows of one curve, or of several as if they were one."""
    table = pd.concat([curve.table for curve in curves])
    predictions = np.concatenate([curve.predictions for curve in curves])
    return (
        name,
        tuple(table["bytes"].tolist()),
        tuple(table["validation_score"].tolist()),
        np.asarray(predictions, np.float64).tobytes(),
    )


def draw_verdict(
    trained: TrainedReference,
    comparison: Job[pd.DataFrame],
    against_baselines: Job[pd.DataFrame] | None,
    baselines: Mapping[str, CurveView],
    budget: float,
    chart: str,
) -> None:
    """Draw the verdict at the pair's bytes and over all budgets, with the best baseline.

    ``chart``: key of the picture.
    """
    show_status(comparison, "Comparing at equal bytes")
    table = comparison.result
    if table is None:
        return
    known = None
    if against_baselines is not None:
        show_status(against_baselines, "Comparing with the best baseline")
        known = against_baselines.result
    if known is not None:
        table = pd.concat([table, known], ignore_index=True)
    best = find_best({name: curve.table for name, curve in baselines.items()}, budget)
    named = "" if best is None else _name_baseline(*best)
    sentences = text.give_verdict(trained, table, budget, named)
    if known is None:
        sentences.append(text.BASELINES_TO_COME)
    st.markdown("\n".join(f"- {sentence}" for sentence in sentences))
    st.caption(text.count_verdicts(table, trained.bytes))
    charts.draw(
        figures.margins(table, budget, trained.task),
        chart,
        text.describe_margins(table, budget, trained.task),
    )
    st.caption(text.COMPARISON)


def _name_baseline(name: str, line: pd.Series) -> str:
    return f"{BASELINES[name].title.lower()}, {describe_baseline(name, line)}"
