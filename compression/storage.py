"""A compressed model to and from one safetensors file.

The file holds the network's structure as JSON in its header and its numbers as tensors. A
constrained layer is kept as a map of states (free, +c, −c, 0: as few bits a weight as there are
states), the free values and c, where that is shorter than the plain weight; quantised free values
are kept as codes of as few bits as their grid has. Loading gives back the same bits, and executes
nothing.
"""

import copy
import io
import json
import os
import tempfile
import warnings
import zlib
from collections import OrderedDict
from math import inf, prod
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy
import torch
from numpy.typing import NDArray
from torch import nn

from .catalog import CONSTRAINTS, find
from .constrained.sets import FREE, LOWER, UPPER
from .errors import StorageError
from .grid import BITS, Grid
from .network import (
    COMPRESSIBLE,
    Bounded,
    LowRank,
    LowRankPlusSparse,
    bounded_of,
    set_bounded,
)

FORMAT = 1
_MOST_NUMBERS = 1 << 28  # declared sizes beyond this are refused before anything is allocated


def states(weight: NDArray, bounded: Bounded) -> NDArray[np.int8]:
    """Which weights are no numbers of their own: FREE, UPPER (+c), LOWER (−c) or ZERO."""
    return (
        find(CONSTRAINTS, bounded.constraint, "constraint set")
        .load()()
        .states(weight, bounded.bound)
    )


def _bits(count: int) -> int:
    return (count - 1).bit_length()


def _pack(values: NDArray[np.unsignedinteger], bits: int) -> NDArray[np.uint8]:
    """``bits`` bits of each value, one after the other."""
    unpacked = (values.reshape(-1, 1) >> np.arange(bits, dtype=values.dtype)) & 1
    return np.packbits(unpacked.astype(np.uint8))


