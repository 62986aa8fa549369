"""The exact path: a constrained least-squares model at every bound there is.

Least squares over a box, under an upper bound or in an L1 ball is a parametric quadratic
programme: its optimum is piecewise linear in c (Rosset & Zhu 2007, arXiv 0708.2197; for L1:
Efron, Hastie, Johnstone & Tibshirani 2004). With p the standardised weights, G their Gram matrix
and g = G p − r the gradient, every pair (p_l, g_l) runs along a staircase whose size is set by
one number t > 0:

- box, t = c: g = 0 while abs(p) < t s; p = ±t s while ±g < 0. (Upper: one side of it.)
- L1, t = λ: p = 0 while abs(g) < t / s; g = ∓t / s while ±p > 0.

Between two breakpoints every pair stays on its step and moves linearly in t. A breakpoint is
where one reaches a corner and goes on along the next step; where several reach one together, who
turns is itself a small quadratic programme.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cho_factor, cho_solve, cholesky, eigvalsh, solve_triangular
from scipy.optimize import nnls

from ...errors import CancelledError, NotConvergedError
from ...report import Report, keep_going
from ..sets import ConstraintSet, check_bound
from .certificate import Certificate, Certifier
from .losses import Squared
from .quadratic import Dense, minimise_in_box

Array = NDArray[np.floating]
Mask = NDArray[np.bool_]

# So close to a corner counts as there: weights relative to the bound, gradients to the largest.
# A gradient far below the ridge moves a weight by far less than the weight.
NEAR_WEIGHT = 1e-11
NEAR_GRADIENT = 1e-14
# Columns are collinear where the Gram matrix has an eigenvalue below this share of the largest;
# so much is then added to its diagonal, which settles what the data leave open.
COLLINEAR = 1e-10
# Largest duality gap, relative to the zero model's loss, that may come of it.
SPOILT = 1e-3


@dataclass(frozen=True, eq=False)
class ExactPath:
    """The optimum at every bound, from its breakpoints.

    Where columns are collinear the optimum is not unique: the path is then that of the loss plus
    ½ 1e-10 ‖p‖², with p the weights of standardised columns.

    Attributes
    ----------
    breakpoints : ndarray, shape (b,)
        Bounds, ascending from 0. From the last one on the bound costs nothing.
    weights : ndarray, shape (b, n)
    intercepts : ndarray, shape (b,)
    pinned : ndarray of bool, shape (b, n)
        Which weights are held, at ±c (box, upper) or at zero (L1), from this breakpoint to the
        next; constant columns are held at zero by no bound, and never among them.
    """

    breakpoints: Array
    weights: Array
    intercepts: Array
    pinned: Mask
    certifier: Certifier = field(repr=False)

    def at(self, bound: float) -> Array:
        """Optimal weight (n,) at any bound."""
        bound = check_bound(bound)
        weight = between(self.breakpoints, self.weights, bound)
        if self.certifier.constraint.elementwise and bound <= self.breakpoints[-1]:
            held = self.pinned_at(bound)
            weight[held] = np.where(weight[held] < 0, -bound, bound)
        return self.certifier.constraint.project(weight, bound)

    def intercept_at(self, bound: float) -> float:
        """Its intercept."""
        return float(between(self.breakpoints, self.intercepts, check_bound(bound)))

    def pinned_at(self, bound: float) -> Mask:
        """Which weights are held at a bound; at a breakpoint: from it on."""
        return self.pinned[np.searchsorted(self.breakpoints, check_bound(bound), side="right") - 1]

    def changes(self, breakpoint: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Who becomes held and who becomes free as c grows past a breakpoint, by its number."""
        before, after = self.pinned[max(breakpoint - 1, 0)], self.pinned[breakpoint]
        return np.flatnonzero(after & ~before), np.flatnonzero(before & ~after)

    def certificate_at(self, bound: float) -> Certificate:
        """The judge's word on the weight at a bound: loss, gap, multipliers."""
        return self.certifier.judge(self.at(bound), check_bound(bound))


def between(knots: Array, values: Array, bound: float) -> Array:
    """Linear interpolation of rows of values; the last row beyond the last knot."""
    right = int(np.searchsorted(knots, bound, side="right"))
    if right == len(knots):
        return values[-1].copy()
    if right == 0:
        return values[0] * (bound / knots[0])
    share = (bound - knots[right - 1]) / (knots[right] - knots[right - 1])
    return np.asarray((1 - share) * values[right - 1] + share * values[right])


