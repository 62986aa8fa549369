"""What every form of a compressed layer has: the weight that it stands for, and a bias."""

from __future__ import annotations

from typing import Any

import torch

from ..network import COMPRESSIBLE, Layer, LowRankLayer, LowRankPlusSparseLayer


@torch.no_grad()
def weight_of(part: Any) -> torch.Tensor:
    """The weight that a compressed layer stands for."""
    if isinstance(part, LowRankPlusSparseLayer):
        return weight_of(part.low_rank) + weight_of(part.sparse)
    if isinstance(part, LowRankLayer):
        right, left = (weight_of(factor) for factor in part)
        return left @ right
    return part.weight.detach()


def share_bias(part: Any, layer: Layer) -> None:
    """Let a compressed layer have the bias of the layer that learns."""
    while type(part) not in COMPRESSIBLE:
        part = part.low_rank if isinstance(part, LowRankPlusSparseLayer) else part.left
    part.bias = layer.bias
