"""Pages as AppTest renders them, once there is nothing left to wait for."""

import re
import time
from pathlib import Path

from streamlit.testing.v1 import AppTest

from pages.shared import jobs

ROOT = Path(__file__).parents[2]
PATIENCE = 400  # seconds: on a busy machine too
SECTIONS = 3  # with a heading, from which on a page links to them


def open_page(page="compare.py", **query):
    """A link to a page, not followed yet."""
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=PATIENCE)
    for name, value in query.items():
        app.query_params[name] = value
    if page != "compare.py":  # where an app begins
        app.switch_page(f"pages/{page}")  # before any run: a link leads straight to its page
    return app


def render(page="compare.py", **query):
    """What a link to a page shows in the end; it shows no error."""
    app = settle(open_page(page, **query))
    assert not app.error
    return app


def settle(app):
    """The whole page, drawn when every job that it asks for was over.

    The jobs are asked, not the progress bars: one that ends within a blink shows none, and what
    it makes possible is asked for in the next run. A fragment's run leaves its own part only, so
    the last run is always one of the whole.
    """
    pool, end = jobs.shared_pool(), time.monotonic() + PATIENCE
    while True:
        known = set(pool.jobs())
        for job in known:
            assert job.wait(end - time.monotonic()), f"{job.task} is still going on"
        app.run()
        assert not app.exception
        if set(pool.jobs()) == known:
            assert not app.get("progress")
            return app


def check_links(app):
    """A page of three sections or more links to all of them, and to nothing else."""
    headings = [heading for heading in app.header if heading.anchor]
    lines = [said.value for said in app.caption if "](#" in said.value]
    if len(app.header) < SECTIONS and not lines:
        return
    (line,) = lines
    assert re.findall(r"\(#([^)]+)\)", line) == [heading.anchor for heading in headings]
    assert len(headings) == len(app.header)