def follow(
    loss: Squared, constraint: ConstraintSet, certifier: Certifier, report: Report = keep_going
) -> ExactPath:
    """All breakpoints, from c = 0 to where the bound costs nothing.

    ``report`` is asked at every breakpoint, of which there are often as many as columns; then,
    where the columns are collinear, at every breakpoint that is certified.

    Raises
    ------
    CancelledError
        The report said to stop: a part of a path is none.
    NotConvergedError
        Rounding keeps the path from coming to an end, or spoils it: columns that are almost
        collinear, or collinear and of very different sizes.
    """
    walk = _Walk(loss, constraint)
    walk.run(report)
    weights = loss.inputs.to_weight(np.array(walk.points))
    pinned = np.zeros(weights.shape, bool)
    pinned[:, loss.inputs.columns] = walk.held
    if constraint.elementwise:
        bounds = np.array(walk.times)
    else:
        bounds = np.maximum.accumulate([constraint.gauge(weight) for weight in weights])
    last = np.append(np.diff(bounds) > 0, True)  # of several breakpoints at one bound
    path = ExactPath(
        breakpoints=bounds[last],
        weights=weights[last],
        intercepts=loss.target_mean - weights[last] @ certifier.x.mean(axis=0),
        pinned=pinned[last],
        certifier=certifier,
    )
    if walk.ridge and constraint.bounded:
        _check_gaps(path, report)
    return path


def _check_gaps(path: ExactPath, report: Report) -> None:
    """Certify every breakpoint of a path of collinear columns; NotConvergedError where it is off."""
    largest = 0.0
    for done, bound in enumerate(path.breakpoints, start=1):
        largest = max(largest, path.certificate_at(bound).duality_gap)
        _ask(report, done, len(path.breakpoints))
    if largest > SPOILT * path.certifier.unit:
        raise NotConvergedError(
            "the columns are collinear and of very different sizes: the exact path would be off "
            f"by up to {largest:.1e}; standardise them, or leave some out"
        )


def _ask(report: Report, done: int, total: int) -> None:
    if not report(done, total, None):
        raise CancelledError(f"the exact path was stopped at breakpoint {done}")


