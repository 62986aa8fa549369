"""How long work tells what it has done, and learns whether to go on."""

from collections.abc import Callable
from typing import Any

# (done, total, a function that gives the partial result or None) -> whether to go on
Report = Callable[[int, int, Any], bool]


def keep_going(done: int, total: int, partial: Callable[[], Any] | None) -> bool:
    """The report of a caller who does not watch and never stops."""
    return True


def order_far_apart_first(count: int) -> list[int]:
    """0 ... count − 1, every 8th first, then those between them, and so on.

    In this order of rows a picture of what there is so far spans all of them.
    """
    order: dict[int, None] = {}
    for step in (8, 4, 2, 1):
        order.update(dict.fromkeys(range(0, count, step)))
    return list(order)
