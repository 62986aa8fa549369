"""What the page that combines works on."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Setting:
    """What is combined, and over which grid; ``epochs``: of each pair."""

    method: str
    constraint: str
    ranks: tuple[int, ...]
    bounds: tuple[float, ...]
    epochs: int
