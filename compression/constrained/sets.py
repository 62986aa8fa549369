"""The sets C(c) that weights are held in: projections, support functions, gauges, states.

Every set reads an array of any shape as one vector θ and shares one interface.
"""

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..errors import ArgumentError
from ..weight_states import FREE, LOWER, UPPER, ZERO

Array = NDArray[np.floating]

SORTED = 1000  # up to this many numbers, sorting is faster than leaving some out repeatedly
CIRCLE_CORNERS = 72  # corners of an outline that stands for a circle


def check_bound(bound: float, title: str = "bound c") -> float:
    """The bound as a float; raises ArgumentError unless it is a number from 0 on (inf: no bound)."""
    try:
        value = float(bound)
    except (TypeError, ValueError):
        raise ArgumentError(f"{title} = {bound!r} is not a number: choose 0 or more") from None
    if math.isnan(value) or value < 0:
        raise ArgumentError(f"{title} = {bound} is not possible: choose 0 or more")
    return value


@dataclass(frozen=True)
class ConstraintSet:
    """What all sets share. A weight array v of any shape is read as one vector.

    ``convex``, ``bounded`` and ``elementwise`` say what a solver may rely on: certificates need
    the first two, coordinate-wise methods the last. ``counts``: c is a number of weights.
    ``has_exact_path``: the squared loss's optima move along straight lines as c grows.
    ``has_faces``: its edge is made of flat faces, told apart by the signs of its weights.
    ``is_round``: its edge bends everywhere. ``has_cone``: it has a ``cone``.
    """

    name: ClassVar[str]
    convex: ClassVar[bool] = True
    bounded: ClassVar[bool] = True
    elementwise: ClassVar[bool] = False
    counts: ClassVar[bool] = False
    has_exact_path: ClassVar[bool] = False
    has_faces: ClassVar[bool] = False
    is_round: ClassVar[bool] = False
    has_cone: ClassVar[bool] = False

    def project(self, v: Array, c: float, metric: Array | None = None) -> Array:
        """Nearest point of C(c) to v.

        Parameters
        ----------
        v : ndarray, any shape
        c : float
            c >= 0; ``inf`` is no bound.
        metric : ndarray, broadcast to v, optional
            Positive weights m of the distance Σ m_l (z_l − v_l)²; None: all one.

        Returns
        -------
        ndarray
            Of the shape and type of v.
        """
        raise NotImplementedError

    def support(self, v: Array, c: float) -> float:
        """σ_C(v), the largest ⟨v, θ⟩ over θ in C(c)."""
        raise NotImplementedError

    def gauge(self, v: Array) -> float:
        """Smallest c >= 0 whose C(c) holds v."""
        raise NotImplementedError

    def violation(self, v: Array, c: float) -> float:
        """By how much c would have to grow to hold v, in the units of c; 0 inside."""
        return max(0.0, self.gauge(v) - check_bound(c))

    def find_pinned(self, v: Array, c: float, tolerance: float = 0.0) -> NDArray[np.bool_]:
        """Which weights the set holds in place: at ±c, or at exactly zero.

        ``tolerance`` is relative to c: the distance at which a weight counts as held.
        """
        raise NotImplementedError

    def states(self, v: Array, c: float) -> NDArray[np.int8]:
        """Each weight's ``WeightState``: what has to be stored of it.

        Exact comparisons in the type of v: a weight is rebuilt from its state bit by bit.
        """
        v = np.asarray(v)
        return np.where((v == 0) & ~np.signbit(v), ZERO, FREE).astype(np.int8)

    def bound_left(self, others: Array, c: float) -> float:
        """The bound that two weights share when the others have these values.

        Here c itself: what a weight may be does not depend on the others.
        """
        return check_bound(c)

    def cone(self, cvxpy: Any, weights: Any, c: float) -> Any:
        """Constraints that hold a programme's weights in the set; ``cvxpy``: the library."""
        raise NotImplementedError

    def outline(self, bound_left: float, far: float) -> Array | None:
        """What the set leaves of the plane of two weights, as a polygon around it.

        Parameters
        ----------
        bound_left : float
            As ``bound_left`` gives it.
        far : float
            Where a picture has ended: the polygon is cut there on the set's open side.

        Returns
        -------
        ndarray, shape (p, 2), or None
            Its corners, anticlockwise; the last is the first. None: no polygon is known.
        """
        return None


@dataclass(frozen=True)
class Box(ConstraintSet):
    """abs(θ_l) <= c for every weight."""

    name = "box"
    elementwise = True
    has_exact_path = True
    has_cone = True

    def project(self, v: Array, c: float, metric: Array | None = None) -> Array:
        edge = _edge(v, c, 0.0)
        return np.clip(v, -edge, edge)

    def support(self, v: Array, c: float) -> float:
        return _multiply(check_bound(c), float(np.abs(v).sum(dtype=np.float64)))

    def gauge(self, v: Array) -> float:
        return float(np.abs(v).max(initial=0.0))

    def find_pinned(self, v: Array, c: float, tolerance: float = 0.0) -> NDArray[np.bool_]:
        return np.abs(v) >= _edge(v, c, tolerance)

    def states(self, v: Array, c: float) -> NDArray[np.int8]:
        edge = _edge(v, c, 0.0)
        codes = super().states(v, c)
        codes[(v == edge) & (codes == FREE)] = UPPER
        codes[(v == -edge) & (codes == FREE)] = LOWER
        return codes

    def cone(self, cvxpy: Any, weights: Any, c: float) -> Any:
        return cvxpy.abs(weights) <= c

    def outline(self, bound_left: float, far: float) -> Array | None:
        return _outline_square(-bound_left, bound_left)


