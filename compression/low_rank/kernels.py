"""Convolutions: a kernel of low rank as two or three smaller convolutions.

A kernel has shape (out, in, kw) or (out, in, kh, kw), as a convolution of one group stores it.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from ..catalog import LOW_RANK_METHODS, find
from ..errors import ArgumentError, NotApplicableError
from ..factors import KernelStages, Stage
from .decomposition import Array, Decomposition, build, check_array, check_rank, write_shape


@dataclass(frozen=True, eq=False)
class KernelDecomposition(ABC):
    """All ranks of one kernel.

    Attributes
    ----------
    kernel : ndarray, shape (out, in, *spatial)
    errors : ndarray, shape (r + 1,)
        ``errors[k]``: what rank k loses, in the method's own objective (squared).
    singular_values : ndarray
        Of the unfolding that the method truncates, in descending order.
    """

    nested: ClassVar[bool] = True
    """Whether rank k takes the first k inner channels of two stages that serve every rank."""

    kernel: Array
    errors: Array
    singular_values: Array

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the kernel."""
        return self.kernel.shape

    @property
    def max_rank(self) -> int:
        return len(self.errors) - 1

    @property
    def mean(self) -> Array | None:
        """Mean patch (in · spatial,), for methods that move what they drop into the bias."""
        return None

    @property
    @abstractmethod
    def parameters(self) -> NDArray[np.int64]:
        """Numbers that the stages of rank 0, 1, ..., r hold, biases aside; shape (r + 1,)."""

    @property
    def dense_parameters(self) -> int:
        """Numbers that the kernel itself holds."""
        return self.kernel.size

    def at(self, rank: int) -> KernelStages:
        """Stages of one rank, 1 <= rank <= max_rank."""
        check_rank(rank, self.max_rank, self.shape)
        return self._stages(rank)

    def realised_error(self, rank: int, inputs: Array | None = None) -> float:
        """The objective behind ``errors[rank]``, measured on the stages themselves.

        ``inputs`` are patches, shape (N, in · spatial), for methods that look at inputs.
        """
        return kernel_error(self.kernel, self.at(rank))

    @abstractmethod
    def _stages(self, rank: int) -> KernelStages: ...


def kernel_error(kernel: Array, stages: KernelStages) -> float:
    """Squared distance ‖K − K̂‖² over all entries, in squared units of the kernel."""
    return float(np.sum((kernel.astype(np.float64) - stages.kernel) ** 2))


@dataclass(frozen=True, eq=False)
class UnfoldedKernel(KernelDecomposition):
    """A kernel taken as the matrix (out, in · spatial), by any method for matrices.

    A convolution with k outputs, then one of a single entry that mixes them: k(in · spatial + out)
    numbers.
    """

    matrix: Decomposition

    @property
    def mean(self) -> Array | None:
        return self.matrix.mean

    @property
    def parameters(self) -> NDArray[np.int64]:
        return self.matrix.parameters

    def realised_error(self, rank: int, inputs: Array | None = None) -> float:
        return self.matrix.realised_error(rank, inputs)

    def _stages(self, rank: int) -> KernelStages:
        factors = self.matrix.at(rank)
        spatial = self.kernel.ndim - 2
        first = factors.right.reshape(rank, *self.kernel.shape[1:])
        last = factors.left.reshape(*factors.left.shape, *(1,) * spatial)
        return KernelStages(
            stages=(Stage(first, (True,) * spatial), Stage(last, (False,) * spatial)),
            bias_shift=factors.bias_shift,
        )


