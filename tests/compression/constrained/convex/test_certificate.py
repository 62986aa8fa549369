import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import minimize

import compression
import data
from compression.constrained.convex import certificate
from compression.constrained.convex.certificate import Certifier
from tests.compression.constrained.convex.judging import SETS, bound_for, certifier, random_weight

# Stated accuracy, relative to the zero model's loss: of the solver, and of the referee at the
# loosest tolerance that it tries.
SOLVED, REFEREED = 1e-6, 1e-6
KINDS = ("plain", "everything", "separable")  # everything: scaled, and columns twice
every_loss = pytest.mark.parametrize("loss", ["squared", "softmax"])
every_kind = pytest.mark.parametrize("kind", KINDS)
bounded = pytest.mark.parametrize("constraint", ["box", "l1", "l2"])
convex = pytest.mark.parametrize("constraint", ["box", "upper", "l1", "l2"])


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


@every_loss
@every_kind
def test_the_scaled_residual_is_a_step_s_move_in_columns_of_unit_variance(example, kind, loss):
    problem = example(kind, loss)
    bound = bound_for(problem, "box")
    weight = SETS["box"].project(random_weight(problem), bound)
    seen = certifier(problem, "box").judge(weight, bound)
    y, spread = problem.y, problem.x.std(axis=0)
    kept = spread > 1e-9 * np.abs(problem.x).max(axis=0)
    unit = np.var(y) / 2 if loss == "squared" else min(1.0, math.log(y.max() + 1))
    assert seen.unit == pytest.approx(unit, rel=1e-12)
    step = (seen.gradient / np.where(kept, spread, 1) ** 2)[..., kept]
    moved = np.clip(weight[..., kept] - step, -bound, bound)
    move = np.abs((weight[..., kept] - moved) * spread[kept]).max()
    assert seen.scaled_residual == pytest.approx(move / math.sqrt(unit), rel=1e-9)


@every_loss
@bounded
def test_a_column_without_variance_changes_nothing(example, loss, constraint):
    problem = example("plain", loss)
    bound = bound_for(problem, constraint)
    weight = SETS[constraint].project(random_weight(problem), bound)
    constant = np.column_stack([problem.x, np.full(len(problem.x), 7.0)])
    longer = np.concatenate([weight, np.zeros((*weight.shape[:-1], 1))], axis=-1)
    seen = certifier(problem, constraint).judge(weight, bound)
    beside = Certifier(constant, problem.y, loss, SETS[constraint]).judge(longer, bound)
    assert (beside.gradient[..., -1] == 0).all()
    for name in ("objective", "duality_gap", "scaled_residual", "kkt_residual"):
        assert getattr(beside, name) == pytest.approx(getattr(seen, name), rel=1e-9, abs=1e-14)


def test_a_one_sided_set_has_a_gap_where_every_weight_wants_to_grow():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(50, 4))
    x = np.linalg.qr(x - x.mean(axis=0))[0] * math.sqrt(50)
    best = np.array([0.5, -1.0, 2.0, 0.1])
    y, bound = x @ best, 3.0
    weight = best - 1.0
    seen = Certifier(x, y, "squared", SETS["upper"]).judge(weight, bound)
    # Orthonormal columns: L(θ) = ‖θ − best‖²/2, its gradient θ − best, and the optimum 0.
    np.testing.assert_allclose(seen.gradient, weight - best, atol=1e-12)
    assert seen.objective == pytest.approx(2.0)
    assert seen.duality_gap == pytest.approx(np.sum(bound - weight))
    grown = Certifier(x, y, "squared", SETS["upper"]).judge(best + 0.5, bound)
    assert grown.duality_gap == math.inf


@pytest.mark.parametrize("constraint", ["l1", "l2"])
def test_a_ball_s_multiplier_is_the_gradient_s_dual_norm_at_its_edge_and_zero_inside(
    example, constraint
):
    problem = example("plain", "squared")
    bound = bound_for(problem, constraint, share=0.1)
    judge = certifier(problem, constraint)
    edge = SETS[constraint].project(random_weight(problem), bound)
    seen = judge.judge(edge, bound)
    norm = np.inf if constraint == "l1" else 2
    assert seen.multipliers == pytest.approx(np.linalg.norm(seen.gradient, norm))
    assert judge.judge(0.9 * edge, bound).multipliers == 0.0


