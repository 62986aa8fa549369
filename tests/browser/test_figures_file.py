"""A page's figures, taken away: all in one file, and each by its camera."""

import pytest

pytestmark = pytest.mark.browser

CHARTS = ".js-plotly-plot"
CAMERA = "[data-title^='Download plot']"


def count_charts(page):
    """How many charts there are once nothing more is coming."""
    page.get_by_role("button", name="Figures as HTML").first.wait_for()
    before, quiet = -1, 0
    while quiet < 4:
        idle = page.locator('[data-testid="stApp"][data-test-script-state="notRunning"]').count()
        waiting = page.locator('[data-testid="stProgress"]').count()
        now = page.locator(CHARTS).count()
        quiet = quiet + 1 if idle and not waiting and now == before else 0
        before = now
        page.wait_for_timeout(400)
    return before


def take_picture(page, place):
    page.locator(f"{place}{CHARTS}").first.hover()
    with page.expect_download() as begun:
        page.locator(f"{place}{CAMERA}").first.click()
    return begun.value


def taken_away(page, path):
    with page.expect_download() as begun:
        page.get_by_role("button", name="Figures as HTML").first.click()
    begun.value.save_as(path)
    assert begun.value.suggested_filename == "iris-softmax_regression-truncated-svd.html"
    return path.read_text(encoding="utf-8")


def test_figures_come_as_they_are_now_in_a_file_that_asks_nobody(server, visit, tmp_path):
    page = visit(f"{server.address}/low_rank?dataset=iris&model=softmax_regression&rank=1")
    count = count_charts(page)
    file = tmp_path / "figures.html"
    assert "with rank 1 and" in taken_away(page, file)

    page.locator(".st-key-rank input[type=range]").press("ArrowRight")
    page.get_by_text("This makes the model larger").wait_for()
    count_charts(page)
    text = taken_away(page, file)
    assert "with rank 2 and" in text
    assert "with rank 1 and" not in text

    alone = visit(file.as_uri())
    alone.wait_for_function(f"document.querySelectorAll('{CHARTS} .main-svg').length >= {count}")
    assert alone.locator(CHARTS).count() == count
    assert alone.locator("figcaption").count() == count
    take_picture(alone, "").save_as(tmp_path / "picture.svg")
    assert (tmp_path / "picture.svg").read_text(encoding="utf-8").startswith("<svg")


def test_a_chart_s_camera_takes_a_png_that_is_named_after_it(server, visit, tmp_path):
    page = visit(f"{server.address}/low_rank?dataset=iris&model=softmax_regression")
    count_charts(page)
    picture = take_picture(page, ".st-key-low_rank_spectra ")
    assert picture.suggested_filename == "low-rank-spectra.png"
    picture.save_as(tmp_path / "picture.png")
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")
