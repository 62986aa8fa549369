import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.linalg import hadamard
from scipy.optimize import lsq_linear, nnls
from sklearn.linear_model import lars_path

import compression
from compression.constrained.convex.certificate import Certifier
from compression.constrained.convex.exact_path import ExactPath
from compression.constrained.convex.solvers.projected_newton import WRITTEN_OUT
from compression.errors import ArgumentError, CancelledError, NotConvergedError

SETS = {name: entry.load()() for name, entry in compression.CONSTRAINTS.items()}
exact = pytest.mark.parametrize("constraint", ["box", "upper", "l1"])
every_kind = pytest.mark.parametrize("kind", ["plain", "scaled", "duplicates", "everything"])
every_class_kind = pytest.mark.parametrize("kind", ["plain", "everything", "separable"])


def random_bounds(path, seed=0, count=8):
    """From far below the first breakpoints to beyond the last one."""
    rng = np.random.default_rng(seed)
    return path.breakpoints[-1] * 10 ** rng.uniform(-4, 0.3, size=count)


def least_squares(x, y, lower, upper):
    """The least ½ mean squared error over a box, by SciPy's active-set method."""
    x, y = x - x.mean(axis=0), y - y.mean()
    return lsq_linear(x, y, (lower, upper), method="bvls", tol=1e-14, max_iter=1000).cost / len(y)


def scores(n, features, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, features)) @ (np.eye(features) + 0.3 * rng.normal(size=(features,) * 2))
    return x, x @ rng.normal(size=features) + 2 * rng.normal(size=n) + 1


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("constraint", "low"), [("box", -1.0), ("upper", -math.inf)])
def test_an_exact_path_is_where_bounded_least_squares_ends(constraint, low, seed):
    x, y = scores(50, 12, seed)
    path = compression.path(x, y, "squared", constraint)
    for bound in random_bounds(path, seed):
        there = lsq_linear(
            x - x.mean(axis=0),
            y - y.mean(),
            (low * bound if low > -math.inf else low, bound),
            method="bvls",
            tol=1e-14,
        ).x
        np.testing.assert_allclose(path.at(bound), there, atol=1e-9)
        np.testing.assert_allclose(path.intercept_at(bound), y.mean() - x.mean(axis=0) @ there)


@pytest.mark.parametrize("seed", range(4))
def test_the_exact_l1_path_is_that_of_least_angle_regression(seed):
    x, y = scores(50, 12, seed)
    path = compression.path(x, y, "squared", "l1")
    _, _, weights = lars_path(x - x.mean(axis=0), y - y.mean(), method="lasso")
    bounds = np.abs(weights).sum(axis=0)
    np.testing.assert_allclose(path.breakpoints, bounds, rtol=1e-9, atol=1e-12)
    for bound, weight in zip(bounds, weights.T, strict=True):
        np.testing.assert_allclose(path.at(bound), weight, atol=1e-9)


@exact
@every_kind
def test_an_exact_path_is_the_optimum_of_the_referee_at_any_bound(
    example, referee, kind, constraint
):
    problem = example(kind, "squared")
    path = compression.path(problem.x, problem.y, "squared", constraint)
    unit = 0.5 * problem.y.var()
    for bound in random_bounds(path):
        seen = path.certificate_at(bound)
        assert seen.violation <= 1e-12 * bound
        assert abs(seen.objective - referee(problem, constraint, bound)) <= 1e-5 * unit
        assert seen.holds(1e-6)


@exact
def test_between_two_breakpoints_the_path_is_a_straight_line_and_at_each_it_bends(constraint):
    x, y = scores(60, 10)
    path = compression.path(x, y, "squared", constraint)
    knots = path.breakpoints
    assert knots[0] == 0
    assert (np.diff(knots) > 0).all()
    for left, right in pairwise(knots):
        ends = [left + share * (right - left) for share in (0.1, 0.5, 0.9)]
        first, middle, last = (path.at(bound) for bound in ends)
        np.testing.assert_allclose(middle, (first + last) / 2, atol=1e-12)
        assert path.certificate_at(ends[1]).holds(1e-10)
        np.testing.assert_array_equal(
            path.pinned_at(ends[1]), SETS[constraint].find_pinned(middle, ends[1])
        )
    # At the last one the bound ceases to cost anything: an L1 ball lets nobody go for that.
    for number in range(1, len(knots) - (constraint == "l1")):
        held, freed = path.changes(number)
        assert len(held) + len(freed) > 0
    np.testing.assert_allclose(path.at(3 * knots[-1]), path.at(knots[-1]))


