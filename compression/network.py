"""Read a layer's weight; put a compressed layer in its place.

A compressible layer is a linear layer or a convolution. Its weight, seen as a matrix, has a
row an output (channel) and a column an input (channel and tap).
"""

from collections import OrderedDict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from math import prod
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from .errors import ArgumentError, NotApplicableError
from .factors import Factors, KernelStages, Stage, pack_groups
from .grid import AnyGrid, Grid

Array = NDArray[np.floating]
Layer = nn.Linear | nn.Conv1d | nn.Conv2d
BLOCK = 512  # rows that a network is run over at once
COMPRESSIBLE = (nn.Linear, nn.Conv1d, nn.Conv2d)


class LowRankLayer(nn.Sequential):
    """A compressed layer: smaller layers in a chain, the last one with the bias."""


class LowRankPlusSparseLayer(nn.Module):
    """A compressed layer: what a low-rank layer, with the bias, and a sparse one say together.

    The sparse one is dense at run time: its zeros save storage, not time.
    """

    def __init__(self, low_rank: LowRankLayer, sparse: nn.Module):
        super().__init__()
        self.low_rank = low_rank
        self.sparse = sparse

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.low_rank(x) + self.sparse(x)


@dataclass(frozen=True)
class LayerBound:
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


def bounded_of(layer: nn.Module) -> LayerBound | None:
    """What was noted of a layer's constraint; None: it is free."""
    return getattr(layer, "bounded", None)


def set_bounded(layer: nn.Module, bounded: LayerBound) -> None:
    """Note that the layer's weight lies in a set: it is stored and counted accordingly."""
    object.__setattr__(layer, "bounded", bounded)


def grid_of(layer: nn.Module) -> AnyGrid | None:
    """What the layer's weights, of a bounded layer the free ones, may be; None: any number."""
    bounded = bounded_of(layer)
    return getattr(layer, "grid", None) if bounded is None else bounded.grid


def set_grid(layer: nn.Module, grid: AnyGrid) -> None:
    """Note that the weights of a layer without a bound stand on a grid: they are stored as codes.

    For a bounded layer ``set_bounded`` notes its grid too.
    """
    object.__setattr__(layer, "grid", grid)


def bounded_layers(network: nn.Module) -> dict[str, tuple[Layer, LayerBound]]:
    """The layers that have a bound, each with its note; NotApplicableError where none has."""
    notes = {name: (layer, bounded_of(layer)) for name, layer in layers(network).items()}
    bounded = {name: (layer, note) for name, (layer, note) in notes.items() if note is not None}
    if not bounded:
        raise NotApplicableError("no layer of this network has a bound: give a constrained one")
    return bounded


def layers(network: nn.Module) -> dict[str, Layer]:
    """The compressible layers by module name, in forward order; no subclass of theirs.

    A subclass may compute something else from its weight: :func:`list_left_out` says so.
    """
    return {n: m for n, m in network.named_modules() if type(m) in COMPRESSIBLE}


def list_left_out(network: nn.Module) -> dict[str, str]:
    """The modules with weights of their own that are no compressible layers -> the reason."""
    reasons: dict[str, str] = {}
    for name, module in network.named_modules():
        if type(module) in COMPRESSIBLE or next(module.parameters(recurse=False), None) is None:
            continue
        kind = type(module).__name__
        base = next((c.__name__ for c in COMPRESSIBLE if isinstance(module, c)), None)
        reasons[name] = f"{kind} is no linear layer and no 1-D or 2-D convolution"
        if base is not None:
            reasons[name] = f"{kind} is a subclass of {base} and may compute something else"
    return reasons


def find_shared_places(network: nn.Module) -> Iterator[tuple[str, str]]:
    """Pairs of names under which one module with weights, or one weight, stands twice."""
    modules: dict[int, str] = {}
    for name, module in network.named_modules(remove_duplicate=False):
        if next(module.parameters(), None) is None:
            continue  # an activation has no weights: it may be shared
        if id(module) in modules:
            yield modules[id(module)], name
        modules.setdefault(id(module), name)
    weights: dict[int, str] = {}
    for name, weight in network.named_parameters(remove_duplicate=False):
        if id(weight) in weights:
            yield weights[id(weight)], name
        weights.setdefault(id(weight), name)


