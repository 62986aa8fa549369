"""L1 paths of two classes: their solver, and certificates of many points at once."""

import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import brentq
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

import compression
from compression.constrained.convex import path as grid
from compression.constrained.convex.active_set_newton import ActiveSetNewton
from compression.constrained.convex.intercept import fit_intercept, fit_levels
from compression.constrained.convex.losses import SoftmaxLoss
from compression.errors import CancelledError
from tests.compression.constrained.conftest import Example
from tests.compression.constrained.convex.judging import SETS, certifier, random_weight

every_class_kind = pytest.mark.parametrize("kind", ["plain", "everything", "separable"])
bounded = pytest.mark.parametrize("constraint", ["box", "l1", "l2"])
TOLERANCE = 1e-4 * math.log(2)


@pytest.fixture(scope="module")
def two_classes(example):
    """``two_classes(kind)``: the first class against all others."""
    made = {}

    def get(kind, **sizes):
        problem = example(kind, "softmax", **sizes)
        key = kind, tuple(sizes.items())
        return made.setdefault(key, Example(problem.x, (problem.y > 0).astype(int), "softmax"))

    return get


def logistic(samples, features, seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(samples, features)) @ (np.eye(features) + 0.3 * rng.normal(size=features))
    odds = x @ rng.normal(size=features) / features**0.5 + 0.5
    return x, (rng.random(samples) < expit(odds)).astype(int)


@every_class_kind
def test_the_path_of_two_classes_is_the_optimum_of_the_referee(two_classes, referee, kind):
    problem = two_classes(kind)
    largest = compression.path(problem.x, problem.y, "softmax", "l1").bounds[-1]
    bounds = largest * np.array([1e-3, 0.03, 0.4, 1.0])
    path = compression.path(problem.x, problem.y, "softmax", "l1", bounds)
    assert path.certified.all()
    for row, bound in enumerate(bounds):
        assert abs(path.objectives[row] - referee(problem, "l1", bound)) <= 1.1 * TOLERANCE


@pytest.mark.parametrize(("samples", "features"), [(200, 8), (60, 90)])
@pytest.mark.parametrize("seed", range(3))
def test_the_path_of_two_classes_is_what_scikit_learn_finds_at_its_multipliers(
    samples, features, seed
):
    x, y = logistic(samples, features, seed)
    path = compression.path(x, y, "softmax", "l1")
    for row in (12, 16, 20):
        bound = path.bounds[row]
        price = path.certificate_at(bound).multipliers
        model = LogisticRegression(
            l1_ratio=1.0, C=1 / (samples * price), solver="saga", tol=1e-6, max_iter=20_000
        ).fit(x, y)
        weight = model.coef_.ravel()
        odds = np.where(y == 1, 1, -1) * (x @ weight + model.intercept_)
        penalised = np.mean(np.logaddexp(0, -odds)) + price * np.abs(weight).sum()
        ours = path.objectives[row] + price * np.abs(path.weights[row]).sum()
        assert ours == pytest.approx(penalised, abs=TOLERANCE)


@every_class_kind
def test_every_bound_of_two_classes_is_certified_by_the_judge_of_single_points(two_classes, kind):
    problem = two_classes(kind)
    path = compression.path(problem.x, problem.y, "softmax", "l1")
    judge = certifier(problem, "l1")
    for row, bound in enumerate(path.bounds):
        seen = judge.judge(path.weights[row], bound)
        assert seen.violation <= 1e-12 * bound
        assert seen.duality_gap <= TOLERANCE
        # With a tiny bound the zero model itself would do.
        assert seen.duality_gap <= 1e-4 * judge.reach(bound) * (1 + 1e-6) + 1e-15
        assert seen.objective == pytest.approx(path.objectives[row], abs=1e-9)
        np.testing.assert_allclose(path.weights[row][0], -path.weights[row][1])
    assert path.certified.all()


