"""The two training losses, prepared once from the data: centred, scaled and ready to be minimised.

Solvers work on *points*: weights of standardised columns, with the intercepts, where the loss
has any left, as a last column. ``to_model`` and ``from_model`` translate to the model's own units.
Columns that are constant, and so tell nothing apart, have no place in a point; their weight is 0.
"""

from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh

from ...arrays import check_plain
from ...errors import ArgumentError

Array = NDArray[np.floating]

# A spread below this share of a column's own size is rounding, not information.
CONSTANT = 1e-12
# Largest size of a column: sums of fourth powers of its values still fit in float64.
LARGEST = 1e75
# Numbers of a block of columns: 8 MB.
BLOCK = 1_000_000
# The curvature leaves out samples this close to probability 1. The loss never does.
CERTAIN = 1e-9


@dataclass(frozen=True, eq=False)
class StandardisedInputs:
    """The inputs with constant columns left out, the others centred and of unit variance.

    Attributes
    ----------
    columns : ndarray of int, shape (p,)
        The columns kept, out of n.
    mean, scale : ndarray, shape (p,)
        In the units of each column.
    design : ndarray, shape (p + 1, N)
        One row a column of the inputs: reductions over samples are contiguous. The last row is
        ones.
    features : int
        n.
    """

    columns: NDArray[np.intp]
    mean: Array
    scale: Array
    design: Array
    features: int

    @classmethod
    def standardise(cls, x: Array) -> "StandardisedInputs":
        """Of inputs (N, n), of which no second copy is made on the way."""
        mean, scale, largest = x.mean(axis=0), np.empty(x.shape[1]), np.empty(x.shape[1])
        for block in _split_columns(x):
            part = x[:, block]
            largest[block] = np.abs(part).max(axis=0, initial=0.0)
            scale[block] = np.sqrt(np.mean((part - mean[block]) ** 2, axis=0))
        columns = np.flatnonzero(scale > CONSTANT * largest)
        design = np.ones((len(columns) + 1, len(x)))
        for block in _split_columns(design[:-1].T):
            kept = columns[block]
            design[block] = ((x[:, kept] - mean[kept]) / scale[kept]).T
        return cls(columns, mean[columns], scale[columns], design, x.shape[1])

    @property
    def values(self) -> Array:
        """The design without its ones, shape (p, N) (a view)."""
        return self.design[:-1]

    def to_weight(self, point_weight: Array) -> Array:
        """Weights in the units of the inputs, shape (..., n), from those of the kept columns."""
        weight = np.zeros((*point_weight.shape[:-1], self.features))
        weight[..., self.columns] = point_weight / self.scale
        return weight

    def from_weight(self, weight: Array) -> Array:
        return np.asarray(weight, np.float64)[..., self.columns] * self.scale


@dataclass(frozen=True, eq=False)
class SquaredLoss:
    """½ mean (y − Xθ − b)², the intercept b always at its own optimum.

    A point is the weight alone, shape (p,). Everything needed is in the Gram matrix, which
    is computed at most once and shared by all bounds and solvers.
    """

    inputs: StandardisedInputs
    target_mean: float
    variance: float
    correlation: Array

    name: ClassVar[str] = "squared"

    @classmethod
    def from_samples(cls, x: Array, y: Array) -> "SquaredLoss":
        """From inputs (N, n) and targets (N,), as ``check_data`` returns them."""
        inputs = StandardisedInputs.standardise(x)
        centred = y - y.mean()
        if np.abs(centred).max() <= CONSTANT * np.abs(y).max():
            centred = np.zeros_like(y)
        z = inputs.values
        return cls(
            inputs,
            float(y.mean()),
            float(np.mean(centred**2)),
            z @ centred / len(y),
        )

    @cached_property
    def gram(self) -> Array:
        z = self.inputs.values
        return z @ z.T / z.shape[1]

    @property
    def shape(self) -> tuple[int, ...]:
        return self.correlation.shape

    @property
    def zero(self) -> float:
        """Loss of the zero model: all weights 0."""
        return 0.5 * self.variance

    @cached_property
    def lipschitz(self) -> float:
        """Largest curvature, of the standardised columns."""
        return _find_largest_eigenvalue(self.gram)

    def value(self, point: Array) -> float:
        return float(point @ (0.5 * (self.gram @ point) - self.correlation)) + self.zero

    def gradient(self, point: Array) -> Array:
        return self.gram @ point - self.correlation

    def value_and_gradient(self, point: Array) -> tuple[float, Array]:
        gradient = self.gradient(point)
        return 0.5 * float(point @ (gradient - self.correlation)) + self.zero, gradient

    def curvature(self, point: Array) -> "GramCurvature":
        return GramCurvature(self.gram)

    def weights_of(self, point: Array) -> Array:
        """The part of a point that the set constrains (a view)."""
        return point

    def to_model(self, point: Array) -> tuple[Array, float]:
        """Weight (n,) and intercept in the units of the data."""
        weight = self.inputs.to_weight(point)
        return weight, self.target_mean - float(point @ (self.inputs.mean / self.inputs.scale))

    def from_model(self, weight: Array, intercept: Array | float = 0.0) -> Array:
        return self.inputs.from_weight(weight)


