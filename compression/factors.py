"""A weight of low rank as plain arrays: two matrices, or the kernels of smaller convolutions."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]


@dataclass(frozen=True, eq=False)
class Factors:
    """A weight of rank k: ``left @ right`` stands for the (m, n) weight.

    Attributes
    ----------
    left : ndarray, shape (m, k)
    right : ndarray, shape (k, n)
    bias_shift : ndarray, shape (m,)
        To be added to the layer's bias.
    groups : int
        Above 1: the inner dimensions, and the inputs, fall into so many equal groups of
        neighbours, and an inner dimension takes the inputs of its own group alone; the other
        numbers of ``right`` are zeros, which nothing stores.
    """

    left: Array
    right: Array
    bias_shift: Array
    groups: int = 1

    @property
    def weight(self) -> Array:
        """The (m, n) matrix that the factors stand for."""
        return self.left @ self.right

    @property
    def matrix(self) -> Array:
        """The weight, under the name that kernels have for it."""
        return self.weight

    @property
    def parameters(self) -> int:
        """Numbers that the factors hold."""
        return self.left.size + self.right.size // self.groups


def pack_groups(right: Array, groups: int) -> Array:
    """The numbers (k, n / groups) of a right factor (k, n) that are no zeros by its groups."""
    rank, columns = right.shape
    blocks = right.reshape(groups, rank // groups, groups, columns // groups)
    group = np.arange(groups)
    return blocks[group, :, group].reshape(rank, -1)


def spread_groups(packed: Array, groups: int) -> Array:
    """A kernel (k, n, *spatial) from the numbers (k, n / groups, *spatial) of its groups."""
    rank, columns, *spatial = packed.shape
    blocks = np.zeros((groups, rank // groups, groups, columns, *spatial), packed.dtype)
    group = np.arange(groups)
    blocks[group, :, group] = packed.reshape(groups, rank // groups, columns, *spatial)
    return blocks.reshape(rank, groups * columns, *spatial)


@dataclass(frozen=True, eq=False)
class Stage:
    """One of the convolutions that follow one another in place of the layer's own.

    Attributes
    ----------
    kernel : ndarray, shape (out, in / groups, *spatial)
    carries : tuple of bool, one a spatial axis
        Whether this stage takes the layer's stride, padding and dilation along that axis. Where
        it does not, its kernel has one entry there and its stride is 1.
    groups : int
        Equal ones of neighbours, in and out; an output takes the inputs of its own group alone.
    """

    kernel: Array
    carries: tuple[bool, ...]
    groups: int = 1

    @property
    def dense_kernel(self) -> Array:
        """The kernel (out, in, *spatial), with the zeros between groups."""
        return self.kernel if self.groups == 1 else spread_groups(self.kernel, self.groups)

    def settings(
        self, stride: tuple[int, ...], padding: tuple[int, ...] | str, dilation: tuple[int, ...]
    ) -> dict[str, tuple[int, ...] | str]:
        """This stage's share of the layer's stride, padding and dilation, one a spatial axis.

        "same" and "valid" stay what they are: a kernel of one entry needs no padding for either.
        """

        def share(layer: tuple[int, ...], otherwise: int) -> tuple[int, ...]:
            return tuple(
                int(value) if carried else otherwise
                for value, carried in zip(layer, self.carries, strict=True)
            )

        return {
            "stride": share(stride, 1),
            "padding": padding if isinstance(padding, str) else share(padding, 0),
            "dilation": share(dilation, 1),
        }


@dataclass(frozen=True, eq=False)
class KernelStages:
    """A convolution as stages, applied first to last; only the last one has a bias.

    Attributes
    ----------
    stages : tuple of Stage
    bias_shift : ndarray, shape (out,)
        To be added to the layer's bias, which goes to the last stage.
    """

    stages: tuple[Stage, ...]
    bias_shift: Array

    @property
    def kernel(self) -> Array:
        """The kernel (out, in, *spatial) that the stages stand for."""
        # Along each axis only one stage has more than one entry, so composing two convolutions
        # is a product over channels at every position: a matrix product that broadcasts.
        whole = _move_channels_last(self.stages[0].dense_kernel)
        for stage in self.stages[1:]:
            whole = _move_channels_last(stage.dense_kernel) @ whole
        return np.moveaxis(whole, (-2, -1), (0, 1))

    @property
    def matrix(self) -> Array:
        """The kernel unfolded to a matrix (out, in · spatial)."""
        return self.kernel.reshape(len(self.kernel), -1)

    @property
    def parameters(self) -> int:
        """Numbers that the stages' kernels hold, biases aside."""
        return sum(stage.kernel.size for stage in self.stages)


def _move_channels_last(kernel: Array) -> Array:
    return np.moveaxis(kernel, (0, 1), (-2, -1))
