"""Every page for every reader: axe-core in light and dark, a telephone, a keyboard."""

import pytest

from benchmarks.accessibility import page_names, show_scheme, violations
from benchmarks.browser import wait_until_idle

pytestmark = pytest.mark.browser

CLOSED = '[data-testid="stExpander"] details:not([open]) summary'
IRIS = "dataset=iris&model=softmax_regression&baselines=none"
ON_REQUEST = {"atlas": "&here=true"}  # what a page shows only then
# Words of a chart that reach out of its picture are cut.
CUT = """() => [...document.querySelectorAll('.js-plotly-plot svg.main-svg text')].filter(text => {
  const words = text.getBoundingClientRect();
  const picture = text.closest('svg.main-svg').getBoundingClientRect();
  return words.width && (words.left < picture.left - 1 || words.right > picture.right + 1);
}).map(text => text.textContent)"""

# Words that end in dots: a number's change, a link's page.
SHORTENED = """() => [
  ...document.querySelectorAll(
    '[data-testid="stMetricDelta"] *, [data-testid="stPageLink-NavLink"] *')
].filter(e => e.clientWidth && e.scrollWidth > e.clientWidth + 1).map(e => e.innerText)"""
# Words of one cell that reach over another's.
OVER = """() => {
  const all = [...document.querySelectorAll('.js-plotly-plot .heatmap-label')]
    .map(label => [label.textContent, label.getBoundingClientRect()]);
  return all.flatMap(([words, a], i) => all.slice(i + 1)
    .filter(([_, b]) => a.left < b.right - 1 && b.left < a.right - 1
                        && a.top < b.bottom - 1 && b.top < a.bottom - 1)
    .map(([others]) => `${words} | ${others}`));
}"""


@pytest.mark.parametrize("name", page_names())
def test_axe_finds_nothing_and_nothing_is_wider_than_the_window(server, visit, name):
    page = visit(f"{server.address}/{name}?{IRIS}{ON_REQUEST.get(name, '')}")
    page.locator('[data-testid="stHeading"]').first.wait_for()
    title = name.replace("_", " ").capitalize()
    page.wait_for_function(f"document.title === '{title} · Compress'")
    check_for_every_reader(page)


def check_for_every_reader(page):
    """Everything opened: axe-core in both schemes, and no words beyond their room in any width."""
    wait_until_idle(page)
    page.locator("style#compress-style").wait_for(state="attached")
    while (closed := page.locator(CLOSED)).count():
        closed.first.click()
        wait_until_idle(page)
    found = {}
    for scheme in ("light", "dark"):
        show_scheme(page, scheme)
        found[scheme] = violations(page)
    assert found == {"light": [], "dark": []}
    check_widths(page)


def check_widths(page):
    """No words beyond their room, whatever the window's width."""
    for width in (1024, 390):
        page.set_viewport_size({"width": width, "height": 900})
        page.wait_for_timeout(500)  # charts follow their boxes
        wide = "[document.documentElement, document.querySelector('[data-testid=stMain]')]"
        assert page.evaluate(f"Math.max(...{wide}.map(e => e.scrollWidth))") <= width
        assert page.evaluate(CUT) == []
        assert page.evaluate(OVER) == []
        assert page.evaluate(SHORTENED) == []


def test_a_few_tabs_lead_from_one_slider_to_the_other(server, visit):
    page = visit(f"{server.address}/?{IRIS}")
    page.locator(".st-key-plane_chart .js-plotly-plot").wait_for()
    wait_until_idle(page)
    page.locator(".st-key-rank input[type=range]").focus()
    stops, reached = 0, page.locator(".st-key-bound input[type=range]:focus")
    while not reached.count():
        page.keyboard.press("Tab")
        stops += 1
        assert stops <= 12  # 18 with the buttons of two charts on the way
