"""Where combined methods start from."""

import numpy as np
import pytest

import compression
from compression.combined.start import Start
from compression.network import layers, matrix


@pytest.mark.parametrize("rank", [1, 4, 9])
def test_factors_are_the_truncated_svd_with_columns_and_rows_of_equal_length(
    rank, digits, digits_mlp
):
    network = Start.of(digits_mlp, digits, epochs=1).ranks(digits_mlp.network).at(rank)
    for name, layer in layers(digits_mlp.network).items():
        left = matrix(network.get_submodule(name).left)
        right = matrix(network.get_submodule(name).right)
        expected = compression.factorize(matrix(layer), rank).weight
        np.testing.assert_allclose(left @ right, expected, atol=1e-5)
        np.testing.assert_allclose(
            np.linalg.norm(left, axis=0), np.linalg.norm(right, axis=1), rtol=1e-5
        )


def test_a_weight_of_lower_rank_than_asked_for_has_finite_factors(digits, digits_softmax):
    network = digits_softmax.network
    before = network.linear.weight.detach().clone()
    try:
        network.linear.weight.detach()[:] = before[:1]
        family = Start.of(digits_softmax, digits, epochs=1).ranks(network)
    finally:
        network.linear.weight.detach()[:] = before
    factors = family.decompositions["linear"].at(8)
    assert np.isfinite(factors.left).all()
    assert np.isfinite(factors.right).all()
