"""Quantisation-aware training."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn.utils import parametrize

from ..grid import Grid, check_bits, nearest_grid
from ..network import array, layers, pick_layers, set_grid
from .method import Start
from .rounding import DEFAULT_BITS


@dataclass(frozen=True)
class QuantizationAware:
    """The reference trained on with its weights in b bits each.

    min L(round(θ)) over real θ, the rounding's derivative being taken for 1 (the straight-through
    estimator). Each layer has a grid around 0, searched for anew before every epoch. Each number of
    bits starts from the reference.
    Source: Bengio, Léonard & Courville 2013, arXiv 1308.3432; Jacob et al. 2018, arXiv 1712.05877.
    """

    def knobs(self, start: Start) -> tuple[int, ...]:
        """Those of rounding."""
        return DEFAULT_BITS

    def check(self, knob: float) -> int:
        """Bits, from 1 to 16, or 32."""
        return check_bits(knob)  # type: ignore[arg-type]

    def network(self, start: Start, knob: float) -> tuple[nn.Sequential, int]:
        """The reference's network, trained on in so many bits."""
        network = copy.deepcopy(start.reference.network)
        rounding = straighten(network, int(knob)) if knob < 32 else {}
        trainer = start.trainer(network)
        for _ in range(start.fine_tuning_epochs):
            for part in rounding.values():
                part.search_grid()
            trainer.epoch()
        return freeze(network, rounding, start.reference.network), start.fine_tuning_epochs


class _StraightThrough(torch.autograd.Function):
    """Rounding, with the derivative of the identity."""

    @staticmethod
    def forward(context: Any, weight: torch.Tensor, grid: Grid) -> torch.Tensor:
        # The operations of Grid, in its order and precision: the stored weights are these, bit by bit.
        width = grid.step or 1.0
        cells = torch.floor((weight.double() - grid.low) / width).clamp_(0, 2**grid.bits - 1)
        return ((cells + 0.5) * grid.step + grid.low).to(weight.dtype)

    @staticmethod
    def backward(context: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None]:
        return gradients[0], None


class Rounded(nn.Module):
    """A layer's weight on a grid, as torch's parametrizations compute it from real numbers."""

    def __init__(self, layer: nn.Module, bits: int):
        super().__init__()
        self._layer = [layer]  # in a list, so that it is no part of this module
        self.grid = nearest_grid(array(layer.weight), bits)  # type: ignore[arg-type]

    def search_grid(self) -> None:
        """The grid that rounds the real numbers of now with the least squared error."""
        real: Any = self._layer[0]
        self.grid = nearest_grid(array(real.parametrizations.weight.original), self.grid.bits)

    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        return _StraightThrough.apply(weight, self.grid)


def straighten(network: nn.Sequential, bits: int) -> dict[str, Rounded]:
    """Make a network compute with rounded weights and learn the real ones, in place."""
    parts = {name: Rounded(layer, bits) for name, layer in pick_layers(network, None).items()}
    for name, part in parts.items():
        parametrize.register_parametrization(network.get_submodule(name), "weight", part)
    return parts


def freeze(
    network: nn.Sequential, rounding: dict[str, Rounded], plain: nn.Sequential
) -> nn.Sequential:
    """The same function as a plain network of the form of ``plain``, its weights on their grids."""
    frozen = copy.deepcopy(plain).eval()
    with torch.no_grad():
        for name, layer in layers(frozen).items():
            learned: Any = network.get_submodule(name)
            layer.weight.copy_(learned.weight)
            if layer.bias is not None:
                layer.bias.copy_(learned.bias)
            if name in rounding:
                set_grid(layer, rounding[name].grid)
    return frozen
