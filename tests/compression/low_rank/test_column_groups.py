"""Factors within groups of columns: by exhaustive search, and as layers of a network."""

import numpy as np
import pytest
import torch
from torch import nn

import compression
from compression import accounting, storage
from compression.factor_file import export_factors
from compression.factors import pack_groups, spread_groups
from compression.low_rank.activation_aware_svd import ActivationAwareSVD
from compression.low_rank.column_groups import ColumnGroups
from compression.low_rank.decomposition import output_error
from compression.network import LowRankLayer, low_rank_layer, multiply_out, replace_layers


def shapes_that_fit(outputs, columns, rank):
    """Every number of groups and of inner dimensions a group that hold no more than a rank does."""
    for groups in range(1, columns + 1):
        for each in range(1, min(outputs, columns // groups) + 1):
            fits = groups * each * outputs + each * columns <= rank * (outputs + columns)
            if columns % groups == 0 and fits:
                yield groups, each


def draw_inputs(columns, rows=80, seed=0):
    rng = np.random.default_rng(seed)
    mixing = np.eye(columns) + 0.2 * rng.normal(size=(columns, columns))
    return rng.normal(size=(rows, columns)) @ mixing + 1.0


@pytest.mark.parametrize("shape", [(3, 12), (5, 8), (6, 6), (8, 4)])
def test_with_uncorrelated_inputs_groups_lose_the_tails_of_their_own_spectra(shape):
    rng = np.random.default_rng(1)
    weight = rng.normal(size=shape)
    # The columns of a centred orthonormal basis, scaled: the covariance is the identity.
    centred = rng.normal(size=(40, shape[1]))
    inputs = np.linalg.qr(centred - centred.mean(axis=0))[0] * np.sqrt(40)
    found = ColumnGroups().decompose(weight, inputs)
    for rank in range(1, min(shape) + 1):
        lost = []
        for groups, each in shapes_that_fit(*shape, rank):
            blocks = np.split(weight, groups, axis=1)
            spectra = [np.linalg.svd(block, compute_uv=False) for block in blocks]
            lost.append(sum(np.sum(s[each:] ** 2) for s in spectra))
        assert found.errors[rank] == pytest.approx(min(lost), abs=1e-9 * np.sum(weight**2))


def fitted_error(weight, inputs, groups, each):
    """A second implementation: each group's SVD, then least squares on what they give."""
    centred = inputs - inputs.mean(axis=0)
    given = []
    for columns in np.split(np.arange(weight.shape[1]), groups):
        own = centred[:, columns]
        u, _, _ = np.linalg.svd(weight[:, columns] @ own.T, full_matrices=False)
        given.append(own @ (u[:, :each].T @ weight[:, columns]).T)
    hidden, wanted = np.hstack(given), centred @ weight.T
    left, _, _, _ = np.linalg.lstsq(hidden, wanted, rcond=None)
    return np.sum((wanted - hidden @ left) ** 2) / len(inputs)


@pytest.mark.parametrize("shape", [(6, 24), (5, 8), (8, 4)])
def test_with_correlated_inputs_the_best_of_all_group_numbers_is_taken(shape):
    weight = np.random.default_rng(2).normal(size=shape)
    inputs = draw_inputs(shape[1])
    found = ColumnGroups().decompose(weight, inputs)
    whole = ActivationAwareSVD().decompose(weight, inputs)
    better = 0
    for rank in range(1, min(shape) + 1):
        lost = min(fitted_error(weight, inputs, *fit) for fit in shapes_that_fit(*shape, rank))
        assert found.errors[rank] == pytest.approx(lost, abs=1e-7 * found.errors[0])
        factors = found.at(rank)
        assert output_error(weight, factors, inputs) == pytest.approx(lost, abs=1e-7)
        better += found.errors[rank] < 0.9 * whole.errors[rank]
    assert better or shape[1] <= shape[0]
    assert (found.errors <= whole.errors + 1e-12).all()


def test_inputs_that_depend_on_each_other_leave_out_what_adds_nothing():
    weight = np.random.default_rng(3).normal(size=(4, 12))
    inputs = draw_inputs(12)
    inputs[:, 6:] = inputs[:, :6]  # the second half tells nothing new
    inputs[:, 3] = 5.0
    found = ColumnGroups().decompose(weight, inputs)
    for rank in range(1, 5):
        realised = output_error(weight, found.at(rank), inputs)
        assert realised == pytest.approx(found.errors[rank], abs=1e-6 * found.errors[0])
        assert np.abs(found.at(rank).left).max() < 1e4


def test_packed_groups_come_back():
    packed = np.random.default_rng(0).normal(size=(6, 4))
    spread = spread_groups(packed, 3)
    assert spread.shape == (6, 12)
    assert np.count_nonzero(spread) == packed.size
    assert not spread[:2, 4:].any()
    assert not spread[4:, :8].any()
    np.testing.assert_array_equal(pack_groups(spread, 3), packed)


@pytest.fixture(scope="module")
def grouped():
    """A network whose two layers are in groups, the dense one, and their factors."""
    torch.manual_seed(0)
    dense = nn.Sequential(nn.Linear(24, 6), nn.ReLU(), nn.Linear(6, 4)).eval()
    found = ColumnGroups().decompose(dense[0].weight.detach().numpy(), draw_inputs(24))
    first = max((found.at(rank) for rank in range(1, 5)), key=lambda factors: factors.groups)
    second = ColumnGroups().decompose(dense[2].weight.detach().numpy(), draw_inputs(6)).at(1)
    assert first.groups > 1
    new = {"0": low_rank_layer(dense[0], first), "2": low_rank_layer(dense[2], second)}
    return replace_layers(dense, new), dense, first, second


def test_a_layer_in_groups_gives_what_its_weight_gives(grouped):
    network, dense, first, _ = grouped
    x = torch.randn(5, 24, generator=torch.Generator().manual_seed(1))
    weight = torch.from_numpy(first.weight)
    bias = dense[0].bias + torch.from_numpy(first.bias_shift)
    torch.testing.assert_close(network[0](x), x @ weight.T + bias)
    assert isinstance(network[0], LowRankLayer)
    np.testing.assert_allclose(multiply_out(network[0]), first.weight, atol=1e-6)


def test_only_the_numbers_of_the_groups_are_counted(grouped):
    network, _, first, second = grouped
    numbers = first.parameters + second.parameters
    assert first.parameters == first.left.size + np.count_nonzero(first.right)
    assert accounting.parameters(network) == numbers + 10  # biases
    assert accounting.macs(network) == numbers


def test_every_file_gives_the_network_in_groups_back(grouped, tmp_path):
    network, *_ = grouped
    x = torch.randn(3, 24, generator=torch.Generator().manual_seed(2))
    compression.save(network, tmp_path / "a.safetensors")
    again = compression.load(tmp_path / "a.safetensors")
    assert torch.equal(again(x), network(x))
    assert (tmp_path / "a.safetensors").stat().st_size == accounting.bytes_of(network)
    assert compression.export_onnx(network, tmp_path / "a.onnx") < 1e-5
    assert export_factors(network, tmp_path / "factors.safetensors") < 1e-5
    assert compression.export_pytorch(network, tmp_path / "a.pt").difference == 0
    rounded = compression.quantize(network, 8)
    assert torch.equal(storage.from_bytes(storage.to_bytes(rounded))(x), rounded(x))
