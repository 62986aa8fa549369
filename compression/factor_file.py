"""Factor files: a compressed network's numbers for somebody's own code.

A safetensors file. A compressed weight stands in it as ``<weight>.left`` (m, k) and
``<weight>.right`` (k, n), where left @ right is the weight's matrix (outputs, inputs · taps);
everything else stands under its own name. No code of this package is needed to read it.
"""

import copy
import os
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import nn

from .argument_checks import check_arguments
from .atomic_file import read_whole, write_whole
from .errors import StorageError
from .network import (
    COMPRESSIBLE,
    LowRankLayer,
    LowRankPlusSparseLayer,
    children_of,
    features_of,
    multiply_out,
)
from .tensor_file import read_tensors

LEFT, RIGHT = ".left", ".right"
MAX_NAMES = 8  # names that an error message repeats
LARGEST_DIFFERENCE = 1e-3
"""Between the outputs of a network and of its restored copy, as a share of 1 + the largest."""
_WRAPPERS = ("module.", "_orig_mod.")


@dataclass(frozen=True)
class RestoredNetwork:
    """What :func:`restore` loaded.

    Attributes
    ----------
    factored : tuple of str
        Weights that were put together from two factors.
    plain : tuple of str
        What was taken as it stood in the file.
    """

    factored: tuple[str, ...]
    plain: tuple[str, ...]


@check_arguments
def restore(module: nn.Module, path: str | os.PathLike) -> RestoredNetwork:
    """Load a factor file into a torch module of one's own: each weight is left @ right again.

    Parameters
    ----------
    module : torch module
        With the parameters and buffers of the network before it was compressed, by name; the
        prefixes of ``DataParallel`` and ``torch.compile`` do not matter. Types and devices stay.
    path : str or path
        What :func:`export_factors` wrote, or ``read_model(...).compressed(...)`` of a
        safetensors file.

    Returns
    -------
    RestoredNetwork

    Raises
    ------
    StorageError
        The file cannot be read or is damaged, or names or shapes are not the module's; the
        message lists those that are missing, unexpected or of another shape, and nothing has
        been loaded.
    """
    return restore_bytes(module, read_whole(path))


@torch.no_grad()
def restore_bytes(module: nn.Module, content: bytes) -> RestoredNetwork:
    """:func:`restore` from a file's content."""
    tensors = {strip_wrappers(name): tensor for name, tensor in read_tensors(content).items()}
    places = {strip_wrappers(n): t for n, t in module.state_dict(keep_vars=True).items()}
    halves, plain = _split(tensors)
    _check_names(places, halves, plain)
    values = {name: _multiply_factors(*pair, places[name].shape) for name, pair in halves.items()}
    values |= {name: tensors[name] for name in plain}
    wrong = [
        f"{name} is {tuple(values[name].shape)} in the file, {tuple(place.shape)} in the module"
        for name, place in places.items()
        if name in values and values[name].shape != place.shape
    ]
    if wrong:
        raise StorageError(f"shapes differ, nothing was loaded: {_list_some(wrong)}")
    for name, value in values.items():
        converted = value.to(places[name].dtype)
        if converted.is_floating_point() and not torch.isfinite(converted).all():
            raise StorageError(f"{name} does not fit the module's type, {places[name].dtype}")
        values[name] = converted
    _check_ties(places, values)
    for name, value in values.items():
        places[name].copy_(value)
    return RestoredNetwork(tuple(halves), tuple(plain))


def strip_wrappers(name: str) -> str:
    while name.startswith(_WRAPPERS):
        name = name.split(".", 1)[1]
    return name


def _split(
    tensors: Mapping[str, torch.Tensor],
) -> tuple[dict[str, tuple[torch.Tensor, torch.Tensor]], list[str]]:
    """The weights that stand as two factors, and the names of the others."""
    stems = {name.removesuffix(LEFT) for name in tensors if name.endswith(LEFT)}
    halves = {
        stem: (tensors[stem + LEFT], tensors[stem + RIGHT])
        for stem in sorted(stems)
        if stem + RIGHT in tensors
    }
    used = {stem + half for stem in halves for half in (LEFT, RIGHT)}
    return halves, [name for name in tensors if name not in used]


def _check_names(
    places: Mapping[str, torch.Tensor], halves: Mapping[str, Any], plain: list[str]
) -> None:
    if twice := [name for name in plain if name in halves]:
        raise StorageError(f"the file holds {_list_some(twice)} twice: as a weight and as factors")
    names = {*halves, *plain}
    loaded = {id(places[name]) for name in names if name in places}
    # A tied parameter has several names; a file may hold only one of them.
    missing = [name for name, place in places.items() if id(place) not in loaded]
    unexpected = [name for name in sorted(names) if name not in places]
    if missing or unexpected:
        raise StorageError(
            f"{len(names) - len(unexpected)} names are in both the file and the module, nothing "
            f"was loaded. Missing from the file: {_list_some(missing) or 'none'}. Not in the module: "
            f"{_list_some(unexpected) or 'none'}"
        )


def _check_ties(places: Mapping[str, torch.Tensor], values: Mapping[str, torch.Tensor]) -> None:
    first: dict[int, str] = {}
    for name, value in values.items():
        other = first.setdefault(id(places[name]), name)
        if not torch.equal(value, values[other]):
            raise StorageError(
                f"{other} and {name} are one tensor in the module and two in the file: nothing "
                "was loaded"
            )


