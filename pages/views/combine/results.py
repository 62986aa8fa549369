"""What the page that combines works on."""

from dataclasses import dataclass


@dataclass(frozen=True)
class CombinationSetting:
    """What is combined, and over which grid.

    ``epochs``: of each pair; ``warm_start``: each goes on from the next larger bound's.
    """

    method: str
    constraint: str
    ranks: tuple[int, ...]
    bounds: tuple[float, ...]
    epochs: int
    warm_start: bool = False

    @property
    def most_epochs(self) -> int:
        """Those that lie behind a rank's last bound."""
        return self.epochs * (len(self.bounds) if self.warm_start else 1)