@dataclass(frozen=True)
class UpperBound(ConstraintSet):
    """θ_l <= c for every weight: one-sided, so not bounded."""

    name = "upper"
    bounded = False
    elementwise = True
    has_exact_path = True
    has_cone = True

    def project(self, v: Array, c: float, metric: Array | None = None) -> Array:
        return np.minimum(v, _edge(v, c, 0.0))

    def support(self, v: Array, c: float) -> float:
        if np.min(v, initial=0.0) < 0:
            return math.inf
        return _multiply(check_bound(c), float(np.sum(v, dtype=np.float64)))

    def gauge(self, v: Array) -> float:
        return float(np.max(v, initial=0.0))

    def find_pinned(self, v: Array, c: float, tolerance: float = 0.0) -> NDArray[np.bool_]:
        return np.asarray(v) >= _edge(v, c, tolerance)

    def states(self, v: Array, c: float) -> NDArray[np.int8]:
        codes = super().states(v, c)
        codes[(v == _edge(v, c, 0.0)) & (codes == FREE)] = UPPER
        return codes

    def cone(self, cvxpy: Any, weights: Any, c: float) -> Any:
        return weights <= c

    def outline(self, bound_left: float, far: float) -> Array | None:
        return _outline_square(-far, bound_left)


@dataclass(frozen=True)
class L1Ball(ConstraintSet):
    """Σ abs(θ_l) <= c.

    The threshold is found from the distances to the largest entry, never from the entries'
    sum minus c: a radius far below the rounding of the entries survives.
    Source: Duchi, Shalev-Shwartz, Singer & Chandra, ICML 2008.
    """

    name = "l1"
    has_exact_path = True
    has_faces = True
    has_cone = True

    def project(self, v: Array, c: float, metric: Array | None = None) -> Array:
        v, c = np.asarray(v), check_bound(c)
        size = np.abs(v).astype(np.float64).ravel()
        m = _flatten_metric(metric, v)
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            if size.sum() <= c:
                return v.copy()
            if c == 0:
                return np.zeros_like(v)
            # Optimality: z_l = max(0, δ − w_l)/m_l, with w_l the distance of m_l abs(v_l) from
            # the largest one, and δ such that Σ z_l = c.
            distance = size * m
            distance = distance.max() - distance
            level = _find_level(distance, 1.0 / m, c)
            shrunk = np.maximum(level - distance, 0.0) / m
            if metric is not None:
                # The distances lose digits next to the largest m_l abs(v_l): compute the price
                # directly.
                price = (size * m).max() - level
                for _ in range(3):
                    inside = size * m > price
                    if not inside.any():
                        break
                    shrunk = np.where(inside, size - price / m, 0.0)
                    price += (shrunk.sum() - c) / np.sum(1.0 / m[inside])
        shrunk = np.minimum(shrunk, size)
        return np.sign(v) * shrunk.reshape(v.shape).astype(v.dtype) + v.dtype.type(0)

    def support(self, v: Array, c: float) -> float:
        return _multiply(check_bound(c), float(np.abs(v).max(initial=0.0)))

    def gauge(self, v: Array) -> float:
        return float(np.abs(v).sum(dtype=np.float64))

    def find_pinned(self, v: Array, c: float, tolerance: float = 0.0) -> NDArray[np.bool_]:
        return np.abs(v) <= _slack(c, tolerance)

    def bound_left(self, others: Array, c: float) -> float:
        return max(check_bound(c) - self.gauge(others), 0.0)

    def cone(self, cvxpy: Any, weights: Any, c: float) -> Any:
        return cvxpy.norm1(weights) <= c

    def outline(self, bound_left: float, far: float) -> Array | None:
        corners = np.array([(1.0, 0.0), (0.0, 1.0), (-1.0, 0.0), (0.0, -1.0), (1.0, 0.0)])
        return bound_left * corners


