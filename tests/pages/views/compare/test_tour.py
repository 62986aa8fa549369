"""The tour and the exercise: steps in the link, and a prediction that is judged by the curve."""

import pytest

from pages.views.compare import text
from pages.views.compare.tour import STEPS
from tests.pages.rendering import render, settle

IRIS = {"dataset": "iris", "model": "softmax_regression", "baselines": "none"}


def read_steps(app):
    return [part.value for part in app.markdown if part.value.startswith("**Step")]


def test_the_tour_has_six_steps_in_the_link_and_is_ended():
    app = render(**IRIS, tour="1")
    assert read_steps(app) == [f"**Step 1 of 6.** {STEPS[0].says}"]
    assert app.button(key="tour_back").disabled
    app.button(key="tour_next").click()
    assert read_steps(settle(app))[0].startswith("**Step 2 of 6.**")
    assert app.query_params["tour"] == "2"
    app.button(key="tour_end").click()
    assert not read_steps(settle(app))
    assert "tour" not in app.query_params
    assert len(STEPS) == 6


def test_a_step_says_when_it_was_done():
    app = render(**IRIS, tour="4")
    app.segmented_control(key="tie").set_value("bytes")
    assert read_steps(settle(app))[0].endswith("done]")


def test_the_exercise_hides_the_sides_until_a_rank_is_predicted():
    app = render(**IRIS, exercise="rank")
    assert text.EXERCISE in [part.value for part in app.markdown]
    assert not app.select_slider
    (field,) = [number for number in app.number_input if number.label.startswith("Your")]
    field.set_value(2)
    (check,) = [button for button in app.button if button.label == "Check it"]
    check.click()
    settle(app)
    assert app.query_params["guess"] == "2"
    assert app.select_slider(key="rank").value == 2
    (told,) = [info.value for info in app.info if info.value.startswith("You predicted")]
    assert "rank **2**" in told


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("tour", "9"),
        ("tour", "inf"),
        ("tour", ""),
        ("exercise", "x"),
        ("guess", "0"),
        ("guess", "٣"),
    ],
)
def test_a_link_s_step_or_prediction_that_means_nothing_is_dropped_with_a_remark(key, value):
    app = render(**IRIS, **({"exercise": "rank"} if key == "guess" else {}), **{key: value})
    (said,) = [warning.value for warning in app.warning if "is not known" in warning.value]
    assert (f"`{value}`" if value else "an empty text") in said
    assert key not in app.query_params
    assert ("exercise" in app.query_params) == (key == "guess")
