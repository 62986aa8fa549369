"""What a model costs: stored numbers, bytes of its file, multiply–accumulates."""

from math import prod

import torch
from torch import nn

from . import storage
from .constrained.sets import FREE
from .network import Layer, bounded_of, features_of, layers


def parameters(network: nn.Module) -> int:
    """Numbers that must be stored as numbers.

    All weights and biases of a dense or low-rank layer. Of a constrained layer the weights that
    are neither pinned at the bound nor zero, the biases, and one bound.
    """
    total = sum(p.numel() for p in network.parameters())
    for module in layers(network).values():
        bounded = bounded_of(module)
        if bounded is not None:
            weight = module.weight.detach().cpu().numpy()
            free = int((storage.states(weight, bounded) == FREE).sum())
            total += free - weight.size + 1
    return total


def bytes_of(network: nn.Module) -> int:
    """Length in bytes of the file that ``compression.save`` writes for this network."""
    return len(storage.to_bytes(network))


def macs(network: nn.Sequential) -> int:
    """Multiply–accumulates for one sample, weights only.

    A constrained network counts in full: it is dense at run time.
    """
    return sum(layer_macs(network).values())


def layer_macs(network: nn.Sequential) -> dict[str, int]:
    """Multiply–accumulates for one sample in each linear layer and convolution, by module name."""
    found: dict[str, int] = {}

    def count(name: str, module: Layer, output: torch.Tensor) -> None:
        found[name] = module.weight.numel() * prod(output.shape[2:])

    handles = [
        module.register_forward_hook(
            lambda module, inputs, output, name=name: count(name, module, output)
        )
        for name, module in layers(network).items()
    ]
    try:
        with torch.inference_mode():
            first = next(network.parameters())
            network(torch.zeros(1, features_of(network), dtype=first.dtype, device=first.device))
    finally:
        for handle in handles:
            handle.remove()
    return found
