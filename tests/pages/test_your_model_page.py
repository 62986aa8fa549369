"""The page on one's own model: the example, uploads, and the file that people leave with."""

import base64
import json
from pathlib import Path

import numpy as np
import onnxruntime
import pandas as pd
import pytest
import safetensors.torch

import compression
import data
from compression.graphs import example
from pages.views.your_model import figures, tables, tasks, text
from tests.compression.graphs import onnx_graphs
from tests.compression.graphs.conftest import low_rank_matrix, safetensors_file, text_model_state
from tests.compression.graphs.onnx_graphs import build, node
from tests.pages.rendering import check_links, open_page, render, settle

# What an app begins with is drawn first: something small.
QUICK = {"dataset": "iris", "model": "softmax_regression"}
HOSTILE = "<b>x</b> ![p](http://a.b/c) `$\n"


def charts(app):
    return {chart.key: json.loads(chart.proto.spec) for chart in app.get("plotly_chart")}


def unpack(values):
    """Numbers of a figure, as JSON writes them."""
    if isinstance(values, dict):
        return np.frombuffer(base64.b64decode(values["bdata"]), values["dtype"])
    return np.array(values)


def upload(app, **files):
    app.file_uploader(key="your_model_files").set_value(
        [
            (name.replace("__", "."), content, "application/octet-stream")
            for name, content in files.items()
        ]
    )
    return settle(app)


@pytest.fixture(scope="module")
def page_of_the_example():
    """Drawn once for the tests that only look at it."""
    query = {"weight": "middle.weight", "energy": "90", "weight_bits": "8"}
    return render("your_model.py", **QUICK, **query, keep="100")


def test_the_example_shows_its_map_its_spectrum_and_its_plan(page_of_the_example):
    app = page_of_the_example
    drawn = charts(app)
    assert {"layer_map", "spectrum", "energy_by_size", "scores_by_size"} <= set(drawn)
    (tiles,) = drawn["layer_map"]["data"]
    model = compression.read_model({example.NAME: example.content()})
    assert tiles["labels"] == list(model.layers["layer"])
    said = dict(zip(tiles["labels"], tiles["text"], strict=True))
    rank, limit = model.layers.set_index("layer").loc["wide.weight", ["rank_90", "break_even"]]
    saved = 1 - rank * (64 + 512) / (64 * 512)
    assert rank <= limit
    assert said["wide.weight"] == f"−{100 * saved:.0f} %"
    assert said["grouped.weight"] == "stays"
    table = app.dataframe[0].value
    whys = dict(zip(table["layer"], table["why, why not"], strict=True))
    assert "groups share no channels" in whys["grouped.weight"]
    assert app.selectbox(key="weight").value == "middle.weight"
    assert text.SCORE_BELOW in [words.value for words in app.caption]
    assert text.NO_SCORE not in [words.value for words in app.warning]


def test_the_slider_s_ranks_are_those_of_the_file_that_is_handed_out():
    files = ((example.NAME, example.content()),)
    view = tasks.read(lambda *_: True, files)
    keep = str(round(100 * view.plan["share"].iloc[8], 1))
    app = render("your_model.py", **QUICK, keep=keep, judged_on="none")
    built = tasks.build(lambda *_: True, files, view.ranks[8])
    again = compression.read_model({"again.onnx": built.content})
    for layer, rank in view.ranks[8]:
        assert f"`{layer}` → {rank}" in " ".join(caption.value for caption in app.caption)
        assert again.matrix(f"{layer}.left").shape[1] == rank
    shown = " ".join(markdown.value for markdown in app.markdown)
    assert f"**{len(built.content) / 1000:,.0f} kB**" in shown
    (button,) = [b for b in app.get("download_button") if b.proto.label.startswith("Download")]
    assert button.proto.label == "Download digits.onnx"
    session = onnxruntime.InferenceSession(built.content)
    x = np.random.default_rng(1).normal(size=(4, 1, 8, 8)).astype(np.float32)
    before = onnxruntime.InferenceSession(example.content()).run(None, {"image": x})[0]
    change = np.linalg.norm(session.run(None, {"image": x})[0] - before) / np.linalg.norm(before)
    assert 0 < change < 10 * built.outputs["relative"]


