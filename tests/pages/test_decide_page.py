"""The page that decides: its table, what its worker hands over, its figures, and it, rendered."""

import time
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from compression import storage
from data import load
from pages.shared import (
    decide_words,
    decide_work,
    work,
)
from pages.shared.decide_results import everything

ROOT = Path(__file__).parents[2]
PATIENCE = 120  # seconds


def go_on(*_args):
    return True


@pytest.fixture(scope="module")
def trained():
    return work.reference(go_on, "iris", "softmax_regression", 0)


@pytest.fixture(scope="module")
def box(trained):
    return work.constrained_curve(go_on, *origin(trained), "box")


@pytest.fixture(scope="module")
def results(trained, box):
    """Some of the page's series, by name."""
    own = origin(trained)
    return {
        "truncated_svd": work.low_rank_curve(go_on, *own, "truncated_svd"),
        "truncated_svd_tuned": decide_work.tuned(go_on, *own, "truncated_svd"),
        "box": box,
        "fine_tuned": decide_work.fine_tuned(go_on, *own),
        "budgets": decide_work.budgets(go_on, *own),
        "refit": decide_work.constrained_by(go_on, *own, "box", "refit", (0.2, 0.4)),
        "quantized": decide_work.quantized(
            go_on, *own, tuple(box.table["knob"][[5, 30]]), (box.files[5], box.files[30])
        ),
        "low_rank_then_constrained": decide_work.combined(go_on, *own, "low_rank_then_constrained"),
    }


@pytest.fixture(scope="module")
def table(results):
    line = results["box"].reference
    return everything(line, [decide_words.series(name, f) for name, f in results.items()])


def origin(trained):
    return trained.file, trained.dataset, trained.model, trained.seed


def accuracy(file, part="test"):
    import torch

    dataset = load("iris", seed=0)
    x, y = dataset.x_test, dataset.y_test
    if part == "validation":
        rows = dataset.validation_rows
        x, y = dataset.x_train[rows], dataset.y_train[rows]
    with torch.inference_mode():
        outputs = storage.from_bytes(file)(torch.from_numpy(x))
    return float(np.mean(outputs.argmax(1).numpy() == y))


NEW = (
    "truncated_svd_tuned",
    "fine_tuned",
    "budgets",
    "refit",
    "quantized",
    "low_rank_then_constrained",
)


@pytest.mark.parametrize("name", NEW)
def test_every_row_of_the_page_s_own_jobs_is_what_its_file_is_worth(results, name):
    found = results[name]
    assert len(found.files) == len(found.table)
    for row in (0, len(found.table) - 1):
        line = found.table.iloc[row]
        assert len(found.files[row]) == line["bytes"]
        assert accuracy(found.files[row]) == line["score"]
        assert accuracy(found.files[row], "validation") == line["validation_score"]


def test_every_choice_has_a_name_of_its_own_and_none_is_the_reference(table):
    assert table["id"].is_unique
    assert (table["series"] == "reference").sum() == 1
    costs = ["bytes", "parameters", "macs", "validation_score", "score"]
    same = (table[costs] == table.iloc[0][costs]).all(axis=1)
    assert table.loc[same, "family"].eq("baseline").all()


def test_a_choice_leads_to_where_its_row_is(results, table):
    for _, line in table[table["series"].isin(["truncated_svd", "box"])].iterrows():
        row = results[line["series"]].table.iloc[line["place"]]
        knob = "rank" if line["series"] == "truncated_svd" else "bound"
        assert line["query"][knob] == row["knob"]
        assert line["page"] == "pages/compare.py"
        assert line["bytes"] == row["bytes"]
    assert table.loc[table["family"] == "combined", "page"].isna().all()


def rendered(**query):
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=PATIENCE)
    for name, value in query.items():
        app.query_params[name] = value
    app.run()
    app.switch_page("pages/decide.py").run()
    end = time.monotonic() + PATIENCE
    while app.get("progress") and time.monotonic() < end:
        time.sleep(0.3)
        app.run()
    assert not app.get("progress")
    assert not app.exception
    assert not app.error
    return app


IRIS = {"dataset": "iris", "model": "softmax_regression"}


def test_a_link_with_a_wish_shows_what_fulfils_it():
    app = rendered(**IRIS, lose="2", fewer="1")
    assert app.number_input(key="lose").value == 2
    assert len(app.get("plotly_chart")) == 2
    answer = next(text.value for text in app.markdown if text.value.startswith("Of "))
    assert "models" in answer
    assert "at most 2 points lost on validation" in answer
    assert "at least 1× fewer MACs" in answer
    assert len(app.dataframe[0].value) >= 1
