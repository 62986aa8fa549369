"""An adapter's files: a safetensors file, and a config beside it."""

import json
from collections.abc import Mapping

import safetensors
import safetensors.torch
import torch

from ..errors import StorageError
from .peft_config import PeftConfig, read_config

MOST_TENSORS = 20_000
MOST_BYTES = 2**32
MOST_HEADER_BYTES = 10_000_000


def read_files(files: Mapping[str, bytes]) -> tuple[dict[str, torch.Tensor], PeftConfig | None]:
    """The tensors, all finite, and the config where there is one; see :func:`read_adapter`."""
    content = files[weights_file(files)]
    header = _header(content)
    count = len(header) - ("__metadata__" in header)
    if count > MOST_TENSORS:
        raise StorageError(f"this file holds {count:,} tensors: at most {MOST_TENSORS:,} are read")
    try:
        tensors = safetensors.torch.load(content)
    except (safetensors.SafetensorError, ValueError, KeyError, RuntimeError, OverflowError):
        raise _damaged() from None
    for name, tensor in tensors.items():
        checkable = tensor.is_floating_point() and tensor.element_size() > 1
        if checkable and not torch.isfinite(tensor).all():
            raise StorageError(f"{name[:200]} holds values that are not finite")
    config = config_file(files)
    return tensors, None if config is None else read_config(files[config])


def weights_file(files: Mapping[str, bytes]) -> str:
    """The name of the one file that holds tensors."""
    found = [name for name in files if name.endswith(".safetensors")]
    others = [name for name in files if not name.endswith((".safetensors", ".json"))]
    if len(found) != 1 or others:
        raise StorageError(
            "give one .safetensors file and, of a PEFT adapter, its adapter_config.json; not "
            f"{', '.join(map(repr, others or found)) or 'no file at all'}"
        )
    return found[0]


def config_file(files: Mapping[str, bytes]) -> str | None:
    found = [name for name in files if name.endswith(".json")]
    if len(found) > 1:
        raise StorageError(f"give one config, not {', '.join(map(repr, found))}")
    return found[0] if found else None


def metadata(content: bytes) -> dict[str, str] | None:
    """What a safetensors file says of itself."""
    return _header(content).get("__metadata__")


def _header(content: bytes) -> dict:
    length = int.from_bytes(content[:8], "little")
    if len(content) > MOST_BYTES or MOST_HEADER_BYTES < length <= len(content):
        raise StorageError(
            f"this file is larger than what is read: {MOST_BYTES:,} bytes, "
            f"{MOST_HEADER_BYTES:,} of them names"
        )
    try:
        header = json.loads(content[8 : 8 + length])
    except (ValueError, RecursionError):
        raise _damaged() from None
    if not isinstance(header, dict):
        raise _damaged()
    return header


def _damaged() -> StorageError:
    return StorageError("this is not a safetensors file, or it is damaged: take another copy")
