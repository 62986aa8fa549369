"""What a task calls on its way.

``report(done, total, partial, message) -> go on``: cheap enough for an inner loop. ``partial`` is
what there is so far, or a callable that makes it when it is sent. A task stops when it gets False.
"""

from collections.abc import Callable
from typing import TypeVar

Report = Callable[..., bool]
Task = TypeVar("Task", bound=Callable)
_measuring: set[Callable] = set()


def measures_time(task: Task) -> Task:
    """Mark a task whose result speaks of this moment: it is not kept beyond the process."""
    _measuring.add(task)
    return task


def is_measuring(task: Callable) -> bool:
    return task in _measuring
