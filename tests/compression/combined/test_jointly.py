"""Factors in a set whose product is near a matrix."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize

import compression
from compression.catalog import CONSTRAINTS
from compression.combined.jointly import find_bounded_factors

SETS = {name: entry.load()() for name, entry in CONSTRAINTS.items()}


def problem(seed, rows=7, columns=5, rank=3):
    generator = np.random.default_rng(seed)
    shapes = ((rows, columns), (rows, rank), (rank, columns))
    return [generator.normal(size=shape) for shape in shapes]


def error(target, left, right):
    return np.sum((target - left @ right) ** 2)


@given(st.integers(0, 10**6), st.sampled_from(sorted(SETS)), st.floats(0, 20), st.floats(0, 20))
@settings(max_examples=150, deadline=None)
def test_every_sweep_ends_in_the_sets_and_no_farther_from_the_matrix(seed, name, c, d):
    target, left, right = problem(seed)
    chosen = SETS[name]
    before = np.inf
    for _ in range(6):
        left, right = find_bounded_factors(target, left, right, chosen, (c, d), sweeps=1)
        assert chosen.violation(left, c) <= 1e-9 * max(c, 1)
        assert chosen.violation(right, d) <= 1e-9 * max(d, 1)
        assert error(target, left, right) <= before * (1 + 1e-9) + 1e-12
        before = error(target, left, right)


@pytest.mark.parametrize("seed", range(8))
def test_it_ends_where_bounded_quasi_newton_steps_find_nothing_better(seed):
    target, left, right = problem(seed)
    c, d = 0.5, 0.8
    left, right = find_bounded_factors(target, left, right, SETS["box"], (c, d), sweeps=3000)
    bounds = [(-c, c)] * left.size + [(-d, d)] * right.size

    def loss(z):
        return error(
            target, z[: left.size].reshape(left.shape), z[left.size :].reshape(right.shape)
        )

    start = np.concatenate([left.ravel(), right.ravel()])
    found = optimize.minimize(
        loss, start, bounds=bounds, method="L-BFGS-B", options={"ftol": 1e-15}
    )
    assert loss(start) - found.fun <= 1e-5 * loss(start)


@given(st.floats(-3, 3), st.floats(0.1, 2), st.floats(0.1, 2))
@settings(max_examples=40, deadline=None)
def test_a_product_of_two_numbers_comes_as_near_as_their_bounds_allow(v, c, d):
    start = np.array([[0.05]])
    left, right = find_bounded_factors(
        np.array([[v]]), start, start, SETS["box"], (c, d), sweeps=500
    )
    assert left.item() * right.item() == pytest.approx(np.clip(v, -c * d, c * d), abs=1e-3)


def test_without_bounds_the_product_becomes_the_truncated_svd():
    target, left, right = problem(3)
    left, right = find_bounded_factors(
        target, left, right, SETS["box"], (np.inf, np.inf), sweeps=3000
    )
    u, s, vt = np.linalg.svd(target)
    np.testing.assert_allclose(left @ right, (u[:, :3] * s[:3]) @ vt[:3], atol=1e-4)


def test_on_a_convex_problem_learning_compression_comes_near_the_certified_optimum(diabetes):
    # No rank pays for a single output: what is left is a box on a linear model.
    reference = compression.train(diabetes, model="linear_regression")
    weight = reference.network.linear.weight.detach().numpy()
    x = diabetes.x_train[diabetes.fit_rows].astype(np.float64)
    y = diabetes.y_train[diabetes.fit_rows].astype(np.float64)
    bounds = [0.2, 0.5]
    curve = compression.combined_curve(reference, diabetes, "jointly", [1], bounds, epochs=40)
    for row, bound in enumerate(bounds):
        c = float(bound * np.abs(weight).max())
        optimum = compression.solve(x, y, constraint="box", bound=c, solver="cvxpy").objective
        residual = y - x @ np.clip(weight[0], -c, c)
        clipped = 0.5 * np.mean((residual - residual.mean()) ** 2)
        lost = curve.table["train_loss"][row] - optimum
        assert -1e-6 <= lost <= 0.4 * (clipped - optimum)
