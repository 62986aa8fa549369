"""The main path in a real browser: open, wait, move, click, follow a link, light and dark."""

import contextlib
import os
import re
import signal
import time

import pytest

from benchmarks.browser import wait_until_idle
from tests.browser.test_every_page import check_widths

pytestmark = pytest.mark.browser

IRIS = "dataset=iris&model=softmax_regression"
CHARTS = ".js-plotly-plot"


def charts(page, count):
    page.wait_for_function(f"document.querySelectorAll('{CHARTS}').length >= {count}")
    wait_until_idle(page)


def slider(page, key):
    return page.locator(f".st-key-{key} input[type=range]")


def read_slider(page, key):
    """What a slider says of itself."""
    return page.locator(f".st-key-{key} [data-testid=stSliderThumbValue]").inner_text()


PARAMETERS = '[data-testid="stMetric"]:has-text("Parameters") [data-testid="stMetricValue"]'


def parameters(page):
    """The two sides' numbers of parameters, LMM's and COC's."""
    return page.locator(PARAMETERS).all_inner_texts()


def move(page, key, press):
    before = parameters(page)
    for _ in range(3):  # a key pressed while the end of a job redraws the page is lost
        slider(page, key).press(press)
        for _ in range(50):
            if parameters(page) != before:
                wait_until_idle(page)
                return before, parameters(page)
            page.wait_for_timeout(100)
    raise AssertionError(f"{press} on {key} changed nothing")


def count_drawings(page):
    """From now on, notice which side's charts are drawn again."""
    page.evaluate(
        """sides => {
             window.drawn = {};
             for (const side of sides) {
               drawn[side] = false;
               for (const kind of ['spectrum', 'predictions']) {
                 const place = document.querySelector(`.st-key-${side}_${kind}`);
                 new MutationObserver(() => { drawn[side] = true; })
                   .observe(place, {subtree: true, childList: true, attributes: true});
               }
             }
           }""",
        ["low_rank", "constrained"],
    )


def drawings(page):
    return page.evaluate("drawn")


def test_a_first_visit_ends_in_all_charts_without_a_click(server, visit):
    page = visit(server.address)
    page.get_by_role("heading", name="Compare").wait_for()
    charts(page, 6)
    assert slider(page, "rank").is_visible()
    conclusion = page.get_by_text("difference is shown").first
    conclusion.wait_for()
    assert conclusion.bounding_box()["y"] < page.locator(".st-key-rank").bounding_box()["y"]
    assert page.locator(".st-key-dataset input").input_value() == "Digits, 8 × 8"
    assert len(parameters(page)) == 2
    check_widths(page)


@pytest.mark.parametrize("size", [(1440, 900), (390, 844)])
def test_a_slider_and_its_four_numbers_stay_in_sight_to_the_end_of_the_page(server, visit, size):
    width, height = size
    page = visit(f"{server.address}/low_rank?{IRIS}", viewport={"width": width, "height": height})
    charts(page, 2)
    page.get_by_role("button", name="Figures as HTML").scroll_into_view_if_needed()
    wait_until_idle(page)
    place = page.locator(".st-key-in_sight")
    box = place.bounding_box()
    assert box["y"] >= 0
    assert box["y"] + box["height"] <= height
    numbers = place.locator('[data-testid="stMetricValue"]')
    assert numbers.count() == 4
    for number in (*numbers.all(), slider(page, "rank")):
        inside = number.bounding_box()
        assert box["x"] <= inside["x"] <= inside["x"] + inside["width"] <= width
        assert box["y"] <= inside["y"] <= inside["y"] + inside["height"] <= height


def test_a_slider_moved_by_keyboard_changes_its_own_side_only(server, visit):
    page = visit(server.address)
    charts(page, 6)
    count_drawings(page)
    before, after = move(page, "rank", "ArrowRight")
    assert before[0] != after[0]
    assert before[1] == after[1]
    assert drawings(page) == {"low_rank": True, "constrained": False}
    count_drawings(page)
    before, after = move(page, "bound", "ArrowLeft")
    assert before[0] == after[0]
    assert before[1] != after[1]
    assert drawings(page) == {"low_rank": False, "constrained": True}
    assert "rank=" in page.url
    assert "bound=" in page.url


def test_a_click_on_a_curve_moves_its_side(server, visit):
    page = visit(server.address)
    charts(page, 6)
    plane = page.locator(f".st-key-plane_chart {CHARTS}")
    plane.scroll_into_view_if_needed()
    page.wait_for_timeout(500)
    place = plane.evaluate(
        """g => {
             const trace = g._fullData.find(t => t.name === 'LMM');
             const axis = g._fullLayout.xaxis, other = g._fullLayout.yaxis;
             const box = g.getBoundingClientRect();
             return {x: box.x + axis._offset + axis.d2p(trace.x[7]),
                     y: box.y + other._offset + other.d2p(trace.y[7])};
           }"""
    )
    page.mouse.move(place["x"], place["y"])
    page.wait_for_timeout(200)
    page.mouse.click(place["x"], place["y"])
    page.wait_for_function("location.search.includes('rank=8')")
    wait_until_idle(page)
    assert read_slider(page, "rank") == "8"


def test_a_link_shows_the_same_picture_on_a_cold_server(cold_server, visit):
    page = visit(f"{cold_server.address}/compare?{IRIS}&seed=3&rank=1&bound=0.4")
    charts(page, 6)
    assert read_slider(page, "rank") == "1"
    assert abs(float(read_slider(page, "bound")) - 0.4) < 0.04  # the nearest of the curve
    assert page.locator(".st-key-seed input").input_value() == "3"
    assert page.get_by_role("link", name="Constrained").is_visible()  # the app's own menu
    assert page.get_by_role("dialog").count() == 0  # no word of a page that is not there


