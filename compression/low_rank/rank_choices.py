"""What a layer may cost, and what it then loses: what an allocation of ranks chooses from."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .decomposition import Array, MatrixRanks
from .kernels import KernelDecomposition

Whole = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class RankChoices:
    """What one layer may cost, and what it then loses.

    Attributes
    ----------
    errors : ndarray, shape (R,)
        ``errors[k - 1]``: loss at rank k, in a unit that may be added over layers; the dense
        layer's is 0.
    costs : ndarray of int, shape (R,)
        ``costs[k - 1]``: parameters, bytes or MACs at rank k.
    dense_cost : int
        The same of the dense layer.
    """

    errors: Array
    costs: Whole
    dense_cost: int


def choices(decomposition: MatrixRanks | KernelDecomposition) -> RankChoices:
    """A layer's choices by :func:`kept_energy_loss` of the method's own error, and parameters."""
    errors = kept_energy_loss(decomposition.errors)
    return RankChoices(errors, decomposition.parameters[1:], decomposition.dense_parameters)


def kept_energy_loss(errors: Array) -> Array:
    """−log of the share of energy that a layer keeps at rank 1, 2, ..., r; shape (r,).

    Layers follow one another: of what the first keeps the next keeps its share. The logarithms
    add up, and grow without bound where a layer is left next to nothing.

    Parameters
    ----------
    errors : ndarray, shape (r + 1,)
        What rank 0, 1, ..., r drops.
    """
    whole = errors[0]
    if not whole > 0:  # constant inputs and no ridge: nothing to lose
        return np.zeros(len(errors) - 1)
    return -np.log1p(-np.minimum(errors[1:] / whole, 1 - 1e-12))
