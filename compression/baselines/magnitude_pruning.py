"""Magnitude pruning with fine-tuning."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from ..network import Layer, LayerBound, array, pick_layers, set_bounded
from .method import BaselineStart, check_share

_SHARES = (0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2, 0.3, 0.5)


@dataclass(frozen=True)
class MagnitudePruning:
    """The largest weights of all layers together, the others zero; then the rest is trained on.

    min ‖θ − θ_now‖²  subject to  ‖θ‖₀ ≤ share · n  over the n weights of all layers, biases left
    out, and after that min L(θ) over the weights that are left. Every share starts from the
    reference and is reached in rounds of an epoch each, by an equal ratio a round, within the
    first half of the epochs: a network that loses nearly all weights at once does not recover.
    Source: Han, Pool, Tran & Dally 2015, arXiv 1506.02626.
    """

    def knobs(self, start: BaselineStart) -> tuple[float, ...]:
        """Shares from a hundredth to a half."""
        return _SHARES

    def check(self, knob: float) -> float:
        """A share of the weights, above 0."""
        return check_share(knob, "share")

    def network(self, start: BaselineStart, knob: float) -> tuple[nn.Sequential, int]:
        """The reference's network with so large a share of its weights, trained on."""
        network = copy.deepcopy(start.reference.network).eval()
        pruned = pick_layers(network, None)
        kept: dict[str, torch.Tensor] = {}

        @torch.no_grad()
        def clear() -> None:
            for name, layer in pruned.items():
                layer.weight.masked_fill_(~kept[name], 0.0)

        trainer = start.trainer(network, clear)
        rounds = -(-start.fine_tuning_epochs // 2)
        for done in range(1, start.fine_tuning_epochs + 1):
            if done <= rounds:
                kept.update(find_largest(pruned, knob ** (done / rounds)))
                clear()
            trainer.run_epoch()
        for name, layer in pruned.items():
            set_bounded(layer, LayerBound("cardinality", float(kept[name].sum())))
        return network, start.fine_tuning_epochs


def find_largest(layers: Mapping[str, Layer], share: float) -> dict[str, torch.Tensor]:
    """Which weights are the largest of all layers together: round(share · n) of them, at least 1."""
    sizes = [layer.weight.numel() for layer in layers.values()]
    magnitudes = np.concatenate([np.abs(array(layer.weight)).ravel() for layer in layers.values()])
    chosen = np.zeros(len(magnitudes), bool)
    count = max(1, round(share * len(magnitudes)))
    chosen[np.argsort(-magnitudes, kind="stable")[:count]] = True
    parts = np.split(chosen, np.cumsum(sizes)[:-1])
    return {
        name: torch.from_numpy(part.reshape(tuple(layer.weight.shape)))
        for (name, layer), part in zip(layers.items(), parts, strict=True)
    }
