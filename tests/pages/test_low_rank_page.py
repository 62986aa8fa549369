"""The low-rank page, rendered."""

import io
import re

import numpy as np
import pandas as pd
import pytest

import compression
import data
from compression.catalog import BASELINES, LOW_RANK_METHODS
from compression.low_rank.activation_aware_svd import ActivationAwareSVD
from pages.shared.models.text import WITHOUT_BASELINES
from pages.shared.ui.charts import DRAWN
from pages.views.low_rank import text
from pages.views.low_rank.figures import budgets
from tests.pages.rendering import render


@pytest.mark.parametrize(
    ("dataset", "model", "charts"),
    # A weight of one row has no rank that pays: there is no error to predict.
    [("iris", "softmax_regression", 10), ("diabetes", "linear_regression", 9)],
)
def test_every_section_is_drawn_from_a_link(dataset, model, charts):
    app = render(
        "low_rank.py",
        dataset=dataset,
        model=model,
        folds="true",
        share="true",
        methods="all",
        scale="log",
    )
    headings = [heading.value for heading in app.header]
    assert len(headings) == 5
    assert len(app.get("plotly_chart")) == charts
    # All of them go into the file of figures.
    assert len(app.session_state[DRAWN]) == charts
    assert app.get("download_button")[-1].label == "Figures as HTML"
    assert app.toggle(key="folds").value
    assert app.toggle(key="share").value
    assert len(app.get("download_button")) >= 6


def test_the_answer_comes_first_and_its_button_takes_it():
    app = render("low_rank.py", dataset="iris", model="softmax_regression", rank="3")
    answer = next(text.value for text in app.markdown if "the fewest parameters" in text.value)
    suggested = re.search(r"\*\*Rank (\d+)\*\*", answer).group(1)
    assert suggested != "3"
    app.button(key="take_rank").click().run()
    assert app.select_slider(key="rank").value == int(suggested)
    assert not [button for button in app.button if button.key == "take_rank"]


def test_links_lead_to_every_section():
    app = render("low_rank.py", dataset="iris", model="softmax_regression")
    (links,) = [text.value for text in app.caption if "](#" in text.value]
    assert set(re.findall(r"\(#([^)]+)\)", links)) == {h.anchor for h in app.header}


def test_a_rank_above_the_break_even_is_said_to_make_the_model_larger():
    def warns(rank):
        app = render("low_rank.py", dataset="iris", model="softmax_regression", rank=rank)
        return any("This makes the model larger" in warning.value for warning in app.warning)

    # k* of a 3 x 4 weight is 1: 1 · 7 < 12, 2 · 7 > 12.
    assert warns("2")
    assert not warns("1")


def test_a_link_says_which_inputs_which_ridge_and_how_many_epochs():
    app = render(
        "low_rank.py",
        dataset="iris",
        model="softmax_regression",
        method="activation_aware_svd",
        calibration="sequential",
        ridge="0.1",
        methods="tuned",
        epochs="2",
    )
    assert app.select_slider(key="ridge").value == 0.1
    assert app.select_slider(key="epochs").value == 2
    assert app.get("button_group")
    said = " ".join(caption.value for caption in app.caption)
    assert text.CALIBRATION in said
    assert text.BASELINE in said
    drawn = app.session_state[DRAWN]["low_rank_methods_chart"][1]
    named = [trace.name for trace in drawn.data if trace.showlegend]
    title = LOW_RANK_METHODS["activation_aware_svd"].title
    assert named == [title, f"{title} + 2 epochs"]


def test_a_curve_that_compares_methods_has_a_baseline_for_each():
    app = render(
        "low_rank.py", dataset="iris", model="softmax_regression", methods="all", epochs="1"
    )
    drawn = app.session_state[DRAWN]["low_rank_methods_chart"][1]
    named = {trace.name for trace in drawn.data if trace.showlegend}
    titles = {entry.title for entry in LOW_RANK_METHODS.values() if "linear" in entry.layers}
    # "(not optimal before fine-tuning)" is said of the method without it.
    assert named == titles | {f"{title.split(' (')[0]} + 1 epoch" for title in titles}


