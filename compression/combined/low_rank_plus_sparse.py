"""Low rank plus sparse: W ≈ L + S."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import nn

from ..constrained.sets import Cardinality
from ..constrained.training.augmented_lagrangian import AugmentedLagrangian
from ..constrained.training.setup import ConstrainedStart
from ..factors import Array, Factors
from ..low_rank.decomposition import check_rank, check_weight
from ..low_rank.layers import layers_for
from ..low_rank.truncated_svd import svd
from ..network import (
    Layer,
    LayerBound,
    LowRankPlusSparseLayer,
    layers,
    low_rank_layer,
    replace_layers,
    set_bounded,
)
from .compressed_layer import share_bias, weight_of
from .method import MU


@dataclass(frozen=True, eq=False)
class LowRankSparseSum:
    """A weight as the sum of a low-rank and a sparse one.

    Attributes
    ----------
    left : ndarray, shape (m, k)
    right : ndarray, shape (k, n)
    sparse : ndarray, shape (m, n)
    errors : ndarray, shape (rounds,)
        ‖W − L − S‖_F² after each round, in squared units of the weight; falls, or stays.
    """

    left: Array
    right: Array
    sparse: Array
    errors: Array

    @property
    def weight(self) -> Array:
        """The (m, n) matrix that both stand for."""
        return self.left @ self.right + self.sparse


def fit_low_rank_plus_sparse(
    weight: Array, rank: int, count: float, sparse: Array | None = None, rounds: int = 100
) -> LowRankSparseSum:
    """Approximate a weight by the sum of a low-rank and a sparse matrix.

    Solves  min ‖W − L − S‖_F  subject to  rank L ≤ k, ‖S‖₀ ≤ κ  by alternating projections:
    L the nearest matrix of rank k to W − S, then S the κ largest entries of W − L. Not convex:
    the answer depends on where it starts. Source: Zhou & Tao 2011 (GoDec, without its sketch).

    Parameters
    ----------
    weight : ndarray, shape (m, n)
    rank : int
        1 <= rank <= min(m, n).
    count : float
        κ, 0 or more; its whole part counts.
    sparse : ndarray, shape (m, n), optional
        S to start from; zero unless given.
    rounds : int

    Raises
    ------
    ArgumentError
        The weight is empty, zero or not finite, or the rank is out of range.
    """
    weight = check_weight(weight)
    check_rank(rank, min(weight.shape), weight.shape)
    sparse = np.zeros_like(weight) if sparse is None else sparse
    errors = []
    for _ in range(rounds):
        u, s, vt = svd(weight - sparse)
        root = np.sqrt(s[:rank])
        left, right = u[:, :rank] * root, root[:, None] * vt[:rank]
        rest = weight - left @ right
        sparse = Cardinality().project(rest, count)
        errors.append(np.sum((rest - sparse) ** 2))
    left, right, sparse = (array.astype(weight.dtype) for array in (left, right, sparse))
    return LowRankSparseSum(left, right, sparse, np.array(errors))


@dataclass(frozen=True)
class LowRankPlusSparseTraining:
    """Learning–compression towards low rank plus sparse.

    min L(w)  subject to  w = L + S, rank L ≤ k, ‖S‖₀ ≤ κ,  for each linear layer whose numbers
    that makes fewer; the others stay dense and free. The relative bound is the share of the
    layer's weights that S may hold. The C-step is one round of
    :func:`fit_low_rank_plus_sparse`, from the last S.
    """

    def networks(
        self, start: ConstrainedStart, ranks: Sequence[int], bounds: Sequence[float]
    ) -> Iterator[tuple[int, float, nn.Sequential]]:
        """A network for each pair; of one rank each bound starts where the one before ended."""
        chosen = layers_for(start.network, "truncated_svd", None)
        for rank in ranks:
            network = copy.deepcopy(start.network)
            lagrangian = AugmentedLagrangian(network, start)
            for bound in bounds:
                parts: dict[str, LowRankPlusSparseLayer] = {}
                for name in chosen:
                    layer = layers(network)[name]
                    count = Cardinality().count(bound * layer.weight.numel(), layer.weight.numel())
                    if rank * sum(layer.weight.shape) + count < layer.weight.numel():
                        parts[name] = _build_layer(layer, rank, count)
                        share_bias(parts[name], layer)
                lagrangian.run(
                    parts, partial(_compress, parts, rank), np.geomspace(*MU, start.epochs).tolist()
                )
                yield rank, bound, replace_layers(network, parts)

    def epochs_behind(self, epochs: int, bounds: int) -> int:
        """Those of all bounds up to this one."""
        return epochs * bounds


def _build_layer(layer: Layer, rank: int, count: int) -> LowRankPlusSparseLayer:
    """A layer of this form with zeros for numbers."""
    outputs, inputs = layer.weight.shape
    zeros = Factors(np.zeros((outputs, rank)), np.zeros((rank, inputs)), np.zeros(outputs))
    sparse = nn.utils.skip_init(nn.Linear, inputs, outputs, bias=False)
    sparse.weight.detach().zero_()
    set_bounded(sparse, LayerBound("cardinality", float(count)))
    return LowRankPlusSparseLayer(low_rank_layer(layer, zeros), sparse)


def _compress(
    parts: Mapping[str, LowRankPlusSparseLayer], rank: int, name: str, target: torch.Tensor
) -> torch.Tensor:
    low_rank: Any = parts[name].low_rank
    sparse: Any = parts[name].sparse
    count = sparse.bounded.bound
    split = fit_low_rank_plus_sparse(
        target.numpy(), rank, count, sparse.weight.detach().numpy(), rounds=1
    )
    for layer, values in (
        (low_rank.left, split.left),
        (low_rank.right, split.right),
        (sparse, split.sparse),
    ):
        layer.weight.detach().copy_(torch.from_numpy(values))
    return weight_of(parts[name])
