"""What a model costs: stored numbers, bytes of its file, multiply–accumulates."""

from collections.abc import Collection
from math import prod

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import nn

from . import storage
from .argument_checks import check_arguments
from .network import Layer, array, bounded_of, children_of, features_of, layers, pick_layers
from .weight_states import FREE, LOWER, UPPER, ZERO, WeightState


@check_arguments
def parameters(network: nn.Module) -> int:
    """Numbers that must be stored as numbers.

    All weights and biases of a dense or low-rank layer. Of a constrained layer the weights that
    are neither pinned at the bound nor zero, the biases, and one bound.
    """
    total = sum(p.numel() for p in network.parameters())
    for layer in layers(network).values():
        if bounded_of(layer) is not None:
            total += int(_states(layer)[FREE]) - layer.weight.numel() + 1
    return total


def shares(network: nn.Module, names: Collection[str] | None = None) -> dict[str, float]:
    """Shares of the weights of the named layers (None: all) that are pinned, zero and free.

    ``pinned``: held at the bound; ``zero``: exactly 0; ``free``: numbers of their own, as all
    weights of a layer without a bound are. They add up to 1.
    """
    chosen = pick_layers(network, None if names is None else list(names))
    counts = np.sum([_states(layer) for layer in chosen.values()], axis=0) / sum(
        layer.weight.numel() for layer in chosen.values()
    )
    return {
        "pinned": float(counts[UPPER] + counts[LOWER]),
        "zero": float(counts[ZERO]),
        "free": float(counts[FREE]),
    }


def _states(layer: Layer) -> NDArray[np.intp]:
    """How many weights are in each state."""
    bounded = bounded_of(layer)
    if bounded is None:
        counts = np.zeros(len(WeightState), np.intp)
        counts[FREE] = layer.weight.numel()
        return counts
    weight_states = storage.states(array(layer.weight), bounded)
    return np.bincount(weight_states.ravel(), minlength=len(WeightState))


@check_arguments
def bytes_of(network: nn.Module) -> int:
    """Length in bytes of the file that ``compression.save`` writes for this network."""
    return len(storage.to_bytes(network))


@check_arguments
def macs(network: nn.Sequential) -> int:
    """Multiply–accumulates for one sample, weights only.

    A constrained network counts in full: it is dense at run time.
    """
    return sum(layer_macs(network).values())


def layer_macs(network: nn.Sequential) -> dict[str, int]:
    """Multiply–accumulates for one sample in each linear layer and convolution, by module name."""
    counts: dict[str, int] = {}

    def count(name: str, module: Layer, output: torch.Tensor) -> None:
        counts[name] = module.weight.numel() * prod(output.shape[2:])

    handles = [
        module.register_forward_hook(
            lambda module, inputs, output, name=name: count(name, module, output)
        )
        for name, module in layers(network).items()
    ]
    try:
        with torch.inference_mode():
            first = next(network.parameters(), torch.empty(0))
            network(torch.zeros(1, features_of(network), dtype=first.dtype, device=first.device))
    finally:
        for handle in handles:
            handle.remove()
    return counts


@torch.inference_mode()
def structure(network: nn.Sequential) -> pd.DataFrame:
    """A line a module of a chain: layer (its name), kind, output (its shape), parameters, MACs.

    Parameters and multiply–accumulates, for one sample, are those of a dense network.
    """
    costs = layer_macs(network)
    lines = []
    first = next(network.parameters())
    h = torch.zeros(1, features_of(network), dtype=first.dtype, device=first.device)
    for name, part in children_of(network).items():
        h = part(h)
        lines.append(
            {
                "layer": name,
                "kind": type(part).__name__,
                "output": " × ".join(map(str, h.shape[1:])),
                "parameters": sum(p.numel() for p in part.parameters()),
                "MACs": costs.get(name, 0),
            }
        )
    return pd.DataFrame(lines)
