"""Projected Newton: a quadratic model at every step, minimised exactly inside the box.

Bertsekas, Projected Newton methods for optimization problems with simple constraints, SIAM J.
Control and Optimization 1982; the model's box-constrained minimum by block principal pivoting
(Júdice & Pires 1994).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from ..problem import Array, Problem, Watch
from ..sets import ConstraintSet

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class ProjectedNewton:
    """Newton steps on the free weights; the pinned ones are found by the quadratic model.

    ``slack`` is the share of pinned weights, relative to the free ones, that a step may also
    release; ``ridge`` is added to the model's diagonal, relative to its mean.
    """

    slack: float = 0.3
    ridge: float = 1e-9

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
        diagonal = np.diag_indices_from(hessian)
        hessian[diagonal] += self.ridge * np.trace(hessian) / len(hessian) + 1e-300
        here = point[moving]
        there = minimise_in_box(
            hessian,
            gradient[moving] - hessian @ here,
            problem.lower[moving],
            problem.upper[moving],
            at_lower=(at_lower & held)[moving],
            at_upper=(at_upper & held)[moving],
        )
        step = np.zeros_like(point)
        step[moving] = there - here
        return step


def minimise_in_box(
    hessian: Array, linear: Array, lower: Array, upper: Array, at_lower: Mask, at_upper: Mask
) -> Array:
    """argmin ½ xᵀHx + linearᵀx over lower <= x <= upper, from a guess of who is at a bound.

    All coordinates on the wrong side change sides at once; when that stops helping, one at a
    time, which ends after finitely many rounds. Returns the best feasible guess at the limit.
    """
    state = at_upper.astype(int) - at_lower.astype(int)
    fewest, patience = len(linear) + 1, 3
    slack = 1e-12 * float(np.abs(linear).max(initial=0.0))
    for _ in range(100):
        free = state == 0
        x = np.where(state > 0, upper, np.where(state < 0, lower, 0.0))
        if free.any():
            block = hessian[np.ix_(free, free)]
            rest = -linear[free] - hessian[np.ix_(free, ~free)] @ x[~free]
            x[free] = _solve(block, rest)
        slope = hessian @ x + linear
        above, below = free & (x > upper), free & (x < lower)
        leaving = ((state > 0) & (slope > slack)) | ((state < 0) & (slope < -slack))
        wrong = above | below | leaving
        count = int(wrong.sum())
        if count == 0:
            return x
        if count < fewest:
            fewest, patience = count, 3
        elif patience:
            patience -= 1
        else:
            last = np.flatnonzero(wrong)[-1]
            wrong = np.zeros_like(wrong)
            wrong[last] = True
        state[above & wrong], state[below & wrong], state[leaving & wrong] = 1, -1, 0
    return np.clip(x, lower, upper)


def _solve(matrix: Array, right: Array) -> Array:
    # A flat direction leaves no Cholesky factor; a little more ridge does.
    for ridge in (0.0, 1e-12, 1e-9, 1e-6):
        try:
            steep = matrix + ridge * np.trace(matrix) * np.eye(len(matrix)) if ridge else matrix
            return cho_solve(cho_factor(steep, check_finite=False), right, check_finite=False)
        except LinAlgError:
            continue
    return np.linalg.lstsq(matrix, right, rcond=None)[0]
