"""What a model costs: stored numbers, bytes of its file, multiply–accumulates."""

from math import prod

import torch
from torch import nn

from . import storage
from .network import COMPRESSIBLE


def parameters(network: nn.Module) -> int:
    """Numbers that must be stored as numbers.

    All weights and biases of a dense or low-rank layer. Of a constrained layer the weights that
    are neither pinned at the bound nor zero, the biases, and one bound.
    """
    total = sum(p.numel() for p in network.parameters())
    for module in network.modules():
        bounded = getattr(module, "bounded", None)
        if bounded is not None:
            weight = module.weight.detach().cpu().numpy()
            free = int((storage.states(weight, bounded) == storage.FREE).sum())
            total += free - weight.size + 1
    return total


def bytes_of(network: nn.Module) -> int:
    """Length in bytes of the file that ``compression.save`` writes for this network."""
    return len(storage.to_bytes(network))


def macs(network: nn.Module, features: int) -> int:
    """Multiply–accumulates for one sample of so many features, weights only.

    A constrained network counts in full: it is dense at run time.
    """
    total = 0

    def count(module: nn.Module, inputs: tuple, output: torch.Tensor) -> None:
        nonlocal total
        positions = prod(output.shape[2:])
        total += module.weight.numel() * positions

    handles = [
        module.register_forward_hook(count)
        for module in network.modules()
        if isinstance(module, COMPRESSIBLE)
    ]
    try:
        with torch.inference_mode():
            first = next(network.parameters())
            network(torch.zeros(1, features, dtype=first.dtype, device=first.device))
    finally:
        for handle in handles:
            handle.remove()
    return total
