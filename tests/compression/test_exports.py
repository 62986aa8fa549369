"""A model file in other readers' formats, each as its reader would load it."""

import copy

import numpy as np
import onnxruntime
import pytest
import torch

import compression
from compression import factor_file, onnx_export, plain_pytorch
from compression.errors import StorageError
from compression.exports import convert_file
from compression.factor_file import restore_bytes
from compression.network import LayerBound, LowRankLayer, set_bounded


def dense():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(6, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3))


def low_rank():
    network = dense()
    network[0] = LowRankLayer(torch.nn.Linear(6, 2, bias=False), torch.nn.Linear(2, 8))
    return network


def with_a_bound():
    network = dense()
    network[0].weight.data.clamp_(-0.1, 0.1)
    set_bounded(network[0], LayerBound("box", 0.1))
    return network


def few_bits():
    return compression.quantize(dense(), 4)


def write_model(network, folder):
    path = folder / "model.safetensors"
    compression.save(network, path)
    return path.read_bytes()


@pytest.fixture(params=[dense, low_rank, with_a_bound, few_bits])
def network(request):
    return request.param()


def test_every_format_gives_the_network_s_outputs_to_its_own_reader(network, tmp_path, monkeypatch):
    found = {each.kind: each for each in convert_file(write_model(network, tmp_path), "small.pt")}
    x = torch.randn(7, 6)
    with torch.no_grad():
        expected = network(x)
        (graph,) = onnxruntime.InferenceSession(found["onnx"].content).run(
            None, {"samples": x.numpy()}
        )
        np.testing.assert_allclose(graph, expected, atol=1e-5)

        restored = dense()
        restore_bytes(restored, found["factors"].content)
        torch.testing.assert_close(restored(x), expected)

        monkeypatch.chdir(tmp_path)
        (tmp_path / "small.pt").write_bytes(found["pytorch"].content)
        names = {}
        exec(found["pytorch"].code, names)
        assert torch.equal(names["network"](x), expected)
    assert all(not each.refused for each in found.values())
    assert found["pytorch"].difference == 0
    again = onnx_export.compare_outputs(network, found["onnx"].content)
    assert found["onnx"].difference == again
    assert max(each.difference for each in found.values()) < 1e-5


def test_a_format_that_cannot_hold_a_network_says_why_and_the_others_are_there(tmp_path):
    network = dense()
    with torch.no_grad():
        network[0].weight *= 1e30  # its products are beyond what a float32 output holds
        network[2].weight *= 1e30
    found = {each.kind: each for each in convert_file(write_model(network, tmp_path))}
    assert found["onnx"].refused
    assert found["onnx"].content == b""


@pytest.mark.parametrize(
    ("write", "compare"),
    [
        (onnx_export.onnx_bytes, onnx_export.compare_outputs),
        (factor_file.factor_bytes, factor_file.compare_outputs),
        (plain_pytorch.pytorch_bytes, plain_pytorch.compare_outputs),
    ],
    ids=["onnx", "factors", "pytorch"],
)
def test_a_file_of_another_network_is_noticed(write, compare, network):
    assert compare(network, write(network)) < 1e-4
    other = copy.deepcopy(network)
    with torch.no_grad():
        next(other.parameters())[0, 0] += 1
    with pytest.raises(StorageError, match="outputs"):
        compare(network, write(other))
