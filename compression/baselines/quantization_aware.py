"""Quantisation-aware training."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from ..grid import check_bits
from ..straight_through import train_quantized
from .method import BaselineStart
from .rounding import DEFAULT_BITS


@dataclass(frozen=True)
class QuantizationAwareTraining:
    """The reference trained on with its weights in b bits each.

    min L(round(θ)) over real θ, the rounding's derivative being taken for 1 (the straight-through
    estimator). Each layer has a grid around 0, searched for anew before every epoch. Each number of
    bits starts from the reference.
    Source: Bengio, Léonard & Courville 2013, arXiv 1308.3432; Jacob et al. 2018, arXiv 1712.05877.
    """

    def knobs(self, start: BaselineStart) -> tuple[int, ...]:
        """Those of rounding."""
        return DEFAULT_BITS

    def check(self, knob: float) -> int:
        """Bits, from 1 to 16, or 32."""
        return check_bits(knob)  # type: ignore[arg-type]

    def network(self, start: BaselineStart, knob: float) -> tuple[nn.Sequential, int]:
        """The reference's network, trained on in so many bits."""
        epochs = start.fine_tuning_epochs
        network = train_quantized(start.reference.network, int(knob), epochs, start.trainer)
        return network, epochs
