"""The study's fits: asked for, watched, and what there is of them."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import streamlit as st

from compression.errors import CompressionError
from compression.studies.location import default_url
from compression.studies.specification import Study
from pages.shared import jobs
from pages.shared.ui.progress import wait_for

from . import tasks, text
from .results import StudyResults

if TYPE_CHECKING:
    from compression.studies import StudyStore

AT_ONCE = 40  # most fits that start without a request
_STARTED, _ATTEMPT = "_studies_started", "_studies_attempt"


def require_results(study: Study, draw_so_far: Callable[[StudyResults], None]) -> StudyResults:
    """The study's results; until it is over what there is, and the page ends."""
    url = default_url()
    if url is None:
        st.info(text.NO_STORE, icon=":material/info:")
        st.stop()
    started = st.session_state.setdefault(_STARTED, set())
    specification = study.to_json()
    if (study.folds or study.count() > AT_ONCE) and specification not in started:
        _ask_to_start(study, url)
        started.add(specification)
    job, ahead = submit(specification, url), st.empty()
    if job.pending:
        ahead.markdown(_look_ahead(study, url))

    def draw(job: jobs.Job[StudyResults]) -> None:
        if job.partial is not None:
            draw_so_far(job.partial)

    results = wait_for(job, "Computing the study", draw)
    if results is None:
        st.caption(text.ONE_CORE)
        st.stop()
    ahead.empty()
    if results.damaged:
        st.info(text.count_damaged(results.damaged), icon=":material/healing:")
    return results


def _ask_to_start(study: Study, url: str) -> None:
    """Say how much is to come and how long it may take; the page ends until somebody wants it."""
    from compression.studies import describe_estimate, estimate_time

    try:
        estimate = estimate_time(study, open_store(url))
    except CompressionError as error:
        st.error(str(error))
        st.stop()
    if not estimate.fits:
        return
    st.markdown(text.describe_size(study))
    st.markdown(f"{describe_estimate(estimate)}. {text.ONE_CORE}")
    if not st.button(f"Compute {estimate.fits:,} fits", type="primary", key="start_study"):
        st.stop()


def _look_ahead(study: Study, url: str) -> str:
    """What a study that starts by itself is made of, and how long it may take."""
    from compression.studies import describe_estimate, estimate_time

    size = text.describe_size(study)
    try:
        return f"{size} {describe_estimate(estimate_time(study, open_store(url)))}."
    except CompressionError:  # the job says why
        return size


def submit(specification: str, url: str) -> jobs.Job[StudyResults]:
    attempt = st.session_state.get(_ATTEMPT, 0)
    return jobs.submit(tasks.run_study, specification, url, attempt)


def try_again(store: "StudyStore", names: Iterable[str]) -> None:
    """Forget what failed of these studies; the next run of the page computes it."""
    for name in names:
        store.forget_failed(name)
    st.session_state[_ATTEMPT] = st.session_state.get(_ATTEMPT, 0) + 1


@st.cache_resource(show_spinner=False, max_entries=2)
def open_store(url: str) -> "StudyStore":
    """The store, opened once; raises StoreError."""
    from compression.studies import StudyStore

    return StudyStore(url)
