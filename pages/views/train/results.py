"""What the training page is handed: tables and arrays."""

from dataclasses import dataclass

import pandas as pd
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Preview:
    """The first rows of a dataset and what it is.

    ``class_counts`` for classes, ``target`` (all training values, in their own unit) for a number.
    ``pictures``: images (rows, height, width) or signals (rows, samples), in the data's own units.
    """

    table: pd.DataFrame
    pictures: NDArray | None
    class_counts: pd.DataFrame | None
    target: pd.Series | None
    remarks: tuple[str, ...]
    rows: dict[str, int]
