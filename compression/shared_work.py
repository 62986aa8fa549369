"""Work that several computations have in common: done once, kept while there is room.

Nothing is kept unless a caller opens :func:`share_work`. A result is known by the content of all
that it depends on, so that nobody is handed another problem's.
"""

from __future__ import annotations

import hashlib
import math
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from types import ModuleType
from typing import Any, TypeVar

import numpy as np
import pandas as pd

R = TypeVar("R")


class SharedWork:
    """Results by their key; with too many bytes, those used longest ago are dropped.

    Parameters
    ----------
    most_bytes : float
        Of all results together. A larger one is handed out, and not kept.
    """

    def __init__(self, most_bytes: float = math.inf):
        self._most_bytes = most_bytes
        self._results: OrderedDict[str, tuple[Any, int]] = OrderedDict()

    @property
    def bytes(self) -> int:
        """Bytes of all kept results, each measured when it was computed."""
        return sum(size for _, size in self._results.values())

    def find(self, key: str, compute: Callable[[], R]) -> R:
        """The result of this key, computed if it is not kept."""
        if key not in self._results:
            result = compute()
            self._results[key] = result, count_bytes(result)
        self._results.move_to_end(key)
        result = self._results[key][0]
        while self.bytes > self._most_bytes:
            self._results.popitem(last=False)
        return result


_open: ContextVar[SharedWork | None] = ContextVar("shared work", default=None)


@contextmanager
def share_work(work: SharedWork | None = None) -> Iterator[None]:
    """Within, what :func:`compute_once` computes is kept in ``work``; None: until the end of this.

    Within another one of these the outer one's work is shared.
    """
    if _open.get() is not None:
        yield
        return
    token = _open.set(SharedWork() if work is None else work)
    try:
        yield
    finally:
        _open.reset(token)


def compute_once(depends_on: tuple[Any, ...], compute: Callable[[], R]) -> R:
    """What ``compute`` gives, or gave before on the same content where work is shared.

    Parameters
    ----------
    depends_on : tuple
        What is computed, in a word, and all that it depends on: arrays, bytes, and values whose
        ``repr`` says all of them.
    compute : callable
        Without arguments. What it returns is changed by nobody, and does not grow.
    """
    work = _open.get()
    return compute() if work is None else work.find(_identify(depends_on), compute)


def count_bytes(result: Any) -> int:
    """Bytes of the arrays, tensors and files that an object holds, also in functions of its own."""
    total, ahead, seen = 0, [result], set()
    while ahead:
        each = ahead.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        if isinstance(each, bytes):
            total += len(each)
        elif isinstance(size := getattr(each, "nbytes", None), int):
            base = getattr(each, "base", None)  # an array that this one is a part of
            total += size if base is None else getattr(base, "nbytes", size)
        else:
            ahead += _list_parts(each)
    return total


def _list_parts(thing: Any) -> list[Any]:
    """What an object holds: its items, attributes, and what its function has at hand."""
    if isinstance(thing, Mapping):
        return [*thing.values()]
    if isinstance(thing, (list, tuple)):
        return [*thing]
    if isinstance(thing, (type, ModuleType)):
        return []
    if isinstance(thing, pd.DataFrame):
        return [thing[column].to_numpy() for column in thing]
    cells = getattr(thing, "__closure__", None) or ()
    parts = [cell.cell_contents for cell in cells]
    if isinstance(thing, partial):
        parts += [thing.func, thing.args, thing.keywords]
    parts.append(getattr(thing, "__self__", None))  # a bound method's
    return [*parts, *getattr(thing, "__dict__", {}).values()]


def _identify(values: tuple[Any, ...]) -> str:
    digest = hashlib.sha256()
    for value in values:
        if isinstance(value, np.ndarray):
            digest.update(f"array {value.dtype} {value.shape}\0".encode())
            digest.update(np.ascontiguousarray(value).data)
        elif isinstance(value, bytes):
            digest.update(f"bytes {len(value)}\0".encode())
            digest.update(value)
        else:
            digest.update(f"{value!r}\0".encode())
    return digest.hexdigest()
