"""The study's fits: asked for, watched, and what there is of them."""

import streamlit as st

from compression.studies.location import default_url
from compression.studies.specification import Study
from pages.shared import jobs
from pages.shared.ui.progress import wait_for

from . import tasks, text
from .results import StudyResults

AT_ONCE = 40  # fits that are computed without being asked for
_STARTED = "_studies_started"


def require_results(study: Study) -> StudyResults:
    """The study's results; until it is over what there is, and the page ends."""
    url = default_url()
    if url is None:
        st.info(text.NO_STORE, icon=":material/info:")
        st.stop()
    started = st.session_state.setdefault(_STARTED, set())
    specification = study.to_json()
    if study.count() > AT_ONCE and specification not in started:
        st.markdown(text.describe_size(study))
        if not st.button(f"Compute {study.count():,} fits", type="primary", key="start_study"):
            st.stop()
        started.add(specification)
    job: jobs.Job[StudyResults] = jobs.submit(tasks.run_study, specification, url)
    results = wait_for(job, "Computing the study")
    if results is None:
        st.caption(text.describe_size(study))
        st.stop()
    return results