class _Walk:
    """Along the staircases, from breakpoint to breakpoint.

    ``side`` tells on which step each pair is: 0 the middle one, ±1 the outer ones. Of every pair
    one is fixed, in proportion to t (the gradient of a free weight, the weight of a held one),
    and the other moves. The two kinds of staircase mirror each other: what weights are under
    bounds, gradients are for L1.
    """

    def __init__(self, loss: Squared, constraint: ConstraintSet) -> None:
        scale, self.correlation = loss.inputs.scale, loss.correlation
        self.l1, self.two_sided = not constraint.elementwise, constraint.bounded
        self.size = 1.0 / scale if self.l1 else scale  # half of the middle step, by t
        self.direction = -1.0 if self.l1 else 1.0  # in which t goes
        self.gram, self.ridge = loss.gram, 0.0
        eigenvalues = eigvalsh(loss.gram) if len(scale) else np.ones(1)
        if eigenvalues[0] < COLLINEAR * eigenvalues[-1]:
            self.ridge = COLLINEAR * float(eigenvalues[-1])
            self.gram = loss.gram + self.ridge * np.eye(len(scale))
        self.block = _FreeBlock(self.gram)
        self.steepest = float(np.abs(loss.correlation).max(initial=0.0))
        self.time = 0.0
        self.side = np.zeros(len(scale), np.int8)
        self.point, self.gradient = np.zeros(len(scale)), -loss.correlation
        # What the held weights add to the gradient, by t: kept up as they come and go.
        self.pulling, self.pull = np.zeros((2, len(scale)))
        self.times: list[float] = []
        self.points: list[Array] = []
        self.held: list[Mask] = []

    def run(self, report: Report = keep_going) -> None:
        nobody = np.zeros(len(self.side), bool)
        below, above = self._begin() if self.steepest else (nobody, nobody)
        for _ in range(100 + 50 * len(self.side)):
            # So much of a gradient is rounding, or the ridge's.
            nothing = 1e-12 * self.steepest + 2 * self.ridge * np.abs(self.point).max(initial=0.0)
            done = bool(np.abs(self.gradient).max(initial=0.0) <= nothing)
            done = done or (self.l1 and self.time == 0)  # however much rounding has left
            if not done:
                self._turn(below, above)
            elif not self.l1:
                self.side[:] = 0
            self.times.append(self.time)
            self.points.append(self.point)
            self.held.append(~self._free())
            _ask(report, len(self.times), max(len(self.side), len(self.times)))
            if done:
                return
            below, above = self._advance()
        raise NotConvergedError(
            f"the exact path has not come to its end after {len(self.times)} breakpoints: some "
            "columns are almost collinear; drop them, or solve for one bound at a time"
        )

    def _begin(self) -> tuple[Mask, Mask]:
        """Take the first place; who is at the corner below the middle step, and above it."""
        size = np.abs(self.correlation)
        if self.l1:
            self.time = float(np.max(size / self.size, initial=0.0))
            near = size >= (1 - NEAR_GRADIENT) * self.size * self.time
            return near & (self.correlation < 0), near & (self.correlation > 0)
        if self.two_sided:
            self.side = np.sign(self.correlation).astype(np.int8)
            near = size <= NEAR_GRADIENT * self.steepest
            return near, near
        # At c = 0 all weights are to be negative or zero.
        root = cholesky(self.gram)
        self.point = -nnls(root, -solve_triangular(root, self.correlation, trans=1))[0]
        self.gradient = self.gram @ self.point - self.correlation
        self.side = (self.point == 0).astype(np.int8)
        near = (self.side == 1) & (np.abs(self.gradient) <= NEAR_GRADIENT * self.steepest)
        return np.zeros(len(size), bool), near

    def _free(self) -> Mask:
        return (self.side != 0) == self.l1

    def _fixed(self) -> Array:
        """What is fixed, by t: the weight of the held, the gradient of the free."""
        return self.direction * self.side * self.size

    def _ends(self) -> tuple[Array, Array]:
        """Between which ends the other moves, by t."""
        inward = -self.direction * self.side
        lower = np.where(inward > 0, 0.0, np.where(inward < 0, -np.inf, -self.size))
        upper = np.where(inward < 0, 0.0, np.where(inward > 0, np.inf, self.size))
        if not self.two_sided:
            lower[inward == 0] = -np.inf
        return lower, upper

    def _turn(self, below: Mask, above: Mask) -> None:
        """All who are at a corner onto the step that they go on along."""
        at = np.flatnonzero(below | above)
        outer = np.where(above[at], 1, -1)
        if len(at) == 1 and below[at] != above[at]:
            self.side[at] = np.where(self.side[at] == 0, outer, 0)
            return
        # Each keeps one of its pair at the corner's rate while the other moves away from it.
        # These are the conditions of optimality of a quadratic programme in the weights' rates.
        self.side[at] = 0
        free = self._free()
        free[at] = False
        fixed = self.direction * self._fixed()
        rate = np.where(free, 0.0, fixed)
        self.block.hold(free)
        members = self.block.members
        rate[members] = self.block.refined(fixed[members] - (self.gram @ rate)[members])
        ties = self.gram[np.ix_(at, members)]
        hessian = self.gram[np.ix_(at, at)] - ties @ self.block.refined(ties.T)
        linear = (self.gram @ rate)[at]
        size, lower, upper = self.size[at], np.full(len(at), -np.inf), np.full(len(at), np.inf)
        if self.l1:
            linear -= outer * size
            lower[outer > 0], upper[outer < 0] = 0.0, 0.0
        else:
            lower[below[at]], upper[above[at]] = -size[below[at]], size[above[at]]
        move = minimise_in_box(Dense(hessian), linear, lower, upper, np.zeros(len(at)), 1e-12)
        if self.l1:
            self.side[at] = np.where(move == 0, 0, outer)
        else:
            self.side[at] = (move >= upper).astype(np.int8) - (move <= lower)

    def _advance(self) -> tuple[Mask, Mask]:
        """To the next corner, or to the end; who is at the corner below, and above."""
        free = self._free()
        self.block.hold(free)
        points, slopes = self._line(free)
        start, rate = np.where(free, points, slopes)
        lower, upper = self._ends()

        def room() -> Array:
            here = start + self.time * rate
            with np.errstate(invalid="ignore"):  # no end, times no time
                return np.array([here - lower * self.time, upper * self.time - here])

        # A rate that is rounding brings nobody to a corner.
        fastest = [np.abs(rate[kind]).max(initial=0.0) for kind in (free, ~free)]
        closing = self.direction * np.array([lower - rate, rate - upper])
        before = room()
        nearing = np.isfinite(before) & (closing > 1e-12 * np.where(free, *fastest))
        wait = np.full(before.shape, np.inf)
        wait[nearing] = np.maximum(before[nearing], 0.0) / closing[nearing]
        shortest = float(np.min(wait, initial=self.time if self.l1 else np.inf))
        if shortest == np.inf:
            self.gradient = np.zeros(len(free))
            return ~free, ~free
        self.time += self.direction * shortest
        self.point = points[0] + self.time * points[1]
        self.gradient = slopes[0] + self.time * slopes[1]
        weights, gradients = self.size * self.time, np.full(len(free), self.steepest)
        if self.l1:
            weights, gradients = np.full(len(free), np.abs(self.point).max(initial=0.0)), weights
        near = np.where(free, NEAR_WEIGHT * weights, NEAR_GRADIENT * gradients)
        at_lower, at_upper = (wait <= shortest) | (np.abs(room()) <= near)
        for there, end in ((free & at_lower, lower), (free & at_upper, upper)):
            self.point[there] = end[there] * self.time
        middle, outer = self.side == 0, at_lower | at_upper
        below, above = (at_upper, at_lower) if self.l1 else (at_lower, at_upper)
        return (
            np.where(middle, below, outer & (self.side < 0)),
            np.where(middle, above, outer & (self.side > 0)),
        )

    def _line(self, free: Mask) -> tuple[Array, Array]:
        """Weights and gradients as constant and rate, each (2, p): constant + rate · t."""
        members, fixed = self.block.members, self._fixed()
        held = np.where(free, 0.0, fixed)
        moved = np.flatnonzero(held != self.pulling)
        self.pull += self.gram[:, moved] @ (held - self.pulling)[moved]
        self.pulling = held
        points = np.array([np.zeros(len(free)), held])
        target = np.array([self.correlation, np.where(free, fixed, 0.0)])
        rest = np.array([self.correlation, fixed - self.pull])[:, members]
        goal = 1e-13 * np.abs(rest).max(axis=1, initial=0.0)
        for attempt in range(4):
            if attempt == 2:
                self.block.renew()
            points[:, members] += self.block.solve(rest.T).T
            products = points @ self.gram
            rest = (target - products)[:, members]
            if (np.abs(rest).max(axis=1, initial=0.0) <= goal).all():
                break
        return points, products - np.array([self.correlation, np.zeros(len(free))])


