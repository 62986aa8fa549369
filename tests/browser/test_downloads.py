"""Every download button of every page, pressed; every file, used as its reader would use it."""

import contextlib
import re
import tomllib
from dataclasses import dataclass
from urllib.parse import parse_qs, urlparse

import numpy as np
import pandas as pd
import pytest

import compression
import data
from benchmarks.server import serve_app
from compression import models
from compression.studies.specification import read_study

pytestmark = pytest.mark.browser

FIGURES = "figures_html"
BUTTONS = '[data-testid="stDownloadButton"]'
CHARTS = ".js-plotly-plot"
SWITCHED_OFF = '[data-testid="stCheckbox"]:not(:has(input:checked)) label'
CLOSED = '[data-testid="stExpander"] details:not([open]) summary'
PATIENCE = 300_000  # ms: the switches train networks

MODELS = {".csv", ".html", ".onnx", ".pt", ".safetensors", ".factors"}

# A URL, and the kinds of files that its page has to offer. Every switch is turned on besides.
SCREENS = {
    "atlas?": {".csv", ".html", ".parquet", ".toml"},
    "your_model?": {".csv", ".html", ".onnx"},
    "compare?model=mlp": MODELS,
    "train?model=mlp": set(),
    "low_rank?model=mlp&methods=all&epochs=1": MODELS,
    "constrained?model=softmax_regression": MODELS,
    "constrained?model=mlp&way=refit": MODELS,
    "combine?model=mlp&pair_epochs=1": MODELS,
    "decide?model=mlp&lose=2&compare=Truncated+SVD+rank+1&compare=Truncated+SVD+rank+2": MODELS,
}


@dataclass(frozen=True)
class Table:
    """A table as the page shows it: its header, as far as it is wide enough, and its lines."""

    columns: list[str]
    width: int
    rows: int


def wait_until_settled(page):
    """Wait until the script has rested, and no job has gone on, for more than a poll's time."""
    from benchmarks.browser import wait_until_idle

    wait_until_idle(page)


def open_all(server, visit, screen):
    """A page with everything on it that a switch, an expander or a pin reveals."""
    name, query = screen.split("?")
    page = visit(f"{server.address}/{name}?{'dataset=iris&' if 'model=' in query else ''}{query}")
    page.set_default_timeout(PATIENCE)
    page.locator(CHARTS).first.wait_for()
    wait_until_settled(page)
    if name == "compare":
        page.get_by_role("button", name="Pin", exact=True).click()
        page.locator(".st-key-pins_csv").wait_for()
    while (switches := page.locator(SWITCHED_OFF)).count():
        before = switches.count()
        switches.first.click()
        page.wait_for_function(
            "([off, before]) => document.querySelectorAll(off).length !== before",
            arg=[SWITCHED_OFF, before],
        )
        wait_until_settled(page)
    while (closed := page.locator(CLOSED)).count():
        closed.first.click()
        page.wait_for_timeout(500)
    wait_until_settled(page)
    return page


def key_of(button):
    """The key that the page gave a button, from the class that Streamlit makes of it."""
    return button.evaluate(
        "e => e.closest('[class*=st-key-]').className.match(/st-key-([\\w-]+)/)[1]"
    )


def press(page, button, folder):
    """The file that a button gives, saved under the name that it gives it."""
    with page.expect_download(timeout=60_000) as begun:
        button.locator("button").first.click()  # one with a help text has a second
    file = folder / key_of(button) / begun.value.suggested_filename
    begun.value.save_as(file)
    return file


def table_above(button):
    """The table that stands nearest above a button."""
    grid = button.locator("xpath=preceding::*[@data-testid='stDataFrame'][1]//table[@role='grid']")
    columns = grid.locator("th").all_text_contents()
    width, lines = (int(grid.get_attribute(f"aria-{of}count")) for of in ("col", "row"))
    return Table(columns, width, lines - 1)  # without its header


def same_table(page, button, file):
    shown = table_above(button)
    assert len(shown.columns) == shown.width
    assert list(file.columns) == shown.columns
    assert len(file) == shown.rows


