"""A Streamlit server and a real browser, for what a person waits for."""

import contextlib
import os
import shutil
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).parents[1]
APP = ROOT / "app.py"
CHARTS = ".js-plotly-plot .main-svg"  # of a chart that Plotly has drawn
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
def serving(script: Path) -> Iterator[str]:
    """A cold server of a Streamlit script, up but not asked for a page yet; gives its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = {
        "server.port": str(port),
        "server.address": "127.0.0.1",
        "server.headless": "true",
        "server.fileWatcherType": "none",
        "browser.gatherUsageStats": "false",
    }
    command = [sys.executable, "-m", "streamlit", "run", str(script)]
    command += [f"--{name}={value}" for name, value in options.items()]
    process = subprocess.Popen(
        command,
        cwd=script.parent,
        env=os.environ,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_for_health(address)
        yield address
    finally:
        process.terminate()
        process.wait(10)


def _wait_for_health(address: str) -> None:
    for _ in range(600):
        with (
            contextlib.suppress(OSError),
            urllib.request.urlopen(f"{address}/_stcore/health") as answer,
        ):
            if answer.read() == b"ok":
                return
        time.sleep(0.05)
    raise TimeoutError(f"no Streamlit server answered at {address} within 30 s")


@contextlib.contextmanager
def browsing() -> Iterator[Browser]:
    """The Chromium on the PATH, or Playwright's own."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    with sync_playwright() as session:
        browser = session.chromium.launch(executable_path=found, args=ARGUMENTS)
        yield browser
        browser.close()


@contextlib.contextmanager
def opened(browser: Browser) -> Iterator[Page]:
    """A tab of a visitor who was never here: nothing cached."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.set_default_timeout(180_000)
    yield page
    context.close()


def wait_until_idle(page: Page) -> None:
    """Nothing runs and nothing is waited for."""
    page.wait_for_function(
        """() => {
             const app = document.querySelector('[data-testid="stApp"]');
             const idle = app?.getAttribute('data-test-script-state') === 'notRunning'
                          && !document.querySelector('[data-testid="stProgress"]');
             const now = performance.now();
             if (!idle) window.idleSince = undefined;
             else window.idleSince ??= now;
             return idle && now - window.idleSince > 1000;
           }"""
    )


def interleaved(rounds: int, *measures: Callable[[], float]) -> list[float]:
    """The median of each measure, taken in turns, so that a busy moment meets all of them."""
    taken = [[measure() for measure in measures] for _ in range(rounds)]
    return [statistics.median(column) for column in zip(*taken, strict=True)]
