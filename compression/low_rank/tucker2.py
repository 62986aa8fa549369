"""Tucker decomposition of a convolution over its channels."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ..errors import ArgumentError
from ..factors import KernelStages, Stage
from .decomposition import Array, choose_max_rank
from .kernels import KernelDecomposition, check_kernel, kernel_error
from .truncated_svd import svd


@dataclass(frozen=True)
class Tucker2:
    """Fewer channels in, a smaller convolution, more channels out.

    Solves  min ‖K − K̂‖  over kernels K̂[o, i, ...] = Σ_{p, q} L[o, p] C[p, q, ...] R[q, i] with at
    most k inner channels on either side, to a stationary point (the problem is not convex). One
    integer k serves both sides: k, or as many as that side has. A side that keeps all its
    channels needs no stage of its own.

    Attributes
    ----------
    iterations : int
        Of orthogonal iteration for each rank, at most; >= 1.
    tolerance : float
        Iteration stops when the relative error changes by less.

    Notes
    -----
    Kim et al. 2016, arXiv 1511.06530; tensorly's ``partial_tucker``.
    """

    iterations: int = 20
    tolerance: float = 1e-6

    def decompose(
        self, weight: Array, inputs: Array | None = None, max_rank: int | None = None
    ) -> "TuckerStages":
        """All ranks of one kernel.

        Parameters
        ----------
        weight : ndarray, shape (out, in, kw) or (out, in, kh, kw)
        inputs : ignored
            This method looks at the kernel alone.
        max_rank : int, optional
            Up to the larger of the two channel numbers; all ranks unless given. Every rank is
            iterated on its own: a smaller largest rank saves time.

        Returns
        -------
        TuckerStages
            ``errors[k]`` is ‖K − K̂‖². ``singular_values`` are those of the unfolding
            (out, in · spatial), whose tail is a lower bound of the error.

        Raises
        ------
        ArgumentError
            The kernel is empty, zero or not finite, or a knob or the rank is out of range.
        """
        if self.iterations < 1 or not self.tolerance > 0:
            raise ArgumentError("iterations are a whole number >= 1, the tolerance is above 0")
        kernel = check_kernel(weight)
        outputs, channels = kernel.shape[:2]
        entries = kernel[0, 0].size
        largest = max(min(outputs, channels * entries), min(channels, outputs * entries))
        rank = choose_max_rank(max_rank, largest, kernel.shape)

        best: list[KernelStages] = []
        errors = [float(np.sum(kernel.astype(np.float64) ** 2))]
        for k in range(1, rank + 1):
            stages = self._iterate(kernel, k)
            error = kernel_error(kernel, stages)
            # A stationary point may be worse than the last rank's stages, which rank k allows too.
            if best and error > errors[-1]:
                stages, error = best[-1], errors[-1]
            best.append(stages)
            errors.append(error)
        return TuckerStages(
            kernel=kernel,
            errors=np.array(errors),
            singular_values=svd(kernel.reshape(outputs, -1))[1],
            ranks=tuple(best),
        )

    def _iterate(self, kernel: Array, k: int) -> KernelStages:
        from tensorly.decomposition import partial_tucker

        outputs, channels = kernel.shape[:2]
        entries = kernel[0, 0].size
        # Limit the inner channels of each side to what the other side and the kernel's entries
        # span: the rest would be random directions.
        before = min(k, channels, min(k, outputs) * entries)
        after = min(k, outputs, before * entries)

        (core, (left, right)), _ = partial_tucker(
            kernel.astype(np.float64),
            rank=[after, before],
            modes=[0, 1],
            n_iter_max=self.iterations,
            tol=self.tolerance,
        )
        spatial = kernel.ndim - 2
        single, inside = (1,) * spatial, (False,) * spatial
        stages = []
        if before < channels:
            stages.append(Stage(right.T.reshape(before, channels, *single), inside))
        else:
            core = np.moveaxis(np.tensordot(core, right, axes=(1, 1)), -1, 1)
        if after == outputs:
            core = np.tensordot(left, core, axes=(1, 0))
        stages.append(Stage(core, (True,) * spatial))
        if after < outputs:
            stages.append(Stage(left.reshape(outputs, after, *single), inside))
        return KernelStages(
            stages=tuple(Stage(s.kernel.astype(kernel.dtype), s.carries) for s in stages),
            bias_shift=np.zeros(outputs, kernel.dtype),
        )


@dataclass(frozen=True, eq=False)
class TuckerStages(KernelDecomposition):
    """All ranks of a kernel: ``ranks[k - 1]`` are the stages of rank k."""

    nested: ClassVar[bool] = False

    ranks: tuple[KernelStages, ...]

    @property
    def parameters(self) -> NDArray[np.int64]:
        return np.array([0] + [stages.parameters for stages in self.ranks], dtype=np.int64)

    def _stages(self, rank: int) -> KernelStages:
        return self.ranks[rank - 1]