@dataclass(frozen=True, eq=False)
class SoftmaxLoss:
    """Mean cross-entropy of softmax(θ x + b), in nats.

    A point has shape (classes, p + 1): the weights, and the intercepts as the last column.
    """

    inputs: StandardisedInputs
    hot: Array = field(repr=False)  # (classes, N), one-hot labels

    name: ClassVar[str] = "softmax"

    @classmethod
    def from_samples(cls, x: Array, y: NDArray[np.integer]) -> "SoftmaxLoss":
        """From inputs (N, n) and labels (N,) from 0 on, as ``check_data`` returns them."""
        inputs = StandardisedInputs.standardise(x)
        hot = np.zeros((int(y.max()) + 1, len(y)))
        hot[y, np.arange(len(y))] = 1.0
        return cls(inputs, hot)

    @property
    def design(self) -> Array:
        return self.inputs.design

    @property
    def classes(self) -> int:
        return self.hot.shape[0]

    @property
    def samples(self) -> int:
        return self.hot.shape[1]

    @property
    def shape(self) -> tuple[int, ...]:
        return self.classes, self.design.shape[0]

    @property
    def zero(self) -> float:
        """Loss of the zero model, which finds all classes equally likely."""
        return float(np.log(self.classes))

    @cached_property
    def lipschitz(self) -> float:
        """Bound on the curvature of the standardised columns (Böhning 1992)."""
        return 0.5 * _find_largest_eigenvalue(self.design @ self.design.T / self.samples)

    def value(self, point: Array) -> float:
        logits = point @ self.design
        top = logits.max(axis=0)
        total = np.exp(logits - top).sum(axis=0)
        return float(np.mean(np.log(total) + top - (logits * self.hot).sum(axis=0)))

    def gradient(self, point: Array) -> Array:
        return self.value_and_gradient(point)[1]

    def value_and_gradient(self, point: Array) -> tuple[float, Array]:
        logits = point @ self.design
        top = logits.max(axis=0)
        share = np.exp(logits - top)
        total = share.sum(axis=0)
        value = float(np.mean(np.log(total) + top - (logits * self.hot).sum(axis=0)))
        share /= total
        share -= self.hot
        return value, share @ self.design.T / self.samples

    @cached_property
    def _single_design(self) -> Array:
        return self.design.astype(np.float32)

    def curvature(
        self, point: Array, ignored: float = 0.0, single: bool = False
    ) -> "SoftmaxCurvature":
        """The Hessian at a point.

        Samples that the model is sure of have no curvature to speak of and are left out; with
        ``ignored`` also the surest ones that hold this share of all doubt. ``single``: in single
        precision, whose products take half the time.
        """
        logits = point @ self.design
        share = np.exp(logits - logits.max(axis=0))
        share /= share.sum(axis=0)
        doubt = 1 - share.max(axis=0)
        least = CERTAIN
        if ignored:
            ascending = np.sort(doubt)
            cumulative = np.cumsum(ascending)
            least = max(least, ascending[np.searchsorted(cumulative, ignored * cumulative[-1])])
        design = self.design
        if single:
            share, design = share.astype(np.float32), self._single_design
        unsure = np.flatnonzero(doubt >= least)
        if len(unsure) > 0.8 * self.samples:
            return SoftmaxCurvature(share, design, self.samples)
        return SoftmaxCurvature(share[:, unsure], design[:, unsure], self.samples)

    def weights_of(self, point: Array) -> Array:
        """The part of a point that the set constrains (a view)."""
        return point[:, :-1]

    def to_model(self, point: Array) -> tuple[Array, Array]:
        """Weight (..., classes, n) and intercept (..., classes) in the units of the data."""
        weight = self.inputs.to_weight(point[..., :-1])
        return weight, point[..., -1] - point[..., :-1] @ (self.inputs.mean / self.inputs.scale)

    def from_model(self, weight: Array, intercept: Array | float = 0.0) -> Array:
        point = np.zeros(self.shape)
        point[:, :-1] = self.inputs.from_weight(weight)
        point[:, -1] = intercept + point[:, :-1] @ (self.inputs.mean / self.inputs.scale)
        return point


@dataclass(frozen=True, eq=False)
class GramCurvature:
    """The Hessian of the squared loss: the same at every point."""

    gram: Array

    def product(self, v: Array) -> Array:
        return self.gram @ v

    def block(self, mask: NDArray[np.bool_]) -> Array:
        """The Hessian's rows and columns of the coordinates in the mask."""
        return self.gram[np.ix_(mask, mask)]


