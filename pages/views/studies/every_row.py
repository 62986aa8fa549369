"""Every row of the study as a line over axes, and how time grows with size: on request."""

import streamlit as st

import data
from compression.studies.specification import Study
from pages.shared import links
from pages.shared.ui import charts, widgets

from . import figures, text
from .results import StudyResults


def draw_every_row(study: Study, results: StudyResults) -> None:
    if not widgets.switch(links.EVERY_ROW, text.EVERY_ROW):
        return
    overview = results.overview
    if not len(overview.sample):
        st.info(text.NO_ROWS, icon=":material/info:")
        return
    styles = {each.label: figures.style_of(each) for each in study.curves}
    tasks = {name: data.find(name).task for name in overview.sample["dataset"].unique()}
    for task, rows in overview.sample.groupby(overview.sample["dataset"].map(tasks)):
        charts.draw(
            figures.coordinates(rows, str(task), styles),
            f"study_rows_{task}",
            f"Parallel coordinates of {len(rows):,} rows: curve, knob, share, scores and splits",
        )
    curves = int(overview.facts["curves"].iloc[0])
    st.caption(text.describe_sample(len(overview.sample), curves))
    pairs = zip(overview.times["dataset"], overview.times["model"], strict=True)
    times = overview.times.assign(pair=[text.name_pair(*pair) for pair in pairs])
    alt = f"Seconds of {len(times)} fits by the size of their references' files, a line a curve"
    charts.draw(figures.growth(times, styles), "study_growth", alt)
    st.caption(text.GROWTH)
