"""Arguments of the wrong kind end in a sentence, and not in what NumPy or torch say of them.

``check_arguments`` reads what a public function's annotations promise. It judges kinds only, that
a count is a whole number or a table a DataFrame. What else a value must be the function knows,
whose own sentence says more: so it is called first, and a bug in it stays an error of its own.
"""

import collections.abc
import inspect
import math
import numbers
import types
import typing
from collections.abc import Callable
from functools import cache, wraps
from typing import Any, ParamSpec, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from .errors import ArgumentError, CompressionError

P = ParamSpec("P")
R = TypeVar("R")

LONGEST_REPR = 40  # characters of a value that a sentence repeats
TITLES = {
    int: "a whole number",
    float: "a number",
    str: "a name",
    bool: "True or False",
    np.ndarray: "an array of numbers",
    type(None): "None",
    "DatasetLike": "a dataset",
    "ModelWithHead": "a model (read_model or read_module gives one)",
    "JudgedCurve": "a curve",
    "BaselineMethod": "a method",
    "CombinedMethod": "a method",
    "ConstrainedMethod": "a method",
    "Module": "a network",
    "Sequential": "a network",
    "Subject": "a model (read_model or read_module gives one)",
    "DataFrame": "a table (a pandas DataFrame)",
    "Series": "a row of a table (a pandas Series)",
    "PathLike": "a path",
}


def check_arguments(function: Callable[P, R]) -> Callable[P, R]:
    """Let a function raise ArgumentError where it failed over an argument of the wrong kind."""
    signature = inspect.signature(function)

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except CompressionError:
            raise
        except Exception as error:
            hints = _read_hints(function)
            for name, value in signature.bind(*args, **kwargs).arguments.items():
                if name in hints and not _fits(value, hints[name]):
                    raise ArgumentError(
                        f"{name} is {_describe(value)}: give {_name_kind(hints[name])}"
                    ) from error
            raise

    return call


@cache
def _read_hints(function: Callable) -> dict[str, Any]:
    import pandas as pd
    from torch import nn

    from . import Curve  # and names that modules import for their annotations alone

    return typing.get_type_hints(function, localns={"nn": nn, "pd": pd, "Curve": Curve})


def _fits(value: Any, hint: Any) -> bool:
    origin, inner = typing.get_origin(hint) or hint, typing.get_args(hint)
    if hint is Any or isinstance(hint, TypeVar):
        return True
    if hint == ArrayLike or origin is np.ndarray:
        return _is_array(value)
    if origin in (typing.Union, types.UnionType):
        return any(_fits(value, each) for each in inner)
    if hint in (int, float, bool):
        return _is_number(value, hint)
    if origin is collections.abc.Callable:
        return callable(value)
    if origin is tuple:
        return (
            isinstance(value, tuple) and len(value) == len(inner) and all(map(_fits, value, inner))
        )
    if inner and issubclass(origin, collections.abc.Mapping):
        return isinstance(value, collections.abc.Mapping) and all(
            _fits(key, inner[0]) and _fits(item, inner[1]) for key, item in value.items()
        )
    if inner and issubclass(origin, collections.abc.Iterable):
        ordered = issubclass(origin, collections.abc.Sequence)
        return _is_series_of(value, inner[0]) and (
            not ordered or isinstance(value, (collections.abc.Sequence, np.ndarray))
        )
    if getattr(hint, "_is_protocol", False):
        names = {*getattr(hint, "__annotations__", ()), *vars(hint)}
        return all(hasattr(value, name) for name in names if not name.startswith("_"))
    return isinstance(value, origin)


def _is_number(value: Any, kind: type) -> bool:
    if isinstance(value, (bool, np.bool_)) or kind is bool:
        return kind is bool and isinstance(value, (bool, np.bool_))
    if kind is int:
        return isinstance(value, numbers.Integral)
    return isinstance(value, numbers.Real) and not (
        isinstance(value, (float, np.floating)) and math.isnan(value)
    )


def _is_array(value: Any) -> bool:
    if value is None or isinstance(value, (str, bytes, collections.abc.Mapping)):
        return False
    try:
        array = np.asarray(value)
    except Exception:  # foreign types raise anything, torch of bfloat16 for one
        return False
    return array.ndim > 0 and array.dtype.kind != "O"


def _is_series_of(value: Any, kind: Any) -> bool:
    """What is read but once, such as a generator, is taken as it is."""
    if isinstance(value, (str, bytes, collections.abc.Mapping)):
        return False
    if isinstance(value, collections.abc.Iterator):
        return True
    try:
        items = list(value)
    except TypeError:  # it is no iterable, or an array without dimensions
        return False
    return all(_fits(item, kind) for item in items)


def _describe(value: Any) -> str:
    if isinstance(value, (numbers.Number, np.bool_, str, bytes)) or value is None:
        text = repr(value.item() if isinstance(value, np.generic) else value)
        return text if len(text) <= LONGEST_REPR else f"{text[:LONGEST_REPR]}…"
    if isinstance(value, (list, tuple)) and 0 < len(value) <= 3:
        return f"a {type(value).__name__} of {', '.join(map(_describe, value))}"
    return f"a value of type {type(value).__name__}"


def _make_plural(title: str) -> str:
    return f"{title.removeprefix('a ')}s" if title.count(" ") < 3 else f"such items: {title}"


def _name_kind(hint: Any) -> str:
    origin, inner = typing.get_origin(hint) or hint, typing.get_args(hint)
    if hint == ArrayLike:
        return TITLES[np.ndarray]
    if origin in (typing.Union, types.UnionType):
        return " or ".join(dict.fromkeys(map(_name_kind, inner)))
    name = getattr(origin, "__name__", str(origin))
    if origin is collections.abc.Callable:
        return "a function"
    if origin is tuple:
        return f"a tuple of {', '.join(map(_name_kind, inner))}"
    if inner and origin is not np.ndarray:
        if issubclass(origin, collections.abc.Mapping):
            return f"a mapping from {_name_kind(inner[0])} to {_name_kind(inner[1])}"
        return f"a list of {_make_plural(_name_kind(inner[0]))}"
    return TITLES.get(origin) or TITLES.get(name) or f"a {name}"
