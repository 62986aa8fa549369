"""Read a layer's weight; put a compressed layer in its place.

A compressible layer is a linear layer or a convolution. Its weight, seen as a matrix, has a
row an output (channel) and a column an input (channel and tap).
"""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from .errors import ArgumentError, NotApplicableError
from .grid import Grid
from .low_rank.factors import Factors
from .low_rank.kernels import KernelStages, Stage

Array = NDArray[np.floating]
Layer = nn.Linear | nn.Conv1d | nn.Conv2d
BLOCK = 512  # rows that a network is run over at once
COMPRESSIBLE = (nn.Linear, nn.Conv1d, nn.Conv2d)


class LowRank(nn.Sequential):
    """A compressed layer: smaller layers in a chain, the last one with the bias."""


class LowRankPlusSparse(nn.Module):
    """A compressed layer: what a low-rank layer, with the bias, and a sparse one say together.

    The sparse one is dense at run time: its zeros save storage, not time.
    """

    def __init__(self, low_rank: LowRank, sparse: nn.Module):
        super().__init__()
        self.low_rank = low_rank
        self.sparse = sparse

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.low_rank(x) + self.sparse(x)


@dataclass(frozen=True)
class Bounded:
    """How a layer's weight was constrained: ``set_bounded`` notes it on the layer.

    Attributes
    ----------
    constraint : str
        A name of ``compression.CONSTRAINTS``.
    bound : float
        c, in the units of the weight.
    grid : Grid or None
        Where the free weights are quantised: what they may be.
    """

    constraint: str
    bound: float
    grid: Grid | None = None


def bounded_of(layer: nn.Module) -> Bounded | None:
    """What was noted of a layer's constraint; None: it is free."""
    return getattr(layer, "bounded", None)


def set_bounded(layer: nn.Module, bounded: Bounded) -> None:
    """Note that the layer's weight lies in a set: it is stored and counted accordingly."""
    object.__setattr__(layer, "bounded", bounded)


def bounded_layers(network: nn.Module) -> dict[str, tuple[Layer, Bounded]]:
    """The layers that have a bound, each with its note; NotApplicableError where none has."""
    notes = {name: (layer, bounded_of(layer)) for name, layer in layers(network).items()}
    found = {name: (layer, note) for name, (layer, note) in notes.items() if note is not None}
    if not found:
        raise NotApplicableError("no layer of this network has a bound: give a constrained one")
    return found


def layers(network: nn.Module) -> dict[str, Layer]:
    """The compressible layers by module name, in forward order."""
    return {n: m for n, m in network.named_modules() if isinstance(m, COMPRESSIBLE)}


def pick_layers(network: nn.Module, names: Sequence[str] | str | None) -> dict[str, Layer]:
    """The named layers (None: all of them); raises ArgumentError naming the possible ones."""
    found = layers(network)
    if names is None:
        return found
    names = (names,) if isinstance(names, str) else tuple(names)
    unknown = [name for name in names if name not in found]
    if unknown or not names:
        seen = ", ".join(map(repr, unknown)) or "no layer at all"
        raise ArgumentError(f"asked for {seen}: choose from {', '.join(found)}")
    return {name: found[name] for name in found if name in names}


def matrix(layer: Layer) -> Array:
    """The layer's weight as an (outputs, inputs) matrix; a copy, float32 or float64."""
    weight = layer.weight.detach().cpu().numpy()
    return weight.reshape(len(weight), -1).copy()


def low_rank_layer(layer: Layer, factors: Factors | KernelStages) -> LowRank:
    """The layer as smaller ones: two linear layers for factors, convolutions for stages."""
    weights: list[Array]
    chain: list[Any]
    with torch.device("meta"):  # no time is spent on initial values
        if isinstance(factors, Factors):
            weights = [factors.right, factors.left]
            names = ["right", "left"]
            chain = [nn.Linear(w.shape[1], w.shape[0], bias=False) for w in weights]
        else:
            weights = [stage.kernel for stage in factors.stages]
            names = [f"stage{number}" for number in range(1, len(weights) + 1)]
            chain = [_convolution(layer, stage) for stage in factors.stages]

    def parameter(array: Array) -> nn.Parameter:
        # In one order in memory, so that the sums are the same bits again after a file.
        copied = torch.from_numpy(np.array(array, order="C"))
        return nn.Parameter(copied.to(dtype=layer.weight.dtype, device=layer.weight.device))

    for part, weight in zip(chain, weights, strict=True):
        part.weight = parameter(weight)
    bias = factors.bias_shift
    if layer.bias is not None:
        bias = layer.bias.detach().cpu().numpy() + bias
    if layer.bias is not None or bias.any():
        chain[-1].bias = parameter(bias)
    return LowRank(OrderedDict(zip(names, chain, strict=True)))


def _convolution(layer: Any, stage: Stage) -> nn.Module:
    outputs, channels, *entries = stage.kernel.shape
    settings: dict[str, Any] = stage.settings(layer.stride, layer.padding, layer.dilation)
    return type(layer)(channels, outputs, tuple(entries), bias=False, **settings)


def replaced(network: nn.Sequential, new: Mapping[str, nn.Module]) -> nn.Sequential:
    """The network with these layers in the place of the named ones; the others are shared."""
    parts = OrderedDict((name, new.get(name, part)) for name, part in network.named_children())
    return nn.Sequential(parts).eval()


@torch.inference_mode()
def forward_in_blocks(module: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """What a network, or a part of it, gives for many rows, ``BLOCK`` of them at a time.

    What a convolution gives for all rows together fits neither the cache nor, for many rows,
    the memory.
    """
    if isinstance(module, nn.Sequential) and not len(module):
        return x
    return torch.cat([module(rows) for rows in x.split(BLOCK)])


def features_of(network: nn.Sequential) -> int:
    """Number of features of the flat samples that a network of this package takes."""
    first: Any = next(iter(network))
    while isinstance(first, (nn.Sequential, LowRankPlusSparse)):
        first = next(first.children())
    if isinstance(first, nn.Unflatten):
        return prod(first.unflattened_size)
    return int(first.in_features)
