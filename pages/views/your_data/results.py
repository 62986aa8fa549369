"""What the page is handed: facts of a file, of its columns, and of the dataset made of it."""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True, eq=False)
class FileFacts:
    """What a file holds: ``kind`` is "table" or "arrays", ``shapes`` are the arrays'."""

    kind: str
    rows: int
    columns: int
    shapes: Mapping[str, tuple[int, ...]]
    remarks: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class DescribedTable:
    """A table's columns with their roles, and what stands in the way.

    ``columns``: column, type, role, missing, distinct, example, rule. ``readings``: task -> what
    the target is in it.
    """

    columns: pd.DataFrame
    target: str | None
    task: str
    readings: Mapping[str, str]
    obstacles: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class ReviewedDataset:
    """A dataset that was made, and what to look at before a model learns from it.

    ``name``: to load it by. ``parts``: rows of each class in each part. ``features``: each with
    what a weight's unit is per. ``majority``: test score of always the same answer.
    """

    name: str
    task: str
    parts: pd.DataFrame
    features: pd.DataFrame
    zero_one: int
    remarks: tuple[str, ...]
    warnings: tuple[str, ...]
    majority: float
    bytes: int
    seconds: float
