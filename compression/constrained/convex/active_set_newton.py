"""Logistic regression in an L1 ball, bound after bound: Newton on the weights that are not zero.

Softmax of two classes depends on the difference d of their weights alone, and the two have the
least L1 norm, that of d, where one is the other's opposite. With s = ±1 for the classes:

    min (1/N) Σ log(1 + exp(−s (z·d + b)))  subject to  Σ abs(d_l) / scale_l <= c.

At every step a quadratic model is minimised within the ball, over the weights that are not zero
and those whose slope is steeper than the bound's price: in the manner of Lee, Lee, Abbeel & Ng,
Efficient L1 regularized logistic regression, AAAI 2006. Between two bounds the model of the first
one, minimised under the second, says where to begin: few bounds need a second step.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import dposv
from scipy.special import expit

from .losses import SoftmaxLoss

Array = NDArray[np.floating]

MAX_STEPS = 20
# One step may free as many weights as are free already, and at least this number.
ADMITTED = 10
# Share of a model's diagonal that is added to it, so that equal columns share their weight.
RAISED = 1e-10
# A step is shortened until the slope along it falls to this share of the slope at its start, at
# most MAX_CUTS times.
CURBED = 0.5
MAX_CUTS = 30


@dataclass(frozen=True, eq=False)
class _QuadraticModel:
    """½ xᵀHx − rᵀx over members and intercept; ``normal``: the face of the ball, Σ normal x."""

    hessian: Array
    right: Array
    normal: Array

    def minimise(self, bound: float, start: Array) -> Array | None:
        """The model's minimum with signs kept and Σ normal x <= bound; None: rounding prevents it.

        From a start in the ball straight on until a member is zero, then without that one.
        """
        here = start.copy()
        answer, free = np.zeros_like(self.right), np.arange(len(self.right))
        hessian, sides = self.hessian, np.column_stack([self.right, self.normal])
        while True:
            _, solved, failed = dposv(hessian, sides)
            if failed:
                return None
            (x, along), normal = solved.T, sides[:, 1]
            excess = float(normal @ x) - bound
            if excess > 0 and len(free) > 1:
                x = x - excess / float(normal @ along) * along
            stays = x * normal >= 0
            if not np.isfinite(x).all():
                return None
            if stays.all():
                answer[free] = x
                return answer
            turns = here / np.where(stays, -1.0, here - x)
            turns[stays] = np.inf
            here = here + turns.min() * (x - here)
            stays = turns > turns.min()
            free, here = free[stays], here[stays]
            hessian, sides = self.hessian[np.ix_(free, free)], sides[stays]

    def keep(self, kept: NDArray[np.bool_]) -> "_QuadraticModel":
        """The model where all others are zero."""
        return _QuadraticModel(
            self.hessian[np.ix_(kept, kept)], self.right[kept], self.normal[kept]
        )


class ActiveSetNewton:
    """Solves for one bound after the other, each from where the last one ended."""

    def __init__(self, loss: SoftmaxLoss) -> None:
        self.design, self.positive = loss.design, loss.hot[1] / loss.samples
        self.samples, self.scale = loss.samples, loss.inputs.scale
        self.model: _QuadraticModel | None = None
        self._hold(np.zeros(0, np.intp), np.zeros(0), np.zeros(1))
        self._look(np.zeros(loss.samples))

    def solve(self, bound: float, aim: float) -> Array:
        """A point (2, p + 1) in the ball, its duality gap at most ``aim`` unless steps ran out.

        ``bound`` is c in the data's own units. Nobody should rely on the gap: judge the point.
        """
        self._follow_model(bound)
        for _ in range(MAX_STEPS):
            gradient = self.design @ self.residual
            prices = np.abs(gradient[:-1]) * self.scale
            inward = -float(gradient[self.members] @ self.x[:-1])
            gap = bound * float(prices.max()) - inward
            # The intercept's slope may add this much to the gap.
            unsettled = abs(float(gradient[-1])) * float(np.abs(self.x[:-1]).sum())
            if gap <= aim and unsettled <= aim:
                break
            self._admit(prices, gradient, inward / bound)
            if not self._step(gradient, bound):
                break
        return self._to_point(bound)

    def _hold(self, members: NDArray[np.intp], signs: Array, x: Array) -> None:
        """Keep these weights, and the intercept as the last of x; set all others to zero."""
        self.members, self.signs, self.x = members, signs, x
        self.places = np.append(members, len(self.design) - 1)
        self.rows = self.design[self.places]

    def _look(self, odds: Array) -> None:
        self.odds, self.share = odds, expit(odds)
        self.residual = self.share / self.samples - self.positive

    def _follow_model(self, bound: float) -> None:
        """Move to the last model's minimum under another bound."""
        x = None if self.model is None else self.model.minimise(bound, self.x)
        if x is not None:
            self.x = x
            self._look(x @ self.rows)

    def _admit(self, prices: Array, gradient: Array, price: float) -> None:
        """Add members whose slope gains more than the bound's price."""
        prices[self.members] = 0.0
        worth = np.flatnonzero(prices > price)
        most = max(ADMITTED, len(self.members))
        if len(worth) > most:
            worth = worth[np.argpartition(-prices[worth], most)[:most]]
        if len(worth):
            members = np.concatenate([self.members, worth])
            signs = np.concatenate([self.signs, -np.sign(gradient[worth])])
            self._hold(members, signs, np.insert(self.x, -1, np.zeros(len(worth))))

    def _step(self, gradient: Array, bound: float) -> bool:
        """Step to the model's minimum, or as far as the loss falls; False: it does not fall."""
        root = self.rows * np.sqrt(self.share * (1 - self.share) / self.samples)
        hessian = root @ root.T
        hessian.flat[:: len(hessian) + 1] *= 1 + RAISED
        right = hessian @ self.x - gradient[self.places]
        normal = np.append(self.signs / self.scale[self.members], 0.0)
        self.model = _QuadraticModel(hessian, right, normal)
        x = self.model.minimise(bound, self.x)
        if x is None:
            self.model = None
            return False
        odds, way = self.odds, x @ self.rows - self.odds
        slope, length = float(self.residual @ way), 1.0
        if not slope < 0:
            return False
        for _ in range(MAX_CUTS):
            self._look(odds + length * way)
            ahead = float(self.residual @ way)
            if ahead <= -CURBED * slope:
                break
            # The step went beyond the minimum along its way, where the loss may have risen.
            length *= min(max(slope / (slope - ahead), 0.1), 0.9)
        self.x = x if length == 1 else self.x + length * (x - self.x)
        kept = np.append(self.x[:-1] != 0, True)
        if not kept.all():
            self.model = self.model.keep(kept)
            self._hold(self.members[kept[:-1]], self.signs[kept[:-1]], self.x[kept])
        return True

    def _to_point(self, bound: float) -> Array:
        point = np.zeros((2, len(self.design)))
        point[1, self.places] = self.x / 2
        size = float(np.sum(np.abs(self.x[:-1]) / self.scale[self.members]))
        if size > bound:  # by rounding
            point[1, :-1] *= bound / size
        point[0] = -point[1]
        return point
