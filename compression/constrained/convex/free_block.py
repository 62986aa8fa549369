"""Inverse of a Gram matrix's block, kept up as its members come and go."""

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cho_factor, cho_solve
from scipy.linalg.blas import dger

from ...errors import NotConvergedError

Array = NDArray[np.floating]
Mask = NDArray[np.bool_]


class FreeBlock:
    """Inverse of the Gram matrix's block of the free weights, kept up as they come and go."""

    def __init__(self, gram: Array) -> None:
        self.gram = gram
        self.members, self.inside = np.zeros(0, np.intp), np.zeros(len(gram), bool)
        self.inverse = np.zeros((0, 0), order="F")  # of the members' block; zero beyond it

    def hold(self, free: Mask) -> None:
        """Make the block that of exactly these weights."""
        changed = (free != self.inside).nonzero()[0].tolist()
        if len(changed) > 5:
            self.members, self.inside = np.flatnonzero(free), free.copy()
            self.renew()
            return
        for weight in sorted(changed, key=free.__getitem__):  # handle leaving weights first
            self.inside[weight] = free[weight]
            if free[weight]:
                self._add(weight)
            else:
                self._remove(int((self.members == weight).argmax()))

    def solve(self, right: Array) -> Array:
        count = len(self.members)
        return self.inverse[:count, :count] @ right

    def solve_precisely(self, right: Array) -> Array:
        block = self.gram[np.ix_(self.members, self.members)]
        answer = self.solve(right)
        for _ in range(2):
            answer += self.solve(right - block @ answer)
        return answer

    def renew(self) -> None:
        """Compute the inverse anew from the Gram matrix, without the rounding of earlier steps."""
        count = len(self.members)
        block = self.gram[np.ix_(self.members, self.members)]
        try:
            inverse = cho_solve(cho_factor(block), np.eye(count)) if count else block
        except LinAlgError:
            raise NotConvergedError(
                "the exact path cannot go on: some columns are almost collinear; drop them, or "
                "solve for one bound at a time"
            ) from None
        self.inverse = np.zeros((0, 0), order="F")
        self._make_room(count)
        self.inverse[:count, :count] = inverse

    def _add(self, weight: int) -> None:
        count = len(self.members)
        column = self.gram[self.members, weight]
        slope = self.solve(column)
        height = float(self.gram[weight, weight] - column @ slope)
        members = np.empty(count + 1, np.intp)
        members[:count], members[count] = self.members, weight
        self.members = members
        if height <= 1e-12:
            self.renew()
            return
        self._make_room(count + 1)
        edge = np.zeros(len(self.inverse))
        edge[:count], edge[count] = slope, -1.0
        self.inverse = dger(1 / height, edge, edge, a=self.inverse, overwrite_a=1)

    def _remove(self, place: int) -> None:
        last = len(self.members) - 1
        order = np.arange(last + 1)
        order[[place, last]] = last, place
        block = self.inverse[: last + 1, : last + 1]
        if place != last:
            block[[place, last]] = block[[last, place]]
            block[:, [place, last]] = block[:, [last, place]]
        edge = self.inverse[:, last].copy()
        self.members = self.members[order][:last]
        # Eliminate the last row and column from the others.
        self.inverse = dger(-1 / edge[last], edge, edge, a=self.inverse, overwrite_a=1)
        block[last] = block[:, last] = 0.0  # sets rounding to exactly 0

    def _make_room(self, count: int) -> None:
        """Make room for this many members, and for some more."""
        if count > len(self.inverse):
            before, size = self.inverse, min(len(self.gram), count + count // 4 + 8)
            self.inverse = np.zeros((size, size), order="F")
            self.inverse[: len(before), : len(before)] = before
