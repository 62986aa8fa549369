"""How long from a slider's key until the number beside it is right, and until nothing moves?"""

import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Page

from .browser import alternate, open_browser, open_page, wait_until_idle, write_bare_app
from .server import serve_app
from .table import Row

LIMIT = 1.5
MOVES = 24
SIDES = {"rank": "low_rank", "bound": "constrained"}
# The peer: the charts that a move draws again, with our data, in one fragment; the others beside.
# Its settings are Streamlit's own: the collection of garbage after each run, 50 ms, comes before or
# after its text is sent, so that the peer's text comes after 36 or after 60 ms.
BARE = """import json
import streamlit as st

@st.cache_data
def charts():
    return json.load(open({path!r}))

@st.fragment
def side():
    x = st.slider("x", 1, 64, 32, key="x")
    st.metric("value", x)
    for number, chart in enumerate(charts()["moving"]):
        layout = {{"height": chart["height"], "title": {{"text": f"at {{x}}"}}}}
        st.plotly_chart({{"data": chart["data"], "layout": layout}}, key=f"chart-{{number}}")

st.title("Bare")
side()
for number, chart in enumerate(charts()["still"]):
    layout = {{"height": chart["height"]}}
    st.plotly_chart({{"data": chart["data"], "layout": layout}}, key=f"still-{{number}}")
"""
# Of one chart: what it shows, with typed arrays as plain ones.
READ = """g => JSON.parse(JSON.stringify({data: g.data, height: g._fullLayout.height},
  (key, value) => ArrayBuffer.isView(value) ? [...value] : value))"""
WATCH = """([slider, text]) => {
  const value = () => [...document.querySelectorAll(text)].map(e => e.innerText).join();
  const before = value(), seen = {start: 0, text: 0, last: 0};
  document.querySelector(slider).addEventListener(
    'keydown', () => { seen.start = seen.last = performance.now(); }, {once: true});
  window.watcher?.disconnect();
  window.watcher = new MutationObserver(() => {
    if (!seen.start) return;
    seen.last = performance.now();
    if (!seen.text && value() !== before) seen.text = seen.last;
  });
  window.watcher.observe(document.body,
    {subtree: true, childList: true, attributes: true, characterData: true});
  window.seen = seen;
}"""
QUIET = "() => seen.text && performance.now() - seen.last > 600"


def rows() -> Iterator[Row]:
    for knob, side in SIDES.items():
        yield from _measure_side(knob, side)


def _measure_side(knob: str, side: str) -> Iterator[Row]:
    with (
        open_browser() as browser,
        tempfile.TemporaryDirectory() as folder,
        serve_app() as ours,
        open_page(browser) as page,
    ):
        page.goto(ours.address)
        page.locator(f".st-key-{knob}").wait_for()
        wait_until_idle(page)
        other = next(name for name in SIDES.values() if name != side)
        charts = {
            "moving": _read(page, f"{side}_spectrum", f"{side}_predictions", "plane_chart"),
            "still": _read(page, f"{other}_spectrum", f"{other}_predictions"),
        }
        (Path(folder) / "charts.json").write_text(json.dumps(charts))
        script = BARE.format(path=str(Path(folder) / "charts.json"))
        bare_app = write_bare_app(Path(folder), script)
        with serve_app(bare_app) as theirs, open_page(browser) as bare:
            bare.goto(theirs.address)
            bare.locator(".st-key-x").wait_for()
            wait_until_idle(bare)
            measured = _prepare_moves(page, knob), _prepare_moves(bare, "x")
            medians = alternate(MOVES, *(next_move for pair in measured for next_move in pair))
    for number, what in enumerate(("the text", "idle")):
        mine, peers = medians[number], medians[2 + number]
        yield Row(
            f"{knob} slider → {what}",
            f"{1000 * mine:.0f} ms",
            f"{1000 * peers:.0f} ms, a bare page with these charts",
            mine / peers,
            f"≤ {LIMIT}",
            mine / peers <= LIMIT,
        )


def _read(page: Page, *keys: str) -> list[dict]:
    return [page.locator(f".st-key-{key} .js-plotly-plot").evaluate(READ) for key in keys]


def _prepare_moves(page: Page, key: str):
    """Two measures of one move, seconds: it is made for the first, and remembered for the second."""
    keys = iter(["ArrowLeft", "ArrowRight"] * MOVES)
    seen = {}

    def time_text() -> float:
        time.sleep(0.2)
        slider = f".st-key-{key} input[type=range]"
        page.locator(slider).focus()
        page.evaluate(WATCH, [slider, "[data-testid=stMetricValue]"])
        page.locator(slider).press(next(keys))
        page.wait_for_function(QUIET)
        seen.update(page.evaluate("seen"))
        return (seen["text"] - seen["start"]) / 1000

    def time_idle() -> float:
        return (seen["last"] - seen["start"]) / 1000

    return time_text, time_idle
