import math

import numpy as np
import pytest
from scipy.optimize import minimize

import compression
from compression.constrained.convex.certificate import Certifier

SETS = {name: entry.load()() for name, entry in compression.CONSTRAINTS.items()}
# Stated accuracy, relative to the zero model's loss: of the solver, and of the referee at the
# loosest tolerance that it tries.
SOLVED, REFEREED = 1e-6, 1e-6
KINDS = ("plain", "everything", "separable")  # everything: scaled, and columns twice
every_loss = pytest.mark.parametrize("loss", ["squared", "softmax"])
every_kind = pytest.mark.parametrize("kind", KINDS)
bounded = pytest.mark.parametrize("constraint", ["box", "l1", "l2"])
convex = pytest.mark.parametrize("constraint", ["box", "upper", "l1", "l2"])


def certifier(example, constraint):
    return Certifier(example.x, example.y, example.loss, SETS[constraint])


def random_weight(example, seed=0):
    """Of about the size that makes predictions of size one, whatever the columns' scales."""
    rng = np.random.default_rng(seed)
    spread = example.x.std(axis=0)
    columns = np.where(spread > 0, 1 / np.where(spread > 0, spread, 1), 0)
    rows = () if example.loss == "squared" else (int(example.y.max()) + 1,)
    return rng.normal(size=(*rows, len(columns))) * columns


def bound_for(example, constraint, share=0.3):
    return share * SETS[constraint].gauge(random_weight(example))


@every_loss
@every_kind
@bounded
def test_the_gap_is_never_smaller_than_the_distance_to_the_optimum(
    example, referee, kind, loss, constraint
):
    problem = example(kind, loss)
    bound = bound_for(problem, constraint)
    judge = certifier(problem, constraint)
    best = referee(problem, constraint, bound)
    for seed in range(5):
        for shrink in (0.1, 1.0):
            weight = SETS[constraint].project(shrink * random_weight(problem, seed), bound)
            seen = judge.judge(weight, bound)
            assert seen.duality_gap >= seen.objective - best - 1e-6 * judge.unit


@every_loss
@every_kind
@convex
def test_the_certificate_closes_at_the_optimum_and_opens_away_from_it(
    example, referee, kind, loss, constraint
):
    problem = example(kind, loss)
    bound = bound_for(problem, constraint)
    judge = certifier(problem, constraint)
    optimum = referee(problem, constraint, bound)
    solver = {"l1": "face_newton", "l2": "accelerated_projected_gradient"}.get(
        constraint, "projected_newton"
    )
    solution = compression.solve(
        problem.x, problem.y, loss, constraint, bound, solver=solver, tolerance=SOLVED
    )
    assert solution.certified
    # Two solvers end at two points, and each machine rounds them differently: what they share is
    # the least loss, each to its own stated accuracy.
    accuracy = (SOLVED + REFEREED) * judge.unit
    closed = judge.judge(solution.weight, bound)
    assert abs(closed.objective - optimum) <= accuracy
    assert closed.holds(100 * SOLVED)
    for seed in range(5):
        other = SETS[constraint].project(random_weight(problem, seed), bound)
        for step in (0.1, 0.5, 1.0):
            away = judge.judge((1 - step) * solution.weight + step * other, bound)
            lost = away.objective - optimum
            assert lost >= -accuracy
            if math.isfinite(away.duality_gap):
                assert away.duality_gap >= lost - accuracy
            if lost > 100 * SOLVED * judge.unit + accuracy:
                assert not away.holds(100 * SOLVED)


@every_loss
@every_kind
def test_the_objective_is_the_loss_at_the_best_intercept(example, kind, loss):
    problem = example(kind, loss)
    weight = random_weight(problem)
    seen = certifier(problem, "box").judge(weight, 1.0)
    scores = problem.x @ weight.T

    def at(intercept):
        if loss == "squared":
            return 0.5 * np.mean((problem.y - scores - intercept[0]) ** 2)
        logits = scores + intercept
        top = logits.max(axis=1)
        total = top + np.log(np.exp(logits - top[:, None]).sum(axis=1))
        return np.mean(total - logits[np.arange(len(problem.y)), problem.y])

    best = minimize(at, np.atleast_1d(seen.intercept), method="Nelder-Mead")
    assert at(np.atleast_1d(seen.intercept)) == pytest.approx(seen.objective, rel=1e-9)
    assert seen.objective <= best.fun * (1 + 1e-9)


@every_loss
@convex
def test_the_residual_is_the_move_of_one_projected_gradient_step(example, loss, constraint):
    problem = example("plain", loss)
    bound = bound_for(problem, constraint)
    weight = SETS[constraint].project(random_weight(problem), bound)
    seen = certifier(problem, constraint).judge(weight, bound)
    step = 1e-6
    for index in np.ndindex(weight.shape):
        shift = np.zeros(weight.shape)
        shift[index] = step
        ahead, behind = (
            certifier(problem, constraint).judge(weight + sign * shift, bound).objective
            for sign in (1, -1)
        )
        assert seen.gradient[index] == pytest.approx((ahead - behind) / (2 * step), abs=1e-7)
    moved = SETS[constraint].project(weight - seen.gradient, bound)
    assert seen.kkt_residual == pytest.approx(np.abs(weight - moved).max(), abs=1e-9)


@every_loss
@convex
def test_multipliers_are_what_the_optimal_loss_gains_by_a_unit_of_slack(
    example, referee, loss, constraint
):
    problem = example("plain", loss)
    bound = bound_for(problem, constraint, share=0.1)
    solution = compression.solve(problem.x, problem.y, loss, constraint, bound, tolerance=1e-8)
    step = 0.01 * bound
    ahead, behind = (referee(problem, constraint, bound + sign * step) for sign in (1, -1))
    price = np.sum(solution.multipliers)
    assert price == pytest.approx((behind - ahead) / (2 * step), rel=0.02, abs=1e-7)
    if constraint in ("box", "l1", "l2") or loss == "squared":
        assert price > 0
    if constraint in ("box", "upper"):
        assert (solution.multipliers[~solution.pinned] == 0).all()


@every_loss
@bounded
def test_at_bound_zero_the_zero_model_is_certified_and_without_a_bound_the_best(
    example, loss, constraint
):
    problem = example("plain", loss)
    judge = certifier(problem, constraint)
    zero = np.zeros_like(random_weight(problem))
    assert judge.judge(zero, 0.0).duality_gap == 0
    assert judge.judge(zero, math.inf).duality_gap > 1e-2 * judge.unit
    free = compression.solve(problem.x, problem.y, loss, constraint, math.inf)
    assert free.certified
    assert free.inactive
    assert judge.judge(free.weight, math.inf).duality_gap <= 1e-9 * judge.unit


def test_a_weight_outside_its_set_is_told_how_far(example):
    problem = example("plain", "squared")
    weight = np.array([1.0, -3.0, 0.0, 0.0, 0.0])
    violation = {"box": 1.0, "upper": 0.0, "l1": 2.0, "l2": math.sqrt(10) - 2, "cardinality": 0.0}
    for constraint, expected in violation.items():
        seen = certifier(problem, constraint).judge(weight, 2.0)
        assert seen.violation == pytest.approx(expected)


@every_loss
def test_cardinality_has_no_certificate(example, loss):
    problem = example("plain", loss)
    weight = SETS["cardinality"].project(random_weight(problem), 3)
    seen = certifier(problem, "cardinality").judge(weight, 3)
    assert seen.duality_gap == math.inf
    assert seen.multipliers is None
    assert not seen.holds(0.5)
