"""Classes drawn from a softmax model whose weight has a known rank.

The 2ʳ classes sit on the corners of a cube in r dimensions, the cube lies in a random
r-dimensional subspace of the inputs:

    W = sharpness · C D,  C (2ʳ, r) the corners (entries ±1),  D (r, features) with D Dᵀ = I
    x ~ N(0, I),  y ~ softmax(W x)

Each class is as frequent as any other. The r singular values of W are equal, so no smaller rank
will do: each direction left out merges the classes in pairs and halves the accuracy, to 2⁻ʳ at
rank 0. No classifier can beat E[σ(2 · sharpness · |t|)]ʳ, t ~ N(0, 1): 81 % for the default.
"""

import numpy as np
from numpy.typing import NDArray

from .base import Samples

RANK = 3


def draw(
    samples: int = 2000, features: int = 40, rank: int = RANK, sharpness: float = 4.0, seed: int = 0
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.float64]]:
    """Inputs, labels and the weight that they were drawn from.

    Parameters
    ----------
    samples, features : int
        rank <= features.
    rank : int
        There are 2**rank classes.
    sharpness : float
        Length of a class's weight along each direction: the larger, the surer the labels.
    seed : int

    Returns
    -------
    x : ndarray, shape (samples, features)
    y : ndarray of int64, shape (samples,)
    weight : ndarray, shape (2**rank, features)
        Of the given rank; its rows sum to zero.
    """
    rng = np.random.default_rng(seed)
    directions = np.linalg.qr(rng.standard_normal((features, rank)))[0].T
    corners = 2.0 * (np.arange(2**rank)[:, None] >> np.arange(rank) & 1) - 1
    weight = sharpness * corners @ directions
    x = rng.standard_normal((samples, features))
    # The largest of logits + Gumbel noise is a draw from their softmax.
    y = (x @ weight.T + rng.gumbel(size=(samples, 2**rank))).argmax(axis=1)
    return x, y.astype(np.int64), weight


def samples() -> Samples:
    """2000 rows, 40 columns, 8 classes, rank 3."""
    x, y, _ = draw()
    return Samples(
        x=x,
        y=y,
        feature_names=tuple(f"x{i}" for i in range(1, x.shape[1] + 1)),
        class_names=tuple(f"corner {i}" for i in range(1, 2**RANK + 1)),
    )