def same_rows(*columns):
    """The file has a row for each line, with the numbers themselves in place of their texts."""

    def check(page, button, file):
        assert len(file) == table_above(button).rows
        assert set(columns) <= set(file.columns)

    return check


def holds(*columns):
    """The page shows figures of the file's rows."""

    def check(page, button, file):
        assert len(file)
        assert set(columns) <= set(file.columns)

    return check


def groups(column, *columns):
    """The page shows one line of each group at this setting; the file has all settings."""

    def check(page, button, file):
        shown = table_above(button)
        assert column in shown.columns
        assert file[column].nunique() == shown.rows
        assert len(file) > shown.rows
        assert set(columns) <= set(file.columns)

    return check


def points(chart, trace, *columns):
    """The page shows the file's rows as points: how many there are, by the series' name."""

    def check(page, button, file):
        count = page.locator(f".st-key-{chart} {CHARTS}").evaluate(trace)
        assert count == len(file)
        assert set(columns) <= set(file.columns)

    return check


def every_layer(page, button, file):
    """The page shows one layer's ranks; the file has all layers, each with its ranks."""
    shown = page.locator(f".st-key-low_rank_errors {CHARTS}").evaluate(FIRST)
    assert shown in file.groupby("layer").size().tolist()
    assert {"rank", "predicted", "realised"} <= set(file.columns)


def every_bound(page, button, file):
    """The page shows one bound in all bits, and one number of bits at all bounds."""
    bits, bounds = (
        page.locator(f".st-key-{chart} {CHARTS}").evaluate(FIRST)
        for chart in ("bits_score", "bits_rounding")
    )
    assert len(file) == bits * bounds
    assert {"bits", "bound", "rounding_error", *SCORES} <= set(file.columns)


# Of a chart: how many points its first series has, or all of one kind.
FIRST = "g => g._fullData[0].x.length"
MARKED = "g => g._fullData.filter(t => t.type === 'scatter')[0].customdata.length"
ALL = "g => g._fullData.reduce((sum, trace) => sum + trace.x.length, 0)"
SCORES = ("knob", "parameters", "bytes", "score")

# What a page shows of each of its CSV files, by the button's key.
SHOWN = {
    "pins_csv": same_table,
    "marks_csv": same_table,
    "rules_csv": same_table,
    "multipliers_csv": same_table,
    "model_layers_csv": same_rows("layer", "kind", "shape", "parameters"),
    "atlas_csv": holds("dataset", "model", "share", "winner", "verdict", "low", "high"),
    "ranked_csv": same_rows("choice", "macs", *SCORES),
    "compared_csv": same_rows("choice", "macs", *SCORES),
    "methods_csv": groups("method", *SCORES),
    "ways_csv": groups("way", *SCORES),
    "budgets_csv": groups("rule", "ranks", *SCORES),
    "layers_csv": groups("layer", "error", "duality_gap", "kkt_residual", "bound"),
    "race_csv": groups("solver", "iteration", "seconds", "objective", "duality_gap"),
    "cross-validation_csv": points("low_rank_folds", FIRST, "rank", "mean", "standard_error"),
    "sensitivity_csv": points("low_rank_share_kept", ALL, "layer", "share", "change"),
    "bounds_csv": points("constrained_losses", FIRST, "pinned", "zero", "free", *SCORES),
    "combined_table": points("combined_heat", MARKED, "rank", "bound", *SCORES),
    "errors_csv": every_layer,
    "bits_csv": every_bound,
}


def check_csv(page, button, path):
    key = key_of(button)
    assert key in SHOWN, f"say in SHOWN what the page shows of the file of {key}"
    SHOWN[key](page, button, pd.read_csv(path))


# What is in the Parquet files, by the button's key.
IN_PARQUET = {
    "atlas_parquet": {"dataset", "model", "seed", "family", "bytes", "score"},
}


