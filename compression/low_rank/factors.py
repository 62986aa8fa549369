"""What a low-rank method returns, and the one call that factorises a matrix."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..catalog import LOW_RANK_METHODS, find
from ..errors import ArgumentError

Array = NDArray[np.floating]


@dataclass(frozen=True, eq=False)
class Factors:
    """A weight of rank k: ``left @ right`` stands for the (m, n) weight.

    Attributes
    ----------
    left : ndarray, shape (m, k)
    right : ndarray, shape (k, n)
    bias_shift : ndarray, shape (m,)
        To be added to the layer's bias.
    """

    left: Array
    right: Array
    bias_shift: Array

    @property
    def weight(self) -> Array:
        """The (m, n) matrix that the factors stand for."""
        return self.left @ self.right


@dataclass(frozen=True, eq=False)
class Decomposition:
    """All ranks of one weight: the factors of rank k are the first k columns and rows.

    Attributes
    ----------
    left : ndarray, shape (m, r)
    right : ndarray, shape (r, n)
    errors : ndarray, shape (r + 1,)
        ``errors[k]``: what rank k loses, in the method's own objective (squared).
    singular_values : ndarray, shape (r,)
        Of the matrix that the method truncates, in descending order.
    weight : ndarray, shape (m, n)
    mean : ndarray, shape (n,), or None
        Mean of the layer's inputs, for methods that move what they drop into the bias.
    """

    left: Array
    right: Array
    errors: Array
    singular_values: Array
    weight: Array
    mean: Array | None = None

    @property
    def max_rank(self) -> int:
        return self.right.shape[0]

    def at(self, rank: int) -> Factors:
        """Factors of one rank, 1 <= rank <= max_rank (views, nothing is recomputed)."""
        check_rank(rank, self.max_rank, self.weight.shape)
        left, right = self.left[:, :rank], self.right[:rank]
        if self.mean is None:
            shift = np.zeros(left.shape[0], left.dtype)
        else:
            shift = self.weight @ self.mean - left @ (right @ self.mean)
        return Factors(left, right, shift)


def check_rank(rank: int, largest: int, shape: tuple[int, ...]) -> None:
    """Raise ArgumentError unless rank is a whole number from 1 to largest."""
    whole = isinstance(rank, (int, np.integer)) and not isinstance(rank, bool)
    if not whole or not 1 <= rank <= largest:
        size = " x ".join(str(n) for n in shape)
        raise ArgumentError(
            f"rank {rank} is not possible for a {size} weight: choose 1 to {largest}"
        )


def check_weight(weight: Array) -> Array:
    """The weight as a finite, non-zero float matrix; raises ArgumentError in words."""
    weight = np.asarray(weight)
    if weight.ndim != 2 or 0 in weight.shape:
        raise ArgumentError(
            f"a weight of shape {weight.shape} has no singular values: give a matrix (m, n) with m, n >= 1"
        )
    if weight.dtype not in (np.float32, np.float64):
        weight = weight.astype(np.float64)
    if not np.isfinite(weight).all():
        raise ArgumentError(
            "the weight holds values that are not finite: train again, or repair it, first"
        )
    if not weight.any():
        raise ArgumentError("the weight is zero everywhere: there is nothing to factorise")
    return weight


def break_even_rank(rows: int, columns: int) -> int:
    """Largest rank whose factors hold fewer numbers than the (rows, columns) weight; 0 if none does."""
    return (rows * columns - 1) // (rows + columns)


def factorize(
    weight: Array,
    rank: int,
    method: str = "truncated_svd",
    inputs: Array | None = None,
    ridge: float = 0.0,
    seed: int = 0,
) -> Factors:
    """Factorise one weight at one rank.

    Parameters
    ----------
    weight : ndarray, shape (m, n)
        Rows are outputs.
    rank : int
        1 <= rank <= min(m, n).
    method : str
        A name of ``compression.LOW_RANK_METHODS`` that works on matrices.
    inputs : ndarray, shape (N, n), optional
        Inputs of the layer, for methods that weigh directions by their use.
    ridge : float
        σ², added to the inputs' covariance, in squared units of the inputs.
    seed : int
        For methods that draw random numbers.

    Returns
    -------
    Factors

    Raises
    ------
    ArgumentError
        The weight, rank or inputs cannot be used; the message says what would do.
    """
    weight = check_weight(weight)
    check_rank(rank, min(weight.shape), weight.shape)
    implementation = find(LOW_RANK_METHODS, method, "low-rank method").load()
    return implementation(ridge=ridge, seed=seed).decompose(weight, inputs, rank).at(rank)
