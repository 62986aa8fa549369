"""Training with weights in few bits: quantisation-aware, for any network.

The forward pass rounds each weight as the file will keep it; the gradient passes the rounding
unchanged (the straight-through estimator). In a bounded layer the free weights are trained and
stay in their set, those that are pinned or zero stay what they are.
Source: Bengio, Léonard & Courville 2013, arXiv 1308.3432; Jacob et al. 2018, arXiv 1712.05877.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.utils import parametrize

from .catalog import CONSTRAINTS
from .grid import Grid, nearest_grid
from .network import LayerBound, array, bounded_of, layers, pick_layers
from .quantization import grid_for, note_grid
from .training import Trainer


class StraightThroughGradient(torch.autograd.Function):
    """Rounding, with the derivative of the identity."""

    @staticmethod
    def forward(context: Any, weight: torch.Tensor, grid: Grid) -> torch.Tensor:
        # Repeat Grid's operations in its order and precision, so that stored weights have the same
        # bits.
        width = grid.step or 1.0
        cells = torch.floor((weight.double() - grid.low) / width).clamp_(0, 2**grid.bits - 1)
        return ((cells + 0.5) * grid.step + grid.low).to(weight.dtype)

    @staticmethod
    def backward(context: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None]:
        return gradients[0], None


class RoundedWeight(nn.Module):
    """A layer's weight on a grid, as torch's parametrizations compute it from real numbers."""

    def __init__(self, layer: Any, bits: int):
        super().__init__()
        self._layer, self._bits = [layer], bits  # a list hides the layer from torch's registration
        gridded = grid_for(layer, bits)
        self.grid = gridded.grid
        self._free = None if gridded.free is None else torch.from_numpy(gridded.free)
        self._initial = layer.weight.detach().clone()

    def search_grid(self) -> None:
        """The grid near the last one that rounds the present real numbers with the least error."""
        real: Any = self._layer[0]
        weight = real.parametrizations.weight.original
        if self._free is not None:
            weight = torch.where(self._free, weight, self._initial)
        near = self.grid if isinstance(self.grid, Grid) else None
        search = partial(nearest_grid, near=near)
        self.grid = grid_for(real, self._bits, search, weight).grid

    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        rounded = StraightThroughGradient.apply(weight, self.grid)
        return rounded if self._free is None else torch.where(self._free, rounded, self._initial)

    @torch.no_grad()
    def project(self) -> None:
        """Move the real numbers into the layer's set, and none of the free ones to its border."""
        real: Any = self._layer[0]
        bounded = bounded_of(real)
        if bounded is None:
            return
        weight, members = real.parametrizations.weight.original, _load_set(bounded)
        if members.elementwise:
            # Clamp to the next number below the bound, so that a free weight stays free.
            end = float(np.nextafter(np.float32(bounded.bound), np.float32(0)))
            weight.clamp_(min=-end if members.bounded else None, max=end)
        elif not CONSTRAINTS[bounded.constraint].counts:
            inside = (
                torch.where(self._free, weight, self._initial) if self._free is not None else weight
            )
            weight.copy_(torch.from_numpy(members.project(array(inside), bounded.bound)))


def _load_set(bounded: LayerBound) -> Any:
    return CONSTRAINTS[bounded.constraint].load()()


def attach_rounding(network: nn.Sequential, bits: int) -> dict[str, RoundedWeight]:
    """Make a network compute with rounded weights and learn the real ones, in place."""
    parts = {name: RoundedWeight(layer, bits) for name, layer in pick_layers(network, None).items()}
    for name, part in parts.items():
        parametrize.register_parametrization(network.get_submodule(name), "weight", part)
    return parts


def freeze(
    network: nn.Sequential, rounding: dict[str, RoundedWeight], plain: nn.Sequential
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
                note_grid(layer, rounding[name].grid)
    return frozen


def train_quantized(
    network: nn.Sequential,
    bits: int,
    epochs: int,
    trainer: Callable[[nn.Sequential, Callable[[], None]], Trainer],
) -> nn.Sequential:
    """A network trained on with its weights in so many bits each.

    min L(round(θ)) over the real θ of the free weights, each layer's grid following them before
    every epoch.

    Parameters
    ----------
    network : torch module
        Of any family; never changed.
    bits : int
        1 to 16, or 32: trained on as it is.
    epochs : int
    trainer : callable
        ``(network, what to do after each step) -> Trainer``.

    Returns
    -------
    torch module
        As :func:`compression.quantize` gives it, its file the function that was trained.
    """
    learning = copy.deepcopy(network)
    rounding = attach_rounding(learning, bits) if bits < 32 else {}

    def project() -> None:
        for part in rounding.values():
            part.project()

    loop = trainer(learning, project)
    for _ in range(epochs):
        for part in rounding.values():
            part.search_grid()
        loop.run_epoch()
    return freeze(learning, rounding, network)
