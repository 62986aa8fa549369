"""All ranks of one weight, and the one call that factorises a matrix."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ..argument_checks import check_arguments
from ..arrays import check_plain
from ..catalog import LOW_RANK_METHODS, find
from ..errors import ArgumentError, NotApplicableError
from ..factors import Factors
from ..threads import in_one_thread

Array = NDArray[np.floating]

BLOCK = 4096  # samples that are held in float64 at a time
LARGEST_MAGNITUDE = 1e60
"""Above it squares of products of weights and inputs come near the end of float64's range."""


@dataclass(frozen=True, eq=False, kw_only=True)
class MatrixRanks(ABC):
    """All ranks of one weight.

    Factors, weight and mean keep the weight's type; spectrum and errors are float64.

    Attributes
    ----------
    errors : ndarray, shape (r + 1,)
        ``errors[k]``: what rank k loses, in the method's own objective (squared); ``errors[0]``
        is the whole. Falls, or stays, as k grows.
    singular_values : ndarray, shape (r,)
        Of the matrix that the method truncates, in descending order.
    weight : ndarray, shape (m, n)
    mean : ndarray, shape (n,), or None
        Mean of the layer's inputs, for methods that move what they drop into the bias. None for
        methods that look at the weight alone.
    ridge : float
        σ² of the method's objective, in squared units of the inputs.
    """

    nested: ClassVar[bool]
    """Whether rank k takes the first k inner dimensions of factors that serve every rank."""

    errors: Array
    singular_values: Array
    weight: Array
    mean: Array | None = None
    ridge: float = 0.0

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the weight."""
        return self.weight.shape

    @property
    def max_rank(self) -> int:
        return len(self.errors) - 1

    @property
    @abstractmethod
    def parameters(self) -> NDArray[np.int64]:
        """Numbers that the factors of rank 0, 1, ..., r hold; shape (r + 1,)."""

    @property
    def dense_parameters(self) -> int:
        """Numbers that the weight itself holds."""
        return self.weight.size

    def at(self, rank: int) -> Factors:
        """Factors of one rank, 1 <= rank <= max_rank (nothing is decomposed again)."""
        check_rank(rank, self.max_rank, self.shape)
        return self._factors(rank)

    @abstractmethod
    def _factors(self, rank: int) -> Factors: ...

    def realised_error(self, rank: int, inputs: Array | None = None) -> float:
        """The objective behind ``errors[rank]``, measured on the factors themselves.

        Parameters
        ----------
        rank : int
        inputs : ndarray, shape (N, n)
            Needed by methods that look at inputs. With the calibration inputs the outcome is
            ``errors[rank]``; with other inputs it says how far the prediction carries.

        Raises
        ------
        ArgumentError
            The method looks at inputs and there are none.
        """
        factors = self.at(rank)
        if self.mean is None:
            return weight_error(self.weight, factors)
        measured = output_error(self.weight, factors, check_inputs(inputs, self.weight))
        return measured + self.ridge * weight_error(self.weight, factors)


@dataclass(frozen=True, eq=False, kw_only=True)
class Decomposition(MatrixRanks):
    """All ranks from two matrices: the factors of rank k are their first k columns and rows.

    Attributes
    ----------
    left : ndarray, shape (m, r)
    right : ndarray, shape (r, n)
    """

    nested: ClassVar[bool] = True

    left: Array
    right: Array

    @property
    def parameters(self) -> NDArray[np.int64]:
        return np.arange(self.max_rank + 1, dtype=np.int64) * sum(self.weight.shape)

    def _factors(self, rank: int) -> Factors:
        left, right = self.left[:, :rank], self.right[:rank]
        if self.mean is None:
            shift = np.zeros(left.shape[0], left.dtype)
        else:
            shift = self.weight @ self.mean - left @ (right @ self.mean)
        return Factors(left, right, shift)


def weight_error(weight: Array, factors: Factors) -> float:
    """Squared Frobenius distance ‖W − Ŵ‖², in squared units of the weight."""
    left, right = factors.left.astype(np.float64), factors.right.astype(np.float64)
    return float(np.sum((weight - left @ right) ** 2))


def output_error(weight: Array, factors: Factors, inputs: Array) -> float:
    """Mean squared change of a layer's outputs, (1/N) Σ ‖W x − (Ŵ x + shift)‖².

    Parameters
    ----------
    weight : ndarray, shape (m, n)
    factors : Factors
    inputs : ndarray, shape (N, n)

    Returns
    -------
    float
        In squared units of the outputs, summed over outputs and averaged over samples.
    """
    left, right = factors.left.astype(np.float64), factors.right.astype(np.float64)
    difference = (weight - left @ right).T
    total = 0.0
    for start in range(0, len(inputs), BLOCK):
        change = inputs[start : start + BLOCK].astype(np.float64) @ difference
        total += float(np.sum((change - factors.bias_shift) ** 2))
    return total / len(inputs)


def check_rank(rank: int, largest: int, shape: tuple[int, ...]) -> None:
    """Raise ArgumentError unless rank is a whole number from 1 to largest."""
    whole = isinstance(rank, (int, np.integer)) and not isinstance(rank, bool)
    if not whole or not 1 <= rank <= largest:
        raise ArgumentError(
            f"rank {rank} is not possible for a {write_shape(shape)} weight: choose 1 to {largest}"
        )


def choose_max_rank(max_rank: int | None, largest: int, shape: tuple[int, ...]) -> int:
    """The largest rank to prepare: what was asked for, or all there are."""
    if max_rank is None:
        return largest
    check_rank(max_rank, largest, shape)
    return int(max_rank)


def check_weight(weight: Array) -> Array:
    """The weight as a finite, non-zero float matrix; raises ArgumentError in words."""
    check_plain(weight, "the values of the weight")
    weight = np.asarray(weight)
    if weight.ndim != 2:
        raise ArgumentError(
            f"a weight of shape {weight.shape} is not a matrix: give one of shape (m, n), m, n >= 1"
        )
    return check_array(weight)


def check_array(weight: Array) -> Array:
    """A weight of any shape as finite floats that are not all zero; raises ArgumentError in words."""
    check_plain(weight, "the values of the weight")
    weight = np.asarray(weight)
    if 0 in weight.shape:
        raise ArgumentError(f"a weight of shape {weight.shape} is empty: every side must be >= 1")
    if weight.dtype.kind not in "fiu":
        raise ArgumentError(f"a weight of type {weight.dtype} has no ranks: give real numbers")
    if weight.dtype not in (np.float32, np.float64):
        weight = weight.astype(np.float64)
    # Check this first: NumPy's SVD never returns for a matrix with an infinite entry.
    if not np.isfinite(weight).all():
        raise ArgumentError(
            "the weight holds values that are not finite: train again, or repair it, first"
        )
    if not weight.any():
        raise ArgumentError("the weight is zero everywhere: there is nothing to factorise")
    _check_magnitude("the weight", weight)
    return weight


def check_inputs(inputs: Array | None, weight: Array) -> Array:
    """The layer's inputs as a finite (N, n) matrix that fits the weight; raises ArgumentError."""
    columns = weight.shape[1]
    if inputs is None:
        raise ArgumentError(
            f"this method weighs directions by their use: give inputs of shape (N, {columns})"
        )
    check_plain(inputs, "the inputs")
    inputs = np.asarray(inputs)
    if inputs.ndim != 2 or inputs.shape[1] != columns or len(inputs) == 0:
        raise ArgumentError(
            f"inputs of shape {inputs.shape} do not fit a {write_shape(weight.shape)} weight: "
            f"give (N, {columns}) with N >= 1"
        )
    if inputs.dtype.kind not in "fiu" or not np.isfinite(inputs).all():
        raise ArgumentError("the inputs hold values that are not finite numbers: leave those out")
    _check_magnitude("the input", inputs)
    return inputs