def _check_unshared(network: nn.Module, names: Collection[str]) -> None:
    """Raise NotApplicableError where one of these layers, or its weight, stands at two places."""
    for first, second in find_shared_places(network):
        if any(f"{place}.".startswith(f"{name}.") for place in (first, second) for name in names):
            raise NotApplicableError(
                f"{first} and {second} are one and the same: compressing them would make two and "
                "a larger model; give each place a copy of its own first"
            )


def pick_layers(network: nn.Module, names: Sequence[str] | str | None) -> dict[str, Layer]:
    """The named layers (None: all of them).

    Raises
    ------
    ArgumentError
        A name of no such layer; the message names the possible ones.
    NotApplicableError
        There is no such layer, or one of them or its weight stands at two places.
    """
    picked, reasons = layers(network), list_left_out(network)
    if not picked:
        why = "".join(f"; {name}: {reason}" for name, reason in reasons.items())
        raise NotApplicableError(f"this network has no layer to compress{why}")
    if names is not None:
        names = (names,) if isinstance(names, str) else tuple(names)
        unknown = [name for name in names if name not in picked]
        if unknown or not names:
            seen = ", ".join(
                repr(name) + (f" ({reasons[name]})" if name in reasons else "") for name in unknown
            )
            raise ArgumentError(
                f"asked for {seen or 'no layer at all'}: choose from {', '.join(picked)}"
            )
        picked = {name: picked[name] for name in picked if name in names}
    _check_unshared(network, picked)
    return picked


def array(tensor: torch.Tensor) -> Array:
    """A tensor's values as NumPy holds them: bfloat16, which it has not, as float32 (exact)."""
    values = tensor.detach().cpu()
    return (values.float() if values.dtype == torch.bfloat16 else values).numpy()


def matrix(layer: Layer) -> Array:
    """The layer's weight as an (outputs, inputs) matrix; a copy, float32 or float64."""
    weight = array(layer.weight)
    return weight.reshape(len(weight), -1).astype(np.promote_types(weight.dtype, np.float32))


def low_rank_layer(layer: Layer, factors: Factors | KernelStages) -> LowRankLayer:
    """The layer as smaller ones: two linear layers for factors, convolutions for stages.

    At full rank they compute what the layer does, up to rounding.

    Raises
    ------
    NotApplicableError
        The layer computes something else than its weight and settings say (a subclass, a hook),
        or its convolution has groups: see :func:`find_obstacle`.
    ArgumentError
        The factors are not those of a weight of this shape.
    """
    reason = find_obstacle(layer)
    if reason:
        raise NotApplicableError(f"a low-rank layer cannot take this one's place: {reason}")
    shape: tuple[int, ...]
    if isinstance(factors, Factors):
        shape = (factors.left.shape[0], factors.right.shape[1])
    else:
        shape = factors.kernel.shape
    if shape != tuple(layer.weight.shape):
        raise ArgumentError(
            f"factors of a weight of shape {shape} were given for one of shape "
            f"{tuple(layer.weight.shape)}: give the factors of this layer's weight"
        )
    parts: dict[str, tuple[Any, Array]]
    if isinstance(factors, Factors):
        parts = {"right": _cut_right_part(factors), "left": _build_linear(factors.left)}
    else:
        parts = {
            f"stage{number}": (_build_convolution(layer, stage), stage.kernel)
            for number, stage in enumerate(factors.stages, start=1)
        }

    def parameter(values: Array) -> nn.Parameter:
        # Use one memory order, so that sums have the same bits after a file is read back.
        copied = torch.from_numpy(np.array(values, order="C"))
        return nn.Parameter(copied.to(dtype=layer.weight.dtype, device=layer.weight.device))

    chain: OrderedDict[str, nn.Module] = OrderedDict()
    for name, (part, weight) in parts.items():
        part.weight = parameter(weight)
        if isinstance(factors, Factors) and isinstance(part, nn.Conv1d):
            chain["signal"] = nn.Unflatten(1, (part.in_channels, 1))
            chain[name], chain["flat"] = part, nn.Flatten()
        else:
            chain[name] = part
    bias = factors.bias_shift
    if layer.bias is not None:
        bias = array(layer.bias) + bias
    if layer.bias is not None or bias.any():
        part.bias = parameter(bias)
    return LowRankLayer(chain)


