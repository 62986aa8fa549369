"""Training: what is asked for on the page is what every page then works on."""

import pytest

from pages.shared.models import requests, tasks
from pages.shared.models.results import Training
from pages.shared.models.text import name_reference, reference_line
from pages.views.compare import html_report as compare_report
from tests.pages.rendering import render, settle

ASKED = {"dataset": "iris", "model": "mlp", "train_epochs": "5", "width": "0.25"}


def read_reference(app):
    return [text.value for text in app.markdown if text.value.startswith("Reference")]


@pytest.fixture(scope="module")
def trained():
    return tasks.reference(lambda *a, **k: True, "iris", "mlp", 0, Training(5, 0.25, 0.01))


def test_a_reference_is_trained_as_asked(trained):
    assert trained.parameters == 4 * 64 + 64 + 64 * 32 + 32 + 32 * 3 + 3
    assert len(trained.history) == 5
    assert name_reference(trained).endswith("at most 5 epochs, width × 0.25, learning rate 0.01")
    _found, again = tasks.load_reference(trained.origin)
    assert (again.epochs, again.width, again.learning_rate) == (5, 0.25, 0.01)
    curve = tasks.low_rank_curve(
        lambda *a, **k: True, trained.origin, requests.complete_setting(trained, "truncated_svd")
    )
    line = (
        'compression.train(dataset, model="mlp", seed=0, epochs=5, width=0.25, learning_rate=0.01)'
    )
    assert line in compare_report.write_code(trained, curve, curve, 3, 3)


def test_the_page_trains_what_its_controls_say_and_other_pages_use_it():
    app = render("train.py", **ASKED)
    (first,) = read_reference(app)
    assert "at most 5 epochs · width × 0.25" in first
    assert app.selectbox(key="width").value == "0.25"
    app.switch_page("pages/low_rank.py")
    assert read_reference(settle(app)) == [first]
    app.selectbox(key="width").set_value("model's own")
    app.selectbox(key="train_epochs").set_value("model's own")
    (own,) = read_reference(settle(app))
    assert own == reference_line(requests.reference("iris", "mlp", 0).result)
    assert "width" not in own


def test_a_model_without_hidden_layers_has_no_width():
    app = render("train.py", dataset="iris", model="softmax_regression", train_epochs="20")
    assert not [menu for menu in app.selectbox if menu.key == "width"]
    assert "at most 20 epochs" in read_reference(app)[0]


def test_an_impossible_number_is_replaced_with_a_remark():
    app = render("train.py", dataset="iris", model="softmax_regression", learning_rate="nan")
    assert "Shown instead: model's own" in app.warning[0].value
