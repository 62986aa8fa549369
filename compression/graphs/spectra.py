"""Singular values and factors of a weight, by the way that its size allows."""

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from ..errors import NotApplicableError
from ..low_rank.randomized_svd import RandomizedSVD
from ..low_rank.spectrum import ENERGY_SHARES
from ..low_rank.truncated_svd import svd

Array = NDArray[np.floating]

LARGEST_SVD = 2_048
"""Smaller side up to which the whole SVD is taken; beyond, that of the smaller Gram matrix."""
LARGEST_GRAM = 6_144
"""Smaller side beyond which a random sketch finds the first singular values alone."""
SKETCHED = 512


def singular_values(matrix: Array) -> Array:
    """In descending order; all of them, or the first ``SKETCHED`` of a very large matrix.

    From a Gram matrix they are exact to 1e-8 of the largest one, which an energy cannot see.

    Raises
    ------
    NotApplicableError
        The matrix holds values that are not finite.
    """
    _check_finite(matrix)
    small = min(matrix.shape)
    if small > LARGEST_GRAM:
        return RandomizedSVD().decompose(matrix, max_rank=SKETCHED).singular_values
    if small > LARGEST_SVD:
        squares = scipy.linalg.eigh(_gram(matrix), eigvals_only=True, check_finite=False)
        return np.sqrt(np.maximum(squares[::-1], 0.0))
    return scipy.linalg.svd(matrix, compute_uv=False, check_finite=False)


def factorize(matrix: Array, rank: int) -> tuple[Array, Array]:
    """The nearest product of (m, k) and (k, n), both factors of the same norm.

    Equal norms, so that types of few digits lose as little as they can.
    """
    _check_finite(matrix)
    small = min(matrix.shape)
    if small > LARGEST_GRAM:
        sketch = RandomizedSVD().decompose(matrix, max_rank=rank)
        root = np.sqrt(np.maximum(sketch.singular_values[:rank], np.finfo(np.float64).tiny))
        return sketch.left[:, :rank] / root, sketch.right[:rank] * root[:, None]
    if small > LARGEST_SVD:
        return _factorize_by_gram(matrix, rank)
    u, s, vt = svd(matrix)
    root = np.sqrt(s[:rank])
    return u[:, :rank] * root, root[:, None] * vt[:rank]


def _factorize_by_gram(matrix: Array, rank: int) -> tuple[Array, Array]:
    """A projection on the first eigenvectors: its error is that of the projection, no more."""
    rows, columns = matrix.shape
    size = min(matrix.shape)
    _, vectors = scipy.linalg.eigh(
        _gram(matrix), subset_by_index=(size - rank, size - 1), check_finite=False
    )
    vectors = vectors[:, ::-1]
    left, right = (
        (vectors, vectors.T @ matrix) if rows <= columns else (matrix @ vectors, vectors.T)
    )
    norms = np.linalg.norm(right, axis=1) if rows <= columns else np.linalg.norm(left, axis=0)
    root = np.sqrt(np.maximum(norms, np.finfo(np.float64).tiny))
    if rows <= columns:
        return left * root, right / root[:, None]
    return left / root, right * root[:, None]


def energy_ranks(values: Array, energy: float) -> tuple[int | None, ...]:
    """Smallest ranks that keep 90, 95 and 99 % of the energy; None beyond what was computed.

    Parameters
    ----------
    values : ndarray, shape (r,)
    energy : float
        Sum of all squares, those of singular values that were not computed too.
    """
    if not energy > 0:
        return (0,) * len(ENERGY_SHARES)
    kept = np.cumsum(values**2) / energy
    kept[-1] = 1.0 if np.isclose(kept[-1], 1.0, rtol=1e-9) else kept[-1]
    ranks = [int(np.searchsorted(kept, share)) + 1 for share in ENERGY_SHARES]
    return tuple(rank if rank <= len(values) else None for rank in ranks)


def _gram(matrix: Array) -> Array:
    rows, columns = matrix.shape
    return matrix @ matrix.T if rows <= columns else matrix.T @ matrix


def _check_finite(matrix: Array) -> None:
    # LAPACK does not return from a matrix with one infinite entry.
    if not np.isfinite(matrix).all():
        raise NotApplicableError("the weight holds values that are not finite")
