"""A real server and a real browser."""

import contextlib
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.server import Server, serve_app


@contextlib.contextmanager
def _serving(folder: Path) -> Iterator[Server]:
    """A cold server of the app; nothing may have gone wrong in it without being caught."""
    log = folder / "terminal.txt"
    with serve_app(log=log) as running:
        yield running
    # A worker that was starting when its server was stopped finds its pipe empty.
    said = re.sub(
        r"LokyProcess-\d+ failed.*?Ran out of input", "", log.read_text(), flags=re.DOTALL
    )
    assert "Traceback" not in said, said


@pytest.fixture(scope="session")
def server(browser, tmp_path_factory):
    with _serving(tmp_path_factory.mktemp("server")) as running:
        yield running


def pytest_collection_modifyitems(items):
    """One more try, and the summary names it: a busy machine may end a wait, a fault fails twice."""
    for item in items:
        if item.get_closest_marker("browser"):
            item.add_marker(pytest.mark.flaky(reruns=1))


@pytest.fixture
def cold_server(browser, tmp_path):
    """One that nobody has asked anything yet."""
    with _serving(tmp_path) as running:
        yield running


def _without_a_browser(reason: str) -> None:
    sentence = f"no browser to drive: {reason}"
    if os.environ.get("CI") == "true":
        pytest.fail(sentence)
    pytest.skip(sentence)


@pytest.fixture(scope="session")
def browser():
    try:
        from playwright.sync_api import Error, sync_playwright

        from benchmarks.browser import ARGUMENTS, NAMES
    except ImportError as error:
        _without_a_browser(str(error))
    found = next(filter(None, map(shutil.which, NAMES)), None)
    with sync_playwright() as session:
        try:
            running = session.chromium.launch(executable_path=found, args=ARGUMENTS)
        except Error as error:
            _without_a_browser(str(error).splitlines()[0])
        yield running
        running.close()


@pytest.fixture
def visit(browser):
    """Opens pages; afterwards none may have met an error or asked anybody but its own server."""
    errors, strangers, opened = [], [], []

    def visit(url, **options):
        page = browser.new_page(**{"viewport": {"width": 1440, "height": 900}, **options})
        page.set_default_timeout(300_000)
        host = "/".join(url.split("/")[:3])
        own = (f"{host}/", f"{host.replace('http', 'ws')}/", "data:", "blob:")

        def ask(request) -> None:
            if not request.url.startswith(own):
                strangers.append(request.url)

        def listen(said) -> None:
            # On a deep link Streamlit first asks for its health below the page's own path.
            if said.type == "error" and "Failed to load resource" not in said.text:
                errors.append(said.text)

        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", listen)
        page.on("request", ask)
        page.on("websocket", ask)
        opened.append(page)
        page.goto(url)
        return page

    yield visit
    for page in opened:
        if page.is_closed():
            continue
        assert page.locator('[data-testid="stException"]').count() == 0
        page.close()
    assert not errors
    assert not strangers
