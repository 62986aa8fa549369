"""Canonical polyadic decomposition of a convolution: one small filter for each inner channel."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..errors import ArgumentError
from ..factors import KernelStages, Stage
from .decomposition import Array, choose_max_rank
from .kernels import KernelDecomposition, check_kernel, kernel_error
from .truncated_svd import svd

Columns = tuple[Array, Array, Array]
NOTHING = 1e-20  # share of the kernel's squared norm that rounding leaves
SMALLEST = 1e-14  # damping that keeps a least squares problem solvable


@dataclass(frozen=True)
class CanonicalPolyadic:
    """Channels mixed down to k, each filtered on its own, and mixed up again.

    Seeks  min ‖K − K̂‖  over kernels K̂[o, i, s] = Σ_r A[o, r] B[i, r] C[s, r] of k terms, s the
    place in the kernel, to a point that alternating least squares leaves no more. Each rank starts
    from the one below and the best single term of what that leaves over, so that errors fall. The
    problem is not convex, and some kernels have no best sum of k terms at all, only terms that
    grow and cancel: a small damping holds those.

    Attributes
    ----------
    iterations : int
        Of alternating least squares for each rank, at most; >= 1. Ranks that save nothing have one.
    tolerance : float
        Iteration stops when the relative error changes by less.
    damping : float
        Of each least squares problem, as a share of the kernel's squared norm; >= 0.

    Notes
    -----
    Hitchcock 1927; of convolutions Lebedev et al. 2015, arXiv 1412.6553, here with one filter of
    both spatial axes; tensorly's ``parafac``.
    """

    iterations: int = 30
    tolerance: float = 1e-5
    damping: float = 1e-6

    def decompose(
        self, weight: Array, inputs: Array | None = None, max_rank: int | None = None
    ) -> "PolyadicStages":
        """All ranks of one kernel.

        Parameters
        ----------
        weight : ndarray, shape (out, in, kw) or (out, in, kh, kw)
        inputs : ignored
            This method looks at the kernel alone.
        max_rank : int, optional
            Up to the least product of two of: outputs, inputs, entries; so many terms are always
            enough. Every rank is iterated: a smaller largest rank saves time.

        Returns
        -------
        PolyadicStages
            ``errors[k]`` is ‖K − K̂‖². ``singular_values`` are those of the unfolding
            (out, in · spatial), whose tail is a lower bound of the error.

        Raises
        ------
        ArgumentError
            The kernel is empty, zero or not finite, or a knob or the rank is out of range.
        """
        if self.iterations < 1 or not self.tolerance > 0 or not self.damping >= 0:
            raise ArgumentError(
                "iterations are a whole number >= 1, the tolerance is above 0, the damping not below"
            )
        kernel = check_kernel(weight)
        tensor = kernel.reshape(*kernel.shape[:2], -1).astype(np.float64)
        largest = tensor.size // max(tensor.shape)
        rank = choose_max_rank(max_rank, largest, kernel.shape)

        errors = [float(np.sum(tensor**2))]
        after, before, inside = (np.zeros((side, 0)) for side in tensor.shape)
        terms: list[Columns] = [(after, before, inside)]
        for k in range(1, rank + 1):
            columns = (
                self._add_term(tensor, terms[-1], errors) if k < largest else _spell_out(tensor)
            )
            error = kernel_error(kernel, _build_stages(columns, kernel))
            if not error <= errors[-1]:
                columns, error = _add_nothing(terms[-1]), errors[-1]
            terms.append(columns)
            errors.append(error)
        return PolyadicStages(
            kernel=kernel,
            errors=np.array(errors),
            singular_values=svd(kernel.reshape(len(kernel), -1))[1],
            terms=tuple(terms[1:]),
        )

    def _add_term(self, tensor: Array, terms: Columns, errors: list[float]) -> Columns:
        """A term more than these, all of them fitted together."""
        from tensorly import cp_tensor
        from tensorly.decomposition import parafac

        if errors[-1] <= NOTHING * errors[0]:
            return _add_nothing(terms)
        k = terms[0].shape[1] + 1
        settings: dict[str, Any] = {"n_iter_max": self.iterations, "tol": self.tolerance}
        # The damping is relative to the squared norms of two factors, and never 0: a term may
        # vanish.
        settings["l2_reg"] = max(self.damping, SMALLEST) * errors[0] ** (2 / 3)
        rest = tensor - np.einsum("or,ir,sr->ois", *terms)
        more = parafac(rest, rank=1, init="svd", **settings)[1]
        start = [np.hstack(pair) for pair in zip(terms, more, strict=True)]
        if k * sum(tensor.shape) >= tensor.size:
            settings["n_iter_max"] = 1
        given = cp_tensor.CPTensor((np.ones(k), start))
        return _balance(parafac(tensor, k, init=given, **settings)[1])


@dataclass(frozen=True, eq=False)
class PolyadicStages(KernelDecomposition):
    """All ranks of a kernel.

    Attributes
    ----------
    terms : tuple of three ndarrays each
        Of rank k = 1, 2, ...: A (out, k), B (in, k), C (entries, k).
    """

    nested: ClassVar[bool] = False

    terms: tuple[Columns, ...]

    @property
    def parameters(self) -> NDArray[np.int64]:
        each = sum(self.kernel.shape[:2]) + self.kernel[0, 0].size
        return each * np.arange(len(self.errors), dtype=np.int64)

    def _stages(self, rank: int) -> KernelStages:
        return _build_stages(self.terms[rank - 1], self.kernel)


def _build_stages(columns: Columns, kernel: Array) -> KernelStages:
    after, before, inside = (each.astype(kernel.dtype) for each in columns)
    rank, spatial = after.shape[1], kernel.shape[2:]
    single, none, all_ = (1,) * len(spatial), (False,) * len(spatial), (True,) * len(spatial)
    return KernelStages(
        stages=(
            Stage(before.T.reshape(rank, -1, *single), none),
            Stage(inside.T.reshape(rank, 1, *spatial), all_, groups=rank),
            Stage(after.reshape(-1, rank, *single), none),
        ),
        bias_shift=np.zeros(len(kernel), kernel.dtype),
    )


def _balance(columns: Columns) -> Columns:
    """The same terms, of one norm in all three factors: types of few digits lose least."""
    norms = [np.linalg.norm(each, axis=0) for each in columns]
    common = np.cbrt(np.prod(norms, axis=0))
    scales = [common / np.where(norm > 0, norm, 1) for norm in norms]
    after, before, inside = (each * scale for each, scale in zip(columns, scales, strict=True))
    return after, before, inside


def _add_nothing(columns: Columns) -> Columns:
    after, before, inside = (np.pad(each, ((0, 0), (0, 1))) for each in columns)
    return after, before, inside


def _spell_out(tensor: Array) -> Columns:
    """The tensor itself as terms, one for each pair of places in its two shorter axes."""
    longest = int(np.argmax(tensor.shape))
    fibres = np.moveaxis(tensor, longest, 0).reshape(tensor.shape[longest], -1)
    one, other = (axis for axis in range(3) if axis != longest)
    places = np.indices((tensor.shape[one], tensor.shape[other])).reshape(2, -1)
    columns: list[Array] = [fibres] * 3
    for axis, place in zip((one, other), places, strict=True):
        columns[axis] = np.eye(tensor.shape[axis])[:, place]
    after, before, inside = columns
    return after, before, inside