@given(
    x=arrays(
        np.float64, st.tuples(st.integers(4, 9), st.integers(1, 12)), elements=st.integers(-2, 2)
    ),
    seed=st.integers(0, 10**6),
)
@settings(deadline=None, max_examples=150)
def test_whole_numbers_with_their_ties_and_collinear_columns_are_certified(x, seed):
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(len(x)) % 2)
    path = compression.path(x, y, "softmax", "l1", [0.0, *10.0 ** rng.uniform(-3, 2, 5)])
    assert (path.weights[0] == 0).all()
    judge = certifier(Example(x, y, "softmax"), "l1")
    for row, bound in enumerate(path.bounds):
        seen = judge.judge(path.weights[row], bound)
        assert seen.violation <= 1e-12 * bound
        assert seen.holds(1e-4)
    assert path.certified.all()


@pytest.mark.parametrize(("samples", "features"), [(100, 20), (60, 240)])
def test_few_bounds_need_more_than_the_newton_steps_on_what_is_not_zero(
    monkeypatch, samples, features
):
    alone = []
    judge = grid.IterateJudge
    monkeypatch.setattr(
        grid, "IterateJudge", lambda *given, **named: alone.append(1) or judge(*given, **named)
    )
    for seed in range(4):
        x, y = logistic(samples, features, seed)
        assert compression.path(x, y, "softmax", "l1").certified.all()
    assert len(alone) <= 1


@pytest.mark.parametrize("value", [0.0, 3.0, -1e3])
def test_a_bound_that_is_missed_is_solved_by_itself(two_classes, monkeypatch, value):
    problem = two_classes("plain")
    data = problem.x, problem.y, "softmax", "l1"
    whole = compression.path(*data)

    def miss(self, bound, aim):
        return np.full((2, len(self.design)), value)

    monkeypatch.setattr(ActiveSetNewton, "solve", miss)
    path = compression.path(*data, whole.bounds)
    assert path.certified.all()
    assert np.abs(path.objectives - whole.objectives).max() <= TOLERANCE


def test_bounds_are_the_same_however_many_are_certified_at_once(two_classes, monkeypatch):
    problem = two_classes("plain")
    data = problem.x, problem.y, "softmax", "l1"
    whole = compression.path(*data)
    monkeypatch.setattr(grid, "CELLS", 3 * problem.x.shape[0] * (problem.x.shape[1] + 1))
    path = compression.path(*data)
    np.testing.assert_allclose(path.weights, whole.weights)
    np.testing.assert_allclose(path.objectives, whole.objectives)


def test_a_path_of_two_classes_can_be_stopped_between_two_parts(two_classes, monkeypatch):
    problem, bounds = two_classes("plain"), [0.1, 0.2, 0.4, 0.8]
    monkeypatch.setattr(grid, "CELLS", 2 * problem.x.shape[0] * (problem.x.shape[1] + 1))
    seen = []

    def report(done, total, partial):
        seen.append((done, total, partial and len(partial().bounds)))
        return done < 2

    path = compression.path(problem.x, problem.y, "softmax", "l1", bounds, report=report)
    assert path.bounds.tolist() == bounds[:2]
    assert [row[0] for row in seen] == sorted(row[0] for row in seen)
    assert all(total == 4 and (shown or 0) == done for done, total, shown in seen)
    with pytest.raises(CancelledError, match="after 0 of 4 bounds"):
        compression.path(problem.x, problem.y, "softmax", "l1", bounds, report=lambda *_: False)


