"""Every page, really rendered."""

import base64
import dataclasses
import json
import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from pages.shared.format import format_interval, format_size
from tests.pages.job_states import mark_running
from tests.pages.rendering import ROOT, check_links, open_page, render, settle

PAGES = sorted(path.name for path in (ROOT / "pages").glob("*.py") if path.name != "__init__.py")
MODELS = [("digits", "mlp"), ("iris", "softmax_regression"), ("diabetes", "linear_regression")]

LETTERS = 50  # in a line of a chart's title


# Pages that need no reference, and how many charts each shows by itself: a study needs a store.
OWN_DATA = {
    "atlas.py": 2,
    "how_it_works.py": 2,
    "studies.py": 0,
    "your_data.py": 1,
    "your_model.py": 2,
}


# Those of them that have sections: a link line stands on each.
OWN_SECTIONS = {"atlas.py", "how_it_works.py", "studies.py", "your_model.py"}


def check_titles(app):
    """A telephone cuts a title's line that is longer."""
    for chart in app.get("plotly_chart"):
        title = json.loads(chart.proto.spec)["layout"].get("title", {})
        for line in (title.get("text", ""), title.get("subtitle", {}).get("text", "")):
            assert len(re.sub("<.*?>", "", line)) <= LETTERS, line


@pytest.mark.parametrize(("dataset", "model"), MODELS)
@pytest.mark.parametrize("page", [page for page in PAGES if page not in OWN_DATA])
def test_every_page_shows_its_charts_and_no_error(page, dataset, model):
    app = render(page, dataset=dataset, model=model)
    # Where nothing is smaller than the reference Decide shows the plane and a sentence.
    nothing = any("No compressed model is smaller" in info.value for info in app.info)
    assert len(app.get("plotly_chart")) >= (1 if nothing else 2)
    check_titles(app)
    check_links(app)


@pytest.mark.parametrize(("page", "least"), OWN_DATA.items())
def test_pages_without_a_reference_show_their_charts_and_no_error(page, least):
    app = render(page)
    assert len(app.get("plotly_chart")) >= least
    check_titles(app)
    check_links(app)
    assert bool(app.header) == (page in OWN_SECTIONS)


@pytest.mark.parametrize(("dataset", "model"), [*MODELS[:2], ("mnist1d", "conv1d")])
def test_compare_has_two_sides_and_their_plane(dataset, model):
    app = render(dataset=dataset, model=model, baselines="none", train_epochs="2")
    assert len(app.get("plotly_chart")) == 6  # the network's picture, two a side, and the plane
    assert [metric.label for metric in app.metric].count("Test accuracy") == 2
    assert [metric.label for metric in app.metric].count("Parameters") == 2


def test_a_side_that_has_nothing_to_compress_says_so_in_its_place():
    app = render(dataset="diabetes", model="linear_regression")
    assert any("Low rank has nothing to compress here" in info.value for info in app.info)
    assert len(app.get("plotly_chart")) == 4  # the network's picture, COC's two, and the plane
    assert [metric.label for metric in app.metric].count("Test R²") == 1


def test_what_a_url_asks_in_vain_falls_back_with_a_remark():
    app = render(dataset="nope", seed="x", rank="1000000000", bound="nan")
    remarks = " ".join(warning.value for warning in app.warning)
    for word in ("nope", "`x`", "1000000000", "nan"):
        assert word in remarks
    assert app.selectbox(key="dataset").value == "digits"


def test_a_model_that_does_not_fit_says_why():
    app = render(dataset="iris", model="lenet5")
    assert "needs images" in " ".join(warning.value for warning in app.warning)


def test_a_method_that_fails_says_so_in_its_place_and_the_other_side_goes_on(monkeypatch):
    from pages.shared.models import tasks
    from tests.pages.tasks import low_rank_curve

    monkeypatch.setattr(tasks, "low_rank_curve", low_rank_curve)
    app = settle(open_page(dataset="iris", model="softmax_regression", seed="11"))
    assert any("its weight is zero" in error.value for error in app.error)
    assert (
        len(app.get("plotly_chart")) == 4
    )  # the network's picture, the other side's two, and the plane


