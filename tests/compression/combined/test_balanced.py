"""The factors that a bound is put on."""

import numpy as np
import pytest
from torch import nn

import compression
from compression.combined.balanced import prepare_balanced_ranks
from compression.network import layers, matrix


@pytest.mark.parametrize("rank", [1, 4, 9])
def test_factors_are_the_truncated_svd_with_columns_and_rows_of_equal_length(rank, digits_mlp):
    network = prepare_balanced_ranks(digits_mlp.network).at(rank)
    for name, layer in layers(digits_mlp.network).items():
        left = matrix(network.get_submodule(name).left)
        right = matrix(network.get_submodule(name).right)
        expected = compression.factorize(matrix(layer), rank).weight
        np.testing.assert_allclose(left @ right, expected, atol=1e-5)
        np.testing.assert_allclose(
            np.linalg.norm(left, axis=0), np.linalg.norm(right, axis=1), rtol=1e-5
        )


def test_a_weight_of_lower_rank_than_asked_for_has_finite_factors():
    layer = nn.Linear(20, 10)
    layer.weight.detach()[:] = layer.weight.detach()[:1]
    factors = prepare_balanced_ranks(nn.Sequential(layer)).decompositions["0"].at(8)
    assert np.isfinite(factors.left).all()
    assert np.isfinite(factors.right).all()