def check_ridge(ridge: float) -> None:
    """Raise ArgumentError unless ridge is a finite number >= 0."""
    if not 0 <= ridge <= LARGEST_MAGNITUDE:
        raise ArgumentError(
            f"ridge {ridge} is not possible: choose a number from 0 to {LARGEST_MAGNITUDE:.0e}"
        )


def _check_magnitude(what: str, values: Array) -> None:
    largest = float(np.abs(values).max())
    if largest > LARGEST_MAGNITUDE:
        raise ArgumentError(
            f"{what} reaches {largest:.3g}: scale it to at most {LARGEST_MAGNITUDE:.0e} first"
        )


def write_shape(shape: tuple[int, ...]) -> str:
    """A shape in words: "3 x 4"."""
    return " x ".join(str(n) for n in shape)


def break_even_rank(rows: int, columns: int) -> int:
    """Largest rank whose factors hold fewer numbers than the (rows, columns) weight; 0 if none does."""
    return (rows * columns - 1) // (rows + columns)


@check_arguments
@in_one_thread
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
        σ², added to the inputs' covariance, in squared units of the inputs; for methods that
        have one.
    seed : int
        For methods that draw random numbers.

    Returns
    -------
    Factors
        Of ``rank`` inner dimensions; by "column_groups" of more, which hold no more numbers.

    Raises
    ------
    ArgumentError
        The weight, rank or inputs cannot be used; the message says what would do.
    NotApplicableError
        The method is one for convolutions.
    """
    entry = find(LOW_RANK_METHODS, method, "low-rank method")
    if "linear" not in entry.layers:
        matrix_methods = [name for name, e in LOW_RANK_METHODS.items() if "linear" in e.layers]
        raise NotApplicableError(
            f"{method} takes a convolution's kernel, not a matrix: "
            f"choose one of {', '.join(matrix_methods)}"
        )
    weight = check_weight(weight)
    check_rank(rank, min(weight.shape), weight.shape)
    chosen = build(entry.load(), ridge=ridge, seed=seed)
    return chosen.decompose(weight, inputs, rank).at(rank)


def build(method: type, **knobs):
    """A method with those of the knobs that it has; the others do not concern it."""
    known = {field.name for field in fields(method)}
    return method(**{name: value for name, value in knobs.items() if name in known})
