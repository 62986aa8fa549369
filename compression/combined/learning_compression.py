"""Learning–compression: weights that learn, held ever closer to their compressed form.

The augmented Lagrangian of  min L(w)  subject to  w = Δ, Δ in a set of compressed weights:

    L-step  min over w of L(w) + (μ/2) Σ ‖w − Δ − λ/μ‖², one pass over the training rows,
    C-step  Δ = the set's point nearest to w − λ/μ,
    λ ← λ − μ (w − Δ), and μ grows.

Source: Carreira-Perpiñán & Idelbayev, arXiv 1707.01209 and 2005.07786.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from ..constrained.training.setup import Start
from ..network import COMPRESSIBLE, Layer, LowRank, LowRankPlusSparse, layers

MU = (1e-3, 1.0)  # of the first and of the last pass


@torch.no_grad()
def weight_of(part: Any) -> torch.Tensor:
    """The weight that a compressed layer stands for."""
    if isinstance(part, LowRankPlusSparse):
        return weight_of(part.low_rank) + weight_of(part.sparse)
    if isinstance(part, LowRank):
        right, left = (weight_of(factor) for factor in part)
        return left @ right
    return part.weight.detach()


def share_bias(part: Any, layer: Layer) -> None:
    """Let a compressed layer have the bias of the layer that learns."""
    while type(part) not in COMPRESSIBLE:
        part = part.low_rank if isinstance(part, LowRankPlusSparse) else part.left
    part.bias = layer.bias


class LearningCompression:
    """One network on its way through neighbouring problems: each starts where the last ended.

    Parameters
    ----------
    network : torch module
        Learns; trained in place.
    start : Start
    """

    def __init__(self, network: nn.Sequential, start: Start):
        self._layers = layers(network)
        self._epochs = start.epochs
        self._trainer = start.trainer(network, penalty=self._penalty)

    def run(
        self,
        parts: Mapping[str, nn.Module],
        compress: Callable[[str, torch.Tensor], None],
    ) -> None:
        """Train for one problem; other layers than the compressed ones learn freely.

        Parameters
        ----------
        parts : dict
            Layer's name -> the module that stands for its Δ.
        compress : callable
            Given a layer's name and a target, moves that layer's part to the nearest point.
        """
        weights = {name: self._layers[name].weight for name in parts}
        multipliers = {name: torch.zeros_like(weight) for name, weight in weights.items()}
        for name, weight in weights.items():
            compress(name, weight.detach())
        for mu in np.geomspace(*MU, self._epochs).tolist():
            self._mu = mu
            self._aims = [
                (weight, weight_of(parts[name]) + multipliers[name] / mu)
                for name, weight in weights.items()
            ]
            self._trainer.epoch()
            for name, weight in weights.items():
                compress(name, weight.detach() - multipliers[name] / mu)
                multipliers[name] -= mu * (weight.detach() - weight_of(parts[name]))

    def _penalty(self) -> torch.Tensor:
        squares = (((weight - aim) ** 2).sum() for weight, aim in self._aims)
        return 0.5 * self._mu * sum(squares, torch.zeros(()))