@exact
def test_an_exact_path_ends_at_least_squares_and_begins_where_nothing_is_allowed(constraint):
    x, y = scores(60, 10)
    path = compression.path(x, y, "squared", constraint)
    design = np.column_stack([x, np.ones(len(y))])
    best = np.linalg.lstsq(design, y, rcond=None)[0]
    np.testing.assert_allclose(path.at(math.inf), best[:-1], atol=1e-10)
    assert path.intercept_at(math.inf) == pytest.approx(best[-1])
    nothing = np.zeros(10)
    if constraint == "upper":
        nothing = -nnls(-(x - x.mean(axis=0)), y - y.mean())[0]
    np.testing.assert_allclose(path.at(0.0), nothing, atol=1e-10)


# Orthogonal columns of mean zero: every weight goes its own way, and the optimum is known.
ORTHOGONAL = hadamard(16)[:, 1:].astype(float)


@exact
@given(best=arrays(np.float64, 15, elements=st.integers(-2, 2)), share=st.floats(0.01, 1.2))
@settings(deadline=None)
def test_weights_that_reach_a_corner_together_go_on_as_theory_says(constraint, best, share):
    y = ORTHOGONAL @ best
    path = compression.path(ORTHOGONAL, y, "squared", constraint)
    largest = SETS[constraint].gauge(best)
    bound = share * largest
    if constraint == "box":
        expected = np.clip(best, -bound, bound)
    elif constraint == "upper":
        expected = np.minimum(best, bound)
    else:
        expected = SETS["l1"].project(best, bound)  # soft thresholding
    np.testing.assert_allclose(path.at(bound), expected, atol=1e-10)
    assert path.breakpoints[-1] == pytest.approx(largest, abs=1e-12)


@exact
@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("mixed", [0.5, 1.5])
def test_correlated_weights_that_reach_a_corner_together_keep_to_the_optimum(
    constraint, seed, mixed
):
    # Weights 2, 3 and 4 are made to arrive at one bound; 0 and 1 are held, or in the ball, there.
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(40, 8)) @ (np.eye(8) + mixed * rng.normal(size=(8, 8)))
    x -= x.mean(axis=0)
    sign = np.ones(5) if constraint == "upper" else rng.choice([-1.0, 1.0], 5)
    weight, pull = rng.uniform(-0.9, 0.9, 8), np.zeros(8)
    if constraint == "l1":
        weight = np.append(sign[:2] * rng.uniform(0.2, 1, 2), np.zeros(6))
        pull = np.append(sign, rng.uniform(-0.9, 0.9, 3))
    else:
        weight[:5], pull[:2] = sign, sign[:2] * rng.uniform(0.5, 2, 2)
    y = x @ weight + x @ np.linalg.solve(x.T @ x / 40, pull)
    bound = SETS[constraint].gauge(weight)
    path = compression.path(x, y, "squared", constraint)
    np.testing.assert_allclose(path.at(bound), weight, atol=1e-8)
    for share in (0.9, 0.999, 1.001, 1.1):
        seen = path.certificate_at(share * bound)
        assert seen.holds(1e-9)


whole_tables = arrays(
    np.float64,
    st.tuples(st.integers(3, 8), st.integers(1, 5)),
    elements=st.integers(-2, 2),
)


