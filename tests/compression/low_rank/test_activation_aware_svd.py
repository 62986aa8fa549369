import numpy as np
import pytest
import scipy.linalg
from hypothesis import given, settings
from hypothesis import strategies as st

from compression.factors import Factors
from compression.low_rank import calibration
from compression.low_rank.activation_aware_svd import ActivationAwareSVD
from compression.low_rank.covariance_eigenvectors import CovarianceEigenvectors
from compression.low_rank.decomposition import output_error, weight_error
from compression.low_rank.truncated_svd import TruncatedSVD


def layer(seed=0, m=6, n=5, samples=30):
    rng = np.random.default_rng(seed)
    inputs = rng.normal(size=(samples, n)) @ rng.normal(size=(n, n)) + 3 * rng.normal(size=n)
    return rng.normal(size=(m, n)), inputs


def objective(weight, inputs, approximation, ridge):
    """The problem as it is written, term by term."""
    spread = inputs - inputs.mean(axis=0)
    difference = weight - approximation
    return np.mean(np.sum((spread @ difference.T) ** 2, axis=1)) + ridge * np.sum(difference**2)


def whiten(weight, inputs, rank, ridge):
    """The same optimum by whitening: truncate W L for Σ = L Lᵀ, and undo L."""
    sigma = np.cov(inputs.T, bias=True) + ridge * np.eye(inputs.shape[1])
    root = np.linalg.cholesky(sigma)
    u, s, vt = np.linalg.svd(weight @ root, full_matrices=False)
    return scipy.linalg.solve_triangular(
        root, ((u[:, :rank] * s[:rank]) @ vt[:rank]).T, lower=True, trans="T"
    ).T


shapes = st.tuples(st.integers(0, 10_000), st.integers(1, 7), st.integers(1, 7))


@given(shapes, st.sampled_from([0.0, 0.1, 10.0]))
@settings(deadline=None, max_examples=50)
def test_it_ends_where_the_whitened_decomposition_ends(shape, ridge):
    weight, inputs = layer(*shape)
    d = ActivationAwareSVD(ridge).decompose(weight, inputs)
    for rank in range(1, d.max_rank + 1):
        expected = objective(weight, inputs, whiten(weight, inputs, rank, ridge), ridge)
        assert objective(weight, inputs, d.at(rank).weight, ridge) == pytest.approx(
            expected, rel=1e-7, abs=1e-9
        )
        assert d.errors[rank] == pytest.approx(expected, rel=1e-7, abs=1e-9)


@given(shapes, st.sampled_from([0.0, 0.1]), st.integers(0, 10_000))
@settings(deadline=None, max_examples=50)
def test_no_other_matrix_of_the_rank_does_better(shape, ridge, seed):
    weight, inputs = layer(*shape)
    d = ActivationAwareSVD(ridge).decompose(weight, inputs)
    rng = np.random.default_rng(seed)
    for rank in range(1, d.max_rank + 1):
        factors = d.at(rank)
        own = objective(weight, inputs, factors.weight, ridge)
        for step in (1.0, 1e-3):
            left = factors.left + step * rng.normal(size=factors.left.shape)
            right = factors.right + step * rng.normal(size=factors.right.shape)
            assert own <= objective(weight, inputs, left @ right, ridge) + 1e-9
        for other in (TruncatedSVD(), CovarianceEigenvectors(ridge)):
            rival = other.decompose(weight, inputs).at(rank).weight
            assert own <= objective(weight, inputs, rival, ridge) + 1e-9


def test_no_other_bias_does_better():
    weight, inputs = layer()
    factors = ActivationAwareSVD().decompose(weight, inputs).at(2)
    own = output_error(weight, factors, inputs)
    rng = np.random.default_rng(1)
    for step in (1.0, 1e-2):
        moved = factors.bias_shift + step * rng.normal(size=len(weight))
        assert own < output_error(weight, Factors(factors.left, factors.right, moved), inputs)


def test_it_is_the_truncated_decomposition_when_the_inputs_are_white():
    weight, _ = layer(n=4)
    white = 3.0 * np.vstack([np.eye(4), -np.eye(4)])
    own = ActivationAwareSVD().decompose(weight, white)
    plain = TruncatedSVD().decompose(weight)
    np.testing.assert_allclose(own.at(2).weight, plain.at(2).weight, atol=1e-10)
    # cov = 2 · 9 / 8 · I
    np.testing.assert_allclose(own.singular_values, 1.5 * plain.singular_values, rtol=1e-10)


def test_a_large_ridge_leads_to_the_truncated_decomposition():
    weight, inputs = layer()
    np.testing.assert_allclose(
        ActivationAwareSVD(ridge=1e9).decompose(weight, inputs).at(3).weight,
        TruncatedSVD().decompose(weight).at(3).weight,
        atol=1e-5,
    )


@pytest.mark.parametrize(("m", "n"), [(6, 8), (8, 6)])
def test_without_a_ridge_unused_directions_come_in_the_order_of_a_vanishing_one(m, n):
    weight, inputs = layer(m=m, n=n, samples=4)  # a covariance of rank 3
    exact = ActivationAwareSVD(ridge=0.0).decompose(weight, inputs)
    limit = ActivationAwareSVD(ridge=1e-7).decompose(weight, inputs)
    for rank in range(1, exact.max_rank + 1):
        np.testing.assert_allclose(exact.at(rank).weight, limit.at(rank).weight, atol=1e-4)
        assert weight_error(weight, exact.at(rank)) <= weight_error(weight, limit.at(rank)) + 1e-4
    assert np.all(exact.errors[3:] <= 1e-12 * exact.errors[0])
    np.testing.assert_allclose(exact.at(min(m, n)).weight, weight, atol=1e-10)


def test_the_error_counts_even_when_the_inputs_lie_far_from_zero():
    weight, inputs = layer()
    near = ActivationAwareSVD().decompose(weight, inputs)
    far = ActivationAwareSVD().decompose(weight, inputs + 1e6)
    np.testing.assert_allclose(far.errors[:-1], near.errors[:-1], rtol=1e-6)


def test_it_beats_plain_truncation_where_the_inputs_favour_some_directions():
    rng = np.random.default_rng(0)
    weight = rng.normal(size=(20, 30))
    inputs = rng.normal(size=(500, 30)) * np.geomspace(10, 0.01, 30)
    own, plain = (
        output_error(weight, method.decompose(weight, inputs).at(5), inputs)
        for method in (ActivationAwareSVD(), TruncatedSVD())
    )
    assert own < 0.5 * plain


@given(st.integers(1, 9), st.integers(1, 4), st.integers(1, 3))
@settings(deadline=None)
def test_the_covariance_gathered_in_blocks_is_the_covariance(samples, n, rows):
    rng = np.random.default_rng(samples)
    inputs, through = rng.normal(size=(samples, n)), rng.normal(size=(2, n))
    expected = np.atleast_2d(np.cov(inputs.T, bias=True))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(calibration, "ROWS", rows)
        np.testing.assert_allclose(calibration.covariance(inputs), expected, atol=1e-12)
        np.testing.assert_allclose(
            calibration.covariance(inputs, through), through @ expected @ through.T, atol=1e-12
        )
