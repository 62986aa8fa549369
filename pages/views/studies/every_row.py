"""Every row of the study as a line over axes, and how time grows with size: on request."""

import numpy as np
import pandas as pd
import streamlit as st

import data
from compression.studies.specification import Study
from pages.shared import links
from pages.shared.ui import charts, widgets

from . import figures, text
from .results import StudyResults

# Rows drawn by default: without a graphics card a browser draws a thousand per second.
DRAWN_LINES = 3000


def draw_every_row(study: Study, results: StudyResults) -> None:
    st.header(text.SECTIONS["rows"], anchor="rows")
    if not widgets.switch(links.EVERY_ROW, text.EVERY_ROW):
        return
    overview = results.overview
    if not len(overview.sample):
        st.info(text.NO_ROWS, icon=":material/info:")
        return
    sample = _choose_lines(overview.sample)
    styles = {each.label: figures.style_of(each) for each in study.curves}
    tasks = {name: data.find(name).task for name in sample["dataset"].unique()}
    for task, rows in sample.groupby(sample["dataset"].map(tasks)):
        charts.draw(
            figures.coordinates(rows, str(task), styles),
            f"study_rows_{task}",
            f"Parallel coordinates of {len(rows):,} rows: curve, knob, share, scores and splits",
        )
    curves = int(overview.facts["curves"].iloc[0])
    st.caption(text.describe_sample(len(sample), curves))
    pairs = zip(overview.times["dataset"], overview.times["model"], strict=True)
    times = overview.times.assign(pair=[text.name_pair(*pair) for pair in pairs])
    alt = f"Seconds of {len(times)} fits by the size of their references' files, a line a curve"
    charts.draw(figures.growth(times, styles), "study_growth", alt)
    st.caption(text.GROWTH)


def _choose_lines(sample: pd.DataFrame) -> pd.DataFrame:
    """All rows that there are where few are, or who looks wants them; else some of them."""
    if len(sample) <= DRAWN_LINES:
        return sample
    if widgets.switch(links.UNTHINNED, text.UNTHINNED.format(len(sample))):
        return sample
    drawn = np.linspace(0, len(sample) - 1, DRAWN_LINES).round().astype(int)
    return sample.iloc[drawn]
