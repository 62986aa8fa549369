"""Constraints first, then low rank."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from torch import nn

from ..constrained.networks import bounds_for, project
from ..constrained.projected_training import ProjectedTraining
from ..network import bounded_of, layers
from .start import Start


@dataclass(frozen=True)
class ConstrainedThenLowRank:
    """Train under a bound, truncate, and train the factors on.

    Half of the epochs (rounded up) go into projected training of the dense network, every weight
    in C(c); then its linear layers are truncated, and the other half trains the factors, which
    are free, while layers that stay dense keep their bound.

    Attributes
    ----------
    constraint : str
        A name of ``compression.CONSTRAINTS``.
    """

    bounds: ClassVar = (1.0, 0.6, 0.4, 0.25, 0.15, 0.1)
    constraint: str = "box"

    def networks(
        self, start: Start, ranks: Sequence[int], bounds: Sequence[float]
    ) -> Iterator[tuple[int, float, nn.Sequential]]:
        """A network for each pair; each bound starts where the one before ended.

        Parameters
        ----------
        start : Start
        ranks : sequence of int
        bounds : sequence of float, descending

        Yields
        ------
        rank, bound, torch module
        """
        after = start.epochs // 2
        dense = start.reference.network
        path = ProjectedTraining().networks(
            start.of_network(dense, start.epochs - after),
            self.constraint,
            [bounds_for(layers(dense), self.constraint, bound) for bound in bounds],
        )
        for bound, constrained in zip(bounds, path, strict=True):
            family = start.ranks(constrained)
            for rank in ranks:
                network = copy.deepcopy(family.at(rank))
                notes = {name: bounded_of(layer) for name, layer in layers(network).items()}
                limits = {name: note.bound for name, note in notes.items() if note}
                held = {name: layers(network)[name] for name in limits}
                trainer = start.trainer(
                    network, after_step=partial(project, held, self.constraint, limits)
                )
                for _ in range(after):
                    trainer.epoch()
                yield rank, bound, network
