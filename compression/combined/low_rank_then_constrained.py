"""Low rank first, then constraints on the factors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from torch import nn

from ..constrained.training.projected_training import ProjectedTraining
from ..constrained.training.setup import ConstrainedStart, bounds_for
from ..network import layers
from .balanced import prepare_balanced_ranks


@dataclass(frozen=True)
class LowRankThenConstraints:
    """Truncate, then train the factors under a bound.

    Each linear layer becomes the two factors of its truncated SVD, of equal size. Then
    min L over all weights, each factor (and each layer that stays dense) in C(c), by projected
    training: an optimiser step, then the projection. One relative bound serves all: c is that
    share of each weight's own gauge right after the truncation.

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
            factored = all_ranks.at(rank)
            limits = [bounds_for(layers(factored), self.constraint, bound) for bound in bounds]
            path = ProjectedTraining().networks(
                replace(start, network=factored), self.constraint, limits
            )
            for bound, network in zip(bounds, path, strict=True):
                yield rank, bound, network

    def epochs_behind(self, epochs: int, bounds: int) -> int:
        """Epochs of all bounds up to this one."""
        return epochs * bounds