@exact
@given(x=whole_tables, seed=st.integers(0, 10**6))
@settings(deadline=None, max_examples=150)
def test_whole_numbers_with_their_ties_and_collinear_columns_keep_to_the_optimum(
    constraint, x, seed
):
    rng = np.random.default_rng(seed)
    y = rng.integers(-3, 4, len(x)).astype(float)
    path = compression.path(x, y, "squared", constraint)
    unit = 0.5 * y.var()
    for bound in (0.0, *random_bounds(path, seed, 4), *path.breakpoints):
        seen = path.certificate_at(bound)
        assert seen.violation <= 1e-12 * bound
        if constraint == "l1":
            assert seen.duality_gap <= 1e-8 * unit
        elif bound > 0:
            low = -bound if constraint == "box" else -math.inf
            best = least_squares(x, y, low, bound)
            assert abs(seen.objective - best) <= 1e-8 * unit


def path_or_refusal(x, y, constraint):
    try:
        return compression.path(x, y, "squared", constraint), ""
    except NotConvergedError as refusal:
        return None, str(refusal)


@exact
@pytest.mark.parametrize("distance", [0.0, 1e-14, 1e-10, 1e-7, 1e-5, 1e-3])
def test_columns_that_are_almost_the_same_keep_to_the_optimum_or_are_refused(constraint, distance):
    x, y = scores(40, 4)
    rng = np.random.default_rng(1)
    for scale in (1.0, 1e3, 1e6):
        twins = np.column_stack([x, scale * (x + distance * rng.normal(size=x.shape))])
        path, said = path_or_refusal(twins, y, constraint)
        if path is None:
            assert "collinear" in said
            continue
        for bound in random_bounds(path):
            seen = path.certificate_at(bound)
            assert seen.violation <= 1e-12 * bound
            assert seen.holds(1e-3)


@exact
def test_a_constant_column_is_never_held_and_without_anything_to_learn_there_is_no_bend(constraint):
    x, y = scores(30, 3)
    path = compression.path(np.column_stack([x, np.full(30, 5.0)]), y, "squared", constraint)
    assert not path.pinned[:, 3].any()
    assert (path.weights[:, 3] == 0).all()
    still = compression.path(x, np.full(30, 2.0), "squared", constraint)
    assert still.breakpoints.tolist() == [0.0]
    assert (still.at(1.0) == 0).all()
    assert still.intercept_at(1.0) == 2.0


@exact
@every_kind
def test_the_loss_of_an_exact_path_falls_as_the_bound_grows(example, kind, constraint):
    problem = example(kind, "squared")
    path = compression.path(problem.x, problem.y, "squared", constraint)
    bounds = np.geomspace(1e-4, 2, 30) * path.breakpoints[-1]
    losses = [path.certificate_at(bound).objective for bound in bounds]
    assert (np.diff(losses) <= 1e-9 * 0.5 * problem.y.var()).all()
    assert losses[-1] < losses[0]


def test_which_paths_are_exact(example):
    for loss in ("squared", "softmax"):
        problem = example("plain", loss)
        for constraint in SETS:
            path = compression.path(problem.x, problem.y, loss, constraint, bounds=[1.0])
            known = loss == "squared" and constraint in ("box", "upper", "l1")
            assert isinstance(path, ExactPath) == known


@every_class_kind
@pytest.mark.parametrize("constraint", ["box", "upper", "l1", "l2"])
def test_the_softmax_path_is_certified_at_forty_geometric_bounds(example, kind, constraint):
    problem = example(kind, "softmax")
    path = compression.path(problem.x, problem.y, "softmax", constraint)
    assert len(path.bounds) == 40
    np.testing.assert_allclose(path.bounds[1:] / path.bounds[:-1], 1e3 ** (1 / 39))
    judge = Certifier(problem.x, problem.y, "softmax", SETS[constraint])
    for row, bound in enumerate(path.bounds):
        seen = judge.judge(path.at(bound), bound)
        assert seen.violation <= 1e-12 * bound
        if constraint != "upper":
            assert seen.duality_gap <= 1e-4 * math.log(3)
        assert seen.objective == pytest.approx(path.objectives[row], abs=1e-9)
    assert path.certified.all()
    assert (np.diff(path.objectives) <= 1e-4 * math.log(3)).all()


