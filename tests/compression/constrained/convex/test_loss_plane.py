"""The loss in the plane of two weights, and what a set leaves of that plane."""

import numpy as np
import pytest

import compression
from compression.constrained.convex import loss_plane
from compression.constrained.convex.losses import prepare

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
        found = loss_plane.over_plane(loss, weight, intercept, (first, second), x, y)
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
        found = loss_plane.over_plane(loss, weight, 0.0, (first, second), x, y)
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
def test_inside_its_border_is_what_the_set_holds(constraint, share):
    members = compression.CONSTRAINTS[constraint].load()()
    rng = np.random.default_rng(1)
    weight = rng.normal(size=(3, 4))
    bound = share * members.gauge(weight)
    weight = members.project(weight, bound)
    pair = [5, 2]
    reach = loss_plane.reach(members, bound, np.delete(weight.ravel(), pair))
    far = 10.0
    corners = loss_plane.border(members, reach, far)
    assert np.array_equal(corners[0], corners[-1])
    checked = set()
    scale = max(reach, 0.1)
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


def test_a_point_on_a_circle_border_has_the_norm_of_the_bound():
    members = compression.CONSTRAINTS["l2"].load()()
    others = np.array([0.3, -0.4])
    reach = loss_plane.reach(members, 1.3, others)
    for corner in loss_plane.border(members, reach, 9.0):
        assert np.linalg.norm([*corner, *others]) == pytest.approx(1.3)