def test_an_upload_takes_the_example_s_place_and_its_names_are_no_markup():
    values = {HOSTILE: low_rank_matrix(40, 30, 4), "b": np.ones(40)}
    app = upload(
        open_page("your_model.py", **QUICK).run(), own__safetensors=safetensors_file(values)
    )
    assert not app.error
    drawn = charts(app)
    assert drawn["layer_map"]["data"][0]["labels"] == [
        "&lt;b&gt;x&lt;/b&gt; ![p](http://a.b/c) `$·"
    ]
    for words in (*app.markdown, *app.caption):
        outside = "".join(words.value.split("`")[::2])
        assert "<b>" not in outside
        assert "![" not in outside


def test_a_file_that_cannot_be_read_gets_its_sentence():
    app = upload(open_page("your_model.py", **QUICK).run(), broken__onnx=b"nothing of the kind")
    assert ["this is no ONNX graph" in error.value for error in app.error] == [True]


def test_the_way_to_read_is_chosen_on_validation_rows_and_the_curve_is_of_the_test_part(
    page_of_the_example,
):
    app = page_of_the_example
    files = ((example.NAME, example.content()),)
    found = tasks.readings(lambda *_: True, files, "digits", 0)
    assert found.ways[0] == ("as is", "NCHW", "")
    assert app.selectbox(key="reading").value == found.table["reading"].iloc[0]
    dataset = data.load("digits", seed=0)
    raw = (dataset.x_test * dataset.scale + dataset.mean).reshape(-1, 1, 8, 8).astype(np.float32)
    outputs = onnxruntime.InferenceSession(example.content()).run(None, {"image": raw})[0]
    expected = 100 * (outputs.argmax(1) == dataset.y_test).mean()
    (curve,) = [t for t in charts(app)["scores_by_size"]["data"] if t["name"] == "Truncated SVD"]
    assert unpack(curve["y"])[-1] == pytest.approx(expected)
    assert app.selectbox(key="judged_on").value == "digits"


def test_data_that_do_not_fit_the_model_are_said_to_be_others():
    app = settle(open_page("your_model.py", **QUICK, judged_on="iris"))
    assert any("choose another dataset" in error.value for error in app.error)


def test_a_model_that_cannot_shrink_says_so():
    values = {"embed.weight": np.random.default_rng(0).normal(size=(30, 20))}
    app = upload(
        open_page("your_model.py", **QUICK).run(), own__safetensors=safetensors_file(values)
    )
    assert any(info.value == text.NOTHING for info in app.info)
    assert "download_button" not in [b.key for b in app.get("download_button")]


@pytest.mark.parametrize(
    ("rank", "word", "sign"), [(3, "within break-even", "−"), (9, "above", "+")]
)
def test_map_and_table_say_the_same_of_a_layer(rank, word, sign):
    layers = pd.DataFrame(
        {
            "layer": ["w"],
            "parameters": [128],
            "rank_99": [rank],
            "saving_99": [1 - rank * 24 / 128],
            "break_even": [5],
            "reason": [""],
        }
    )
    assert word in text.explain_layer(layers.iloc[0], "99")
    (tile,) = figures.layer_map(layers, "99", "w").data
    assert tile.text[0] == f"{sign}{abs(100 * (1 - rank * 24 / 128)):.0f} %"
    red, _, blue = (int(tile.marker.colors[0][i : i + 2], 16) for i in (1, 3, 5))
    assert (red > blue) == (rank == 9)


def adapter_files():
    """PEFT's layout: two layers, one with little in it."""
    import safetensors.torch
    import torch

    numbers = torch.Generator().manual_seed(0)
    tensors = {}
    for layer, size in ((HOSTILE, 1.0), ("b", 0.01)):
        for half, shape in (("A", (6, 20)), ("B", (30, 6))):
            name = f"base_model.model.{layer}.lora_{half}.weight"
            tensors[name] = size * torch.randn(shape, generator=numbers)
    config = {"peft_type": "LORA", "r": 6, "lora_alpha": 12}
    return {
        "adapter_model__safetensors": safetensors.torch.save(tensors),
        "adapter_config__json": json.dumps(config).encode(),
    }


