"""Projected training."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from torch import nn

from ...network import pick_layers
from .setup import Limits, Start, confine, project


@dataclass(frozen=True)
class ProjectedTraining:
    """An optimiser step, then the projection, and so on.

    min L(θ)  subject to  θ_l in C(c_l) for every bounded layer l, by Adam whose every step ends
    at the nearest point of the sets. Each bound starts from the network of the bound before, the
    first one from the reference, and the optimiser keeps its state.
    """

    def networks(
        self, start: Start, constraint: str, bounds: Sequence[Limits]
    ) -> Iterator[nn.Sequential]:
        """A network for each of the descending bounds: the same one, changed in place."""
        network = copy.deepcopy(start.network)
        confined = pick_layers(network, list(bounds[0]))
        limits: dict[str, float] = {}
        trainer = start.trainer(network, lambda: project(confined, constraint, limits))
        for here in bounds:
            limits.update(here)
            confine(network, constraint, limits)
            for _ in range(start.epochs):
                trainer.epoch()
            yield network
