"""Uniform grids of a few bits: what a quantised weight may be."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .errors import ArgumentError

Array = NDArray[np.floating]

FEW_BITS = tuple(range(1, 17))
"""Possible bits of a code."""
TRIED_BITS = (8, 6, 5, 4, 3, 2, 1)
"""Those that each row of a curve in few bits is tried in; 7 is never far from 6 and 8."""
BITS = (*FEW_BITS, 32)
"""Bits that a picture over all of them shows; 32: left as it is."""
# Shares of the reach whose last point is the largest weight. A smaller reach clips weights and
# rounds the others finer.
_SHARES = np.concatenate([np.linspace(1.0, 0.8, 11), np.geomspace(0.8, 0.02, 35)[1:]])
_NEAR = np.geomspace(0.85, 1 / 0.85, 7)  # multiples of a reach that was good an epoch ago


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
        return _find_cells(values, self.bits, self.low, self.step)

    def values(self, codes: NDArray[np.uint16], dtype: np.dtype) -> Array:
        """The middle of each cell, as this type holds it."""
        return (self.low + (codes + 0.5) * self.step).astype(dtype)


@dataclass(frozen=True)
class ChannelGrid:
    """A grid for each row of a weight, which is an output (channel).

    Attributes
    ----------
    bits : int
        b, from 1 to 16.
    reaches : tuple of float
        One a row: its grid lies on [centre − reach, centre + reach]. As float32 holds them.
    centres : tuple of float
        One a row, as float32 holds them; empty: all are 0.
    """

    bits: int
    reaches: tuple[float, ...]
    centres: tuple[float, ...] = ()

    @property
    def step(self) -> float:
        """Width of the widest cell of any row."""
        return max(self.reaches, default=0.0) * 2 / 2**self.bits

    def codes(self, values: Array) -> NDArray[np.uint16]:
        """Number of the cell that each value lies in; values of shape (rows, ...)."""
        low, reaches = self._columns(values.ndim)
        return _find_cells(values, self.bits, low, reaches * 2 / 2**self.bits)

    def values(self, codes: NDArray[np.uint16], dtype: np.dtype) -> Array:
        """The middle of each cell, for codes of shape (rows, ...)."""
        low, reaches = self._columns(codes.ndim)
        return (low + (codes + 0.5) * (reaches * 2 / 2**self.bits)).astype(dtype)

    def _columns(self, axes: int) -> tuple[Array, Array]:
        """Each row's low end and reach, shaped to go with its values."""
        shape = (-1, *[1] * (axes - 1))
        reaches = np.array(self.reaches).reshape(shape)
        low = np.array(self.centres).reshape(shape) - reaches if self.centres else -reaches
        return low, reaches


AnyGrid = Grid | ChannelGrid


def _find_cells(
    values: Array, bits: int, low: Array | float, step: Array | float
) -> NDArray[np.uint16]:
    width = np.where(np.equal(step, 0), 1.0, step)  # all values are equal: any cell will do
    cells = np.floor((values.astype(np.float64) - low) / width)
    return np.clip(cells, 0, 2**bits - 1).astype(np.uint16)


def nearest_grid(
    weight: Array,
    bits: int,
    *,
    zero_point: bool = False,
    moment: Array | None = None,
    near: Grid | None = None,
) -> Grid:
    """The grid that rounds a weight with the least error, of a few.

    Parameters
    ----------
    weight : ndarray, shape (outputs, ...)
    bits : int
    zero_point : bool
        Its middle may be elsewhere than at 0.
    moment : ndarray, shape (n, n), optional
        Second moment (1/N) Σ x xᵀ of the inputs that the weight, as a matrix, is multiplied with:
        the error is then that of the outputs, mean ‖(W − Ŵ) x‖². ‖W − Ŵ‖² without it.
    near : Grid, optional
        Around 0: only reaches near its own are tried, which takes less time.
    """
    reaches = None if near is None or near.high <= 0 else near.high * _NEAR
    (centre,), (reach,) = _search(_to_matrix(weight), 1, bits, zero_point, moment, reaches)
    return Grid(bits, centre - reach, centre + reach)


def nearest_channel_grid(
    weight: Array, bits: int, *, zero_point: bool = False, moment: Array | None = None
) -> ChannelGrid:
    """The same for each row of a weight of shape (rows, ...)."""
    matrix = _to_matrix(weight)
    centres, reaches = _search(matrix, len(matrix), bits, zero_point, moment)
    return ChannelGrid(bits, reaches, centres if zero_point else ())


def _to_matrix(weight: Array) -> Array:
    return weight.reshape(len(weight), -1) if weight.ndim > 1 else weight.reshape(1, -1)


def _search(
    rows: Array,
    grids: int,
    bits: int,
    zero_point: bool,
    moment: Array | None,
    reaches: Array | None = None,
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Centres and reaches of one grid for all rows, or of one a row, of the least error.

    Of a few centres, 0 always, and of a few shares of the reach that ends at the last weight.
    """
    parts = rows.reshape(grids, -1).astype(np.float64)
    best = np.full((2, grids), np.nan)
    least = np.full(grids, np.inf)
    for centre in _list_centres(parts, zero_point):
        farthest = np.abs(parts - centre[:, None]).max(axis=1, initial=0.0)
        whole = farthest * 2**bits / (2**bits - 1)
        for tried in np.outer(_SHARES, whole) if reaches is None else reaches[:, None]:
            reach = _round_to_float32(tried)
            grid = ChannelGrid(bits, tuple(reach), tuple(centre) if zero_point else ())
            off = grid.values(grid.codes(parts), np.dtype(np.float64)) - parts
            errors = _sum_errors(off, rows.shape, moment)
            better = errors < least
            best[:, better], least[better] = np.stack([centre, reach])[:, better], errors[better]
    best = np.nan_to_num(best)  # no weights: no grid was better
    return tuple(best[0].tolist()), tuple(best[1].tolist())


def _sum_errors(off: Array, shape: tuple[int, ...], moment: Array | None) -> Array:
    """The error of each grid, for what its weights are off by."""
    if moment is None:
        return np.sum(off**2, axis=1)
    matrix = off.reshape(shape)
    return np.sum((matrix @ moment) * matrix, axis=1).reshape(len(off), -1).sum(axis=1)


def _list_centres(parts: Array, zero_point: bool) -> list[Array]:
    zero = np.zeros(len(parts))
    if not zero_point or not parts.size:
        return [zero]
    return [
        zero,
        _round_to_float32((parts.max(axis=1) + parts.min(axis=1)) / 2),
        _round_to_float32(parts.mean(axis=1)),
    ]


def _round_to_float32(values: Array) -> Array:
    return values.astype(np.float32).astype(np.float64)
