"""Small models in the formats that are read."""

import io
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from compression.graphs.tensors import Tensor, encode_values, write_safetensors


def save(value: Any, **settings: Any) -> bytes:
    """What ``torch.save`` writes."""
    content = io.BytesIO()
    torch.save(value, content, **settings)
    return content.getvalue()


def low_rank_matrix(rows: int, columns: int, rank: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(rows, rank)) @ rng.normal(size=(rank, columns))


def safetensors_file(values: Mapping[str, np.ndarray], dtype: str = "F32") -> bytes:
    tensors: dict[str, Tensor] = {name: encode_values(v, dtype) for name, v in values.items()}
    return write_safetensors(tensors)
