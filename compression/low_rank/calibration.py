"""Second moments of a layer's inputs, gathered a few rows at a time."""

import numpy as np

from .decomposition import Array

ROWS = 2048
"""Samples held in float64 at a time: memory grows with neither the samples nor their type."""


def mean(inputs: Array) -> Array:
    """Mean of the rows of (N, n) inputs, in float64; shape (n,)."""
    return np.mean(inputs, axis=0, dtype=np.float64)


def covariance(inputs: Array, through: Array | None = None) -> Array:
    """Covariance (1/N) Σ (x − x̄)(x − x̄)ᵀ of inputs, or of ``through @ x``, in float64.

    Parameters
    ----------
    inputs : ndarray, shape (N, n)
    through : ndarray, shape (p, n), optional
        A matrix A: the covariance is then A cov(X) Aᵀ, formed from the products A (x − x̄), which
        for p < n takes less work and memory than cov(X) itself.

    Returns
    -------
    ndarray, shape (n, n) or (p, p)
        In squared units of the inputs, or of the products.
    """
    centre = mean(inputs)
    sides = inputs.shape[1] if through is None else len(through)
    total = np.zeros((sides, sides))
    for start in range(0, len(inputs), ROWS):
        # Centre before squaring: a difference of two large moments would lose the spread of inputs
        # that lie far from zero.
        block = inputs[start : start + ROWS].astype(np.float64) - centre
        if through is not None:
            block = block @ through.T
        total += block.T @ block
    return total / len(inputs)


class RunningMoments:
    """Mean and covariance of rows that come block by block, around the first block's mean."""

    def __init__(self) -> None:
        self.count = 0
        self._centre = self._sum = self._squares = np.zeros(0)

    def add(self, rows: Array) -> None:
        """Rows of shape (N, m), N >= 1, of any type."""
        block = rows.astype(np.float64)
        if not self.count:
            self._centre = block.mean(axis=0)
            self._sum = np.zeros(block.shape[1])
            self._squares = np.zeros((block.shape[1], block.shape[1]))
        block -= self._centre
        self.count += len(block)
        self._sum += block.sum(axis=0)
        self._squares += block.T @ block

    @property
    def mean(self) -> Array:
        """Shape (m,)."""
        return self._centre + self._sum / self.count

    @property
    def covariance(self) -> Array:
        """Shape (m, m)."""
        off = self._sum / self.count
        return self._squares / self.count - np.outer(off, off)
