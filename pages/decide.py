"""The smallest model for a score, over all that was computed, and how sure that is."""

import streamlit as st

from pages.shared.app_shell import begin_page
from pages.shared.models import controls
from pages.shared.models.text import reference_line
from pages.shared.ui import charts
from pages.views.decide import sections, text

begin_page("Decide", "The smallest model for a score, over all methods, and how sure that is.")
charts.begin()
trained = controls.require_reference(controls.choose_reference())
st.markdown(reference_line(trained))
jobs = sections.jobs(trained)
measurement = sections.measurement(trained, jobs)
measured = measurement.result if measurement else None
sections.choose(trained, jobs, measured)
sections.latency(measurement)
if measurement is not None and measurement.result is not measured:
    st.rerun()  # it ended while the page was drawn: nothing else would look again
st.divider()
charts.take_away("Decide", *text.of_figures(trained, jobs))
