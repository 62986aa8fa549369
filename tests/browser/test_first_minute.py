"""What a stranger meets: formulas before a model is there, the tour, and Back."""

import pytest

from benchmarks.browser import wait_until_idle

pytestmark = pytest.mark.browser

IRIS = "dataset=iris&model=softmax_regression&baselines=none"


def test_the_formulas_are_readable_while_the_first_model_trains(server, visit):
    page = visit(f"{server.address}/?dataset=mnist_5k&model=lenet300&seed=41")
    page.locator(".katex").nth(1).wait_for()
    page.get_by_text("Training the reference").first.wait_for()
    assert page.locator(".st-key-rank").count() == 0  # no side is there yet
    page.get_by_role("button", name="Cancel").first.click()


def test_a_layer_is_chosen_in_the_picture_and_the_tour_stands_in_the_link(server, visit):
    page = visit(f"{server.address}/?{IRIS.replace('softmax_regression', 'mlp')}&tour=2")
    page.get_by_text("Step 2 of 6").wait_for()
    picture = page.locator(".st-key-network_chart .js-plotly-plot")
    picture.wait_for()
    page.locator(".st-key-constrained_file").wait_for()
    wait_until_idle(page)
    place = picture.evaluate(
        """g => { const at = g.getBoundingClientRect(), x = g._fullLayout.xaxis,
                        y = g._fullLayout.yaxis;
                  return [at.left + x._offset + x.d2p(1), at.top + y._offset + y.d2p(0)]; }"""
    )
    page.mouse.move(*place)
    page.wait_for_timeout(100)
    page.mouse.click(*place)
    page.locator(".st-key-tour", has_text="done").wait_for()
    assert "fc2" in page.locator(".st-key-layer input").input_value()
    page.get_by_role("button", name="Next").click()
    page.get_by_text("Step 3 of 6").wait_for()
    assert "tour=3" in page.url
    page.get_by_role("button", name="End the tour").click()
    page.locator(".st-key-tour").wait_for(state="detached")


def test_back_and_forward_are_one_press_a_page_and_keep_its_choices(server, visit):
    def arrive(title, key):
        page.wait_for_function(f"document.title === '{title} · Compress'")
        page.locator(f".st-key-{key}").wait_for()
        wait_until_idle(page)

    page = visit(f"{server.address}/?{IRIS}&bound=0.5&cost=macs")
    page.locator(".st-key-plane_chart .js-plotly-plot").wait_for()
    arrive("Compare", "plane_chart")
    slider = page.locator(".st-key-bound [data-testid=stSliderThumbValue]")
    before = slider.inner_text()
    for title, key in (("Train", "learning_curve"), ("Decide", "lose")):
        page.get_by_role("link", name=title, exact=True).click()
        arrive(title, key)
    page.go_back()
    arrive("Train", "learning_curve")
    assert "lose" not in page.url
    page.go_back()
    arrive("Compare", "plane_chart")
    assert page.locator(".st-key-dataset input").input_value() == "Iris"
    assert page.locator(".st-key-model input").input_value() == "Softmax regression"
    assert slider.inner_text() == before
    assert "cost=MACs" in page.url
    page.go_forward()
    arrive("Train", "learning_curve")
    page.go_forward()
    arrive("Decide", "lose")


def test_what_draws_charts_is_loaded_before_there_is_a_chart(server, visit):
    page = visit(f"{server.address}/your_data")
    page.wait_for_function(
        "performance.getEntriesByType('resource').some(e => e.name.includes('PlotlyChart'))"
    )
    assert page.locator(".js-plotly-plot").count() == 0
