"""The loss in the plane of two weights, and what a set leaves of that plane."""

import numpy as np
import pytest

import compression
from compression.constrained.convex import loss_plane
from compression.constrained.convex.losses import prepare
from compression.constrained.sets import CIRCLE_CORNERS

CONVEX = [name for name, entry in compression.CONSTRAINTS.items() if entry.load()().convex]


@pytest.mark.parametrize("kind", ["plain", "scaled", "everything", "separable"])
def test_the_loss_over_the_plane_of_two_weights_is_the_softmax_loss_at_each_point(example, kind):
    problem = example(kind, "softmax")
    loss = prepare(problem.x, problem.y, "softmax")
    classes, features = loss.classes, problem.x.shape[1]
    rng = np.random.default_rng(0)
    # In the units of each column, as a fitted weight is.
    size = 1 / np.maximum(problem.x.std(axis=0), 1e-300)
    size[~np.isin(np.arange(features), loss.inputs.columns)] = 1.0
    weight = rng.normal(size=(classes, features)) * size
    intercept = rng.normal(size=classes)
    weights = range(classes * features)
    for first, second in [(0, 1), (0, features), (features + 2, 1), *rng.choice(weights, (8, 2))]:
        if first == second:
            continue
        x = rng.normal(size=4) * size[first % features]
        y = rng.normal(size=3) * size[second % features]
        found = loss_plane.evaluate_over_plane(loss, weight, intercept, (first, second), x, y)
        assert found.shape == (3, 4)
        for row, b in enumerate(y):
            for column, a in enumerate(x):
                moved = weight.copy()
                moved.flat[first], moved.flat[second] = a, b
                # The plain sum over the rows; a constant column is not part of the model.
                part = loss.inputs.columns
                logits = problem.x[:, part] @ moved[:, part].T + intercept
                logits = logits - logits.max(axis=1, keepdims=True)
                own = logits[np.arange(len(problem.y)), problem.y.astype(int)]
                plain = np.mean(np.log(np.exp(logits).sum(axis=1)) - own)
                assert found[row, column] == pytest.approx(plain, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("kind", ["plain", "scaled", "everything"])
def test_the_loss_over_the_plane_of_two_weights_is_half_the_mean_square_at_each_point(
    example, kind
):
    problem = example(kind, "squared")
    loss = prepare(problem.x, problem.y, "squared")
    features = problem.x.shape[1]
    rng = np.random.default_rng(0)
    size = np.ones(features)
    size[loss.inputs.columns] = 1 / loss.inputs.scale
    weight = rng.normal(size=features) * size
    part = loss.inputs.columns
    for first, second in [(0, 1), (features - 1, 0), (2, features - 2)]:
        x, y = rng.normal(size=4) * size[first], rng.normal(size=3) * size[second]
        found = loss_plane.evaluate_over_plane(loss, weight, 0.0, (first, second), x, y)
        for row, b in enumerate(y):
            for column, a in enumerate(x):
                moved = weight.copy()
                moved[[first, second]] = a, b
                centred = problem.x[:, part] - problem.x[:, part].mean(axis=0)
                residual = problem.y - problem.y.mean() - centred @ moved[part]
                plain = 0.5 * np.mean(residual**2)
                assert found[row, column] == pytest.approx(plain, rel=1e-8)


@pytest.mark.parametrize("constraint", CONVEX)
@pytest.mark.parametrize("share", [0.6, 1.0, 1.5])
def test_inside_its_outline_is_what_the_set_holds(constraint, share):
    members = compression.CONSTRAINTS[constraint].load()()
    rng = np.random.default_rng(1)
    weight = rng.normal(size=(3, 4))
    bound = share * members.gauge(weight)
    weight = members.project(weight, bound)
    pair = [5, 2]
    left = members.bound_left(np.delete(weight.ravel(), pair), bound)
    far = 10.0
    corners = members.outline(left, far)
    assert np.array_equal(corners[0], corners[-1])
    checked = set()
    scale = max(left, 0.1)
    for point in rng.uniform(-1.6 * scale, 1.6 * scale, (2000, 2)):
        depth = inward(corners, point)
        if abs(depth) < 2e-3 * scale:  # a circle's corners lie on it, its sides within
            continue
        whole = weight.copy()
        whole.flat[pair] = point
        assert (depth > 0) == (members.gauge(whole) <= bound * (1 + 1e-12))
        checked.add(depth > 0)
    assert checked == {True, False}


def inward(corners, point):
    """How deep a point lies in a convex polygon that is given anticlockwise; outside: below 0."""
    sides = np.diff(corners, axis=0)
    apart = point - corners[:-1]
    cross = sides[:, 0] * apart[:, 1] - sides[:, 1] * apart[:, 0]
    return (cross / np.linalg.norm(sides, axis=1)).min()


def test_a_point_on_a_circle_s_outline_has_the_norm_of_the_bound():
    members = compression.CONSTRAINTS["l2"].load()()
    others = np.array([0.3, -0.4])
    corners = members.outline(members.bound_left(others, 1.3), 9.0)
    for corner in corners:
        assert np.linalg.norm([*corner, *others]) == pytest.approx(1.3)
    angles = np.unwrap(np.arctan2(corners[:, 1], corners[:, 0]))
    np.testing.assert_allclose(np.diff(angles), 2 * np.pi / CIRCLE_CORNERS)


def test_a_set_that_is_not_convex_has_no_outline():
    members = compression.CONSTRAINTS["cardinality"].load()()
    assert members.outline(members.bound_left(np.ones(3), 5), 10.0) is None


def least_squares(data):
    """Rows and numbers of diabetes, centred; half the mean square of what a weight leaves."""
    x, y = data.x_train[data.fit_rows].astype(float), data.y_train[data.fit_rows].astype(float)
    centred, target = x - x.mean(axis=0), y - y.mean()

    def loss(weight):
        return 0.5 * np.mean((target - centred @ weight) ** 2)

    return x, y, loss


BOUNDS = {"box": 0.1, "upper": 0.1, "l1": 0.5, "l2": 0.3}


@pytest.mark.parametrize("constraint", CONVEX)
def test_loss_planes_are_the_loss_and_the_set_with_the_others_at_each_optimum(diabetes, constraint):
    x, y, loss = least_squares(diabetes)
    bounds = BOUNDS[constraint] * np.geomspace(0.1, 3, 5)
    path = compression.path(x, y, "squared", constraint, bounds=bounds)
    found = loss_plane.loss_planes(x, y, "squared", path, bounds, (2, 8))
    gauge = compression.CONSTRAINTS[constraint].load()().gauge
    for row, bound in enumerate(bounds):
        weight = path.at(bound)
        assert found.optimum[row] == pytest.approx(weight[[2, 8]])
        assert np.abs(found.optimum[row]).max() <= min(found.near[row], found.far)
        for wide, over in ((found.near[row], found.near_loss), (found.far, found.far_loss)):
            ends = np.linspace(-wide, wide, over.shape[-1])
            for up, across in ((0, 0), (30, 5), (20, 20), (40, 3)):
                moved = weight.copy()
                moved[[2, 8]] = ends[across], ends[up]
                expected = loss(moved) - loss(weight)
                assert over[row, up, across] == pytest.approx(expected, rel=1e-4, abs=1e-7)
            held = 0
            for up, b in enumerate(ends):
                for across, a in enumerate(ends):
                    moved = weight.copy()
                    moved[[2, 8]] = a, b
                    depth = inward(found.outlines[row], (a, b))
                    if abs(depth) > 2e-3 * wide:  # a circle is drawn with corners
                        assert (depth > 0) == (gauge(moved) <= bound * (1 + 1e-9))
                    if depth > 0:  # where the set is, nothing is better than the optimum
                        assert over[row, up, across] >= -1e-6
                        held += 1
            assert held


def test_what_softmax_would_gain_lies_outside_the_set_of_every_bound(example):
    problem = example("plain", "softmax")
    bounds = np.geomspace(0.05, 2, 6)
    path = compression.path(problem.x, problem.y, "softmax", "l1", bounds=bounds)
    # The L1 ball leaves nothing to two weights that are zero: the largest at its tightest.
    first, second = np.argsort(-np.abs(path.at(bounds[0])).ravel())[:2]
    found = loss_plane.loss_planes(problem.x, problem.y, "softmax", path, bounds, (first, second))
    for row, losses in enumerate(found.near_loss):
        ends = np.linspace(-found.near[row], found.near[row], losses.shape[-1])
        inside = [[inward(found.outlines[row], (a, b)) > 0 for a in ends] for b in ends]
        # The grid's own tolerance of the path: a share of the zero model's loss.
        assert losses[np.array(inside)].min() >= -1e-4 * np.log(3)


def test_loss_planes_that_are_stopped_are_nan_and_rows_far_apart_come_first(diabetes):
    x, y, _ = least_squares(diabetes)
    bounds = np.geomspace(0.01, 0.3, 21)
    path = compression.path(x, y, "squared", "box", bounds=bounds)

    def stop_at_three(done, total, so_far):
        return done < 3

    found = loss_plane.loss_planes(x, y, "squared", path, bounds, (2, 8), report=stop_at_three)
    computed = np.isfinite(found.near_loss).all(axis=(1, 2))
    assert list(np.flatnonzero(computed)) == [0, 8, 16]
    assert (np.isfinite(found.far_loss).all(axis=(1, 2)) == computed).all()
