"""A layer's weight at every rank of one method, as arrays: what a picture of a layer needs.

Nothing here holds a torch module: what reads these in another process need not load torch.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .decomposition import Array, Decomposition, MatrixRanks
from .kernels import KernelDecomposition, KernelStages, UnfoldedKernel


@dataclass(frozen=True, eq=False)
class LayerRanks:
    """What the ranks of one layer hold, by one method.

    Attributes
    ----------
    name : str
    parameters : ndarray, shape (r + 1,)
        Numbers that rank 0, 1, ..., r holds, biases aside.
    dense_parameters : int
        Numbers that the weight itself holds.
    stages : ndarray, shape (r + 1,)
        How many smaller layers rank 0, 1, ..., r consists of.
    """

    name: str
    parameters: NDArray
    dense_parameters: int
    stages: NDArray

    @property
    def max_rank(self) -> int:
        return len(self.parameters) - 1

    @property
    def break_even(self) -> int:
        """k*: the largest rank that holds fewer numbers than the weight; 0 if none does."""
        return int(np.flatnonzero(self.parameters < self.dense_parameters)[-1])

    def pays(self, rank: int) -> bool:
        """Whether a rank, or the largest below it, holds fewer numbers than the weight."""
        return bool(self.parameters[min(rank, self.max_rank)] < self.dense_parameters)


@dataclass(frozen=True, eq=False)
class Approximations:
    """A layer's weight at every rank of one method.

    Attributes
    ----------
    left, right : ndarray, shape (m, r), (r, n); or None
        Rank k is the product of the first k columns and rows.
    whole : ndarray, shape (r, m, n); or None
        The weights themselves, of a method whose ranks share no factors.
    errors : ndarray, shape (r + 1,)
        What rank 0, 1, ..., r loses in the method's own objective (squared).
    ranks : LayerRanks
        What they hold.
    needs_inputs : bool
        Whether the objective is about the layer's outputs; else it is about the weight.
    """

    left: NDArray | None
    right: NDArray | None
    whole: NDArray | None
    errors: NDArray
    ranks: LayerRanks
    needs_inputs: bool

    @property
    def max_rank(self) -> int:
        return len(self.errors) - 1

    @property
    def own_objective(self) -> bool:
        """Whether it is another than the distance to the weight that truncated SVD minimises."""
        return self.needs_inputs or self.left is None

    @property
    def kept(self) -> NDArray:
        """Share of the objective that rank 0, 1, ..., r keeps; shape (r + 1,)."""
        if self.errors[0] == 0:
            return np.ones(len(self.errors))
        return 1 - self.errors / self.errors[0]

    def weight(self, rank: int) -> NDArray:
        """The (m, n) matrix that one rank stands for; above ``max_rank``: at ``max_rank``."""
        rank = min(rank, self.max_rank)
        if self.left is None or self.right is None:
            assert self.whole is not None
            return self.whole[rank - 1]
        return self.left[:, :rank] @ self.right[:rank]


@dataclass(frozen=True, eq=False)
class LayerView:
    """One layer, looked at closely.

    Attributes
    ----------
    name, method : str
    weight : ndarray, shape (m, n)
        A convolution's kernel as its unfolding (out, in · spatial).
    unfolded_shape : (int, int), or None
        Of the matrix whose singular values stand for a kernel's; None for a linear layer.
    spectra : dict
        Name -> singular values, descending: "weight" in units of the weight; "weighted", of
        W Σ^½, in units of the outputs; "inputs", of Σ^½, in units of the inputs. Σ is the
        covariance of what the layer sees of the training rows.
    approximations : Approximations or None
        None: the method does not take this kind of layer.
    marks : dict
        Name (of ``compression.low_rank.spectrum.MARKER_TITLES``) -> rank. Break-even and energy
        ranks are the method's own, where it takes the layer.
    patterns : ndarray, shape (r, *shape), or None
        What the first layer's factors look for in an image or a signal, one a rank.
    """

    name: str
    method: str
    weight: NDArray
    unfolded_shape: tuple[int, int] | None
    spectra: dict[str, NDArray]
    approximations: Approximations | None
    marks: dict[str, float]
    patterns: NDArray | None


def count_ranks(name: str, decomposition: MatrixRanks | KernelDecomposition) -> LayerRanks:
    """What the ranks of one layer hold."""
    stages = [0]
    for rank in range(1, decomposition.max_rank + 1):
        part = decomposition.at(rank)
        stages.append(len(part.stages) if isinstance(part, KernelStages) else 2)
    return LayerRanks(
        name, decomposition.parameters, decomposition.dense_parameters, np.array(stages)
    )


def approximate(
    name: str, decomposition: MatrixRanks | KernelDecomposition, needs_inputs: bool
) -> Approximations:
    """A layer's weight at every rank, as matrices of a row an output."""
    factors = shared_factors(decomposition)
    whole = None
    if factors is None:
        ranks = range(1, decomposition.max_rank + 1)
        whole = np.stack([decomposition.at(rank).matrix for rank in ranks])
    return Approximations(
        left=None if factors is None else factors.left,
        right=None if factors is None else factors.right,
        whole=whole,
        errors=decomposition.errors,
        ranks=count_ranks(name, decomposition),
        needs_inputs=needs_inputs,
    )


def shared_factors(decomposition: MatrixRanks | KernelDecomposition) -> Decomposition | None:
    """The factors (m, r) and (r, n) of every rank; None where a method's ranks share none."""
    if isinstance(decomposition, UnfoldedKernel):
        return decomposition.matrix
    return decomposition if isinstance(decomposition, Decomposition) else None


def reshape_patterns(
    decomposition: MatrixRanks | KernelDecomposition, shape: tuple[int, ...]
) -> Array | None:
    """Rows of the right factor in the shape (channels, *spatial) of what they are multiplied with.

    The first channel of each; None where there are no such factors, or no picture in that shape.
    """
    factors = shared_factors(decomposition)
    if factors is None or len(shape) < 2 or shape[-1] < 2:
        return None
    return factors.right.reshape(-1, *shape)[:, 0]