def test_a_certificate_holds_for_finite_numbers_alone_and_in_units_of_the_loss(example):
    problem = example("plain", "squared")
    seen = certifier(problem, "box").judge(random_weight(problem), 0.1)
    holds = {  # gap, unit: whether it holds at a tenth of the unit
        (0.01, 0.1): True,
        (0.011, 0.1): False,
        (0.9, 10.0): True,
        (1.1, 10.0): False,
        (0.0, math.inf): False,
        (0.0, math.nan): False,
    }
    for (gap, unit), expected in holds.items():
        assert replace(seen, duality_gap=gap, unit=unit).holds(0.1) is expected
    proved = replace(seen, duality_gap=0.0)
    assert proved.holds(0.1)
    assert not replace(proved, objective=math.inf).holds(0.1)
    assert not replace(proved, gradient=np.array([0.0, math.nan])).holds(0.1)


def test_without_a_gap_a_small_residual_speaks_for_a_convex_set_that_is_not_bounded(example):
    problem = example("plain", "squared")
    bound = bound_for(problem, "upper")
    solution = compression.solve(problem.x, problem.y, "squared", "upper", bound, tolerance=1e-8)
    seen = replace(certifier(problem, "upper").judge(solution.weight, bound), duality_gap=math.inf)
    assert seen.holds(1e-4)
    assert not seen.holds(seen.scaled_residual / 2)
    assert not replace(seen, bounded=True).holds(1e-4)
    assert not replace(seen, convex=False).holds(1e-4)


@every_loss
@pytest.mark.parametrize("constraint", ["box", "l1"])
def test_next_to_the_optimum_the_gap_is_about_what_is_lost(example, monkeypatch, loss, constraint):
    problem = example("plain", loss)
    bound = bound_for(problem, constraint, share=0.5)
    solution = compression.solve(problem.x, problem.y, loss, constraint, bound, tolerance=1e-10)
    judge = certifier(problem, constraint)
    best = judge.judge(solution.weight, bound)
    held = SETS[constraint].find_pinned(solution.weight, bound, 1e-9)
    assert not held.all()
    noise = np.where(held, 0.0, 2e-4 * random_weight(problem, seed=1))
    near = solution.weight + noise
    size = SETS[constraint].gauge
    near *= size(solution.weight) / size(near)  # along the edge: little is lost, of second order
    seen = judge.judge(near, bound)
    lost = seen.objective - best.objective
    assert lost > 1e-9 * judge.unit
    slack = 1e-9 * judge.unit
    assert lost - slack <= seen.duality_gap <= 2 * lost + slack
    # Without a Newton step the tangent alone is left: still a bound, and a loose one.
    monkeypatch.setattr(certificate, "LARGEST_HESSIAN", 0)
    rough = certifier(problem, constraint).judge(near, bound).duality_gap
    assert rough > 5 * seen.duality_gap


def test_without_a_bound_the_gap_is_about_what_is_lost(example, monkeypatch):
    problem = example("plain", "softmax")
    free = compression.solve(problem.x, problem.y, "softmax", "box", math.inf, tolerance=1e-12)
    judge = certifier(problem, "box")
    best = judge.judge(free.weight, math.inf)
    near = free.weight + 1e-4 * random_weight(problem, seed=1)
    seen = judge.judge(near, math.inf)
    lost = seen.objective - best.objective
    assert lost > 1e-11
    assert lost <= seen.duality_gap <= 2 * lost
    monkeypatch.setattr(certificate, "LARGEST_HESSIAN", 0)
    assert certifier(problem, "box").judge(near, math.inf).duality_gap > 0.5 * judge.unit


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("seed", [5, 93, 130])
def test_far_out_where_every_probability_is_0_or_1_the_loss_is_a_number(seed):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 4, 8)
    y[:4] = np.arange(4)
    weight = np.round(rng.normal(size=(4, 8)) * 10 ** rng.uniform(1, 4))  # a column a sample
    judge = Certifier(np.eye(8), y, "softmax", SETS["l2"])
    found = judge.judge(weight, float(np.linalg.norm(weight)), np.zeros(4))
    assert math.isfinite(found.objective)
    assert np.isfinite(found.intercept).all()
    assert found.duality_gap > 0


