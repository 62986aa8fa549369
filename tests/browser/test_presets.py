"""The menu of presets in a real browser: it closes after a choice, and what is said goes."""

import pytest

from benchmarks.browser import wait_until_idle

pytestmark = pytest.mark.browser

PRESET = "When whitening helps"


def test_the_menu_closes_after_a_choice_and_the_sentence_goes_with_the_next_one(server, visit):
    page = visit(f"{server.address}/?dataset=iris&model=softmax_regression")
    page.locator(".js-plotly-plot").nth(4).wait_for()
    wait_until_idle(page)  # a menu that opens while the page redraws is closed by it
    menu = page.get_by_role("button", name="Presets")
    choice = page.get_by_role("button", name=PRESET)
    menu.click()
    choice.click()
    choice.wait_for(state="hidden")
    said = page.locator('[data-testid="stAlert"]', has_text=PRESET)
    said.get_by_text("plain truncated SVD (ghost)").wait_for()
    assert choice.count() == 0
    wait_until_idle(page)
    # It opens again, as before.
    menu.click()
    choice.wait_for()
    for _ in range(20):  # one that is pressed while the page redraws is lost
        page.keyboard.press("Escape")
        page.wait_for_timeout(500)
        if not choice.is_visible():
            break
    choice.wait_for(state="hidden")
    page.get_by_role("button", name="Close").wait_for()
    page.locator(".st-key-rank input[type=range]").press("ArrowRight")
    said.wait_for(state="detached")