def multiply_out(module: LowRankLayer) -> Array:
    """The weight that a low-rank layer stands for, in float64: (outputs, inputs, *spatial)."""
    stages = []
    chain: list[Any] = [part for part in module if type(part) in COMPRESSIBLE]
    for part in chain:
        weight: Array = array(part.weight).astype(np.float64)
        stages.append(Stage(weight, (), getattr(part, "groups", 1)))
    kernel = KernelStages(tuple(stages), np.zeros(0)).kernel
    # Groups of a linear layer's inputs are a convolution of one entry.
    return kernel.reshape(kernel.shape[:2]) if isinstance(part, nn.Linear) else kernel


def _build_linear(weight: Array) -> tuple[Any, Array]:
    outputs, inputs = weight.shape
    settings = {"in_features": inputs, "out_features": outputs, "bias": False}
    return build_empty(nn.Linear, **settings), weight


def _cut_right_part(factors: Factors) -> tuple[Any, Array]:
    """The first stage; with groups a convolution of one entry, since linear layers have none."""
    rank, inputs = factors.right.shape
    if factors.groups == 1:
        return _build_linear(factors.right)
    settings = {"in_channels": inputs, "out_channels": rank, "kernel_size": (1,)}
    part = build_empty(nn.Conv1d, bias=False, groups=factors.groups, **settings)
    return part, pack_groups(factors.right, factors.groups)[..., None]


def _build_convolution(layer: Any, stage: Stage) -> nn.Module:
    outputs, channels, *entries = stage.kernel.shape
    settings: dict[str, Any] = stage.settings(layer.stride, layer.padding, layer.dilation)
    # The padding mode belongs to the stage that pads.
    if settings["padding"] != (0,) * len(entries):
        settings["padding_mode"] = layer.padding_mode
    settings |= {"in_channels": channels * stage.groups, "out_channels": outputs}
    settings |= {"kernel_size": tuple(entries), "groups": stage.groups}
    return build_empty(type(layer), bias=False, **settings)


def build_empty(kind: Any, **settings: Any) -> Any:
    """A linear layer or a convolution on the meta device: it has shapes, and no numbers yet."""
    layer = _build_type_without_numbers(kind)(**settings, device="meta")
    layer.__class__ = kind
    return layer


@cache
def _build_type_without_numbers(kind: Any) -> Any:
    """A subclass that draws no initial values, which on the meta device takes longest."""
    return type(kind.__name__, (kind,), {"reset_parameters": lambda self: None})


def find_obstacle(layer: nn.Module) -> str:
    """Why no low-rank layer can stand for this one; "": one can."""
    kind = type(layer).__name__
    if type(layer) not in COMPRESSIBLE:
        return f"it is a {kind}, and not exactly a Linear, Conv1d or Conv2d"
    if layer._forward_hooks or layer._forward_pre_hooks or "forward" in vars(layer):
        return "it has a hook, or a forward of its own, that would be lost: remove that first"
    groups = getattr(layer, "groups", 1)
    return f"its convolution has {groups} groups; choose one with groups=1" if groups != 1 else ""


def children_of(network: nn.Module) -> dict[str, nn.Module]:
    """The modules of a chain by name, in order; one that stands at two places is there twice."""
    return {name: part for name, part in network._modules.items() if part is not None}


def replace_layers(network: nn.Sequential, new: Mapping[str, nn.Module]) -> nn.Sequential:
    """The network with these layers in the place of the named ones; the others are shared.

    Raises NotApplicableError where one of the named ones, or its weight, stands at two places.
    """
    _check_unshared(network, new)
    parts = OrderedDict((name, new.get(name, part)) for name, part in children_of(network).items())
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
    """Number of features of the flat samples that a network takes; samples are rows.

    Raises NotApplicableError where the network's first layer does not say it.
    """
    first: Any = network
    while isinstance(first, (nn.Sequential, LowRankPlusSparseLayer)):
        first = next(first.children(), None)
    if isinstance(first, nn.Unflatten) and first.dim == 1:
        return prod(first.unflattened_size)
    if isinstance(first, nn.Linear):
        return int(first.in_features)
    raise NotApplicableError(
        f"the samples' number of features is unknown: the network begins with "
        f"{type(first).__name__}; begin with Linear, or with Unflatten along axis 1"
    )
