"""One layer's outputs for ascending ranks, each from the one before.

The pre-activation is a running sum, Z_k = Z_{k−1} + s_k (X v_k) u_kᵀ: a rank costs a rank-one update.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from ..network import Layer, forward_in_blocks, low_rank_layer
from .layers import LayerDecomposition

ROWS = 1024
"""Samples that go through the rest of a network at a time: what they need stays in the cache."""


class PreActivation:
    """What the first compressed layer gives for ascending ranks, ``ROWS`` samples at a time."""

    def __init__(self, layer: Layer, decomposition: LayerDecomposition, x: torch.Tensor):
        self._layer, self._decomposition, self._x = layer, decomposition, x
        self._running: RunningSum | None = None
        self._dense: torch.Tensor | None = None

    def at(self, rank: int | None, build: Callable[[], nn.Module]) -> Iterable[torch.Tensor]:
        """The outputs of what ``build`` gives, which is the layer at this rank (None: dense)."""
        if rank is None:
            if self._dense is None:
                self._running = None  # frees memory for the dense layer's outputs
                self._dense = forward_in_blocks(build(), self._x)
            return self._dense.split(ROWS)
        if not self._decomposition.nested:
            module = build()
            return (module(chunk) for chunk in self._x.split(ROWS))
        if self._running is None:
            self._running = RunningSum(self._layer, self._decomposition, self._x)
        return self._running.at(rank)


class RunningSum:
    """One layer's outputs for ascending ranks: Z_k = b + W x̄ + Σ_{i ≤ k} left_i right_i (x − x̄)."""

    def __init__(self, layer: Layer, decomposition: LayerDecomposition, x: torch.Tensor):
        largest = int(np.flatnonzero(decomposition.parameters < decomposition.dense_parameters)[-1])
        self._x = x
        self._right: Any
        self._left: Any
        self._right, self._left = low_rank_layer(layer, decomposition.at(largest))
        # Project onto a quarter of the outputs' number at a time, so that the projections take
        # little memory beside the outputs.
        self._block = max(1, len(self._left.weight) // 4)
        right, left, bias = self._right.weight, self._left.weight, self._left.bias
        self._centre = right.new_zeros(largest)
        self._start = right.new_zeros(len(left)) if bias is None else bias
        if decomposition.mean is not None:
            self._centre = right.flatten(1) @ torch.from_numpy(decomposition.mean).to(right)
            self._start = self._start + left.flatten(1) @ self._centre
        self._rank = 0
        self._projected = x.new_empty(0)
        self._sum: torch.Tensor | None = None

    def at(self, rank: int) -> Iterable[torch.Tensor]:
        """The outputs at one rank, ``ROWS`` samples after the other, each as it is wanted.

        All are to be taken before the next rank, which changes them in place.
        """
        while self._sum is None or self._rank < rank:
            within = self._rank % self._block
            if within == 0:
                block = slice(self._rank, self._rank + self._block)
                self._projected = apply_weight(self._right, self._right.weight[block], self._x)
                self._projected -= _spread_over_positions(self._centre[block], self._projected)
            upto = min(rank - self._rank, self._block - within)
            added = self._add_ranks(
                slice(self._rank, self._rank + upto), slice(within, within + upto)
            )
            self._rank += upto
            if self._rank == rank:
                return added
            for _ in added:
                pass
        return self._sum.split(ROWS)

    def _add_ranks(self, ranks: slice, within: slice) -> Iterator[torch.Tensor]:
        left, projected = self._left.weight[:, ranks], self._projected[:, within]
        if self._sum is None:
            self._sum = apply_weight(self._left, left, projected)
            self._sum += _spread_over_positions(self._start, self._sum)
            yield from self._sum.split(ROWS)
            return
        # Yield each part while it is still in the cache.
        for outputs, part in zip(self._sum.split(ROWS), projected.split(ROWS), strict=True):
            if isinstance(self._left, nn.Linear):
                outputs.addmm_(part, left.T)
            else:
                outputs += apply_weight(self._left, left, part)
            yield outputs


def apply_weight(module: nn.Module, weight: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """What a module without its bias would give with this weight."""
    if isinstance(module, nn.Linear):
        return functional.linear(x, weight)
    assert isinstance(module, (nn.Conv1d, nn.Conv2d))
    return module._conv_forward(x, weight, None)  # with its own padding, of whatever mode


def _spread_over_positions(channels: torch.Tensor, outputs: torch.Tensor) -> torch.Tensor:
    """Numbers a channel, shaped to be added at every position."""
    return channels.reshape(-1, *[1] * (outputs.dim() - 2))
