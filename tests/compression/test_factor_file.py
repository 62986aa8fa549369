"""Factor files, loaded into torch modules that were written by hand."""

import copy
from collections import OrderedDict

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import nn

import compression
from compression.errors import StorageError
from compression.low_rank.decomposition import factorize
from compression.low_rank.kernels import decompose_kernel
from compression.network import LowRankPlusSparseLayer, layers, low_rank_layer, replace_layers


class Block(nn.Module):
    """Somebody's own module: a residual, a tied weight, a buffer, and a forward of its own."""

    def __init__(self):
        super().__init__()
        self.inner = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Linear(8, 6))
        self.tied = nn.Linear(6, 8, bias=False)
        self.tied.weight = self.inner[0].weight

    def forward(self, x):
        return x + self.inner(x) + self.tied(x)[:, :6]


def save(tensors, path):
    path.write_bytes(safetensors.torch.save({n: t.contiguous() for n, t in tensors.items()}))
    return path


def factor(weight, rank):
    found = factorize(weight.detach().numpy(), rank)
    return torch.from_numpy(found.left), torch.from_numpy(found.right)


@pytest.fixture
def block_file(tmp_path):
    """Of a block whose first weight has rank 2; the tied one stands under one name."""
    torch.manual_seed(0)
    block = Block()
    state = dict(block.state_dict())
    left, right = factor(block.inner[0].weight, 2)
    del state["inner.0.weight"], state["tied.weight"]
    state |= {"inner.0.weight.left": left, "inner.0.weight.right": right}
    block.inner[0].weight.data = left @ right
    return block.eval(), save(state, tmp_path / "block.safetensors")


@pytest.mark.parametrize("wrap", [lambda m: m, nn.DataParallel], ids=["plain", "wrapped"])
def test_a_module_of_ones_own_gives_what_its_factors_say(block_file, wrap):
    block, path = block_file
    again = Block()
    told = compression.restore(wrap(again), path)
    assert told.factored == ("inner.0.weight",)
    assert "inner.1.running_mean" in told.plain
    x = torch.randn(4, 6)
    torch.testing.assert_close(again.eval()(x), block(x))
    assert again.tied.weight is again.inner[0].weight


CHANGES = {
    "missing": (lambda t: t.pop("inner.2.bias"), "Missing from the file: inner.2.bias. Not"),
    "unexpected": (lambda t: t.update(x=torch.ones(1)), "Not in the module: x"),
    "half a weight": (lambda t: t.pop("inner.0.weight.left"), "weight.right"),
    "shape": (lambda t: t.update({"inner.2.bias": torch.ones(5)}), r"inner.2.bias is \(5,\)"),
    "product's shape": (
        lambda t: t.update({"inner.0.weight.left": torch.ones(48, 2)}),
        r"inner.0.weight is \(48, 6\) in the file, \(8, 6\) in the module",
    ),
    "inner ranks": (lambda t: t.update({"inner.0.weight.left": torch.ones(8, 3)}), "no product"),
    "both": (lambda t: t.update({"inner.0.weight": torch.ones(8, 6)}), "twice"),
    "not finite": (lambda t: t.update({"inner.2.bias": torch.ones(6) / 0}), "not finite"),
    "untied": (lambda t: t.update({"tied.weight": torch.ones(8, 6)}), "one tensor in the module"),
    "too large": (lambda t: t.update({"inner.2.bias": torch.ones(6).double() * 1e300}), "fit"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_file_that_does_not_fit_is_never_loaded_half(block_file, change):
    _, path = block_file
    tensors = safetensors.torch.load(path.read_bytes())
    CHANGES[change][0](tensors)
    save(tensors, path)
    block = Block()
    before = copy.deepcopy(block.state_dict())
    with pytest.raises(StorageError, match=CHANGES[change][1]):
        compression.restore(block, path)
    assert all(torch.equal(before[name], tensor) for name, tensor in block.state_dict().items())


NETWORKS = {
    "dense": lambda: nn.Sequential(
        OrderedDict(fc1=nn.Linear(16, 9), relu=nn.ReLU(), fc2=nn.Linear(9, 3, bias=False))
    ),
    "conv2d": lambda: nn.Sequential(
        OrderedDict(
            shape=nn.Unflatten(1, (2, 6, 6)),
            conv=nn.Conv2d(2, 5, 3, stride=(2, 1), padding=1, padding_mode="circular"),
            flat=nn.Flatten(),
            fc=nn.Linear(90, 3),
        )
    ),
    "conv1d": lambda: nn.Sequential(
        OrderedDict(
            shape=nn.Unflatten(1, (3, 9)),
            conv=nn.Conv1d(3, 4, 3, padding="same", dilation=2),
            flat=nn.Flatten(),
        )
    ),
}


@pytest.mark.parametrize("method", ["truncated_svd", "spatial_svd", "tucker2", "cp"])
@pytest.mark.parametrize("kind", NETWORKS)
def test_every_compressed_network_comes_back_dense(kind, method, tmp_path):
    torch.manual_seed(0)
    dense = NETWORKS[kind]().eval()
    network = compress(dense, method)
    path = tmp_path / "factors.safetensors"
    difference = compression.export_factors(network, path)
    compression.restore(dense, path)
    x = torch.randn(5, {"dense": 16, "conv2d": 72, "conv1d": 27}[kind])
    torch.testing.assert_close(dense(x), network(x), atol=1e-4, rtol=1e-4)
    assert 0 <= difference < 1e-4
    names = set(safetensors.torch.load(path.read_bytes()))
    if kind != "dense" and method == "truncated_svd":
        assert {"conv.weight.left", "conv.weight.right"} <= names
    assert ("fc1.weight.right" in names) == (kind == "dense")


def compress(dense, method):
    new = {}
    for name, layer in layers(dense).items():
        weight = layer.weight.detach().numpy()
        if isinstance(layer, nn.Linear):
            new[name] = low_rank_layer(layer, factorize(weight, 2))
        else:
            own = "tucker2" if method == "spatial_svd" and weight.ndim == 3 else method
            new[name] = low_rank_layer(layer, decompose_kernel(weight, own).at(2))
    return replace_layers(dense, new)


def test_a_sparse_part_and_what_cannot_be_finite(tmp_path):
    dense = nn.Sequential(OrderedDict(fc=nn.Linear(6, 5))).eval()
    low_rank = low_rank_layer(dense.fc, factorize(dense.fc.weight.detach().numpy(), 1))
    sparse = nn.Linear(6, 5, bias=False)
    network = replace_layers(dense, {"fc": LowRankPlusSparseLayer(low_rank, sparse)})
    compression.export_factors(network, tmp_path / "f.safetensors")
    compression.restore(dense, tmp_path / "f.safetensors")
    x = torch.randn(3, 6)
    torch.testing.assert_close(dense(x), network(x))
    sparse.weight.data.fill_(np.inf)
    with pytest.raises(StorageError, match="not finite"):
        compression.export_factors(network, tmp_path / "g.safetensors")
    assert not (tmp_path / "g.safetensors").exists()
