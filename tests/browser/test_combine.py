"""The page that combines in a real browser: both sliders moved by a click on a cell."""

import pytest

from benchmarks.browser import wait_until_idle

pytestmark = pytest.mark.browser

HEAT = ".st-key-combined_heat .js-plotly-plot"


def open_page(server, visit):
    page = visit(f"{server.address}/combine?dataset=iris&pair_epochs=2")
    page.locator(".st-key-combined_plane .js-plotly-plot").first.wait_for()  # the last chart
    wait_until_idle(page)
    page.locator(HEAT).scroll_into_view_if_needed()
    page.wait_for_timeout(500)
    return page


def cells(page):
    """Rank, bound, middle and size on the screen of every cell."""
    return page.locator(HEAT).evaluate(
        """g => {
             const x = g._fullLayout.xaxis, y = g._fullLayout.yaxis;
             const box = g.getBoundingClientRect();
             const points = g._fullData.find(t => t.type === 'scatter');
             return points.customdata.map(([rank, bound], i) => ({
               rank, bound,
               x: box.x + x._offset + x.l2p(x._categories.indexOf(points.x[i])),
               y: box.y + y._offset + y.l2p(y._categories.indexOf(points.y[i])),
               width: x._length / x._categories.length,
               height: y._length / y._categories.length}));
           }"""
    )


def sliders(page):
    return [
        float(page.locator(f".st-key-{knob} [data-testid=stSliderThumbValue]").inner_text())
        for knob in ("rank", "bound")
    ]


@pytest.mark.parametrize("aside", [0, 0.4], ids=["middle", "corner"])
def test_a_click_anywhere_in_a_cell_moves_both_sliders(server, visit, aside):
    page = open_page(server, visit)
    start = sliders(page)
    far = [c for c in cells(page) if c["rank"] != start[0] and c["bound"] != start[1]]
    for cell in (far[0], far[-1]):
        x, y = cell["x"] + aside * cell["width"], cell["y"] + aside * cell["height"]
        page.mouse.move(x, y)
        page.wait_for_timeout(300)
        hovered = page.locator(f"{HEAT} .hoverlayer").text_content()
        assert f"k = {cell['rank']:g}, ρ = {cell['bound']:g}" in hovered
        page.mouse.click(x, y)
        page.wait_for_function(
            """([rank, bound]) => ['rank', 'bound'].every((knob, i) => Number(document.querySelector(
                 `.st-key-${knob} [data-testid=stSliderThumbValue]`)?.innerText) === [rank, bound][i])""",
            arg=[cell["rank"], cell["bound"]],
        )
        wait_until_idle(page)
        words = f"rank={cell['rank']:g}", f"bound={cell['bound']:g}"
        assert all(word in page.url for word in words)