@dataclass(frozen=True)
class L2Ball(ConstraintSet):
    """‖θ‖₂ <= c. Nothing is pinned: a baseline that saves no storage by itself."""

    name = "l2"
    is_round = True
    has_cone = True

    def project(self, v: Array, c: float, metric: Array | None = None) -> Array:
        v, c = np.asarray(v), check_bound(c)
        if self.gauge(v) <= c:
            return v.copy()
        if c == 0:
            return np.zeros_like(v)
        flat = v.astype(np.float64).ravel()
        m = _flatten_metric(metric, v)
        largest = np.abs(flat).max()
        unit, radius = flat / largest, c / largest
        if metric is not None:
            unit = _shrink(unit, m / m.max(), radius)
        unit = unit / np.linalg.norm(unit)
        return (unit * c).reshape(v.shape).astype(v.dtype)

    def support(self, v: Array, c: float) -> float:
        return _multiply(check_bound(c), self.gauge(v))

    def gauge(self, v: Array) -> float:
        # Scaled by the largest entry, so that squares neither overflow nor vanish.
        v = np.asarray(v, np.float64)
        largest = float(np.abs(v).max(initial=0.0))
        if largest == 0 or not math.isfinite(largest):
            return largest
        return largest * float(np.linalg.norm((v / largest).ravel()))

    def find_pinned(self, v: Array, c: float, tolerance: float = 0.0) -> NDArray[np.bool_]:
        return np.zeros(np.shape(v), bool)

    def bound_left(self, others: Array, c: float) -> float:
        return math.sqrt(max(check_bound(c) ** 2 - float(np.sum(np.square(others))), 0.0))

    def cone(self, cvxpy: Any, weights: Any, c: float) -> Any:
        return cvxpy.norm2(weights) <= c

    def outline(self, bound_left: float, far: float) -> Array | None:
        turns = np.linspace(0, 2 * np.pi, CIRCLE_CORNERS + 1)
        turns[-1] = 0.0
        return bound_left * np.stack([np.cos(turns), np.sin(turns)], axis=1)


@dataclass(frozen=True)
class Cardinality(ConstraintSet):
    """At most κ weights differ from zero. Not convex: no certificate of the optimum."""

    name = "cardinality"
    convex = False
    counts = True

    def project(self, v: Array, c: float, metric: Array | None = None) -> Array:
        v, kept = np.asarray(v), self.count(c, np.size(v))
        if kept == v.size:
            return v.copy()
        worth = np.abs(v).ravel()
        if metric is not None:
            worth = worth * np.sqrt(_flatten_metric(metric, v))
        if kept == 0:
            return np.zeros_like(v)
        least = np.partition(worth, -kept)[-kept]
        stays = worth > least
        stays[np.flatnonzero(worth == least)[: kept - np.count_nonzero(stays)]] = True
        return np.where(stays.reshape(v.shape), v, v.dtype.type(0))

    def support(self, v: Array, c: float) -> float:
        return math.inf if self.count(c, np.size(v)) and np.any(v) else 0.0

    def gauge(self, v: Array) -> float:
        return float(np.count_nonzero(v))

    def find_pinned(self, v: Array, c: float, tolerance: float = 0.0) -> NDArray[np.bool_]:
        return np.asarray(v) == 0

    def count(self, c: float, size: int) -> int:
        """κ as a whole number, at most the number of weights."""
        return int(min(check_bound(c, "count κ"), size))


def _find_level(distance: Array, inverse: Array, c: float) -> float:
    """δ such that Σ max(0, δ − w_l)/m_l = c, from the distances w and 1/m."""
    if distance.size <= SORTED:
        order = np.argsort(distance)
        w, inverse = distance[order], inverse[order]
        levels = (c + np.cumsum(w * inverse)) / np.cumsum(inverse)
        return float(levels[max(int(np.count_nonzero(w <= levels)), 1) - 1])
    w, inside = distance, np.zeros(1, bool)
    while not inside.all():
        # Entries beyond the level make it too high: remove them and it falls (Michelot 1986).
        level = (c + np.sum(w * inverse)) / np.sum(inverse)
        inside = w <= level
        w, inverse = w[inside], inverse[inside]
    return float(level)


def _edge(v: Array, c: float, tolerance: float) -> np.floating:
    # Rounded to the type of v, as the projection rounds it.
    with np.errstate(over="ignore"):
        return np.asarray(v).dtype.type(check_bound(c) * (1.0 - tolerance))


def _outline_square(low: float, high: float) -> Array:
    return np.array([(high, high), (low, high), (low, low), (high, low), (high, high)], float)


def _slack(c: float, tolerance: float) -> float:
    return check_bound(c) * tolerance if tolerance else 0.0


def _multiply(c: float, norm: float) -> float:
    return 0.0 if norm == 0 else c * norm


def _flatten_metric(metric: Array | None, v: Array) -> Array:
    if metric is None:
        return np.ones(v.size)
    return np.broadcast_to(np.asarray(metric, np.float64), v.shape).ravel()


def _shrink(v: Array, m: Array, radius: float) -> Array:
    """Direction of m v / (m + τ), with τ > 0 such that its norm is the radius.

    Newton's method on 1/‖z(τ)‖ − 1/radius, concave and nearly linear in τ, from the left
    (Moré & Sorensen 1983).
    """
    tau = 0.0
    for _ in range(60):
        z = v * (m / (m + tau))
        norm = float(np.linalg.norm(z))
        slope = float(np.sum(z * z / (m + tau)))
        if slope == 0 or norm <= radius * (1 + 1e-14):
            break
        step = (norm / radius - 1.0) * (norm / slope) * norm
        tau += step
        if step <= 1e-15 * tau:
            break
    return z
