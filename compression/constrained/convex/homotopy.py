"""The walk along the exact path of least squares, from breakpoint to breakpoint.

With p the standardised weights, G their Gram matrix
and g = G p − r the gradient, every pair (p_l, g_l) runs along a staircase whose size is set by
one number t > 0:

- box, t = c: g = 0 while abs(p) < t s; p = ±t s while ±g < 0. (Upper: one side of it.)
- L1, t = λ: p = 0 while abs(g) < t / s; g = ∓t / s while ±p > 0.

Between two breakpoints every pair stays on its step and moves linearly in t. A breakpoint is
where one reaches a corner and goes on along the next step; where several reach one together, who
turns is itself a small quadratic programme.
"""

from collections.abc import Callable
from operator import le

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve, cholesky, eigh, eigvalsh, solve_triangular
from scipy.linalg.blas import idamax
from scipy.linalg.lapack import dpocon, dpotrf
from scipy.optimize import nnls

from ...errors import NotConvergedError
from ..sets import ConstraintSet
from .free_block import FreeBlock
from .losses import SquaredLoss
from .quadratic import DenseQuadratic, minimise_in_box

Array = NDArray[np.floating]
Mask = NDArray[np.bool_]
Corners = tuple[NDArray[np.intp], Mask, Mask]
"""Pairs at a corner; for each, whether at the one below the middle step, and whether above it."""

NO_CORNERS: Corners = np.zeros(0, np.intp), np.zeros(0, bool), np.zeros(0, bool)

# A point this close to a corner counts as being there: weights relative to the bound, gradients to
# the largest one. A gradient far below the ridge moves a weight by far less than its size.
NEAR_WEIGHT = 1e-11
NEAR_GRADIENT = 1e-14
# Columns are collinear where the Gram matrix has an eigenvalue below this share of the largest. The
# same share is then added to its diagonal, which makes the optimum unique.
COLLINEAR = 1e-10
# Such a path ends where its loss is this close to the least, relative to the zero model's.
NOTHING_LEFT = 1e-11
# The Gram matrix is not formed where columns outnumber rows by more than this factor.
FEW_ROWS = 3
# Up to this many columns, a product with the whole Gram matrix is faster than choosing rows.
SMALL = 100


def _choose_ridge(loss: SquaredLoss) -> tuple[float, float]:
    """What to add to the Gram matrix's diagonal, and the least loss that it leaves.

    Nothing, where no eigenvalue lies below ``COLLINEAR`` times the largest. The loss is less that
    of the zero model.
    """
    z = loss.inputs.values
    columns, rows = z.shape
    if columns == 0:
        return 0.0, -np.inf
    if columns < rows:  # at most rows - 1 centred columns are independent
        factor, failed = dpotrf(loss.gram)
        if not failed:
            size = float(np.abs(loss.gram).sum(axis=0).max())
            if dpocon(factor, size)[0] > 10 * COLLINEAR:
                return 0.0, -np.inf
        values = eigvalsh(loss.gram)
        if values[0] >= COLLINEAR * values[-1]:
            return 0.0, -np.inf
        ridge = COLLINEAR * float(values[-1])
        raised = loss.gram + ridge * np.eye(columns)
        point = cho_solve(cho_factor(raised, overwrite_a=True), loss.correlation)
        won = 0.5 * float(point @ loss.correlation + ridge * (point @ point))
    else:
        values, vectors = eigh(z.T @ z / rows)
        ridge = COLLINEAR * float(values[-1])
        known = values > 1e-14 * values[-1]
        values, vectors = values[known], vectors[:, known]
        shares = (vectors.T @ (loss.correlation @ z)) ** 2 / (rows * values)
        won = 0.5 * float(np.sum(shares * (values + 2 * ridge) / (values + ridge) ** 2))
    return ridge, NOTHING_LEFT * loss.zero - won


def _find_largest_size(values: Array) -> float:
    """The largest size among them: quicker than a reduction of their sizes, where they are few."""
    return abs(values.item(idamax(values))) if len(values) else 0.0


