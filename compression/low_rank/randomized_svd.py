"""Truncated singular value decomposition from a random sketch."""

from dataclasses import dataclass

import numpy as np

from ..errors import ArgumentError
from .decomposition import Array, Decomposition, check_weight, choose_max_rank


@dataclass(frozen=True)
class RandomizedSVD:
    """Almost the nearest matrix of bounded rank, for weights whose full SVD takes too long.

    Solves  min ‖W − Ŵ‖_F  subject to  rank Ŵ ≤ k  within the range of a Gaussian sketch of W, for
    every k up to ``max_rank``. With p ≥ 2 further columns and no power iteration the expected
    ‖W − Ŵ‖_F² is at most 1 + k / (p − 1) times the optimum; every iteration narrows that.

    Attributes
    ----------
    oversampling : int
        Columns of the sketch beyond the largest rank, p >= 0.
    iterations : int
        Power iterations, >= 0.
    seed : int
        0 <= seed < 2³².

    Notes
    -----
    Halko, Martinsson & Tropp 2011, arXiv 0909.4061; scikit-learn's ``randomized_svd``. It works
    in the weight's own type, for speed: in float32 the reported errors are exact to about 1e-6 of
    the whole.
    """

    oversampling: int = 64
    iterations: int = 3
    seed: int = 0

    def decompose(
        self, weight: Array, inputs: Array | None = None, max_rank: int | None = None
    ) -> Decomposition:
        """All ranks of one weight up to ``max_rank``.

        Parameters
        ----------
        weight : ndarray, shape (m, n)
        inputs : ignored
            This method looks at the weight alone.
        max_rank : int, optional
            1 <= max_rank <= min(m, n); all ranks unless given, which saves no time.

        Returns
        -------
        Decomposition
            ``errors[k]`` is ‖W − Ŵ‖_F².

        Raises
        ------
        ArgumentError
            The weight is empty, zero or not finite, or a knob or the rank is out of range.
        """
        from sklearn.utils.extmath import randomized_svd

        if self.oversampling < 0 or self.iterations < 0:
            raise ArgumentError("oversampling and iterations are whole numbers >= 0")
        if not 0 <= self.seed < 2**32:
            raise ArgumentError(f"seed {self.seed} is not possible: choose 0 to {2**32 - 1}")
        weight = check_weight(weight)
        rank = choose_max_rank(max_rank, min(weight.shape), weight.shape)
        # Scale to 1, so that the power iterations' products stay in the range of float32.
        scale = np.abs(weight).max()
        u, s, vt = randomized_svd(
            weight / scale,
            rank,
            n_oversamples=self.oversampling,
            n_iter=self.iterations,
            power_iteration_normalizer="QR",
            random_state=self.seed,
        )
        s = s.astype(np.float64) * scale
        # Ŵ is a projection of W: its error is W's energy less its own.
        total = np.sum(weight.astype(np.float64) ** 2)
        lost = np.maximum(total - np.append(0.0, np.cumsum(s**2)), 0.0)
        return Decomposition(
            left=(u * s).astype(weight.dtype),
            right=vt.astype(weight.dtype),
            errors=lost,
            singular_values=s,
            weight=weight,
        )
