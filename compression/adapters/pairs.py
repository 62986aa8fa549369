"""The pairs of matrices in an adapter's file: which tensors belong together, and how they count."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite, prod

import torch

from ..errors import StorageError
from .layouts import LAYOUTS
from .peft_config import PeftConfig

LARGEST_RANK = 2048
"""Of a product's core: a larger one takes minutes to decompose."""
_TYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)

_CROSS = r"\.lora_mid\."
_PEFT_ROOT = "base_model.model."


@dataclass(frozen=True)
class Pair:
    """One layer's update  scale · up · down.

    Attributes
    ----------
    layer : str
        As the file names it, PEFT's common prefix aside.
    kind : str
        "linear", "convolution" or "embedding".
    down, up, alpha : str
        Names of the tensors (r, in, ...), (out, r, ...) and of the number that sets the scale;
        the last is "" where the file has none.
    shape : (int, int)
        Of the update as a matrix: (out, in · taps).
    rank : int
        r, as it is stored.
    scale : float
    reason : str
        Why it stays as it is; "": it can be resized.
    """

    layer: str
    kind: str
    down: str
    up: str
    alpha: str
    shape: tuple[int, int]
    rank: int
    scale: float
    reason: str = ""

    @property
    def largest_rank(self) -> int:
        """The update has no more singular values than that."""
        return min(self.rank, *self.shape)

    def parameters(self, rank: int) -> int:
        return rank * sum(self.shape)


def as_matrices(
    pair: Pair, tensors: Mapping[str, torch.Tensor]
) -> tuple[torch.Tensor, torch.Tensor]:
    """``up`` (m, r) and ``down`` (r, n) of a pair, as the file holds them."""
    up, down = tensors[pair.up], tensors[pair.down]
    return up.reshape(up.shape[0], pair.rank), down.reshape(pair.rank, -1)


def find_pairs(tensors: Mapping[str, torch.Tensor], config: PeftConfig | None) -> list[Pair]:
    """All pairs of a file, in the order of their names.

    Raises
    ------
    StorageError
        There is none, one half is missing, or the file does not say how its pairs are scaled.
    """
    middles = {re.split(_CROSS, name)[0] for name in tensors if re.search(_CROSS, name)}
    pairs = []
    for down in sorted(tensors):
        for pattern, other in LAYOUTS:
            if match := re.fullmatch(pattern, down, re.DOTALL):
                layer, name = match["layer"], match["name"] or ""
                up = other.format(layer=layer, name=name)
                if up not in tensors:
                    raise StorageError(
                        f"{down[:200]!r} has no {up[:200]!r} beside it: take a whole copy"
                    )
                pairs.append(_read_pair(layer, down, up, tensors, config, layer in middles))
                break
    layers = Counter(pair.layer for pair in pairs)
    if repeated := [layer for layer, count in layers.items() if count > 1]:
        raise StorageError(
            f"layer {repeated[0][:200]!r} has two pairs of matrices: give a file of one adapter alone"
        )
    if not pairs:
        first = next(iter(sorted(tensors)), "no tensor at all")
        raise StorageError(
            "this file holds no pairs of low-rank matrices (lora_A and lora_B, or lora_down and "
            f"lora_up); its first tensor is {first[:80]!r}"
        )
    return pairs


def _read_pair(
    layer: str,
    down: str,
    up: str,
    tensors: Mapping[str, torch.Tensor],
    config: PeftConfig | None,
    has_middle: bool,
) -> Pair:
    small, tall = tensors[down], tensors[up]
    alpha = f"{layer}.alpha" if f"{layer}.alpha" in tensors else ""
    path = layer.removeprefix(_PEFT_ROOT)
    rank = small.shape[0] if small.ndim else 0
    expected, number = rank, 0.0
    if config is not None:
        expected, number = config.find(path)
    elif alpha:
        number = _read_number(tensors[alpha], alpha)
    elif ".lora_A" in down or "lora_embedding_A" in down:
        raise StorageError(
            f"{down[:200]!r} has no alpha beside it: add the adapter's adapter_config.json, which says "
            "how its matrices are scaled"
        )
    else:
        number = float(rank)  # without an alpha this layout means the rank
    reason = _find_obstacle(small, tall, expected, has_middle)
    rank = max(rank, 1)
    kind = "embedding" if "embedding" in down else "linear"
    if small.ndim > 2 and prod(small.shape[2:]) > 1:
        kind = "convolution"
    return Pair(
        layer=path,
        kind=kind,
        down=down,
        up=up,
        alpha=alpha if config is None else "",
        shape=(tall.shape[0] if tall.ndim else 0, small.numel() // rank),
        rank=rank,
        scale=number / rank if config is None else config.scale(rank, number),
        reason=reason,
    )


def _read_number(tensor: torch.Tensor, name: str) -> float:
    value = float(tensor) if tensor.numel() == 1 and not tensor.is_complex() else float("nan")
    if not isfinite(value) or abs(value) > 1e30:
        raise StorageError(f"{name[:200]!r} is not one finite number: take another copy")
    return value


def _find_obstacle(down: torch.Tensor, up: torch.Tensor, expected: int, has_middle: bool) -> str:
    if has_middle:
        return "its kernel is split in three (lora_mid)"
    if down.dtype not in _TYPES or up.dtype not in _TYPES:
        return f"its numbers are of the type {str(down.dtype).removeprefix('torch.')}"
    fits = (
        down.ndim >= 2
        and up.ndim >= 2
        and up.shape[1] == down.shape[0] == up.numel() // (max(up.shape[0], 1))
    )
    if not fits or not down.numel() or not up.numel():
        return f"its shapes {tuple(up.shape)} and {tuple(down.shape)} are no plain product"
    if expected != down.shape[0]:
        return f"the config says rank {expected}, the file holds {down.shape[0]}"
    if min(up.shape[0], down.shape[0]) > LARGEST_RANK:
        return f"its rank is above {LARGEST_RANK}"
    return ""
