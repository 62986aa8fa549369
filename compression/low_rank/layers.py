"""The layers that a low-rank method takes, their inputs, and all ranks of each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from ..catalog import LOW_RANK_METHODS, find
from ..errors import ArgumentError, NotApplicableError
from ..network import Layer, array, children_of, find_obstacle, matrix, pick_layers
from ..shared_work import compute_once
from .decomposition import MatrixRanks, build
from .kernels import KernelDecomposition, decompose_kernel, patches

PATCHES = 50_000
"""Of a convolution's inputs at most this many patches are looked at, drawn at random."""

KINDS = {nn.Linear: "linear", nn.Conv1d: "conv1d", nn.Conv2d: "conv2d"}

LayerDecomposition = MatrixRanks | KernelDecomposition


def layers_for(
    network: nn.Module, method: str, names: Sequence[str] | str | None
) -> dict[str, Layer]:
    """The layers that a method compresses, by module name, in forward order.

    Parameters
    ----------
    network : torch module
    method : str
        A name of ``compression.LOW_RANK_METHODS``.
    names : names of layers, or one name, or None
        None: every linear layer for a method that takes those, and every convolution that it
        takes for a method that takes no others.

    Raises
    ------
    ArgumentError
        Unknown method or layer.
    NotApplicableError
        The method takes none of the layers, or not all of the named ones.
    """
    entry = find(LOW_RANK_METHODS, method, "low-rank method")
    chosen = pick_layers(network, names)
    inner = [name for name in chosen if name not in children_of(network)]
    if inner and names is not None:
        raise NotApplicableError(
            f"{', '.join(inner)}: part of a layer that is low rank already; "
            "compress the network that it came from"
        )
    reasons = {name: find_obstacle(layer) for name, layer in chosen.items() if find_obstacle(layer)}
    if reasons and (names is not None or len(reasons) == len(chosen)):
        listing = "; ".join(f"{name}: {reason}" for name, reason in reasons.items())
        raise NotApplicableError(f"no low-rank layer can stand for {listing}")
    chosen = {name: layer for name, layer in chosen.items() if name not in reasons}
    taken = {
        name: layer
        for name, layer in chosen.items()
        if name not in inner and KINDS[type(layer)] in entry.layers
    }
    if names is None:
        linear = {name: taken[name] for name in taken if isinstance(taken[name], nn.Linear)}
        chosen = linear or taken or chosen
    refused = {name: KINDS[type(chosen[name])] for name in chosen if name not in taken}
    if refused:
        able = [n for n, e in LOW_RANK_METHODS.items() if set(refused.values()) <= set(e.layers)]
        raise NotApplicableError(
            f"{entry.title} compresses {' and '.join(entry.layers)} layers, which these are not: "
            f"{', '.join(f'{name} ({kind})' for name, kind in refused.items())}; "
            f"choose one of {', '.join(able)}"
        )
    return chosen


def decompose_layer(
    name: str, layer: Layer, method: str, inputs: NDArray | None = None, **knobs: Any
) -> LayerDecomposition:
    """All ranks of one layer.

    ``inputs`` are rows as :func:`input_rows` gives them, for methods that look at them;
    ``knobs`` are those of the methods, each takes what it has.

    Raises
    ------
    ArgumentError
        The layer's weight, or a knob, cannot be used; the message names the layer.
    """
    chosen = build(LOW_RANK_METHODS[method].load(), **knobs)
    weight = matrix(layer).reshape(layer.weight.shape)

    def decompose() -> LayerDecomposition:
        if isinstance(layer, nn.Linear):
            return chosen.decompose(weight, inputs)
        return decompose_kernel(weight, method, inputs, **knobs)

    try:
        # The method's fields are its knobs.
        return compute_once(("decomposition", method, chosen, weight, inputs), decompose)
    except ArgumentError as error:
        raise ArgumentError(f"layer {name}: {error}") from None


def input_rows(layer: Any, inputs: torch.Tensor) -> NDArray:
    """A layer's inputs as the rows that its weight matrix is multiplied with.

    A row a sample for a linear layer; a row a sample and position for a convolution, at most
    ``PATCHES`` of them.
    """
    if isinstance(layer, nn.Linear):
        return array(inputs)
    padded, none = _pad(layer, inputs), (0,) * len(layer.kernel_size)
    return patches(
        array(padded), layer.kernel_size, layer.stride, none, layer.dilation, rows=PATCHES
    )


def _pad(layer: Any, inputs: torch.Tensor) -> torch.Tensor:
    """The inputs with what the convolution puts around them."""
    amounts: list[int] = []  # of the last axis first, as torch wants them
    for axis in reversed(range(len(layer.kernel_size))):
        if layer.padding == "same":
            total = layer.dilation[axis] * (layer.kernel_size[axis] - 1)
            amounts += [total // 2, total - total // 2]
        else:
            amounts += [0, 0] if layer.padding == "valid" else [layer.padding[axis]] * 2
    if not any(amounts):
        return inputs
    mode = "constant" if layer.padding_mode == "zeros" else layer.padding_mode
    return functional.pad(inputs, amounts, mode=mode)
