"""The page Your data: what it shows of a file, and what becomes of choices."""

import json

import numpy as np
import pandas as pd
import pytest
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager

import data
from data import uploads
from data.example_table import example_csv
from pages.views.your_data import roles, tasks, text
from tests.data.hostile_files import as_csv, as_npz
from tests.pages.rendering import open_page, render, settle


@pytest.fixture(scope="module")
def app():
    return render("your_data.py")


def metrics(app):
    return {metric.label: metric.value for metric in app.metric}


def test_the_example_is_shown_without_a_click(app):
    assert metrics(app)["Rows"] == "600"
    assert app.get("plotly_chart")
    assert any(button.label.startswith("Use this dataset") for button in app.button)
    assert app.selectbox(key="target_0").value == "cancelled"


def test_a_target_is_read_anew(app):
    app.selectbox(key="target_0").select("calls").run()
    settle(app)
    task = app.radio(key="task_1_calls")
    assert task.value == "classification"
    assert task.options[0] == "A number from 0 to 7"
    assert task.options[1].startswith("8 classes: 2 (177), 1 (146)")
    (error,) = app.error
    assert error.value.startswith("This stands in the way:\n- Class '7' has one row")
    assert "To beat" not in metrics(app)
    task.set_value("regression").run()
    settle(app)
    assert not app.error
    assert "R²" not in metrics(app)["To beat"]
    assert float(metrics(app)["To beat"]) < 0.1
    app.selectbox(key="target_1").select("joined").run()
    settle(app)
    (error,) = app.error
    assert "The target 'joined' holds '2019-01-09', which is no number" in error.value
    app.selectbox(key="target_2").select("cancelled").run()
    settle(app)
    assert not app.error


OBSTACLES = (
    "'test', 'split' all have the role test: give it to one column.",
    "There is no column to learn from: give at least one the role feature.",
    "Column 'test' marks the test part with 'u': use yes and no, 1 and 0, or test and train.",
    "Column 'split' marks the test part with 'p': use yes and no, 1 and 0, or test and train.",
    "Class 'l' has one row, and each class needs at least 3",
)


def test_all_obstacles_of_a_table_are_listed_at_once():
    table = pd.DataFrame(
        {
            "same": 1,
            "test": ["u", "v"] * 15,
            "split": ["p", "q"] * 15,
            "kind": ["k"] * 29 + ["l"],
        }
    )
    app = open_page("your_data.py")
    app.run()
    app.file_uploader(key="file_0").upload("odd.csv", as_csv(table), "text/csv").run()
    settle(app)
    (error,) = app.error
    head, *lines = error.value.split("\n")
    assert head == "What stands in the way:"
    assert len(lines) == len(OBSTACLES)
    for line, words in zip(lines, OBSTACLES, strict=True):
        assert line.startswith(f"- {words}")
    assert not any(button.label.startswith("Use this dataset") for button in app.button)
    assert not metrics(app)


MADE = pd.DataFrame(
    {
        "size": [1.5, None, 2.25, 1.5, None, 4.0] * 10,
        "pieces": [3, 1, 2, 3, 1, 7] * 10,
        "city": ["Bonn", "Köln", "Bonn", None, "Ulm", "Ulm"] * 10,
        "fresh": ["yes", "no", "no", "yes", "yes", "no"] * 10,
        "seen": pd.date_range("2026-01-01", periods=60).strftime("%Y-%m-%d"),
        "number": range(501, 561),
        "ticket": [f"t{n}" for n in range(60)],
        "maker": "the same",
        "blank": None,
        "price": [float(n % 7) + 0.5 for n in range(60)],
    }
)
ROLES = {
    "size": ("number", "feature", "standardised, missing as the median; a column says which were missing"),
    "pieces": ("whole number", "feature", "standardised"),
    "city": ("category", "feature", "0/1 for each of 4 values, missing is one"),
    "fresh": ("yes/no", "feature", "0/1"),
    "seen": ("date", "feature", "becomes day, weekday and hour"),
    "number": ("whole number", "ignore", "left out: an identifier (it numbers the rows)"),
    "ticket": ("category", "ignore", "left out: an identifier (60 different texts in 60 rows)"),
    "maker": ("category", "ignore", "left out: one value throughout"),
    "blank": ("empty", "ignore", "left out: no value in it"),
    "price": ("number", "target", "what is predicted"),
}  # fmt: skip


