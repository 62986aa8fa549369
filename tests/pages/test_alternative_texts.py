"""What a chart's alternative text says: what the chart shows now."""

import re

import numpy as np
import pandas as pd
import pytest

from pages.shared.plots import text
from tests.pages.rendering import render, settle

IRIS = {"dataset": "iris", "model": "mlp", "train_epochs": "5"}
SIDES = IRIS | {"layer": "fc2", "rank": "3", "scrub": "true", "differences": "true"}
CONVEX = {"dataset": "diabetes", "model": "linear_regression", "plane": "true", "few_bits": "true"}
# Page, link, key of a slider that is moved, and how many charts that changes at least.
MOVES = {
    "compare, rank": ("compare.py", SIDES, "rank", 4),
    "compare, bound": ("compare.py", SIDES, "bound", 4),
    "compare, numbers": (
        "compare.py",
        {"dataset": "diabetes", "model": "mlp", "train_epochs": "5"},
        "rank",
        3,
    ),
    "constrained": ("constrained.py", IRIS | {"passes": "1"}, "bound", 7),
    "constrained, convex": ("constrained.py", CONVEX, "bound", 14),
    "low rank": ("low_rank.py", IRIS | {"layer": "fc2"}, "rank", 5),
    "combine": (
        "combine.py",
        {"dataset": "iris", "model": "softmax_regression"},
        "bound",
        3,
    ),
}


def charts(app):
    """Key -> (specification, alternative text) of every chart."""
    found = {chart.proto.id.split("-")[-1]: chart.proto for chart in app.get("plotly_chart")}
    return {key: (own.spec, own.alt) for key, own in found.items()}


@pytest.mark.parametrize("name", MOVES)
def test_a_chart_that_a_slider_changes_says_so_in_its_alternative_text(name):
    page, link, key, least = MOVES[name]
    app = render(page, baselines="none", **link)
    before = charts(app)
    assert all(alt for _, alt in before.values())
    slider = app.select_slider(key=key)
    values = [float(value) for value in slider.options]
    here = values.index(float(slider.value))
    slider.set_value(values[here - 1 if here else 1]).run()
    after = charts(settle(app))
    changed = {one for one in before if one in after and before[one][0] != after[one][0]}
    assert len(changed) >= least
    assert not {one for one in changed if before[one][1] == after[one][1]}
    for one in changed:
        assert re.search(r"\d", after[one][1]), after[one][1]
        assert "**" not in after[one][1]


def test_the_alternative_texts_of_a_choice_on_decide_name_it():
    app = render("decide.py", **IRIS, lose="1")
    before = charts(app)
    app.number_input(key="lose").set_value(20.0).run()
    app.segmented_control(key="by").set_value("macs").run()
    after = charts(settle(app))
    for key in ("decide_plane", "decide_changes"):
        assert before[key][0] != after[key][0]
        assert before[key][1] != after[key][1]
    name = after["decide_plane"][1].partition("picked is ")[2]
    assert f"**{name}**" in [said.value for said in app.markdown]


def test_a_confusion_matrix_is_told_by_what_is_right_and_its_most_frequent_mistake():
    counts = np.array([[5, 0, 1], [2, 4, 0], [0, 0, 6]])
    assert text.describe_confusion(counts, ["a", "b", "c"], "LMM, rank 8") == (
        "Confusion matrix on the test set of LMM, rank 8: 15 of 18 right; most often b taken for a "
        "(2 times)"
    )
    perfect = text.describe_confusion(np.diag([3, 4]), ["a", "b"], "LMM")
    assert perfect == "Confusion matrix on the test set of LMM: 7 of 7 right"


def test_predictions_of_numbers_are_told_by_how_far_they_are_off():
    true, own, its = np.array([0.0, 2.0]), np.array([1.0, 4.0]), np.array([0.0, 1.0])
    said = text.describe_errors(true, own, its, "COC, c = 0.2")
    assert "of COC, c = 0.2: off" in said
    assert said.endswith("off by 1.5 on average, the reference by 0.5")


def test_a_learning_curve_is_told_by_where_it_begins_and_ends():
    history = pd.DataFrame({"train_loss": [3.0, 1.0], "validation_loss": [3.5, 2.0]})
    said = text.describe_learning(history)
    assert said == "Loss by epoch, over 2 epochs: training 3 to 1, validation 3.5 to 2"
