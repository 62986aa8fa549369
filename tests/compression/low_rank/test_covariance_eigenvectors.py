import numpy as np
import pytest

from compression.catalog import LOW_RANK_METHODS
from compression.low_rank.covariance_eigenvectors import CovarianceEigenvectors
from compression.low_rank.decomposition import output_error


def layer():
    rng = np.random.default_rng(0)
    return rng.normal(size=(8, 6)), rng.normal(size=(50, 6)) @ rng.normal(size=(6, 6)) + 2


def test_it_projects_the_weight_on_the_principal_components_of_the_inputs():
    from sklearn.decomposition import PCA

    weight, inputs = layer()
    components = PCA(3, svd_solver="full").fit(inputs).components_
    d = CovarianceEigenvectors().decompose(weight, inputs)
    np.testing.assert_allclose(d.at(3).weight, weight @ components.T @ components, atol=1e-10)


def test_the_ridge_moves_the_reported_error_and_never_the_factors():
    weight, inputs = layer()
    without = CovarianceEigenvectors().decompose(weight, inputs)
    with_ridge = CovarianceEigenvectors(ridge=2.0).decompose(weight, inputs)
    for rank in range(1, 7):
        np.testing.assert_array_equal(without.at(rank).weight, with_ridge.at(rank).weight)
        left_out = np.sum((weight - without.at(rank).weight) ** 2)
        assert with_ridge.errors[rank] == pytest.approx(
            output_error(weight, without.at(rank), inputs) + 2.0 * left_out, abs=1e-9
        )


def test_a_wide_weight_keeps_an_error_at_its_last_rank_and_says_so():
    rng = np.random.default_rng(0)
    weight, inputs = rng.normal(size=(2, 6)), rng.normal(size=(50, 6))
    d = CovarianceEigenvectors().decompose(weight, inputs)
    assert d.max_rank == 2
    assert d.errors[2] == pytest.approx(output_error(weight, d.at(2), inputs))
    assert d.errors[2] > 0.1 * d.errors[0]


def test_the_catalogue_says_that_it_is_not_optimal_before_fine_tuning():
    assert "not optimal before fine-tuning" in LOW_RANK_METHODS["covariance_eigenvectors"].title
