"""The report, opened from a file with the network cut, its slider moved."""

import re

import pytest

from pages.shared.models import tasks as work
from pages.views.compare import report

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    def go_on(*arguments, **named):
        return True

    trained = work.reference(go_on, "iris", "mlp", 0)
    low_rank = work.low_rank_curve(go_on, trained.origin, method="truncated_svd")
    constrained = work.constrained_curve(go_on, trained.origin, constraint="box")
    text = report.report(
        trained, trained.layers[0], low_rank, constrained, 1, 0.5, link="http://127.0.0.1/"
    )
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_report_works_with_the_network_cut(browser, file):
    context = browser.new_context(offline=True, viewport={"width": 1280, "height": 1500})
    page = context.new_page()
    errors, asked = [], []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
    page.on("request", lambda request: asked.append(request.url))
    page.goto(file.as_uri())
    page.locator(".slider-group").first.wait_for()
    for number, letter in enumerate(("k", "c")):
        slider = page.locator(".slider-group").nth(number)
        before = slider.locator(".slider-label").first.text_content()
        text = page.locator("svg").first.evaluate("e => e.textContent")
        box = slider.locator(".slider-rail-touch-rect").bounding_box()
        page.mouse.move(box["x"] + 5, box["y"] + box["height"] / 2)
        page.mouse.down()
        page.mouse.move(box["x"] + 0.9 * box["width"], box["y"] + box["height"] / 2, steps=10)
        page.mouse.up()
        page.wait_for_function(
            "before => document.querySelector('svg').textContent !== before", arg=text
        )
        after = slider.locator(".slider-label").first.text_content()
        assert before != after, letter
    # What a frame does not change has to stay: both matrices have all their squares.
    squares = page.locator(".scatterlayer .trace .points path.point").count()
    assert squares >= 2 * 9
    assert not errors
    assert [url for url in asked if not re.match(r"file:|data:|blob:", url)] == []
    context.close()