class Walk:
    """Along the staircases, from breakpoint to breakpoint.

    ``side`` tells on which step each pair is: 0 the middle one, ±1 the outer ones. Of every pair
    one is fixed, in proportion to t (the gradient of a free weight, the weight of a held one),
    and the other moves. The two kinds of staircase mirror each other: what weights are under
    bounds, gradients are for L1.
    """

    def __init__(self, loss: SquaredLoss, constraint: ConstraintSet) -> None:
        scale, self.correlation = loss.inputs.scale, loss.correlation
        self.l1, self.two_sided = not constraint.elementwise, constraint.bounded
        # Half the width of the middle step, divided by t.
        self.size = 1.0 / scale if self.l1 else scale
        self.direction = -1.0 if self.l1 else 1.0  # +1: t rises; -1: t falls
        self.ridge, self.least = _choose_ridge(loss)
        self.gram = self._prepare_gram(loss)
        self.block = FreeBlock(self.gram)
        self.steepest = float(np.abs(loss.correlation).max(initial=0.0))
        # Largest residuals of the free weights' equations: of the constants, and of the rates.
        self.goal = 1e-13 * self.steepest, 1e-13 * float(self.size.max(initial=0.0))
        self.time = 0.0
        self.side = np.zeros(len(scale), np.int8)
        # ``_apply_steps`` sets these from the sides.
        self.free = np.zeros(len(scale), bool)
        self.step, self.fixed, self.width = np.zeros((3, len(scale)))
        self.point, self.gradient = np.zeros(len(scale)), -loss.correlation
        # The held weights' part of the gradient, divided by t. It is updated as weights come and
        # go.
        self.pulling, self.pull = np.zeros((2, len(scale)))
        self.times: list[float] = []
        self.points: list[Array] = []
        self.pinned: list[Mask] = []

    def run(self, go_on: Callable[[int, int], bool] = lambda done, total: True) -> bool:
        """Walk to the end; False where ``go_on(done, total)`` returned False before that."""
        corners = self._begin() if self.steepest else NO_CORNERS
        self._apply_steps(slice(None))
        for _ in range(100 + 50 * len(self.side)):
            # A gradient below this is rounding, or comes from the ridge.
            nothing = 1e-12 * self.steepest + 2 * self.ridge * _find_largest_size(self.point)
            done = _find_largest_size(self.gradient) <= nothing
            done = done or (self.l1 and self.time == 0)  # even if rounding has left a gradient
            if not done:
                self._turn(*corners)
            elif not self.l1:
                self.side[:] = 0
                self._apply_steps(slice(None))
            self.times.append(self.time)
            self.points.append(self.point)
            self.pinned.append(~self.free)
            if not go_on(len(self.times), max(len(self.side), len(self.times))):
                return False
            if done:
                return True
            corners = self._advance()
        raise NotConvergedError(
            f"the exact path has not come to its end after {len(self.times)} breakpoints: some "
            "columns are almost collinear; drop them, or solve for one bound at a time"
        )

    def _begin(self) -> Corners:
        """Take the first breakpoint's place."""
        size = np.abs(self.correlation)
        nothing = NEAR_GRADIENT * self.steepest
        if self.l1:
            self.time = float(np.max(size / self.size, initial=0.0))
            at = (size >= self.size * self.time - nothing).nonzero()[0]
            return at, self.correlation[at] < 0, self.correlation[at] > 0
        if self.two_sided:
            self.side = np.sign(self.correlation).astype(np.int8)
            at = (size <= nothing).nonzero()[0]
            return at, np.ones(len(at), bool), np.ones(len(at), bool)
        # At c = 0 every weight has to be negative or zero.
        root = cholesky(self.gram)
        self.point = -nnls(root, -solve_triangular(root, self.correlation, trans=1))[0]
        self.gradient = self.gram @ self.point - self.correlation
        self.side = (self.point == 0).astype(np.int8)
        at = ((self.side == 1) & (np.abs(self.gradient) <= nothing)).nonzero()[0]
        return at, np.zeros(len(at), bool), np.ones(len(at), bool)

    def _ends_at_zero(self, point: Array, gradient: Array) -> bool:
        """Whether the line leads to the least loss: other corners before it are the ridge's."""
        loss = 0.5 * float(point @ (gradient - self.correlation) - self.ridge * (point @ point))
        return loss <= self.least and bool((point * self.side >= 0).all())

    def _prepare_gram(self, loss: SquaredLoss) -> Array:
        """The Gram matrix with the ridge; of many columns and few rows not written out yet."""
        self.values = loss.inputs.values
        columns, rows = self.values.shape
        self.unwritten: Mask | None = None
        if self.l1 and columns > FEW_ROWS * rows:
            # At most as many weights as rows are free at a time, so that a few rows of the matrix
            # are enough.
            self.unwritten = np.ones(columns, bool)
            return np.empty((columns, columns))
        if not self.ridge:
            return loss.gram
        gram = loss.gram.copy()
        gram[np.diag_indices_from(gram)] += self.ridge
        return gram

    def _write_rows(self, at: NDArray[np.intp]) -> None:
        """The Gram matrix's rows of these weights, where they were not needed before."""
        assert self.unwritten is not None
        for new in at[self.unwritten[at]].tolist():
            self.gram[new] = self.values @ (self.values[new] / self.values.shape[1])
            self.gram[new, new] += self.ridge
            self.unwritten[new] = False

    def _apply_steps(self, at: NDArray[np.intp] | slice) -> None:
        """Set what follows from the steps of these pairs.

        Which weights are free; what is fixed, by t (the weight of the held, the gradient of the free); how
        far from zero, by t, the other may go on the middle step. On an outer one it ends at zero.
        """
        step, size = self.direction * self.side[at], self.size[at]
        middle = step == 0
        self.free[at] = middle != self.l1
        self.step[at] = step
        self.fixed[at] = step * size
        self.width[at] = size * middle

    def _turn(self, at: NDArray[np.intp], below: Mask, above: Mask) -> None:
        """Put all pairs at a corner onto the step that they go on along."""
        if self.unwritten is not None:
            self._write_rows(at)
        if len(at) == 1 and below[0] != above[0]:
            outer = 1 if above[0] else -1
            self.side[at] = 0 if self.side[at[0]] else outer
        elif len(at):
            self.side[at] = self._choose_steps(at, below, above)
        self._apply_steps(at)

    def _choose_steps(self, at: NDArray[np.intp], below: Mask, above: Mask) -> NDArray[np.int8]:
        """The step that each of several pairs goes on along, as -1, 0 or 1."""
        outer = np.where(above, 1, -1)
        # Of each weight and its gradient one keeps the corner's rate while the other moves away.
        # These are the conditions of optimality of a quadratic programme in the weights' rates.
        self.side[at] = 0
        self._apply_steps(at)
        free = self.free.copy()
        free[at] = False
        fixed = self.direction * self.fixed
        rate = np.where(free, 0.0, fixed)
        self.block.hold(free)
        members = self.block.members
        rate[members] = self.block.solve_precisely(
            fixed[members] - self._products(rate[None])[0, members]
        )
        ties = self.gram[np.ix_(at, members)]
        hessian = self.gram[np.ix_(at, at)] - ties @ self.block.solve_precisely(ties.T)
        linear = self._products(rate[None])[0, at]
        size, lower, upper = self.size[at], np.full(len(at), -np.inf), np.full(len(at), np.inf)
        if self.l1:
            linear -= outer * size
            lower[outer > 0], upper[outer < 0] = 0.0, 0.0
        else:
            lower[below], upper[above] = -size[below], size[above]
        move = minimise_in_box(
            DenseQuadratic(hessian), linear, lower, upper, np.zeros(len(at)), 1e-12
        )
        if self.l1:
            return np.where(move == 0, 0, outer).astype(np.int8)
        return (move >= upper).astype(np.int8) - (move <= lower)

    def _advance(self) -> Corners:
        """Advance to the next corner, or to the end."""
        free = self.free
        self.block.hold(free)
        points, slopes = self._line(free)
        start, rate = np.where(free, points, slopes)
        outwards = self._find_exits(start, rate)
        ends = outwards * self.width
        room = self.time * (ends - rate)
        room -= start
        room *= outwards
        closing = rate - ends
        closing *= outwards
        closing *= self.direction
        # A rate that is only rounding brings no weight to a corner.
        still = np.where(
            free, 1e-12 * _find_largest_size(points[1]), 1e-12 * _find_largest_size(slopes[1])
        )
        closes = closing > still
        wait = np.full(room.shape, np.inf)
        np.divide(np.maximum(room, 0.0), closing, out=wait, where=closes)
        shortest = min(wait.item(wait.argmin()), self.time if self.l1 else np.inf)
        if self.ridge and self.l1 and self._ends_at_zero(points[0], slopes[0]):
            shortest = self.time
        if shortest == np.inf:
            self.gradient = np.zeros(len(free))
            return NO_CORNERS
        self.time += self.direction * shortest
        self.point = points[0] + self.time * points[1]
        self.gradient = slopes[0] + self.time * slopes[1]
        weights = _find_largest_size(self.point) if self.l1 else self.size * self.time
        near = np.where(free, NEAR_WEIGHT * weights, NEAR_GRADIENT * self.steepest)
        closing *= -shortest
        closing += room
        there = np.abs(closing, out=closing) <= near
        there |= wait <= shortest
        at = there.nonzero()[0]
        stop = at[free[at]]
        self.point[stop] = ends[stop] * self.time
        # A gradient at its upper end makes its weight negative.
        ahead = np.where(self.side[at] == 0, self.direction * outwards[at], self.side[at])
        return at, ahead < 0, ahead > 0

    def _find_exits(self, start: Array, rate: Array) -> Array:
        """The end that each pair goes towards, upper (1) or lower (−1), on start + rate · t.

        A line leaves the middle step, a cone, once: where it is above or below the cone at last,
        which is at t = 0 for L1 and at t = ∞ for bounds.
        """
        if self.l1:
            return np.where(self.free, self.step, np.copysign(1.0, start))
        return np.where(self.free, np.copysign(1.0, rate) if self.two_sided else 1.0, self.step)

    def _line(self, free: Mask) -> tuple[Array, Array]:
        """Weights and gradients as constant and rate, each (2, p): constant + rate · t."""
        members, fixed = self.block.members, self.fixed
        points = np.zeros((2, len(free)))
        target = np.array([self.correlation[members], fixed[members]])
        rest = target
        if not self.l1:  # the L1 ball's held weights are zero
            points[1] = fixed_weights = np.where(free, 0.0, fixed)
            moved = (fixed_weights != self.pulling).nonzero()[0]
            if len(moved):
                self.pull += self.gram[:, moved] @ (fixed_weights - self.pulling)[moved]
                self.pulling = fixed_weights
            rest = target - [np.zeros(len(members)), self.pull[members]]
        for attempt in range(6):
            if attempt == 4:
                self.block.renew()
            points[:, members] += self.block.solve(rest.T).T
            products = self._products(points)
            rest = target - products[:, members]
            if not len(members) or all(map(le, map(_find_largest_size, rest), self.goal)):
                break
            # The products themselves round by this much.
            rounding = 4e-16 * np.abs(points).sum(axis=1)
            if all(map(le, map(_find_largest_size, rest), np.maximum(self.goal, rounding))):
                break
        products[0] -= self.correlation
        return points, products

    def _products(self, points: Array) -> Array:
        """Rows of weights times the Gram matrix; of few weights its rows alone are read."""
        if self.unwritten is None and len(self.gram) <= SMALL:
            return points @ self.gram
        some = np.flatnonzero(points.any(axis=0))
        if self.unwritten is not None:
            shares = points[:, some] @ self.values[some] / self.values.shape[1]
            return np.array([self.values @ share for share in shares]) + self.ridge * points
        if 3 * len(some) > len(self.gram):
            return points @ self.gram
        return points[:, some] @ self.gram[some]
