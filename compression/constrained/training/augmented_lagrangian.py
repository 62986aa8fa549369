"""The augmented Lagrangian: weights that learn, held ever closer to their compressed form.

For  min L(w)  subject to  w = Δ, Δ in a set of compressed weights  a round is

    L-step  min over w of L(w) + (μ/2) Σ ‖w − Δ − λ/μ‖², one pass over the training rows,
    C-step  Δ = the set's point nearest to w − λ/μ,
    λ ← λ − σ μ (w − Δ),

and μ grows from round to round.

Source: Carreira-Perpiñán & Idelbayev, arXiv 1707.01209 and 2005.07786.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

import torch
from torch import nn

from ...network import layers
from .setup import ConstrainedStart


class AugmentedLagrangian:
    """One network on its way through neighbouring problems; its optimiser keeps its state.

    Parameters
    ----------
    network : torch module
        Learns; trained in place.
    start : ConstrainedStart
    multiplier_step : float
        σ.
    warm : bool
        Each problem starts at the Δ and λ that the one before ended with, and not at its w with
        λ = 0.
    """

    def __init__(
        self,
        network: nn.Sequential,
        start: ConstrainedStart,
        multiplier_step: float = 1.0,
        warm: bool = False,
    ):
        self._layers = layers(network)
        self._multiplier_step, self._warm = multiplier_step, warm
        self._multipliers: dict[str, torch.Tensor] = {}
        self._trainer = start.trainer(network, penalty=self._penalty)

    def run(
        self,
        names: Collection[str],
        compress: Callable[[str, torch.Tensor], torch.Tensor],
        penalties: Sequence[float],
    ) -> None:
        """Train for one problem; other layers than the named ones learn freely.

        Parameters
        ----------
        names : collection of str
            The layers that are compressed.
        compress : callable
            The C-step: given a layer's name and a target, it returns the set's nearest point.
        penalties : sequence of float
            μ of each round, in loss per squared weight; at least one.
        """
        weights = {name: self._layers[name].weight for name in names}
        kept = self._multipliers if self._warm else {}
        multipliers = {n: kept.get(n, torch.zeros_like(weight)) for n, weight in weights.items()}
        delta = {
            n: compress(n, w.detach() - multipliers[n] / penalties[0]) for n, w in weights.items()
        }
        if self._warm:
            for name, weight in weights.items():
                weight.detach().copy_(delta[name])
        for mu in penalties:
            self._mu = mu
            self._aims = [(w, delta[name] + multipliers[name] / mu) for name, w in weights.items()]
            self._trainer.run_epoch()
            for name, weight in weights.items():
                w = weight.detach()
                delta[name] = compress(name, w - multipliers[name] / mu)
                multipliers[name] -= self._multiplier_step * mu * (w - delta[name])
        self._multipliers = multipliers

    def _penalty(self) -> torch.Tensor:
        squares = ((weight - aim).square().sum() for weight, aim in self._aims)
        return 0.5 * self._mu * sum(squares, torch.zeros(()))
