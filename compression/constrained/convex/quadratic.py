"""Quadratic models of a loss, minimised within a box.

A model's Hessian is written out where it is small. Where it is not it is only multiplied with,
and conjugate gradients solve its equations, preconditioned by its diagonal, or, where that takes
more products than they cost, by its blocks of one class each.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from .losses import SoftmaxCurvature

Array = NDArray[np.floating]
Mask = NDArray[np.bool_]


class Quadratic(Protocol):
    """½ vᵀHv with H positive definite; v of any one shape."""

    def product(self, v: Array) -> Array:
        """H v."""
        ...

    def solve(self, free: Mask, right: Array) -> Array:
        """The v that is zero outside the free coordinates, with H v = right in them."""
        ...


@dataclass(frozen=True, eq=False)
class DenseQuadratic:
    """The Hessian written out, (n, n); v is a vector."""

    hessian: Array

    def product(self, v: Array) -> Array:
        return self.hessian @ v

    def solve(self, free: Mask, right: Array) -> Array:
        block, answer = self.hessian[np.ix_(free, free)], np.zeros_like(right)
        try:
            factor = cho_factor(block, check_finite=False)
            answer[free] = cho_solve(factor, right[free], check_finite=False)
        except LinAlgError:  # flat directions
            answer[free] = np.linalg.lstsq(block, right[free], rcond=None)[0]
        return answer


@dataclass(frozen=True, eq=False)
class MatrixFreeQuadratic:
    """A softmax loss's Hessian at one point, plus ``raised`` times the identity.

    Its equations are solved to ``tolerance``, relative to the largest right-hand side, or as far
    as ``patience`` products lead: a step that stops short is still a step down.
    """

    curvature: SoftmaxCurvature
    raised: float
    tolerance: float = 0.6
    patience: int = 100
    _blocks: list[Array] = field(default_factory=list, init=False)

    def product(self, v: Array) -> Array:
        return self.curvature.product(v) + self.raised * v

    def solve(self, free: Mask, right: Array) -> Array:
        answer, rest = np.zeros_like(right), np.where(free, right, 0.0)
        goal = self.tolerance * float(np.abs(rest).max(initial=0.0))
        price = right.shape[-1] // 2  # the blocks cost as much as this many products
        if not self._blocks:
            diagonal = self.curvature.diagonal + self.raised
            patience = min(price, self.patience)
            answer, rest = self._descend(answer, rest, free, lambda v: v / diagonal, goal, patience)
        if price < self.patience and float(np.abs(rest).max(initial=0.0)) > goal:
            precondition = self._invert_by_class(free)
            answer, rest = self._descend(answer, rest, free, precondition, goal, self.patience)
        return answer

    def _descend(
        self,
        answer: Array,
        rest: Array,
        free: Mask,
        precondition: Callable[[Array], Array],
        goal: float,
        patience: int,
    ) -> tuple[Array, Array]:
        """Run conjugate gradients from an answer and its residual."""
        ahead = precondition(rest)
        slope = float(np.sum(rest * ahead))
        for _ in range(patience):
            if float(np.abs(rest).max(initial=0.0)) <= goal:
                break
            change = np.where(free, self.product(ahead), 0.0)
            length = slope / float(np.sum(ahead * change))
            answer, rest = answer + length * ahead, rest - length * change
            down = precondition(rest)
            before, slope = slope, float(np.sum(rest * down))
            ahead = down + (slope / before) * ahead
        return answer, rest

    def _invert_by_class(self, free: Mask) -> Callable[[Array], Array]:
        """The Hessian's inverse without the blocks between classes."""
        if not self._blocks:
            self._blocks.extend(self.curvature.class_block(k) for k in range(len(free)))
        factors = []
        for k, class_free in enumerate(free):
            members = np.flatnonzero(class_free)
            block = self._blocks[k][np.ix_(members, members)]
            block[np.diag_indices_from(block)] += self.raised
            if len(members):
                factors.append((k, members, cho_factor(block, check_finite=False)))

        def solve(v: Array) -> Array:
            answer = np.zeros_like(v)
            for k, members, factor in factors:
                answer[k, members] = cho_solve(factor, v[k, members], check_finite=False)
            return answer

        return solve


def minimise_in_box(
    model: Quadratic, slope: Array, lower: Array, upper: Array, start: Array, tolerance: float
) -> Array:
    """Minimum of a quadratic over lower <= x <= upper, from a start within, where its slope is known.

    Newton steps on what is free to move, bent along the box; each makes the model smaller.
    Ends where nothing free has a slope above the tolerance, relative to the largest at the start.
    """
    x = start
    goal: float | None = None
    for _ in range(100):
        free = ~(((x <= lower) & (slope > 0)) | ((x >= upper) & (slope < 0)))
        steepest = float(np.abs(slope[free]).max(initial=0.0))
        goal = tolerance * steepest if goal is None else goal
        if steepest <= goal:
            break
        lowered = _descend(model, slope, x, -model.solve(free, slope), lower, upper)
        if lowered is None:
            # The step pushes weights beyond bounds that they may leave. Projected, it may raise the
            # model.
            lowered = _descend(model, slope, x, _steepest_step(model, free, slope), lower, upper)
        if lowered is None:
            break
        x, change = lowered
        slope = slope + change
    return x


def _descend(
    model: Quadratic, slope: Array, x: Array, step: Array, lower: Array, upper: Array
) -> tuple[Array, Array] | None:
    """The first point along a step, bent along the box, that lowers the model enough.

    With the change of its slope; None: there is none.
    """
    length = 1.0
    while length > 1e-12:
        point = np.clip(x + length * step, lower, upper)
        move = point - x
        change = model.product(move)
        fall = float(np.sum(move * slope))
        if fall < 0 and fall + 0.5 * float(np.sum(move * change)) <= 1e-4 * fall:
            return point, change
        length /= 2
    return None


def _steepest_step(model: Quadratic, free: Mask, slope: Array) -> Array:
    """The step along the free slopes to the model's minimum, ignoring the box."""
    step = np.where(free, -slope, 0.0)
    bend = float(np.sum(step * model.product(step)))
    return step * (float(np.sum(step**2)) / bend) if bend > 0 else step
