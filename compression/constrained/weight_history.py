"""One layer's weight at every bound, as small as a picture needs it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..weight_states import FREE, WeightState

MAX_CELLS = 16_384  # cells of a weight that are kept
BINS = 61  # about as many of a histogram; odd, so that one bin is around 0


@dataclass(frozen=True, eq=False)
class LayerHistory:
    """One layer's weight at every bound.

    Attributes
    ----------
    name : str
    shape : (int, int)
        Of the weight as a matrix: outputs, inputs.
    bounds : ndarray, shape (rows,)
        The layer's own c, in the units of the weight; NaN where it has none.
    weights : ndarray, shape (rows, m, n)
        Of a large matrix every ``strides[0]``-th row and ``strides[1]``-th column only.
    states : ndarray of int8, shape (rows, m, n)
        Each a ``WeightState``.
    strides : (int, int)
    edges : list of ndarray, each of shape (bins + 1,)
        For each row those of its histogram, in the units of the weight. Where each weight has a
        bound of its own, −c and c are among them: no bin holds what is allowed and what is not.
    reference_counts, free_counts : list of ndarray, each of shape (bins,)
        How many of all the reference's weights, and of all free ones, lie in each bin.
    state_counts : ndarray, shape (rows, states)
        How many of all weights are in each ``WeightState``.
    """

    name: str
    shape: tuple[int, int]
    bounds: NDArray
    weights: NDArray
    states: NDArray[np.int8]
    strides: tuple[int, int]
    edges: list[NDArray]
    reference_counts: list[NDArray[np.int64]]
    free_counts: list[NDArray[np.int64]]
    state_counts: NDArray[np.int64]


def layer_history(
    name: str,
    reference: NDArray,
    weights: Sequence[NDArray],
    states: Sequence[NDArray[np.int8]],
    bounds: Sequence[float],
    elementwise: bool,
) -> LayerHistory:
    """Count a layer's weights at every bound, then thin them.

    Parameters
    ----------
    name : str
    reference : ndarray, shape (m, n)
    weights, states : sequences of ndarray, each of shape (m, n)
        A pair a bound; states as ``ConstraintSet.states`` gives them.
    bounds : sequence of float
        The layer's own; NaN where it has none.
    elementwise : bool
        Whether the set bounds each weight by itself.
    """
    largest = max(float(np.abs(weight).max()) for weight in (reference, *weights)) or 1.0
    edges = [_bin_edges(largest, bound if elementwise else math.nan) for bound in bounds]
    down, across = _choose_strides(reference.shape)
    return LayerHistory(
        name=name,
        shape=reference.shape,
        bounds=np.array(bounds),
        weights=np.stack([weight[::down, ::across] for weight in weights]),
        states=np.stack([state[::down, ::across] for state in states]),
        strides=(down, across),
        edges=edges,
        reference_counts=[np.histogram(reference, ends)[0] for ends in edges],
        free_counts=[
            np.histogram(weight[state == FREE], ends)[0]
            for weight, state, ends in zip(weights, states, edges, strict=True)
        ],
        state_counts=np.stack(
            [np.bincount(state.ravel(), minlength=len(WeightState)) for state in states]
        ),
    )


def find_two_largest(weight: NDArray) -> tuple[int, int]:
    """The two largest entries by absolute value, numbered row by row."""
    first, second = np.argsort(-np.abs(weight).ravel(), kind="stable")[:2].tolist()
    return first, second


def _bin_edges(largest: float, bound: float) -> NDArray:
    """Edges of bins of one width that hold every weight; ±bound are two of them.

    ``bound``: NaN where no single weight has one.
    """
    if not 0 < bound < largest:
        return np.linspace(-largest, largest, BINS + 1)
    inside = np.linspace(-bound, bound, max(round(BINS * bound / largest), 1) + 1)
    width = inside[1] - inside[0]
    outside = bound + width * np.arange(1, math.ceil((largest - bound) / width) + 1)
    outside[-1] = max(outside[-1], largest)  # rounding may have left it out
    return np.concatenate([-outside[::-1], inside, outside])


def _choose_strides(shape: tuple[int, int]) -> tuple[int, int]:
    """The step from row to row and from column to column that leaves at most MAX_CELLS."""
    rows = columns = 1
    while -(-shape[0] // rows) * -(-shape[1] // columns) > MAX_CELLS:
        if shape[0] / rows >= shape[1] / columns:
            rows += 1
        else:
            columns += 1
    return rows, columns
