"""Truncated singular value decomposition."""

from dataclasses import dataclass

import numpy as np
import scipy.linalg

from .decomposition import Array, Decomposition, check_weight, choose_max_rank


@dataclass(frozen=True)
class TruncatedSVD:
    """The nearest matrix of bounded rank.

    Solves  min ‖W − Ŵ‖_F  subject to  rank Ŵ ≤ k,  for every k at once; the answer is nearest in
    the spectral norm too. Source: Eckart & Young 1936.
    """

    def decompose(
        self, weight: Array, inputs: Array | None = None, max_rank: int | None = None
    ) -> Decomposition:
        """All ranks of one weight.

        Parameters
        ----------
        weight : ndarray, shape (m, n)
        inputs : ignored
            This method looks at the weight alone.
        max_rank : int, optional
            1 <= max_rank <= min(m, n); all ranks unless given.

        Returns
        -------
        Decomposition
            ``errors[k]`` is ‖W − Ŵ‖_F², the tail of the squared spectrum.

        Raises
        ------
        ArgumentError
            The weight is empty, zero or not finite, or the rank is out of range.
        """
        weight = check_weight(weight)
        rank = choose_max_rank(max_rank, min(weight.shape), weight.shape)
        u, s, vt = svd(weight)
        return Decomposition(
            left=(u[:, :rank] * s[:rank]).astype(weight.dtype),
            right=vt[:rank].astype(weight.dtype),
            errors=tails(s**2)[: rank + 1],
            singular_values=s[:rank],
            weight=weight,
        )


def svd(matrix: Array) -> tuple[Array, Array, Array]:
    """Thin singular value decomposition ``u, s, vt`` in float64 of a finite matrix.

    Float64 whatever the matrix's type: single precision would leave errors of the largest
    singular value's rounding in all the small ones, which the error curves then show.
    """
    matrix = matrix.astype(np.float64, copy=False)
    try:
        return scipy.linalg.svd(matrix, full_matrices=False, lapack_driver="gesdd")
    except np.linalg.LinAlgError:
        # Divide and conquer can fail to converge where the plain QR iteration does not.
        return scipy.linalg.svd(matrix, full_matrices=False, lapack_driver="gesvd")


def tails(terms: Array) -> Array:
    """``tails(t)[k]`` is the sum of t[k:], added up from the small end; shape (r + 1,)."""
    return np.append(np.cumsum(terms[::-1])[::-1], 0.0)
