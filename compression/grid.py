"""Uniform grids of a few bits: what a quantised weight may be."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .errors import ArgumentError

BITS = (*range(2, 17), 32)
"""Possible bits a free value; 32: left as it is."""


def check_bits(bits: int) -> int:
    """The bits; raises ArgumentError unless they are one of BITS."""
    if isinstance(bits, bool) or bits not in BITS:
        raise ArgumentError(f"{bits!r} bits are not possible: choose 2 to 16, or 32 for none saved")
    return int(bits)


@dataclass(frozen=True)
class Grid:
    """2^b cells of equal width on [low, high]; a value stands in the middle of its cell.

    Neither end is a point of the grid, nor is 0 on a grid around it: those weights are pinned or
    zero and kept by their state, so that no code is spent on them, and rounding changes no state.

    Attributes
    ----------
    bits : int
        b, from 2 to 16.
    low, high : float
        In the units of the weights.
    """

    bits: int
    low: float
    high: float

    @property
    def step(self) -> float:
        """Width of a cell; a value moves by half of it at most."""
        return (self.high - self.low) / 2**self.bits

    def codes(self, values: NDArray[np.floating]) -> NDArray[np.uint16]:
        """Number of the cell that each value lies in, from 0."""
        if self.step == 0:
            return np.zeros(values.shape, np.uint16)
        cells = np.floor((values.astype(np.float64) - self.low) / self.step)
        return np.clip(cells, 0, 2**self.bits - 1).astype(np.uint16)

    def values(self, codes: NDArray[np.uint16], dtype: np.dtype) -> NDArray[np.floating]:
        """The middle of each cell, as this type holds it."""
        return (self.low + (codes + 0.5) * self.step).astype(dtype)
