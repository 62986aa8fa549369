"""The smallest model for a score, over all that was computed, and how sure that is."""

import streamlit as st

from pages.shared import app_shell as shell
from pages.shared.models import controls as reference
from pages.shared.models import text as words
from pages.shared.ui import charts
from pages.shared.ui import widgets as choices
from pages.views.decide import sections as decide_sections
from pages.views.decide import text as decide_words

shell.stand("Decide", "The smallest model for a score, over all methods, and how sure that is.")
charts.begin()
trained = reference.needed(choices.header())
st.markdown(words.reference(trained))
jobs = decide_sections.jobs(trained)
measurement = decide_sections.measurement(trained, jobs)
measured = measurement.result if measurement else None
decide_sections.choose(trained, jobs, measured)
decide_sections.latency(measurement)
if measurement is not None and measurement.result is not measured:
    st.rerun()  # it ended while the page was drawn: nothing else would look again
st.divider()
charts.take_away("Decide", *decide_words.of_figures(trained, jobs))
