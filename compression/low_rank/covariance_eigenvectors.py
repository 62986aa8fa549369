"""Projection on the main directions of a layer's inputs."""

from dataclasses import dataclass

import numpy as np
import scipy.linalg

from .calibration import covariance, mean
from .decomposition import (
    Array,
    Decomposition,
    check_inputs,
    check_ridge,
    check_weight,
    choose_max_rank,
)
from .truncated_svd import tails


@dataclass(frozen=True)
class CovarianceEigenvectors:
    """The weight restricted to the directions in which its inputs vary most.

    Takes  Ŵ = W V_k V_kᵀ  with V_k the top-k eigenvectors of Σ = cov(X) + σ² I. This solves the
    reconstruction of the *inputs*, min (1/N) Σ ‖(x − x̄) − V Vᵀ (x − x̄)‖²; it is optimal neither
    for the weight nor for the outputs. What Ŵ drops of the mean input moves into the bias.

    Attributes
    ----------
    ridge : float
        σ² >= 0, in squared units of the inputs. It moves the eigenvalues and the reported error,
        never the eigenvectors, so never the factors.
    """

    ridge: float = 0.0

    def decompose(
        self, weight: Array, inputs: Array | None = None, max_rank: int | None = None
    ) -> Decomposition:
        """All ranks of one weight.

        Parameters
        ----------
        weight : ndarray, shape (m, n)
        inputs : ndarray, shape (N, n)
            What the layer sees; any N >= 1.
        max_rank : int, optional
            1 <= max_rank <= min(m, n); all ranks unless given.

        Returns
        -------
        Decomposition
            ``errors[k]`` is (1/N) Σ ‖(W − Ŵ)(x − x̄)‖² + σ²‖W − Ŵ‖_F²; where m < n it may stay
            above zero at the last rank. ``singular_values`` are those of Σ^½.

        Raises
        ------
        ArgumentError
            The weight, inputs, ridge or rank cannot be used.
        """
        check_ridge(self.ridge)
        weight = check_weight(weight)
        inputs = check_inputs(inputs, weight)
        rank = choose_max_rank(max_rank, min(weight.shape), weight.shape)

        values, vectors = scipy.linalg.eigh(covariance(inputs))
        values = np.maximum(values[::-1], 0.0) + self.ridge
        right = vectors[:, ::-1].T
        left = weight @ right.T
        lost = values * np.sum(left**2, axis=0)
        return Decomposition(
            left=left[:, :rank].astype(weight.dtype),
            right=right[:rank].astype(weight.dtype),
            errors=tails(lost)[: rank + 1],
            singular_values=np.sqrt(values[:rank]),
            weight=weight,
            mean=mean(inputs).astype(weight.dtype),
            ridge=self.ridge,
        )
