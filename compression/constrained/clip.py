"""Projection without training: the naive baseline."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from torch import nn

from .networks import Limits, Start, confine


@dataclass(frozen=True)
class Clip:
    """The reference's weights moved to the nearest point of their sets, and nothing else.

    Solves  min ‖W_l − Ŵ_l‖_F  subject to  Ŵ_l in C(c_l), for each layer alone.
    """

    def networks(
        self, start: Start, constraint: str, bounds: Sequence[Limits]
    ) -> Iterator[nn.Sequential]:
        """A network for each of the bounds: a new one each time."""
        for limits in bounds:
            network = copy.deepcopy(start.network)
            confine(network, constraint, limits)
            yield network
