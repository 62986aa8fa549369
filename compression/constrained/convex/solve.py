"""One constrained fit: any loss, set and solver, judged by the certificate."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...argument_checks import check_arguments
from ...catalog import CONSTRAINTS, SOLVERS, find
from ...errors import ArgumentError, NotApplicableError
from ...threads import in_one_thread
from ..sets import ConstraintSet, check_bound
from .certificate import Certificate, Certifier
from .losses import Loss, SquaredLoss, check_data, prepare
from .problem import Problem, Solver
from .solvers.projected_newton import ProjectedNewton
from .solvers.quasi_newton import QuasiNewton
from .subset_search import best_subset

Array = NDArray[np.floating]

# A weight this close to its bound, relative to it, counts as pinned.
TOUCHING = 1e-6
# Up to this many coordinates a Hessian is formed.
DENSE = 2500


@dataclass(frozen=True, eq=False)
class Trajectory:
    """What the judge saw, one entry a judged iterate (the first ones all, later ones thinned).

    Attributes
    ----------
    iteration : ndarray of int, shape (t,)
        0 is the start.
    seconds : ndarray, shape (t,)
        The solver's own time; judging is not counted.
    objective, duality_gap, kkt_residual : ndarray, shape (t,)
        As in ``Solution``, of the iterate projected onto the set.
    weight : ndarray, shape (t, n) or (t, classes, n)
    """

    iteration: NDArray[np.int64]
    seconds: Array
    objective: Array
    duality_gap: Array
    kkt_residual: Array
    weight: Array


@dataclass(frozen=True, eq=False)
class Solution:
    """The best point that a solver handed over, and what the certificate says of it.

    Attributes
    ----------
    weight : ndarray, shape (n,) or (classes, n)
        In the units of the data; satisfies the constraint.
    intercept : float or ndarray, shape (classes,)
        Optimal for that weight.
    objective : float
        The loss there.
    duality_gap : float
        The objective is at most this far above the optimum; inf where nothing is known.
    kkt_residual : float
    multipliers : ndarray, float or None
        Price of the bound: loss per unit of slack. Of the weight's shape for box and upper,
        one number for the balls, None for cardinality.
    pinned : ndarray of bool
        The weights at ±c (box, upper) or at zero (l1, cardinality); none for l2.
    inactive : bool
        The bound costs nothing: this is an unconstrained solution.
    iterations : int
    seconds : float
        The solver's own.
    status : str
        "certified", or why not, with the gap reached.
    trajectory : Trajectory
    swap_optimal : bool
        Weights are counted, and no exchange of one for another lowers the loss.
    """

    weight: Array
    intercept: Array | float
    objective: float
    duality_gap: float
    kkt_residual: float
    multipliers: Array | float | None
    pinned: NDArray[np.bool_]
    inactive: bool
    iterations: int
    seconds: float
    status: str
    trajectory: Trajectory
    swap_optimal: bool = False

    @property
    def certified(self) -> bool:
        return self.status == "certified"


class IterateJudge:
    """A solver's callback: times it, judges its iterates, keeps the best, says whether to go on.

    ``keeps_track``: whether a trajectory is wanted, which asks more of every certificate.
    """

    def __init__(
        self,
        problem: Problem,
        certifier: Certifier,
        tolerance: float,
        max_iterations: int = 20_000,
        max_seconds: float = 60.0,
        keeps_track: bool = True,
    ) -> None:
        self.problem, self.certifier, self.tolerance = problem, certifier, tolerance
        self.keeps_track = keeps_track
        self.max_iterations, self.max_seconds = max_iterations, max_seconds
        self.iterations, self.seconds = 0, 0.0
        self.rows: list[tuple[int, float, float, float, float, Array]] = []
        self.best: tuple[Array, Certificate] | None = None
        self.good_since: int | None = None
        self.limit, self.swap_optimal = "", False
        self.aim = tolerance
        self._next = 1
        self._unjudged: Array | None = None
        start = self._judge(problem.start())
        # With a tiny bound the zero model itself is within any tolerance: aim for a share of the
        # largest gain that the bound allows.
        reach = start.duality_gap if np.isfinite(start.duality_gap) else start.unit
        self.aim *= min(1.0, reach / start.unit) if start.unit else 1.0
        self.started = time.perf_counter()

    def __call__(self, point: Array) -> bool:
        self.seconds += time.perf_counter() - self.started
        self.iterations += 1
        go_on = True
        if self.iterations >= self._next:
            self._next = max(self.iterations + 1, int(self.iterations * 1.1))
            certificate = self._judge(point)
            go_on = not certificate.holds(self.aim)
            if self.good_since is None and certificate.holds(self.tolerance):
                self.good_since = self.iterations
            if self.good_since is not None and self.iterations > 2 * self.good_since + 100:
                go_on = False
        else:
            self._unjudged = point.copy()
        if self.iterations >= self.max_iterations:
            self.limit, go_on = f"{self.iterations} iterations", False
        elif self.seconds >= self.max_seconds:
            self.limit, go_on = f"{self.seconds:.0f} s", False
        self.started = time.perf_counter()
        return go_on

    @property
    def left(self) -> float:
        """Seconds that the solver may still take."""
        return self.max_seconds - self.seconds - (time.perf_counter() - self.started)

    def finish(self) -> None:
        """The final certificate, after a solver has stopped."""
        if not self.limit and self.left <= 0:
            self.limit = f"{self.max_seconds:.0f} s"
        if self._unjudged is not None:
            self._judge(self._unjudged)
        assert self.best is not None
        weight, certificate = self.best
        if not certificate.holds(self.tolerance):
            guess = certificate.intercept if isinstance(certificate.intercept, np.ndarray) else None
            bound, aim = self.problem.bound, self.tolerance
            self.best = weight, self.certifier.judge(weight, bound, guess, aim)

    def _judge(self, point: Array) -> Certificate:
        self._unjudged = None
        problem = self.problem
        weight, intercept = problem.loss.to_model(problem.project(point))
        weight = problem.constraint.project(weight, problem.bound)
        guess = intercept if isinstance(intercept, np.ndarray) else None
        certificate = self.certifier.judge(weight, problem.bound, guess, self.aim, quick=True)
        if self.keeps_track:
            self.rows.append(
                (
                    self.iterations,
                    self.seconds,
                    certificate.objective,
                    certificate.duality_gap,
                    certificate.kkt_residual,
                    weight,
                )
            )
        if self.best is None or self._is_better(certificate, self.best[1]):
            self.best = weight, certificate
        return certificate

    def _is_better(self, one: Certificate, other: Certificate) -> bool:
        # Prefer a certified point, then a smaller objective, then a smaller residual.
        first, second = self._make_sort_key(one), self._make_sort_key(other)
        return first < second or (first == second and one.kkt_residual < other.kkt_residual)

    def _make_sort_key(self, certificate: Certificate) -> tuple[bool, bool, float]:
        objective = certificate.objective / max(certificate.unit, 1e-300)
        holds, aimed = certificate.holds(self.tolerance), certificate.holds(self.aim)
        return not holds, not aimed, round(objective, 13)


@check_arguments
@in_one_thread
def solve(
    x: Array,
    y: NDArray[Any],
    loss: str = "squared",
    constraint: str = "box",
    bound: float = 0.5,
    solver: str = "cvxpy",
    tolerance: float = 1e-6,
    max_iterations: int = 20_000,
    max_seconds: float = 60.0,
) -> Solution:
    """Fit a linear or softmax model whose weights are held in a set.

    Solves  min L(θ, b)  subject to  θ ∈ C(c);  the intercept b is free. L is ½ mean squared
    error or the mean cross-entropy.

    Parameters
    ----------
    x : ndarray, shape (N, n)
    y : ndarray, shape (N,)
        Numbers ("squared"), or classes 0, 1, 2, ... ("softmax").
    loss : str
        "squared" or "softmax".
    constraint : str
        A name of ``compression.CONSTRAINTS``.
    bound : float
        c >= 0, in the units of the weights; for "cardinality" the count κ.
    solver : str
        A name of ``compression.SOLVERS``.
    tolerance : float
        Largest duality gap (for "upper" KKT residual) of a certified solution, relative to the
        loss of the zero model (softmax: to 1 nat, if that is less).
    max_iterations, max_seconds : int, float
        Limits of the solver; at a limit the solution says so in its status. Seconds bind between
        two iterations, also inside a cone solver.

    Returns
    -------
    Solution

    Raises
    ------
    ArgumentError
        An argument cannot be used; the message says what would do.
    NotApplicableError
        This solver cannot work on this set or loss; the message says why.
    """
    x, y = check_data(x, y, loss)
    members: ConstraintSet = find(CONSTRAINTS, constraint, "constraint set").load()()
    method: Solver = find(SOLVERS, solver, "solver").load()()
    bound = check_bound(bound)
    if not 0 < tolerance < 1:
        raise ArgumentError(f"tolerance {tolerance} is not possible: choose one between 0 and 1")
    reason = method.applies(loss, members)
    if reason is not None:
        raise NotApplicableError(f"{solver} does not fit {constraint} with {loss} loss: {reason}")
    prepared = prepare(x, y, loss)
    certifier = Certifier(x, y, loss, members)
    problem = Problem(prepared, members, bound)
    free = solve_unconstrained(prepared, members, bound)
    if free is not None:
        judge = IterateJudge(problem, certifier, tolerance)
        judge(free)
        judge.finish()
        solution = settle(judge, inactive=True)
        if solution.certified:
            return solution
    for module in getattr(method, "requires", ()):
        import_module(module)  # import it before the clock starts
    judge = IterateJudge(problem, certifier, tolerance, max_iterations, max_seconds)
    method.run(problem, judge, problem.start())
    search_subsets(problem, judge)
    judge.finish()
    return settle(judge)


def search_subsets(
    problem: Problem, judge: IterateJudge, go_on: Callable[[], bool] = lambda: True
) -> None:
    """Swap the solver's weights for others while the loss falls, where a set counts weights.

    For least squares only, where what a swap wins is known without a fit. ``go_on`` is called
    before every swap, and ends the search by returning False.
    """
    if problem.constraint.counts and isinstance(problem.loss, SquaredLoss):
        assert judge.best is not None
        start = problem.loss.from_model(judge.best[0])
        count = int(min(problem.bound, start.size))
        point, judge.swap_optimal = best_subset(problem.loss, count, start, go_on)
        judge(point)


def settle(judge: IterateJudge, inactive: bool = False) -> Solution:
    """The judge's best point as a solution, with a status that claims no more than is certified."""
    assert judge.best is not None
    weight, certificate = judge.best
    problem = judge.problem
    if problem.constraint.convex:
        free = problem.constraint.gauge(weight) < problem.bound * (1 - TOUCHING)
        inactive = inactive or (free and certificate.holds(judge.tolerance))
    columns = zip(*judge.rows, strict=True) if judge.rows else [()] * 6
    iteration, seconds, objective, gap, residual, weights = columns
    return Solution(
        weight=weight,
        intercept=certificate.intercept,
        objective=certificate.objective,
        duality_gap=certificate.duality_gap,
        kkt_residual=certificate.kkt_residual,
        multipliers=certificate.multipliers,
        pinned=problem.constraint.find_pinned(weight, problem.bound, TOUCHING),
        inactive=inactive,
        iterations=judge.iterations,
        seconds=judge.seconds,
        status=_describe_status(judge, certificate),
        trajectory=Trajectory(
            np.array(iteration),
            np.array(seconds),
            np.array(objective),
            np.array(gap),
            np.array(residual),
            np.array(weights),
        ),
        swap_optimal=judge.swap_optimal,
    )


