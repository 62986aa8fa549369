"""Is this really the optimum? Answered from the point alone.

Nothing here is shared with a solver: losses and gradients are computed anew from the data.
The duality gap g(θ) = ⟨∇L, θ⟩ + σ_C(−∇L) bounds L(θ) − L* for a convex, bounded set and an
intercept at its own optimum (the Frank-Wolfe gap; Jaggi, ICML 2013). Where the bound is so
loose that this sum drowns in rounding, the distance to a lower bound of the loss without any
constraint takes its place.
"""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from .sets import ConstraintSet

Array = NDArray[np.floating]

# Above this many weights the Hessian of a softmax model is not formed for a certificate.
LARGEST_HESSIAN = 1500


@dataclass(frozen=True, eq=False)
class Certificate:
    """What can be said of one point.

    Attributes
    ----------
    objective : float
        Loss at the weight, with the intercept at its optimum.
    intercept : float or ndarray, shape (classes,)
    gradient : ndarray
        ∂L/∂θ, of the weight's shape, in loss per unit of the weight.
    duality_gap : float
        The objective is at most this far above the optimum, in units of the loss; inf where no
        such bound is known (upper: unless the bound costs nothing; cardinality: no certificate).
    kkt_residual : float
        ‖θ − Π_C(θ − ∇L)‖_∞, or the intercept's gradient if that is larger.
    scaled_residual : float
        The same with every column of unit variance and the zero model's loss as unit; only for
        elementwise sets, else nan.
    multipliers : ndarray, float or None
        Price of the bound, loss per unit of slack, 0 or more. Elementwise sets: λ⁺ + λ⁻ of every
        weight, 0 where free. Balls: the one multiplier of the radius. Cardinality: None.
    violation : float
        By how much the bound would have to grow to hold the weight.
    unit : float
        Loss of the zero model, at most 1 for softmax: what tolerances are relative to.
    convex, bounded : bool
        Of the set.
    """

    objective: float
    intercept: Array | float
    gradient: Array
    duality_gap: float
    kkt_residual: float
    scaled_residual: float
    multipliers: Array | float | None
    violation: float
    unit: float
    convex: bool
    bounded: bool

    def holds(self, tolerance: float) -> bool:
        """Whether the point is certified at this tolerance."""
        if self.duality_gap <= tolerance * self.unit:
            return True
        return self.convex and not self.bounded and self.scaled_residual <= tolerance


