"""Coordinate descent: one weight after the other, each to its best place within its bounds.

Squared loss: exact minimisation over one weight, from the Gram matrix. Softmax: one class after
the other, a quadratic model of that class's weights minimised coordinate by coordinate, then a
line search (Tseng & Yun 2009; Friedman, Hastie & Tibshirani 2010).
"""

from dataclasses import dataclass

import numpy as np

from ...sets import ConstraintSet
from ..losses import SoftmaxLoss
from ..problem import Array, Callback, Problem


@dataclass(frozen=True)
class CoordinateDescent:
    """An iteration is one sweep over all weights (softmax: over all classes).

    ``sweeps`` is the number of inner sweeps over a class's quadratic model.
    """

    sweeps: int = 10

    def applies(self, loss: str, constraint: ConstraintSet) -> str | None:
        if not constraint.elementwise:
            return (
                "the set ties the weights together, and one weight at a time can stop short of "
                "the optimum: choose the set box or upper"
            )
        return None

    def run(self, problem: Problem, callback: Callback, start: Array) -> None:
        point = problem.project(start)
        if isinstance(problem.loss, SoftmaxLoss):
            _descend_by_class(problem, problem.loss, callback, point, self.sweeps)
            return
        loss, lower, upper = problem.loss, problem.lower, problem.upper
        while True:
            gradient = loss.gradient(point)
            largest = _sweep(loss.gram, point, gradient, lower, upper)
            if not callback(point) or largest == 0:
                return


def _descend_by_class(
    problem: Problem, loss: SoftmaxLoss, callback: Callback, point: Array, sweeps: int
) -> None:
    lower, upper = problem.lower, problem.upper
    value = loss.value(point)
    while True:
        before = value
        for k in range(loss.classes):
            logits = point @ loss.design
            share = np.exp(logits - logits.max(axis=0))
            share = share[k] / share.sum(axis=0)
            slope = (share - loss.hot[k]) @ loss.design.T / loss.samples
            hessian = (loss.design * (share * (1 - share))) @ loss.design.T / loss.samples
            hessian[np.diag_indices_from(hessian)] += 1e-9 * np.trace(hessian) / len(hessian)
            row, model_slope = point[k].copy(), slope.copy()
            for _ in range(sweeps):
                if _sweep(hessian, row, model_slope, lower[k], upper[k]) <= 1e-14:
                    break
            step = row - point[k]
            expected, length = float(slope @ step), 1.0
            while length > 1e-10:
                new = point.copy()
                new[k] += length * step
                new_value = loss.value(new)
                if new_value <= value + 1e-4 * length * expected:
                    point, value = new, new_value
                    break
                length /= 2
        point = problem.project(point)
        if not callback(point) or value >= before:
            return


def _sweep(hessian: Array, x: Array, slope: Array, lower: Array, upper: Array) -> float:
    """One pass over the coordinates of ½ xᵀHx + ..., in place; returns the largest move."""
    largest = 0.0
    low, high, curvature = lower.tolist(), upper.tolist(), np.diag(hessian).tolist()
    for i, bend in enumerate(curvature):
        if bend <= 0:
            continue
        old = float(x[i])
        new = min(max(old - float(slope[i]) / bend, low[i]), high[i])
        if new != old:
            slope += hessian[i] * (new - old)
            x[i] = new
            largest = max(largest, abs(new - old))
    return largest
