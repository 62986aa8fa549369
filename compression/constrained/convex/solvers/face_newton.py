"""Newton on the faces of the L1 ball.

A projected gradient step finds the face: which weights are not zero, with which sign. On it the
set is flat, and a Newton step with that one equation goes on; it is bent back where a weight
would change its sign. In the manner of Moré & Toraldo, SIAM J. Optimization 1991, who do so for
bounds.
"""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from ...sets import ConstraintSet
from ..problem import Array, Callback, Problem
from .projected_newton import choose_damping

LENGTHS = 0.5 ** np.arange(9)


@dataclass(frozen=True)
class FaceNewton:
    """Gradient steps whose length adapts, each followed by a Newton step on the face."""

    def applies(self, loss: str, constraint: ConstraintSet) -> str | None:
        if not constraint.has_faces:
            return "works on the faces of the L1 ball only: choose the set l1"
        return None

    def run(self, problem: Problem, callback: Callback, start: Array) -> None:
        loss = problem.loss
        curvature = loss.lipschitz
        point: Array = problem.project(start)
        value, gradient = loss.value_and_gradient(point)
        while True:
            before, old = value, point
            curvature /= 4
            while True:
                point = problem.project(old - gradient / curvature)
                move = point - old
                model = before + float(np.sum(gradient * move))
                model += 0.5 * curvature * float(np.sum(move * move))
                value, slope = loss.value_and_gradient(point)
                if value <= model or curvature >= loss.lipschitz:
                    break
                curvature *= 2
            moved = curvature * float(np.abs(point - old).max(initial=0.0))
            gradient = slope
            step = self._step(problem, point, gradient, moved)
            for length in LENGTHS:
                ahead: Array = point + length * step
                signs = loss.weights_of(point) * loss.weights_of(ahead)
                loss.weights_of(ahead)[signs < 0] = 0.0
                ahead = problem.project(ahead)
                new_value, new_gradient = loss.value_and_gradient(ahead)
                if new_value < value:
                    point, value, gradient = ahead, new_value, new_gradient
                    break
            if not callback(point) or value >= before:
                return

    def _step(self, problem: Problem, point: Array, gradient: Array, moved: float) -> Array:
        """Step to the quadratic model's minimum on the face that the point lies on."""
        loss, scale = problem.loss, problem.loss.inputs.scale
        normal, free = np.zeros_like(point), np.ones_like(point, bool)
        weights = loss.weights_of(point)
        loss.weights_of(free)[...] = weights != 0
        if problem.constraint.gauge(weights / scale) >= problem.bound * (1 - 1e-9):
            loss.weights_of(normal)[...] = np.sign(weights) / scale
        step = np.zeros_like(point)
        if not free.any():
            return step
        hessian = loss.curvature(point).block(free)
        hessian[np.diag_indices_from(hessian)] += choose_damping(
            loss, np.diag(hessian).mean(), moved
        )
        try:
            factor = cho_factor(hessian, check_finite=False)
        except LinAlgError:
            return step
        down, along = cho_solve(factor, np.column_stack([-gradient[free], normal[free]])).T
        if normal.any():
            down = down - along * float(normal[free] @ down) / float(normal[free] @ along)
        step[free] = down
        return step