@pytest.mark.parametrize(
    ("method", "stored"),
    [
        # 25 channels on either side and 3 entries: rank k holds 25 k + 3 k² + 25 k of 25 · 25 · 3.
        ("tucker2", lambda k: 50 * k + 3 * k**2),
        ("cp", lambda k: 53 * k),
    ],
)
def test_a_kernel_s_own_method_says_its_own_break_even_rank(method, stored):
    link = {"dataset": "mnist1d", "model": "conv1d", "method": method, "layer": "conv2"}
    app = render("low_rank.py", **link, rank="14", train_epochs="2")
    # The linear layer has ten ranks: the link was not refused before the curve was there.
    assert app.select_slider(key="rank").value == 14
    assert not [warning for warning in app.warning if "not possible" in warning.value]
    said = " ".join(part.value for part in [*app.markdown, *app.warning])
    best = int(re.search(r"up to k\* = (\d+)", said)[1])
    slider = app.select_slider(key="rank_conv2")
    assert int(slider.options[-1]) == best
    assert best == max(k for k in range(1, 75) if stored(k) < 25 * 25 * 3)
    captions = " ".join(caption.value for caption in app.caption)
    assert "This method takes the kernel as it is" in captions
    assert "Not compressed here: fc" in captions


def test_every_table_of_the_page_can_be_taken_away_whole(downloads):
    render(
        "low_rank.py",
        dataset="iris",
        model="softmax_regression",
        folds="true",
        share="true",
        methods="all",
        epochs="1",
    )
    files = {
        key.replace("_csv", ".csv"): content
        for key, content in downloads.items()
        if key.endswith("_csv")
    }
    assert set(files) == {
        f"{name}.csv"
        for name in (
            ["marks", "errors", "methods", "rules", "cross-validation", "sensitivity", "budgets"]
        )
    }
    held = {name: pd.read_csv(io.StringIO(content())) for name, content in files.items()}
    # Not what the page shows of them at one rank and under one budget, but all of it.
    methods = held["methods.csv"]
    assert methods.groupby("method")["knob"].nunique().max() == 3
    assert methods["method"].nunique() == 2 * len(
        [entry for entry in LOW_RANK_METHODS.values() if "linear" in entry.layers]
    )
    assert held["budgets.csv"]["knob"].nunique() > 1
    assert set(held["budgets.csv"]["rule"]) == set(budgets.RULES)
    assert list(held["cross-validation.csv"]["rank"]) == [1, 2, 3]


def test_a_link_says_each_layer_s_rank_and_the_budget_in_its_unit():
    app = render(
        "low_rank.py",
        dataset="iris",
        model="softmax_regression",
        share="true",
        unit="macs",
        budget_epochs="2",
        against="parameters",
        rank="1",
        rank_linear="1",
    )
    assert not app.warning
    assert app.segmented_control(key="unit").value == "macs"
    assert app.segmented_control(key="against").value == "parameters"
    assert app.select_slider(key="budget_epochs").value == 2
    assert app.select_slider(key="rank_linear").value == 1
    assert "Budget: MACs".lower() in app.select_slider(key="budget").label.lower()
    drawn = app.session_state[DRAWN]["budget_scores"][1]
    named = [trace.name for trace in drawn.data if trace.name]
    assert sum(name.endswith("fine-tuned") for name in named) == len(budgets.RULES)


def test_budgets_begin_with_the_best_of_all_rules():
    """Its line is drawn whole and stands first; on training rows no rule's network is better."""
    app = render("low_rank.py", dataset="iris", model="mlp", share="true", budget_epochs="0")
    (shown,) = [frame.value for frame in app.dataframe if "gap to exact" in frame.value]
    assert shown["rule"].tolist()[0] == "Best in training"
    best, *others = app.session_state[DRAWN]["budget_scores"][1].data
    assert (best.name, best.line.dash) == ("Best in training", "solid")
    assert "solid" not in {line.line.dash for line in others}
    dataset = data.load("iris", seed=0)
    reference = compression.train(dataset, "mlp", seed=0)
    table = compression.budget_curve(reference, dataset).table
    np.testing.assert_allclose(best.y, 100 * table.loc[table["rule"] == "best", "score"])


def test_the_page_says_what_was_tried_and_where_its_baselines_stand():
    captions = [c.value for c in render("low_rank.py", dataset="iris", model="mlp").caption]
    assert text.TRIED in captions
    (named,) = [caption for caption in captions if caption == WITHOUT_BASELINES]
    assert all(entry.title.lower() in named for entry in BASELINES.values())
    assert "Against *File size (bytes)* they stand behind it" in named
    # The two-sided projection's figures are those that stand with the method.
    measured = " ".join(ActivationAwareSVD.__doc__.split())
    two_sided = re.search(r"test error ([\d., ]+) %", measured)[1]
    ours = re.search(r"against ([\d., ]+): no method", measured)[1]
    assert f"{two_sided} % on digits" in text.TRIED
    assert f"activation-aware SVD {ours} (one seed" in text.TRIED
