"""What studies of a convex problem give: arrays and tables, which load without a solver."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class LossPlanes:
    """The loss in the plane of two weights at every bound, the others at that bound's optimum.

    Attributes
    ----------
    bounds : ndarray, shape (b,)
    optimum : ndarray, shape (b, 2)
    near : ndarray, shape (b,)
        Half the width of a window around the origin that just holds the set, or what it leaves.
    far : float
        Half the width of one window for all bounds, which holds every optimum.
    near_loss, far_loss : ndarray of float32, shape (b, g, g)
        Loss above that of the bound's optimum on a regular grid over either window, a row a value
        of the second weight; NaN until it is computed.
    outlines : list of ndarray, shape (p, 2), or of None
        For each bound a polygon around what the set allows, see ``ConstraintSet.outline``; on an
        open side it ends outside both windows.
    """

    bounds: NDArray
    optimum: NDArray
    near: NDArray
    far: float
    near_loss: NDArray[np.float32]
    far_loss: NDArray[np.float32]
    outlines: list[NDArray | None]

    def row(self, bound: float) -> int:
        """Row of the nearest bound."""
        return int(np.abs(self.bounds - bound).argmin())


class End(NamedTuple):
    """How a trajectory ended: after how many iterations, and whether at a certified optimum."""

    iterations: int
    certified: bool


@dataclass(frozen=True, eq=False)
class Trajectories:
    """Solvers' iterates from the zero model to the optimum of every bound.

    Attributes
    ----------
    bounds : ndarray, shape (b,)
    weights : dict
        Solver -> for each bound an ndarray of float32, shape (iterates, weights), or None until
        it is computed. The first iterate and the last are always among them.
    max_iterates : int
        Iterates of a trajectory at most.
    ends : dict
        Solver -> row of the bound -> End.
    max_seconds : float
        That a trajectory may take.
    """

    bounds: NDArray
    weights: dict[str, list[NDArray[np.float32] | None]]
    max_iterates: int
    ends: dict[str, dict[int, End]]
    max_seconds: float


@dataclass(frozen=True, eq=False)
class Race:
    """Several solvers on one problem.

    Attributes
    ----------
    table : DataFrame
        A line a solver: solver, objective, duality_gap, kkt_residual, iterations, seconds,
        status, pinned (share of the weights).
    tracks : dict
        Solver -> DataFrame of iteration, seconds, objective, duality_gap, above (the objective
        over the best lower bound that any certificate gave).
    """

    table: pd.DataFrame
    tracks: dict[str, pd.DataFrame]
