"""All bounds at once: how the constrained model moves as c grows."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...argument_checks import check_arguments
from ...catalog import CONSTRAINTS, find
from ...errors import ArgumentError, CancelledError
from ...report import Report, keep_going
from ...shared_work import compute_once
from ...threads import in_one_thread
from ..sets import ConstraintSet, check_bound
from .active_set_newton import ActiveSetNewton
from .certificate import Certificate, Certifier
from .exact_path import ExactPath, follow, interpolate_rows
from .losses import Loss, SoftmaxLoss, SquaredLoss, check_data, prepare
from .problem import Problem, Solver
from .solve import (
    DENSE,
    TOUCHING,
    IterateJudge,
    move_inside,
    search_subsets,
    solve_unconstrained,
)
from .solvers.accelerated_projected_gradient import AcceleratedProjectedGradient
from .solvers.face_newton import FaceNewton
from .solvers.projected_newton import ProjectedNewton

Array = NDArray[np.floating]

# Largest duality gap on a grid, relative to the loss of the zero model.
GRID_TOLERANCE = 1e-4
# Steps for each bound where no certificate says when to stop.
UNCERTIFIED_STEPS = 300
# A bound may take the judge's limit of seconds for so many inputs; in proportion for more.
WITHIN_LIMIT = 4_000_000
# Bounds times inputs of two classes that are solved before the next certificates.
CELLS = 2**22


@dataclass(frozen=True, eq=False)
class GridPath:
    """Constrained models on a grid of bounds, each judged.

    Attributes
    ----------
    bounds : ndarray, shape (b,)
        Ascending.
    weights : ndarray, shape (b, n) or (b, classes, n)
    intercepts : ndarray, shape (b,) or (b, classes)
    objectives, duality_gaps : ndarray, shape (b,)
    certified : ndarray of bool, shape (b,)
        Whether the gap (upper: the KKT residual) is at most 1e-4 of the zero model's loss.
    swap_optimal : ndarray of bool, shape (b,)
        Weights are counted, and no exchange of one for another lowers the loss.
    """

    bounds: Array
    weights: Array
    intercepts: Array
    objectives: Array
    duality_gaps: Array
    certified: NDArray[np.bool_]
    swap_optimal: NDArray[np.bool_]
    certifier: Certifier = field(repr=False)

    def at(self, bound: float) -> Array:
        """Weight at a bound: of the grid exactly, between two of them interpolated.

        What lies between two points of a convex set that grows with c lies in the set; it is
        near the optimum there, not certified. Below the grid the smallest bound's weight shrinks
        in proportion, above it the largest one's stays. Without convexity (cardinality) the next
        smaller bound's weight serves, below the grid the smallest one's projection.
        """
        bound, constraint = check_bound(bound), self.certifier.constraint
        if constraint.convex:
            weight = interpolate_rows(self.bounds, self.weights, bound)
        else:
            weight = self.weights[self._find_row_below(bound)]
        return constraint.project(weight, bound)

    def intercept_at(self, bound: float) -> Array:
        """Intercept at a bound, in the same way; below the grid that of the smallest bound."""
        bound = max(check_bound(bound), float(self.bounds[0]))
        if self.certifier.constraint.convex:
            return interpolate_rows(self.bounds, self.intercepts, bound)
        return np.asarray(self.intercepts[self._find_row_below(bound)])

    def pinned_at(self, bound: float) -> NDArray[np.bool_]:
        """Which weights are held at a bound: at ±c (box, upper) or at zero (l1, cardinality)."""
        return self.certifier.constraint.find_pinned(self.at(bound), check_bound(bound), TOUCHING)

    def certificate_at(self, bound: float) -> Certificate:
        """The certificate of the weight at a bound: loss, gap, multipliers."""
        guess = np.asarray(self.intercept_at(bound))
        return self.certifier.judge(self.at(bound), check_bound(bound), guess)

    def _find_row_below(self, bound: float) -> int:
        return max(int(np.searchsorted(self.bounds, bound, side="right")) - 1, 0)


@check_arguments
@in_one_thread
def path(
    x: Array,
    y: NDArray[Any],
    loss: str = "squared",
    constraint: str = "box",
    bounds: Iterable[float] | None = None,
    *,
    report: Report = keep_going,
) -> ExactPath | GridPath:
    """Constrained models at all bounds.

    Exact for the squared loss with a box, an upper bound or an L1 ball; on a grid otherwise.

    Parameters
    ----------
    x : ndarray, shape (N, n)
    y : ndarray, shape (N,)
        Numbers ("squared"), or classes 0, 1, 2, ... ("softmax").
    loss : str
        "squared" or "softmax".
    constraint : str
        A name of ``compression.CONSTRAINTS``.
    bounds : numbers, optional
        The grid, in any order; 40 geometric ones when left out. An exact path holds at every
        bound and has no need of them.
    report : callable
        Called with (done, total, a function that gives the path so far, or None), between two
        bounds and between a solver's steps; for an exact path done and total count breakpoints,
        and there is no path so far. Returning False ends a grid after the bounds that are solved.

    Returns
    -------
    ExactPath or GridPath
        Both: ``.at(c)``, ``.intercept_at(c)``, ``.pinned_at(c)``, ``.certificate_at(c)``. An
        exact one: ``.breakpoints``, ``.pinned`` at each of them. A grid: ``.bounds``.

    Raises
    ------
    ArgumentError
        Unknown set or loss, data that cannot be used, bounds that are not numbers from 0 on.
    NotConvergedError
        Columns so nearly collinear that the exact path is lost to rounding.
    CancelledError
        The report said to stop before there was a bound, or before an exact path's end.
    """
    latest: ExactPath | GridPath | None = None
    try:
        for _, latest in path_by_bound(x, y, loss, constraint, bounds, report):
            if isinstance(latest, ExactPath):
                break
    except CancelledError:
        if latest is None:
            raise
    assert latest is not None
    return latest


def path_by_bound(
    x: Array,
    y: NDArray[Any],
    loss: str,
    constraint: str,
    bounds: Iterable[float] | None,
    report: Report = keep_going,
) -> Iterator[tuple[float, ExactPath | GridPath]]:
    """Each bound as soon as it is solved, with a path that holds it: see :func:`path`.

    Bounds ascend; over a set that is not convex they descend. An exact path holds all of them
    at once.

    Raises
    ------
    CancelledError
        The report said to stop.
    """
    x, y = check_data(x, y, loss)
    members: ConstraintSet = find(CONSTRAINTS, constraint, "constraint set").load()()
    prepared = prepare(x, y, loss)
    certifier = Certifier(x, y, loss, members)
    grid = None if bounds is None else _check_bounds(bounds)
    if isinstance(prepared, SquaredLoss) and members.has_exact_path:
        # A kept path has a certifier of its own, which does not grow as callers use theirs.
        separate = replace(certifier)
        exact = compute_once(
            ("exact path", constraint, x, y), partial(follow, prepared, members, separate, report)
        )
        exact = replace(exact, certifier=certifier)
        for bound in exact.breakpoints if grid is None else grid:
            yield float(bound), exact
        return
    if grid is None:
        grid = default_bounds(prepared, members)
    yield from _GridSolver(prepared, certifier, grid, report).run()


def default_bounds(loss: Loss, constraint: ConstraintSet, count: int = 40) -> Array:
    """Geometric bounds from where the bound costs next to nothing down to a thousandth of it."""
    free = solve_unconstrained(loss, constraint, np.inf, floor=1e-3 * loss.zero)
    assert free is not None
    largest = constraint.gauge(loss.to_model(free)[0])
    if largest == 0:
        raise ArgumentError("the targets do not depend on the inputs: there is no path to follow")
    bounds = np.geomspace(1e-3 * largest, largest, count)
    return np.unique(np.ceil(bounds)) if constraint.counts else bounds


def _check_bounds(bounds: Iterable[float]) -> Array:
    grid = np.unique([check_bound(bound) for bound in bounds])
    if grid.size == 0 or not np.isfinite(grid).all():
        raise ArgumentError("bounds must be one or more finite numbers, 0 or more")
    return grid


@dataclass(frozen=True, eq=False)
class _SolvedBound:
    """One bound of a grid, solved."""

    weight: Array
    intercept: Array | float
    objective: float
    duality_gap: float
    certified: bool
    swap_optimal: bool = False


class _GridSolver:
    """Solves bound after bound, each from what is known of those before."""

    def __init__(self, loss: Loss, certifier: Certifier, bounds: Array, report: Report) -> None:
        self.loss, self.certifier, self.report = loss, certifier, report
        unit, self.constraint = certifier.unit, certifier.constraint
        self.tolerance = GRID_TOLERANCE * loss.zero / unit if unit else GRID_TOLERANCE
        # Over a set that is not convex, removing weights works better than adding them.
        self.order = [
            float(bound) for bound in (bounds if self.constraint.convex else bounds[::-1])
        ]
        self.rows: list[_SolvedBound] = []
        self.stopped = False
        self.method: Solver = AcceleratedProjectedGradient()
        if self.constraint.elementwise:
            self.method = ProjectedNewton()
        elif self.constraint.has_faces and np.prod(loss.shape) <= DENSE:
            self.method = FaceNewton()

    def run(self) -> Iterator[tuple[float, GridPath]]:
        """Each bound as it is solved, with all that are solved by then."""
        loss = self.loss
        faces = self.constraint.has_faces and loss.inputs.columns.size > 0
        if faces and isinstance(loss, SoftmaxLoss) and loss.classes == 2:
            yield from self._run_two_classes(loss)
            return
        # One-sided bounds never cost softmax anything: one unconstrained model serves them all.
        free = None
        if loss.name == "softmax" and not self.constraint.bounded:
            least = 0.1 * GRID_TOLERANCE * loss.zero
            free = solve_unconstrained(loss, self.constraint, 0.0, least, self._go_on)
            self._check_stopped()
        for bound in self.order:
            guess = None
            if free is not None:
                guess = move_inside(loss, self.constraint, bound, free)
            self.rows.append(self._solve(bound, self._guess(bound) if guess is None else guess))
            yield bound, self._gather()
            self._ask_on()

    def _run_two_classes(self, loss: SoftmaxLoss) -> Iterator[tuple[float, GridPath]]:
        """Solve as many bounds as take little time, then certify all of them at once."""
        newton, unit = ActiveSetNewton(loss), self.certifier.unit
        at_once = max(1, CELLS // loss.design.size)
        for begin in range(0, len(self.order), at_once):
            bounds = self.order[begin : begin + at_once]
            reach = [self.certifier.reach(bound) for bound in bounds]
            aims = self.tolerance * np.minimum(unit, reach)
            points = []
            for bound, aim in zip(bounds, aims, strict=True):
                self._ask_on()
                points.append(newton.solve(bound, 0.5 * aim))
            weights, guesses = loss.to_model(np.array(points))
            seen = self.certifier.judge_two_classes(weights, np.array(bounds), guesses)
            holds = (seen.duality_gaps <= aims) & np.isfinite(seen.objectives)
            for row, bound in enumerate(bounds):
                if holds[row]:
                    objective, gap = float(seen.objectives[row]), float(seen.duality_gaps[row])
                    solved = _SolvedBound(weights[row], seen.intercepts[row], objective, gap, True)
                else:
                    solved = self._solve(bound, points[row])
                self.rows.append(solved)
            path = self._gather()
            for bound in bounds:
                yield bound, path
        self._ask_on()

    def _solve(self, bound: float, guess: Array) -> _SolvedBound:
        """One bound by itself, from a guess."""
        problem = Problem(self.loss, self.constraint, bound)
        judge = IterateJudge(problem, self.certifier, self.tolerance, keeps_track=False)
        judge.max_seconds *= max(1.0, self.loss.inputs.design.size / WITHIN_LIMIT)
        if not self.constraint.convex:
            judge.max_iterations = UNCERTIFIED_STEPS

        def callback(point: Array) -> bool:
            return self._go_on() and judge(point)

        if callback(guess):
            self.method.run(problem, callback, guess)
            self._check_stopped()
            search_subsets(problem, judge, self._go_on)
            judge.finish()
        self._check_stopped()
        assert judge.best is not None
        weight, seen = judge.best
        return _SolvedBound(
            weight,
            seen.intercept,
            seen.objective,
            seen.duality_gap,
            seen.holds(self.tolerance),
            judge.swap_optimal,
        )

    def _guess(self, bound: float) -> Array:
        """Guess the next bound's point: extrapolate from the last two."""
        problem = Problem(self.loss, self.constraint, bound)
        if not self.rows:
            return problem.start()
        last, constraint = self.rows[-1], self.constraint
        before, here = ([0.0, *self.order])[len(self.rows) - 1 : len(self.rows) + 1]
        weight, intercept = last.weight, last.intercept
        if len(self.rows) > 1 and constraint.convex:
            previous = self.rows[-2]
            ahead = (bound - here) / (here - before)
            weight = weight + ahead * (last.weight - previous.weight)
            intercept = intercept + ahead * (last.intercept - previous.intercept)
        if constraint.elementwise:
            # A weight that stays pinned is exactly at the bound.
            pinned = constraint.find_pinned(last.weight, here, TOUCHING)
            weight = np.where(pinned, np.copysign(bound, last.weight), weight)
        return self.loss.from_model(weight, intercept)

    def _gather(self) -> GridPath:
        step = 1 if self.constraint.convex else -1
        solved, rows = self.order[: len(self.rows)][::step], self.rows[::step]
        return GridPath(
            bounds=np.array(solved),
            weights=np.array([row.weight for row in rows]),
            intercepts=np.array([row.intercept for row in rows]),
            objectives=np.array([row.objective for row in rows]),
            duality_gaps=np.array([row.duality_gap for row in rows]),
            certified=np.array([row.certified for row in rows]),
            swap_optimal=np.array([row.swap_optimal for row in rows]),
            certifier=self.certifier,
        )

    def _go_on(self) -> bool:
        """Report what is solved; False, from then on, once the report says to stop."""
        done, total = len(self.rows), len(self.order)
        self.stopped = self.stopped or not self.report(done, total, self._gather if done else None)
        return not self.stopped

    def _check_stopped(self) -> None:
        if self.stopped:
            done, total = len(self.rows), len(self.order)
            raise CancelledError(f"the path was stopped after {done} of {total} bounds")

    def _ask_on(self) -> None:
        """Go on between two bounds, or end."""
        self._go_on()
        self._check_stopped()