@every_class_kind
@pytest.mark.parametrize("constraint", ["box", "upper", "l1", "l2"])
def test_the_softmax_path_is_the_optimum_of_the_referee(example, referee, kind, constraint):
    problem = example(kind, "softmax")
    largest = compression.path(problem.x, problem.y, "softmax", constraint).bounds[-1]
    bounds = largest * np.array([1e-3, 0.03, 0.4, 1.0])
    path = compression.path(problem.x, problem.y, "softmax", constraint, bounds)
    for row, bound in enumerate(bounds):
        best = referee(problem, constraint, bound)
        assert abs(path.objectives[row] - best) <= 1.1e-4 * math.log(3)


@pytest.mark.parametrize("samples", [100, 200])
def test_a_model_too_large_for_its_hessian_is_certified_and_the_referee_agrees(
    example, referee, samples
):
    problem = example("plain", "softmax", samples=samples, features=120)
    path = compression.path(problem.x, problem.y, "softmax", "box")
    assert path.weights[0].size > WRITTEN_OUT
    judge = Certifier(problem.x, problem.y, "softmax", SETS["box"])
    for bound in path.bounds:
        assert judge.judge(path.at(bound), bound).duality_gap <= 1e-4 * math.log(3)
    for row in (5, 25):
        best = referee(problem, "box", path.bounds[row])
        assert abs(path.objectives[row] - best) <= 1.1e-4 * math.log(3)


@pytest.mark.parametrize("loss", ["squared", "softmax"])
@pytest.mark.parametrize("constraint", ["box", "upper", "l1", "l2"])
def test_at_the_largest_default_bound_the_constraint_costs_next_to_nothing(
    example, referee, loss, constraint
):
    problem = example("plain", loss)
    zero = 0.5 * problem.y.var() if loss == "squared" else math.log(3)
    path = compression.path(problem.x, problem.y, loss, constraint)
    largest = path.breakpoints[-1] if isinstance(path, ExactPath) else path.bounds[-1]
    cost = path.certificate_at(largest).objective - referee(problem, "l2", 1e3 * largest)
    assert abs(cost) <= 1e-3 * zero


@pytest.mark.parametrize(
    ("loss", "constraint"), [("softmax", "box"), ("softmax", "l1"), ("squared", "l2")]
)
def test_a_grid_is_kept_to_and_what_lies_between_two_bounds_lies_in_the_set(
    example, loss, constraint
):
    problem = example("plain", loss)
    path = compression.path(problem.x, problem.y, loss, constraint, bounds=[0.4, 0.1, 0.2, 0.1])
    assert path.bounds.tolist() == [0.1, 0.2, 0.4]
    np.testing.assert_array_equal(path.at(0.2), path.weights[1])
    members = SETS[constraint]
    for bound in (0.01, 0.13, 0.3):
        assert members.violation(path.at(bound), bound) <= 1e-12
    np.testing.assert_allclose(path.at(0.3), (path.weights[1] + path.weights[2]) / 2, atol=1e-12)
    np.testing.assert_allclose(path.intercept_at(0.3), path.intercepts[1:].mean(axis=0))
    np.testing.assert_allclose(path.at(0.05), path.weights[0] / 2)
    np.testing.assert_array_equal(path.at(7.0), path.weights[2])
    np.testing.assert_array_equal(
        path.pinned_at(0.4), members.find_pinned(path.weights[2], 0.4, 1e-6)
    )
    # Between two bounds the loss is no worse than the straight line: it is convex.
    between = path.certificate_at(0.3).objective
    assert between <= (path.objectives[1] + path.objectives[2]) / 2 + 1e-12


@pytest.mark.parametrize("loss", ["squared", "softmax"])
def test_a_path_of_counts_keeps_so_many_weights_and_claims_nothing(example, loss):
    problem = example("plain", loss)
    path = compression.path(problem.x, problem.y, loss, "cardinality")
    assert (path.bounds == np.round(path.bounds)).all()
    for bound, weight in zip(path.bounds, path.weights, strict=True):
        assert np.count_nonzero(weight) <= bound
    # All weights allowed is no constraint.
    judged = path.bounds < path.weights[0].size
    assert not path.certified[judged].any()
    assert (path.duality_gaps[judged] == math.inf).all()
    assert path.objectives[-1] <= path.objectives[0]
    # A count between two of the grid has the weights of the smaller one.
    for count in range(int(path.bounds[0]), int(path.bounds[-1]) + 1):
        assert np.count_nonzero(path.at(count)) <= count


