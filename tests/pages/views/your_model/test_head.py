"""The slider of a bound on the last layer: what stands beside it is its certified row."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import numpy_helper

import data
from compression.graphs import example
from pages.views.your_model import tasks
from tests.pages.rendering import render, settle
from tests.pages.test_your_model_page import QUICK, charts, unpack

FILES, WAY = ((example.NAME, example.content()),), ("as is", "NCHW", "")
SCORE = "Test accuracy"


@pytest.fixture(scope="module")
def view():
    return tasks.bound_head(lambda *_: True, FILES, "digits", 0, WAY, None, "box")


def read_section(app):
    """What the section says: its numbers, its certificate, where its curve is marked."""
    metrics = list(app.metric)
    last = max(place for place, metric in enumerate(metrics) if metric.label == "Bound c")
    score, bound, stored = (metric.value for metric in metrics[last - 1 : last + 2])
    assert metrics[last - 1].label == SCORE
    certificates = [said.value for said in app.success if "off the training loss" in said.value]
    marker = charts(app)["head_scores"]["data"][-1]
    return score, bound, stored, certificates, (unpack(marker["x"])[0], unpack(marker["y"])[0])


def look_up(view, row):
    line = view.table.iloc[row]
    assert line["certified"]
    weight, intercept = view.heads[row]
    free = ((abs(weight) < line["knob"] * (1 - 1e-6)) & (weight != 0)).sum() + intercept.size
    assert line["parameters"] == free
    return (
        f"{100 * line['score']:.1f} %",
        f"{line['knob']:.3g}",
        f"{free:,}",
        line["price"],
        (line["knob"], 100 * line["score"]),
    )


def check(app, view, row):
    score, bound, stored, certificates, marker = read_section(app)
    *numbers, price, place = look_up(view, row)
    assert [score, bound, stored] == numbers
    (said,) = certificates
    assert said.startswith("**Certified**")
    assert f"**{price:.3g}** off the training loss" in said
    assert f"{view.table['duality_gap'].iloc[row]:.1e} above the optimum" in said
    assert marker == pytest.approx(place)


def test_a_bound_in_the_link_and_then_a_moved_slider_show_their_certified_rows(view):
    first, then = 3, 15
    assert view.start not in (first, then)
    app = render("your_model.py", **QUICK, head_bound=f"{view.table['knob'].iloc[first]:.6g}")
    (slider,) = (s for s in app.select_slider if s.key == "head_bound")
    assert slider.value == pytest.approx(view.table["knob"].iloc[first])
    check(app, view, first)
    slider.set_value(view.table["knob"].iloc[then])
    moved = settle(app)
    assert [error.value for error in moved.error] == []
    check(moved, view, then)
    before, after = view.table.iloc[first], view.table.iloc[then]
    assert before["score"] < after["score"]
    assert before["train_loss"] > after["train_loss"]
    assert before["price"] > after["price"]


def test_the_file_beside_a_chosen_bound_is_within_it_and_scores_what_is_shown(view, downloads):
    row = 3
    app = render("your_model.py", **QUICK, head_bound=f"{view.table['knob'].iloc[row]:.6g}")
    content = downloads["head_model"]
    tensors = {
        t.name: numpy_helper.to_array(t) for t in onnx.load_from_string(content).graph.initializer
    }
    (weight,) = (values for name, values in tensors.items() if name.endswith(".bounded"))
    assert np.abs(weight).max() == pytest.approx(view.table["knob"].iloc[row], rel=1e-5)
    digits = data.load("digits", seed=0)
    raw = (digits.x_test * digits.scale + digits.mean).reshape(-1, 1, 8, 8).astype(np.float32)
    said = onnxruntime.InferenceSession(content).run(None, {"image": raw})[0].argmax(1)
    assert read_section(app)[0] == f"{100 * (said == digits.y_test).mean():.1f} %"