def check_uploaded(path):
    """A graph that was brought: it takes random rows, and gives finite numbers."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path)
    (given,) = session.get_inputs()
    shape = [side if isinstance(side, int) else 4 for side in given.shape]
    samples = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    for outputs in session.run(None, {given.name: samples}):
        assert np.isfinite(outputs).all()


def check_model(page, button, path):
    """A model file answers; another format gives what the model file above it gives."""
    import torch

    samples = data.load("iris", seed=0).x_test
    model = path
    if key_of(button).endswith(("_onnx", "_pytorch", "_factors")):
        beside = page.locator(f".st-key-{key_of(button).rsplit('_', 1)[0]} {BUTTONS}")
        model = press(page, beside, path.parent)
    with torch.no_grad():
        expected = compression.load(model)(torch.from_numpy(samples)).numpy()
    assert expected.shape == (len(samples), 3)
    assert np.isfinite(expected).all()
    if path != model:
        np.testing.assert_allclose(outputs_of(page, button, path, samples), expected, atol=1e-4)


def outputs_of(page, button, path, samples):
    """What a file in another format answers, loaded as its help text says."""
    if path.suffix == ".onnx":
        import onnxruntime

        return onnxruntime.InferenceSession(path).run(None, {"samples": samples})[0]
    import torch

    if path.suffix == ".pt":
        code = button.locator("xpath=following::*[@data-testid='stCode'][1]").inner_text()
        names = {}
        with contextlib.chdir(path.parent):
            exec(code, names)
        network = names["network"]
    else:
        network = dense_network("softmax_regression" if "softmax" in path.name else "mlp", path)
        compression.restore(network, path)
    return network(torch.from_numpy(samples)).detach().numpy()


def dense_network(model, path):
    """One's own network of that architecture, as wide as the file says: it may be a smaller one."""
    import torch
    from safetensors.numpy import load_file

    network = models.build(model, data.load("iris", seed=0), 3, seed=0)[0]
    for name, values in load_file(path).items():
        layer, _, what = name.rpartition(".")
        if what == "weight":
            setattr(network, layer, torch.nn.Linear(*values.shape[::-1]))
    return network


def kind_of(path):
    """A file's last ending; of a factor file, that it is one."""
    return ".factors" if path.name.endswith(".factors.safetensors") else path.suffix


def check_page(browser, path):
    """Open an HTML file with the network cut: all charts are drawn, and their sliders work."""
    if 'src="plotly.min.js"' in path.read_text(encoding="utf-8"):
        from plotly.offline import get_plotlyjs

        (path.parent / "plotly.min.js").write_text(get_plotlyjs(), encoding="utf-8")
    context = browser.new_context(offline=True, viewport={"width": 1280, "height": 1500})
    page = context.new_page()
    errors, asked = [], []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
    page.on("request", lambda request: asked.append(request.url))
    page.goto(path.as_uri())
    page.locator(f"{CHARTS} .main-svg").first.wait_for()
    page.wait_for_function(
        """charts => [...document.querySelectorAll(charts)].every(
             g => g._fullData?.length && g.querySelector('.main-svg'))""",
        arg=CHARTS,
    )
    for number in range(page.locator(".slider-group").count()):
        move_slider(page, number)
    # What a frame does not change has to stay: both confusion matrices have all their squares.
    if page.locator(".slider-group").count():
        assert page.locator(".scatterlayer .trace .points path.point").count() >= 2 * 9
    assert not errors
    assert [url for url in asked if not re.match(r"file:|data:|blob:", url)] == []
    context.close()


def move_slider(page, number):
    """Drag a figure's own slider: its label and the figure's texts change."""
    slider = page.locator(".slider-group").nth(number)
    label = slider.locator(".slider-label").first
    before, text = label.text_content(), page.locator("svg").first.text_content()
    box = slider.locator(".slider-rail-touch-rect").bounding_box()
    page.mouse.move(box["x"] + 5, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.9 * box["width"], box["y"] + box["height"] / 2, steps=10)
    page.mouse.up()
    page.wait_for_function(
        "before => document.querySelector('svg').textContent !== before", arg=text
    )
    assert label.text_content() != before


