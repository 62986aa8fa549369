"""A matrix split into low rank and sparse."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import compression
from compression.combined.low_rank_plus_sparse import fit_low_rank_plus_sparse
from compression.errors import ArgumentError


def matrix(seed, rows=9, columns=7):
    return np.random.default_rng(seed).normal(size=(rows, columns))


@given(st.integers(0, 10**6), st.integers(1, 7), st.integers(0, 63))
@settings(max_examples=100, deadline=None)
def test_the_error_never_rises_and_is_that_of_the_two_parts(seed, rank, count):
    weight = matrix(seed)
    found = fit_low_rank_plus_sparse(weight, rank, count, rounds=25)
    whole = np.sum(weight**2)
    assert (np.diff(found.errors) <= 1e-12 * whole).all()
    assert found.errors[-1] == pytest.approx(np.sum((weight - found.weight) ** 2), abs=1e-9 * whole)
    assert np.linalg.matrix_rank(found.left @ found.right, tol=1e-9) <= rank
    assert np.count_nonzero(found.sparse) <= count


@pytest.mark.parametrize("seed", range(5))
def test_a_planted_sum_is_recovered(seed):
    generator = np.random.default_rng(seed)
    low_rank = generator.normal(size=(60, 2)) @ generator.normal(size=(2, 50))
    sparse = np.zeros(3000)
    sparse[generator.permutation(3000)[:90]] = generator.choice([-8.0, 8.0], 90)
    sparse = sparse.reshape(60, 50)
    found = fit_low_rank_plus_sparse(low_rank + sparse, rank=2, count=90, rounds=60)
    np.testing.assert_allclose(found.left @ found.right, low_rank, atol=1e-6)
    np.testing.assert_allclose(found.sparse, sparse, atol=1e-6)


def test_with_nothing_sparse_it_is_the_truncated_svd():
    weight = matrix(0)
    expected = compression.factorize(weight, 3).weight
    np.testing.assert_allclose(
        fit_low_rank_plus_sparse(weight, 3, 0, rounds=1).weight, expected, atol=1e-12
    )


def test_its_factors_are_of_equal_size():
    found = fit_low_rank_plus_sparse(matrix(0), 3, 10)
    np.testing.assert_allclose(found.left.T @ found.left, found.right @ found.right.T, atol=1e-12)


def test_it_goes_on_from_a_sparse_part_that_is_given():
    weight = matrix(1)
    at_once = fit_low_rank_plus_sparse(weight, 2, 12, rounds=9)
    first = fit_low_rank_plus_sparse(weight, 2, 12, rounds=4)
    then = fit_low_rank_plus_sparse(weight, 2, 12, first.sparse, rounds=5)
    np.testing.assert_allclose(np.concatenate([first.errors, then.errors]), at_once.errors)


def test_the_parts_keep_the_weights_type():
    found = fit_low_rank_plus_sparse(matrix(0).astype(np.float32), 2, 5)
    assert {found.left.dtype, found.right.dtype, found.sparse.dtype} == {np.dtype(np.float32)}


def test_an_impossible_rank_is_answered_with_the_possible_ones():
    with pytest.raises(ArgumentError, match="choose 1 to 7"):
        fit_low_rank_plus_sparse(matrix(0), 8, 3)
