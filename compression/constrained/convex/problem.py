"""What a solver is given: a prepared loss, a set and its bound."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ..sets import ConstraintSet
from .losses import Loss

Array = NDArray[np.floating]
Callback = Callable[[Array], bool]
"""Takes a solver's iterate; returns True to go on."""


@dataclass(frozen=True, eq=False)
class Problem:
    """min loss(point) subject to the point's weights, in the data's own units, lying in C(c).

    Points are those of the loss (standardised columns), so that one step length suits all
    columns; the set is carried over: a box keeps its shape with one bound a column, a ball
    is projected on in the metric of the columns' scales.
    """

    loss: Loss
    constraint: ConstraintSet
    bound: float

    @cached_property
    def upper(self) -> Array:
        """Largest value of every coordinate of a point, for elementwise sets; inf: none."""
        limit = np.full(self.loss.shape, np.inf)
        if self.bound < np.inf:
            self.loss.weights_of(limit)[...] = self.bound * self.loss.inputs.scale
        return limit

    @cached_property
    def lower(self) -> Array:
        return -self.upper if self.constraint.bounded else np.full(self.loss.shape, -np.inf)

    def start(self) -> Array:
        """The zero model, which lies in every set."""
        return np.zeros(self.loss.shape)

    def project(self, point: Array) -> Array:
        """Nearest point that satisfies the constraint; intercepts are free."""
        if self.constraint.elementwise:
            return np.clip(point, self.lower, self.upper)
        scale = self.loss.inputs.scale
        projected = point.copy()
        weights = self.loss.weights_of(projected)
        weights[...] = self.constraint.project(weights / scale, self.bound, scale**2) * scale
        return projected


class Solver(Protocol):
    """A solver hands every iterate to its callback, and stops when that returns False.

    It neither measures nor judges itself, and knows no limit: the callback does. One that has
    nothing to hand over for long asks how many ``seconds_left`` there are.
    """

    def applies(self, loss: str, constraint: ConstraintSet) -> str | None:
        """None, or the reason why this loss and set cannot be solved this way."""
        ...

    def run(self, problem: Problem, callback: Callback, start: Array) -> None: ...


def seconds_left(callback: Callback) -> float:
    """What the callback still allows; inf where there is no limit."""
    return float(getattr(callback, "left", math.inf))
