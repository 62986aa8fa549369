"""The arguments of a job: plain values, from which equal requests are recognised."""

import hashlib
import inspect
import math
from collections.abc import Callable, Hashable
from functools import cache
from typing import Any


@cache
def _read_signature(task: Callable[..., Any]) -> inspect.Signature:
    return inspect.signature(task)


def bind(task: Callable[..., Any], args: tuple, kwargs: dict[str, Any]) -> dict[str, Any]:
    """All arguments of a task but its report, by name, defaults included, as plain values."""
    bound = _read_signature(task).bind(None, *args, **kwargs)
    bound.apply_defaults()
    _, *named = bound.arguments.items()
    return {name: normalize(name, value) for name, value in named}


def task_name(task: Callable[..., Any]) -> str:
    """ "module:function", by which a worker imports it."""
    if "." in task.__qualname__:
        raise ValueError(f"{task.__qualname__} is no function of a module: a worker cannot find it")
    return f"{task.__module__}:{task.__qualname__}"


def normalize(name: str, value: Any) -> Any:
    """An argument as plain Python values."""
    import numpy as np  # here, and not above: the title paints first

    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and math.isnan(value):
        raise ValueError(f"{name} is not a number: a job could never be found again by it")
    if value is None or isinstance(value, (bool, int, float, str, bytes)):
        return value
    if isinstance(value, (tuple, list)):
        return tuple(normalize(name, item) for item in value)
    raise TypeError(
        f"{name} is a {type(value).__name__}: a job takes names, numbers, bytes and tuples of them"
    )


def size_of_argument(value: Any) -> int:
    """Bytes that an argument holds on to."""
    if isinstance(value, tuple):
        return sum(map(size_of_argument, value))
    return len(value) if isinstance(value, (bytes, str)) else 32


def make_hashable(value: Any) -> Hashable:
    if isinstance(value, bytes):
        return "bytes", hashlib.sha256(value).digest()
    if isinstance(value, tuple):
        return tuple(make_hashable(item) for item in value)
    return value
