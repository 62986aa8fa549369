"""The figure that scrubs and the file to send: the same numbers as the curves, and no strangers."""

import ast
import contextlib
import io
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise

import numpy as np
import onnx
import pandas as pd
import pytest

import compression
import data
from data import uploads
from pages.shared.models import constrained_tasks
from pages.shared.models import tasks as work
from pages.shared.plots.palette import style
from pages.views.compare import animation as scrub
from pages.views.compare import html_report
from pages.views.your_data import tasks as own_data
from tests.compression.graphs import onnx_graphs
from tests.pages.rendering import open_page, render, settle

LINK = "http://127.0.0.1:8501/compare?dataset=iris&rank=1"


def go_on(*arguments, **named):
    return True


@pytest.fixture(scope="module", params=[("iris", "mlp"), ("diabetes", "linear_regression")])
def compared(request):
    dataset, model = request.param
    trained = work.reference(go_on, dataset, model, 0)
    low_rank = work.low_rank_curve(go_on, trained.origin, ("truncated_svd", None))
    constrained = constrained_tasks.constrained_curve(
        go_on,
        trained.origin,
        constraint="box",
        way="path" if trained.convex else "projected_training",
    )
    return trained, trained.layers[0], low_rank, constrained, 1, float(trained.bounds["box"][20])


def letter_of(constrained):
    """A network's bound is a share ρ of what holds each layer, a convex model's is c itself."""
    return {"relative bound": "ρ", "bound": "c"}[constrained.knob]


def test_every_row_of_both_curves_is_a_frame(compared):
    trained, _, low_rank, constrained, *_ = compared
    figure = scrub.scrub(*compared)
    names = [frame.name for frame in figure.frames]
    assert len(set(names)) == len(names)
    most = max(layer.break_even for layer in trained.layers) + 1
    ranks = [k for k in low_rank.table["knob"] if k <= most]
    shown = [float(name.removeprefix("k = ")) for name in names if name.startswith("k")]
    assert shown == sorted(set(shown) & set(ranks))
    assert len(shown) == min(len(ranks), scrub.MAX_RANKS)  # of more, not every one
    assert {shown[0], shown[-1]} == {ranks[0], ranks[-1]}
    letter = letter_of(constrained)
    assert sum(name.startswith(letter) for name in names) == len(constrained.table)
    for slider in figure.layout.sliders:
        asked = [step.args[0][0] for step in slider.steps]
        assert set(asked) <= set(names)


def test_a_frame_shows_its_row(compared):
    trained, _, _, constrained, *_ = compared
    figure = scrub.scrub(*compared)
    row = 7
    (frame,) = [
        f
        for f in figure.frames
        if f.name == f"{letter_of(constrained)} = {constrained.table['knob'][row]:.6g}"
    ]
    assert list(frame.traces) == list(range(len(figure.data)))  # see scrub: Plotly drops others
    spectrum, points, texts, point, numbers = frame.data[-5:]
    np.testing.assert_allclose(
        spectrum.y, constrained.spectra[trained.layers[0].name][row], atol=1e-5
    )
    assert list(point.x) == [constrained.table["bytes"][row]]
    scale = 100 if trained.task == "classification" else 1
    assert point.y[0] == pytest.approx(scale * constrained.table["score"][row], abs=1e-4)
    if trained.confusion is not None:
        counts = np.zeros_like(constrained.confusion[row])
        counts[list(texts.y), list(texts.x)] = [int(text) for text in texts.text]
        assert np.array_equal(counts, constrained.confusion[row])
        share = 100 * counts / counts.sum(axis=1, keepdims=True)
        np.testing.assert_allclose(points.marker.color, share.ravel(), atol=0.51)
    else:
        own = constrained.predictions[row] * trained.target_scale + trained.target_mean
        np.testing.assert_allclose(points.y, own, atol=1e-3)
    assert f"{int(constrained.table['parameters'][row]):,}" in numbers.text[0]


