"""Projected Newton: a quadratic model at every step, minimised within the box.

Bertsekas, Projected Newton methods for optimization problems with simple constraints, SIAM J.
Control and Optimization 1982, for the loss and for its model alike. The model's diagonal is
raised in proportion to the slope that is left (Levenberg & Marquardt): softmax's curvature is
flat along shifts of all classes, and a step along them would run from bound to bound.
"""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from ..losses import Loss
from ..problem import Array, Problem, Watch
from ..sets import ConstraintSet

# Share of the largest slope at which the model counts as minimised.
MODEL_TOLERANCE = 0.1


@dataclass(frozen=True)
class ProjectedNewton:
    """Newton steps on the free weights; the pinned ones are found by the quadratic model.

    ``slack`` is the share of pinned weights, relative to the free ones, that a step may also
    release.
    """

    slack: float = 0.3

    def applies(self, loss: str, constraint: ConstraintSet) -> str | None:
        if not constraint.elementwise:
            return "needs a bound on every single weight: choose the set box or upper"
        return None

    def run(self, problem: Problem, watch: Watch, start: Array) -> None:
        loss, lower, upper = problem.loss, problem.lower, problem.upper
        point = problem.project(start)
        value, gradient = loss.value_and_gradient(point)
        while True:
            step = self._step(problem, point, gradient)
            expected = float(np.sum(gradient * step))
            length = 1.0
            while length > 1e-10:
                new = np.clip(point + length * step, lower, upper)
                new_value, new_gradient = loss.value_and_gradient(new)
                if new_value <= value + 1e-4 * length * expected:
                    break
                length /= 2
            else:
                return
            still = new_value >= value
            point, value, gradient = new, new_value, new_gradient
            if watch(point) or still:
                return

    def _step(self, problem: Problem, point: Array, gradient: Array) -> Array:
        """From the point to the minimum of the quadratic model within the box."""
        at_upper, at_lower = point >= problem.upper, point <= problem.lower
        held = (at_upper & (gradient < 0)) | (at_lower & (gradient > 0))
        price = np.abs(gradient[held])
        spare = int(self.slack * (held.size - price.size)) + 10
        if spare < price.size:
            moving = ~held | (np.abs(gradient) <= np.partition(price, spare)[spare])
        else:
            moving = np.ones_like(held)
        hessian = problem.loss.curvature(point).block(moving)
        slope = float(np.abs(gradient[~held]).max(initial=0.0))
        hessian[np.diag_indices_from(hessian)] += damping(problem.loss, hessian, slope)
        here = point[moving]
        there = minimise_in_box(
            hessian,
            gradient[moving] - hessian @ here,
            problem.lower[moving],
            problem.upper[moving],
            here,
            MODEL_TOLERANCE,
        )
        step = np.zeros_like(point)
        step[moving] = there - here
        return step


def damping(loss: Loss, hessian: Array, slope: float) -> float:
    """What to add to a Hessian's diagonal where the largest slope is this."""
    share = slope / max(np.sqrt(2 * loss.zero), 1e-300)
    mean = float(np.trace(hessian)) / len(hessian)
    return mean * min(1e-3, max(5 * share, 1e-10)) + 0.02 * share + 1e-300


def minimise_in_box(
    hessian: Array, linear: Array, lower: Array, upper: Array, start: Array, tolerance: float
) -> Array:
    """argmin ½ xᵀHx + linearᵀx over lower <= x <= upper, from a start within.

    Newton steps on what is free to move, bent along the box; each makes the objective smaller.
    Ends where nothing free has a slope above the tolerance, relative to the largest at the start.
    """
    x = start
    slope = hessian @ x + linear
    goal: float | None = None
    for _ in range(100):
        free = ~(((x <= lower) & (slope > 0)) | ((x >= upper) & (slope < 0)))
        steepest = float(np.abs(slope[free]).max(initial=0.0))
        goal = tolerance * steepest if goal is None else goal
        if steepest <= goal:
            break
        step = np.zeros_like(x)
        step[free] = -_solve(hessian[np.ix_(free, free)], slope[free])
        length = 1.0
        while length > 1e-12:
            move = np.clip(x + length * step, lower, upper) - x
            change = hessian @ move
            if float(move @ (slope + 0.5 * change)) <= 1e-4 * float(move @ slope):
                break
            length /= 2
        else:
            break
        x = np.clip(x + length * step, lower, upper)
        slope = slope + change
    return x


def _solve(matrix: Array, right: Array) -> Array:
    try:
        return cho_solve(cho_factor(matrix, check_finite=False), right, check_finite=False)
    except LinAlgError:  # flat directions
        return np.linalg.lstsq(matrix, right, rcond=None)[0]
