"""Low rank and constraints at once, by learning–compression."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import nn

from ..constrained.sets import ConstraintSet
from ..constrained.training.augmented_lagrangian import AugmentedLagrangian
from ..constrained.training.setup import ConstrainedStart, bounds_for, members_of, project
from ..low_rank.decomposition import Array
from ..network import LayerBound, layers, set_bounded
from .balanced import prepare_balanced_ranks
from .compressed_layer import share_bias, weight_of
from .method import MU


def find_bounded_factors(
    target: Array,
    left: Array,
    right: Array,
    constraint: ConstraintSet,
    bounds: tuple[float, float],
    sweeps: int = 10,
) -> tuple[Array, Array]:
    """Factors in a set whose product is near a matrix; each sweep no farther than the one before.

    Solves  min ‖V − L R‖_F  subject to  L ∈ C(c_left), R ∈ C(c_right)  to a stationary point, by
    turns: a gradient step of length 1/‖R Rᵀ‖₂ in L and its projection, then the same for R.
    Source: Bolte, Sabach & Teboulle 2014 (proximal alternating linearised minimisation).

    Parameters
    ----------
    target : ndarray, shape (m, n)
    left : ndarray, shape (m, k)
    right : ndarray, shape (k, n)
        Where to start from; in their sets or not.
    constraint : ConstraintSet
    bounds : two floats
        c of the left and of the right factor.
    sweeps : int
    """
    left, right = constraint.project(left, bounds[0]), constraint.project(right, bounds[1])
    for _ in range(sweeps):
        left = _take_step(target, left, right, constraint, bounds[0])
        right = _take_step(target.T, right.T, left.T, constraint, bounds[1]).T
    return left, right


def _take_step(
    target: Array, left: Array, right: Array, constraint: ConstraintSet, bound: float
) -> Array:
    gram = right @ right.T
    curvature = np.linalg.norm(gram, 2)
    if curvature == 0:
        return left
    return constraint.project(left - (left @ gram - target @ right.T) / curvature, bound)


@dataclass(frozen=True)
class JointTraining:
    """Learning–compression with both at once.

    min L(w)  subject to  w = left @ right, left and right in C(c), for each linear layer of
    paying rank, and w in C(c) for the others. The C-step is :func:`find_bounded_factors`. The sets are
    those of low rank, then constraints: the two differ in the way there.

    Attributes
    ----------
    constraint : str
        A name of ``compression.CONSTRAINTS``.
    """

    constraint: str = "box"

    def networks(
        self, start: ConstrainedStart, ranks: Sequence[int], bounds: Sequence[float]
    ) -> Iterator[tuple[int, float, nn.Sequential]]:
        """A network for each pair; of one rank each bound starts where the one before ended."""
        all_ranks = prepare_balanced_ranks(start.network)
        for rank in ranks:
            network = copy.deepcopy(start.network)
            factored = copy.deepcopy(all_ranks.at(rank))
            before = copy.deepcopy(layers(factored))
            parts = {name: factored.get_submodule(name) for name in layers(network)}
            for name, layer in layers(network).items():
                share_bias(parts[name], layer)
            lagrangian = AugmentedLagrangian(network, start)
            for bound in bounds:
                limits = bounds_for(before, self.constraint, bound)
                for name, layer in layers(factored).items():
                    set_bounded(layer, LayerBound(self.constraint, limits[name]))
                compress = partial(self._compress, parts, limits)
                lagrangian.run(parts, compress, np.geomspace(*MU, start.epochs).tolist())
                yield rank, bound, factored

    def epochs_behind(self, epochs: int, bounds: int) -> int:
        """Epochs of all bounds up to this one."""
        return epochs * bounds

    def _compress(
        self,
        parts: Mapping[str, Any],
        limits: Mapping[str, float],
        name: str,
        target: torch.Tensor,
    ) -> torch.Tensor:
        part = parts[name]
        if name in limits:  # it stays dense
            part.weight.detach().copy_(target)
            project({name: part}, self.constraint, limits)
            return weight_of(part)
        left, right = part.left.weight.detach(), part.right.weight.detach()
        bounds = (limits[f"{name}.left"], limits[f"{name}.right"])
        factors = find_bounded_factors(
            target.numpy(), left.numpy(), right.numpy(), members_of(self.constraint), bounds
        )
        for factor, values in zip((left, right), factors, strict=True):
            factor.copy_(torch.from_numpy(values))
        return weight_of(part)
