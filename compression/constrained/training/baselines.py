"""What the methods are compared with: projection without training, training without a bound."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from torch import nn

from .setup import ConstrainedStart, Limits, confine


@dataclass(frozen=True)
class Clipping:
    """The reference's weights moved to the nearest point of their sets, and nothing else.

    Solves  min ‖W_l − Ŵ_l‖_F  subject to  Ŵ_l in C(c_l), for each layer alone.
    """

    def networks(
        self, start: ConstrainedStart, constraint: str, bounds: Sequence[Limits]
    ) -> Iterator[nn.Sequential]:
        """A network for each of the bounds: a new one each time."""
        for limits in bounds:
            network = copy.deepcopy(start.network)
            confine(network, constraint, limits)
            yield network


@dataclass(frozen=True)
class FineTuning:
    """The reference trained on, free of any bound, for as many epochs as the others are.

    What a constrained network gains over it is gained by the constraint, not by the training.
    It does not lie in the sets, and saves nothing.
    """

    def networks(
        self, start: ConstrainedStart, constraint: str, bounds: Sequence[Limits]
    ) -> Iterator[nn.Sequential]:
        """A network for each of the bounds: the same one, trained on in place."""
        network = copy.deepcopy(start.network)
        trainer = start.trainer(network)
        for _ in bounds:
            for _ in range(start.epochs):
                trainer.run_epoch()
            yield network
