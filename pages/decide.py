"""The smallest model for a score, over all that was computed, and how sure that is."""

import streamlit as st

from pages.shared.app_shell import begin_page
from pages.shared.glossary import explain
from pages.shared.models import controls
from pages.shared.models.text import reference_line
from pages.shared.ui import blocks, charts, widgets
from pages.views.decide import text
from pages.views.decide.answer import draw_answer
from pages.views.decide.candidates import list_requested
from pages.views.decide.latency import draw_latency, submit_measurement
from pages.views.decide.series import is_series_due, submit_series

begin_page("Decide", "The smallest model for a score, over all methods, and how sure that is.")
charts.begin()
first = widgets.open_row()
trained = controls.require_reference(controls.choose_reference(first))
with first:
    path = controls.choose_course()
st.markdown(reference_line(trained), help=explain("reference", "test part"))
blocks.link_sections(text.SECTIONS)
jobs = submit_series(trained, list_requested(trained), path)
measurement = submit_measurement(trained, jobs)
measured = measurement.result if measurement else None
draw_answer(trained, jobs, measured)
draw_latency(measurement)
ended = measurement is not None and measurement.result is not measured
if ended or is_series_due(trained, jobs):
    st.rerun()  # it ended while the page was drawn
st.divider()
charts.take_away(
    "Decide",
    text.file_prefix(trained),
    text.describe_origin(trained, (series.title for series in jobs)),
)
