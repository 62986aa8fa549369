"""The smallest model for a score, over all that was computed, and how sure that is."""

import streamlit as st

from pages.shared import charts, choices, decide_sections, decide_words, reference, shell, words

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
