"""How long work tells what it has done, and learns whether to go on."""

from collections.abc import Callable
from typing import Any

# (done, total, how to get what there is so far, None while that is nothing) -> whether to go on
Report = Callable[[int, int, Any], bool]


def keep_going(done: int, total: int, partial: Callable[[], Any] | None) -> bool:
    """The report of a caller who does not watch and never stops."""
    return True
