"""Rounding."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from ..grid import check_bits
from ..quantization import quantize
from .method import BaselineStart

DEFAULT_BITS = (*range(1, 9), 10, 12, 16)


@dataclass(frozen=True)
class Rounding:
    """The reference's weights in b bits each, without any training.

    min ‖W − Ŵ‖²  subject to  Ŵ on a uniform grid around 0 of 2^b points, for each layer: see
    :func:`compression.quantize`.
    """

    def knobs(self, start: BaselineStart) -> tuple[int, ...]:
        """Every number of bits up to 8, and a few larger ones."""
        return DEFAULT_BITS

    def check(self, knob: float) -> int:
        """Bits, from 1 to 16, or 32."""
        return check_bits(knob)  # type: ignore[arg-type]

    def network(self, start: BaselineStart, knob: float) -> tuple[nn.Sequential, int]:
        """The reference's network in so many bits."""
        return quantize(start.reference.network, int(knob)), 0
