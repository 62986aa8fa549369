"""Every page, really rendered."""

import subprocess
import sys

import pytest

from tests.pages.rendering import ROOT, opened, rendered, settled

PAGES = sorted(path.name for path in (ROOT / "pages").glob("*.py") if path.name != "__init__.py")
MODELS = [("digits", "mlp"), ("iris", "softmax_regression"), ("diabetes", "linear_regression")]


@pytest.mark.parametrize(("dataset", "model"), MODELS)
@pytest.mark.parametrize("page", PAGES)
def test_every_page_shows_its_charts_and_no_error(page, dataset, model):
    app = rendered(page, dataset=dataset, model=model)
    assert len(app.get("plotly_chart")) >= 2


@pytest.mark.parametrize(("dataset", "model"), [*MODELS, ("mnist1d", "conv1d")])
def test_compare_has_two_sides_and_their_plane(dataset, model):
    app = rendered(dataset=dataset, model=model)
    assert len(app.get("plotly_chart")) == 5
    score = "Test R²" if dataset == "diabetes" else "Test accuracy"
    assert [metric.label for metric in app.metric].count(score) == 2
    assert [metric.label for metric in app.metric].count("Parameters") == 2


def test_what_a_url_asks_in_vain_falls_back_with_a_remark():
    app = rendered(dataset="nope", seed="x", rank="1000000000", bound="nan")
    remarks = " ".join(warning.value for warning in app.warning)
    for word in ("nope", "'x'", "1000000000", "nan"):
        assert word in remarks
    assert app.selectbox(key="dataset").value == "digits"


def test_a_model_that_does_not_fit_says_why():
    app = rendered(dataset="iris", model="lenet5")
    assert "needs images" in " ".join(warning.value for warning in app.warning)


def test_a_method_that_fails_says_so_in_its_place_and_the_other_side_goes_on(monkeypatch):
    from pages.shared import cache

    real = cache.submit

    def submit(task, **arguments):
        name = task.partition(":")[2]
        module = "tests.pages.tasks" if name == "low_rank_curve" else "pages.shared.work"
        return real(f"{module}:{name}", **arguments)

    monkeypatch.setattr(cache, "submit", submit)
    app = settled(opened(dataset="iris", model="softmax_regression", seed="11"))
    assert any("its weight is zero" in error.value for error in app.error)
    assert len(app.get("plotly_chart")) == 3  # the other side's two, and the plane


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
    assert app.selectbox and not app.exception, page
print(sorted({{"torch", "cvxpy", "sklearn", "scipy"}} & set(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=180
    )
    assert done.stdout.strip().splitlines()[-1] == "[]", done.stderr[-2000:]
