"""What no array that is handed in may be: NumPy would drop the mask, or the imaginary part."""

from typing import Any

import numpy as np

from .errors import ArgumentError


def check_plain(values: Any, title: str) -> None:
    """Raises ArgumentError for a masked array and for complex numbers; ``title`` is a plural."""
    if isinstance(values, np.ma.MaskedArray):
        raise ArgumentError(
            f"{title} are a masked array: fill in what is masked, or leave those rows out"
        )
    if np.iscomplexobj(values):
        raise ArgumentError(f"{title} are complex numbers: give real ones")
