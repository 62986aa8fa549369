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

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve, cholesky, eigh, eigvalsh, solve_triangular
from scipy.linalg.lapack import dpocon, dpotrf
from scipy.optimize import nnls

from ...errors import NotConvergedError
from ..sets import ConstraintSet
from .free_block import FreeBlock
from .losses import Squared
from .quadratic import Dense, minimise_in_box

Array = NDArray[np.floating]
Mask = NDArray[np.bool_]
Corners = tuple[NDArray[np.intp], Mask, Mask]
"""Who is at a corner, and whether at the one below the middle step, above it, or both."""

NOBODY: Corners = np.zeros(0, np.intp), np.zeros(0, bool), np.zeros(0, bool)

# So close to a corner counts as there: weights relative to the bound, gradients to the largest.
# A gradient far below the ridge moves a weight by far less than the weight.
NEAR_WEIGHT = 1e-11
NEAR_GRADIENT = 1e-14
# Columns are collinear where the Gram matrix has an eigenvalue below this share of the largest;
# so much is then added to its diagonal, which settles what the data leave open.
COLLINEAR = 1e-10
# Loss above the least, relative to the zero model's, from which on such a path is at its end.
NOTHING_LEFT = 1e-11
# Towards which side of its end a pair has room: the lower, the upper.
SIDES = np.array([[1.0], [-1.0]])


def _ridge(loss: Squared) -> tuple[float, float]:
    """What to add to the Gram matrix's diagonal, and the least loss that it leaves.

    Nothing, where no eigenvalue lies below ``COLLINEAR`` times the largest. The loss is less that
    of the zero model.
    """
    z = loss.inputs.values
    columns, rows = z.shape
    if columns == 0:
        return 0.0, -np.inf
    if columns < rows:  # of centred columns at most rows - 1 are independent
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


