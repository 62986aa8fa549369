"""The settings of each kind of layer to JSON, and the layer from them again.

Only what is built again from its settings with nothing missing can be described: a layer of
exactly one of these types, with the attributes that its settings give it and no others.
"""

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.utils import parametrize

from .errors import StorageError
from .network import (
    COMPRESSIBLE,
    LowRankLayer,
    LowRankPlusSparseLayer,
    build_empty,
    find_shared_places,
)

CONTAINERS = (nn.Sequential, LowRankLayer, LowRankPlusSparseLayer)


@dataclass(frozen=True)
class _Kind:
    """One type of layer: the settings that are always written, and those that may differ."""

    layer: type[nn.Module]
    always: tuple[str, ...] = ()
    otherwise: tuple[str, ...] = ()


_CONVOLUTION = (
    ("in_channels", "out_channels", "kernel_size", "stride", "padding"),
    ("dilation", "groups", "padding_mode"),
)
_KINDS = {
    "linear": _Kind(nn.Linear, ("in_features", "out_features")),
    "conv1d": _Kind(nn.Conv1d, *_CONVOLUTION),
    "conv2d": _Kind(nn.Conv2d, *_CONVOLUTION),
    "relu": _Kind(nn.ReLU, (), ("inplace",)),
    "flatten": _Kind(nn.Flatten, (), ("start_dim", "end_dim")),
    "unflatten": _Kind(nn.Unflatten, ("unflattened_size",), ("dim",)),
    "maxpool2d": _Kind(
        nn.MaxPool2d, ("kernel_size",), ("stride", "padding", "dilation", "ceil_mode")
    ),
}
_NAMES = {kind.layer: name for name, kind in _KINDS.items()}
_STATE = {"_parameters", "_buffers", "_modules", "training", "bounded", "grid"}


def name_module(name: str) -> str:
    """How a sentence names a module."""
    return f"layer {name}" if name else "the network"


def describe(module: nn.Module, name: str) -> dict[str, Any]:
    """A layer's settings as JSON holds them.

    Raises
    ------
    StorageError
        The layer is of no known type, or has a setting, hook, buffer or attribute that its
        settings would not give back; the message names both.
    """
    check_type(module, name)
    kind = _NAMES[type(module)]
    arguments = [_to_plain(getattr(module, setting)) for setting in _KINDS[kind].always]
    line: dict[str, Any] = {kind: arguments[0] if kind == "unflatten" else arguments}
    try:
        plain = build(line, bias=getattr(module, "bias", None) is not None)
        settings = {
            setting: _to_plain(getattr(module, setting))
            for setting in _KINDS[kind].otherwise
            if _to_plain(getattr(module, setting)) != _to_plain(getattr(plain, setting))
        }
        if settings:
            line["settings"] = settings
            plain = build(line, bias=getattr(module, "bias", None) is not None)
    except (TypeError, ValueError, RuntimeError, AttributeError) as error:
        raise StorageError(
            f"{name_module(name)} cannot be saved: its settings ({module.extra_repr()}) do not build "
            f"another {type(module).__name__}"
        ) from error
    check_attributes(module, plain, name)
    return line


def check_type(module: nn.Module, name: str) -> None:
    """Raise StorageError unless the module is exactly of a type that a file can keep."""
    possible = (*CONTAINERS, *_NAMES) if name else (nn.Sequential, LowRankLayer)
    if type(module) in possible:
        return
    if parametrize.is_parametrized(module):
        raise StorageError(
            f"{name_module(name)} cannot be saved with its parametrizations: remove them first, with "
            "torch.nn.utils.parametrize.remove_parametrizations"
        )
    named = name_module(name) + " of type " + type(module).__name__
    if not name:
        raise StorageError(f"{named} cannot be saved: give an nn.Sequential, and no subclass of it")
    raise StorageError(
        f"{named} cannot be saved: use {', '.join(_NAMES_ON_SCREEN)}, and no subclass of them"
    )


_NAMES_ON_SCREEN = ("Sequential", *(kind.layer.__name__ for kind in _KINDS.values()))


def check_attributes(module: nn.Module, again: nn.Module, name: str) -> None:
    """Raise StorageError unless two modules of one type differ in their numbers alone."""
    first, second = vars(module), vars(again)
    for key in sorted((first.keys() | second.keys()) - _STATE):
        if key in first and key in second and _to_plain(first[key]) == _to_plain(second[key]):
            continue
        what = "a hook" if "hook" in key else f"the setting {key}"
        raise StorageError(
            f"{name_module(name)} cannot be saved with {what}, which a file cannot keep"
        )
    for key in ("_parameters", "_buffers", *(("_modules",) if type(module) in _NAMES else ())):
        added = first[key].keys() ^ second[key].keys()
        if added:
            raise StorageError(
                f"{name_module(name)} cannot be saved with {', '.join(sorted(added))}, which is no part "
                f"of a plain {type(module).__name__}"
            )
    for key, expected in again._parameters.items():
        parameter = module._parameters[key]
        if (parameter is None) != (expected is None):
            raise StorageError(f"{name_module(name)} cannot be saved: its {key} is missing")
        if parameter is not None and expected is not None and parameter.shape != expected.shape:
            raise StorageError(
                f"{name_module(name)} cannot be saved: its {key} has the shape {tuple(parameter.shape)}, "
                f"its settings say {tuple(expected.shape)}"
            )


