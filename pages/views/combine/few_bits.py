"""The same question in few bits: every side in its best number of bits at each size."""

from typing import Any

import pandas as pd
import streamlit as st

from compression import COMBINED_METHODS, CONSTRAINTS
from compression.pareto import Wish, recommend
from pages.shared import links
from pages.shared.jobs import Job
from pages.shared.models import requests
from pages.shared.models.baselines import is_next_due, request_in_turn
from pages.shared.models.results import CurveView, TrainedReference
from pages.shared.ui import widgets
from pages.shared.ui.progress import follow, show_status

from . import text, verdict
from .results import CombinationSetting

POINT = 0.01  # loss of accuracy or R² that the shown file may have on validation


def draw_few_bits(trained: TrainedReference, setting: CombinationSetting) -> None:
    """A switch, and behind it the comparison with each alone and the best baseline."""
    st.header("And in few bits?", anchor="few-bits")
    if not widgets.switch(links.PAIRS_IN_FEW_BITS, "Compare in few bits"):
        st.caption(text.FEW_BITS)
        return
    together = requests.few_bits_curve(trained, "combined", setting.method)
    alone: dict[str, Job[Any]] = {
        "low_rank": requests.few_bits_curve(trained, "low_rank", "truncated_svd"),
        "bound": requests.few_bits_curve(trained, "constraint", setting.constraint),
    }
    comparison = verdict.submit_comparison(trained, together, alone)
    ahead = [together, *alone.values(), *([] if comparison is None else [comparison])]
    baselines = {} if any(job.pending for job in ahead) else request_in_turn(trained)
    against_baselines = verdict.submit_baselines(trained, together, baselines)
    titles = (
        COMBINED_METHODS[setting.method].title,
        "Truncated SVD",
        CONSTRAINTS[setting.constraint].title,
    )

    def draw() -> None:
        for title, job in zip(titles, (together, *alone.values()), strict=True):
            show_status(job, f"{title} in few bits")
        curve = together.so_far
        if comparison is None or curve is None:
            return
        line, is_good = _choose_row(curve)
        st.caption(text.describe_few_bits(trained, line, is_good))
        behind = verdict.read_curves(baselines)
        verdict.draw_verdict(
            trained, comparison, against_baselines, behind, line["bytes"], "few_bits_margins"
        )

    watched = [*ahead, *baselines.values()]
    watched += [] if against_baselines is None else [against_baselines]
    follow(draw, *watched, key="combined_few_bits")
    if is_next_due(trained, baselines, ahead):
        st.rerun()


def _choose_row(curve: CurveView) -> tuple[pd.Series, bool]:
    """The smallest file that loses at most a point on validation, else the best; which it is."""
    good = recommend(curve.table, Wish(loss=POINT), curve.reference, "bytes")
    if len(good):
        return good.iloc[0], True
    return curve.table.loc[curve.table["validation_score"].idxmax()], False