@pytest.mark.parametrize("bounds", [[], [-1.0], [math.nan], [math.inf], ["much"]])
@pytest.mark.parametrize("loss", ["squared", "softmax"])
def test_bounds_that_cannot_be_are_refused(example, loss, bounds):
    problem = example("plain", loss)
    with pytest.raises(ArgumentError, match="0 or more"):
        compression.path(problem.x, problem.y, loss, "box", bounds)


def test_a_softmax_path_without_anything_to_learn_from_is_refused(example):
    with pytest.raises(ArgumentError, match="do not depend on the inputs"):
        compression.path(np.ones((6, 2)), np.array([0, 1, 0, 1, 0, 1]), "softmax", "box")


class Watcher:
    """A report that notes what it is told and stops when ``until`` bounds are done."""

    def __init__(self, until=math.inf):
        self.until, self.seen = until, []

    def __call__(self, done, total, partial):
        self.seen.append((done, total, partial and partial()))
        return done < self.until


def test_a_grid_reports_bound_by_bound_and_shows_what_it_has(example):
    problem, bounds = example("plain", "softmax"), [0.1, 0.2, 0.4]
    watcher = Watcher()
    path = compression.path(problem.x, problem.y, "softmax", "box", bounds, report=watcher)
    done = [row[0] for row in watcher.seen]
    assert done == sorted(done)
    assert set(done) == {0, 1, 2, 3}
    assert {row[1] for row in watcher.seen} == {3}
    for number, _, partial in watcher.seen:
        if number == 0:
            assert partial is None
        else:
            np.testing.assert_array_equal(partial.bounds, bounds[:number])
            np.testing.assert_array_equal(partial.weights, path.weights[:number])


@pytest.mark.parametrize(
    ("constraint", "bounds", "kept"),
    [("box", [0.1, 0.2, 0.4], [0.1, 0.2]), ("cardinality", [2, 4, 6], [4, 6])],
)
def test_a_stopped_grid_holds_the_bounds_that_were_solved(example, constraint, bounds, kept):
    problem = example("plain", "softmax")
    data = problem.x, problem.y, "softmax", constraint, bounds
    path = compression.path(*data, report=Watcher(until=2))
    whole = compression.path(*data)
    np.testing.assert_array_equal(path.bounds, kept)
    for bound in kept:
        np.testing.assert_array_equal(path.at(bound), whole.at(bound))


def test_a_grid_that_is_stopped_before_its_first_bound_is_cancelled(example):
    problem = example("plain", "softmax")
    with pytest.raises(CancelledError, match="after 0 of 2 bounds"):
        compression.path(
            problem.x, problem.y, "softmax", "box", [0.1, 0.2], report=lambda *_: False
        )


@exact
def test_an_exact_path_with_more_columns_than_rows_reports_and_ends_where_it_fits_every_row(
    constraint,
):
    x, y = scores(8, 20)
    watcher = Watcher()
    path = compression.path(x, y, "squared", constraint, report=watcher)
    np.testing.assert_allclose(x @ path.weights[-1] + path.intercepts[-1], y, atol=1e-6)
    assert len(watcher.seen) >= len(path.breakpoints)
    assert all(0 < done <= total for done, total, _ in watcher.seen)


@exact
def test_an_exact_path_stops_at_the_breakpoint_where_it_is_told_to(constraint):
    x, y = scores(8, 20)
    watcher = Watcher(until=3)
    with pytest.raises(CancelledError, match="breakpoint 3"):
        compression.path(x, y, "squared", constraint, report=watcher)
    assert len(watcher.seen) == 3
    # Certifying the breakpoints of collinear columns takes longer than finding them.
    counted = Watcher()
    whole = compression.path(x, y, "squared", "box", report=counted)
    calls = []
    with pytest.raises(CancelledError):
        compression.path(
            x,
            y,
            "squared",
            "box",
            report=lambda *_: calls.append(1) or len(calls) <= len(counted.seen) - 2,
        )
    assert len(calls) < len(counted.seen)
    assert len(counted.seen) > len(whole.breakpoints)
