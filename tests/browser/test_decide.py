"""Choices in a real browser: clicked, lassoed, and loaded into the sliders of their page."""

from urllib.parse import parse_qs, urlparse

import pytest

from benchmarks.browser import wait_until_idle

pytestmark = pytest.mark.browser

PLANE = ".st-key-decide_plane .js-plotly-plot"
CHIPS = ".st-key-compare .react-aria-ComboBox [data-tag]"


def open_page(server, visit):
    page = visit(f"{server.address}/decide?model=softmax_regression&lose=2&by=macs")
    # The first visit waits for hundreds of models: longer than a click on a busy machine.
    page.set_default_timeout(300_000)
    page.locator(PLANE).first.wait_for()  # a redraw may have two for a moment
    wait_until_idle(page)
    page.locator(PLANE).scroll_into_view_if_needed()
    page.wait_for_timeout(500)
    return page


def place(page, name):
    """Where the point of a series is that is farthest from all others, and its choice."""
    return page.locator(PLANE).evaluate(
        """(g, name) => {
             const axis = g._fullLayout.xaxis, other = g._fullLayout.yaxis;
             const box = g.getBoundingClientRect();
             const points = g._fullData.filter(t => t.customdata?.length).flatMap(t =>
               Array.from(t.x, (x, i) => ({name: t.name, choice: t.customdata[i][0],
                                           x: axis.d2p(x), y: other.d2p(t.y[i])}))
             ).filter(p => p.x >= 0 && p.x <= axis._length && p.y >= 0 && p.y <= other._length);
             const apart = p => Math.min(...points.filter(o => o !== p)
                                               .map(o => Math.hypot(o.x - p.x, o.y - p.y)));
             const own = points.filter(p => p.name === name);
             const best = own.reduce((a, b) => apart(b) > apart(a) ? b : a);
             return {x: box.x + axis._offset + best.x, y: box.y + other._offset + best.y,
                     rank: best.choice.split(' ').pop()};
           }""",
        name,
    )


def test_a_click_loads_a_choice_and_one_more_shows_it_in_the_sliders(server, visit):
    page = open_page(server, visit)
    point = place(page, "Truncated SVD")
    page.mouse.move(point["x"], point["y"])
    hover = page.locator(f"{PLANE} .hoverlayer", has_text=f"rank {point['rank']}")
    hover.wait_for(state="attached")
    page.mouse.click(point["x"], point["y"])
    page.locator("p > strong", has_text=f"Truncated SVD, rank {point['rank']}").last.wait_for()
    wait_until_idle(page)
    assert parse_qs(urlparse(page.url).query)["choice"] == [f"Truncated SVD rank {point['rank']}"]
    page.get_by_role("button", name="Open in Compare").click()
    page.get_by_role("heading", name="Compare").wait_for()
    shown = page.locator(".st-key-rank [data-testid=stSliderThumbValue]")
    shown.wait_for()
    assert shown.inner_text() == point["rank"]


def test_a_lasso_puts_points_into_a_table(server, visit):
    page = open_page(server, visit)
    tables = page.locator('[data-testid="stDataFrame"]')
    before = tables.count()
    page.locator(PLANE).hover()
    page.locator(f'{PLANE} [data-title="Lasso Select"]').click()
    point = place(page, "Truncated SVD")
    corners = [(-40, -30), (40, -30), (40, 30), (-40, 30), (-40, -30)]
    page.mouse.move(point["x"] - 40, point["y"] - 30)
    page.mouse.down()
    for right, down in corners:
        page.mouse.move(point["x"] + right, point["y"] + down, steps=5)
    page.mouse.up()
    chips = page.locator(CHIPS)
    chips.first.wait_for()
    wait_until_idle(page)
    assert tables.count() == before + 1
    asked = parse_qs(urlparse(page.url).query)["compare"]
    assert f"Truncated SVD rank {point['rank']}" in asked
    assert len(asked) == chips.count()
    again = visit(page.url)
    again.locator(CHIPS).first.wait_for()
    wait_until_idle(again)
    assert again.locator(CHIPS).count() == len(asked)


def test_choices_are_compared_without_a_mouse(server, visit):
    page = open_page(server, visit)
    tables = page.locator('[data-testid="stDataFrame"]')
    before = tables.count()
    box = page.locator(".st-key-compare input")
    box.focus()
    page.keyboard.type("Truncated SVD + 10 epochs rank 7")
    page.keyboard.press("Enter")
    chips = page.locator(CHIPS)
    chips.first.wait_for()
    wait_until_idle(page)
    assert "Truncated SVD + 10 epochs rank 7" in chips.inner_text()
    tables.nth(before).wait_for()
    box.focus()
    page.keyboard.press("Backspace")
    chips.wait_for(state="detached")
