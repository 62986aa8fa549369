"""The frame that every page stands in, and the way a page waits for a job."""

import time
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import streamlit as st

from pages.shared.jobs import Job

ICON = str(Path(__file__).parents[2] / ".streamlit" / "icon.svg")
BETWEEN_LOOKS = 0.5  # seconds
NO_NEED_TO_SAY = 0.7  # seconds: a job that is over by then never shows a progress bar
FLUSH = 0.012  # seconds: a little more than Streamlit's own pause between two messages
FIRST_LOOK = 0.3  # seconds that a picture may come later, to come with its first points


def stand(title: str, sentence: str = "") -> None:
    """Begin a page: what it answers, below the title that app.py has drawn.

    A folder named ``pages`` is also Streamlit's own older mechanism: on a server that has just
    started, a link straight to a page runs that file alone. Such a visitor is sent through app.py.

    Parameters
    ----------
    title : str
        As in the menu; "Low rank" is pages/low_rank.py.
    sentence : str
    """
    if "_shell" not in st.session_state:
        st.session_state["_want"] = f"pages/{title.lower().replace(' ', '_')}.py"
        st.switch_page("app.py", query_params=_asked())
    if sentence:
        st.caption(sentence)


def arrive() -> None:
    """Take a visitor who came through ``stand``'s detour to the page that was asked for."""
    st.session_state["_shell"] = True
    if (page := st.session_state.pop("_want", None)) is not None:
        st.switch_page(page, query_params=_asked())


def _asked() -> dict[str, list[str]]:
    """The URL's parameters, those given several times too."""
    return {name: st.query_params.get_all(name) for name in st.query_params}


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
    if job.pending and job.seconds < NO_NEED_TO_SAY:
        job.wait(NO_NEED_TO_SAY)
    if job.status == "done":
        return job.result

    def draw() -> None:
        status(job, label)
        if so_far is not None and job.partial is not None:
            so_far(job)

    follow(draw, job)
    return None


def send() -> None:
    """Let what was drawn so far go ahead of what comes.

    Streamlit sends what there is every 10 ms. Numbers that travel with charts stand in the same
    page update, and a browser shows them when Plotly is done.
    """
    time.sleep(FLUSH)


def follow(draw: Callable[[], Any], *watched: Job, key: str | None = None) -> None:
    """Draw now, and again twice a second while a job is going on; then run the app once more.

    ``draw`` becomes a fragment: only what it draws is drawn again. Nothing is polled once the
    jobs are over. ``key`` names the fragment for ``st.rerun(scope=...)``.
    """
    pending = any(job.pending for job in watched)
    for job in watched:
        if job.pending and job.seconds < FIRST_LOOK:
            job.wait_for_news(FIRST_LOOK)

    @wraps(draw)
    def look() -> None:
        if pending and not any(job.pending for job in watched):
            st.rerun()
        draw()

    st.fragment(look, run_every=BETWEEN_LOOKS if pending else None, key=key)()


def status(job: Job, label: str) -> None:
    """Progress of a job with a button to cancel; or why there is no result, with one to try again.

    Nothing when the job is done. It does not look again by itself: see ``follow``.
    """
    if job.pending:
        said = f"{label}: {job.message}" if job.message else label
        if job.status == "waiting":
            said = f"{label}: waiting for its turn"
        with st.container(horizontal=True, vertical_alignment="center"):
            st.progress(job.progress, f"{said} · {job.seconds:.0f} s")
            st.button("Cancel", key=f"cancel-{id(job)}", on_click=job.cancel)
        return
    if job.status == "failed":
        st.error(f"{label} did not work: {job.error}", icon=":material/error:")
        again = "Try again"
    elif job.status == "cancelled":
        st.info(f"{label} was stopped.", icon=":material/stop_circle:")
        again = "Start again"
    else:
        return
    st.button(again, key=f"again-{id(job)}", on_click=job.retry)
