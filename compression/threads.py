"""One thread for small products.

A product of a few hundred numbers takes longer to share between threads than to compute; and
where a neighbour keeps a core busy, each of them waits until that core is free again.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache, wraps
from typing import ParamSpec, TypeVar

from threadpoolctl import ThreadpoolController

P = ParamSpec("P")
R = TypeVar("R")


# Libraries that bring thread pools of their own once they are loaded.
OWNERS = ("numpy", "scipy.linalg", "sklearn", "torch")


@lru_cache
def _find_pools(loaded: tuple[bool, ...]) -> ThreadpoolController:
    """Of everybody who is loaded. Finding them takes 3 ms."""
    return ThreadpoolController()


@contextmanager
def one_thread() -> Iterator[None]:
    """BLAS and torch use one thread within; what the calling thread had is restored after."""
    pools = _find_pools(tuple(owner in sys.modules for owner in OWNERS))
    with pools.limit(limits=1):
        yield


def in_one_thread(function: Callable[P, R]) -> Callable[P, R]:
    """The function, run in one thread: for what is called from outside."""

    @wraps(function)
    def run(*arguments: P.args, **named: P.kwargs) -> R:
        with one_thread():
            return function(*arguments, **named)

    return run
