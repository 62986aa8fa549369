"""How long a job will take, from what ran before."""

from collections import deque
from collections.abc import Hashable, Iterator
from statistics import median

REMEMBERED = 32  # runs of each task

Key = tuple[Hashable, ...]


class Durations:
    """Seconds that tasks took: a moving median over the runs most like the one asked for."""

    def __init__(self) -> None:
        self._runs: dict[Hashable, deque[tuple[list[Hashable], float]]] = {}

    def note(self, key: Key, seconds: float) -> None:
        """Remember a run. ``key`` is the task's name, then its arguments."""
        runs = self._runs.setdefault(key[0], deque(maxlen=REMEMBERED))
        runs.append((list(_list_leaves(key)), seconds))

    def estimate(self, key: Key) -> float | None:
        """Seconds of the median run that shares most arguments; None before the task's first."""
        leaves = list(_list_leaves(key))
        alike = [
            (sum(a == b for a, b in zip(leaves, other, strict=False)), seconds)
            for other, seconds in self._runs.get(key[0], ())
        ]
        most = max((shared for shared, _ in alike), default=0)
        return median(s for shared, s in alike if shared == most) if alike else None


def _list_leaves(value: Hashable) -> Iterator[Hashable]:
    """The values in nested tuples: a reference's dataset counts beside its seed."""
    if isinstance(value, tuple):
        for item in value:
            yield from _list_leaves(item)
    else:
        yield value
