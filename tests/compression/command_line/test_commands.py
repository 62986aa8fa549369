"""The commands, called as the shell does: arguments in, exit code, stdout, stderr and files out."""

import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import onnxruntime
import pandas as pd
import pytest
import safetensors.torch
import torch
from scipy.stats import norm
from torch import nn

import compression
from compression.command_line.parser import main

ROOT = Path(__file__).parents[3]
FEATURES, CLASSES = 6, 3


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A linear classifier that is always right, copies of it that err, and their data."""
    folder = tmp_path_factory.mktemp("models")
    torch.manual_seed(0)
    first, second = nn.Linear(FEATURES, 16, bias=False), nn.Linear(16, CLASSES, bias=False)
    nn.init.orthogonal_(first.weight)
    network = nn.Sequential(first, second).eval()
    x = torch.randn(2000, FEATURES)
    outputs = network(x)
    y = outputs.argmax(1).numpy()
    frame = pd.DataFrame(x.numpy(), columns=[f"f{i}" for i in range(FEATURES)])
    frame.assign(target=y).to_parquet(folder / "data.parquet")
    frame.assign(target=np.array(["a", "b", "c"])[y], note="x").to_csv(
        folder / "words.csv", index=False
    )
    np.savez(folder / "data.npz", x=x.numpy(), y=y)
    np.savez(folder / "few.npz", x=x.numpy()[:40], y=y[:40])
    np.savez(folder / "rolled.npz", x=x.numpy(), y=(y + 1) % CLASSES)
    compression.export_onnx(network, folder / "before.onnx")
    compression.save(network, folder / "before.safetensors")
    for name, noise in (("slightly", 0.001), ("badly", 0.6)):
        worse = nn.Sequential(first, nn.Linear(16, CLASSES, bias=False)).eval()
        worse[1].weight.data = second.weight.data + noise * torch.randn(CLASSES, 16)
        compression.export_onnx(worse, folder / f"{name}.onnx")
    low_rank = torch.randn(40, 4) @ torch.randn(4, 60) + 0.01 * torch.randn(40, 60)
    state = {"layer.weight": low_rank, "head\x1b[31m.weight": torch.randn(30, 20)}
    safetensors.torch.save_file(state, folder / "bag.safetensors")
    adapter = {"x.lora_down.weight": torch.randn(8, 30), "x.lora_up.weight": torch.randn(20, 8)}
    safetensors.torch.save_file(adapter, folder / "adapter.safetensors")
    return folder


@pytest.fixture
def call(folder, capsys):
    """Run a command; its exit code, stdout and stderr. Words that name a file are paths to it."""

    def run(*words):
        there = {path.name: str(path) for path in folder.iterdir()}
        code = main([there.get(word, word) for word in words])
        return code, *capsys.readouterr()

    return run


def test_spectrum_shows_the_ranks_and_why_not(call, folder):
    code, out, err = call("spectrum", "bag.safetensors")
    assert code == 0
    assert "\x1b" not in out
    assert "taking spectra: 2 of 2" in err
    code, out, _ = call("spectrum", "bag.safetensors", "--json")
    layers = {row["layer"]: row for row in json.loads(out)["layers"]}
    weight = safetensors.torch.load_file(folder / "bag.safetensors")["layer.weight"].numpy()
    expected = np.linalg.svd(weight.astype(float), compute_uv=False)
    np.testing.assert_allclose(layers["layer.weight"]["singular_values"], expected, atol=1e-4)
    energy = np.cumsum(expected**2) / np.sum(expected**2)
    assert layers["layer.weight"]["rank_99"] == int((energy < 0.99).sum()) + 1


def test_spectrum_reads_adapters_and_graphs(call):
    code, out, _ = call("spectrum", "adapter.safetensors")
    assert code == 0
    assert re.search(r"x\s+linear\s+20 x 30\s+8\s+400", out)
    code, out, _ = call("spectrum", "before.onnx", "--json")
    assert code == 0
    assert len(json.loads(out)["layers"]) == 2


@pytest.mark.parametrize(
    ("knob", "rank"),
    [(("--ranks", "layer.weight=3"), 3), (("--energy", "0.95"), None), (("--share", "0.4"), None)],
)
def test_compress_writes_a_file_that_is_smaller_by_what_it_says(call, folder, tmp_path, knob, rank):
    code, out, _ = call("compress", "bag.safetensors", *knob, "--output", str(tmp_path), "--json")
    assert code == 0
    said = json.loads(out)
    ((path,),) = [said["written"]]
    assert Path(path).stat().st_size == said["bytes_after"] < said["bytes_before"]
    before = safetensors.torch.load_file(folder / "bag.safetensors")["layer.weight"]
    after = safetensors.torch.load_file(path)
    product = after["layer.weight.left"] @ after["layer.weight.right"]
    (line,) = (row for row in said["layers"] if row["layer"] == "layer.weight")
    assert line["rank"] == after["layer.weight.left"].shape[1] == (rank or line["rank"])
    kept = 1 - float((product - before).norm() / before.norm()) ** 2
    assert line["energy_kept"] == pytest.approx(kept, abs=1e-5)
    if "--energy" in knob:
        assert kept >= 0.95 - 1e-6
    if "--share" in knob:
        numbers = sum(tensor.numel() for tensor in after.values())
        assert numbers <= 0.4 * (before.numel() + 600)


def test_compress_by_method_keeps_what_the_layers_give_on_the_data(call, folder, tmp_path):
    """Inputs of rank 2: at rank 2 nothing of the outputs is lost, where the weight loses much."""
    mixing = np.random.default_rng(0).normal(size=(2, FEATURES)).astype(np.float32)
    few = np.random.default_rng(1).normal(size=(300, 2)).astype(np.float32) @ mixing
    np.savez(tmp_path / "few.npz", x=few, y=np.arange(300))
    change = {}
    for method in ("truncated_svd", "activation_aware_svd"):
        data = ("--data", str(tmp_path / "few.npz")) if method != "truncated_svd" else ()
        words = ("compress", "before.onnx", "--ranks", "0.weight=2", "--method", method, *data)
        code, out, err = call(*words, "--output", str(tmp_path / method), "--json")
        assert code == 0, err
        said = json.loads(out)
        assert said["method"] == method
        runs = [
            onnxruntime.InferenceSession(path)
            for path in (folder / "before.onnx", *said["written"])
        ]
        before, after = (s.run(None, {s.get_inputs()[0].name: few})[0] for s in runs)
        change[method] = np.abs(after - before).max()
        kept = next(row["energy_kept"] for row in said["layers"] if row["rank"] == 2)
    assert kept == pytest.approx(1.0, abs=1e-5)
    assert change["activation_aware_svd"] < 1e-4 < change["truncated_svd"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("before.onnx",), "give --data"),
        (("bag.safetensors", "--data", "few.npz"), "without a graph"),
        (("adapter.safetensors", "--data", "few.npz"), "without data"),
    ],
)
def test_a_loss_needs_rows_and_a_graph(call, tmp_path, words, said):
    code, _, err = call("compress", *words, "--lose-at-most", "1", "--output", str(tmp_path))
    assert code == 2
    assert said in err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("before.onnx", "--method", "activation_aware_svd"), "give --data"),
        (("before.onnx", "--data", "few.npz"), "--method activation_aware_svd"),
        (("bag.safetensors", "--method", "activation_aware_svd", "--data", "few.npz"), "graph"),
        (("adapter.safetensors", "--method", "activation_aware_svd"), "without data"),
    ],
)
def test_compress_says_what_a_method_lacks(call, tmp_path, words, said):
    code, _, err = call("compress", *words, "--share", "0.9", "--output", str(tmp_path))
    assert code == 2
    assert said in err


def test_compress_keeps_an_adapters_layout_and_overwrites_nothing_unasked(call, tmp_path):
    words = ("compress", "adapter.safetensors", "--share", "0.5", "--output", str(tmp_path))
    assert call(*words)[0] == 0
    tensors = safetensors.torch.load_file(tmp_path / "adapter.safetensors")
    assert tensors["x.lora_down.weight"].shape == (4, 30)
    code, _, err = call(*words)
    assert code == 2
    assert "is there already" in err
    assert call(*words, "--force")[0] == 0


def test_a_compressed_graph_runs_and_is_compared(call, folder, tmp_path):
    layer = json.loads(call("spectrum", "before.onnx", "--json")[1])["layers"][0]["layer"]
    words = ("--ranks", f"{layer}=2", "--output", str(tmp_path))
    code, out, _ = call("compress", "before.onnx", *words)
    assert code == 0
    assert "relative change of outputs" in out
    code, out, _ = call("compare", "before.onnx", str(tmp_path / "before.onnx"), "--json")
    assert code == 0
    assert 0 < json.loads(out)["relative_difference"] < 2


@pytest.mark.parametrize("data", ["data.parquet", "data.npz"])
def test_gate_passes_a_model_that_loses_little(call, data):
    code, out, _ = call("gate", "before.onnx", "slightly.onnx", data, "--lose-at-most", "2")
    assert code == 0
    assert out.startswith("PASSED: slightly.onnx is right on 9")
    assert "before.onnx on 100.00%" in out
    assert "2,000 rows" in out


def test_gate_fails_a_model_that_loses_much_and_one_of_which_too_little_is_known(call):
    code, out, _ = call("gate", "before.onnx", "badly.onnx", "data.npz")
    assert code == 1
    assert "more than the 1 point that may be lost is lost" in out
    code, out, _ = call("gate", "before.onnx", "before.onnx", "few.npz", "--json")
    said = json.loads(out)
    assert (code, said["passes"], said["change_points"]) == (1, False, 0)
    z = 1.959964**2
    assert said["change_low"] == pytest.approx(-100 * z / (40 + z), abs=1e-3)
    assert "More rows would tell more" in said["sentence"]


@pytest.mark.parametrize("confidence", [50, 80, 90, 95, 99, 99.9])
def test_gate_s_confidence_widens_its_interval_and_decides_its_verdict(call, confidence):
    """Of 40 rows none changes: the score interval of that is known, and 5 points may be lost."""
    words = ("gate", "before.onnx", "before.onnx", "few.npz", "--lose-at-most", "5", "--json")
    code, out, _ = call(*words, "--confidence", str(confidence))
    said = json.loads(out)
    z = norm.isf((1 - confidence / 100) / 2) ** 2
    low = -100 * z / (40 + z)
    assert said["change_low"] == pytest.approx(low, abs=1e-3)
    assert said["change_high"] == pytest.approx(-low, abs=1e-3)
    assert said["confidence"] == confidence
    assert f"with {confidence:g} % confidence" in said["sentence"]
    assert said["passes"] == (low >= -5) == (confidence <= 80)
    assert code == (0 if confidence <= 80 else 1)
    assert said["sentence"].startswith("PASSED" if confidence <= 80 else "FAILED")


def test_gate_takes_our_own_files_and_classes_in_words(call):
    words = ("gate", "before.safetensors", "before.onnx", "words.csv")
    code, _, err = call(*words)
    assert code == 2
    assert "note: no numbers" in err
    code, out, err = call(*words, "--ignore", "note")
    assert code == 0, err
    assert "+0.00 points" in out


def test_gate_says_that_the_classes_stand_in_another_order(call):
    code, out, err = call("gate", "before.onnx", "before.onnx", "rolled.npz")
    assert (code, out) == (2, "")
    assert "classes stand in another order" in err


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.addresses = [], []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.addresses += [value for key, value in attributes if key in ("src", "href")]


def test_gate_writes_a_report_that_asks_for_nothing_and_escapes_names(call, folder, tmp_path):
    strange = tmp_path / "<script>alert(1)<&.onnx"
    strange.write_bytes((folder / "slightly.onnx").read_bytes())
    report = tmp_path / "report.html"
    code, out, _ = call("gate", "before.onnx", str(strange), "data.npz", "--report", str(report))
    text = report.read_text("utf-8")
    found = Tags()
    found.feed(text)
    assert not {"script", "link", "img"} & set(found.tags)
    assert found.addresses == []
    assert "&lt;script&gt;alert(1)&lt;&amp;.onnx" in text
    assert ("Passed" if code == 0 else "Failed") in text
    assert re.search(r"(\d+\.\d+) points", out.replace("+", "")).group(1) in text


def test_compare_gives_both_scores_with_their_interval(call):
    code, out, _ = call("compare", "before.onnx", "badly.onnx", "data.npz", "--json")
    assert code == 0
    said = json.loads(out)
    before, after = (line["accuracy"] for line in said["models"])
    assert before == 1 > after
    assert (
        said["change_low"] < said["change_points"] == 100 * (after - before) < said["change_high"]
    )
    assert said["same_answers"] == after


@pytest.fixture(scope="module")
def numbers(tmp_path_factory):
    """A linear regressor, one that errs a little and one that errs much, and their data."""
    folder = tmp_path_factory.mktemp("numbers")
    torch.manual_seed(1)
    layer = nn.Linear(FEATURES, 1)
    x = torch.randn(400, FEATURES)
    y = 50 + 10 * layer(x)[:, 0] + 2 * torch.randn(400)
    np.savez(folder / "data.npz", x=x.numpy(), y=y.detach().numpy())
    for name, noise in (("before", 0.0), ("slightly", 0.02), ("badly", 4.0)):
        own = nn.Linear(FEATURES, 1)
        own.weight.data = 10 * layer.weight.data + noise * torch.randn(1, FEATURES)
        own.bias.data = 50 + 10 * layer.bias.data
        compression.export_onnx(nn.Sequential(own).eval(), folder / f"{name}.onnx")
    return folder


@pytest.mark.parametrize(("after", "code"), [("slightly", 0), ("badly", 1)])
def test_gate_judges_numbers_by_r2_with_an_interval(numbers, capsys, after, code):
    from scipy.stats import bootstrap
    from sklearn.metrics import r2_score, root_mean_squared_error

    paths = [str(numbers / name) for name in ("before.onnx", f"{after}.onnx", "data.npz")]
    report = numbers / f"{after}.html"
    assert main(["gate", *paths, "--json", "--report", str(report)]) == code
    said = json.loads(capsys.readouterr().out)
    file = np.load(numbers / "data.npz")
    answers = [
        onnxruntime.InferenceSession(p).run(None, {"samples": file["x"]})[0][:, 0]
        for p in paths[:2]
    ]
    scores = [r2_score(file["y"], own) for own in answers]
    assert [said["r2_before"], said["r2_after"]] == pytest.approx(scores, abs=1e-5)
    assert said["rmse_after"] == pytest.approx(
        root_mean_squared_error(file["y"], answers[1]), rel=1e-4
    )
    change = lambda y, a, b: r2_score(y, b) - r2_score(y, a)  # noqa: E731
    ends = bootstrap(
        (file["y"], *answers), change, paired=True, vectorized=False, n_resamples=1000, rng=0
    ).confidence_interval
    width = ends.high - ends.low
    assert said["change_low"] / 100 == pytest.approx(ends.low, abs=0.15 * width)
    assert said["change_high"] / 100 == pytest.approx(ends.high, abs=0.15 * width)
    assert "RMSE" in report.read_text()
    assert said["sentence"].startswith("PASSED" if code == 0 else "FAILED")


def test_gate_s_confidence_widens_the_interval_of_r2_too(numbers, capsys):
    paths = [str(numbers / name) for name in ("before.onnx", "badly.onnx", "data.npz")]
    ends = []
    for confidence in ("80", "95", "99"):
        main(["gate", *paths, "--json", "--confidence", confidence])
        said = json.loads(capsys.readouterr().out)
        ends.append((said["change_low"], said["change_high"]))
    widths = [high - low for low, high in ends]
    # As a normal distribution's: 1,000 resamples say little of what is rarer.
    expected = [norm.isf((1 - share) / 2) / norm.isf(0.025) for share in (0.8, 0.99)]
    assert [widths[0] / widths[1], widths[2] / widths[1]] == pytest.approx(expected, rel=0.15)


def test_gate_judges_a_graph_of_eight_bits(folder, capsys, tmp_path):
    before = folder / "before.onnx"
    files = compression.read_model({"small.onnx": before.read_bytes()}).rounded_bytes()
    (tmp_path / "small.onnx").write_bytes(files["small.onnx"])
    words = ["gate", str(before), str(tmp_path / "small.onnx"), str(folder / "data.npz")]
    assert main([*words, "--json", "--lose-at-most", "2"]) == 0
    assert 0.97 < json.loads(capsys.readouterr().out)["accuracy_after"] <= 1


def test_numbers_of_another_unit_are_no_failure_but_a_misfit(numbers, capsys, tmp_path):
    file = np.load(numbers / "data.npz")
    np.savez(tmp_path / "standardised.npz", x=file["x"], y=(file["y"] - 50) / 10)
    before = str(numbers / "before.onnx")
    assert main(["gate", before, before, str(tmp_path / "standardised.npz")]) == 2
    assert "another unit" in capsys.readouterr().err


def test_compare_says_both_r2(numbers, capsys):
    paths = [str(numbers / name) for name in ("before.onnx", "badly.onnx", "data.npz")]
    assert main(["compare", *paths]) == 0
    out = capsys.readouterr().out
    assert "hundredths of R²" in out
    assert "Always answering the mean: 0" in out


WRONG = {
    "no command": ((), "usage"),
    "no such command": (("shrink",), "invalid choice"),
    "no such file": (("spectrum", "nowhere.onnx"), "No such file"),
    "a share of none": (("compress", "bag.safetensors", "--share", "0"), "choose above 0"),
    "a share that is not there": (("compress", "bag.safetensors", "--share", "0.01"), "at least"),
    "two knobs": (("compress", "x", "--share", ".5", "--energy", ".5"), "not allowed with"),
    "a rank of words": (("compress", "bag.safetensors", "--ranks", "fc=two"), "layer=rank"),
    "an unknown layer": (("compress", "bag.safetensors", "--ranks", "fc=2"), "no layer"),
    "no graph": (("gate", "bag.safetensors", "before.onnx", "data.npz"), "no graph"),
    "no target": (
        ("gate", "before.onnx", "before.onnx", "data.npz", "--target", "z"),
        "one of x, y",
    ),
    "data that are none": (("gate", "before.onnx", "before.onnx", "before.onnx"), "before.onnx: "),
    "a confidence of one": (
        ("gate", "before.onnx", "before.onnx", "data.npz", "--confidence", "1"),
        "choose 50",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_use_is_a_sentence_and_exit_code_2(call, case):
    words, expected = WRONG[case]
    code, out, err = call(*words)
    assert (code, out) == (2, "")
    assert expected in err
    assert "Traceback" not in err


def test_the_module_runs_as_a_program_where_the_files_are(folder):
    ran = subprocess.run(
        [sys.executable, "-m", "compression", "gate", "before.onnx", "badly.onnx", "data.npz"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ran.returncode == 1
    assert ran.stdout.startswith("FAILED: badly.onnx")
    assert ran.stderr == ""
