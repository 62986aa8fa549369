"""What the constrained page is handed: names, tables and arrays, and nothing of torch."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .results import Traded

LOWER, ZERO, FREE, UPPER = range(4)
"""States of a weight, in the order of their values: −c, 0, a number of its own, +c."""


@dataclass(frozen=True, eq=False)
class LayerRows:
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
        LOWER, ZERO, FREE or UPPER.
    reference : ndarray, shape (m, n)
        The reference's weight, thinned in the same way.
    strides : (int, int)
    edges : ndarray, shape (bins + 1,)
        Of the histograms, in the units of the weight.
    reference_counts : ndarray, shape (bins,)
        How many of all the reference's weights lie in each bin.
    free_counts : ndarray, shape (rows, bins)
        How many of all free weights lie in each bin.
    held_counts : ndarray, shape (rows, 4)
        How many of all weights are LOWER, ZERO, FREE, UPPER.
    """

    name: str
    shape: tuple[int, int]
    bounds: NDArray
    weights: NDArray
    states: NDArray[np.int8]
    reference: NDArray
    strides: tuple[int, int]
    edges: NDArray
    reference_counts: NDArray[np.int64]
    free_counts: NDArray[np.int64]
    held_counts: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Constrained:
    """One way to the bounds, every bound judged.

    Attributes
    ----------
    curve : Traded
    layers : dict
        Name -> LayerRows.
    facts : DataFrame or None
        What is certified of each row, for a convex loss: knob, objective, duality_gap,
        kkt_residual, certified, inactive, status, price (loss per unit of the bound; NaN without
        multipliers), seconds (NaN on a path).
    multipliers : ndarray, shape (rows, outputs, inputs), or None
        Price of each weight's own bound, where each has one.
    feature_names : tuple of str
    input_shape : tuple of int
    """

    curve: Traded
    layers: dict[str, LayerRows]
    facts: pd.DataFrame | None
    multipliers: NDArray | None
    feature_names: tuple[str, ...]
    input_shape: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Trail:
    """How every weight moves with c.

    Attributes
    ----------
    bounds : ndarray, shape (b,)
        Breakpoints of an exact path; else its grid.
    weights : ndarray, shape (b, outputs, inputs)
    exact : bool
        Whether the path is piecewise linear with corners at these bounds and nowhere else.
    """

    bounds: NDArray
    weights: NDArray
    exact: bool


@dataclass(frozen=True, eq=False)
class Race:
    """All solvers on one problem.

    Attributes
    ----------
    table : DataFrame
        A line a solver: solver, objective, duality_gap, kkt_residual, iterations, seconds,
        status, pinned (share of the weights).
    tracks : dict
        Solver -> DataFrame of iteration, seconds, objective, duality_gap, above (the objective
        over the best lower bound that any certificate gave).
    weights : dict
        Solver -> ndarray, shape (iterates, outputs, inputs), of the same iterates.
    feature_names : tuple of str
    largest : (int, int)
        The two largest weights of the reference, numbered row by row.
    """

    table: pd.DataFrame
    tracks: dict[str, pd.DataFrame]
    weights: dict[str, NDArray]
    feature_names: tuple[str, ...]
    largest: tuple[int, int]


@dataclass(frozen=True, eq=False)
class Slice:
    """The loss in the plane of two weights, the others at the optimum.

    Attributes
    ----------
    x, y : ndarray, shape (g,)
        Values of the first and of the second weight.
    loss : ndarray, shape (g, g)
        A row a value of y.
    optimum : (float, float)
    border : ndarray, shape (p, 2)
        A polygon around what the set allows in this plane, cut at the picture's edge.
    """

    x: NDArray
    y: NDArray
    loss: NDArray
    optimum: tuple[float, float]
    border: NDArray
