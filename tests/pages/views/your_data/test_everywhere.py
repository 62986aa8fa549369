"""A table that somebody brought, on the other pages: what always the same answer scores stands on
every curve, the columns keep their names, a bound says what its unit is, and balanced accuracy stands
beside accuracy."""

import json
import re

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, balanced_accuracy_score

import compression
import data
from compression import studies
from data import uploads
from pages.views.your_data import tasks
from tests.pages.rendering import render

COLUMN = "Größe in cm"


def report(*_, **__):
    return True


@pytest.fixture(scope="module")
def own():
    """Three classes of which one is in 70 % of the rows, and a category of three values."""
    random = np.random.default_rng(0)
    kind = random.choice(["rare", "usual", "odd"], 160, p=[0.15, 0.7, 0.15])
    shift = pd.Series(kind).map({"rare": -1.0, "usual": 0.0, "odd": 1.0}).to_numpy()
    frame = pd.DataFrame(
        {
            COLUMN: 170 + 8 * (shift + random.normal(size=160)),
            "weight": random.normal(size=160),
            "other": shift**2 + random.normal(size=160),
            "city": random.choice(["Bonn", "Köln", "Trier"], 160),
            "kind": kind,
        }
    )
    upload = uploads.keep_file(frame.to_csv(index=False).encode())
    tasks.read_file(report, upload, "own.csv")
    choices = {"title": "own.csv", "target": "kind", "task": "classification", "roles": {}}
    return tasks.review(report, upload, json.dumps(choices)).name


def test_it_is_a_dataset_of_a_study_on_this_machine(own, tmp_path, monkeypatch):
    url = f"sqlite:///{tmp_path / 'studies.db'}"
    monkeypatch.setenv("COMPRESS_STORE", url)
    chosen = {"of": "softmax_regression", "curves": ["Rounding to few bits"], "seeds": "2"}
    app = render("studies.py", on=[own, "iris"], **chosen)
    assert app.multiselect(key="on").value == [data.find(own).title, "Iris"]
    store = studies.StudyStore(url)
    (kept,) = store.list_studies().to_dict("records")
    assert (kept["fits"], kept["done"], kept["failed"]) == (8, 8, 0)
    assert store.study_fits(kept["name"])["request"].str.contains(own).sum() == 4
    assert any("8 of 8 fits: 2 pairs" in each.value for each in app.markdown)
    gone = "table-00000000000000000000"
    app = render("studies.py", on=[gone, "iris"], **chosen)
    assert any(f"{gone} is not kept any more" in each.value for each in app.warning)


def charts(app):
    return {chart.key: json.loads(chart.proto.spec) for chart in app.get("plotly_chart")}


def majority(name):
    y = data.load(name, seed=0).y_test
    return 100 * np.bincount(y).max() / len(y)


def curves(app):
    """Charts of test scores against what a model costs."""
    found = {}
    for key, figure in charts(app).items():
        title = figure["layout"].get("yaxis", {}).get("title", {}).get("text", "")
        if title.startswith("Test accuracy"):
            found[key] = figure
    return found


@pytest.mark.parametrize(
    "page", ["compare.py", "low_rank.py", "constrained.py", "combine.py", "decide.py"]
)
def test_what_always_the_same_answer_scores_stands_on_every_curve(own, page):
    app = render(page, dataset=own, model="softmax_regression")
    found = curves(app)
    assert found
    for key, figure in found.items():
        dotted = [s["y0"] for s in figure["layout"]["shapes"] if s["line"].get("dash") == "dot"]
        assert any(y == pytest.approx(majority(own)) for y in dotted), key
    if page == "decide.py":  # whose axis may begin above that line
        said = f"Always the same answer scores {majority(own):.1f} % on the test part"
        assert any(said in caption.value for caption in app.caption)


def test_columns_keep_their_names_and_a_bound_says_what_its_unit_is(own):
    app = render("constrained.py", dataset=own, model="softmax_regression")
    assert COLUMN in json.dumps(list(charts(app).values()), ensure_ascii=False)
    said = [caption.value for caption in app.caption if "in units of the weights" in caption.value]
    ones = sum(name.startswith("city = ") for name in data.load(own).feature_names)
    unit = f"(per standard deviation of a column; of {ones} that are 0 or 1, per yes instead of no)"
    assert ones == 3
    assert len(said) == 1
    assert unit in said[0]
    app = render("constrained.py", dataset="iris", model="softmax_regression")
    said = " ".join(caption.value for caption in app.caption)
    assert "in units of the weights (per standard deviation of a column); intercepts" in said


def scores_at(name, side, knob):
    """Accuracy and balanced accuracy of a row of a curve, by scikit-learn, as pages write them."""
    dataset = data.load(name)
    reference = compression.train(dataset, model="softmax_regression")
    if side == "bound":
        curve = compression.constrained_curve(reference, dataset, "box")
    else:
        curve = compression.low_rank_curve(reference, dataset)
    row = int(np.argmin(np.abs(curve.table["knob"] - knob)))
    answers = curve.predictions[row]
    return [
        f"{100 * score(dataset.y_test, answers):.1f} %"
        for score in (accuracy_score, balanced_accuracy_score)
    ]


@pytest.mark.parametrize("page", ["constrained.py", "compare.py"])
def test_balanced_accuracy_stands_beside_accuracy(own, page):
    app = render(page, dataset=own, model="softmax_regression")
    shown = [metric for metric in app.metric if metric.label == "Test accuracy"]
    knobs = {slider.key: slider.value for slider in app.select_slider}
    sides = ["rank", "bound"] if page == "compare.py" else ["bound"]
    for metric, side in zip(shown, sides, strict=True):
        plain, balanced = scores_at(own, side, knobs[side])
        assert plain != balanced
        assert metric.value == plain
        assert metric.delta.endswith(f"; balanced {balanced}")


def test_balanced_accuracy_stands_beside_the_accuracy_of_what_decide_recommends(own):
    app = render("decide.py", dataset=own, model="softmax_regression")
    (shown,) = [metric for metric in app.metric if metric.label == "Test accuracy"]
    answer = next(text.value for text in app.markdown if "has the smallest file" in text.value)
    bits = int(re.search(r"\*\*Rounding to few bits, (\d+) bits\*\*", answer)[1])
    dataset = data.load(own)
    reference = compression.train(dataset, model="softmax_regression")
    curve = compression.baseline_curve(reference, dataset, "rounding")
    (row,) = np.flatnonzero(curve.table["knob"] == bits)
    balanced = balanced_accuracy_score(dataset.y_test, curve.predictions[row])
    assert shown.delta.endswith(f"; balanced {100 * balanced:.1f} %")
