"""The picture of all rows of a study: ranges are marked by drawing along its axes."""

import pytest

from benchmarks.browser import wait_until_idle
from benchmarks.server import serve_app

from .test_every_page import check_for_every_reader

pytestmark = pytest.mark.browser

STUDY = "on=Iris&of=mlp&curves=Truncated SVD&curves=Rounding to few bits&seeds=2"
SMALL = "reference_epochs=1&values_truncated_svd=1 2 4 8&values_rounding=2 4 8&rows=true"
PICTURE = ".st-key-study_rows_classification .js-plotly-plot"
AXIS = """(plot, label) => {
  const axes = [...plot.querySelectorAll('.y-axis')];
  const axis = axes.find(each => each.__data__.label.startsWith(label));
  const box = axis.querySelector('.axis-brush .background-bar, .axis-brush').getBoundingClientRect();
  return [box.x + box.width / 2, box.y, box.height];
}"""
RANGE = """(plot, label) =>
  plot._fullData[0].dimensions.find(each => each.label.startsWith(label)).constraintrange || null"""


@pytest.fixture
def page(visit, tmp_path):
    """A small study with all its rows: it needs a store, which the other tests' server has not."""
    with serve_app(store=f"sqlite:///{tmp_path}/studies.db") as running:
        page = visit(f"{running.address}/studies?{STUDY}&{SMALL}")
        page.locator(".st-key-study_growth .js-plotly-plot").wait_for()
        wait_until_idle(page)
        yield page
        assert page.locator('[data-testid="stException"]').count() == 0
        page.close()  # it would miss its server


def test_axe_finds_nothing_in_a_study_with_all_its_rows(page):
    check_for_every_reader(page)


def test_a_range_is_marked_along_an_axis_and_a_click_takes_it_back(page):
    plot = page.locator(PICTURE)
    plot.scroll_into_view_if_needed()
    label = "Validation score"
    assert plot.evaluate(RANGE, label) is None
    x, top, height = plot.evaluate(AXIS, label)
    page.mouse.move(x, top + 0.2 * height)
    page.mouse.down()
    page.mouse.move(x, top + 0.4 * height, steps=5)
    page.mouse.move(x, top + 0.6 * height, steps=5)
    page.mouse.up()
    page.wait_for_timeout(500)
    low, high = plot.evaluate(RANGE, label)
    values = plot.evaluate(
        "(plot, label) => [...plot._fullData[0].dimensions.find(d => d.label.startsWith(label)).values]",
        label,
    )
    span = max(values) - min(values)
    assert max(values) - 0.2 * span == pytest.approx(high, abs=0.1 * span)
    assert max(values) - 0.6 * span == pytest.approx(low, abs=0.1 * span)
    page.mouse.click(x, top + 0.9 * height)
    page.wait_for_timeout(500)
    assert plot.evaluate(RANGE, label) is None