def decompose_kernel(
    kernel: Array,
    method: str = "truncated_svd",
    inputs: Array | None = None,
    max_rank: int | None = None,
    **knobs: Any,
) -> KernelDecomposition:
    """All ranks of a convolution's kernel, by any method of the catalogue that takes one.

    Parameters
    ----------
    kernel : ndarray, shape (out, in, kw) or (out, in, kh, kw)
        Of a convolution of one group.
    method : str
        A name of ``compression.LOW_RANK_METHODS``. Those for matrices work on the unfolding
        (out, in · spatial).
    inputs : ndarray, shape (N, in · spatial), optional
        Patches of the layer's inputs, see :func:`patches`.
    max_rank : int, optional
        All ranks unless given.
    **knobs
        ``ridge``, ``seed``, ...; those that the method does not have are not passed on.

    Raises
    ------
    ArgumentError
        The kernel, inputs or rank cannot be used.
    NotApplicableError
        The method does not take a kernel of this many axes.
    """
    entry = find(LOW_RANK_METHODS, method, "low-rank method")
    kernel = check_kernel(kernel)
    layer = {3: "conv1d", 4: "conv2d"}[kernel.ndim]
    if layer not in entry.layers:
        able = [name for name, e in LOW_RANK_METHODS.items() if layer in e.layers]
        raise NotApplicableError(
            f"{method} does not take a {write_shape(kernel.shape)} kernel: choose one of {', '.join(able)}"
        )
    chosen = build(entry.load(), **knobs)
    if "linear" in entry.layers:
        matrix = chosen.decompose(kernel.reshape(len(kernel), -1), inputs, max_rank)
        return UnfoldedKernel(kernel, matrix.errors, matrix.singular_values, matrix)
    return chosen.decompose(kernel, inputs, max_rank)


def patches(
    inputs: Array,
    kernel_size: tuple[int, ...],
    stride: tuple[int, ...],
    padding: tuple[int, ...],
    dilation: tuple[int, ...],
    rows: int | None = None,
    seed: int = 0,
) -> Array:
    """What a convolution sees at each position, as rows: the inputs of its unfolded kernel.

    Parameters
    ----------
    inputs : ndarray, shape (N, in, *spatial)
    kernel_size, stride, padding, dilation : tuple of int, one a spatial axis
        Zero padding.
    rows : int, optional
        At most this many patches, drawn without replacement; all unless given.
    seed : int
        For the draw.

    Returns
    -------
    ndarray, shape (min(rows, N · positions), in · kernel entries)
        ``patches @ kernel.reshape(out, -1).T`` are the convolution's outputs.

    Raises
    ------
    ArgumentError
        The kernel is larger than the padded inputs, or the tuples do not fit their axes.
    """
    spatial = inputs.ndim - 2
    if not len(kernel_size) == len(stride) == len(padding) == len(dilation) == spatial:
        raise ArgumentError(
            f"inputs of shape {inputs.shape} have {spatial} spatial axes: give as many numbers "
            "for kernel_size, stride, padding and dilation"
        )
    reach = [(side - 1) * step + 1 for side, step in zip(kernel_size, dilation, strict=True)]
    padded = np.pad(inputs, [(0, 0), (0, 0), *((p, p) for p in padding)])
    if any(r > side for r, side in zip(reach, padded.shape[2:], strict=True)):
        raise ArgumentError(
            f"a kernel that reaches over {write_shape(tuple(reach))} does not fit padded inputs of "
            f"{write_shape(padded.shape[2:])}: choose a smaller one, or more padding"
        )
    windows = sliding_window_view(padded, reach, axis=tuple(range(2, 2 + spatial)))
    steps = [slice(None, None, step) for step in (*stride, *dilation)]
    windows = windows[(slice(None), slice(None), *steps)]
    # Order: positions, channels, the kernel's axes.
    windows = np.moveaxis(windows, 1, 1 + spatial)
    positions = windows.shape[: 1 + spatial]
    total = int(np.prod(positions))
    if rows is None or rows >= total:
        return windows.reshape(total, -1)
    drawn = np.random.default_rng(seed).choice(total, size=rows, replace=False)
    return windows[np.unravel_index(np.sort(drawn), positions)].reshape(rows, -1)


def check_kernel(kernel: Array) -> Array:
    """The kernel as finite floats that are not all zero; raises ArgumentError in words."""
    kernel = np.asarray(kernel)
    if kernel.ndim not in (3, 4):
        raise ArgumentError(
            f"a kernel of shape {kernel.shape} is no convolution's: "
            "give (out, in, kw) or (out, in, kh, kw)"
        )
    return check_array(kernel)
