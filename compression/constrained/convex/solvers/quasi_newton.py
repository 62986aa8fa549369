"""Quasi-Newton: SciPy's limited-memory BFGS inside a box.

Byrd, Lu, Nocedal & Zhu, SIAM J. Scientific Computing 1995; ``scipy.optimize.minimize``.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import Bounds, OptimizeResult, minimize

from ...sets import ConstraintSet
from ..problem import Array, Callback, Problem


@dataclass(frozen=True)
class QuasiNewton:
    """L-BFGS-B with ``memory`` pairs of steps and gradients."""

    memory: int = 20

    def applies(self, loss: str, constraint: ConstraintSet) -> str | None:
        if not constraint.elementwise:
            return "L-BFGS-B needs a bound on every single weight: choose the set box or upper"
        return None

    def run(self, problem: Problem, callback: Callback, start: Array) -> None:
        shape = problem.loss.shape

        def value_and_gradient(flat: Array) -> tuple[float, Array]:
            value, gradient = problem.loss.value_and_gradient(flat.reshape(shape))
            return value, gradient.ravel()

        def step(intermediate_result: OptimizeResult) -> None:
            if not callback(intermediate_result.x.reshape(shape).copy()):
                raise StopIteration

        best = problem.project(start).ravel()
        # Its own tests of convergence are off: the callback decides. A line search that
        # finds nothing ends a run; a run from there, its memory wiped, may still get on.
        for _ in range(5):
            result = minimize(
                value_and_gradient,
                best,
                jac=True,
                method="L-BFGS-B",
                bounds=Bounds(problem.lower.ravel(), problem.upper.ravel()),
                callback=step,
                options={
                    "maxcor": self.memory,
                    "maxiter": 10**9,
                    "maxfun": 10**9,
                    "ftol": 0.0,
                    "gtol": 0.0,
                },
            )
            if result.status == 99 or np.array_equal(result.x, best):
                return
            best = result.x
