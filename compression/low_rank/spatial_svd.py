"""Singular value decomposition of a convolution between its vertical and horizontal axes."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import ArgumentError
from ..factors import KernelStages, Stage
from .decomposition import Array, choose_max_rank
from .kernels import KernelDecomposition, check_kernel
from .truncated_svd import svd, tails


@dataclass(frozen=True)
class SpatialSVD:
    """A column of a convolution, then a row of one.

    Solves  min ‖K − K̂‖  over kernels K̂[o, i, a, b] = Σ_{r ≤ k} H[o, r, b] V[r, i, a], for every
    k at once: the truncated SVD of K unfolded as (in · kh, out · kw). k(in · kh + out · kw)
    numbers. Source: Jaderberg, Vedaldi & Zisserman 2014, arXiv 1405.3866, scheme 2.
    """

    def decompose(
        self, weight: Array, inputs: Array | None = None, max_rank: int | None = None
    ) -> "SpatialStages":
        """All ranks of one kernel.

        Parameters
        ----------
        weight : ndarray, shape (out, in, kh, kw)
        inputs : ignored
            This method looks at the kernel alone.
        max_rank : int, optional
            1 <= max_rank <= min(in · kh, out · kw); all ranks unless given.

        Returns
        -------
        SpatialStages
            ``errors[k]`` is ‖K − K̂‖², the tail of the unfolding's squared spectrum.

        Raises
        ------
        ArgumentError
            The kernel is not 2-D, or empty, zero or not finite, or the rank is out of range.
        """
        kernel = check_kernel(weight)
        if kernel.ndim != 4:
            raise ArgumentError(
                f"a kernel of shape {kernel.shape} has one spatial axis: give (out, in, kh, kw)"
            )
        outputs, channels, height, width = kernel.shape
        unfolding = unfold_kernel(kernel)
        rank = choose_max_rank(max_rank, min(unfolding.shape), kernel.shape)
        u, s, vt = svd(unfolding)
        # Split the scale equally between the two stages.
        root = np.sqrt(s[:rank])
        vertical = (u[:, :rank] * root).T.reshape(rank, channels, height, 1)
        horizontal = (root[:, None] * vt[:rank]).reshape(rank, outputs, 1, width)
        return SpatialStages(
            kernel=kernel,
            errors=tails(s**2)[: rank + 1],
            singular_values=s[:rank],
            vertical=vertical.astype(kernel.dtype),
            horizontal=horizontal.swapaxes(0, 1).astype(kernel.dtype),
        )


def unfold_kernel(kernel: Array) -> Array:
    """A kernel (out, in, kh, kw) as the matrix (in · kh, out · kw) that the method truncates."""
    outputs, channels, height, width = kernel.shape
    return kernel.transpose(1, 2, 0, 3).reshape(channels * height, outputs * width)


@dataclass(frozen=True, eq=False)
class SpatialStages(KernelDecomposition):
    """All ranks of a kernel: rank k takes the first k inner channels.

    Attributes
    ----------
    vertical : ndarray, shape (r, in, kh, 1)
    horizontal : ndarray, shape (out, r, 1, kw)
    """

    vertical: Array
    horizontal: Array

    @property
    def parameters(self) -> NDArray[np.int64]:
        each = self.vertical[0].size + self.horizontal[:, 0].size
        return np.arange(self.max_rank + 1, dtype=np.int64) * each

    def _stages(self, rank: int) -> KernelStages:
        return KernelStages(
            stages=(
                Stage(self.vertical[:rank], (True, False)),
                Stage(self.horizontal[:, :rank], (False, True)),
            ),
            bias_shift=np.zeros(len(self.kernel), self.kernel.dtype),
        )
