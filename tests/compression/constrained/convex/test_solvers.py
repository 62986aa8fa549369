from types import SimpleNamespace

import numpy as np
import pytest
from scipy.special import softmax

import compression
from compression.constrained.convex import solve as solving
from compression.constrained.convex.losses import prepare
from compression.constrained.convex.path import default_bounds
from compression.constrained.convex.problem import Problem
from compression.errors import ArgumentError, NotApplicableError

CONVEX = [name for name, entry in compression.CONSTRAINTS.items() if entry.load()().convex]
KINDS = ("plain", "everything", "separable")  # everything: scaled, and columns twice
PAIRS = [
    (solver, constraint, loss)
    for solver in compression.SOLVERS
    for constraint in compression.CONSTRAINTS
    for loss in ("squared", "softmax")
]


def applies(solver, constraint, loss):
    members = compression.CONSTRAINTS[constraint].load()()
    return compression.SOLVERS[solver].load()().applies(loss, members) is None


def largest_bound(example, constraint):
    """Where the bound costs nothing, or, for separable classes, next to nothing."""
    loss = prepare(example.x, example.y, example.loss)
    return default_bounds(loss, compression.CONSTRAINTS[constraint].load()())[-1]


@pytest.mark.parametrize(
    ("solver", "constraint", "loss"),
    [pair for pair in PAIRS if applies(*pair) and pair[1] in CONVEX],
)
@pytest.mark.parametrize("kind", KINDS)
def test_every_solver_ends_at_the_optimum_of_the_referee(
    example, referee, kind, solver, constraint, loss
):
    if kind == "separable" and loss == "squared":
        pytest.skip("numbers are not classes")
    problem = example(kind, loss)
    largest = largest_bound(problem, constraint)
    zero = prepare(problem.x, problem.y, loss).zero
    unit = min(1.0, zero)
    tolerated = 1e-6 * (zero if loss == "squared" else unit)
    for share in (1e-6, 0.3, 0.9, 3.0):
        bound = share * largest
        solution = compression.solve(problem.x, problem.y, loss, constraint, bound, solver)
        best = referee(problem, constraint, bound)
        assert solution.objective <= best + 1e-4 * unit
        assert solution.objective >= best - 1e-4 * unit
        assert solution.duality_gap >= solution.objective - best - 1e-5 * unit
        # What it says of itself is no more than is known.
        members = compression.CONSTRAINTS[constraint].load()()
        assert members.violation(solution.weight, bound) <= 1e-12 * bound
        if solution.certified:
            assert solution.duality_gap <= tolerated or constraint == "upper"
        else:
            assert solution.status.startswith("not certified")
            assert f"{solution.duality_gap:.1e}" in solution.status
        if share == 3.0 and kind != "separable":
            assert solution.inactive
            assert solution.certified
        if share == 0.3 and constraint in ("box", "l1", "l2") and kind == "plain":
            assert not solution.inactive


@pytest.mark.parametrize(
    ("solver", "constraint", "loss"), [pair for pair in PAIRS if not applies(*pair)]
)
def test_a_pair_that_cannot_work_says_why_before_it_runs(
    example, monkeypatch, solver, constraint, loss
):
    implementation = compression.SOLVERS[solver].load()
    monkeypatch.setattr(implementation, "run", lambda *_: pytest.fail("it ran"))
    problem = example("plain", loss)
    with pytest.raises(NotApplicableError, match=f"{solver} does not fit {constraint}.*choose"):
        compression.solve(problem.x, problem.y, loss, constraint, 1.0, solver)


@pytest.mark.parametrize("loss", ["squared", "softmax"])
def test_projected_gradient_on_a_cardinality_ends_where_it_would_stay_and_claims_no_more(
    example, loss
):
    problem = example("plain", loss)
    solution = compression.solve(
        problem.x, problem.y, loss, "cardinality", 3, "accelerated_projected_gradient"
    )
    assert np.count_nonzero(solution.weight) <= 3
    assert not solution.certified
    assert "not convex" in solution.status
    assert solution.multipliers is None
    objective = solution.trajectory.objective
    assert objective[-1] <= objective[0]
    again = solving.Certifier(
        problem.x, problem.y, loss, compression.CONSTRAINTS["cardinality"].load()()
    ).judge(solution.weight, 3)
    # With its support fixed it is the best there is.
    kept = solution.weight != 0
    assert np.abs(again.gradient[kept]).max() <= 1e-5


