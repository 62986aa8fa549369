"""What all sections of the low-rank page have in common."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Setting:
    """What is compressed, and how.

    Attributes
    ----------
    method : str
    layers : tuple of str
        The layers that are compressed.
    ridge : float
        σ², in squared units of a layer's inputs.
    calibration : "reference" | "sequential"
    """

    method: str
    layers: tuple[str, ...]
    ridge: float = 0.0
    calibration: str = "reference"

    @property
    def arguments(self) -> tuple[str, tuple[str, ...], float, str]:
        """What a whole network is made from, in the order in which tasks take it."""
        return self.method, self.layers, self.ridge, self.calibration