def test_baselines_are_thin_in_the_plane_and_named_in_their_colours(compared):
    trained, *_ = compared
    table = pd.DataFrame({"bytes": [70_000, 40, 900], "score": [0.9, -0.2, 0.5]})
    look = style("baseline", "rounding")
    figure = scrub.scrub(*compared, behind=[("Rounding", look, table)])
    (path,) = [shape for shape in figure.layout.shapes if shape.name == "Rounding"]
    scale = 100 if trained.task == "classification" else 1
    points = [tuple(map(float, point.split(","))) for point in path.path[1:].split(" L")]
    ordered = [(40, -0.2), (900, 0.5), (70_000, 0.9)]
    assert points == [(size, pytest.approx(scale * score)) for size, score in ordered]
    assert (path.xref, path.yref, path.line.color) == ("x5", "y5", look.colour)
    sides = [shape for shape in figure.layout.shapes if shape.xref == "x5" and not shape.name]
    assert all(path.line.width < shape.line.width for shape in sides)
    # All of it lies within the axes.
    assert 10 ** figure.layout.xaxis5.range[0] < 40
    assert 10 ** figure.layout.xaxis5.range[1] > 70_000
    assert figure.layout.yaxis5.range[0] < -0.2 * scale
    named = [note.text for note in figure.layout.annotations if "Thin: " in note.text]
    assert f'<span style="color:{look.colour}">Rounding</span>' in named[0]
    alone = scrub.scrub(*compared)
    assert not [note for note in alone.layout.annotations if "Thin: " in note.text]


def test_no_text_of_a_matrix_is_ever_empty(compared):
    """Plotly does not bring a text back that was empty in the frame before."""
    figure = scrub.scrub(*compared)
    for frame in figure.frames:
        for trace in frame.data:
            assert "" not in list(trace.text or ())


def test_the_code_of_a_report_gives_the_numbers_of_its_curves(compared, tmp_path, monkeypatch):
    trained, _, low_rank, constrained, rank, bound = compared
    monkeypatch.chdir(tmp_path)
    found = {}
    with contextlib.redirect_stdout(io.StringIO()):
        exec(html_report.write_code(trained, low_rank, constrained, rank, bound), found)
    assert found["reference"].score == trained.score
    expected = {
        "LMM": low_rank.table.iloc[low_rank.row(rank)],
        "COC": constrained.table.iloc[constrained.row(bound)],
    }
    for side, row in expected.items():
        for column in ("knob", "score", "parameters", "bytes", "macs"):
            assert found["rows"][side][column] == pytest.approx(row[column], abs=1e-6)
    assert (tmp_path / "low-rank.safetensors").stat().st_size == expected["LMM"]["bytes"]


def find_baselines(trained, rows):
    """Side -> name and row of the best baseline at its size, by the package itself."""
    dataset = data.load(trained.dataset, seed=0)
    reference = compression.train(dataset, model=trained.model, seed=0)
    names = [
        n for n, entry in compression.BASELINES.items() if not trained.convex or not entry.narrows
    ]
    found = {}
    for side, size in rows.items():
        lines = [
            (name, line)
            for name in names
            for _, line in compression.baseline_curve(reference, dataset, name).table.iterrows()
            if line["bytes"] <= size
        ]
        if lines:
            found[side] = max(lines, key=lambda one: (one[1]["validation_score"], -one[1]["bytes"]))
    return found


def test_a_report_names_the_best_baseline_at_each_side_s_size_and_its_code_gives_it(
    compared, tmp_path, monkeypatch
):
    trained, _, low_rank, constrained, rank, bound = compared
    sizes = {
        "LMM": low_rank.table["bytes"].iloc[low_rank.row(rank)],
        "COC": constrained.table["bytes"].iloc[constrained.row(bound)],
    }
    best = find_baselines(trained, sizes)
    assert best
    written = html_report.build_html_report(*compared, baselines=best, link=LINK, script=False)
    for side, (name, line) in best.items():
        row = re.search(
            rf"<tr>\s*<th>Best baseline at {side}'s file size: (.*?)</tr>", written, re.S
        )
        assert row[1].startswith(compression.BASELINES[name].title.lower())
        assert f"<td>{line['bytes']:,.0f}</td>" in row[1]
    monkeypatch.chdir(tmp_path)
    found = {}
    with contextlib.redirect_stdout(io.StringIO()):
        exec(html_report.write_code(trained, low_rank, constrained, rank, bound, best), found)
    for side, (_, line) in best.items():
        row = found["baselines"][side].table.iloc[0]
        assert (row["score"], row["bytes"]) == (line["score"], line["bytes"])


