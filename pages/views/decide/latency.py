"""How long the networks take, measured on request."""

from collections.abc import Mapping

import pandas as pd
import streamlit as st

from compression.latency import REFERENCE, RankLatencies
from pages.shared import links
from pages.shared.jobs import Job, submit
from pages.shared.models.results import TrainedReference
from pages.shared.ui import charts, widgets
from pages.shared.ui.progress import wait_for

from . import figures, tasks, text
from .choice import Series
from .series import BOX

MICROSECONDS = 1e6  # in a second
_ARCHITECTURES = {REFERENCE: "Reference", tasks.DENSE: "Constrained (dense)"}


def submit_measurement(
    trained: TrainedReference, jobs: Mapping[Series, Job]
) -> Job[RankLatencies] | None:
    """The job that measures latencies, if it is asked for and can begin."""
    if not widgets.is_switched(links.MEASURE):
        return None
    box = next(job.result for series, job in jobs.items() if series.name == BOX)
    return None if box is None else submit(tasks.latencies, trained.origin, box.files[0])


def draw_latency(job: Job[RankLatencies] | None) -> None:
    st.header("How long does it take?", anchor="latency")
    if not widgets.switch(links.MEASURE, "Measure latency on this machine"):
        st.caption(text.ASK_LATENCY)
        return
    if job is None:
        st.caption(text.NOT_MEASURED)
        return
    measured = wait_for(job, "Measuring")
    if measured is None:
        return
    st.markdown(text.describe_break_even(measured))
    left, right = st.columns([3, 2], gap="medium")
    ranks = measured.ranks
    if len(ranks):
        with left:
            charts.draw(
                figures.speed(measured),
                "decide_speed",
                f"How many times faster low rank is than the reference at {ranks['rank'].nunique()} "
                f"ranks: {ranks['ratio'].min():.2f} to {ranks['ratio'].max():.2f}",
            )
    right.dataframe(_format_latencies(measured), hide_index=True)
    st.caption(text.LATENCY)


def _format_latencies(measured: RankLatencies) -> pd.DataFrame:
    """Median time of a call and its interval, for each network and batch; dense ones first."""
    lines: dict[str, dict[str, str]] = {name: {} for name in _ARCHITECTURES.values()}
    for _, line in measured.table.iterrows():
        middle, low, high = (
            f"{MICROSECONDS * line[name]:.3g}"
            for name in ("latency", "latency_low", "latency_high")
        )
        network = lines.setdefault(_ARCHITECTURES.get(line["model"], line["model"]), {})
        network[f"batch {line['batch']} (µs)"] = f"{middle} ({low}–{high})"
    return pd.DataFrame(lines).T.rename_axis("network").reset_index()
