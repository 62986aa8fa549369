"""All bounds at once: how the constrained model moves as c grows."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..catalog import CONSTRAINTS, find
from ..errors import ArgumentError, NotApplicableError
from .certificate import Certifier
from .losses import LOSSES, Loss, check_data
from .problem import Problem, Solver
from .sets import ConstraintSet, check_bound
from .solve import DENSE, Judge, settle, unconstrained
from .solvers.projected_newton import ProjectedNewton
from .solvers.quasi_newton import QuasiNewton

Array = NDArray[np.floating]

# Largest duality gap on a grid, relative to the loss of the zero model.
GRID_TOLERANCE = 1e-4


@dataclass(frozen=True, eq=False)
class GridPath:
    """Constrained models on a grid of bounds, each certified.

    Attributes
    ----------
    bounds : ndarray, shape (b,)
        Ascending.
    weights : ndarray, shape (b, n) or (b, classes, n)
    intercepts : ndarray, shape (b,) or (b, classes)
    objectives, duality_gaps : ndarray, shape (b,)
    certified : ndarray of bool, shape (b,)
        Whether the gap is at most 1e-4 of the zero model's loss.
    """

    bounds: Array
    weights: Array
    intercepts: Array
    objectives: Array
    duality_gaps: Array
    certified: NDArray[np.bool_]

    def at(self, bound: float) -> Array:
        """Weight at a bound: of the grid exactly, between two of them interpolated.

        What lies between two points of a convex set that grows with c lies in the set; it is
        near the optimum there, not certified. Below the grid the smallest bound's weight shrinks
        in proportion, above it the largest one's stays.
        """
        return _between(self.bounds, self.weights, check_bound(bound))

    def intercept_at(self, bound: float) -> Array:
        """Intercept at a bound, in the same way."""
        return _between(self.bounds, self.intercepts, max(check_bound(bound), self.bounds[0]))


def _between(knots: Array, values: Array, bound: float) -> Array:
    if bound <= knots[0]:
        return values[0] * (bound / knots[0] if knots[0] > 0 else 1.0)
    if bound >= knots[-1]:
        return values[-1]
    right = int(np.searchsorted(knots, bound, side="right"))
    share = (bound - knots[right - 1]) / (knots[right] - knots[right - 1])
    return (1 - share) * values[right - 1] + share * values[right]


def path(
    x: Array,
    y: Array,
    loss: str = "squared",
    constraint: str = "box",
    bounds: Array | None = None,
) -> GridPath:
    """Constrained models for many bounds."""
    x, y = check_data(x, y, loss)
    members: ConstraintSet = find(CONSTRAINTS, constraint, "constraint set").load()()
    prepared = LOSSES[loss].of(x, y)
    grid = default_bounds(prepared, members) if bounds is None else _check_bounds(bounds)
    return _grid(x, y, prepared, members, grid)


def default_bounds(loss: Loss, constraint: ConstraintSet, count: int = 40) -> Array:
    """Geometric bounds from where the bound costs next to nothing down to a thousandth of it."""
    free = unconstrained(loss, constraint, np.inf, floor=1e-3 * loss.zero)
    assert free is not None
    largest = constraint.gauge(loss.to_model(free)[0])
    if largest == 0:
        raise ArgumentError("the targets do not depend on the inputs: there is no path to follow")
    return np.geomspace(1e-3 * largest, largest, count)


def _check_bounds(bounds: Array) -> Array:
    grid = np.asarray(bounds, np.float64).ravel()
    if grid.size == 0 or not (np.isfinite(grid) & (grid >= 0)).all():
        raise ArgumentError("bounds must be one or more finite numbers, 0 or more")
    return np.unique(grid)


def _grid(x: Array, y: Array, loss: Loss, constraint: ConstraintSet, bounds: Array) -> GridPath:
    certifier = Certifier(x, y, loss.name, constraint)
    tolerance = GRID_TOLERANCE * loss.zero / certifier.unit if certifier.unit else GRID_TOLERANCE
    method: Solver = ProjectedNewton() if np.prod(loss.shape) <= DENSE else QuasiNewton()
    reason = method.applies(loss.name, constraint)
    if reason is not None:
        raise NotApplicableError(reason)
    rows = []
    point = np.zeros(loss.shape)
    for bound in bounds:
        problem = Problem(loss, constraint, float(bound))
        judge = Judge(problem, certifier, tolerance)
        method.run(problem, judge, point)
        judge.finish()
        solution = settle(judge)
        point = loss.from_model(solution.weight, solution.intercept)
        rows.append(solution)
    return GridPath(
        bounds=bounds,
        weights=np.array([row.weight for row in rows]),
        intercepts=np.array([row.intercept for row in rows]),
        objectives=np.array([row.objective for row in rows]),
        duality_gaps=np.array([row.duality_gap for row in rows]),
        certified=np.array([row.certified for row in rows]),
    )
