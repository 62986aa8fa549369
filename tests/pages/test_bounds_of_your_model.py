"""Every layer of one's own model under a bound: what is drawn, said and taken away."""

import json

import numpy as np
import onnxruntime
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

import compression
import data
from compression.graphs import example
from compression.graphs.smallest import BoundedCurve, ScoreCurve
from pages.views.your_model import bounds_figures, bounds_text, tasks
from tests.compression.graphs.onnx_graphs import build, node
from tests.pages.rendering import open_page, render
from tests.pages.test_your_model_page import QUICK, charts, unpack, upload

FILES, WAY = ((example.NAME, example.content()),), ("as is", "NCHW", "")


def go_on(*_):
    return True


@pytest.fixture(scope="module")
def page():
    return render("your_model.py", **QUICK, bound_bits="4")


@pytest.fixture(scope="module")
def curve():
    return tasks.bound_layers(go_on, FILES, "digits", 0, WAY, None)


def accuracy(content):
    digits = data.load("digits", seed=0)
    raw = (digits.x_test * digits.scale + digits.mean).reshape(-1, 1, 8, 8).astype(np.float32)
    outputs = onnxruntime.InferenceSession(content).run(None, {"image": raw})[0]
    return (outputs.argmax(1) == digits.y_test).mean()


def test_the_section_answers_first_with_a_certified_bound_and_its_file(page, curve):
    row = curve.first_row(4)
    line = curve.line_at(row, 4)
    assert line["validation_change"] >= -0.01
    assert curve.line_at(row - 1, 4)["validation_change"] < -0.01
    (slider,) = (s for s in page.select_slider if s.key == "all_bound")
    assert slider.value == curve.shares[row]
    drawn = charts(page)
    series = {trace["name"]: trace for trace in drawn["scores_by_bound"]["data"]}
    shown = unpack(series["refitted, 4 bits"]["y"])[row]
    built = tasks.build_bounded(go_on, FILES, "digits", 0, WAY, curve.shares[row], 4)
    assert (
        shown == pytest.approx(100 * line["score"]) == pytest.approx(100 * accuracy(built.content))
    )
    assert len(built.content) == line["bytes"]
    assert {"refitted", "refitted, 8 bits", "clipped, not refitted"} <= series.keys()
    metrics = {metric.label: metric.value for metric in page.metric}
    clipped = curve.clipped.set_index("row")["score"][row]
    assert metrics["Clipped, not refitted"] == f"{100 * clipped:.1f} %"
    assert any("in each of the 5 layers (duality gap" in said.value for said in page.success)
    said = " ".join(words.value for words in page.markdown)
    assert "Rounded to 4 bits without a bound: −0.6" in said
    assert any("`grouped.weight` (grouped convolution)" in c.value for c in page.caption)
    labels = [button.proto.label for button in page.get("download_button")]
    assert "Download digits.onnx under this bound" in labels


def test_the_file_in_32_bits_holds_the_bound_that_the_link_names(curve):
    app = render("your_model.py", **QUICK, all_bound="0.2")
    assert not app.exception
    (bars,) = (c for key, c in charts(app).items() if key == "lost_outputs")
    own = curve.layers.query("row == 2")
    series = {trace["name"]: unpack(trace["x"]) for trace in bars["data"]}
    np.testing.assert_allclose(series["refitted"], 100 * own["error"])
    np.testing.assert_allclose(series["clipped, not refitted"], 100 * own["clipped"])
    built = tasks.build_bounded(go_on, FILES, "digits", 0, WAY, 0.2, 32)
    before, after = (
        compression.read_model({example.NAME: c}) for c in (FILES[0][1], built.content)
    )
    for name in own["layer"]:
        reach = np.abs(before.matrix(name)).max()
        assert np.abs(after.matrix(name)).max() == pytest.approx(0.2 * reach, rel=1e-6)
    np.testing.assert_array_equal(after.matrix("grouped.weight"), before.matrix("grouped.weight"))
    said = " ".join(words.value for words in app.markdown)
    assert "every weight is the one that its refit gave, and none passes its bound" in said