@dataclass(frozen=True, eq=False)
class SoftmaxCurvature:
    """The Hessian of the softmax loss at one point, from the probabilities (classes, N)."""

    share: Array
    design: Array
    samples: int

    def product(self, v: Array) -> Array:
        change = self.share * (v.astype(self.design.dtype, copy=False) @ self.design)
        change -= self.share * change.sum(axis=0)
        return change @ self.design.T / self.samples

    def block(self, mask: NDArray[np.bool_]) -> Array:
        """The Hessian's rows and columns of the coordinates in the mask, in the mask's order."""
        row, column = np.nonzero(mask)
        weighted = self.share[row] * self.design[column]
        hessian = -(weighted @ weighted.T)
        ends = np.searchsorted(row, np.arange(len(self.share) + 1))
        for begin, end in pairwise(ends):
            hessian[begin:end, begin:end] += weighted[begin:end] @ self.design[column[begin:end]].T
        return hessian / self.samples

    @cached_property
    def diagonal(self) -> Array:
        """Of a point's shape."""
        variance = self.share * (1 - self.share)
        parts = [self.design[block] for block in _split_columns(self.design.T)]
        return np.hstack([variance @ (part**2).T for part in parts]) / self.samples

    def class_block(self, k: int) -> Array:
        """The Hessian of one class's weights and intercept, (p + 1, p + 1)."""
        variance = self.share[k] * (1 - self.share[k])
        root = self.design * np.sqrt(variance)
        return root @ root.T / self.samples


Loss = SquaredLoss | SoftmaxLoss
LOSSES = ("squared", "softmax")


def prepare(x: Array, y: NDArray[Any], loss: str) -> Loss:
    """The loss of that name on data that ``check_data`` returned."""
    return SquaredLoss.from_samples(x, y) if loss == "squared" else SoftmaxLoss.from_samples(x, y)


def loss_of(task: str) -> str:
    """The loss that a dataset's task is trained by: "softmax" or "squared"."""
    return "softmax" if task == "classification" else "squared"


def check_data(x: Array, y: NDArray[Any], loss: str) -> tuple[Array, NDArray[Any]]:
    """Inputs (N, n) as float64 and targets (N,) as the loss needs them; ArgumentError in words."""
    if loss not in LOSSES:
        raise ArgumentError(f"there is no loss named {loss!r}: choose one of {', '.join(LOSSES)}")
    check_plain(x, "the inputs")
    check_plain(y, "the targets")
    try:
        x = np.asarray(x, np.float64)
    except (TypeError, ValueError):
        raise ArgumentError(
            "the inputs hold values that are not numbers: encode them first"
        ) from None
    if x.ndim > 2:
        x = x.reshape(len(x), -1)
    if x.ndim != 2 or 0 in x.shape:
        raise ArgumentError(
            f"inputs of shape {x.shape} cannot be used: give a table (samples, features), at least 1 x 1"
        )
    y = np.asarray(y)
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.shape != (len(x),):
        raise ArgumentError(
            f"targets of shape {y.shape} do not fit {len(x)} samples: give one target a sample"
        )
    if not np.isfinite(x).all():
        raise ArgumentError(
            "the inputs hold values that are missing or not finite: fill or drop them first"
        )
    try:
        y = y.astype(np.float64)
    except (TypeError, ValueError):
        raise ArgumentError(
            "the targets are not numbers: number the classes 0, 1, 2, ... first"
        ) from None
    if not np.isfinite(y).all():
        raise ArgumentError(
            "the targets hold values that are missing or not finite: drop them first"
        )
    _check_scale(x, "the inputs of a column")
    if loss == "softmax":
        return x, _check_labels(y)
    _check_scale(y[:, None], "the targets")
    return x, y


def _split_columns(x: Array) -> list[slice]:
    """The columns of (N, n), in blocks of so few that one needs little memory."""
    count = x.shape[1]
    ends = np.linspace(0, count, max(1, min(count // 2, x.size // BLOCK)) + 1).astype(int)
    return [slice(begin, end) for begin, end in pairwise(ends.tolist())]


def _check_scale(columns: Array, title: str) -> None:
    """Raises ArgumentError where squares, and products of two squares, would leave float64."""
    sizes = np.abs(columns).max(axis=0)
    for size in sizes[(sizes > LARGEST) | ((sizes > 0) & (sizes < 1 / LARGEST))]:
        unit = "larger" if size > LARGEST else "smaller"
        raise ArgumentError(
            f"{title} reach {size:.0e} at most: choose a {unit} unit, so that this is between "
            f"{1 / LARGEST:.0e} and {LARGEST:.0e}"
        )


def _check_labels(y: Array) -> NDArray[np.intp]:
    labels = y.astype(np.intp)
    if (labels != y).any() or labels.min() < 0:
        raise ArgumentError("softmax needs class numbers 0, 1, 2, ...: these targets are others")
    seen = np.unique(labels)
    if len(seen) < 2:
        raise ArgumentError("all samples are of one class: give samples of at least two")
    if seen[-1] != len(seen) - 1:
        absent = next(k for k, label in enumerate(seen) if k != label)
        raise ArgumentError(f"class {absent} has no sample: number the classes without gaps")
    return labels


def _find_largest_eigenvalue(matrix: Array) -> float:
    size = len(matrix)
    if size == 0:
        return 0.0
    return float(eigh(matrix, eigvals_only=True, subset_by_index=[size - 1, size - 1])[0])
