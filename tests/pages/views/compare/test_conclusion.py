"""The sentence above the two sides, and their headings before anything is computed."""

import re

import pandas as pd
import pytest
from scipy.stats import binomtest

from pages.shared.models import constrained_tasks
from pages.shared.models import tasks as work
from pages.views.compare import text
from tests.pages.rendering import open_page, render, settle


def go_on(*arguments, **named):
    return True


def line(score, size):
    return pd.Series({"score": score, "bytes": size})


@pytest.mark.parametrize(
    ("low_rank", "constrained", "probability", "expected"),
    [
        (
            line(0.9, 500),
            line(0.9, 1000),
            0.69,
            "**LMM** has a file 2× smaller than COC's at the same score: **no difference is "
            "shown**, 9 of 360 samples differ, p = 0.69.",
        ),
        (
            line(0.85, 3000),
            line(0.9, 1000),
            0.0001,
            "**LMM** has a file 3× larger than COC's and scores 5.0 points less: **a difference "
            "is shown**, 9 of 360 samples differ, p < 0.001.",
        ),
        (
            line(0.95, 1000),
            line(0.9, 1001),
            0.051,
            "**LMM** has a file as long as COC's and scores 5.0 points more: **no difference is "
            "shown**, 9 of 360 samples differ, p = 0.051.",
        ),
    ],
)
def test_the_conclusion_names_size_score_and_whether_they_differ(
    low_rank, constrained, probability, expected
):
    found = text.describe_conclusion(low_rank, constrained, "classification", 9, 360, probability)
    assert found == expected


def test_the_conclusion_of_numbers_counts_no_samples():
    found = text.describe_conclusion(line(0.5, 10), line(0.512, 20), "regression", 89, 89, 0.2)
    assert "and scores 0.012 of R² less" in found
    assert "samples" not in found


def conclusion_of(app):
    (found,) = [said.value for said in app.markdown if said.value.startswith("**LMM** has")]
    return found


def test_the_conclusion_follows_both_sliders():
    app = render(dataset="wine", model="mlp")
    trained = work.reference(go_on, "wine", "mlp", 0)
    low_rank = work.low_rank_curve(go_on, trained.origin, ("truncated_svd", None))
    constrained = constrained_tasks.constrained_curve(
        go_on, trained.origin, constraint="box", way="projected_training"
    )
    seen = set()
    for rank, place in ((1, 0), (1, -1), (5, -1)):
        app.select_slider(key="rank").set_value(rank).run()
        settle(app)
        bound = app.select_slider(key="bound").options[place]
        app.select_slider(key="bound").set_value(float(bound)).run()
        found = conclusion_of(settle(app))
        first = low_rank.predictions[low_rank.row(rank)]
        second = constrained.predictions[constrained.row(float(bound))]
        only = [
            int(((one == trained.target) & (other != trained.target)).sum())
            for one, other in ((first, second), (second, first))
        ]
        expected = binomtest(only[0], sum(only)).pvalue if sum(only) else 1.0
        assert f"{int((first != second).sum())} of {len(trained.target)} samples differ" in found
        said = re.search(r"p (?:= ([\d.e-]+)|< 0.001)", found)
        assert (
            (float(said[1].rstrip(".")) == float(f"{expected:.2g}")) if said[1] else expected < 1e-3
        )
        assert ("a difference is shown" in found) == (expected < 0.05)
        seen.add(found)
    assert len(seen) > 1


def test_a_model_that_low_rank_leaves_alone_has_a_conclusion_too():
    assert "no difference is shown" in (
        said := conclusion_of(render(dataset="diabetes", model="linear_regression"))
    )
    assert "R²" in said or "at the same score" in said


def test_both_sides_are_named_while_the_first_model_trains():
    app = open_page(dataset="mnist_5k", model="lenet5", seed="4711").run()
    assert app.get("progress")
    said = " ".join(words.value for words in (*app.header, *app.markdown))
    for part in (word for heading in text.HEADINGS for word in heading):
        assert part in said
    assert text.NO_CONCLUSION in said
    assert not app.button(key="preset_0").disabled
    app.button(key=next(b.key for b in app.button if b.label == "Cancel")).click().run()