class _FreeBlock:
    """Inverse of the Gram matrix's block of the free weights, kept up as they come and go."""

    def __init__(self, gram: Array) -> None:
        self.gram = gram
        self.members = np.zeros(0, np.intp)
        self.inverse, self.change = np.zeros((2, *gram.shape))

    def hold(self, free: Mask) -> None:
        """The block of exactly these weights."""
        gone = self.members[~free[self.members]]
        new = np.setdiff1d(np.flatnonzero(free), self.members)
        if len(gone) + len(new) > 5:
            self.members = np.flatnonzero(free)
            self.renew()
            return
        for weight in gone:
            self._remove(int(np.flatnonzero(self.members == weight)[0]))
        for weight in new:
            self._add(int(weight))

    def solve(self, right: Array) -> Array:
        count = len(self.members)
        return self.inverse[:count, :count] @ right

    def refined(self, right: Array) -> Array:
        block = self.gram[np.ix_(self.members, self.members)]
        answer = self.solve(right)
        for _ in range(2):
            answer += self.solve(right - block @ answer)
        return answer

    def renew(self) -> None:
        """From the Gram matrix itself, free of the rounding of all the steps before."""
        count = len(self.members)
        block = self.gram[np.ix_(self.members, self.members)]
        try:
            inverse = cho_solve(cho_factor(block), np.eye(count)) if count else block
        except LinAlgError:
            raise NotConvergedError(
                "the exact path cannot go on: some columns are almost collinear; drop them, or "
                "solve for one bound at a time"
            ) from None
        self.inverse[:count, :count] = inverse

    def _add(self, weight: int) -> None:
        count = len(self.members)
        column = self.gram[self.members, weight]
        slope = self.solve(column)
        height = float(self.gram[weight, weight] - column @ slope)
        self.members = np.append(self.members, weight)
        if height <= 1e-12:
            self.renew()
            return
        edge = np.append(slope, -1.0)
        self.inverse[: count + 1, count] = self.inverse[count, : count + 1] = 0.0
        self._change(edge / height, edge)

    def _remove(self, place: int) -> None:
        last = len(self.members) - 1
        order = np.arange(last + 1)
        order[[place, last]] = last, place
        block = self.inverse[: last + 1, : last + 1]
        if place != last:
            block[[place, last]] = block[[last, place]]
            block[:, [place, last]] = block[:, [last, place]]
        edge = block[:last, last].copy()
        self.members = self.members[order][:last]
        self._change(-edge / block[last, last], edge)

    def _change(self, left: Array, right: Array) -> None:
        """Add their outer product; a new array of that size each time would cost as much again."""
        count = len(right)
        change = np.multiply.outer(left, right, out=self.change[:count, :count])
        self.inverse[:count, :count] += change