@bounded
@every_class_kind
@pytest.mark.parametrize("seed", range(3))
def test_many_certificates_at_once_are_the_single_ones(two_classes, kind, constraint, seed):
    problem = two_classes(kind)
    rng = np.random.default_rng(seed)
    weights = np.array([size * random_weight(problem, seed) for size in (0, 0.01, 0.3, 1, 5)])
    gauges = np.array([SETS[constraint].gauge(weight) for weight in weights])
    bounds, guesses = 1.1 * gauges + 0.1, rng.normal(size=(5, 2))
    judge = certifier(problem, constraint)
    many = judge.judge_two_classes(weights, bounds, guesses)
    for row, (weight, bound, guess) in enumerate(zip(weights, bounds, guesses, strict=True)):
        # A gap that is small enough at once: no smaller one is looked for.
        one = judge.judge(weight, bound, guess, tolerance=math.inf)
        assert many.objectives[row] == pytest.approx(one.objective, rel=1e-12)
        size = 1 + float(np.abs(one.gradient * weight).sum()) + one.duality_gap
        assert many.duality_gaps[row] == pytest.approx(one.duality_gap, abs=1e-11 * size)
        odds, ours = np.diff(one.intercept), np.diff(many.intercepts[row])
        np.testing.assert_allclose(ours, odds, rtol=1e-9, atol=1e-9 * gauges[row])
        reach = judge.judge(np.zeros_like(weight), bound, tolerance=math.inf).duality_gap
        assert judge.reach(bound) == pytest.approx(reach)


def test_numbers_that_overflow_are_certified_by_nobody(two_classes):
    problem = two_classes("plain")
    weights = np.full((2, 2, problem.x.shape[1]), 1e308) * np.array([[[-1.0], [1.0]]])
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        seen = certifier(problem, "l1").judge_two_classes(weights, np.ones(2), np.zeros((2, 2)))
    assert (seen.duality_gaps == math.inf).all() or not np.isfinite(seen.objectives).any()


@given(
    odds=arrays(np.float64, (4, 12), elements=st.floats(-30, 30)),
    positive=st.integers(1, 11),
    guess=st.floats(-60, 60),
)
@settings(deadline=None, max_examples=200)
def test_levels_of_many_models_are_those_of_each(odds, positive, guess):
    labels = (np.arange(12) < positive).astype(float)
    level, loss, share = fit_levels(odds, labels, np.full(4, guess))
    for row in range(4):
        best = brentq(lambda b, m=odds[row]: expit(m + b).mean() - labels.mean(), -80, 80)
        assert np.abs(share[row].mean() - labels.mean()) <= 1e-11
        total = odds[row] + best
        least = np.mean(np.logaddexp(0, total) - labels * total)
        assert loss[row] == pytest.approx(least, rel=1e-9, abs=1e-12)
        single = fit_intercept(
            np.array([-odds[row] / 2, odds[row] / 2]), np.array([1 - labels, labels]), None
        )
        assert loss[row] == pytest.approx(single[1], rel=1e-9, abs=1e-12)
        np.testing.assert_allclose(share[row], expit(odds[row] + level[row]), atol=1e-12)


@pytest.mark.parametrize("far", [1e3, 1e5])
def test_levels_are_found_where_every_probability_is_nought_or_one(far):
    labels = np.array([0.0, 1.0, 1.0, 0.0, 1.0])
    odds = far * np.array([[-1.0, 1.0, 0.5, -0.5, 2.0], [3.0, -1.0, 0.5, 0.7, -2.0]])
    for guess in (0.0, -2 * far, 5 * far):
        level, loss, _ = fit_levels(odds, labels, np.full(2, guess))
        total = odds + level[:, None]
        np.testing.assert_allclose(
            loss, (np.logaddexp(0, total) - labels * total).mean(axis=1), atol=1e-9 * far
        )
        least = [
            min(np.mean(np.logaddexp(0, row + b) - labels * (row + b)) for b in -row)
            for row in odds
        ]
        assert (loss <= np.array(least) + 1e-9 * far).all()


def test_points_of_many_models_are_translated_at_once(two_classes):
    problem = two_classes("everything")
    loss = SoftmaxLoss.from_samples(problem.x, problem.y)
    points = np.random.default_rng(0).normal(size=(3, *loss.shape))
    weights, intercepts = loss.to_model(points)
    for row, point in enumerate(points):
        weight, intercept = loss.to_model(point)
        np.testing.assert_allclose(weights[row], weight, rtol=1e-13)
        np.testing.assert_allclose(intercepts[row], intercept, rtol=1e-12, atol=1e-9)
