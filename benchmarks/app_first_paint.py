"""How long until a visitor sees the title, and how long until all pictures?"""

import itertools
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Browser, Page

from .browser import CHARTS, alternate, open_browser, open_page, wait_until_idle, write_bare_app
from .server import ROOT, serve_app
from .table import Row

BARE = """import streamlit as st

st.title("Bare")
st.slider("x", 1, 64)
"""
BARE_CHARTS = """import plotly.graph_objects as go
import streamlit as st

st.title("Bare")
st.slider("x", 1, 64)
for number in range(5):
    st.plotly_chart(go.Figure({"y": list(range(100))}), key=str(number))
"""
BARE_DRAWN = "document.querySelectorAll('.js-plotly-plot:has(.main-svg)').length === 5"
PAINT, WARM, COLD = 1.3, 2.0, 10.0  # to reach: a ratio, seconds, seconds
KEPT = 1.5  # to reach: a ratio
DRAWN = [
    f".st-key-{key} {CHARTS}"
    for key in (
        "low_rank_spectrum",
        "low_rank_predictions",
        "constrained_spectrum",
        "constrained_predictions",
        "plane_chart",
    )
]


def rows() -> Iterator[Row]:
    with open_browser() as browser:
        yield paint(browser)
        yield measure_cold(browser)
        yield from restart(browser)
        yield from measure_warm(browser)


def paint(browser: Browser, rounds: int = 5) -> Row:
    """Cold servers that are up, a browser without a cache; from the address to a visible title."""
    with tempfile.TemporaryDirectory() as folder:
        bare = write_bare_app(Path(folder), BARE)
        ours, peers = alternate(
            rounds,
            lambda: _time_title(browser, ROOT, "Compare"),
            lambda: _time_title(browser, bare, "Bare"),
        )
    ratio = ours / peers
    return Row(
        "first paint of the title, cold server",
        f"{ours:.2f} s",
        f"{peers:.2f} s, a bare page",
        ratio,
        f"≤ {PAINT}",
        ratio <= PAINT,
    )


def _time_title(browser: Browser, folder: Path, title: str) -> float:
    with serve_app(folder) as server, open_page(browser) as page:
        start = time.perf_counter()
        page.goto(server.address, wait_until="commit")
        # Looked for at every frame: a locator that waits looks twice a second only.
        page.wait_for_function(f"document.querySelector('h1')?.innerText === {title!r}")
        return time.perf_counter() - start


def measure_cold(browser: Browser, rounds: int = 3) -> Row:
    """From the command that starts the server to all charts of a first visit."""
    (seconds,) = alternate(rounds, lambda: _from_command(browser))
    return _compare_with_limit("digits + mlp, from the command to all charts", seconds, COLD)


def _from_command(browser: Browser) -> float:
    start = time.perf_counter()
    with serve_app() as server, open_page(browser) as page:
        page.goto(server.address, wait_until="commit")
        wait_for_charts(page)
        return time.perf_counter() - start


def restart(browser: Browser, rounds: int = 5) -> Iterator[Row]:
    """Cold servers that are up; all of a visit's results are kept from an earlier process."""
    with tempfile.TemporaryDirectory() as folder:
        bare = write_bare_app(Path(folder), BARE_CHARTS)
        store = f"sqlite:///{Path(folder) / 'kept.db'}"
        with serve_app(store=store) as server, open_page(browser) as page:
            page.goto(server.address)
            wait_until_idle(page)
        first, every, peers = alternate(
            rounds,
            lambda: _time_until(
                browser, ROOT, f"{DRAWN}.some(e => document.querySelector(e))", store
            ),
            lambda: _time_until(
                browser, ROOT, f"{DRAWN}.every(e => document.querySelector(e))", store
            ),
            lambda: _time_until(browser, bare, BARE_DRAWN, "none"),
        )
    for what, seconds, goal in (("the first chart", first, KEPT), ("all charts", every, None)):
        ratio = seconds / peers
        yield Row(
            f"a choice kept by an earlier process, cold server, from the address to {what}",
            f"{seconds:.2f} s",
            f"{peers:.2f} s, a bare page with five charts",
            ratio,
            "" if goal is None else f"≤ {goal}",
            None if goal is None else ratio <= goal,
        )


def _time_until(browser: Browser, folder: Path, drawn: str, store: str) -> float:
    """Seconds from a cold server's address until a condition holds in the page."""
    with serve_app(folder, store=store) as server, open_page(browser) as page:
        start = time.perf_counter()
        page.goto(server.address, wait_until="commit")
        page.wait_for_function(drawn)
        return time.perf_counter() - start


def measure_warm(browser: Browser, rounds: int = 5) -> Iterator[Row]:
    """Workers are up, nothing is known of the seed that is asked for: training and both curves."""
    seeds = itertools.count(1000)
    finished = []

    with serve_app() as server, open_page(browser) as page:
        page.goto(f"{server.address}/?seed=999")
        wait_until_idle(page)

        def visit() -> float:
            start = time.perf_counter()
            page.goto(f"{server.address}/?seed={next(seeds)}", wait_until="commit")
            wait_for_charts(page)
            seconds = time.perf_counter() - start
            page.wait_for_function("!document.querySelector('[data-testid=stProgress]')")
            finished.append(time.perf_counter() - start)
            wait_until_idle(page)
            return seconds

        def change() -> float:
            """By the seed's own button. A chart whose figure changes is a new element."""
            page.evaluate(f"window.before = {DRAWN}.map(e => document.querySelector(e))")
            start = time.perf_counter()
            page.locator('.st-key-seed [data-testid="stNumberInputStepUp"]').click()
            page.wait_for_function(
                f"""{DRAWN}.map(e => document.querySelector(e))
                    .every((e, i) => e && e !== window.before[i])"""
            )
            seconds = time.perf_counter() - start
            wait_until_idle(page)
            return seconds

        (seconds,) = alternate(rounds, visit)
        (on_page,) = alternate(rounds, change)
    yield _compare_with_limit(
        "digits + mlp, warm, link to a new seed, until all charts", seconds, WARM
    )
    yield _compare_with_limit("the same, seed changed on the page", on_page, WARM)
    whole = sorted(finished)[len(finished) // 2]
    yield Row(
        "the link, until every point of both curves",
        f"{whole:.2f} s",
        f"{seconds:.2f} s, all charts",
        whole / seconds,
        "",
        None,
    )


def wait_for_charts(page: Page) -> None:
    """All charts are drawn, whether or not their curves have all points yet."""
    page.wait_for_function(f"{DRAWN}.every(e => document.querySelector(e))")


def _compare_with_limit(question: str, seconds: float, limit: float) -> Row:
    return Row(
        question,
        f"{seconds:.2f} s",
        f"{limit:g} s, the limit",
        seconds / limit,
        f"≤ {limit:g} s",
        seconds <= limit,
    )