def test_weights_that_do_nothing_but_widen_the_range_are_clipped_and_the_smallest_file_is_of_those():
    """A pixel that is never lit has large weights: 4 bits alone then tell no class from another."""
    digits = data.load("digits", seed=0)
    raw = digits.x_train * digits.scale + digits.mean
    x, y = raw[digits.fit_rows], digits.y_train[digits.fit_rows]
    assert not x[:, 0].any()
    fitted = LogisticRegression(max_iter=500).fit(x / 16, y)
    weight = fitted.coef_ / 16
    weight[:, 0] = 8 * np.abs(weight).max()
    content = build(
        [node("Gemm", "x w b", "y", transB=1)],
        {"w": weight, "b": fitted.intercept_},
        ("rows", 64),
        opset=21,
    )
    app = upload(open_page("your_model.py", **QUICK, judged_on="digits").run(), own__onnx=content)
    assert not app.exception
    said = " ".join(words.value for words in app.markdown)
    assert "layers refitted within a bound, weights in 4 bits**: the smallest of" in said
    assert any(b.key == "smallest_model" for b in app.get("download_button"))


def test_a_large_model_is_asked_for_first(monkeypatch):
    from pages.views.your_model import bounds

    monkeypatch.setattr(bounds, "LARGE_FILE", 1000)
    app = render("your_model.py", **QUICK)
    assert "scores_by_bound" not in charts(app)
    assert "Clip and refit every layer at every bound" in [t.label for t in app.toggle]
    assert "scores_by_bound" in charts(render("your_model.py", **QUICK, refit_all="true"))


def small_curve(gaps, scores=(0.5, 0.8, 0.9)):
    numbers = dict.fromkeys(("score", "score_low", "score_high"), scores)
    changes = {end: np.array(scores) - 0.9 for end in ("change", "change_low", "change_high")}
    table = pd.DataFrame(
        {"row": [0, 1, 2], "bits": 32, "bytes": 500, "parameters": 100}
        | numbers
        | changes
        | {"validation_change": np.array(scores) - 0.9}
    )
    layers = pd.DataFrame(
        {
            "row": [0, 0, 1, 1],
            "layer": ["<b>a</b>", "b"] * 2,
            "bound": 0.1,
            "error": [0.3, 0.2, 0.1, 0.0],
            "clipped": [0.4, 0.3, 0.2, 0.1],
            "duality_gap": gaps,
            "certified": [gap <= 1e-3 for gap in gaps],
            "pinned": 0.5,
        }
    )
    return BoundedCurve(ScoreCurve(table, np.zeros((3, 4))), table[:2], layers, (0.2, 0.5, 1.0))


def test_a_layer_that_is_not_certified_is_said_and_names_are_no_markup():
    curve = small_curve([1e-4, 2e-3, 1e-4, 1e-4])
    assert bounds_text.describe_certificates(curve, 0).startswith("**Not certified** to 0.1 % in 1")
    assert "at most 0.2 %" in bounds_text.describe_certificates(curve, 0)
    assert bounds_text.describe_certificates(curve, 1).startswith("**Certified**")
    assert curve.first_row(32) == 1  # none is within a point: the largest
    others = pd.DataFrame(
        {"layer": ["b", "x` ![p](http://a.b/c)"], "kind": ["linear", "embedding"]}
    )
    assert bounds_text.describe_others(others[:1], curve) == ""
    assert "`x' ![p](http://a.b/c)` (embedding)." in bounds_text.describe_others(others, curve)
    drawn = json.loads(bounds_figures.lost_outputs(curve, 0).to_json())
    assert not any("<b>" in name for name in drawn["data"][0]["y"])


def test_without_rounded_weights_the_section_shows_what_there_is():
    curve = small_curve([1e-4] * 4)
    assert curve.line_at(1, 4)["bits"] == 32
    figure = bounds_figures.scores_by_bound(curve, 1, 4, "classification")
    assert [trace.name for trace in figure.data if trace.name] == [
        "refitted",
        "clipped, not refitted",
    ]