def test_an_adapter_s_budget_goes_to_the_layer_that_needs_it_and_its_files_come_back():
    app = upload(open_page("your_model.py", **QUICK).run(), **adapter_files())
    assert not app.error
    assert set(charts(app)) == {"adapter_energy", "spectrum"}
    table = app.dataframe[0].value
    assert list(table["rank now"]) == [6, 6]
    assert list(table["rank after"]) == [6, 1]
    labels = {button.proto.label for button in app.get("download_button")}
    assert {"Download adapter_config.json", "Download adapter_model.safetensors"} <= labels
    for words in app.markdown:
        assert "<b>" not in "".join(words.value.split("`")[::2])
    files = tuple((n.replace("__", "."), content) for n, content in adapter_files().items())
    view = tasks.read_adapter(lambda *_: True, files)
    built = tasks.resize_adapter(lambda *_: True, files, view.ranks[view.start])
    again = compression.read_adapter(dict(built.files))
    assert sorted(again.layers["rank"]) == [1, 6]
    assert built.energy_kept >= 0.99


def test_an_adapter_without_its_config_gets_a_sentence():
    (name, content), _ = adapter_files().items()
    app = upload(open_page("your_model.py", **QUICK).run(), **{name: content})
    said = [error.value.replace("\\", "") for error in app.error]  # as Markdown shows it
    assert ["add the adapter's adapter_config.json" in sentence for sentence in said] == [True]


def test_the_example_learned_from_no_row_that_it_is_judged_on():
    """Rows of the fit part that it learned from it knows by heart; others it does not."""
    import onnxruntime

    import data

    digits = data.load("digits", seed=0)
    session = onnxruntime.InferenceSession(example.content())

    def accuracy(x, y):
        images = (x * digits.scale + digits.mean).astype("float32").reshape(-1, 1, 8, 8)
        return (session.run(None, {"image": images})[0].argmax(1) == y).mean()

    fit = accuracy(digits.x_train[digits.fit_rows], digits.y_train[digits.fit_rows])
    unseen = accuracy(digits.x_test, digits.y_test)
    assert fit == 1.0
    assert 0.9 < unseen < fit


def regression_graph():
    """Least squares with two made-up features for the diabetes data, in the target's own unit."""
    diabetes = data.load("diabetes", seed=0)
    x, y = (part[diabetes.fit_rows] for part in (diabetes.x_train, diabetes.y_train))
    mixing = np.random.default_rng(0).normal(size=(10, 10))
    slopes = np.linalg.lstsq(x @ mixing, y * diabetes.target_scale, rcond=None)[0]
    weights = {"m": mixing, "w": slopes[:, None], "b": np.array([diabetes.target_mean])}
    nodes = [node("MatMul", "x m", "h"), node("MatMul", "h w", "p"), node("Add", "p b", "y")]
    return build(nodes, weights, ("rows", 10))


def test_the_last_layer_under_a_bound_is_certified_and_leaves_with_the_model(page_of_the_example):
    app = page_of_the_example
    drawn = charts(app)
    assert {"head_scores", "head_prices", "head_multipliers"} <= set(drawn)
    assert any(said.value.startswith("**Certified**") for said in app.success)
    files = ((example.NAME, example.content()),)
    way = ("as is", "NCHW", "")
    view = tasks.bound_head(lambda *_: True, files, "digits", 0, way, None, "box")
    row = view.start
    weight, intercept = view.heads[row]
    assert np.abs(weight).max() <= view.table["knob"][row] * (1 + 1e-9)
    built = tasks.build_head(
        lambda *_: True, files, "digits", 0, way, view.layer, weight.tobytes(), intercept.tobytes()
    )
    digits = data.load("digits", seed=0)
    raw = (digits.x_test * digits.scale + digits.mean).reshape(-1, 1, 8, 8).astype(np.float32)
    said = onnxruntime.InferenceSession(built.content).run(None, {"image": raw})[0].argmax(1)
    shown = next(t for t in drawn["head_scores"]["data"] if t["name"] == "constrained")
    assert unpack(shown["y"])[row] == pytest.approx(100 * (said == digits.y_test).mean())
    labels = [button.proto.label for button in app.get("download_button")]
    assert "Download digits.onnx with this last layer" in labels


def test_a_regression_is_judged_by_r2_and_its_last_layer_follows_an_exact_path():
    app = open_page("your_model.py", **QUICK, judged_on="diabetes").run()
    app = upload(app, own__onnx=regression_graph())
    assert not app.error
    assert any(words.value == text.CHAIN for words in app.caption)
    said = " ".join(words.value for words in app.markdown)
    assert "answers in the target's unit" in said
    assert "always answering their mean gives 0" in said
    drawn = charts(app)
    assert drawn["scores_by_size"]["layout"]["yaxis"]["title"]["text"] == "Test R²"
    assert "30 of 30 bounds are certified" in said
    assert any(metric.label == "Test R²" for metric in app.metric)


