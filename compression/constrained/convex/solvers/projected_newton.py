"""Projected Newton: a quadratic model at every step, minimised within the box.

Bertsekas, Projected Newton methods for optimization problems with simple constraints, SIAM J.
Control and Optimization 1982, for the loss and for its model alike. The model's diagonal is
raised in proportion to the slope that is left (Levenberg & Marquardt): softmax's curvature is
flat along shifts of all classes, and a step along them would run from bound to bound.
"""

from dataclasses import dataclass

import numpy as np

from ...sets import ConstraintSet
from ..losses import Loss, SoftmaxLoss
from ..problem import Array, Callback, Problem
from ..quadratic import DenseQuadratic, MatrixFreeQuadratic, minimise_in_box

# The model counts as minimised at this share of its largest slope.
MODEL_TOLERANCE = 0.1
# Up to this many coordinates softmax's Hessian is formed. Beyond, products are faster.
WRITTEN_OUT = 300
# Beyond this many coordinates the model is stiffened in proportion to their number.
STIFFER_FROM = 12
# The matrix-free model leaves out the surest samples, which hold this share of all doubt. Where the
# model fits well they are more than half. The loss and its gradient count all samples.
IGNORED = 0.001
# Above this many coordinates the model is in single precision. The loss and its gradient never are.
SINGLE_PRECISION = 2000


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

    def run(self, problem: Problem, callback: Callback, start: Array) -> None:
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
            if not callback(point) or still:
                return

    def _step(self, problem: Problem, point: Array, gradient: Array) -> Array:
        """The step from the point to the quadratic model's minimum within the box."""
        loss, lower, upper = problem.loss, problem.lower, problem.upper
        at_upper, at_lower = point >= upper, point <= lower
        pinned = (at_upper & (gradient < 0)) | (at_lower & (gradient > 0))
        slope = float(np.abs(gradient[~pinned]).max(initial=0.0))
        if isinstance(loss, SoftmaxLoss) and point.size > WRITTEN_OUT:
            curvature = loss.curvature(point, IGNORED, single=point.size > SINGLE_PRECISION)
            raised = choose_damping(loss, float(np.mean(curvature.diagonal)), slope)
            # The larger the Hessian, the more products its flat directions cost: a stiffer model
            # takes more steps and far fewer products.
            raised *= max(1.0, point.size / STIFFER_FROM)
            model = MatrixFreeQuadratic(curvature, raised)
            return minimise_in_box(model, gradient, lower, upper, point, model.tolerance) - point
        price = np.abs(gradient[pinned])
        spare = int(self.slack * (pinned.size - price.size)) + 10
        if spare < price.size:
            moving = ~pinned | (np.abs(gradient) <= np.partition(price, spare)[spare])
        else:
            moving = np.ones_like(pinned)
        hessian = loss.curvature(point).block(moving)
        hessian[np.diag_indices_from(hessian)] += choose_damping(
            loss, np.diag(hessian).mean(), slope
        )
        step, here = np.zeros_like(point), point[moving]
        step[moving] = -here + minimise_in_box(
            DenseQuadratic(hessian),
            gradient[moving],
            lower[moving],
            upper[moving],
            here,
            MODEL_TOLERANCE,
        )
        return step


def choose_damping(loss: Loss, mean: float, slope: float) -> float:
    """The damping of a Hessian whose diagonal has this mean, at this largest slope."""
    share = slope / max(np.sqrt(2 * loss.zero), 1e-300)
    return mean * min(1e-3, max(5 * share, 1e-10)) + 0.02 * share + 1e-300
