"""Is this really the optimum? Answered from the point alone.

Nothing here is shared with a solver: losses and gradients are computed anew from the data.
The duality gap g(θ) = ⟨∇L, θ⟩ + σ_C(−∇L) bounds L(θ) − L* for a convex, bounded set and an
intercept at its own optimum (the Frank-Wolfe gap; Jaggi, ICML 2013): L* lies above the least
value over the set of the tangent plane at θ. So it does of the tangent plane at any other point;
where the sum drowns in rounding, a point next to θ with a cleaner gradient takes its place, or
a lower bound of the loss without any constraint.
"""

import math
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..sets import ConstraintSet
from .intercept import fit_intercept, fit_levels

Array = NDArray[np.floating]

# Most free weights of which a certificate forms the Hessian: at the end, and while a solver is
# still running.
LARGEST_HESSIAN = 1500
QUICK_HESSIAN = 100
# A Newton step is worth its price below this residual, in standardised columns.
NEAR = 1e-3
# A curvature below this share of the largest counts as zero.
FLAT = 1e-11
LEVEL = 1e-11  # largest slope of an intercept at its own optimum
# A vector whose gauge is this close to the bound, relative to it, lies on the edge of its ball.
ON_EDGE = 1e-9
CELLS = 2**22  # residuals that are held at once
COLUMNS_AT_ONCE = 64  # whose spread is computed at once


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
    unit : float
        Loss of the zero model, at most 1 for softmax: what tolerances are relative to.
    convex, bounded : bool
        Of the set.
    kkt_residual : float
        ‖θ − Π_C(θ − ∇L)‖_∞, or the intercept's gradient if that is larger.
    scaled_residual : float
        The same with every column of unit variance and the zero model's loss as unit.
    multipliers : ndarray, float or None
        Price of the bound, loss per unit of slack, 0 or more. Elementwise sets: λ⁺ + λ⁻ of every
        weight, 0 where free. Balls: the one multiplier of the radius. Cardinality: None.
    violation : float
        By how much the bound would have to grow to hold the weight.
    """

    objective: float
    intercept: Array | float
    gradient: Array
    duality_gap: float
    unit: float
    convex: bool
    bounded: bool
    _certifier: "Certifier" = field(repr=False)
    _at: "_Point" = field(repr=False)
    _bound: float = field(repr=False)

    # A solver's iterates are judged by their gap alone. Facts that need projections are computed on
    # request.

    @cached_property
    def kkt_residual(self) -> float:
        return max(self._at.slope, self._certifier._residual(self._at, self._bound))

    @cached_property
    def scaled_residual(self) -> float:
        return self._certifier._scaled_residual(self._at, self._bound)

    @cached_property
    def multipliers(self) -> Array | float | None:
        return self._certifier._multipliers(self._at, self._bound)

    @cached_property
    def violation(self) -> float:
        return self._certifier.constraint.violation(self._at.weight, self._bound)

    def holds(self, tolerance: float) -> bool:
        """Whether the point is certified at this tolerance; never where numbers overflowed."""
        if not (math.isfinite(self.objective) and math.isfinite(self.unit)):
            return False
        if not np.isfinite(self.gradient).all():
            return False
        if self.duality_gap <= tolerance * self.unit:
            return True
        return self.convex and not self.bounded and self.scaled_residual <= tolerance


@dataclass(frozen=True, eq=False)
class Judgements:
    """What a certificate says of many points (b,) of two classes; intercepts: (b, 2)."""

    objectives: Array
    intercepts: Array
    duality_gaps: Array


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
        spread = np.empty(self.x.shape[1])
        for begin in range(0, len(spread), COLUMNS_AT_ONCE):
            few = slice(begin, begin + COLUMNS_AT_ONCE)
            spread[few] = np.sqrt(np.mean(self._centred[:, few] ** 2, axis=0))
            spread[few][spread[few] <= 1e-12 * np.abs(self.x[:, few]).max(axis=0)] = 0.0
        return spread

    @cached_property
    def _kept(self) -> NDArray[np.bool_]:
        return self._spread > 0

    @cached_property
    def _standardised(self) -> Array:
        return self._centred[:, self._kept] / self._spread[self._kept]

    @cached_property
    def _target(self) -> Array:
        target = self.y - self.y.mean()
        constant = np.abs(target).max() <= 1e-12 * np.abs(self.y).max()
        return np.zeros(len(target)) if constant else target

    @cached_property
    def _hot(self) -> Array:
        # One row holds one class, so that reductions over classes run along whole rows.
        return np.equal.outer(np.arange(int(self.y.max()) + 1), self.y).astype(np.float64)

    @cached_property
    def unit(self) -> float:
        if self.loss == "softmax":
            return min(1.0, math.log(len(self._hot)))
        return 0.5 * float(np.mean(self._target**2))

    @cached_property
    def _zero(self) -> "_Point":
        """The zero model, where every bound's search begins."""
        columns = self.x.shape[1]
        squared = self.loss == "squared"
        return self._look(np.zeros(columns if squared else (len(self._hot), columns)), None)

    @cached_property
    def _least(self) -> float:
        """A loss that no weight falls below: the least squares' own, or 0."""
        if self.loss == "softmax":
            return 0.0
        z = self._standardised
        if z.shape[1] == 0:
            return self.unit
        weight = np.linalg.lstsq(z, self._target, rcond=None)[0]
        return 0.5 * float(np.mean((self._target - z @ weight) ** 2))

    def judge(
        self,
        weight: Array,
        bound: float,
        intercept: Array | None = None,
        tolerance: float = 0.0,
        quick: bool = False,
    ) -> Certificate:
        """The certificate of one weight, (n,) or (classes, n), under one bound.

        ``intercept`` is a guess to start from; the optimal one is found here. A gap of
        ``tolerance``, relative to the unit, is small enough not to look for a smaller one;
        a quick look does not search long for one.
        """
        weight = np.asarray(weight, np.float64)
        at = self._look(weight, intercept) if weight.any() else self._zero
        largest = QUICK_HESSIAN if quick else LARGEST_HESSIAN
        return Certificate(
            objective=at.objective,
            intercept=at.intercept,
            gradient=at.gradient,
            duality_gap=self._gap(at, bound, tolerance * self.unit, largest),
            unit=self.unit,
            convex=self.constraint.convex,
            bounded=self.constraint.bounded,
            _certifier=self,
            _at=at,
            _bound=bound,
        )

    def judge_two_classes(self, weights: Array, bounds: Array, intercepts: Array) -> "Judgements":
        """Many weights (b, 2, n) of the softmax loss at once, each under its own bound.

        For a convex, bounded set. ``intercepts``, (b, 2), are guesses to start from. Gaps are
        those of the tangent planes at the weights themselves: ``judge`` may prove smaller ones.
        """
        difference = weights[:, 1] - weights[:, 0]
        shift = difference @ self._mean
        guess = intercepts[:, 1] - intercepts[:, 0] + shift
        level, objectives, share = fit_levels(difference @ self._centred.T, self._hot[1], guess)
        share -= self._hot[1]
        gradient = share @ self._centred / len(self.y)
        gradient[:, self._spread == 0] = 0.0
        gradients = np.stack([-gradient, gradient], axis=1)
        reach = np.fromiter(map(self.constraint.support, -gradients, bounds), float, len(bounds))
        gaps = np.sum(gradients * weights, axis=(1, 2)) + reach
        gaps[np.abs(share.mean(axis=1)) > LEVEL] = math.inf
        gaps = np.minimum(gaps, objectives - self._least)
        gaps[np.isnan(gaps)] = math.inf
        half = np.outer((level - shift) / 2, [-1.0, 1.0])
        middle = intercepts.mean(axis=1, keepdims=True)
        return Judgements(objectives, middle + half, np.maximum(gaps, 0.0))

    def reach(self, bound: float) -> float:
        """The zero model's gap: the most by which a bound can lower the loss."""
        return self._zero.objective - max(self._bound_by_tangent(self._zero, bound), self._least)

    def tangent_gaps(self, weights: Array, bounds: Array) -> Array:
        """Duality gaps (b,) of many weights (b, n) of the squared loss, each under its own bound.

        Those of the tangent planes at the weights themselves: ``judge`` may prove smaller ones.
        """
        gaps = np.zeros(len(bounds))
        at_once = max(1, CELLS // len(self.y))
        for begin in range(0, len(bounds), at_once):
            rows = slice(begin, begin + at_once)
            residual = self._centred @ weights[rows].T - self._target[:, None]
            residual -= residual.mean(axis=0)
            gradients = residual.T @ self._centred / len(self.y)
            gradients[:, self._spread == 0] = 0.0
            reach = map(self.constraint.support, -gradients, bounds[rows])
            gaps[rows] = np.sum(gradients * weights[rows], axis=1) + np.fromiter(reach, float)
        return np.maximum(gaps, 0.0)

    def _look(self, weight: Array, intercept: Array | None) -> "_Point":
        if self.loss == "squared":
            residual = self._centred @ weight - self._target
            residual -= residual.mean()
            objective = 0.5 * float(np.mean(residual**2))
            gradient = residual @ self._centred / len(self.y)
            gradient[self._spread == 0] = 0.0
            return _Point(
                weight, float(self.y.mean() - self._mean @ weight), objective, gradient, 0.0, None
            )
        logits = weight @ self._centred.T
        guess = None if intercept is None else intercept + weight @ self._mean
        level, objective, share = fit_intercept(logits, self._hot, guess)
        excess = share - self._hot
        gradient = excess @ self._centred / len(self.y)
        gradient[:, self._spread == 0] = 0.0
        slope = float(np.abs(excess.mean(axis=1)).max())
        return _Point(weight, level - weight @ self._mean, objective, gradient, slope, share.T)

    def _gap(self, at: "_Point", bound: float, enough: float, largest: int) -> float:
        convex, bounded = self.constraint.convex, self.constraint.bounded
        lower = self._bound_by_tangent(at, bound)
        if at.objective - self._least <= 1e-3 * self.unit or (convex and bounded):
            lower = max(lower, self._least)
        close = convex and not at.objective - lower <= enough
        if close and self._scaled_residual(at, bound) <= NEAR:
            if bounded and bound < math.inf:
                # A longer step tells free weights from those that a solver left next to the edge.
                quick = largest == QUICK_HESSIAN
                for length in (1.0,) if quick else (1.0, 1e2, 1e4, 1e6):
                    z: _Point | None = self._shift_weights(at)
                    for _ in range(2 if quick else 5):
                        if z is not None and at.objective - lower > enough:
                            z = self._polish(z, bound, length, largest)
                            lower = max(lower, self._bound_by_tangent(z, bound) if z else -math.inf)
            if self.loss == "softmax" and at.objective - lower > enough:
                lower = max(lower, at.objective - self._unconstrained_gap(at, largest))
        gap = at.objective - lower
        return max(0.0, gap) if not math.isnan(gap) else math.inf

    def _shift_weights(self, at: "_Point") -> "_Point":
        """The same softmax model with the least L1 norm: a weight of each feature becomes zero."""
        if self.loss != "softmax" or not self.constraint.has_faces:
            return at
        middle = np.sort(at.weight, axis=0)[(len(at.weight) - 1) // 2]
        return replace(at, weight=at.weight - middle)

    def _bound_by_tangent(self, at: "_Point", bound: float) -> float:
        """Least value over the set of the loss's tangent plane at a point, itself in or out.

        A convex loss lies above it: a lower bound of the optimum; −inf where there is none.
        """
        if not self.constraint.convex or at.slope > LEVEL or bound == math.inf:
            return -math.inf
        reach = self.constraint.support(-at.gradient, bound)
        return at.objective - (float(np.sum(at.gradient * at.weight)) + reach)

    def _polish(self, at: "_Point", bound: float, length: float, largest: int) -> "_Point | None":
        """A Newton step to where the gradient is what the set asks for: a better tangent.

        Free weights should have no gradient at all; what is left of it costs up to c times
        its size, which for a column of small numbers and a large c is no small change.
        """
        spread = self._spread[self._kept]
        moved = self._step(at, bound, length)
        gradient = at.gradient[..., self._kept] / spread
        free = np.ones_like(moved, bool)
        aim = np.zeros_like(moved)
        if self.constraint.elementwise:
            free = ~self.constraint.find_pinned(moved, bound)
        elif self.constraint.gauge(moved) >= bound * (1 - ON_EDGE) > 0:
            # On a ball's edge the gradient is the gauge's gradient times the multiplier.
            free = ~self.constraint.find_pinned(moved, 0.0)
            normal = np.sign(moved) if self.constraint.has_faces else moved / bound
            price = float(np.sum(gradient * spread * moved)) / float(np.sum(normal * moved))
            aim = price * normal / spread
        if not 0 < int(free.sum()) <= largest:
            return None
        wanted = (aim - gradient)[free]
        if self.loss == "softmax":
            wanted = np.concatenate([wanted, np.zeros(len(at.weight))])
        values, vectors = np.linalg.eigh(self._hessian(at, free))
        steep = values > FLAT * values[-1]
        step = vectors[:, steep] @ ((vectors[:, steep].T @ wanted) / values[steep])
        change = np.zeros_like(moved)
        change[free] = step[: int(free.sum())]
        weight = at.weight.copy()
        weight[..., self._kept] += change / spread
        return self._look(weight, np.asarray(at.intercept))

    def _hessian(self, at: "_Point", free: NDArray[np.bool_]) -> Array:
        """The Hessian of the mask's weights, in standardised columns, then of intercepts."""
        z, share = self._standardised, at.share
        if share is None:
            return z[:, free].T @ z[:, free] / len(z)
        classes, columns = np.nonzero(free)
        levels = np.arange(share.shape[1])
        design = np.column_stack([z[:, columns], np.ones((len(z), len(levels)))])
        owner = np.concatenate([classes, levels])
        rows = share[:, owner] * design
        hessian = -(rows.T @ rows)
        for k in levels:
            in_class = owner == k
            hessian[np.ix_(in_class, in_class)] += rows[:, in_class].T @ design[:, in_class]
        return hessian / len(z)

    def _unconstrained_gap(self, at: "_Point", largest: int) -> float:
        """Distance to the softmax loss's infimum over all weights, at most; inf if not known.

        Along any direction of unit length in the Hessian's norm, the loss falls by at most
        ν t − (e^{−ρt} + ρt − 1)/ρ², with ν the Newton decrement and ρ the largest spread of
        logits that such a direction makes: the third derivative is at most ρ times the second.
        Worth its price only where the gradient nearly vanishes.
        """
        assert at.share is not None
        scaled = at.gradient[:, self._kept] / self._spread[self._kept]
        if scaled.size > largest or np.abs(scaled).max(initial=0.0) > 1e-4:
            return math.inf
        z = np.column_stack([self._standardised, np.ones(len(self.x))])
        (classes, size), width = scaled.shape, z.shape[1]
        values, vectors = np.linalg.eigh(self._hessian(at, np.ones_like(scaled, bool)))
        flat = values <= FLAT * values[-1]
        # The logits do not change along a shift of all classes, nor where columns are dependent.
        if flat.sum() != width + (classes - 1) * (width - np.linalg.matrix_rank(z)):
            return math.inf
        steep = vectors[:, ~flat] / np.sqrt(values[~flat])
        slopes = (at.share - self._hot.T).mean(axis=0)
        decrement = float(np.linalg.norm(np.concatenate([scaled.ravel(), slopes]) @ steep))
        of_weights = steep[: classes * size].reshape(classes, size, -1)
        of_levels = steep[classes * size :].reshape(classes, 1, -1)
        blocks = np.concatenate([of_weights, of_levels], axis=1)
        spread = 2 * max(float(np.linalg.norm(z @ block, axis=1).max()) for block in blocks)
        if decrement * spread >= 0.5:
            return math.inf
        # u + (1 − u) log(1 − u) is u²/2 + u³/6 + ... and at most 0.8 u² here.
        return 0.8 * decrement**2

    def _residual(self, at: "_Point", bound: float) -> float:
        moved = self.constraint.project(at.weight - at.gradient, bound)
        return float(np.abs(at.weight - moved).max(initial=0.0))

    def _step(self, at: "_Point", bound: float, length: float = 1.0) -> Array:
        """A gradient step in standardised columns, projected; the kept columns only."""
        metric = self._spread[self._kept] ** 2
        weight, gradient = at.weight[..., self._kept], at.gradient[..., self._kept]
        return self.constraint.project(weight - length * gradient / metric, bound, metric)

    def _scaled_residual(self, at: "_Point", bound: float) -> float:
        change = at.weight[..., self._kept] - self._step(at, bound)
        largest = float(np.abs(change * self._spread[self._kept]).max(initial=0.0))
        if largest == 0:
            return 0.0
        return largest / math.sqrt(self.unit) if self.unit else math.inf

    def _multipliers(self, at: "_Point", bound: float) -> Array | float | None:
        weight, gradient = at.weight, at.gradient
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
        # The unit ball's support function: the loss that one more unit of radius saves.
        return self.constraint.support(-gradient, 1.0)


@dataclass(frozen=True, eq=False)
class _Point:
    """The loss at a weight with its best intercept; share: the probabilities (N, classes)."""

    weight: Array
    intercept: Array | float
    objective: float
    gradient: Array
    slope: float
    share: Array | None
