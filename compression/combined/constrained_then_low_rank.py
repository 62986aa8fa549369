"""Constraints first, then low rank."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from torch import nn

from ..constrained.training.projected_training import ProjectedTraining
from ..constrained.training.setup import ConstrainedStart, bounds_for, project
from ..network import bounded_of, layers
from .balanced import prepare_balanced_ranks


@dataclass(frozen=True)
class ConstraintsThenLowRank:
    """Train under a bound, truncate, and train the factors on.

    Half of the epochs (rounded up) go into projected training of the dense network, every weight
    in C(c); then its linear layers are truncated, and the other half trains the factors, which
    are free, while layers that stay dense keep their bound.

    Attributes
    ----------
    constraint : str
        A name of ``compression.CONSTRAINTS``.
    """

    constraint: str = "box"

    def networks(
        self, start: ConstrainedStart, ranks: Sequence[int], bounds: Sequence[float]
    ) -> Iterator[tuple[int, float, nn.Sequential]]:
        """A network for each pair; each bound starts where the one before ended."""
        after = start.epochs // 2
        dense = layers(start.network)
        limits = [bounds_for(dense, self.constraint, bound) for bound in bounds]
        path = ProjectedTraining().networks(
            replace(start, epochs=start.epochs - after), self.constraint, limits
        )
        for bound, constrained in zip(bounds, path, strict=True):
            all_ranks = prepare_balanced_ranks(constrained)
            for rank in ranks:
                network = copy.deepcopy(all_ranks.at(rank))
                notes = {name: bounded_of(layer) for name, layer in layers(network).items()}
                kept = {name: note.bound for name, note in notes.items() if note}
                bounded = {name: layers(network)[name] for name in kept}
                trainer = start.trainer(network, partial(project, bounded, self.constraint, kept))
                for _ in range(after):
                    trainer.run_epoch()
                yield rank, bound, network

    def epochs_behind(self, epochs: int, bounds: int) -> int:
        """Epochs of the dense network's bounds up to this one, and of the factors."""
        after = epochs // 2
        return (epochs - after) * bounds + after