@dataclass(frozen=True, eq=False)
class Certifier:
    """Judges points of one problem.

    Parameters
    ----------
    x : ndarray, shape (N, n)
    y : ndarray, shape (N,)
        Targets, or labels from 0 on.
    loss : str
        "squared" or "softmax".
    constraint : ConstraintSet
    """

    x: Array
    y: Array
    loss: str
    constraint: ConstraintSet

    @cached_property
    def _mean(self) -> Array:
        return self.x.mean(axis=0)

    @cached_property
    def _centred(self) -> Array:
        return self.x - self._mean

    @cached_property
    def _spread(self) -> Array:
        spread = np.sqrt(np.mean(self._centred**2, axis=0))
        spread[spread <= 1e-12 * np.abs(self.x).max(axis=0)] = 0.0
        return spread

    @cached_property
    def _target(self) -> Array:
        target = self.y - self.y.mean()
        constant = np.abs(target).max() <= 1e-12 * np.abs(self.y).max()
        return np.zeros(len(target)) if constant else target

    @cached_property
    def _hot(self) -> Array:
        return np.eye(int(self.y.max()) + 1)[self.y.astype(int)]

    @cached_property
    def unit(self) -> float:
        if self.loss == "softmax":
            return min(1.0, math.log(self._hot.shape[1]))
        return 0.5 * float(np.mean(self._target**2))

    @cached_property
    def _least(self) -> float:
        """A loss that no weight falls below: the least squares' own, or 0."""
        if self.loss == "softmax":
            return 0.0
        kept = self._spread > 0
        if not kept.any():
            return self.unit
        z = self._centred[:, kept] / self._spread[kept]
        weight = np.linalg.lstsq(z, self._target, rcond=None)[0]
        return 0.5 * float(np.mean((self._target - z @ weight) ** 2))

    def judge(self, weight: Array, bound: float, intercept: Array | None = None) -> Certificate:
        """The certificate of one weight, (n,) or (classes, n), under one bound.

        ``intercept`` is a guess to start from; the optimal one is found here.
        """
        weight = np.asarray(weight, np.float64)
        if self.loss == "squared":
            residual = self._centred @ weight - self._target
            residual -= residual.mean()
            objective = 0.5 * float(np.mean(residual**2))
            gradient = residual @ self._centred / len(self.y)
            free: Array | float = float(self.y.mean() - self._mean @ weight)
            slope = 0.0
        else:
            logits = self._centred @ weight.T
            guess = None if intercept is None else intercept + weight @ self._mean
            level, objective, share = _best_intercept(logits, self._hot, guess)
            gradient = (share - self._hot).T @ self._centred / len(self.y)
            slope = float(np.abs((share - self._hot).mean(axis=0)).max())
            free = level - weight @ self._mean
        gradient[..., self._spread == 0] = 0.0
        return Certificate(
            objective=objective,
            intercept=free,
            gradient=gradient,
            duality_gap=self._gap(weight, bound, objective, gradient, slope, free),
            kkt_residual=max(slope, self._residual(weight, bound, gradient)),
            scaled_residual=self._scaled_residual(weight, bound, gradient),
            multipliers=self._multipliers(weight, bound, gradient),
            violation=self.constraint.violation(weight, bound),
            unit=self.unit,
            convex=self.constraint.convex,
            bounded=self.constraint.bounded,
        )

    def _gap(
        self,
        weight: Array,
        bound: float,
        objective: float,
        gradient: Array,
        slope: float,
        intercept: Array | float,
    ) -> float:
        gap = math.inf
        if self.constraint.convex and slope <= 1e-9 and bound < math.inf:
            reach = self.constraint.support(-gradient, bound)
            gap = max(0.0, float(np.sum(gradient * weight)) + reach)
        above = max(0.0, objective - self._least)
        if above <= 1e-3 * self.unit or (self.constraint.convex and self.constraint.bounded):
            gap = min(gap, above)
        if self.loss == "softmax" and gap > 1e-12 and slope <= 1e-9:
            gap = min(gap, self._unconstrained_gap(weight, intercept, gradient))
        return gap

    def _unconstrained_gap(self, weight: Array, intercept: Array | float, gradient: Array) -> float:
        """Distance to the softmax loss's infimum over all weights, at most; inf if not known.

        Along any direction of unit length in the Hessian's norm, the loss falls by at most
        ν t − (e^{−ρt} + ρt − 1)/ρ², with ν the Newton decrement and ρ the largest spread of
        logits that such a direction makes: the third derivative is at most ρ times the second.
        Worth its price only where the gradient nearly vanishes.
        """
        kept = self._spread > 0
        scaled = gradient[:, kept] / self._spread[kept]
        if scaled.size > LARGEST_HESSIAN or np.abs(scaled).max(initial=0.0) > 1e-4:
            return math.inf
        z = np.column_stack([self._centred[:, kept] / self._spread[kept], np.ones(len(self.x))])
        level = np.asarray(intercept) + weight @ self._mean
        logits = self._centred @ weight.T + level
        share = np.exp(logits - logits.max(axis=1, keepdims=True))
        share /= share.sum(axis=1, keepdims=True)
        samples, classes, width = len(z), share.shape[1], z.shape[1]
        rows = (share[:, :, None] * z[:, None, :]).reshape(samples, -1)
        hessian = -(rows.T @ rows) / samples
        for k in range(classes):
            block = slice(k * width, (k + 1) * width)
            hessian[block, block] += (z * share[:, k : k + 1]).T @ z / samples
        values, vectors = np.linalg.eigh(hessian)
        flat = values <= 1e-11 * values[-1]
        rank = np.linalg.matrix_rank(z)
        if flat.sum() != width + (classes - 1) * (width - rank):
            return math.inf
        steep = vectors[:, ~flat] / np.sqrt(values[~flat])
        slope = np.column_stack([scaled, (share - self._hot).mean(axis=0)]).ravel()
        decrement = float(np.linalg.norm(slope @ steep))
        blocks = steep.reshape(classes, width, -1)
        spread = 2 * max(float(np.linalg.norm(z @ block, axis=1).max()) for block in blocks)
        u = decrement * spread
        if u >= 0.5:
            return math.inf
        # u + (1 − u) log(1 − u) is u²/2 + u³/6 + ... and at most 0.8 u² here.
        return 0.8 * decrement**2

    def _residual(self, weight: Array, bound: float, gradient: Array) -> float:
        moved = self.constraint.project(weight - gradient, bound)
        return float(np.abs(weight - moved).max(initial=0.0))

    def _scaled_residual(self, weight: Array, bound: float, gradient: Array) -> float:
        if not self.constraint.elementwise:
            return math.nan
        kept = self._spread > 0
        spread = self._spread[kept]
        weight, gradient = weight[..., kept], gradient[..., kept]
        moved = self.constraint.project(weight - gradient / spread**2, bound)
        largest = float(np.abs((weight - moved) * spread).max(initial=0.0))
        if largest == 0:
            return 0.0
        return largest / math.sqrt(self.unit) if self.unit else math.inf

    def _multipliers(self, weight: Array, bound: float, gradient: Array) -> Array | float | None:
        if not self.constraint.convex:
            return None
        if self.constraint.elementwise:
            edge = bound * (1 - 1e-6)
            price = np.where(weight >= edge, np.maximum(0.0, -gradient), 0.0)
            if self.constraint.bounded:
                price += np.where(weight <= -edge, np.maximum(0.0, gradient), 0.0)
            return price
        if self.constraint.gauge(weight) < bound * (1 - 1e-6):
            return 0.0
        # σ of the unit ball: how much loss one more unit of radius buys.
        return self.constraint.support(-gradient, 1.0)


