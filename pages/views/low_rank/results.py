"""What the low-rank page is handed: names, tables and arrays, and nothing of torch."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray


@dataclass(frozen=True)
class Setting:
    """What is compressed, and how: what all sections of the page have in common.

    Attributes
    ----------
    method : str
    layers : tuple of str
        The layers that are compressed.
    ridge : float
        σ², in squared units of a layer's inputs.
    calibration : "reference" | "sequential"
    """

    method: str
    layers: tuple[str, ...]
    ridge: float = 0.0
    calibration: str = "reference"

    @property
    def arguments(self) -> tuple[str, tuple[str, ...], float, str]:
        """What a whole network is made from, in the order in which tasks take it."""
        return self.method, self.layers, self.ridge, self.calibration


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
    looks_at_inputs : bool
        Whether the objective is about the layer's outputs; else it is about the weight.
    """

    left: NDArray | None
    right: NDArray | None
    whole: NDArray | None
    errors: NDArray
    ranks: LayerRanks
    looks_at_inputs: bool

    @property
    def max_rank(self) -> int:
        return len(self.errors) - 1

    @property
    def own_objective(self) -> bool:
        """Whether it is another than the distance to the weight that truncated SVD minimises."""
        return self.looks_at_inputs or self.left is None

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
    unfolding : str
        In words, the matrix whose singular values stand for a kernel's; "" for a linear layer.
    spectra : dict
        Name -> singular values, descending: "weight" in units of the weight; "weighted", of
        W Σ^½, in units of the outputs; "inputs", of Σ^½, in units of the inputs. Σ is the
        covariance of what the layer sees of the training rows.
    approximations : Approximations or None
        None: the method does not take this kind of layer.
    marks : dict
        Name (of ``compression.low_rank.spectrum.MARKER_TITLES``) -> rank.
    patterns : ndarray, shape (r, *shape), or None
        What the first layer's factors look for in an image or a signal, one a rank.
    """

    name: str
    method: str
    weight: NDArray
    unfolding: str
    spectra: dict[str, NDArray]
    approximations: Approximations | None
    marks: dict[str, float]
    patterns: NDArray | None


@dataclass(frozen=True, eq=False)
class Chosen:
    """Rows of a curve that rules have chosen: the table, and the reference's row.

    ``ranks`` has a dict for each row: layer -> rank, or None for dense.
    """

    table: pd.DataFrame
    reference: pd.Series
    ranks: list[dict[str, int | None]] = field(default_factory=list)