def test_the_roles_table_says_type_missing_distinct_example_and_rule_of_each_column():
    app = open_page("your_data.py")
    app.run()
    app.file_uploader(key="file_0").upload("made.csv", as_csv(MADE), "text/csv").run()
    settle(app)
    assert not app.error
    (editor,) = app.data_editor
    shown = editor.value.set_index("column")
    expected = pd.DataFrame(ROLES.values(), index=list(ROLES), columns=["type", "role", "rule"])
    expected["missing"] = MADE.isna().sum()
    expected["distinct"] = MADE.nunique()
    expected["example"] = [
        "1.5",
        "3",
        "Bonn",
        "yes",
        "2026-01-01",
        "501",
        "t0",
        "the same",
        "",
        "0.5",
    ]
    assert list(shown.columns) == ["type", "role", "missing", "distinct", "example", "rule"]
    assert list(shown.index) == list(MADE)
    for column, values in expected.items():
        assert shown[column].to_dict() == values.to_dict(), column


def test_a_dataset_in_use_is_the_one_of_every_page():
    app = render("your_data.py", model="softmax_regression")
    next(button for button in app.button if button.label.startswith("Use this")).click().run()
    settle(app)
    assert any(text.IN_USE in each.value for each in app.markdown)
    name = app.session_state["dataset"]
    assert data.find(name).classes == 2
    app.switch_page("pages/train.py").run()
    settle(app)
    assert app.selectbox(key="dataset").value == name
    assert any("600" in each.value for each in app.markdown)


def test_a_link_to_an_upload_that_is_gone_says_so():
    app = settle(open_page("train.py", dataset="table-" + "0" * 20, model="softmax_regression"))
    assert app.selectbox(key="dataset").value == "digits"
    assert "not kept any more" in app.warning[0].value
    assert "upload the file again" in app.warning[0].value


def test_an_upload_is_read_its_buffer_forgotten_and_its_axes_asked_for(monkeypatch):
    freed = []
    monkeypatch.setattr(
        MemoryUploadedFileManager, "remove_file", lambda self, session, file: freed.append(file)
    )
    app = open_page("your_data.py", model="softmax_regression")
    app.run()
    app.file_uploader(key="file_0").upload("bad.csv", b"a,b\n1,\x00\n", "text/csv").run()
    settle(app)
    assert "holds zero bytes" in app.error[0].value
    images = np.random.default_rng(0).integers(0, 255, (60, 4, 4)).astype(np.uint8)
    content = as_npz(x=images, y=np.arange(60) % 2)
    app.file_uploader(key="file_1").upload("shots.npz", content, "application/zip").run()
    settle(app)
    assert len(freed) == 2
    assert not app.error
    assert text.CHOOSE_ARRAYS in app.info[0].value
    (axes,) = [radio for radio in app.radio if radio.label.startswith("What are the axes")]
    axes.set_value("NHW").run()
    settle(app)
    assert metrics(app)["Numbers a row"] == "16"
    assert any("divided by 255" in each.value for each in app.caption)


SEQUENCES = {
    "behind one another, two channels": ((240, 2), "12"),
    "a row each": ((60, 7), "7"),
    "a row each, two channels": ((60, 7, 2), "14"),
}