def _unpack(packed: NDArray[np.uint8], bits: int, count: int) -> NDArray[np.uint16]:
    if packed.shape != (-(-count * bits // 8),):
        raise ValueError("bits")
    unpacked = np.unpackbits(packed, count=count * bits).reshape(count, bits)
    return (unpacked.astype(np.uint16) << np.arange(bits, dtype=np.uint16)).sum(
        axis=1, dtype=np.uint16
    )


# Each kind of layer: its arguments to JSON, and back. Nothing else can be saved or loaded.


def _convolution(module: Any) -> list:
    return [
        module.in_channels,
        module.out_channels,
        list(module.kernel_size),
        list(module.stride),
        list(module.padding),
    ]


_DESCRIBE: dict[type[nn.Module], tuple[str, Any]] = {
    nn.Linear: ("linear", lambda m: [m.in_features, m.out_features]),
    nn.Conv1d: ("conv1d", _convolution),
    nn.Conv2d: ("conv2d", _convolution),
    nn.ReLU: ("relu", lambda m: []),
    nn.Flatten: ("flatten", lambda m: []),
    nn.Unflatten: ("unflatten", lambda m: list(m.unflattened_size)),
    nn.MaxPool2d: ("maxpool2d", lambda m: [m.kernel_size]),
}
_BUILD: dict[str, Any] = {
    "linear": lambda i, o, bias: nn.utils.skip_init(nn.Linear, i, o, bias=bias),
    "conv1d": lambda i, o, k, s, p, bias: nn.utils.skip_init(
        nn.Conv1d, i, o, tuple(k), tuple(s), tuple(p), bias=bias
    ),
    "conv2d": lambda i, o, k, s, p, bias: nn.utils.skip_init(
        nn.Conv2d, i, o, tuple(k), tuple(s), tuple(p), bias=bias
    ),
    "relu": nn.ReLU,
    "flatten": nn.Flatten,
    "unflatten": lambda *shape: nn.Unflatten(1, shape),
    "maxpool2d": nn.MaxPool2d,
}


def _encode(module: nn.Module, name: str, tensors: dict[str, NDArray]) -> dict[str, Any]:
    """One module's line of the structure; its numbers go into ``tensors``."""
    line: dict[str, Any] = {}
    if isinstance(module, (nn.Sequential, LowRankPlusSparse)):
        nested = "sum" if isinstance(module, LowRankPlusSparse) else "chain"
        line[nested] = {
            child: _encode(part, f"{name}.{child}".lstrip("."), tensors)
            for child, part in module.named_children()
        }
        if isinstance(module, LowRank):
            line["low_rank"] = 1
        return line
    try:
        kind, arguments = _DESCRIBE[type(module)]
    except KeyError:
        raise StorageError(
            f"a layer of type {type(module).__name__} cannot be saved: use {', '.join(_BUILD)}"
        ) from None
    line[kind] = arguments(module)
    if not isinstance(module, COMPRESSIBLE):
        return line
    weight = module.weight.detach().cpu().numpy()
    if module.bias is not None:
        tensors[f"{name}.bias"] = module.bias.detach().cpu().numpy()
    bounded = bounded_of(module)
    if bounded is not None:
        line["set"] = bounded.constraint
        line["c"] = bounded.bound
        found = states(weight, bounded)
        kinds = np.unique(found)
        bits = _bits(len(kinds))
        free = weight[found == FREE]
        stored = free if bounded.grid is None else _codes(free, bounded.grid, line)
        if -(-weight.size * bits // 8) + stored.nbytes < weight.nbytes:
            line["states"] = kinds.tolist()
            if bits:
                tensors[f"{name}.map"] = _pack(np.searchsorted(kinds, found).astype(np.uint8), bits)
            if free.size:
                tensors[f"{name}.free"] = stored
            return line
    tensors[f"{name}.weight"] = weight
    return line


def _codes(free: NDArray, grid: Grid, line: dict[str, Any]) -> NDArray:
    """The free values' packed codes, their grid noted in the line; or themselves where they are
    not (or no longer) on the grid."""
    codes = grid.codes(free)
    if grid.values(codes, free.dtype).tobytes() != free.tobytes():
        return free
    line["grid"] = [grid.bits, grid.low, grid.high]
    return _pack(codes, grid.bits)


def to_bytes(network: nn.Module) -> bytes:
    """The file's content; raises StorageError for a layer that the format does not know."""
    tensors: dict[str, NDArray] = {}
    structure = _encode(network, "", tensors)
    dtype = str(next(network.parameters()).dtype).removeprefix("torch.")
    contiguous = {name: np.ascontiguousarray(array) for name, array in tensors.items()}
    header = {"format": FORMAT, "dtype": dtype, "network": structure}
    header["checksum"] = _checksum(header, contiguous)
    # One entry only: the library writes several in an order that changes from call to call.
    return safetensors.numpy.save(contiguous, metadata={"compression": _json(header)})


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


def _checksum(header: dict[str, Any], tensors: dict[str, NDArray]) -> str:
    """CRC-32 of all that the file says: one flipped bit anywhere changes it."""
    crc = zlib.crc32(_json([header["format"], header["dtype"], header["network"]]).encode())
    for name in sorted(tensors):
        array = tensors[name]
        crc = zlib.crc32(f"{name} {array.dtype} {array.shape}".encode(), crc)
        crc = zlib.crc32(array.data if array.size else b"", crc)
    return f"{crc:08x}"


def _decode(line: dict, name: str, tensors: dict[str, NDArray], dtype: np.dtype) -> nn.Module:
    nested = "sum" if "sum" in line else "chain"
    if nested in line:
        parts = OrderedDict(
            (child, _decode(part, f"{name}.{child}".lstrip("."), tensors, dtype))
            for child, part in line[nested].items()
        )
        if nested == "sum":
            return LowRankPlusSparse(**parts)
        return LowRank(parts) if line.get("low_rank") else nn.Sequential(parts)
    kind = next(iter(line))
    arguments = line[kind]
    if kind not in ("linear", "conv1d", "conv2d"):
        return _BUILD[kind](*arguments)
    numbers = [n for a in arguments for n in (a if isinstance(a, list) else [a])]
    if any(type(n) is not int or n < 0 for n in numbers):
        raise ValueError("sizes")
    shape = (
        (arguments[1], arguments[0])
        if kind == "linear"
        else (arguments[1], arguments[0], *arguments[2])
    )
    if prod(shape) > _MOST_NUMBERS:
        raise ValueError("too large")
    bias = tensors.pop(f"{name}.bias", None)
    if "states" in line:
        weight = _from_states(line, name, tensors, shape, dtype)
    else:
        weight = tensors.pop(f"{name}.weight")
    module = _BUILD[kind](*arguments, bias=bias is not None)
    for part, values in (("weight", weight), ("bias", bias)):
        if values is not None:
            if values.shape != getattr(module, part).shape or values.dtype != dtype:
                raise ValueError("shapes")
            setattr(module, part, nn.Parameter(torch.from_numpy(values.copy())))
    if "set" in line:
        set_bounded(module, Bounded(str(line["set"]), float(line["c"]), _grid(line)))
    return module


def _grid(line: dict) -> Grid | None:
    if "grid" not in line:
        return None
    bits, low, high = line["grid"]
    if type(bits) is not int or bits not in BITS[:-1] or not -inf < low <= high < inf:
        raise ValueError("grid")
    return Grid(bits, low, high)


def _from_states(line: dict, name: str, tensors: dict, shape: tuple, dtype: np.dtype) -> NDArray:
    kinds = np.array(line["states"], np.uint8)
    count, bits = prod(shape), _bits(len(kinds))
    codes = _unpack(tensors.pop(f"{name}.map"), bits, count) if bits else np.zeros(count, np.uint8)
    found = kinds[codes]
    bound = dtype.type(line["c"])
    weight = np.zeros(count, dtype)
    weight[found == UPPER] = bound
    weight[found == LOWER] = -bound
    places, grid = found == FREE, _grid(line)
    if places.any():
        free = tensors.pop(f"{name}.free")
        if grid is not None:
            free = grid.values(_unpack(free, grid.bits, int(places.sum())), dtype)
        if free.dtype != dtype or free.ndim != 1 or len(free) != places.sum():
            raise ValueError("free values")
        weight[places] = free
    return weight.reshape(shape)


def from_bytes(content: bytes) -> nn.Sequential:
    """The network of a file's content, in eval mode; raises StorageError for anything else."""
    damaged = StorageError(
        "this file is not a model written by compression.save, or it is damaged: take another copy"
    )
    try:
        tensors = safetensors.numpy.load(content)
        header = _metadata(content)
        if header["format"] != FORMAT or header["checksum"] != _checksum(header, tensors):
            raise damaged
        dtype = np.dtype(header["dtype"])
        network = _decode(header["network"], "", tensors, dtype)
    except StorageError:
        raise
    except (
        safetensors.SafetensorError,
        ValueError,
        KeyError,
        TypeError,
        IndexError,
        AttributeError,
        StopIteration,
        RecursionError,
        RuntimeError,
        OverflowError,
    ) as error:
        raise damaged from error
    if tensors or not isinstance(network, nn.Sequential):
        raise damaged
    return network.eval()


def _metadata(content: bytes) -> dict[str, Any]:
    length = int.from_bytes(content[:8], "little")
    text = json.loads(content[8 : 8 + length])["__metadata__"]["compression"]
    header = json.loads(text)
    if _json(header) != text:  # a digit may have changed beyond what a float can hold
        raise ValueError("header")
    return header


def save(network: nn.Module, path: str | os.PathLike) -> None:
    """Write a network to a file that appears whole or not at all.

    Parameters
    ----------
    network : torch module
        Of this package: a reference's network, or a curve's.
    path : str or path
        By custom ``*.safetensors``.

    Raises
    ------
    StorageError
        The network has a layer that the format does not know.
    """
    _write(to_bytes(network), Path(path))


def _write(content: bytes, path: Path) -> None:
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def load(path: str | os.PathLike) -> nn.Sequential:
    """The network in a file that ``save`` wrote, with the same bits.

    Raises
    ------
    StorageError
        The file is not one of ours, or is damaged.
    """
    return from_bytes(Path(path).read_bytes())


def export_onnx(network: nn.Sequential, path: str | os.PathLike) -> None:
    """Write a network as an ONNX graph: samples (N, features) in, (N, outputs) out, any N.

    A constrained layer becomes a dense one. The file appears whole or not at all.

    Raises
    ------
    StorageError
        The network has a layer that the format does not know.
    """
    from .network import features_of

    to_bytes(network)  # refuses what is not of this package
    sample = torch.zeros(2, features_of(network))
    content = io.BytesIO()
    with warnings.catch_warnings():
        # The newer exporter needs packages of its own for these chains of seven known layers.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            copy.deepcopy(network).cpu().eval(),
            (sample,),
            content,  # type: ignore[arg-type]  # it takes open files too
            dynamo=False,
            input_names=["samples"],
            output_names=["outputs"],
            dynamic_axes={"samples": {0: "N"}, "outputs": {0: "N"}},
        )
    _write(content.getvalue(), Path(path))