@pytest.mark.parametrize("screen", SCREENS)
def test_every_download_button_gives_a_file_that_works(server, visit, browser, tmp_path, screen):
    page = open_all(server, visit, screen)
    kinds = set()
    for button in page.locator(BUTTONS).all():
        path = press(page, button, tmp_path)
        kinds.add(kind_of(path))
        match path.suffix:
            case ".html":
                check_page(browser, path)
            case ".onnx" if screen.startswith("your_model"):
                check_uploaded(path)
            case ".parquet":
                table = pd.read_parquet(path)
                assert len(table)
                assert IN_PARQUET[key_of(button)] <= set(table.columns)
            case ".toml":
                assert tomllib.loads(path.read_text("utf-8"))["parts"]
            case ".safetensors" | ".onnx" | ".pt":
                check_model(page, button, path)
            case ".csv":
                check_csv(page, button, path)
            case _:
                pytest.fail(f"{key_of(button)} gives {path.name}: no check for such a file")
    assert kinds == SCREENS[screen]


STUDY = "on=Iris&seeds=2&kept=true"  # of an MLP, by truncated SVD and rounding


def test_a_study_s_files_hold_what_was_computed(browser, visit, tmp_path):
    with serve_app(store=f"sqlite:///{tmp_path}/studies.db") as running:
        page = visit(f"{running.address}/studies?{STUDY}")
        page.locator(".st-key-study_csv").wait_for()
        wait_until_settled(page)
        files = {}
        for button in page.locator(BUTTONS).all():
            files[key_of(button)] = press(page, button, tmp_path)
        page.close()  # it would miss its server
    tables = {"study_toml", "study_csv", "study_parquet", "kept_parquet"}
    assert set(files) == {*tables, "study_html", FIGURES}
    study = read_study(files["study_toml"].read_text("utf-8"))
    assert (study.datasets, study.models) == (("iris",), ("mlp",))
    rows = pd.read_csv(files["study_csv"])
    assert set(rows["seed"]) == {0, 1}
    assert {"dataset", "model", "label", *SCORES} <= set(rows.columns)
    assert len(pd.read_parquet(files["study_parquet"])) == len(rows)
    kept = pd.read_parquet(files["kept_parquet"])
    assert set(kept["status"]) == {"done"}
    fits = kept[kept["studies"] == study.name]
    assert sorted(fits["what"]) == sorted(2 * ["reference", *(each.label for each in study.curves)])
    assert set(fits["dataset"]) == {"iris"}
    assert set(fits["model"]) == {"mlp"}
    assert set(fits["seed"]) == {"0", "1"}
    assert fits["finished_at"].dt.tz is not None
    assert (fits.loc[fits["what"] == "reference", "bytes"] > 0).all()
    check_page(browser, files[FIGURES])
    report = files["study_html"].read_text("utf-8")
    assert "Truncated SVD" in report
    assert "<script" not in report


def test_a_report_is_of_the_settings_that_the_page_shows(server, visit, tmp_path):
    page = visit(f"{server.address}/?dataset=iris&model=mlp&rank=3")
    page.locator(".st-key-report_true").wait_for()
    wait_until_settled(page)
    page.locator(".st-key-rank input[type=range]").press("ArrowRight")
    page.wait_for_function("location.search.includes('rank=4')")
    page.locator(".st-key-cost").get_by_text("Parameters", exact=True).click()
    page.wait_for_function("location.search.includes('cost=')")
    wait_until_settled(page)
    text = press(page, page.locator(f".st-key-report_true {BUTTONS}"), tmp_path).read_text("utf-8")
    assert "ranks=[4]" in text
    (link,) = re.findall(r'The same in the app: <a href="([^"]*)"', text)
    link = link.replace("&amp;", "&")
    assert parse_qs(urlparse(link).query) == parse_qs(urlparse(page.url).query)
    assert link.startswith(server.address)
