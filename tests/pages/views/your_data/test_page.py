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


def test_a_target_is_read_anew_and_all_obstacles_are_listed(app):
    app.selectbox(key="target_0").select("calls").run()
    settle(app)
    assert app.radio(key="task_1_calls").value == "classification" or app.error
    app.radio(key="task_1_calls").set_value("regression").run()
    settle(app)
    assert not app.error
    assert "R²" not in metrics(app)["To beat"]
    assert float(metrics(app)["To beat"]) < 0.1
    app.selectbox(key="target_1").select("customer").run()
    settle(app)
    app.selectbox(key="target_2").select("joined").run()
    settle(app)
    assert (
        "holds '2019-01-09', which is no number" in app.error[0].value
        or "class" in app.error[0].value
    )


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