@pytest.mark.parametrize("loss", ["squared", "softmax"])
@pytest.mark.parametrize(
    ("solver", "constraint"),
    [(solver, constraint) for solver, constraint, loss in PAIRS if loss == "squared"
     and applies(solver, constraint, loss) and constraint in CONVEX],
)  # fmt: skip
def test_beyond_the_unconstrained_norm_the_bound_is_inactive_and_the_solution_says_so(
    example, solver, constraint, loss
):
    problem = example("plain", loss)
    bound = 1.5 * largest_bound(problem, constraint)
    solution = compression.solve(problem.x, problem.y, loss, constraint, bound, solver)
    assert solution.inactive
    assert solution.certified
    assert not solution.pinned.any()
    assert np.abs(solution.multipliers).max() <= 1e-6
    if loss == "squared":
        design = np.column_stack([problem.x, np.ones(len(problem.y))])
        best = np.linalg.lstsq(design, problem.y, rcond=None)[0]
        np.testing.assert_allclose(solution.weight, best[:-1], atol=1e-6)
        assert solution.intercept == pytest.approx(best[-1], abs=1e-6)
    else:
        logits = problem.x @ solution.weight.T + solution.intercept
        rest = softmax(logits, axis=1) - np.eye(3)[problem.y]
        assert np.abs(rest.T @ problem.x).max() / len(problem.y) <= 1e-5


@pytest.mark.parametrize("loss", ["squared", "softmax"])
@pytest.mark.parametrize("constraint", ["box", "upper", "l1"])
def test_the_pinned_weights_are_those_at_the_bound_or_at_zero(example, loss, constraint):
    problem = example("plain", loss)
    bound = 0.2 * largest_bound(problem, constraint)
    solver = "face_newton" if constraint == "l1" else "projected_newton"
    solution = compression.solve(problem.x, problem.y, loss, constraint, bound, solver)
    assert solution.iterations > 0
    assert solution.seconds > 0
    expected = {
        "box": np.abs(solution.weight) == bound,
        # Softmax's are moved under the bound, to its rounding.
        "upper": np.isclose(solution.weight, bound, rtol=1e-14, atol=0),
        "l1": solution.weight == 0,
    }[constraint]
    np.testing.assert_array_equal(solution.pinned, expected)
    assert solution.pinned.any()
    assert not solution.pinned.all()


def with_solver(monkeypatch, run):
    """Put a solver with this ``run`` in the catalogue."""
    mutant = type("Mutant", (), {"applies": lambda *_: None, "run": run})
    monkeypatch.setattr(solving, "SOLVERS", {"mutant": SimpleNamespace(load=lambda: mutant)})


def uphill(self, problem, callback, start):
    """A sign gone wrong."""
    point = start
    for _ in range(50):
        step = problem.loss.gradient(point) / problem.loss.lipschitz
        point = problem.project(point + step)
        callback(point)


def half_uphill(self, problem, callback, start):
    """A sign gone wrong for one coordinate only."""
    point = start
    for _ in range(500):
        gradient = problem.loss.gradient(point)
        gradient.flat[0] *= -1
        point = problem.project(point - gradient / problem.loss.lipschitz)
        callback(point)


def drop_constraint(self, problem, callback, start):
    """The constraint dropped."""
    point = start
    for _ in range(500):
        point = point - problem.loss.gradient(point) / problem.loss.lipschitz
        callback(point)


def half_bounded(self, problem, callback, start):
    """The constraint dropped for one coordinate."""
    point = start
    for _ in range(500):
        step = point - problem.loss.gradient(point) / problem.loss.lipschitz
        point = problem.project(step)
        point.flat[0] = step.flat[0]
        callback(point)


def idle(self, problem, callback, start):
    callback(start)


@pytest.mark.parametrize("run", [uphill, half_uphill, drop_constraint, half_bounded, idle])
@pytest.mark.parametrize("constraint", CONVEX)
@pytest.mark.parametrize("loss", ["squared", "softmax"])
def test_a_broken_solver_is_caught(example, referee, monkeypatch, loss, constraint, run):
    problem = example("plain", loss)
    bound = 0.1 * largest_bound(problem, constraint)
    if (loss, constraint) == ("softmax", "upper"):
        monkeypatch.setattr(solving, "solve_unconstrained", lambda *_: None)
    with_solver(monkeypatch, run)
    solution = compression.solve(problem.x, problem.y, loss, constraint, bound, "mutant")
    best = referee(problem, constraint, bound)
    members = compression.CONSTRAINTS[constraint].load()()
    assert members.violation(solution.weight, bound) <= 1e-12 * bound
    assert solution.objective >= best - 1e-6
    if solution.objective > best + 1e-5:
        assert not solution.certified
    elif run in (uphill, idle):
        pytest.fail("this mutant cannot have found the optimum")


@pytest.mark.parametrize("loss", ["squared", "softmax"])
@pytest.mark.parametrize("limit", [{"max_iterations": 3}, {"max_seconds": 0.0}])
def test_a_limit_reached_is_said_with_the_gap(example, referee, loss, limit):
    problem = example("scaled", loss)
    bound = 0.3 * largest_bound(problem, "l1")
    solution = compression.solve(
        problem.x, problem.y, loss, "l1", bound, "hamiltonian_descent", **limit
    )
    assert not solution.certified
    assert "stopped at" in solution.status
    assert f"gap {solution.duality_gap:.1e}" in solution.status
    best = referee(problem, "l1", bound)
    assert solution.duality_gap >= solution.objective - best
    assert solution.iterations <= 3


