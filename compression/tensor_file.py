"""The tensors of a safetensors file that may come from anybody, within limits."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from .errors import StorageError

# Import torch only to read numbers: a page reads names alone.
if TYPE_CHECKING:
    import torch

MOST_TENSORS = 20_000
MOST_BYTES = 2**32
MOST_HEADER_BYTES = 10_000_000


def read_tensors(content: bytes) -> dict[str, torch.Tensor]:
    """Name -> tensor, in the types of the file.

    Raises
    ------
    StorageError
        The content is no such file, is damaged, larger than what is read, or holds values that
        are not finite.
    """
    import safetensors.torch
    import torch

    header = _read_header(content)
    count = len(header) - ("__metadata__" in header)
    if count > MOST_TENSORS:
        raise StorageError(f"this file holds {count:,} tensors: at most {MOST_TENSORS:,} are read")
    try:
        tensors = safetensors.torch.load(content)
    except (safetensors.SafetensorError, ValueError, KeyError, RuntimeError, OverflowError):
        raise _damage_error() from None
    for name, tensor in tensors.items():
        # Types of one byte have no test for finite values, and are not used here.
        checkable = tensor.is_floating_point() and tensor.element_size() > 1
        if checkable and not torch.isfinite(tensor).all():
            raise StorageError(f"{name[:200]!r} holds values that are not finite")
    return tensors


def read_names(content: bytes) -> list[str]:
    """The names of a safetensors file's tensors."""
    return [name for name in _read_header(content) if name != "__metadata__"]


def read_metadata(content: bytes) -> dict[str, str] | None:
    """What a safetensors file says of itself."""
    return _read_header(content).get("__metadata__")


def _read_header(content: bytes) -> dict[str, Any]:
    length = int.from_bytes(content[:8], "little")
    if len(content) > MOST_BYTES or MOST_HEADER_BYTES < length <= len(content):
        raise StorageError(
            f"this file is larger than what is read: {MOST_BYTES:,} bytes, "
            f"{MOST_HEADER_BYTES:,} of them names"
        )
    try:
        header = json.loads(content[8 : 8 + length])
    except (ValueError, RecursionError):
        raise _damage_error() from None
    if not isinstance(header, dict):
        raise _damage_error()
    return header


def _damage_error() -> StorageError:
    return StorageError("this is not a safetensors file, or it is damaged: take another copy")
