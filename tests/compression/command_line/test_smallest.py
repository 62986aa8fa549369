"""``compress --lose-at-most``: the smallest file of all that were judged."""

import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn

import compression
from compression.command_line import smallest
from compression.command_line.parser import main
from data.splitting import split_rows


@pytest.fixture(scope="module")
def wide(tmp_path_factory):
    """A classifier of eight centres whose hidden layer needs rank 8 of 48, and its data."""
    folder = tmp_path_factory.mktemp("wide")
    random = np.random.default_rng(0)
    centres = random.normal(size=(8, 64))
    y = random.integers(0, 8, 400)
    x = (centres[y] + 0.7 * random.normal(size=(400, 64))).astype(np.float32)
    network = nn.Sequential(nn.Linear(64, 48), nn.Linear(48, 8)).eval()
    with torch.no_grad():
        mixing = torch.linalg.qr(torch.randn(48, 48))[0]
        network[0].weight.normal_(0, 0.02)
        network[0].weight += mixing[:, :8] @ torch.tensor(centres, dtype=torch.float32)
        network[0].bias.zero_()
        network[1].weight.copy_(mixing[:, :8].T)
        network[1].bias.copy_(-torch.tensor((centres**2).sum(1) / 2))
    compression.export_onnx(network, folder / "wide.onnx")
    np.savez(folder / "wide.npz", x=x, y=y)
    np.savez(folder / "shuffled.npz", x=x, y=random.permutation(y))
    return folder, x, y


def test_compress_finds_the_smallest_file_within_a_loss(wide, capsys, tmp_path):
    folder, x, y = wide
    words = ["compress", str(folder / "wide.onnx"), "--data", str(folder / "wide.npz")]
    words += ["--output", str(tmp_path), "--lose-at-most"]
    assert main([*words, "1", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    (path,) = said["written"]
    assert Path(path).stat().st_size == said["bytes_after"] < 0.5 * said["bytes_before"]
    assert said["bits"] in (4, 8)
    assert said["files_judged"] > 20
    assert said["validation_change"] >= -1
    assert any(row["rank"] for row in said["layers"])
    tested = split_rows(len(y), 0, y).test
    right = [
        session.run(None, {session.get_inputs()[0].name: x[tested]})[0].argmax(1) == y[tested]
        for session in map(onnxruntime.InferenceSession, (folder / "wide.onnx", path))
    ]
    assert said["test_rows"] == len(tested)
    assert said["test_score"] == pytest.approx(right[1].mean())
    low, high = compression.paired_change(*right)
    assert said["test_change_low"] == pytest.approx(100 * low)
    assert said["test_change_high"] == pytest.approx(100 * high)
    assert main([*words, "1", "--force", "--method", "truncated_svd"]) == 0
    assert "truncated_svd in" in capsys.readouterr().out


def test_the_smallest_file_is_one_of_a_bound_where_few_weights_widen_the_range(
    capsys, tmp_path, monkeypatch
):
    """An input that never varies has weights eight times as large as all others."""
    random = np.random.default_rng(0)
    centres = random.normal(size=(8, 128))
    y = random.integers(0, 8, 600)
    x = (centres[y] + 3 * random.normal(size=(600, 128))).astype(np.float32)
    x[:, 0] = 0
    network = nn.Sequential(nn.Linear(128, 8)).eval()
    with torch.no_grad():
        network[0].weight.copy_(torch.tensor(centres))
        network[0].bias.copy_(-torch.tensor((centres[:, 1:] ** 2).sum(1) / 2))
        network[0].weight[:, 0] = 8 * network[0].weight.abs().max()
    compression.export_onnx(network, tmp_path / "wide.onnx")
    np.savez(tmp_path / "rows.npz", x=x, y=y)
    words = ["compress", str(tmp_path / "wide.onnx"), "--data", str(tmp_path / "rows.npz")]
    words += ["--output", str(tmp_path / "out"), "--lose-at-most", "1", "--json"]
    assert main(words) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["method"], said["bits"]) == ("box", 4)
    (path,) = said["written"]
    tested = split_rows(len(y), 0, y).test
    session = onnxruntime.InferenceSession(path)
    answers = session.run(None, {session.get_inputs()[0].name: x[tested]})[0].argmax(1)
    assert said["test_score"] == pytest.approx((answers == y[tested]).mean())
    monkeypatch.setattr(smallest, "METHODS", smallest.METHODS[:2])
    assert main([*words, "--force"]) == 1  # no file of ranks is as good


def test_compress_says_that_nothing_smaller_is_good_enough(wide, capsys, tmp_path, monkeypatch):
    folder, _, _ = wide
    words = ["compress", str(folder / "wide.onnx"), "--output", str(tmp_path / "none")]
    words += ["--lose-at-most", "0", "--data"]
    monkeypatch.setattr(smallest, "METHODS", ())
    assert main([*words, str(folder / "wide.npz")]) == 1
    assert capsys.readouterr().out.startswith("FAILED: no smaller file")
    assert not (tmp_path / "none").exists()
    assert main([*words, str(folder / "shuffled.npz")]) == 2
    assert "the data are not as the model reads them" in capsys.readouterr().err
