"""Tensors as files hold them: type, shape and bytes, to and from safetensors.

A type that NumPy does not have (bfloat16) keeps its own bytes; values are handed out as float64.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import StorageError
from .limits import MAX_AXES, MAX_HEADER_BYTES, MAX_TENSORS, check_names, show

FLOATS = {"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16"}
_BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "U64": 8, "I32": 4, "U32": 4}
_BYTES |= {"I16": 2, "U16": 2, "I8": 1, "U8": 1, "BOOL": 1, "F8_E4M3": 1, "F8_E5M2": 1}


@dataclass(frozen=True, eq=False)
class Tensor:
    """One tensor of a file.

    Attributes
    ----------
    dtype : str
        As safetensors names it: "F32", "BF16", "I64", ...
    shape : tuple of int
    data : bytes-like
        In row-major order, little-endian.
    """

    dtype: str
    shape: tuple[int, ...]
    data: Any

    @property
    def size(self) -> int:
        return prod(self.shape)

    @property
    def holds_weights(self) -> bool:
        return self.dtype in FLOATS

    def values(self) -> NDArray[np.float64]:
        """Its numbers, in its shape; floating types only."""
        if self.dtype == "BF16":
            wide = np.frombuffer(self.data, "<u2").astype(np.uint32) << 16
            return wide.view(np.float32).astype(np.float64).reshape(self.shape)
        kind = np.dtype(FLOATS[self.dtype]).newbyteorder("<")
        return np.frombuffer(self.data, kind).astype(np.float64).reshape(self.shape)

    def digest(self) -> bytes:
        """Equal for equal tensors alone."""
        start = f"{self.dtype} {self.shape} ".encode()
        return hashlib.sha256(start + bytes(self.data)).digest()


def encode_values(values: NDArray, dtype: str) -> Tensor:
    """Numbers as a tensor of a floating type of ``FLOATS``."""
    if dtype == "BF16":
        bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
        # Round to the nearest, ties to even.
        rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16
        return Tensor(dtype, values.shape, rounded.astype("<u2").tobytes())
    kind = np.dtype(FLOATS[dtype]).newbyteorder("<")
    return Tensor(dtype, values.shape, np.ascontiguousarray(values).astype(kind).tobytes())


def read_safetensors(content: bytes) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors by name, and the file's own remarks.

    Raises
    ------
    StorageError
        The content is not such a file, is damaged, or holds more than is read.
    """
    import safetensors

    order, metadata = _check_header(content)
    try:
        entries = safetensors.deserialize(content)
    except (safetensors.SafetensorError, ValueError, OverflowError) as error:
        raise _damage_error() from error
    lines = dict(entries)
    tensors = {
        name: Tensor(line["dtype"], tuple(line["shape"]), memoryview(line["data"]))
        for name, line in ((name, lines[name]) for name in order)
    }
    for name, tensor in tensors.items():
        known = tensor.dtype in _BYTES
        if known and tensor.size * _BYTES[tensor.dtype] != len(tensor.data):
            raise _damage_error()
        if len(tensor.shape) > MAX_AXES:
            raise StorageError(
                f"tensor {show(name)} has {len(tensor.shape)} axes: up to {MAX_AXES} are read"
            )
    return tensors, metadata


def _damage_error() -> StorageError:
    return StorageError("this is no safetensors file, or it is damaged: take another copy")


def _check_header(content: bytes) -> tuple[list[str], dict[str, str]]:
    """The names and remarks of a header that names each tensor once, and not too many."""
    length = int.from_bytes(content[:8], "little")
    if length > MAX_HEADER_BYTES and len(content) >= 8 + length:
        raise StorageError(
            f"the list of tensors takes {length / 2**20:,.0f} MB: up to "
            f"{MAX_HEADER_BYTES // 2**20} MB are read"
        )
    if len(content) < 8 or not 2 <= length <= len(content) - 8:
        raise _damage_error()
    try:
        header = json.loads(content[8 : 8 + length], object_pairs_hook=_require_unique)
    except (ValueError, RecursionError) as error:
        raise _damage_error() from error
    if not isinstance(header, dict):
        raise _damage_error()
    metadata = header.pop("__metadata__", {})
    check_names(header, "tensors", MAX_TENSORS)
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise _damage_error()
    return list(header), metadata


def _require_unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    unique = dict(pairs)
    if len(unique) < len(pairs):
        raise StorageError("the file names two tensors alike: write it again with one name each")
    return unique


def write_safetensors(
    tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None
) -> bytes:
    """The content of a safetensors file.

    The library writes NumPy's and torch's types alone; these bytes may be of any type it reads.
    """
    header: dict[str, Any] = {"__metadata__": dict(metadata)} if metadata else {}
    header |= {name: {"dtype": t.dtype, "shape": list(t.shape)} for name, t in tensors.items()}
    parts, start = [], 0
    # Write the widest types first, so that each tensor begins at a multiple of its item size.
    for name in sorted(tensors, key=lambda name: -_BYTES.get(tensors[name].dtype, 1)):
        data = tensors[name].data
        header[name]["data_offsets"] = [start, start + len(data)]
        parts.append(data)
        start += len(data)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return b"".join([len(text).to_bytes(8, "little"), text, *parts])
