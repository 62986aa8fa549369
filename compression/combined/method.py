"""What every combined method is."""

from collections.abc import Iterator, Sequence
from typing import Protocol

from torch import nn

from ..constrained.training.setup import ConstrainedStart

MU = (1e-3, 1.0)
"""Penalty of the first and the last round of learning–compression, in loss per squared weight."""


class CombinedMethod(Protocol):
    """One way from a reference to networks of a rank and a bound."""

    def networks(
        self, start: ConstrainedStart, ranks: Sequence[int], bounds: Sequence[float]
    ) -> Iterator[tuple[int, float, nn.Sequential]]:
        """A network for each pair of a rank and one of the descending, relative bounds.

        Yields
        ------
        rank, bound, torch module
            The module is in eval mode. It may be changed afterwards: judge or copy it before
            going on.
        """
        ...

    def epochs_behind(self, epochs: int, bounds: int) -> int:
        """Epochs behind a pair's network after so many bounds, with so many epochs a pair."""
        ...
