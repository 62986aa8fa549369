"""The walk along the exact path where columns are collinear: twins, sums, fewer rows than columns."""

import numpy as np
import pytest
from sklearn.linear_model import lars_path

import compression
from compression.constrained.convex.certificate import Certifier

SETS = {name: entry.load()() for name, entry in compression.CONSTRAINTS.items()}


def collinear_columns(kind: str, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Correlated columns of which some say nothing new."""
    rng = np.random.default_rng(seed)
    rows, columns = (20, 40) if kind == "few rows" else (80, 15)
    x = rng.normal(size=(rows, columns)) @ (np.eye(columns) + 0.2 * rng.normal(size=(columns,) * 2))
    y = x @ rng.normal(size=columns) + 4 * rng.normal(size=rows)
    if kind == "twin":
        x = np.column_stack([x, x[:, :2]])
    elif kind == "sum":
        x = np.column_stack([x, x[:, 0] + x[:, 1] - x[:, 2]])
    return x, y


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("kind", ["twin", "few rows"])
def test_the_l1_path_of_collinear_columns_bends_where_least_angle_regression_does(kind, seed):
    x, y = collinear_columns(kind, seed)
    path = compression.path(x, y, "squared", "l1")
    # Twins share what one of them alone would be: lars_path itself goes astray between twins.
    single = x[:, :15] if kind == "twin" else x
    _, _, weights = lars_path(
        single - single.mean(axis=0), y - y.mean(), method="lasso", max_iter=10_000
    )
    bounds = np.abs(weights).sum(axis=0)
    np.testing.assert_allclose(path.breakpoints, bounds, rtol=1e-5, atol=1e-9)
    for bound, weight in zip(bounds, weights.T, strict=True):
        np.testing.assert_allclose(x @ path.at(bound), single @ weight, atol=1e-4)


@pytest.mark.parametrize("seed", range(3))
def test_the_l1_path_with_a_sum_of_columns_among_them_keeps_to_the_optimum(seed):
    x, y = collinear_columns("sum", seed)
    path = compression.path(x, y, "squared", "l1")
    for bound in path.breakpoints[-1] * np.linspace(0.01, 1.0, 12):
        assert path.certificate_at(bound).duality_gap <= 1e-8 * path.certifier.unit


@pytest.mark.parametrize("kind", ["twin", "sum", "few rows"])
def test_an_l1_path_of_collinear_columns_has_no_end_but_the_least_loss(kind):
    x, y = collinear_columns(kind)
    path = compression.path(x, y, "squared", "l1")
    design = np.column_stack([x, np.ones(len(y))])
    best = design @ np.linalg.lstsq(design, y, rcond=None)[0]
    np.testing.assert_allclose(x @ path.weights[-1] + path.intercepts[-1], best, atol=1e-6)


@pytest.mark.parametrize("constraint", ["box", "l1", "l2"])
def test_gaps_of_many_weights_at_once_are_what_the_tangent_plane_leaves(constraint):
    x, y = collinear_columns("twin")
    rng, members = np.random.default_rng(1), SETS[constraint]
    bounds = np.array([0.3, 1.0, 4.0])
    weights = np.array([members.project(rng.normal(size=x.shape[1]), bound) for bound in bounds])
    gaps = Certifier(x, y, "squared", members).tangent_gaps(weights, bounds)
    for weight, bound, gap in zip(weights, bounds, gaps, strict=True):
        residual = (x - x.mean(axis=0)) @ weight - (y - y.mean())
        gradient = (x - x.mean(axis=0)).T @ residual / len(y)
        # The least of the plane over the set is at a corner, or along the gradient.
        worst = {
            "box": -bound * np.sign(gradient),
            "l1": -bound * np.sign(gradient) * (np.abs(gradient) == np.abs(gradient).max()),
            "l2": -bound * gradient / np.linalg.norm(gradient),
        }[constraint]
        assert gap == pytest.approx(
            gradient @ weight - gradient @ worst * _share(worst, constraint, bound)
        )


def _share(worst, constraint, bound):
    """Twins have one gradient: the corner of an L1 ball is one of them."""
    return bound / np.abs(worst).sum() if constraint == "l1" else 1.0


def test_gaps_at_once_are_never_below_what_the_judge_proves():
    x, y = collinear_columns("few rows")
    path = compression.path(x, y, "squared", "l1")
    gaps = path.certifier.tangent_gaps(path.weights, path.breakpoints)
    proved = [path.certificate_at(bound).duality_gap for bound in path.breakpoints]
    assert (gaps >= np.array(proved) - 1e-12 * path.certifier.unit).all()
    assert gaps.max() <= 1e-3 * path.certifier.unit
