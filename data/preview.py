"""A dataset's rows in their own units, as people know them."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .base import Dataset

ROWS = 8  # of a table and of its pictures
DIGITS = 4  # after the point of a table's inputs


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


def preview(dataset: Dataset) -> Preview:
    """The first rows, some pictures, and how the rows are used."""
    table = tabulate_inputs(dataset, dataset.x_train[:ROWS])
    counts = values = pictures = None
    if dataset.task == "classification":
        names = dataset.class_names
        table.insert(0, "class", [names[label] for label in dataset.y_train[:ROWS]])
        parts = {"training": dataset.y_train, "test": dataset.y_test}
        counts = pd.DataFrame(
            {part: np.bincount(labels, minlength=len(names)) for part, labels in parts.items()},
            index=pd.Index(names, name="class"),
        )
    else:
        unit = f" ({dataset.target_unit})" if dataset.target_unit else ""
        name = dataset.target_name + unit
        values = pd.Series(restore_target(dataset, dataset.y_train), name=name)
        table.insert(0, name, values[:ROWS])
    if len(dataset.input_shape) > 1:
        pictures = restore_pictures(dataset, dataset.x_train[:ROWS])
    return Preview(table, pictures, counts, values, dataset.remarks, count_rows(dataset))


def count_rows(dataset: Dataset) -> dict[str, int]:
    """Part -> how many rows it has."""
    return {
        "training": len(dataset.fit_rows),
        "validation": len(dataset.validation_rows),
        "test": len(dataset.x_test),
    }


def tabulate_inputs(dataset: Dataset, x: NDArray) -> pd.DataFrame:
    """Standardised inputs, a column a feature, in the data's own units."""
    samples = x * dataset.scale + dataset.mean
    return pd.DataFrame(np.round(samples, DIGITS), columns=list(dataset.feature_names))


def restore_pictures(dataset: Dataset, x: NDArray) -> NDArray:
    """Standardised inputs as images or signals, of the first channel, in the data's own units."""
    samples = x * dataset.scale + dataset.mean
    return samples.reshape(-1, *dataset.input_shape)[:, 0]


def restore_target(dataset: Dataset, values: NDArray) -> NDArray:
    """Standardised targets in their own unit."""
    return values * dataset.target_scale + dataset.target_mean
