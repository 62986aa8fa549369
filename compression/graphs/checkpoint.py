"""State dicts as ``torch.save`` writes them, to and from plain tensors.

``convert`` runs in the child process. Its errors never repeat torch's own, which teach people to
switch the protection off.
"""

import io
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch

from ..errors import StorageError
from .limits import MAX_DEPTH, MAX_TENSORS, check_names, show
from .tensors import Tensor, write_safetensors

PREFIXES = ("module.", "_orig_mod.")
_TYPES = {torch.float64: "F64", torch.float32: "F32", torch.float16: "F16"}
_TYPES |= {torch.bfloat16: "BF16", torch.int64: "I64", torch.int32: "I32", torch.int16: "I16"}
_TYPES |= {torch.int8: "I8", torch.uint8: "U8", torch.bool: "BOOL"}

SCRIPT = (
    "this is a TorchScript program, and programs from files are not run here: save the weights "
    "with torch.save(model.state_dict(), ...), or export the model to ONNX"
)
UNREADABLE = (
    "this file is damaged, or holds more than tensors in dictionaries, and nothing else is read "
    "from files here: save the weights with torch.save(model.state_dict(), ...)"
)


def convert(content: bytes) -> bytes:
    """A safetensors file with the floating tensors of a checkpoint, by their names.

    Nested dictionaries become dotted names. An optimizer's state is left out, and what
    ``DataParallel`` and ``torch.compile`` put before all names.

    Raises
    ------
    StorageError
        It is a program, damaged, holds other objects, or claims more than it holds.
    """
    if content[:2] == b"PK":
        _check_archive(content)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            loaded = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except MemoryError:
        raise
    except Exception as error:  # a damaged file can make torch raise anything
        raise StorageError(UNREADABLE) from error
    if isinstance(loaded, torch.Tensor):
        loaded = {"tensor": loaded}
    if not isinstance(loaded, dict):
        raise StorageError(
            "the file holds no dictionary of tensors: save the weights with "
            "torch.save(model.state_dict(), ...)"
        )
    tensors = dict(_flatten(loaded))
    check_names(tensors, "tensors", MAX_TENSORS)
    return write_safetensors(
        {name: plain_tensor(name, tensors[name]) for name in _strip_prefixes(tensors)}
    )


def write(tensors: Mapping[str, Tensor]) -> bytes:
    """The content of a ``torch.save`` file with a flat state dict; equal tensors are stored once."""
    known: dict[bytes, torch.Tensor] = {}
    names = {}
    for name, tensor in tensors.items():
        key = tensor.digest()
        if key not in known:
            kind = next(dtype for dtype, title in _TYPES.items() if title == tensor.dtype)
            flat = torch.frombuffer(bytearray(tensor.data), dtype=kind) if tensor.size else None
            empty = torch.empty(tensor.shape, dtype=kind)
            known[key] = empty if flat is None else flat.reshape(tensor.shape)
        names[name] = known[key]
    content = io.BytesIO()
    torch.save(names, content)
    return content.getvalue()


def _check_archive(content: bytes) -> None:
    """Raises StorageError unless it is an archive of torch's, whole to the last bit."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = archive.infolist()
            check_names([member.filename for member in members], "parts", 2 * MAX_TENSORS)
            names = [member.filename.split("/", 1)[-1] for member in members]
            if "constants.pkl" in names or any(name.startswith("code/") for name in names):
                raise StorageError(SCRIPT)
            if any(member.compress_type != zipfile.ZIP_STORED for member in members):
                raise StorageError(
                    "the file is compressed, which torch.save never does: take another copy"
                )
            if sum(member.file_size for member in members) > len(content):
                raise StorageError(UNREADABLE)
            # torch compares no checksum: without this, a flipped bit would silently change a
            # weight.
            if archive.testzip() is not None:
                raise StorageError(
                    "a part of the file does not match its checksum: it is damaged, take another copy"
                )
    except (zipfile.BadZipFile, ValueError, EOFError, NotImplementedError, RuntimeError) as error:
        raise StorageError(UNREADABLE) from error


def _flatten(
    tree: Mapping[Any, Any], prefix: str = "", depth: int = 0
) -> Iterator[tuple[str, Any]]:
    """Dotted name, tensor: of all dictionaries but an optimizer's."""
    if depth > MAX_DEPTH:
        raise StorageError(
            f"dictionaries stand {depth} deep in the file: up to {MAX_DEPTH} are read"
        )
    for key, value in tree.items():
        if not isinstance(key, (str, int)):
            continue
        name = f"{prefix}{key}"
        if isinstance(value, torch.Tensor):
            yield name, value
        elif isinstance(value, dict) and not _is_optimizer(name, value):
            yield from _flatten(value, f"{name}.", depth + 1)


def _is_optimizer(name: str, value: dict[Any, Any]) -> bool:
    """Whether it is an optimizer's state: moments have the shapes of weights."""
    moments = {"exp_avg", "exp_avg_sq", "momentum_buffer", "square_avg", "acc_delta"}
    lower = name.lower()
    return (
        {"state", "param_groups"} <= value.keys()
        or bool(moments & value.keys())
        or any(part in lower for part in ("optimizer", "optim_state", "scheduler", "scaler"))
    )


def plain_tensor(name: str, tensor: torch.Tensor) -> Tensor:
    """A tensor's numbers as a file holds them; StorageError for one that is not dense."""
    dense = tensor.layout == torch.strided and not tensor.is_quantized and not tensor.is_meta
    if not dense or tensor.dtype not in _TYPES:
        raise StorageError(
            f"tensor {show(name)} is of type {str(tensor.dtype).removeprefix('torch.')}, sparse, "
            "quantised or without values: only dense tensors of numbers are read"
        )
    # With strides of 0, one stored number can stand for a million.
    if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
        raise StorageError(f"tensor {show(name)} claims more numbers than the file holds for it")
    plain = tensor.detach().contiguous()
    bits = plain.view(torch.int16) if plain.dtype == torch.bfloat16 else plain
    data = np.ascontiguousarray(bits.numpy()).tobytes()
    return Tensor(_TYPES[tensor.dtype], tuple(tensor.shape), data)


def _strip_prefixes(tensors: dict[str, Any]) -> dict[str, Any]:
    """Remove what stands before every name, in place: it tells nothing."""
    while tensors:
        first = next(iter(tensors))
        common = next((p for p in PREFIXES if all(name.startswith(p) for name in tensors)), None)
        if common is None and "." in first:
            # A dictionary may hold all tensors: "state_dict.", "model.".
            wrapper = first.split(".", 1)[0] + "."
            known = wrapper in ("state_dict.", "model_state_dict.", "model_state.", "model.")
            if known and all(name.startswith(wrapper) for name in tensors):
                common = wrapper
        if common is None:
            break
        values = {name.removeprefix(common): value for name, value in tensors.items()}
        tensors.clear()
        tensors.update(values)
    return tensors