def test_a_bound_stays_while_the_seed_changes_quickly(server, visit):
    page = visit(f"{server.address}/compare?{IRIS}&seed=3&bound=0.4")
    charts(page, 6)
    seed = page.locator(".st-key-seed input")
    for keys in (["ArrowUp"] * 2, ["ArrowDown"] * 2, ["ArrowUp"] * 2):  # kept curves at the end
        for key in keys:
            seed.press(key)
            page.wait_for_timeout(150)
        page.wait_for_timeout(4000)
        charts(page, 6)
        assert abs(float(read_slider(page, "bound")) - 0.4) < 0.04


def test_what_a_url_asks_in_vain_is_said_and_replaced(server, visit):
    page = visit(f"{server.address}/?dataset=nope&model=lenet5&seed=x&rank=1000000000&bound=nan")
    charts(page, 6)
    remarks = " ".join(page.locator('[data-testid="stAlert"]').all_inner_texts())
    for word in ("nope", "Seed x ", "1000000000", "nan"):
        assert word in remarks


def seconds(page):
    """How long the job that is waited for has been going on, by its own clock."""
    bar = page.locator('[data-testid="stProgress"]').first
    return int(re.search(r"(\d+) s so far", bar.inner_text())[1])


def test_a_closed_tab_ends_no_training(server, visit):
    url = f"{server.address}/?dataset=mnist_5k&model=lenet5&seed=77"
    page = visit(url)
    page.get_by_text("Training the reference: epoch").wait_for()
    page.close()
    time.sleep(4)
    returned = time.monotonic()
    page = visit(url)
    page.get_by_text("Training the reference: epoch").wait_for()
    # Had it been started anew on the return, it could not have gone on for longer than that.
    assert seconds(page) > time.monotonic() - returned + 1
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Start again").click()
    page.get_by_text("Training the reference: epoch").wait_for()  # the page looks on by itself


def both_curves_under_way(page):
    page.get_by_text("Judging every rank: rank").wait_for()
    page.get_by_text("Judging every bound: bound").wait_for()


def test_a_cancelled_curve_keeps_the_points_it_has(server, visit):
    from playwright.sync_api import Error  # here, and not above: without it the test is skipped

    page = visit(f"{server.address}/?dataset=mnist_5k&model=lenet300&seed=5&baselines=none")
    both_curves_under_way(page)
    page.locator(".st-key-constrained_predictions").wait_for()
    stopped = page.get_by_text("Judging every bound was stopped")
    for _ in range(30):  # a job that was told to stop shows its button until it has noticed
        if stopped.count():
            break
        for button in page.get_by_role("button", name="Cancel").all():
            with contextlib.suppress(Error):  # it has gone while it was looked for
                button.click(timeout=2000)
        page.wait_for_timeout(1000)
    stopped.wait_for()
    # The other side may go on: only what the stopped one has is looked at.
    page.locator(f".st-key-constrained_predictions {CHARTS}").first.wait_for()
    page.locator(f".st-key-plane_chart {CHARTS}").first.wait_for()
    page.wait_for_function(
        """chart => document.querySelector(chart)?._fullData
                     ?.find(trace => trace.name === 'COC')?.x.length >= 1""",
        arg=f".st-key-plane_chart {CHARTS}",
    )


def test_one_side_goes_on_when_the_other_fails(cold_server, visit):
    # At equal epochs both sides take long: a worker whose curve is over would die unnoticed.
    choice = "dataset=mnist_5k&model=lenet300&seed=6&sides=equal&baselines=none"
    page = visit(f"{cold_server.address}/?{choice}")
    both_curves_under_way(page)
    os.kill(cold_server.workers()[0], signal.SIGKILL)
    page.get_by_text("it was replaced").wait_for()
    bar = page.locator('[data-testid="stProgress"]', has_text="Judging every")
    assert bar.count() == 1
    before = bar.inner_text()
    bar.filter(has_not_text=before).wait_for()
    page.get_by_role("button", name="Try again").click()
    page.get_by_text("it was replaced").wait_for(state="detached")
    both_curves_under_way(page)  # the page looks on by itself
    page.locator(PARAMETERS).nth(1).wait_for()  # both sides have their numbers


def test_a_click_on_the_other_curve_moves_the_other_side(server, visit):
    page = visit(f"{server.address}/?{IRIS}")
    charts(page, 6)
    plane = page.locator(f".st-key-plane_chart {CHARTS}")
    plane.scroll_into_view_if_needed()
    page.wait_for_timeout(500)
    # The point of COC that lies furthest from all others: a click there can mean nothing else.
    place = plane.evaluate(
        """g => {
             const axis = g._fullLayout.xaxis, other = g._fullLayout.yaxis;
             const box = g.getBoundingClientRect();
             const points = g._fullData.filter(t => t.x && t.customdata).flatMap(t =>
               Array.from(t.x, (x, i) => ({
                 own: t.name === 'COC', bound: t.customdata[i][1],
                 x: box.x + axis._offset + axis.d2p(x),
                 y: box.y + other._offset + other.d2p(t.y[i])})));
             const alone = p => Math.min(...points.filter(q => q !== p)
               .map(q => Math.hypot(p.x - q.x, p.y - q.y)));
             return points.filter(p => p.own)
               .reduce((best, p) => alone(p) > alone(best) ? p : best);
           }"""
    )
    before = read_slider(page, "rank")
    page.mouse.move(place["x"], place["y"])
    page.wait_for_timeout(200)
    page.mouse.click(place["x"], place["y"])
    page.wait_for_function("location.search.includes('bound=')")
    wait_until_idle(page)
    assert float(read_slider(page, "bound")) == place["bound"]
    assert read_slider(page, "rank") == before
