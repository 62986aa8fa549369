"""The way a page waits for a job: progress, cancel, try again, and what there is so far."""

import time
from collections.abc import Callable
from functools import wraps
from typing import Any

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from pages.shared import jobs
from pages.shared.format import escape_markdown
from pages.shared.jobs import Job

POLL_SECONDS = 0.5  # seconds
SILENT_SECONDS = 1.0  # a job that ends sooner shows no progress bar
FLUSH_SECONDS = 0.012  # slightly longer than Streamlit's pause between messages
FIRST_POINTS_SECONDS = 0.3  # a picture may wait this long for its first points


def _current_session() -> str | None:
    context = get_script_run_ctx(suppress_warning=True)
    return None if context is None else context.session_id


jobs.identify_sessions_by(_current_session)


def wait_for(job: Job, label: str, so_far: Callable[[Job], Any] | None = None) -> Any:
    """The result of a job, or None until there is one; what is known of it is drawn here.

    While it runs: a progress bar, a button to cancel, and what it has so far; the whole app is
    run once more when it is over. Failed or cancelled: the sentence, a button to start again, and
    what it had so far.

    Parameters
    ----------
    job : Job
    label : str
        What is being done: "Training the reference".
    so_far : callable, optional
        Draws the job's ``partial``, once there is one.
    """
    if job.pending and job.seconds < SILENT_SECONDS:
        job.wait(SILENT_SECONDS)
    if job.status == "done":
        return job.result

    def draw() -> None:
        show_status(job, label)
        if so_far is not None and job.partial is not None:
            so_far(job)

    follow(draw, job)
    return None


def flush() -> None:
    """Send what was drawn so far before the rest.

    Streamlit sends what there is every 10 ms. Numbers that travel with charts stand in the same
    page update, and a browser shows them when Plotly is done.
    """
    time.sleep(FLUSH_SECONDS)


def follow(draw: Callable[[], Any], *watched: Job, key: str | None = None) -> None:
    """Draw now, and again twice a second while a job is going on; then run the app once more.

    ``draw`` becomes a fragment: only what it draws is drawn again. Nothing is polled once the
    jobs are over; where one of them is started again the app is run once more, to poll again.
    ``key`` names the fragment for ``st.rerun(scope=...)``.
    """
    pending = any(job.pending for job in watched)
    for job in watched:
        if job.pending and job.seconds < FIRST_POINTS_SECONDS:
            job.wait_for_news(FIRST_POINTS_SECONDS)

    @wraps(draw)
    def look() -> None:
        for job in watched:
            job.look()
        if pending != any(job.pending for job in watched):
            st.rerun()
        draw()

    st.fragment(look, run_every=POLL_SECONDS if pending else None, key=key)()


def show_status(job: Job, label: str) -> None:
    """Progress of a job with a button to cancel; or why there is no result, with one to try again.

    Nothing when the job is done. It does not look again by itself: see ``follow``.
    """
    if job.pending and not job.withdrawn:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.progress(job.progress, describe_progress(job, label))
            st.button("Cancel", key=f"cancel-{id(job)}", on_click=job.cancel)
        return
    if job.status == "failed":
        why = escape_markdown(job.error)  # the message may repeat a file's text
        st.error(f"{label} did not work: {why}", icon=":material/error:")
        again = "Try again"
    elif job.status == "cancelled" or job.pending:
        st.info(f"{label} was stopped.", icon=":material/stop_circle:")
        again = "Start again"
    else:
        return
    st.button(again, key=f"again-{id(job)}", on_click=job.retry)


def describe_progress(job: Job, label: str) -> str:
    """What a job is doing or how far it is from its turn, and its seconds so far and to go."""
    place, to_go = job.look_ahead()
    said = f"{label}: {job.message}" if job.message else label
    if job.status == "waiting" and not job.message:
        said = f"{label}: waiting" + ("" if place is None else f", {write_ordinal(place)} in line")
    left = "" if to_go is None else f", about {max(to_go, 1):.0f} s to go"
    anew = " · what was kept of it was damaged" if job.damaged else ""
    return f"{said} · {job.seconds:.0f} s so far{left}{anew}"


def write_ordinal(number: int) -> str:
    """1st, 2nd, 3rd, 4th, 11th, 21st."""
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{'th' if number % 100 in (11, 12, 13) else ending}"
