"""Learning–compression: the augmented Lagrangian."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from ...network import LayerBound, layers, set_bounded
from .augmented_lagrangian import AugmentedLagrangian
from .setup import ConstrainedStart, Limits, project


@dataclass(frozen=True)
class LearningCompression:
    """Weights that learn, held ever closer to their nearest point in the sets.

    min L(w)  subject to  w = Δ, Δ_l in C(c_l) for every bounded layer l, by the augmented
    Lagrangian whose C-step is the projection. An epoch is one round, and μ grows geometrically
    over the rounds of a bound. What is yielded is Δ, with the biases of w: feasible whatever w
    is. Each bound goes on from the Δ and λ of the bound before.

    Attributes
    ----------
    first_mu, last_mu : float
        Penalty of the first and of the last round of each bound, in loss per squared weight. The
        paper's begins at 1e-3, far from any bound; here the neighbouring bound is the start.
    multiplier_step : float
        σ. The paper's is 1, after L-steps that come near their minimum; one pass does not, and
        multipliers that run ahead of the weights make them swing.

    Source: Carreira-Perpiñán & Idelbayev, arXiv 1707.01209 and 2005.07786.
    """

    first_mu: float = 0.1
    last_mu: float = 0.3
    multiplier_step: float = 0.3

    def schedule(self, rounds: int) -> list[float]:
        """μ of each round."""
        return np.geomspace(self.first_mu, self.last_mu, rounds).tolist()

    def networks(
        self, start: ConstrainedStart, constraint: str, bounds: Sequence[Limits]
    ) -> Iterator[nn.Sequential]:
        """A network for each of the descending bounds: the same one, changed in place."""
        network, compressed = copy.deepcopy(start.network), copy.deepcopy(start.network)
        learning, shown = layers(network), layers(compressed)
        for name, layer in learning.items():
            shown[name].bias = layer.bias
            if name not in bounds[0]:
                shown[name].weight = layer.weight
        limits: dict[str, float] = {}

        def compress(name: str, target: torch.Tensor) -> torch.Tensor:
            weight = shown[name].weight.detach()
            weight.copy_(target)
            project({name: shown[name]}, constraint, limits)
            return weight

        lagrangian = AugmentedLagrangian(network, start, self.multiplier_step, warm=True)
        for here in bounds:
            limits.update(here)
            lagrangian.run(list(here), compress, self.schedule(start.epochs))
            for name, bound in here.items():
                set_bounded(shown[name], LayerBound(constraint, bound))
            yield compressed
