"""The main path in a real browser: open, wait, move, click, follow a link, light and dark."""

import os
import signal
import subprocess

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

IRIS = "dataset=iris&model=softmax_regression"
CHARTS = ".js-plotly-plot"


def charts(page, count):
    page.wait_for_function(f"document.querySelectorAll('{CHARTS}').length >= {count}")
    idle(page)


def idle(page):
    page.wait_for_function(
        """() => document.querySelector('[data-testid="stApp"]')
             ?.getAttribute('data-test-script-state') === 'notRunning'
             && !document.querySelector('[data-testid="stProgress"]')"""
    )
    page.wait_for_timeout(700)  # a poll that was under way
    page.wait_for_function(
        """() => document.querySelector('[data-testid="stApp"]')
             .getAttribute('data-test-script-state') === 'notRunning'"""
    )


def slider(page, key):
    return page.locator(f".st-key-{key} input[type=range]")


def shown(page, key):
    """What a slider says of itself."""
    return page.locator(f".st-key-{key} [data-testid=stSliderThumbValue]").inner_text()


def parameters(page):
    """The two sides' numbers of parameters, LMM's and COC's."""
    values = page.locator('[data-testid="stMetric"]:has-text("Parameters")').all_inner_texts()
    return [text.split("\n")[1] for text in values]


def move(page, key, press):
    before = parameters(page)
    slider(page, key).focus()
    slider(page, key).press(press)
    page.wait_for_function(
        """before => JSON.stringify([...document.querySelectorAll('[data-testid="stMetric"]')]
             .map(m => m.innerText).filter(t => t.includes('Parameters'))
             .map(t => t.split("\\n")[1])) !== JSON.stringify(before)""",
        arg=before,
    )
    idle(page)
    return before, parameters(page)


def test_a_first_visit_ends_in_all_charts_without_a_click(server, visit):
    page = visit(server)
    page.get_by_role("heading", name="Compare").wait_for()
    charts(page, 5)
    assert slider(page, "rank").is_visible()
    assert page.locator(".st-key-dataset input").input_value() == "digits"
    assert len(parameters(page)) == 2


def test_a_slider_moved_by_keyboard_changes_its_own_side_only(server, visit):
    page = visit(server)
    charts(page, 5)
    before, after = move(page, "rank", "ArrowRight")
    assert before[0] != after[0]
    assert before[1] == after[1]
    before, after = move(page, "bound", "ArrowLeft")
    assert before[0] == after[0]
    assert before[1] != after[1]
    assert "rank=" in page.url
    assert "bound=" in page.url


def test_a_click_on_a_curve_moves_its_side(server, visit):
    page = visit(server)
    charts(page, 5)
    plane = page.locator(f".st-key-plane_chart {CHARTS}")
    plane.scroll_into_view_if_needed()
    page.wait_for_timeout(500)
    place = plane.evaluate(
        """g => {
             const trace = g._fullData.find(t => t.name === 'LMM');
             const axis = g._fullLayout.xaxis, other = g._fullLayout.yaxis;
             const box = g.getBoundingClientRect();
             return {x: box.x + axis._offset + axis.d2p(trace.x[2]),
                     y: box.y + other._offset + other.d2p(trace.y[2])};
           }"""
    )
    page.mouse.move(place["x"], place["y"])
    page.wait_for_timeout(200)
    page.mouse.click(place["x"], place["y"])
    page.wait_for_function("location.search.includes('rank=3')")
    idle(page)
    assert shown(page, "rank") == "3"


def test_a_link_shows_the_same_picture_on_a_cold_server(cold_server, visit):
    page = visit(f"{cold_server}/compare?{IRIS}&seed=3&rank=1&bound=0.4")
    charts(page, 5)
    assert shown(page, "rank") == "1"
    assert abs(float(shown(page, "bound")) - 0.4) < 0.04  # the nearest bound of the curve
    assert page.locator(".st-key-seed input").input_value() == "3"
    assert page.get_by_role("link", name="Constrained").is_visible()  # the app's own menu


def test_what_a_url_asks_in_vain_is_said_and_replaced(server, visit):
    page = visit(f"{server}/?dataset=nope&model=lenet5&seed=x&rank=1000000000&bound=nan")
    charts(page, 5)
    remarks = " ".join(page.locator('[data-testid="stAlert"]').all_inner_texts())
    for word in ("nope", "'x'", "1000000000", "nan"):
        assert word in remarks


@pytest.mark.parametrize("width", [1024, 1440])
def test_light_and_dark_differ_and_nothing_is_wider_than_the_window(server, visit, tmp_path, width):
    colours = []
    for scheme in ("light", "dark"):
        page = visit(
            f"{server}/?{IRIS}", color_scheme=scheme, viewport={"width": width, "height": 900}
        )
        charts(page, 5)
        page.screenshot(path=tmp_path / f"{scheme}-{width}.png", full_page=True)
        body = '[data-testid="stApp"]'
        colours.append(page.locator(body).evaluate("e => getComputedStyle(e).backgroundColor"))
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert colours[0] != colours[1]


def test_a_closed_tab_ends_no_training(server, visit):
    page = visit(f"{server}/?{IRIS}&seed=77")
    page.locator('[data-testid="stProgress"], .js-plotly-plot').first.wait_for()
    page.context.close()
    page = visit(f"{server}/?{IRIS}&seed=77")
    charts(page, 5)


def test_a_cancelled_curve_keeps_the_points_it_has(server, visit):
    page = visit(f"{server}/?dataset=mnist_5k&model=lenet300&seed=5")
    page.get_by_role("button", name="Cancel").first.wait_for()
    page.locator(".st-key-plane_chart").wait_for()
    page.wait_for_timeout(2000)
    page.get_by_role("button", name="Cancel").first.click()
    page.get_by_role("button", name="Start again").first.wait_for()
    assert page.locator(CHARTS).count() >= 3


def test_a_killed_worker_is_reported_and_replaced(cold_server, visit):
    page = visit(f"{cold_server}/?dataset=mnist_5k&model=lenet300&seed=6")
    page.get_by_role("button", name="Cancel").first.wait_for()
    for pid in workers():
        os.kill(pid, signal.SIGKILL)
    page.get_by_text("it was replaced").first.wait_for()
    page.get_by_role("button", name="Try again").first.click()
    page.locator('[data-testid="stProgress"]').first.wait_for()


def workers():
    """Worker processes of the newest server."""
    server = subprocess.run(
        ["pgrep", "-n", "-f", "streamlit run app.py"], capture_output=True, text=True
    ).stdout.strip()
    children = subprocess.run(["pgrep", "-P", server, "-f", "loky"], capture_output=True, text=True)
    return [int(pid) for pid in children.stdout.split()]