def test_the_page_hands_the_best_baselines_to_its_report(downloads):
    app = render(dataset="iris", model="mlp")
    written = downloads["report_false"]()
    sentence = next(t.value for t in app.markdown if "At LMM's file size (" in t.value)
    for side in ("LMM", "COC"):
        said = re.search(rf"At {side}'s file size \(.*?\) (.*?) \((.*?)\) scores", sentence)
        assert f"Best baseline at {side}'s file size: {said[1]}, {said[2]}" in written
    figure = re.search(r"Plotly\.newPlot\(.*", written, re.S)[0]
    assert all(f'"name":"{entry.title}"' in figure for entry in compression.BASELINES.values())


def test_the_figure_that_scrubs_on_the_page_has_every_baseline():
    app = render(dataset="iris", model="mlp", scrub="true")
    (chart,) = (c for c in app.get("plotly_chart") if c.proto.id.endswith("scrub_chart"))
    names = {shape.get("name") for shape in json.loads(chart.proto.spec)["layout"]["shapes"]}
    assert {entry.title for entry in compression.BASELINES.values()} <= names


def test_the_code_of_a_report_has_equal_epochs_where_its_curves_have(compared):
    trained, _, low_rank, constrained, rank, bound = compared
    assert "epochs" not in html_report.write_code(trained, low_rank, constrained, rank, bound)
    low_rank, constrained = (
        replace(curve, table=curve.table.assign(epochs=7)) for curve in (low_rank, constrained)
    )
    code = html_report.write_code(trained, low_rank, constrained, rank, bound)
    curves = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Call)]
    named = [{word.arg: word.value for word in call.keywords} for call in curves]
    of_rank, of_bound = (word for word in named if "epochs" in word)
    assert of_rank["epochs"].value == of_bound["epochs"].value == 7
    assert of_bound["warm_start"].value is False


def test_a_report_is_one_small_file_that_asks_nobody(compared):
    text = html_report.build_html_report(*compared, link=LINK)
    assert len(text.encode()) < 6e6
    own = text.replace(html_report.get_plotlyjs(), "")
    assert re.findall(r"""(?:src|href)=["']([^"']+)""", own) == [LINK.replace("&", "&amp;")] * 1
    assert "import compression" in own
    assert f"seed={compared[0].seed}" in own


def test_a_report_without_the_script_looks_beside_itself(compared):
    text = html_report.build_html_report(*compared, link=LINK, script=False)
    assert len(text.encode()) < 1e6
    assert '<script src="plotly.min.js"></script>' in text


def test_what_a_link_brings_is_text_in_a_report(compared):
    text = html_report.build_html_report(
        *compared, link='http://x/?seed="><script>alert(1)</script>', script=False
    )
    assert "<script>alert" not in text


def test_the_figure_of_a_report_is_plain_json(compared):
    json.loads(scrub.scrub(*compared).to_json())


# Names of classes, of columns or layers, of a dataset and of a file; one by one beside each other.
HARMLESS = {
    "classes": ("alpha", "beta", "gamma"),
    "columns": ("first", "second", "third", "fourth"),
    "title": "own",
}
HOSTILE = {
    "classes": ("<img src=x onerror=alert(1)>", "<svg/onload=alert(1)>", "[a](javascript:1)"),
    "columns": (
        "<a href='javascript:alert(1)'>a</a>",
        "$x$ </script><script>alert(1)</script>",
        '"><b onclick="alert(1)">b</b>',
        "</title></style><!--",
    ),
    "title": "<img src=x onerror=alert(1)> $x$",
}
FEATURES = 4


def make_weights(inner=24):
    """Weights of a network of three layers, (inputs, outputs) each."""
    rng = np.random.default_rng(1)
    sizes = (FEATURES, inner, inner, 3)
    return [rng.normal(size=pair) / np.sqrt(pair[0]) for pair in pairwise(sizes)]


def keep_table(names):
    """The dataset of an uploaded table whose classes the network of these weights knows."""
    x = np.random.default_rng(2).normal(size=(400, FEATURES)).round(4)
    h = x
    for weight in make_weights():
        outputs = h @ weight
        h = np.maximum(outputs, 0)
    frame = pd.DataFrame(x, columns=list(names["columns"]))
    order = sorted(range(3), key=lambda i: names["classes"][i])
    frame["kind"] = [names["classes"][order[i]] for i in outputs.argmax(axis=1)]
    upload = uploads.keep_file(frame.to_csv(index=False).encode())
    own_data.read_file(go_on, upload, f"{names['title']}.csv")
    choices = {"target": "kind", "task": "classification", "roles": {}}
    choices["title"] = f"{names['title']}.csv"
    return own_data.review(go_on, upload, json.dumps(choices)).name


