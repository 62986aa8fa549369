"""Hamiltonian descent: a particle with friction rolls down the loss.

Maddison, Paulin, Teh, O'Donoghue & Doucet 2018, arXiv 1809.05042: p ← (p − ε∇L)/(1 + γε),
θ ← θ + ε∇k(p), here with the relativistic kinetic energy k(p) = √(1 + ‖p‖²) − 1. The paper is
unconstrained; here every position is projected onto the set, and the momentum keeps only what
really moved. That is our addition, and carries no theorem of theirs.
"""

from dataclasses import dataclass

import numpy as np

from ...sets import ConstraintSet
from ..problem import Array, Callback, Problem


@dataclass(frozen=True)
class HamiltonianDescent:
    """Friction γ fades as ``friction`` / t, with t the time since the particle last stood still.

    A step that would raise the total energy L + k is not taken: the particle is stopped, and
    from rest the time step ε is halved; a step taken lets ε grow by ``growth``.
    """

    friction: float = 3.0
    growth: float = 1.02

    def applies(self, loss: str, constraint: ConstraintSet) -> str | None:
        if not constraint.convex:
            return "the set is not convex: projections would throw the particle about; choose accelerated_projected_gradient"
        return None

    def run(self, problem: Problem, callback: Callback, start: Array) -> None:
        loss = problem.loss
        time_step = 1.0 / np.sqrt(max(loss.lipschitz, np.finfo(float).tiny))
        point = problem.project(start)
        value, gradient = loss.value_and_gradient(point)
        momentum, age = np.zeros_like(point), 0
        while True:
            pushed = (momentum - time_step * gradient) / (1 + self.friction / (age + 1))
            speed = np.sqrt(1 + float(np.sum(pushed**2)))
            new = problem.project(point + time_step * pushed / speed)
            moved = (new - point) / time_step * speed
            new_value, new_gradient = loss.value_and_gradient(new)
            rising = float(np.sum(new_gradient * moved)) > 0
            if new_value + _kinetic_energy(moved) > value + _kinetic_energy(momentum):
                if age == 0:
                    time_step /= 2
                    if time_step < 1e-12:
                        return
                momentum, age = np.zeros_like(point), 0
                continue
            still = age == 0 and np.array_equal(new, point)
            point, value, gradient = new, new_value, new_gradient
            if not callback(point) or still:
                return
            momentum, age = (np.zeros_like(point), 0) if rising else (moved, age + 1)
            time_step *= self.growth


def _kinetic_energy(momentum: Array) -> float:
    square = float(np.sum(momentum**2))
    return square / (np.sqrt(1 + square) + 1)
