"""A real server and a real browser."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


@contextlib.contextmanager
def _serving():
    """A cold server of the app; gives its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", "app.py"]
    options = {
        "server.port": port,
        "server.address": "127.0.0.1",
        "server.headless": "true",
        "server.fileWatcherType": "none",
    }
    for name, value in options.items():
        command += [f"--{name}", str(value)]
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(300):
            with contextlib.suppress(OSError):
                if urllib.request.urlopen(f"{address}/_stcore/health").read() == b"ok":
                    break
            time.sleep(0.1)
        else:
            pytest.fail("the server did not answer within 30 s")
        yield address
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture(scope="session")
def server():
    with _serving() as address:
        yield address


@pytest.fixture
def cold_server(browser):
    """One that nobody has asked anything yet."""
    with _serving() as address:
        yield address


@pytest.fixture(scope="session")
def browser():
    playwright = pytest.importorskip("playwright.sync_api")
    found = next(filter(None, map(shutil.which, NAMES)), None)
    with playwright.sync_playwright() as session:
        try:
            running = session.chromium.launch(executable_path=found, args=ARGUMENTS)
        except playwright.Error as error:
            sentence = f"no browser to drive: {str(error).splitlines()[0]}"
            if os.environ.get("CI") == "true":
                pytest.fail(sentence)
            pytest.skip(sentence)
        yield running
        running.close()


@pytest.fixture
def visit(browser):
    """Opens pages; afterwards none may have met an error or asked anybody but its own server."""
    errors, strangers, opened = [], [], []

    def visit(url, **options):
        page = browser.new_page(**{"viewport": {"width": 1440, "height": 900}, **options})
        page.set_default_timeout(60_000)
        host = "/".join(url.split("/")[:3])
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on(
            "request",
            lambda request: (
                strangers.append(request.url)
                if not request.url.startswith((host, host.replace("http", "ws"), "data:", "blob:"))
                else None
            ),
        )
        opened.append(page)
        page.goto(url)
        return page

    yield visit
    for page in opened:
        if page.is_closed():
            continue
        assert page.locator('[data-testid="stException"]').all_inner_texts() == []
        page.close()
    assert not errors
    assert not strangers
