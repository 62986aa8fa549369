"""Graphs of both of torch's exporters, held against torch itself."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper
from torch import nn

import compression
from benchmarks.example_model import Digits
from compression.graphs import example

from .onnx_graphs import run

FILES = Path(__file__).parent / "files"
RNG = np.random.default_rng(0)


class Newer(nn.Module):
    """What the newer exporter was given: a head that is used in two directions."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 16, 3, stride=2, padding=1)
        self.grouped = nn.Conv2d(16, 16, 3, padding=1, groups=4)
        self.up = nn.Linear(16, 40)
        self.down = nn.Linear(40, 16, bias=False)

    def forward(self, x):
        x = torch.relu(self.grouped(self.conv(x))).mean((2, 3))
        return self.down(torch.relu(self.up(x)))


def read_case(name):
    """Files, torch's network with the graph's numbers, the input's name and one batch."""
    if name == "older":
        files = {example.NAME: example.content()}
        network, x = Digits(), RNG.random((5, 1, 8, 8)).astype(np.float32)
        proto = onnx.load_model_from_string(files[example.NAME])
    else:
        files = {name: (FILES / name).read_bytes() for name in ("model.onnx", "model.onnx.data")}
        network, x = Newer(), RNG.normal(size=(2, 3, 8, 8)).astype(np.float32)
        proto = onnx.load(FILES / "model.onnx")
    held = {
        tensor.name: torch.tensor(numpy_helper.to_array(tensor))
        for tensor in proto.graph.initializer
    }
    if name == "newer":  # the exporter has turned this weight and given it a name of its own
        held["down.weight"] = held.pop("val_4").T
    network.load_state_dict({key: held[key] for key in network.state_dict()})
    return files, network.eval(), x


def outputs(network, x):
    with torch.no_grad():
        return network(torch.tensor(x)).numpy()


@pytest.mark.parametrize("name", ["older", "newer"])
def test_full_rank_gives_what_torch_and_onnx_runtime_give_for_the_original(name):
    files, network, x = read_case(name)
    model = compression.read_model(files)
    can = [weight for weight in model.weights if not weight.reason]
    assert len(can) == {"older": 5, "newer": 3}[name]
    full = model.compressed({weight.name: weight.max_rank for weight in can})
    (content,) = full.to_bytes().values()
    (whole,) = model.to_bytes().values()
    inputs = {onnx.load_model_from_string(content).graph.input[0].name: x}
    expected, got = outputs(network, x), run(content, **inputs)[0]
    assert np.abs(expected).max() > 0.1
    assert len(set(full.layers["layer"]) - set(model.layers["layer"])) >= len(can)
    np.testing.assert_allclose(run(whole, **inputs)[0], expected, atol=1e-4)
    np.testing.assert_allclose(got, run(whole, **inputs)[0], atol=1e-4)
    np.testing.assert_allclose(got, expected, atol=1e-4)


@pytest.mark.parametrize("name", ["older", "newer"])
def test_a_lower_rank_gives_what_torch_gives_with_the_nearest_matrices(name):
    files, network, x = read_case(name)
    model = compression.read_model(files)
    ranks = {weight.name: 2 for weight in model.weights if not weight.reason}
    (content,) = model.compressed(ranks).to_bytes().values()
    before = outputs(network, x)
    for layer in network.children():
        if getattr(layer, "groups", 1) == 1:
            weight = layer.weight.detach()
            u, s, vt = torch.linalg.svd(weight.flatten(1).double(), full_matrices=False)
            nearest = (u[:, :2] * s[:2]) @ vt[:2]
            layer.weight.data = nearest.reshape(weight.shape).float()
    got = run(content, **{onnx.load_model_from_string(content).graph.input[0].name: x})[0]
    expected = outputs(network, x)
    assert np.abs(expected - before).max() > 0.05
    np.testing.assert_allclose(got, expected, atol=1e-4)
