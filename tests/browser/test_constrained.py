"""The constrained page in a real browser: the bound by keyboard and by a click, and the race."""

import pytest

import compression
from benchmarks.browser import wait_until_idle

pytestmark = pytest.mark.browser

WAYS = ".st-key-constrained_ways_chart .js-plotly-plot"


def open_page(server, visit, options=""):
    page = visit(f"{server.address}/constrained?dataset=iris&model=softmax_regression{options}")
    page.locator(".st-key-ways_csv").wait_for()  # below the chart
    wait_until_idle(page)
    return page


def certificate(page):
    return page.locator('[data-testid="stAlert"]', has_text="Certified")


def find_bound(page):
    return page.locator(".st-key-bound [data-testid=stSliderThumbValue]")


def test_a_bound_moved_by_keyboard_has_its_own_certificate(server, visit):
    page = open_page(server, visit)
    before, at = certificate(page).inner_text(), find_bound(page).inner_text()
    page.locator(".st-key-bound input[type=range]").press("ArrowLeft")
    page.wait_for_function(
        """before => [...document.querySelectorAll('[data-testid="stAlert"]')]
                    .some(e => e.innerText.includes('Certified') && e.innerText !== before)""",
        arg=before,
    )
    assert float(find_bound(page).inner_text()) < float(at)


def test_a_click_moves_the_bound_on_a_point_of_the_chosen_way_only(server, visit):
    page = open_page(server, visit)
    page.locator(WAYS).scroll_into_view_if_needed()
    page.wait_for_timeout(500)
    at = find_bound(page).inner_text()
    # A point of the second way that no other way's point covers, then one of the first.
    for way in (1, 0):
        point = page.locator(WAYS).evaluate(
            """(g, way) => {
                 const x = g._fullLayout.xaxis, y = g._fullLayout.yaxis;
                 const box = g.getBoundingClientRect();
                 const of = t => Array.from(t.x, (v, i) => ({
                   x: box.x + x._offset + x.d2p(v),
                   y: box.y + y._offset + y.d2p(t.y[i]), c: t.customdata[i][0]}));
                 const own = of(g._fullData[way]), other = of(g._fullData[1 - way]);
                 return own.find(p => other.every(q => Math.hypot(p.x - q.x, p.y - q.y) > 25));
               }""",
            way,
        )
        page.mouse.move(point["x"], point["y"])
        page.wait_for_timeout(300)
        page.mouse.click(point["x"], point["y"])
        if way == 1:
            wait_until_idle(page)
            assert find_bound(page).inner_text() == at
    page.wait_for_function(
        """at => {
             const now = document.querySelector('.st-key-bound [data-testid=stSliderThumbValue]');
             return now && now.innerText !== at;
           }""",
        arg=at,
    )
    assert float(find_bound(page).inner_text()) == pytest.approx(point["c"], rel=1e-3)


def test_a_race_runs_to_its_end_with_every_solver_that_fits(server, visit):
    page = open_page(server, visit, "&race=true")
    chart = page.locator(".st-key-race_seconds .js-plotly-plot")
    chart.first.wait_for()
    wait_until_idle(page)
    members = compression.CONSTRAINTS["box"].load()()
    fitting = {
        entry.title.replace(", ", " and ")
        for entry in compression.SOLVERS.values()
        if entry.load()().applies("softmax", members) is None
    }
    assert fitting
    assert set(chart.evaluate("g => g._fullData.map(t => t.name)")) == fitting
    assert page.locator(".st-key-race_csv").count() == 1


def test_the_plane_of_two_weights_moves_with_the_bound(server, visit):
    page = open_page(server, visit, "&plane=true")
    planes = {
        name: page.locator(f".st-key-{name} .js-plotly-plot")
        for name in ("plane_of_all_bounds", "plane_of_one_bound")
    }
    for chart in planes.values():
        chart.first.wait_for()
    wait_until_idle(page)

    def read_chart(chart):
        return chart.evaluate(
            """g => {
                 const of = name => g._fullData.find(t => t.name === name);
                 return {title: g.layout.title.text, window: g._fullLayout.xaxis.range[1],
                         edge: Math.max(...of('allowed').x), star: of('optimum').x[0],
                         names: g._fullData.map(t => t.name)};
               }"""
        )

    before = {name: read_chart(chart) for name, chart in planes.items()}
    page.locator(".st-key-bound input[type=range]").press("ArrowLeft")
    for name in planes:
        page.wait_for_function(
            """([name, title]) => {  // while a chart is exchanged there is none for a moment
                 const chart = document.querySelector(`.st-key-${name} .js-plotly-plot`);
                 return chart?.layout && chart.layout.title.text !== title;
               }""",
            arg=[name, before[name]["title"]],
        )
    wait_until_idle(page)  # until then the old chart stands beside the new one
    for name, chart in planes.items():
        at, now = before[name], read_chart(chart)
        assert f"c = {float(find_bound(page).inner_text()):.3g}" in now["title"]
        assert now["edge"] == pytest.approx(float(find_bound(page).inner_text()), rel=1e-2)
        assert now["edge"] < at["edge"]
        assert abs(now["star"]) <= now["edge"] * (1 + 1e-9)
        assert (now["window"] < at["window"]) == (name == "plane_of_one_bound")
        assert "less loss than the optimum" in now["names"]
    assert page.locator('[data-testid="stException"]').count() == 0
    members = compression.CONSTRAINTS["box"].load()()
    ways = {
        entry.title.replace(", ", " and ")
        for name, entry in compression.SOLVERS.items()
        if name != "cvxpy" and entry.load()().applies("softmax", members) is None
    }
    assert ways <= set(read_chart(planes["plane_of_one_bound"])["names"])
