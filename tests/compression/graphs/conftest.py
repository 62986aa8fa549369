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


def text_model_state(words: int, size: int = 24, inner: int = 48) -> dict[str, torch.Tensor]:
    """Random weights by the names of a small BERT of two layers."""
    torch.manual_seed(0)
    state = {
        f"embeddings.{name}_embeddings.weight": torch.randn(rows, size)
        for name, rows in (("word", words), ("position", 64), ("token_type", 2))
    }
    shapes = {"pooler.dense": (size, size), "embeddings.LayerNorm": (size,)}
    for place in range(2):
        own = f"encoder.layer.{place}."
        for name in ("self.query", "self.key", "self.value", "output.dense"):
            shapes[f"{own}attention.{name}"] = (size, size)
        shapes |= {f"{own}intermediate.dense": (inner, size), f"{own}output.dense": (size, inner)}
        shapes |= {f"{own}{part}output.LayerNorm": (size,) for part in ("attention.", "")}
    for name, shape in shapes.items():
        state[f"{name}.weight"] = torch.randn(*shape) * 0.3 + (len(shape) == 1)
        state[f"{name}.bias"] = 0.1 * torch.randn(shape[0])
    return state
