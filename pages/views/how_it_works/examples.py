"""Two examples small enough to be computed while the page is drawn: no torch, no worker."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

SIDE = 24  # rows and columns of the matrix
REACH = 2.2  # of the window in the plane of two weights


@dataclass(frozen=True, eq=False)
class Shadow:
    """A matrix as its singular vectors: ``u`` (m, r), ``values`` (r,), ``vt`` (r, n)."""

    u: NDArray
    values: NDArray
    vt: NDArray

    def truncate(self, rank: int) -> NDArray:
        return (self.u[:, :rank] * self.values[:rank]) @ self.vt[:rank]


@dataclass(frozen=True, eq=False)
class BoundedProblem:
    """Least squares in two weights, and its optimum for every bound.

    ``path``: the exact path of the box. ``ends``: of both axes. ``loss``: on their grid, a row per
    value of the second weight.
    """

    path: Any
    ends: NDArray
    loss: NDArray


@lru_cache(maxsize=1)
def decompose_picture() -> Shadow:
    """A ring with a bar across it, decomposed."""
    from compression.low_rank.truncated_svd import svd

    down, across = np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j]
    ring = np.exp(-(((np.hypot(down, across) - 0.65) / 0.16) ** 2))
    bar = np.exp(-(((down - 0.8 * across) / 0.13) ** 2)) * (np.abs(across) < 0.5)
    return Shadow(*svd(ring + bar))


@lru_cache(maxsize=1)
def solve_bounded() -> BoundedProblem:
    """Every optimum of ½ · mean squared error over 60 rows with |θ| ≤ c, followed exactly."""
    from compression.constrained.convex.path import path

    generator = np.random.default_rng(0)
    x = generator.normal(size=(60, 2)) @ np.array([[1, 0.6], [0, 0.8]])
    y = x @ np.array([1.6, -0.5]) + 0.3 * generator.normal(size=60)
    ends = np.linspace(-REACH, REACH, 81)
    grid = np.stack(np.meshgrid(ends, ends), axis=-1)
    centred = x - x.mean(axis=0), y - y.mean()  # the free intercept takes the means
    loss = 0.5 * np.mean((centred[1] - grid @ centred[0].T) ** 2, axis=-1)
    return BoundedProblem(path(x, y, loss="squared", constraint="box"), ends, loss)