class Walk:
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
        self.reach = np.array([-self.size, self.size])  # of the middle step, by t
        self.gram = loss.gram
        self.ridge, self.least = _ridge(loss)
        if self.ridge:
            self.gram = loss.gram.copy()
            self.gram[np.diag_indices_from(self.gram)] += self.ridge
        self.block = FreeBlock(self.gram)
        self.steepest = float(np.abs(loss.correlation).max(initial=0.0))
        # What may be left of the equations of the free: of the constants, and of the rates.
        self.goal = 1e-13 * np.array([[self.steepest], [self.size.max(initial=0.0)]])
        self.time = 0.0
        self.side = np.zeros(len(scale), np.int8)
        self.point, self.gradient = np.zeros(len(scale)), -loss.correlation
        # What the held weights add to the gradient, by t: kept up as they come and go.
        self.pulling, self.pull = np.zeros((2, len(scale)))
        self.times: list[float] = []
        self.points: list[Array] = []
        self.held: list[Mask] = []

    def run(self, ask: Callable[[int, int], None] = lambda done, total: None) -> None:
        """All the way; ``ask`` is told of every breakpoint and ends the walk by raising."""
        corners = self._begin() if self.steepest else NOBODY
        for _ in range(100 + 50 * len(self.side)):
            # So much of a gradient is rounding, or the ridge's.
            nothing = 1e-12 * self.steepest + 2 * self.ridge * np.abs(self.point).max(initial=0.0)
            done = bool(np.abs(self.gradient).max(initial=0.0) <= nothing)
            done = done or (self.l1 and self.time == 0)  # however much rounding has left
            if not done:
                self._turn(*corners)
            elif not self.l1:
                self.side[:] = 0
            self.times.append(self.time)
            self.points.append(self.point)
            self.held.append(~self._free())
            ask(len(self.times), max(len(self.side), len(self.times)))
            if done:
                return
            corners = self._advance()
        raise NotConvergedError(
            f"the exact path has not come to its end after {len(self.times)} breakpoints: some "
            "columns are almost collinear; drop them, or solve for one bound at a time"
        )

    def _begin(self) -> Corners:
        """Take the first place."""
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
        # At c = 0 all weights are to be negative or zero.
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

    def _free(self) -> Mask:
        return (self.side != 0) == self.l1

    def _weigh_fixed(self) -> Array:
        """What is fixed, by t: the weight of the held, the gradient of the free."""
        return self.direction * self.side * self.size

    def _ends(self) -> tuple[Array, Mask]:
        """Between which ends the other moves, by t, (2, p), and whether there is such an end."""
        step = self.direction * self.side
        known = np.array([step <= 0 if self.two_sided else step < 0, step >= 0])
        return self.reach * (step == 0), known

    def _turn(self, at: NDArray[np.intp], below: Mask, above: Mask) -> None:
        """All who are at a corner onto the step that they go on along."""
        outer = np.where(above, 1, -1)
        if len(at) == 1 and below[0] != above[0]:
            self.side[at] = 0 if self.side[at[0]] else outer
            return
        # Each keeps one of its pair at the corner's rate while the other moves away from it.
        # These are the conditions of optimality of a quadratic programme in the weights' rates.
        self.side[at] = 0
        free = self._free()
        free[at] = False
        fixed = self.direction * self._weigh_fixed()
        rate = np.where(free, 0.0, fixed)
        self.block.hold(free)
        members = self.block.members
        rate[members] = self.block.solve_precisely(fixed[members] - (self.gram @ rate)[members])
        ties = self.gram[np.ix_(at, members)]
        hessian = self.gram[np.ix_(at, at)] - ties @ self.block.solve_precisely(ties.T)
        linear = (self.gram @ rate)[at]
        size, lower, upper = self.size[at], np.full(len(at), -np.inf), np.full(len(at), np.inf)
        if self.l1:
            linear -= outer * size
            lower[outer > 0], upper[outer < 0] = 0.0, 0.0
        else:
            lower[below], upper[above] = -size[below], size[above]
        move = minimise_in_box(Dense(hessian), linear, lower, upper, np.zeros(len(at)), 1e-12)
        if self.l1:
            self.side[at] = np.where(move == 0, 0, outer)
        else:
            self.side[at] = (move >= upper).astype(np.int8) - (move <= lower)

    def _advance(self) -> Corners:
        """To the next corner, or to the end."""
        free = self._free()
        self.block.hold(free)
        points, slopes = self._line(free)
        start, rate = np.where(free, points, slopes)
        ends, known = self._ends()
        room = SIDES * (start + self.time * rate - self.time * ends)
        closing = (self.direction * SIDES) * (ends - rate)
        # A rate that is rounding brings nobody to a corner.
        still = 1e-12 * np.where(free, np.abs(points[1]).max(), np.abs(slopes[1]).max())
        wait = np.full(room.shape, np.inf)
        np.divide(np.maximum(room, 0.0), closing, out=wait, where=known & (closing > still))
        shortest = min(float(wait.min()), self.time if self.l1 else np.inf)
        if self.ridge and self.l1 and self._ends_at_zero(points[0], slopes[0]):
            shortest = self.time
        if shortest == np.inf:
            self.gradient = np.zeros(len(free))
            return NOBODY
        self.time += self.direction * shortest
        self.point = points[0] + self.time * points[1]
        self.gradient = slopes[0] + self.time * slopes[1]
        weights = np.abs(self.point).max() if self.l1 else self.size * self.time
        near = np.where(free, NEAR_WEIGHT * weights, NEAR_GRADIENT * self.steepest)
        there = (wait <= shortest) | (known & (np.abs(room - shortest * closing) <= near))
        end, weight = there.nonzero()
        stop = free[weight]
        self.point[weight[stop]] = ends[end[stop], weight[stop]] * self.time
        at = np.unique(weight) if len(weight) > 1 else weight
        below, above = there[::-1, at] if self.l1 else there[:, at]
        side = self.side[at]
        return at, np.where(side == 0, below, side < 0), np.where(side == 0, above, side > 0)

    def _line(self, free: Mask) -> tuple[Array, Array]:
        """Weights and gradients as constant and rate, each (2, p): constant + rate · t."""
        members, fixed = self.block.members, self._weigh_fixed()
        held = np.where(free, 0.0, fixed)
        moved = (held != self.pulling).nonzero()[0]
        if len(moved):
            self.pull += self.gram[:, moved] @ (held - self.pulling)[moved]
            self.pulling = held
        points, target = np.zeros((2, 2, len(free)))
        points[1], target[0], target[1] = held, self.correlation, fixed
        rest = np.array([self.correlation, fixed - self.pull])[:, members]
        for attempt in range(6):
            if attempt == 4:
                self.block.renew()
            points[:, members] += self.block.solve(rest.T).T
            products = self._products(points)
            rest = (target - products)[:, members]
            if not (np.abs(rest) > self.goal).any():
                break
            # So much of what is left is rounding of the products themselves.
            rounding = 4e-16 * np.abs(points).sum(axis=1, keepdims=True)
            if not (np.abs(rest) > np.maximum(self.goal, rounding)).any():
                break
        products[0] -= self.correlation
        return points, products

    def _products(self, points: Array) -> Array:
        """Rows of weights times the Gram matrix; of few weights its rows alone are read."""
        some = np.flatnonzero(points.any(axis=0))
        if 3 * len(some) > len(self.gram):
            return points @ self.gram
        return points[:, some] @ self.gram[some]
