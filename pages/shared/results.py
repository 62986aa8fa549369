"""What crosses from a worker to a page: names, numbers, tables and arrays, and nothing of torch."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray


@dataclass(frozen=True)
class Layer:
    """A compressible layer: its name, its kind in words, and its weight's (rows, columns)."""

    name: str
    kind: str
    shape: tuple[int, int]
    break_even: int


@dataclass(frozen=True, eq=False)
class Trained:
    """A reference model, with all that a page shows of it.

    ``file`` is what ``compression.save`` would write: later jobs start from it, in any process.
    """

    dataset: str
    model: str
    seed: int
    task: str
    file: bytes
    history: pd.DataFrame
    seconds: float
    score: float
    score_low: float
    score_high: float
    parameters: int
    bytes: int
    macs: int
    layers: tuple[Layer, ...]
    structure: pd.DataFrame
    class_names: tuple[str, ...]
    target: NDArray
    predictions: NDArray
    confusion: NDArray | None
    target_name: str
    target_unit: str
    target_mean: float
    target_scale: float
    rows: dict[str, int]


@dataclass(frozen=True, eq=False)
class Traded:
    """A curve without its networks; ``files`` are the rows' model files, where they are kept."""

    knob: str
    method: str
    table: pd.DataFrame
    reference: pd.Series
    predictions: NDArray
    confusion: list[NDArray[np.int64] | None]
    spectra: dict[str, NDArray]
    files: tuple[bytes, ...] = ()


@dataclass(frozen=True, eq=False)
class Preview:
    """The first rows of a dataset and what it is."""

    table: pd.DataFrame
    images: NDArray | None
    class_counts: pd.DataFrame
    remarks: tuple[str, ...]
    rows: dict[str, int]