def test_a_softmax_model_is_judged_by_its_shift_of_least_l1_norm():
    """Probabilities stay as they are when all classes' weights of a feature move alike.

    Without the shift the gap of this point, next to the optimum, is a hundred times as large.
    """
    iris = data.load("iris", seed=0)
    x, bound = np.asarray(iris.x_train, float), 100.0
    best = compression.solve(x, iris.y_train, "softmax", "l1", bound, tolerance=1e-10).weight
    near = best + 1e-5 * np.random.default_rng(0).standard_normal(best.shape) * (best != 0)
    near *= bound / np.abs(near).sum()
    judge = Certifier(x, np.asarray(iris.y_train), "softmax", SETS["l1"])
    assert judge.judge(near, bound).duality_gap < 2e-3


def test_a_column_twice_is_flat_without_a_bound_and_the_gap_is_about_what_is_lost(example):
    problem = example("plain", "softmax")
    twice = np.column_stack([problem.x, problem.x[:, :2]])
    free = compression.solve(problem.x, problem.y, "softmax", "box", math.inf, tolerance=1e-12)
    judge = Certifier(twice, problem.y, "softmax", SETS["box"])
    best = np.column_stack([free.weight, np.zeros_like(free.weight[:, :2])])
    near = best.copy()
    near[:, -2:] += 1e-4 * random_weight(problem, seed=1)[:, :2]
    lost = judge.judge(near, math.inf).objective - judge.judge(best, math.inf).objective
    assert lost > 1e-11
    assert lost <= judge.judge(near, math.inf).duality_gap <= 2 * lost


@every_kind
@convex
def test_many_tangents_are_each_the_one_at_its_own_weight(example, monkeypatch, kind, constraint):
    problem = example(kind, "squared")
    weights = np.array([random_weight(problem, seed) for seed in range(7)])
    weights[3] = 0
    bounds = np.array([SETS[constraint].gauge(weight) for weight in weights]) * 1.5
    x, y = problem.x, problem.y
    kept = x.std(axis=0) > 1e-9 * np.abs(x).max(axis=0)
    expected = []
    for weight, bound in zip(weights, bounds, strict=True):
        residual = x @ weight - y
        gradient = np.where(kept, (residual - residual.mean()) @ (x - x.mean(axis=0)) / len(y), 0)
        if constraint == "upper":
            reach = bound * -gradient.sum() if (gradient <= 0).all() else math.inf
        else:
            norm = {"box": 1, "l1": math.inf, "l2": 2}[constraint]
            reach = bound * np.linalg.norm(gradient, norm)
        expected.append(max(0.0, gradient @ weight + reach))
    judge = certifier(problem, constraint)
    gaps = judge.tangent_gaps(weights, bounds)
    np.testing.assert_allclose(gaps, expected, rtol=1e-9, atol=1e-9 * judge.unit)
    monkeypatch.setattr(certificate, "CELLS", 2 * len(y))  # two weights at once, and one at last
    np.testing.assert_allclose(judge.tangent_gaps(weights, bounds), gaps, rtol=1e-12)


def test_a_target_without_variance_is_met_by_no_weight_at_all(example):
    problem = example("plain", "squared")
    judge = Certifier(problem.x, np.full(len(problem.y), 3.0), "squared", SETS["box"])
    seen = judge.judge(np.zeros(problem.x.shape[1]), 1.0)
    assert seen.unit == 0
    assert seen.scaled_residual == 0
    assert seen.duality_gap == 0
    assert judge.judge(np.ones(problem.x.shape[1]), 1.0).scaled_residual == math.inf


@pytest.mark.parametrize("height", [1.0, 30.0])
def test_without_convexity_the_least_loss_of_all_weights_is_a_bound_next_to_it(example, height):
    problem = example("plain", "squared")
    problem = replace(problem, y=height * problem.y)
    judge = certifier(problem, "cardinality")
    centred, target = problem.x - problem.x.mean(axis=0), problem.y - problem.y.mean()
    best = np.linalg.lstsq(centred, target, rcond=None)[0]
    least = 0.5 * np.mean((target - centred @ best) ** 2)
    assert least > 0.01 * judge.unit
    size = np.linalg.norm(centred @ best) / math.sqrt(len(target))
    for share, known in [(0.0, True), (0.02, True), (0.2, False)]:
        # Its loss lies above the least by half the square of the share of the predictions' size.
        seen = judge.judge((1 - share) * best, 5)
        lost = (share * size) ** 2 / 2
        assert (lost <= 1e-3 * judge.unit) == known
        gap = pytest.approx(lost, abs=1e-12 * judge.unit) if known else math.inf
        assert seen.duality_gap == gap
    assert not seen.convex
    assert seen.bounded