def _describe_status(judge: IterateJudge, certificate: Certificate) -> str:
    if certificate.holds(judge.tolerance):
        return "certified"
    end = f"stopped at {judge.limit}" if judge.limit else "the solver stopped by itself"
    if judge.swap_optimal:
        return "not certified: the set is not convex; no swap of one weight for another is better"
    if not certificate.convex:
        return (
            "not certified: the set is not convex; "
            f"residual of the fixed point {certificate.kkt_residual:.1e}, {end}"
        )
    if not certificate.bounded:
        return f"not certified: KKT residual {certificate.scaled_residual:.1e} reached, {end}"
    return f"not certified: gap {certificate.duality_gap:.1e} reached, {end}"


def solve_unconstrained(
    loss: Loss,
    constraint: ConstraintSet,
    bound: float,
    floor: float = 1e-8,
    go_on: Callable[[], bool] = lambda: True,
) -> Array | None:
    """A minimum of the loss over all weights if there is one in C(c), else None.

    Classes that can be told apart without error have no minimum: a loss below the floor will do.

    For softmax the search is given up as soon as it leaves the set: then the bound is active,
    or close to it, and a solver is the better way. ``go_on`` is called at every step of that
    search, and ends it by returning False: what comes back then is no answer.
    """
    if isinstance(loss, SquaredLoss):
        point = np.linalg.lstsq(loss.gram, loss.correlation, rcond=1e-13)[0]
        return move_inside(loss, constraint, bound, point)
    point, inside, steps = np.zeros(loss.shape), True, 0

    def callback(candidate: Array) -> bool:
        nonlocal point, inside, steps
        if not go_on():
            return False
        point, steps = candidate, steps + 1
        inside = move_inside(loss, constraint, bound, point) is not None
        value, gradient = loss.value_and_gradient(point)
        done = np.abs(gradient).max() <= 1e-13 or value <= floor or steps >= 500
        return inside and not done

    free = Problem(loss, _WholeSpace(), np.inf)
    method: Solver = ProjectedNewton() if np.prod(loss.shape) <= DENSE else QuasiNewton()
    method.run(free, callback, free.start())
    return move_inside(loss, constraint, bound, point)


def move_inside(loss: Loss, constraint: ConstraintSet, bound: float, point: Array) -> Array | None:
    """A point of the same loss whose weights lie in C(c), or None.

    Softmax does not change when the same number is added to a feature's weights in all classes:
    a bound from one side only never costs it anything.
    """
    weight, intercept = loss.to_model(point)
    if loss.name == "softmax" and not constraint.bounded:
        inside = weight - np.maximum(0.0, weight.max(axis=0) - bound)
        return loss.from_model(inside, intercept)
    return point if constraint.gauge(weight) <= bound else None


@dataclass(frozen=True)
class _WholeSpace(ConstraintSet):
    """No constraint at all."""

    name = "none"
    elementwise = True