@pytest.mark.parametrize("case", SEQUENCES)
def test_arrays_with_lengths_are_padded_and_asked_only_for_axes_that_they_have(case):
    shape, numbers = SEQUENCES[case]
    lengths = np.arange(60) % 5 + 2
    content = as_npz(
        x=np.random.default_rng(0).normal(size=shape), y=np.arange(60) % 2, lengths=lengths
    )
    app = open_page("your_data.py")
    app.run()
    app.file_uploader(key="file_0").upload("walks.npz", content, "application/zip").run()
    settle(app)
    assert chosen_array(app, "Lengths of sequences") == "lengths"
    asked = [radio for radio in app.radio if radio.label.startswith("What are the axes")]
    assert len(asked) == case.endswith("two channels")
    for axes in asked:
        axes.set_value("NLC").run()
        settle(app)
    assert not app.error
    assert metrics(app)["Rows"] == "60"
    assert metrics(app)["Numbers a row"] == numbers


def chosen_array(app, label):
    (box,) = [box for box in app.selectbox if box.label == label]
    return box.value


def test_an_edited_role_is_taken_over_and_the_target_moves(monkeypatch):
    chosen = {"target": "a", "task": "regression", "roles": {}, "edits": 0}

    def edit(row, role):
        monkeypatch.setattr(
            roles.st, "session_state", {"k": {"edited_rows": {row: {"role": role}}}}
        )
        roles.set_roles(chosen, "k", ["a", "b", "c"])

    edit(1, "group")
    assert chosen == {"target": "a", "task": "regression", "roles": {"b": "group"}, "edits": 1}
    edit(2, "target")
    assert chosen["target"] == "c"
    assert chosen["task"] is None
    edit(2, "ignore")
    assert chosen["target"] is None
    assert chosen["roles"] == {"b": "group", "c": "ignore"}


def report(*_, **__):
    return True


def test_a_worker_describes_and_reviews_a_table():
    upload = uploads.keep_file(example_csv())
    facts = tasks.read_file(report, upload, "example.csv")
    assert (facts.kind, facts.rows, facts.columns) == ("table", 600, 9)
    described = tasks.describe(report, upload, None, None, ("age", "ignore"))
    roles = described.columns.set_index("column")["role"]
    assert roles["customer"] == roles["age"] == "ignore"
    assert described.target == "cancelled"
    choices = {"title": "e.csv", "target": "cancelled", "task": "classification", "roles": {}}
    found = tasks.review(report, upload, json.dumps(choices))
    assert data.load(found.name).class_names == ("no", "yes")
    assert found.parts.to_numpy().sum() == 600
    assert found.seconds > 0
    assert found.zero_one == sum(found.features["a weight is per"] == "yes instead of no")


def test_a_worker_reads_arrays():
    upload = uploads.keep_file(as_npz(x=[[1.0, 2], [3, 4]] * 30, y=[0, 1] * 30))
    facts = tasks.read_file(report, upload, "a.npz")
    assert facts.shapes == {"x": (60, 2), "y": (60,)}
    choices = {"title": "a.npz", "x": "x", "y": "y", "task": None, "layout": None}
    found = tasks.review(report, upload, json.dumps(choices))
    assert found.parts.sum().sum() == 60
    assert any("same inputs" in warning for warning in found.warnings)


def test_names_of_strangers_are_no_markup():
    table = pd.DataFrame(
        {
            "![x](http://elsewhere/x.png)": range(30),
            "<script>alert(1)</script>": ["a", "b", "c"] * 10,
            "y": ["<img src=x onerror=alert(1)>", "`code`", "[l](http://elsewhere)"] * 10,
        }
    )
    upload = uploads.keep_file(as_csv(table))
    tasks.read_file(report, upload, "a.csv")
    choices = {"title": "<b>.csv", "target": "y", "task": None, "roles": {}}
    found = tasks.review(report, upload, json.dumps(choices))
    made = data.load(found.name)
    said = " ".join(
        [
            *made.class_names,
            *made.feature_names,
            *made.remarks,
            made.target_name,
            made.title,
            *found.warnings,
        ]
    )
    said += text.list_warnings(found.warnings) + data.find(found.name).title
    assert "<" not in said
    assert "](" not in said
    assert "`" not in said
