"""Low rank for whole networks: every rank from one decomposition a layer.

The pre-activation of the first compressed layer is a running sum, Z_k = Z_{k−1} + s_k (X v_k) u_kᵀ:
a rank costs a rank-one update and the rest of the network, never another decomposition, and
never a pass through what comes before. Layers after it apply their factors as factors.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from ..network import Layer, low_rank_layer, replaced
from .factors import Decomposition, break_even_rank


def pays(layer: Layer, rank: int) -> bool:
    """Whether factors of this rank hold fewer numbers than the layer's weight."""
    outputs = layer.weight.shape[0]
    return rank <= break_even_rank(outputs, layer.weight.numel() // outputs)


def layer_inputs(
    network: nn.Module, x: torch.Tensor, chosen: Mapping[str, Layer]
) -> dict[str, NDArray]:
    """What each chosen layer sees, (N, inputs): for a convolution a row a sample and position."""
    seen: dict[str, NDArray] = {}

    def keep(name: str, layer: Layer, tensor: torch.Tensor) -> None:
        seen[name] = _as_rows(layer, tensor).cpu().numpy()

    handles = [
        layer.register_forward_pre_hook(lambda layer, args, name=name: keep(name, layer, args[0]))
        for name, layer in chosen.items()
    ]
    try:
        with torch.inference_mode():
            network(x)
    finally:
        for handle in handles:
            handle.remove()
    return seen


def _as_rows(layer: Layer, tensor: torch.Tensor) -> torch.Tensor:
    if isinstance(layer, nn.Linear):
        return tensor
    if isinstance(layer, nn.Conv1d):  # unfold knows images only: a signal is one of height 1
        tensor = tensor.unsqueeze(2)
    kernel, stride, padding = (
        (fill, *size) if isinstance(layer, nn.Conv1d) else size
        for fill, size in ((1, layer.kernel_size), (1, layer.stride), (0, tuple(layer.padding)))
    )
    patches = functional.unfold(tensor, kernel, padding=padding, stride=stride)
    return patches.transpose(1, 2).reshape(-1, patches.shape[1])


@dataclass(frozen=True, eq=False)
class Ranks:
    """A network in which some layers may have any rank.

    Attributes
    ----------
    network : chain of torch modules
        The reference; never changed.
    layers : dict
        The layers to compress, by name.
    decompositions : dict
        Theirs, by name.
    """

    network: nn.Sequential
    layers: Mapping[str, Layer]
    decompositions: Mapping[str, Decomposition]

    def at(self, ranks: int | Mapping[str, int | None]) -> nn.Sequential:
        """The network with these ranks: one for all, or a rank (None: dense) a layer.

        A layer stays dense from its break-even rank on. Dense layers are shared with the
        reference: copy before training.
        """
        if not isinstance(ranks, Mapping):
            ranks = dict.fromkeys(self.layers, ranks)
        return replaced(
            self.network,
            {
                name: low_rank_layer(self.layers[name], self.decompositions[name].at(rank))
                for name, rank in ranks.items()
                if rank is not None and pays(self.layers[name], rank)
            },
        )

    def outputs(self, x: torch.Tensor, ranks: Sequence[int]) -> Iterator[torch.Tensor]:
        """The network's outputs (N, outputs) for each of the ascending ranks."""
        children = list(self.network.named_children())
        start = next(i for i, (name, _) in enumerate(children) if name in self.layers)
        name = children[start][0]
        first = self.layers[name]
        for _, module in children[:start]:
            x = module(x)
        running = _RunningSum(first, self.decompositions[name], x)
        for rank in ranks:
            h = running.at(rank) if pays(first, rank) else running.dense
            for name, module in children[start + 1 :]:
                if name in self.layers and pays(self.layers[name], rank):
                    h = _apply(self.layers[name], self.decompositions[name], rank, h)
                else:
                    h = module(h)
            yield h


class _RunningSum:
    """One layer's pre-activation for ascending ranks."""

    def __init__(self, layer: Layer, decomposition: Decomposition, x: torch.Tensor):
        self._layer, self._decomposition, self._x = layer, decomposition, x
        self._rank = 0
        self._projected: torch.Tensor | None = None
        self._sum: torch.Tensor | None = None
        self._dense: torch.Tensor | None = None

    @property
    def dense(self) -> torch.Tensor:
        if self._dense is None:
            self._projected = self._sum = None  # ranks ascend: no longer needed
            self._dense = self._layer(self._x)
        return self._dense

    def at(self, rank: int) -> torch.Tensor:
        if self._projected is None:
            largest = min(self._decomposition.max_rank, _largest_paying(self._layer))
            right = _tensor(self._decomposition.right[:largest], self._layer)
            self._projected = _project(self._layer, right, self._x)
        new = slice(self._rank, rank)
        left = _tensor(self._decomposition.left[:, new], self._layer)
        if self._sum is None:
            self._sum = _expand(self._layer, left, self._projected[:, new])
        elif self._sum.dim() == 2:
            self._sum.addmm_(self._projected[:, new], left.T)
        else:
            self._sum += _expand(self._layer, left, self._projected[:, new])
        self._rank = rank
        bias = _bias(self._layer, self._decomposition, rank)
        return self._sum + bias.reshape(1, -1, *[1] * (self._sum.dim() - 2))


def _largest_paying(layer: Layer) -> int:
    outputs = layer.weight.shape[0]
    return break_even_rank(outputs, layer.weight.numel() // outputs)


def _tensor(array: NDArray, layer: Layer) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(array)).to(layer.weight)


def _bias(layer: Layer, decomposition: Decomposition, rank: int) -> torch.Tensor:
    bias = torch.zeros(layer.weight.shape[0]) if layer.bias is None else layer.bias
    if decomposition.mean is None:
        return bias
    return bias + _tensor(decomposition.at(rank).bias_shift, layer)


def _project(layer: Layer, right: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """x times right: the first half of a factored layer."""
    if isinstance(layer, nn.Linear):
        return x @ right.T
    kernel = right.reshape(-1, *layer.weight.shape[1:])
    convolve = functional.conv1d if isinstance(layer, nn.Conv1d) else functional.conv2d
    return convolve(x, kernel, None, layer.stride, layer.padding)


def _expand(layer: Layer, left: torch.Tensor, projected: torch.Tensor) -> torch.Tensor:
    """left times the projection: the second half, without the bias."""
    if isinstance(layer, nn.Linear):
        return projected @ left.T
    convolve = functional.conv1d if isinstance(layer, nn.Conv1d) else functional.conv2d
    return convolve(projected, left.reshape(*left.shape, *[1] * (projected.dim() - 2)))


def _apply(layer: Layer, decomposition: Decomposition, rank: int, h: torch.Tensor) -> torch.Tensor:
    projected = _project(layer, _tensor(decomposition.right[:rank], layer), h)
    left = _tensor(decomposition.left[:, :rank], layer)
    if isinstance(layer, nn.Linear):
        return torch.addmm(_bias(layer, decomposition, rank), projected, left.T)
    bias = _bias(layer, decomposition, rank)
    return _expand(layer, left, projected) + bias.reshape(1, -1, *[1] * (h.dim() - 2))
