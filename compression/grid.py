"""Uniform grids of a few bits: what a quantised weight may be."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .errors import ArgumentError

Array = NDArray[np.floating]

FEW_BITS = tuple(range(1, 17))
"""Possible bits of a code."""
BITS = (*FEW_BITS[1:], 32)
"""Bits that a picture over all of them shows; 32: left as it is."""
# Of the reach that has the largest weight for its last point: a smaller one cuts weights off and
# rounds the others finer.
_SHARES = np.concatenate([np.linspace(1.0, 0.8, 11), np.geomspace(0.8, 0.02, 35)[1:]])


def check_bits(bits: int) -> int:
    """The bits; raises ArgumentError unless they are 1 to 16, or 32."""
    if isinstance(bits, bool) or bits not in (*FEW_BITS, 32):
        raise ArgumentError(f"{bits!r} bits are not possible: choose 1 to 16, or 32 for none saved")
    return int(bits)


@dataclass(frozen=True)
class Grid:
    """2^b cells of equal width on [low, high]; a value stands in the middle of its cell.

    Neither end is a point of the grid, nor is 0 on a grid around it: those weights are pinned or
    zero and kept by their state, so that no code is spent on them, and rounding changes no state.

    Attributes
    ----------
    bits : int
        b, from 1 to 16.
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

    def codes(self, values: Array) -> NDArray[np.uint16]:
        """Number of the cell that each value lies in, from 0."""
        return _cells(values, self.bits, self.low, self.step)

    def values(self, codes: NDArray[np.uint16], dtype: np.dtype) -> Array:
        """The middle of each cell, as this type holds it."""
        return (self.low + (codes + 0.5) * self.step).astype(dtype)


@dataclass(frozen=True)
class ChannelGrid:
    """A grid around 0 for each row of a weight, which is an output (channel).

    Attributes
    ----------
    bits : int
        b, from 1 to 16.
    reaches : tuple of float
        One a row: its grid lies on [−reach, reach]. As float32 holds them.
    """

    bits: int
    reaches: tuple[float, ...]

    @property
    def step(self) -> float:
        """Width of the widest cell of any row."""
        return max(self.reaches, default=0.0) * 2 / 2**self.bits

    def codes(self, values: Array) -> NDArray[np.uint16]:
        """Number of the cell that each value lies in; values of shape (rows, ...)."""
        reaches = self._column(values.ndim)
        return _cells(values, self.bits, -reaches, reaches * 2 / 2**self.bits)

    def values(self, codes: NDArray[np.uint16], dtype: np.dtype) -> Array:
        """The middle of each cell, for codes of shape (rows, ...)."""
        reaches = self._column(codes.ndim)
        return (-reaches + (codes + 0.5) * (reaches * 2 / 2**self.bits)).astype(dtype)

    def _column(self, axes: int) -> Array:
        return np.array(self.reaches).reshape(-1, *[1] * (axes - 1))


AnyGrid = Grid | ChannelGrid


def _cells(values: Array, bits: int, low: Array | float, step: Array | float) -> NDArray[np.uint16]:
    width = np.where(np.equal(step, 0), 1.0, step)  # all values are one: any cell will do
    cells = np.floor((values.astype(np.float64) - low) / width)
    return np.clip(cells, 0, 2**bits - 1).astype(np.uint16)


def nearest_grid(weight: Array, bits: int) -> Grid:
    """The grid around 0 that rounds a weight with the least squared error, of a few."""
    (reach,) = _reaches(weight.reshape(1, -1), bits)
    return Grid(bits, -reach, reach)


def nearest_channel_grid(weight: Array, bits: int) -> ChannelGrid:
    """The same for each row of a weight of shape (rows, ...)."""
    return ChannelGrid(bits, _reaches(weight.reshape(len(weight), -1), bits))


def _reaches(rows: Array, bits: int) -> tuple[float, ...]:
    """Each row's best reach: min ‖row − rounded‖² over a few shares of the largest weight's."""
    whole = np.abs(rows).max(axis=1, initial=0.0).astype(np.float64) * 2**bits / (2**bits - 1)
    best, least = np.zeros(len(rows)), np.full(len(rows), np.inf)
    for share in _SHARES:
        reaches = (share * whole).astype(np.float32).astype(np.float64)
        grid = ChannelGrid(bits, tuple(reaches))
        rounded = grid.values(grid.codes(rows), np.dtype(np.float64))
        errors = np.sum((rounded - rows) ** 2, axis=1)
        better = errors < least
        best[better], least[better] = reaches[better], errors[better]
    return tuple(best.tolist())