def test_the_apps_own_process_imports_nothing_heavy():
    script = f"""
import sys, time
from streamlit.testing.v1 import AppTest
app = AppTest.from_file({str(ROOT / "app.py")!r}, default_timeout=60)
app.query_params["dataset"], app.query_params["model"] = "iris", "softmax_regression"
app.run()
for page in {PAGES!r}:
    app.switch_page("pages/" + page).run()
    for _ in range(100):
        if not app.get("progress"):
            break
        time.sleep(0.3)
        app.run()
    assert not app.exception, page
heavy = {{"torch", "cvxpy", "sklearn", "scipy.stats"}}
print(sorted(heavy & set(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=180
    )
    assert done.stdout.strip().splitlines()[-1] == "[]", done.stderr[-2000:]


def test_the_reference_is_shown_with_its_data_its_layers_its_learning_and_its_report():
    from pages.shared.models import tasks as work

    trained = work.reference(lambda *_: True, "iris", "softmax_regression", 0)
    app = render("train.py", dataset="iris", model="softmax_regression")
    preview, structure, report = (frame.value for frame in app.dataframe)
    assert "petal length (cm)" in preview
    assert set(preview["class"]) <= set(trained.class_names)
    assert list(structure.columns) == list(trained.structure.columns)
    assert len(structure) == len(trained.structure)
    assert list(report["class"]) == list(trained.class_names)
    charts = {chart.key: json.loads(chart.proto.spec) for chart in app.get("plotly_chart")}
    assert set(charts) == {"samples", "learning_curve", "predictions"}
    said = " ".join(text.value for text in [*app.markdown, *app.caption])
    for part in (
        "Fisher",
        "Licence:",
        format_interval(trained.score_low, trained.score_high, trained.task),
        f"**{trained.parameters}** parameters",
        f"**{format_size(trained.bytes)}** file",
    ):
        assert part in said


def test_the_learning_curve_is_drawn_while_the_model_still_learns(monkeypatch):
    from pages.shared import jobs
    from pages.shared.models import requests

    history = pd.DataFrame(
        {
            "epoch": [1, 2, 3],
            "train_loss": [3.0, 2.0, 1.0],
            "validation_loss": [3.5, 2.5, 2.0],
            "validation_score": [0.1, 0.5, 0.8],
        }
    )
    job = jobs.Job("learning", "tests.pages.tasks:count", {}, None)
    mark_running(job, history, progress=0.3, message="")
    monkeypatch.setattr(requests, "reference", lambda *_: job)
    app = open_page("train.py", dataset="iris", model="softmax_regression").run()
    assert not app.exception
    assert len(app.get("progress")) == 1
    assert "Cancel" in [button.label for button in app.button]
    (*_, chart) = app.get("plotly_chart")
    losses = [numbers(trace["y"]) for trace in json.loads(chart.proto.spec)["data"]]
    assert [3.0, 2.0, 1.0] in losses
    assert [3.5, 2.5, 2.0] in losses


@pytest.mark.parametrize(
    ("page", "curve", "file"),
    [
        ("compare.py", "low_rank_curve", "iris-mlp-lmm-rank-1.safetensors"),
        ("compare.py", "constrained_curve", "iris-mlp-coc-bound-0.03.safetensors"),
        ("low_rank.py", "low_rank_curve", None),  # the file of the wanted rank is made
        ("constrained.py", "constrained_curve", "iris-mlp-coc-bound-0.03.safetensors"),
    ],
)
def test_numbers_of_an_unfinished_curve_are_said_to_be_of_another_value(
    monkeypatch, page, curve, file
):
    from pages.shared import jobs
    from pages.shared.models import requests
    from pages.shared.ui import blocks

    link = {"dataset": "iris", "model": "mlp"}
    render(page, **link)
    request, offered = getattr(requests, curve), []

    def request_unfinished(*arguments, **choices):
        whole = request(*arguments, **choices).result
        first = dataclasses.replace(whole, table=whole.table.iloc[:1], suggested=0)
        job = jobs.Job("unfinished", "tests.pages.tasks:count", {}, None)
        mark_running(job, first)
        return job

    monkeypatch.setattr(requests, curve, request_unfinished)
    monkeypatch.setattr(blocks, "offer_model", lambda content, name, key: offered.append(name))
    app = open_page(page, **link).run()
    assert not app.exception
    kinds = [
        "said" if "is not computed yet: shown is" in getattr(element, "value", "") else element.type
        for element in app.main
        if element.type in ("caption", "metric")
    ]
    assert kinds.count("said") == 1
    assert kinds[kinds.index("said") + 1] == "metric"
    if file is not None:
        assert file in offered


def numbers(packed):
    """An array of a chart as the page sends it."""
    if isinstance(packed, list):
        return packed
    return np.frombuffer(base64.b64decode(packed["bdata"]), packed["dtype"]).tolist()