def _multiply_factors(left: torch.Tensor, right: torch.Tensor, shape: torch.Size) -> torch.Tensor:
    """left @ right in a weight's shape; where it does not fit, in its own."""
    if left.ndim != 2 or right.ndim != 2 or left.shape[1] != right.shape[0]:
        raise StorageError(
            f"factors of the shapes {tuple(left.shape)} and {tuple(right.shape)} have no product"
        )
    whole = left.shape[0] * right.shape[1]
    if whole != shape.numel() or not shape or left.shape[0] != shape[0]:
        return torch.empty(left.shape[0], right.shape[1], device="meta")
    return (left.double() @ right.double()).reshape(shape)


def _list_some(names: list[str]) -> str:
    more = f" and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else ""
    return ", ".join(name[:120] for name in names[:MAX_NAMES]) + more


@check_arguments
def export_factors(network: nn.Sequential, path: str | os.PathLike) -> float:
    """Write a compressed network as a factor file for :func:`restore`.

    A layer that was replaced by other chains than two factors (three stages, or a sparse part
    beside them) stands as the dense weight that it is. The file appears whole or not at all,
    after it was restored into a dense network and run.

    Returns
    -------
    float
        The largest difference between outputs of the network and of the restored one, over a few
        random samples.

    Raises
    ------
    StorageError
        The restored network gives other outputs: weights are not finite.
    NotApplicableError
        The first layer does not say how many features a sample has.
    """
    content = factor_bytes(network)
    difference = compare_outputs(network, content)
    write_whole(content, Path(path))
    return difference


def factor_bytes(network: nn.Sequential) -> bytes:
    """A factor file's content."""
    if type(network) is not nn.Sequential:
        raise StorageError(f"a {type(network).__name__} cannot be written: give an nn.Sequential")
    tensors: dict[str, torch.Tensor] = {}
    for name, module in _list_layers(network, ""):
        for key, value in _list_numbers(module).items():
            tensors[f"{name}.{key}"] = value.detach().cpu().contiguous().clone()
    return safetensors.torch.save(tensors, {"format": "pt"})


def _list_layers(module: nn.Module, name: str) -> list[tuple[str, nn.Module]]:
    """The layers of a chain by the names that they had before they were compressed."""
    if type(module) is not nn.Sequential:
        return [(name, module)]
    return [
        layer
        for child, part in children_of(module).items()
        for layer in _list_layers(part, f"{name}.{child}".lstrip("."))
    ]


def _list_numbers(module: nn.Module) -> dict[str, torch.Tensor]:
    """What a file holds of one layer: its weight or two factors, its bias."""
    if not isinstance(module, (LowRankLayer, LowRankPlusSparseLayer)):
        return module.state_dict()
    chain: Any = module if isinstance(module, LowRankLayer) else module.low_rank
    weights, last = [part.weight for part in chain if type(part) in COMPRESSIBLE], chain[-1]
    bias = {} if last.bias is None else {"bias": last.bias}
    if type(module) is LowRankLayer and len(chain) == 2 and weights[1][0, 0].numel() == 1:
        right, left = weights
        return {"weight" + LEFT: left.flatten(1), "weight" + RIGHT: right.flatten(1), **bias}
    whole = torch.from_numpy(multiply_out(chain))
    if isinstance(module, LowRankPlusSparseLayer):
        whole = whole + module.sparse.weight.double()  # type: ignore[operator]
    return {"weight": whole.to(weights[0].dtype), **bias}


def build_dense_layer(module: nn.Module) -> nn.Module:
    """The one layer that a compressed layer stands for, without its numbers."""
    if isinstance(module, LowRankPlusSparseLayer):
        return build_dense_layer(module.low_rank)
    if not isinstance(module, LowRankLayer):
        return module
    chain: Any = [part for part in module if type(part) in COMPRESSIBLE]
    first, last = chain[0], chain[-1]
    settings: dict[str, Any] = {"bias": last.bias is not None, "dtype": last.weight.dtype}
    if isinstance(last, nn.Linear):
        return nn.Linear(multiply_out(module).shape[1], last.out_features, **settings)
    axes = range(len(first.kernel_size))
    for name in ("kernel_size", "stride", "dilation"):  # along each axis all stages but one have 1
        settings[name] = tuple(max(getattr(s, name)[axis] for s in chain) for axis in axes)
    padding = first.padding
    if not isinstance(padding, str):
        padding = tuple(sum(stage.padding[axis] for stage in chain) for axis in axes)
    modes = [stage.padding_mode for stage in chain if stage.padding_mode != "zeros"]
    return type(first)(
        first.in_channels,
        last.out_channels,
        padding=padding,
        padding_mode=next(iter(modes), "zeros"),
        **settings,
    )


def _build_dense_network(network: nn.Sequential) -> nn.Sequential:
    """A network of the same names before it was compressed; its numbers mean nothing."""
    return nn.Sequential(
        OrderedDict(
            (
                name,
                _build_dense_network(part)
                if type(part) is nn.Sequential
                else copy.deepcopy(build_dense_layer(part)),
            )
            for name, part in children_of(network).items()
        )
    )


@torch.no_grad()
def compare_outputs(network: nn.Sequential, content: bytes) -> float:
    """The largest difference of outputs between a network and its file's, restored, in float32.

    Raises StorageError where it is above ``LARGEST_DIFFERENCE``.
    """
    before = copy.deepcopy(network).cpu().float().eval()
    after = _build_dense_network(network).cpu().float().eval()
    restore_bytes(after, content)
    x = torch.randn(3, features_of(before), generator=torch.Generator().manual_seed(0))
    expected, restored = before(x), after(x)
    difference = float((restored - expected).abs().max()) if expected.numel() else 0.0
    if not difference <= LARGEST_DIFFERENCE * (1 + float(expected.abs().max())):
        raise StorageError(
            f"the restored network gives outputs that differ by {difference:.3g}: is a weight not "
            "finite, or a hook on a layer?"
        )
    return difference