def test_a_pair_comes_back_as_one_file_that_runs_alone(tmp_path):
    folder = Path(onnx_graphs.__file__).parent / "files"
    files = {name: (folder / name).read_bytes() for name in ("model.onnx", "model.onnx.data")}
    view = tasks.read(lambda *_: True, tuple(files.items()))
    built = tasks.build(lambda *_: True, tuple(files.items()), view.ranks[2])
    assert "one file" in text.describe_built(view, built)
    (tmp_path / "alone.onnx").write_bytes(built.content)
    session = onnxruntime.InferenceSession(tmp_path / "alone.onnx")
    assert session.run(None, {"x": np.zeros((2, 3, 8, 8), np.float32)})[0].shape == (2, 16)


def test_eight_bits_are_drawn_beside_ranks_and_leave_as_a_file(page_of_the_example):
    app = page_of_the_example
    series = {trace["name"]: trace for trace in charts(app)["scores_by_size"]["data"]}
    low_rank, rounded = series["Truncated SVD"], series["Truncated SVD, 8 bits"]
    assert len(low_rank["x"]) == len(rounded["x"])
    assert (unpack(rounded["x"]) < unpack(low_rank["x"])).all()
    files = ((example.NAME, example.content()),)
    built = tasks.build(lambda *_: True, files, (), 8)
    assert len(built.content) == unpack(rounded["x"])[-1]
    said = " ".join(words.value for words in app.markdown)
    assert "no weight is further than half a step of 8 bits" in said
    table = tasks.latency(lambda *_: True, files, "digits", 0, ("as is", "NCHW", ""), ())
    assert list(table["model"].unique()) == ["reference", "yours, again", "8 bits", "4 bits"]
    assert "the same file twice differs" in text.describe_latency(table)
    assert len(tables.latency_table(table)) == 8


def test_ranks_by_what_layers_give_stand_beside_truncated_svd_and_leave_as_the_file():
    files, way = ((example.NAME, example.content()),), ("as is", "NCHW", "")
    found = tasks.calibrate(lambda *_: True, files, "digits", 0, way)
    keep = str(round(100 * found.plan["share"].iloc[5], 1))
    app = render("your_model.py", **QUICK, keep=keep, ranks_by="activation_aware_svd")
    assert not app.error
    series = {trace["name"]: trace for trace in charts(app)["scores_by_size"]["data"]}
    assert "visible" not in series["Activation-aware SVD, 4 bits"]
    assert "visible" not in series["Truncated SVD"]
    # The smallest file may be of the other method in few bits: the legend shows its curve.
    assert series["Truncated SVD, 4 bits"]["visible"] == "legendonly"
    said = " ".join(words.value for words in (*app.markdown, *app.caption))
    assert [b.value for b in app.get("button_group") if b.key == "ranks_by"]
    assert "of what its outputs vary by on fit rows" in said
    built = tasks.build(lambda *_: True, files, found.ranks[5], 32, ("digits", 0, way))
    digits = data.load("digits", seed=0)
    model = compression.read_model(dict(files))
    spread = np.unique(np.linspace(0, len(digits.fit_rows) - 1, 1024).round().astype(int))
    fit = digits.x_train[digits.fit_rows[spread]] * digits.scale + digits.mean
    again = model.calibrate(fit.reshape(-1, 1, 8, 8).astype(np.float32))
    expected = again.compressed(dict(found.ranks[5])).to_bytes()[example.NAME]
    assert built.content == expected
    raw = (digits.x_test * digits.scale + digits.mean).reshape(-1, 1, 8, 8).astype(np.float32)
    outputs = onnxruntime.InferenceSession(built.content).run(None, {"image": raw})[0]
    places = tasks.scores(lambda *_: True, files, "digits", 0, (found.ranks[5],), way, None, True)
    right = (outputs.argmax(1) == digits.y_test).mean()
    assert places.table.set_index("bits").loc[32, "score"] == pytest.approx(right)


