"""Whether the combination beats each alone at equal bytes."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from pages.shared.jobs import Job, submit
from pages.shared.models.results import CurveView, Trained
from pages.shared.ui import charts
from pages.shared.ui.progress import show_status

from . import figures, tasks, text


def submit_comparison(
    trained: Trained, grid: Job[CurveView], alone: Mapping[str, Job[Any]]
) -> Job[pd.DataFrame] | None:
    """The comparison with each alone; None: some curve is not over yet, or there is none."""
    if any(job.pending for job in (grid, *alone.values())):
        return None
    together = grid.so_far
    others = {
        name: curve
        for name in text.ALONE
        if (curve := alone[name].so_far) is not None and len(curve.table)
    }
    if together is None or not others:
        return None
    return submit(
        tasks.compare_curves,
        trained.origin,
        pack_curve("together", together),
        tuple(pack_curve(name, curve) for name, curve in others.items()),
    )


def pack_curve(name: str, curve: CurveView) -> tasks.PackedCurve:
    return (
        name,
        tuple(curve.table["bytes"].tolist()),
        tuple(curve.table["validation_score"].tolist()),
        np.asarray(curve.predictions, np.float64).tobytes(),
    )


def draw_verdict(trained: Trained, comparison: Job[pd.DataFrame], budget: float) -> None:
    show_status(comparison, "Comparing at equal bytes")
    table = comparison.result
    if table is None:
        return
    sentences = text.give_verdict(trained, table, budget)
    st.markdown("\n".join(f"- {sentence}" for sentence in sentences))
    st.caption(text.count_verdicts(table, trained.bytes))
    charts.draw(
        figures.margins(table, budget, trained.task),
        "combined_margins",
        "Score of the combination minus that of each alone at equal bytes, with intervals",
    )
    st.caption(text.COMPARISON)