def check_unshared(network: nn.Module) -> None:
    """Raise StorageError where one weight, or a layer that has one, stands at two places."""
    for first, second in find_shared_places(network):
        raise StorageError(
            f"{first} and {second} are one and the same: a file would keep them as two; "
            "give each place a copy of its own first"
        )


def build(line: dict[str, Any], bias: bool) -> Any:
    """The layer of a description, on the meta device: it has shapes, and no numbers yet.

    Raises ValueError, TypeError, KeyError or RuntimeError for a description that is none.
    """
    kind = next(iter(line))
    layer_kind, settings = _KINDS[kind], line.get("settings", {})
    if set(settings) - set(layer_kind.otherwise):
        raise ValueError("settings")
    arguments = [line[kind]] if kind == "unflatten" else line[kind]
    if len(arguments) != len(layer_kind.always):
        raise ValueError("arguments")
    given = {
        setting: _freeze(value)
        for setting, value in (
            dict(zip(layer_kind.always, arguments, strict=True)) | settings
        ).items()
    }
    if kind == "unflatten":
        given = {"dim": 1} | given
    if layer_kind.layer in COMPRESSIBLE:
        sizes = [given[setting] for setting in layer_kind.always[:3] if setting in given]
        if any(n < 0 for size in sizes for n in (size if isinstance(size, tuple) else (size,))):
            raise ValueError("sizes")
        given["bias"] = bias
        return build_empty(layer_kind.layer, **given)
    return layer_kind.layer(**given)


def is_compressible(line: dict[str, Any]) -> bool:
    """Whether a description is that of a layer with a weight."""
    return _KINDS[next(iter(line))].layer in COMPRESSIBLE


def _to_plain(value: Any) -> Any:
    """A setting as JSON gives it back; what JSON has no form for equals nothing, itself included."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, np.integer):
        return int(value)
    if isinstance(value, (tuple, list)):
        return [_to_plain(part) for part in value]
    if isinstance(value, (dict, set)) and not value:
        return {}
    return float("nan")


def _freeze(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(map(_freeze, value))
    if value is not None and not isinstance(value, (bool, int, str)):
        raise TypeError("setting")
    return value


def check_fit(network: nn.Module) -> None:
    """Raise StorageError where a layer cannot take what the one before it gives."""
    _follow(network, "", None)
    first: Any = network
    while isinstance(first, CONTAINERS):
        first = next(first.children(), None)
    if not isinstance(first, nn.Unflatten) or first.dim != 1:
        return
    # All shapes follow from the input's: run the network on the meta device.
    meta = {
        name: torch.empty(tensor.shape, device="meta")
        for name, tensor in network.named_parameters()
    }
    try:
        sample = torch.empty(2, prod(first.unflattened_size), device="meta")
        with torch.no_grad():
            torch.func.functional_call(network, meta, (sample,))
    except (RuntimeError, ValueError, IndexError, TypeError) as error:
        raise StorageError(
            f"the layers of this network do not fit each other: samples of "
            f"{tuple(first.unflattened_size)} do not pass through it"
        ) from error


_Width = tuple[str, int] | None
"""What is known of a layer's outputs: the axis that has been counted, and how long it is."""


def _follow(module: nn.Module, name: str, width: _Width) -> _Width:
    if isinstance(module, LowRankPlusSparseLayer):
        ends = [
            _follow(part, f"{name}.{child}", width)
            for child, part in module._modules.items()
            if part
        ]
        if None not in ends and len(set(ends)) > 1:
            raise StorageError(f"{name_module(name)}: its two parts do not fit each other")
        return ends[0]
    if isinstance(module, nn.Sequential):
        for child, part in module._modules.items():
            if part is not None:
                width = _follow(part, f"{name}.{child}".lstrip("."), width)
        return width
    if isinstance(module, nn.Linear):
        takes = ("features", module.in_features)
        gives = ("features", module.out_features)
    elif isinstance(module, (nn.Conv1d, nn.Conv2d)):
        takes = ("channels", module.in_channels)
        gives = ("channels", module.out_channels)
    elif isinstance(module, nn.ReLU):
        return width
    elif isinstance(module, nn.MaxPool2d):
        return width if width is not None and width[0] == "channels" else None
    else:
        return None
    if width is not None and width[0] == takes[0] and width != takes:
        raise StorageError(
            f"{name_module(name)} takes {takes[1]} {takes[0]} and is given {width[1]}: the layers of "
            "this network do not fit each other"
        )
    return gives