def test_the_smallest_file_within_a_loss_is_chosen_on_validation_and_is_the_one_to_download():
    files, way = ((example.NAME, example.content()),), ("as is", "NCHW", "")
    view = tasks.read(lambda *_: True, files)
    found = tasks.calibrate(lambda *_: True, files, "digits", 0, way)
    curves = {
        method: tasks.scores(lambda *_: True, files, "digits", 0, ranks, way, None, calibrated)
        for method, ranks, calibrated in (
            ("truncated_svd", view.ranks, False),
            ("activation_aware_svd", found.ranks, True),
        )
    }
    tables = [curve.table.assign(method=name) for name, curve in curves.items()]
    able = pd.concat(tables)
    able = able[(able["validation_change"] >= -0.02) & (able["bytes"] < len(example.content()))]
    best = able.sort_values("bytes").iloc[0]
    app = render("your_model.py", **QUICK, lose_at_most="2")
    labels = [metric.label for metric in app.metric]
    first = labels.index("File size")
    shown = {metric.label: metric.value for metric in app.metric[first : first + 3]}
    assert shown["File size"] == f"{best['bytes'] / 1000:,.0f} kB"
    assert shown["Test accuracy"] == f"{100 * best['score']:.1f} %"
    said = " ".join(words.value for words in app.markdown)
    assert f"of the parameters, weights in {best['bits']} bits**: the smallest of" in said
    assert "at most 2 points on the validation rows" in said
    ranks = (found if best["method"] == "activation_aware_svd" else view).ranks[best["row"]]
    calibration = ("digits", 0, way) if best["method"] == "activation_aware_svd" else None
    built = tasks.build(lambda *_: True, files, ranks, int(best["bits"]), calibration)
    assert len(built.content) == best["bytes"]
    digits = data.load("digits", seed=0)
    raw = (digits.x_test * digits.scale + digits.mean).reshape(-1, 1, 8, 8).astype(np.float32)
    outputs = onnxruntime.InferenceSession(built.content).run(None, {"image": raw})[0]
    assert (outputs.argmax(1) == digits.y_test).mean() == pytest.approx(best["score"])
    assert any(b.key == "smallest_model" for b in app.get("download_button"))


def test_without_data_ranks_are_those_of_truncated_svd():
    app = render("your_model.py", **QUICK, judged_on="none", ranks_by="activation_aware_svd")
    assert any(words.value == text.WITHOUT_CALIBRATION for words in app.caption)
    assert text.NO_SCORE in [words.value for words in app.warning]
    check_links(app)
    assert not [b for b in app.get("button_group") if b.key == "ranks_by"]


def latencies(ratio_low, ratio_high):
    rows = [("reference", 1.0, 1.0), ("yours, again", 0.9, 1.1), ("8 bits", ratio_low, ratio_high)]
    return pd.DataFrame(
        {"model": name, "batch": 1, "ratio": low, "ratio_low": low, "ratio_high": high}
        for name, low, high in rows
    )


@pytest.mark.parametrize(
    ("ends", "word"),
    [((1.3, 1.4), "faster"), ((0.5, 0.6), "slower"), ((1.05, 1.4), "not told apart")],
)
def test_what_lies_within_the_noise_is_not_called_faster(ends, word):
    assert word in text.describe_latency(latencies(*ends))


def test_a_text_model_whose_package_is_installed_can_be_looked_at(tmp_path, monkeypatch):
    folder = tmp_path / example.TEXT_MODEL_PACKAGE / "model"
    folder.mkdir(parents=True)
    (folder.parent / "__init__.py").write_text("raise AssertionError('its code was run')")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *"abcdefghijklmnopqrstuvwxyz", "the", "is"]
    (folder / "vocab.txt").write_text("\n".join(words))
    state = text_model_state(len(words))
    safetensors.torch.save_file(state, folder / "model.safetensors")
    monkeypatch.syspath_prepend(str(tmp_path))
    example.read_text_model.cache_clear()
    app = render("your_model.py", **QUICK, example_model=example.TEXT_MODEL_NAME)
    example.read_text_model.cache_clear()
    drawn = charts(app)
    assert "pooler.dense.weight" in drawn["layer_map"]["data"][0]["labels"]
    assert not any(info.value == text.NO_GRAPH for info in app.info)
    assert text.SENTENCES in [words.value for words in app.caption]
    cosines = unpack(drawn["cosine_by_size"]["data"][0]["y"])
    assert cosines[-1] == pytest.approx(1, abs=1e-6)
    assert cosines[0] < cosines[-1]
    assert any("the mean cosine is" in words.value for words in app.markdown)
    check_links(app)