def _best_intercept(logits: Array, hot: Array, guess: Array | None) -> tuple[Array, float, Array]:
    """Intercepts (K,) that minimise the cross-entropy for given logits (N, K).

    Damped Newton; returns them with the loss and the probabilities (N, K).
    """
    counts = hot.mean(axis=0)
    level = np.log(counts) if guess is None else np.asarray(guess, np.float64).copy()

    def at(level: Array) -> tuple[float, Array]:
        total = logits + level
        top = total.max(axis=1, keepdims=True)
        share = np.exp(total - top)
        mass = share.sum(axis=1, keepdims=True)
        share /= mass
        fit = np.log(mass[:, 0]) + top[:, 0] - (total * hot).sum(axis=1)
        return float(fit.mean()), share

    loss, share = at(level)
    for _ in range(100):
        slope = share.mean(axis=0) - counts
        if np.abs(slope).max() <= 1e-15:
            break
        curvature = np.diag(share.mean(axis=0)) - share.T @ share / len(logits)
        ridge = 1e-12 * np.trace(curvature) + 1e-300
        step = -np.linalg.lstsq(curvature + ridge * np.eye(len(slope)), slope, rcond=None)[0]
        step -= step.mean()
        step *= min(1.0, 20.0 / max(float(np.abs(step).max()), 1e-300))
        length, expected = 1.0, float(slope @ step)
        while length > 1e-8:
            new_loss, new_share = at(level + length * step)
            if new_loss <= loss + 1e-4 * length * expected + 1e-16 * abs(loss):
                break
            length /= 2
        else:
            break
        new_slope = np.abs(new_share.mean(axis=0) - counts).max()
        if new_slope >= np.abs(slope).max() and np.abs(slope).max() < 1e-12:
            break
        level, loss, share = level + length * step, new_loss, new_share
    return level, loss, share
