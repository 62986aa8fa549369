"""A layer that is low rank plus sparse: its outputs, its costs, its file."""

import numpy as np
import pytest
import torch
from torch import nn

import compression
from compression import accounting, storage
from compression.combined.compressed_layer import share_bias, weight_of
from compression.factors import Factors
from compression.network import (
    LayerBound,
    LowRankPlusSparseLayer,
    features_of,
    low_rank_layer,
    set_bounded,
)

ROWS, COLUMNS, RANK, NONZERO = 40, 60, 3, 25


@pytest.fixture
def network():
    generator = np.random.default_rng(0)
    left = generator.normal(size=(ROWS, RANK)).astype(np.float32)
    right = generator.normal(size=(RANK, COLUMNS)).astype(np.float32)
    low_rank = low_rank_layer(
        nn.Linear(COLUMNS, ROWS), Factors(left, right, np.zeros(ROWS, np.float32))
    )
    sparse = nn.Linear(COLUMNS, ROWS, bias=False)
    weight = np.zeros(ROWS * COLUMNS, np.float32)
    weight[generator.permutation(weight.size)[:NONZERO]] = generator.normal(size=NONZERO)
    sparse.weight.data = torch.from_numpy(weight.reshape(ROWS, COLUMNS))
    set_bounded(sparse, LayerBound("cardinality", float(NONZERO)))
    return nn.Sequential(
        LowRankPlusSparseLayer(low_rank, sparse), nn.ReLU(), nn.Linear(ROWS, 2)
    ).eval()


def test_its_outputs_are_those_of_the_sum_of_its_weights(network):
    layer = network[0]
    weight = layer.low_rank.left.weight @ layer.low_rank.right.weight + layer.sparse.weight
    x = torch.randn(5, COLUMNS, generator=torch.Generator().manual_seed(0))
    expected = nn.functional.linear(x, weight, layer.low_rank.left.bias)
    torch.testing.assert_close(layer(x), expected)


def test_it_holds_its_factors_its_bias_its_sparse_values_and_their_count(network):
    rest = 2 * ROWS + 2
    own = RANK * (ROWS + COLUMNS) + ROWS + NONZERO + 1
    assert accounting.parameters(network) == own + rest


def test_it_costs_time_as_the_factors_and_a_dense_layer_do(network):
    assert accounting.macs(network) == RANK * (ROWS + COLUMNS) + ROWS * COLUMNS + 2 * ROWS
    assert features_of(network) == COLUMNS


def test_its_file_gives_the_same_bits_and_takes_a_bit_a_place_and_its_values(network, tmp_path):
    compression.save(network, tmp_path / "m.safetensors")
    again = compression.load(tmp_path / "m.safetensors")
    assert list(again.state_dict()) == list(network.state_dict())
    for name, tensor in network.state_dict().items():
        assert again.state_dict()[name].numpy().tobytes() == tensor.numpy().tobytes()
    assert again[0].sparse.bounded == LayerBound("cardinality", float(NONZERO))
    assert storage.to_bytes(again) == storage.to_bytes(network)

    without = nn.Sequential(network[0].low_rank, *network[1:])
    sparse_part = len(storage.to_bytes(network)) - len(storage.to_bytes(without))
    assert sparse_part == pytest.approx(ROWS * COLUMNS / 8 + 4 * NONZERO, abs=350)


def test_its_onnx_graph_gives_the_same_outputs(network, tmp_path):
    import onnxruntime

    compression.export_onnx(network, tmp_path / "m.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "m.onnx")
    x = np.random.default_rng(1).normal(size=(7, COLUMNS)).astype(np.float32)
    expected = network(torch.from_numpy(x)).detach().numpy()
    np.testing.assert_allclose(session.run(None, {"samples": x})[0], expected, atol=1e-4)


def low_rank(layer):
    rows, columns = layer.weight.shape
    generator = np.random.default_rng(0)
    left, right = generator.normal(size=(rows, 2)), generator.normal(size=(2, columns))
    return low_rank_layer(layer, Factors(left, right, np.zeros(rows)))


def plus_sparse(layer):
    return LowRankPlusSparseLayer(low_rank(layer), nn.Linear(*layer.weight.T.shape, bias=False))


@pytest.mark.parametrize("form", [low_rank, plus_sparse, lambda layer: layer])
def test_the_weight_of_a_part_and_the_shared_bias_give_its_outputs(form):
    learns = nn.Linear(6, 4)
    part = form(nn.Linear(6, 4))
    share_bias(part, learns)
    x = torch.randn(3, 6, generator=torch.Generator().manual_seed(0))
    expected = nn.functional.linear(x, weight_of(part), learns.bias)
    torch.testing.assert_close(part(x), expected)
