"""A real browser, for what a person waits for, and a bare app to hold ours against."""

import contextlib
import shutil
import statistics
from collections.abc import Callable, Iterator
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

CHARTS = ".js-plotly-plot .main-svg"  # of a chart that Plotly has drawn
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
BARE_CONFIG = """[server]
fileWatcherType = "none"
[browser]
gatherUsageStats = false
"""
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


@contextlib.contextmanager
def open_browser() -> Iterator[Browser]:
    """The Chromium on the PATH, or Playwright's own."""
    executable = next(filter(None, map(shutil.which, NAMES)), None)
    with sync_playwright() as session:
        browser = session.chromium.launch(executable_path=executable, args=ARGUMENTS)
        yield browser
        browser.close()


def write_bare_app(folder: Path, script: str) -> Path:
    """A Streamlit app of one page, as quiet as ours: the peer of what is measured."""
    (folder / ".streamlit").mkdir()
    (folder / ".streamlit" / "config.toml").write_text(BARE_CONFIG)
    (folder / "app.py").write_text(script)
    return folder


@contextlib.contextmanager
def open_page(browser: Browser) -> Iterator[Page]:
    """A tab of a visitor who was never here: nothing cached."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.set_default_timeout(180_000)
    yield page
    context.close()


def wait_until_idle(page: Page) -> None:
    """Wait until for a second from now on nothing has run and nothing was waited for.

    Not for a part of Streamlit's own script either: until it is there a skeleton stands for it.
    """
    page.evaluate("window.idleSince = undefined")  # of an earlier wait: a click came since
    page.wait_for_function(
        """() => {
             const app = document.querySelector('[data-testid="stApp"]');
             const idle = app?.getAttribute('data-test-script-state') === 'notRunning'
                          && document.querySelector('h1')  // before its first run it is idle too
                          && !document.querySelector(
                               '[data-testid="stProgress"], [data-testid="stSkeleton"]');
             const now = performance.now();
             if (!idle) window.idleSince = undefined;
             else window.idleSince ??= now;
             return idle && now - window.idleSince > 1000;
           }"""
    )


def alternate(rounds: int, *measures: Callable[[], float]) -> list[float]:
    """The median of each measure, taken in turns, so that a busy moment meets all of them."""
    taken = [[measure() for measure in measures] for _ in range(rounds)]
    return [statistics.median(column) for column in zip(*taken, strict=True)]
