"""The data that a person's model is judged on, and how it reads them: what is said, and when."""

import html
import re

import numpy as np
import onnxruntime
import pytest
from sklearn.metrics import r2_score

import data
from compression.graphs import example
from pages.views.your_model import tasks, text
from tests.compression.graphs.onnx_graphs import build, node
from tests.pages.rendering import open_page, render
from tests.pages.test_your_model_page import QUICK, charts, regression_graph, unpack, upload

PLACES = 64  # of a digit
FLOOR = "the largest class alone "


def origin(downloads):
    """The words in front of the figures in what *Figures as HTML* gives."""
    page = downloads["figures_html"]()
    return html.unescape(re.search(r"<h1>Your model</h1>\s*<p>(.*?)</p>", page, re.S)[1])


def validation_images(dataset):
    """The rows that ways to read are tried on, as images between 0 and 1, and their digits."""
    rows = dataset.validation_rows
    rows = rows[:: max(1, len(rows) // 256)][:256]
    raw = dataset.x_train[rows] * dataset.scale + dataset.mean
    return raw.astype(np.float32), dataset.y_train[rows]


def nearest_centres(order=range(10)):
    """A graph of digits' mean images, in a few numbers a layer; its classes in an order."""
    digits = data.load("digits", seed=0)
    x = digits.x_train[digits.fit_rows] * digits.scale + digits.mean
    y = digits.y_train[digits.fit_rows]
    centres = np.array([x[y == digit].mean(axis=0) for digit in order])
    mixing = np.linalg.qr(np.random.default_rng(0).normal(size=(PLACES, PLACES)))[0]
    weights = {"m": mixing, "w": mixing.T @ (2 * centres.T), "b": -(centres**2).sum(axis=1)}
    nodes = [node("MatMul", "x m", "h"), node("MatMul", "h w", "p"), node("Add", "p b", "y")]
    return build(nodes, weights, ("rows", PLACES))


def open_judged(content, **query):
    app = open_page("your_model.py", **QUICK, judged_on="digits", **query).run()
    app = upload(app, own__onnx=content)
    assert [error.value for error in app.error] == []
    return app


def test_the_report_states_the_data_and_the_way_that_was_suggested(downloads):
    render("your_model.py", **QUICK)
    said = origin(downloads)
    digits = data.load("digits", seed=0)
    raw, y = validation_images(digits)
    images = {"image": raw.reshape(-1, 1, 8, 8)}
    outputs = onnxruntime.InferenceSession(example.content()).run(None, images)[0]
    right = (outputs.argmax(1) == y).mean()
    ways = len(
        tasks.readings(lambda *_: True, ((example.NAME, example.content()),), "digits", 0).ways
    )
    assert said.startswith("digits.onnx: ")
    assert "Judged on Digits, 8 × 8, split with seed 0." in said
    assert f"Input read as “as is, NCHW”, as suggested, the best of {ways} ways" in said
    assert f"on {len(y)} validation rows it gives accuracy {100 * right:.1f} %" in said
    assert f"{FLOOR}{100 * np.bincount(y).max() / len(y):.1f} %." in said


def test_the_report_states_a_way_that_a_person_chose_beside_the_best(downloads):
    app = render("your_model.py", **QUICK, reading="0 … 255, NCHW")
    assert app.selectbox(key="reading").value == "0 … 255, NCHW"
    said = origin(downloads)
    assert "Input read as “0 … 255, NCHW”, chosen by hand among" in said
    assert "where “as is, NCHW” is best" in said


def test_the_report_of_a_regression_gives_its_r2_beside_that_of_the_mean(downloads):
    content = regression_graph()
    app = open_page("your_model.py", **QUICK, judged_on="diabetes").run()
    upload(app, own__onnx=content)
    diabetes = data.load("diabetes", seed=0)
    rows = diabetes.validation_rows
    raw = diabetes.x_train[rows] * diabetes.scale + diabetes.mean
    answers = {"as is": raw, "standardised": diabetes.x_train[rows]}
    true = diabetes.y_train[rows] * diabetes.target_scale + diabetes.target_mean
    session = onnxruntime.InferenceSession(content)
    scores = {
        name: r2_score(true, session.run(None, {"x": x.astype(np.float32)})[0][:, 0])
        for name, x in answers.items()
    }
    said = origin(downloads)
    assert f"Judged on {data.find('diabetes').title}, split with seed 0." in said
    assert "Input read as “standardised, flat, answers in the target's unit”, as suggested" in said
    assert scores["standardised"] > scores["as is"]
    assert f"rows it gives an R² of {scores['standardised']:.3f}, always answering" in said


def test_the_report_of_a_model_without_data_names_none(downloads):
    render("your_model.py", **QUICK, judged_on="none")
    said = origin(downloads)
    assert said.startswith("digits.onnx: ")
    assert "Judged on" not in said


def test_classes_in_another_order_are_named_and_judged_in_that_order(downloads):
    order = (3, 1, 4, 0, 5, 9, 2, 6, 8, 7)
    app = open_judged(nearest_centres(order))
    digits = data.load("digits", seed=0)
    raw, y = validation_images(digits)
    session = onnxruntime.InferenceSession(nearest_centres())
    right = 100 * (session.run(None, {"x": raw})[0].argmax(1) == y).mean()
    (warning,) = [w.value for w in app.warning if "another order" in w.value]
    names = ", ".join(str(digit) for digit in order)
    assert f"the model's outputs are {names}." in warning
    assert f"right on {right:.1f} % of the validation rows" in warning
    test = (digits.x_test * digits.scale + digits.mean).astype(np.float32)
    accuracy = 100 * (session.run(None, {"x": test})[0].argmax(1) == digits.y_test).mean()
    (curve,) = [t for t in charts(app)["scores_by_size"]["data"] if t["name"] == "Truncated SVD"]
    assert unpack(curve["y"])[-1] == pytest.approx(accuracy)
    said = origin(downloads)
    assert f"Outputs are taken as the classes {names}." in said
    assert f"it gives accuracy {right:.1f} %" in said


def test_where_no_way_beats_the_largest_class_there_is_a_reason_and_no_curve():
    rng = np.random.default_rng(0)
    weights = {"m": rng.normal(size=(PLACES, PLACES)), "w": np.zeros((PLACES, 10))}
    weights["b"] = np.eye(10)[3]  # always a three
    nodes = [node("MatMul", "x m", "h"), node("MatMul", "h w", "p"), node("Add", "p b", "y")]
    app = open_judged(build(nodes, weights, ("rows", PLACES)))
    _, y = validation_images(data.load("digits", seed=0))
    largest = 100 * np.bincount(y).max() / len(y)
    (warning,) = [w.value for w in app.warning if "None of" in w.value]
    assert f"better than the largest class ({largest:.1f} %) beyond its interval" in warning
    assert "choose the data that the model was made for" in warning
    assert not {"scores_by_size", "head_scores", "scores_by_bound"} & set(charts(app))
    assert "layer_map" in charts(app)
    assert text.NO_SCORE in [w.value for w in app.warning]


def test_the_largest_class_is_a_line_on_the_curve_of_scores():
    app = render("your_model.py", **QUICK)
    layout = charts(app)["scores_by_size"]["layout"]
    digits = data.load("digits", seed=0)
    share = 100 * (digits.y_test == np.bincount(digits.y_train).argmax()).mean()
    lines = [shape["y0"] for shape in layout["shapes"] if shape["y0"] == shape["y1"]]
    notes = {note["text"]: note["y"] for note in layout["annotations"]}
    assert notes["largest class"] == pytest.approx(share)
    assert any(line == pytest.approx(share) for line in lines)
    assert notes["yours"] > notes["largest class"] + 50


def test_a_file_is_not_judged_on_the_example_s_data_unless_somebody_says_so():
    app = render("your_model.py", **QUICK)
    assert app.selectbox(key="judged_on").value == "digits"
    brought = upload(app, own__onnx=nearest_centres())
    assert brought.selectbox(key="judged_on").value == text.NO_DATA
    assert open_judged(nearest_centres()).selectbox(key="judged_on").value == "digits"
