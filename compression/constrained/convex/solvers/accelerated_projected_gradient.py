"""Accelerated projected gradient: a gradient step, the projection, and momentum with restart.

Beck & Teboulle, SIAM J. Imaging Sciences 2009; restart: O'Donoghue & Candès, Foundations of
Computational Mathematics 2015.
"""

from dataclasses import dataclass

import numpy as np

from ...sets import ConstraintSet
from ..problem import Array, Callback, Problem


@dataclass(frozen=True)
class AcceleratedProjectedGradient:
    """The step grows by ``growth`` an iteration and is halved where it proves too long.

    On a set that is not convex (cardinality) momentum proves nothing: plain projected gradient,
    which never increases the loss and ends at a fixed point (Blumensath & Davies 2009).
    """

    growth: float = 1.1

    def applies(self, loss: str, constraint: ConstraintSet) -> str | None:
        return None

    def run(self, problem: Problem, callback: Callback, start: Array) -> None:
        loss = problem.loss
        ceiling = max(loss.lipschitz, np.finfo(float).tiny)
        curvature = ceiling
        point = problem.project(start)
        ahead, momentum = point, 1.0
        while True:
            value, gradient = loss.value_and_gradient(ahead)
            while True:
                new = problem.project(ahead - gradient / curvature)
                step = new - ahead
                model = value + float(np.sum(gradient * step))
                model += 0.5 * curvature * float(np.sum(step * step))
                # At the ceiling theory puts the model above the loss; only rounding contradicts it.
                if curvature >= ceiling or loss.value(new) <= model:
                    break
                curvature = min(2 * curvature, ceiling)
            if not callback(new) or (momentum == 1.0 and np.array_equal(new, point)):
                return
            moved = new - point
            point = new
            if not problem.constraint.convex or float(np.sum(step * moved)) < 0:
                ahead, momentum = point, 1.0
            else:
                grown = 0.5 * (1 + np.sqrt(1 + 4 * momentum**2))
                ahead = point + ((momentum - 1) / grown) * moved
                momentum = grown
            curvature /= self.growth