def make_graph(names):
    """The network as an ONNX graph whose weights have the columns' names."""
    weights = dict(zip(names["columns"], make_weights(), strict=False))
    nodes, last = [], "x"
    for place, name in enumerate(weights):
        end = "y" if place == 2 else f"a{place}"
        nodes.append(onnx.helper.make_node("MatMul", [last, name], [end]))
        last = f"h{place}"
        if place < 2:
            nodes.append(onnx.helper.make_node("Relu", [end], [last]))
    return onnx_graphs.build(nodes, weights, ("rows", FEATURES))


class Elements(HTMLParser):
    """The elements of a page with their attributes, and what stands in its scripts."""

    def __init__(self, page):
        super().__init__()
        self.elements, self.scripts = [], []
        self.feed(page.replace(html_report.get_plotlyjs(), ""))

    def handle_starttag(self, tag, attributes):
        own = {name: value for name, value in attributes if name != "id"}
        self.elements.append((tag, own))

    def handle_comment(self, data):
        self.elements.append(("!", data))

    def handle_data(self, data):
        if self.elements and self.elements[-1][0] == "script":
            self.scripts.append(data.replace("\\u003c", "<"))


def compare_pages(hostile, harmless, words):
    """Pages of hostile and of harmless names have the same elements, and figures no markup."""
    found, expected = Elements(hostile), Elements(harmless)
    assert len(expected.elements) > 10
    assert found.elements == expected.elements
    own = "".join(found.scripts)
    assert "Plotly.newPlot" in own
    for word in words:
        assert word not in own


def compared_report(dataset):
    trained = work.reference(go_on, dataset, "mlp", 0)
    layer = trained.layers[0]
    low_rank = work.low_rank_curve(go_on, trained.origin, ("truncated_svd", None))
    constrained = constrained_tasks.constrained_curve(
        go_on, trained.origin, constraint="box", way="projected_training"
    )
    bound = float(trained.bounds["box"][20])
    return trained, layer, low_rank, constrained, 1, bound


def test_names_of_a_table_are_no_markup_in_a_report(monkeypatch):
    cleaned, raw = [], []
    for names in (HOSTILE, HARMLESS):
        dataset = keep_table(names)
        trained, *rest = compared_report(dataset)
        cleaned.append(html_report.build_html_report(trained, *rest, link=LINK))
        # As if nothing had cleaned the names when the table was read.
        entry = replace(
            data.find(dataset),
            title=names["title"],
            summary=names["columns"][0],
            source=names["columns"][1],
            licence=names["columns"][2],
        )
        with monkeypatch.context() as patch:
            patch.setattr("data.find", lambda name, entry=entry: entry)
            told = replace(trained, class_names=names["classes"])
            raw.append(html_report.build_html_report(told, *rest, link=LINK))
    assert "alpha" in cleaned[1]
    assert all(name in raw[1] for name in ("own", "first", "second", "third"))
    compare_pages(*cleaned, ("<img", "<svg", "<a ", "<script", "<b "))
    compare_pages(*raw, ())


def figures_of_your_model(names, monkeypatch):
    """What *Figures as HTML* of Your model gives for an upload judged on an own table."""
    built = {}
    monkeypatch.setattr(
        "pages.shared.ui.blocks.download",
        lambda label, content, *rest, **named: built.update({label: content}),
    )
    dataset = keep_table(names)
    app = open_page("your_model.py", dataset="iris", model="softmax_regression", judged_on=dataset)
    app.run()
    file = (f"{names['title']}.onnx", make_graph(names), "application/octet-stream")
    app.file_uploader(key="your_model_files").set_value([file])
    app = settle(app)
    assert not [error.value for error in app.error]
    return built["Figures as HTML"]()


def test_names_of_a_model_and_its_data_are_no_markup_in_its_figures(monkeypatch):
    hostile, harmless = (figures_of_your_model(names, monkeypatch) for names in (HOSTILE, HARMLESS))
    assert "first" in harmless  # a layer
    assert "own.onnx" in harmless
    assert "gamma" in harmless
    compare_pages(hostile, harmless, ("<img", "<svg", "<a ", "<script", "<b "))