@pytest.mark.parametrize("limit", [0.0, 1.0])
@pytest.mark.parametrize("constraint", ["box", "l1"])
def test_a_cone_solver_stops_at_its_limit_and_says_what_it_reached(constraint, limit):
    # A cone programme of minutes: 8,000 exponential cones.
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(1000, 40)), rng.permutation(np.arange(1000) % 8)
    arguments = (x, y, "softmax", constraint, {"box": 0.05, "l1": 3.0}[constraint])
    solution = compression.solve(*arguments, "cvxpy", max_seconds=limit)
    best = compression.solve(*arguments, "accelerated_projected_gradient")
    assert best.certified
    assert not solution.certified
    assert "stopped at" in solution.status
    assert f"gap {solution.duality_gap:.1e}" in solution.status
    assert solution.objective >= best.objective - best.duality_gap
    assert solution.duality_gap >= solution.objective - best.objective
    members = compression.CONSTRAINTS[constraint].load()()
    assert members.violation(solution.weight, arguments[-1]) <= 1e-12 * arguments[-1]


@pytest.mark.parametrize("solver", compression.SOLVERS)
def test_the_trajectory_tells_of_the_way_from_the_zero_model_to_the_solution(example, solver):
    problem = example("plain", "softmax")
    constraint = "l1" if solver == "face_newton" else "box"
    bound = 0.1 * largest_bound(problem, constraint)
    solution = compression.solve(problem.x, problem.y, "softmax", constraint, bound, solver)
    way = solution.trajectory
    lengths = {
        len(column)
        for column in (
            way.iteration,
            way.seconds,
            way.objective,
            way.duality_gap,
            way.kkt_residual,
            way.weight,
        )
    }
    assert lengths == {len(way.iteration)}
    assert way.iteration[0] == 0
    assert way.objective[0] == pytest.approx(
        -np.log(np.bincount(problem.y) / 60) @ np.bincount(problem.y) / 60
    )
    assert (np.diff(way.iteration) > 0).all()
    assert (np.diff(way.seconds) >= 0).all()
    assert way.objective[-1] == pytest.approx(solution.objective)
    assert solution.iterations == way.iteration[-1]


def test_the_optimal_loss_falls_as_the_bound_grows(example):
    for loss in ("squared", "softmax"):
        problem = example("plain", loss)
        for constraint, solver in (("box", "projected_newton"), ("l1", "face_newton")):
            bounds = np.geomspace(1e-3, 2, 12) * largest_bound(problem, constraint)
            found = [
                compression.solve(problem.x, problem.y, loss, constraint, bound, solver).objective
                for bound in bounds
            ]
            assert (np.diff(found) <= 1e-6).all()


@pytest.mark.parametrize(
    ("wrong", "advice"),
    [
        ({"constraint": "ball"}, "box, upper, l1"),
        ({"solver": "adam"}, "coordinate_descent"),
        ({"loss": "hinge"}, "squared, softmax"),
        ({"bound": -1.0}, "0 or more"),
        ({"tolerance": 0.0}, "between 0 and 1"),
    ],
)
def test_a_wrong_argument_is_answered_with_the_possible_ones(example, wrong, advice):
    problem = example("plain", "squared")
    with pytest.raises(ArgumentError, match=advice):
        compression.solve(problem.x, problem.y, **wrong)


@pytest.mark.parametrize("solver", compression.SOLVERS)
def test_without_anything_to_learn_from_the_zero_model_is_the_optimum(solver):
    constraint = "l1" if solver == "face_newton" else "box"
    constant = np.full((5, 2), 3.0)
    for x, y in ((constant, np.arange(5.0)), (np.arange(10.0).reshape(5, 2), np.full(5, 2.0))):
        solution = compression.solve(x, y, "squared", constraint, 1.0, solver)
        assert solution.certified
        assert (solution.weight == 0).all()
        assert solution.intercept == pytest.approx(y.mean())


@pytest.mark.parametrize("calls", [1, 2])
@pytest.mark.parametrize("solver", compression.SOLVERS)
def test_a_solver_goes_on_while_its_callback_returns_true(example, solver, calls):
    data = example("plain", "softmax")
    name = next(name for name in CONVEX if applies(solver, name, "softmax"))
    members = compression.CONSTRAINTS[name].load()()
    bound = 0.1 * largest_bound(data, name)
    problem = Problem(prepare(data.x, data.y, "softmax"), members, bound)
    seen = []

    def callback(point):
        seen.append(point)
        return len(seen) < calls

    compression.SOLVERS[solver].load()().run(problem, callback, problem.start())
    assert len(seen) == calls
