"""At most κ weights by least squares: which ones? A search by swaps, from several starts.

The problem is not convex and its optimum is not certified. A set of weights is left only when no
exchange of one of them for another lowers the loss. The starts are what a solver found, the weights
taken one by one after each of the most promising, and all of them given up one by one (Miller,
Subset Selection in Regression, 2002; swaps: Beck & Eldar, SIAM J. Optimization 2013).
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from .losses import SquaredLoss

Array = NDArray[np.floating]
Indices = NDArray[np.intp]

# With more columns than this, the solver's own choice is the only start.
LARGEST = 300
# This many columns are tried as the first one.
FIRSTS = 10
# Share of the diagonal that is added to it, so that equal columns still have an inverse.
RIDGE = 1e-10
# A swap has to save this loss, relative to the zero model's.
WORTH = 1e-12
# Most multiplications for the swaps of one start, some seconds. A count makes results repeatable.
LARGEST_WORK = 2e10


def best_subset(
    loss: SquaredLoss, count: int, start: Array, go_on: Callable[[], bool] = lambda: True
) -> tuple[Array, bool]:
    """A point (p,) with at most ``count`` weights, and whether no swap improves it.

    The search ends before that where very many weights leave it no time. ``start`` is a point whose
    weights that are not zero are one of the starts; ``go_on`` is called before every swap: where it
    returns False, the best point so far comes back, as one that a swap may improve.
    """
    count = min(count, len(loss.gram))
    if count == 0:
        return np.zeros(len(loss.gram)), True
    search = _Search(loss, go_on)
    starts = [np.flatnonzero(start)[:count]]
    if len(loss.gram) <= LARGEST:
        # The first column may mislead a greedy choice: try others in its place.
        alone = np.argsort(-(loss.correlation**2) / np.diag(loss.gram))
        starts += [np.zeros(0, np.intp), *alone[1:FIRSTS, None], search.give_up(count)]
    candidates = []
    for members in starts:
        candidates.append(search.swap(search.take(members, count)))
        if search.stopped:
            break
    members, _, complete = max(candidates, key=lambda result: result[1])
    point = np.zeros(len(loss.gram))
    point[members] = np.linalg.lstsq(
        loss.gram[np.ix_(members, members)], loss.correlation[members], rcond=1e-13
    )[0]
    return point, complete


class _Search:
    """What sets of columns win over the zero model: ½ rᵀ G⁻¹ r over their block."""

    def __init__(self, loss: SquaredLoss, go_on: Callable[[], bool]) -> None:
        self.go_on, self.stopped = go_on, False
        self.gram = loss.gram + RIDGE * np.diag(np.diag(loss.gram))
        self.correlation, self.zero = loss.correlation, loss.zero

    def fit(self, members: Indices) -> tuple[Array, Array, Array, Array, Array]:
        """Inverse, weights, its product with the columns; slopes and own curvature of all."""
        inverse = np.linalg.inv(self.gram[np.ix_(members, members)])
        weight = inverse @ self.correlation[members]
        ties = inverse @ self.gram[members]
        slope = self.correlation - weight @ self.gram[members]
        height = np.diag(self.gram) - np.sum(self.gram[members] * ties, axis=0)
        return inverse, weight, ties, slope, height

    def take(self, members: Indices, count: int) -> Indices:
        """Add the column that wins most, until there are so many."""
        while len(members) < count:
            *_, slope, height = self.fit(members)
            wins = _compute_gains(slope, height)
            wins[members] = -1.0
            members = np.append(members, int(wins.argmax()))
        return members

    def give_up(self, count: int) -> Indices:
        """From all columns, give up the one that costs least, until so few are left."""
        members = np.arange(len(self.gram))
        inverse = np.linalg.inv(self.gram)
        while len(members) > count:
            weight = inverse @ self.correlation[members]
            place = int((weight**2 / np.diag(inverse)).argmin())
            edge, rest = inverse[place], np.arange(len(members)) != place
            inverse = (inverse - np.outer(edge, edge) / edge[place])[np.ix_(rest, rest)]
            members = members[rest]
        return members

    def swap(self, members: Indices) -> tuple[Indices, float, bool]:
        """Exchange the best pair repeatedly: columns, gain, and whether no pair is left."""
        limit = 1 + int(LARGEST_WORK / (len(members) ** 2 * len(self.gram)))
        best, most = members, -np.inf
        for _ in range(limit):
            self.stopped = not self.go_on()
            if self.stopped:
                break
            inverse, weight, ties, slope, height = self.fit(members)
            diagonal = np.diag(inverse)[:, None]
            won = 0.5 * float(weight @ self.correlation[members])
            if not won > most + WORTH * self.zero:
                # Columns are collinear: rounding alone made the last swap better.
                return best, most, True
            best, most = members, won
            # Without one member the gain is smaller, and all slopes and curvatures grow.
            without = won - 0.5 * weight**2 / diagonal[:, 0]
            wins = _compute_gains(
                slope + ties * weight[:, None] / diagonal, height + ties**2 / diagonal
            )
            wins[:, members] = -np.inf
            total = without[:, None] + wins
            out, new = np.unravel_index(int(total.argmax()), total.shape)
            if not total[out, new] > won + WORTH * self.zero:
                return best, most, True
            members = np.append(np.delete(members, out), new)
        return best, most, False


def _compute_gains(slope: Array, height: Array) -> Array:
    """The loss that each column saves if it is added; 0 where the others span it already."""
    wins = np.zeros_like(slope)
    new = height > 1e2 * RIDGE
    wins[new] = 0.5 * slope[new] ** 2 / height[new]
    return wins
