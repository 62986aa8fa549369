import numpy as np
import pytest
from scipy.optimize import lsq_linear

import compression
from compression.constrained.convex.certificate import Certifier
from compression.constrained.convex.losses import prepare
from compression.constrained.convex.quadratic import (
    DenseQuadratic,
    MatrixFreeQuadratic,
    minimise_in_box,
)
from compression.constrained.convex.solvers.projected_newton import SINGLE_PRECISION


def softmax_model(example, kind="plain", raised=0.1, **settings):
    """The quadratic at a random point, as products and written out."""
    problem = example(kind, "softmax", samples=200, features=12)
    loss = prepare(problem.x, problem.y, "softmax")
    point = np.random.default_rng(1).normal(size=loss.shape)
    curvature = loss.curvature(point)
    hessian = curvature.block(np.ones(loss.shape, bool)) + raised * np.eye(point.size)
    return MatrixFreeQuadratic(curvature, raised, **settings), hessian, point.shape


@pytest.mark.parametrize("kind", ["plain", "scaled", "duplicates"])
@pytest.mark.parametrize("raised", [1e-1, 1e-4, 1e-8])
def test_products_solve_what_the_written_out_hessian_solves(example, kind, raised):
    model, hessian, shape = softmax_model(example, kind, raised, tolerance=1e-10, patience=1000)
    rng = np.random.default_rng(2)
    v, free = rng.normal(size=shape), rng.random(shape) < 0.6
    np.testing.assert_allclose(model.product(v).ravel(), hessian @ v.ravel(), atol=1e-10)
    right = np.where(free, hessian.dot(v.ravel()).reshape(shape), 0.0)
    answer = model.solve(free, right)
    assert (answer[~free] == 0).all()
    block = hessian[np.ix_(free.ravel(), free.ravel())]
    np.testing.assert_allclose(block @ answer[free], right[free], atol=1e-9 * np.abs(right).max())
    np.testing.assert_allclose(
        answer[free],
        DenseQuadratic(hessian).solve(free.ravel(), right.ravel())[free.ravel()],
        atol=1e-7 / raised * np.abs(right).max(),
    )


def test_the_diagonal_and_the_blocks_are_those_of_the_hessian(example):
    model, hessian, (classes, width) = softmax_model(example, raised=0.0)
    np.testing.assert_allclose(model.curvature.diagonal.ravel(), np.diag(hessian), atol=1e-12)
    for k in range(classes):
        own = slice(k * width, (k + 1) * width)
        np.testing.assert_allclose(model.curvature.class_block(k), hessian[own, own], atol=1e-12)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("written_out", [True, False])
def test_a_quadratic_in_a_box_ends_at_the_optimum_of_bounded_least_squares(
    example, seed, written_out
):
    model, hessian, shape = softmax_model(example, tolerance=1e-10, patience=1000)
    rng = np.random.default_rng(seed)
    linear, edge = rng.normal(size=shape), np.abs(rng.normal(size=shape))
    root = np.linalg.cholesky(hessian).T
    target = -np.linalg.solve(root.T, linear.ravel())
    best = lsq_linear(root, target, (-edge.ravel(), edge.ravel()), method="bvls", tol=1e-15).x
    start = np.zeros(shape)
    if written_out:
        found = minimise_in_box(
            DenseQuadratic(hessian),
            linear.ravel(),
            -edge.ravel(),
            edge.ravel(),
            start.ravel(),
            1e-9,
        )
    else:
        found = minimise_in_box(model, linear, -edge, edge, start, 1e-9)
    np.testing.assert_allclose(found.ravel(), best, atol=1e-7)
    assert (np.abs(found).ravel() == edge.ravel()).any()


def test_a_path_by_models_in_single_precision_is_certified_in_double(example):
    problem = example("plain", "softmax", samples=120, features=700)
    path = compression.path(
        problem.x, problem.y, "softmax", "box", bounds=np.geomspace(1e-4, 5e-3, 8)
    )
    assert path.weights[0].size > SINGLE_PRECISION
    judge = Certifier(problem.x, problem.y, "softmax", compression.CONSTRAINTS["box"].load()())
    for bound, objective in zip(path.bounds, path.objectives, strict=True):
        seen = judge.judge(path.at(bound), bound)
        assert seen.duality_gap <= 1e-4 * np.log(3)
        assert seen.objective == pytest.approx(objective, rel=1e-12)
    assert (np.diff(path.objectives) < 0).all()


@pytest.mark.parametrize("ignored", [0.0, 0.05, 0.3])
def test_a_model_that_leaves_samples_out_knows_all_but_a_share_of_the_doubt(example, ignored):
    problem = example("plain", "softmax", samples=200, features=12)
    loss = prepare(problem.x, problem.y, "softmax")
    point = 2 * np.random.default_rng(1).normal(size=loss.shape)
    logits = point @ loss.design
    share = np.exp(logits - logits.max(axis=0))
    share /= share.sum(axis=0)
    doubt = 1 - share.max(axis=0)
    curvature = loss.curvature(point, ignored)
    kept = 1 - curvature.share.max(axis=0)
    assert kept.sum() >= (1 - ignored) * doubt.sum()
    assert kept.sum() - kept.min() <= (1 - ignored) * doubt.sum() or len(kept) == 200
    v = np.random.default_rng(2).normal(size=loss.shape)
    whole, part = (np.vdot(v, c.product(v)) for c in (loss.curvature(point), curvature))
    assert (1 - 40 * ignored) * whole - 1e-12 <= part <= whole + 1e-12
    single = loss.curvature(point, ignored, single=True)
    assert single.product(v).dtype == np.float32
    np.testing.assert_allclose(single.product(v), curvature.product(v), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("seed", [850, 967, 1008, 1021, 1327, *range(200)])
def test_a_nearly_flat_quadratic_from_a_corner_ends_where_nothing_free_has_a_slope(seed):
    """Of the first seeds a Newton step pushes out what is free to leave its bound, and stood still."""
    random = np.random.default_rng(seed)
    size = int(random.integers(3, 7))
    half = random.normal(size=(size, int(random.integers(1, size))))
    hessian = half @ half.T + 1e-6 * np.eye(size)
    lower, upper = np.full(size, -1.0), np.full(size, 1.0)
    corner, inside = random.random(size) < 0.6, random.choice([-1.0, 1.0], size)
    start = np.where(corner, inside, random.uniform(-1, 1, size))
    slope = random.normal(size=size)

    def steepest(point, slope):
        outward = ((point <= lower) & (slope > 0)) | ((point >= upper) & (slope < 0))
        return np.abs(slope[~outward]).max(initial=0.0)

    end = minimise_in_box(DenseQuadratic(hessian), slope, lower, upper, start, 0.1)
    left = steepest(end, slope + hessian @ (end - start))
    assert left <= 0.1 * steepest(start, slope) * (1 + 1e-9)
