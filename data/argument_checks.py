"""Arguments of the wrong kind end in a sentence, before any work begins."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import DatasetError


def check_kind(name: str, value: Any, kind: type | tuple[type, ...], title: str) -> None:
    """Raises DatasetError unless a value is of a kind; ``title`` says what would do."""
    if not isinstance(value, kind):
        raise DatasetError(f"{name} is of type {type(value).__name__}: give {title}")


def as_array(name: str, values: Any) -> NDArray[Any]:
    """Values as an array of at least one axis.

    Raises
    ------
    DatasetError
        They are a single value, rows of different lengths, or of a type that NumPy lacks.
    """
    try:
        array = np.asarray(values)
    except Exception:  # foreign types raise anything, torch of bfloat16 for one
        raise DatasetError(
            f"{name}, of type {type(values).__name__}, cannot be read as an array: give numbers, "
            "the same number of them in every row"
        ) from None
    if array.ndim == 0:
        raise DatasetError(f"{name} is of type {type(values).__name__}: give one value a row")
    return array


def check_sample_shape(shape: Any) -> None:
    """Raises DatasetError unless this is None or whole numbers in a tuple."""
    if shape is not None and not (
        isinstance(shape, (tuple, list)) and all(isinstance(length, int) for length in shape)
    ):
        raise DatasetError(
            f"the shape of a sample is of type {type(shape).__name__}: give a tuple of whole "
            "numbers, such as (channels, height, width)"
        )


def read_marks(tested: Any, y: Any) -> NDArray[np.bool_] | None:
    """Which rows are tested on, one mark a row of ``y``; None where none were given."""
    if tested is None:
        return None
    marks = as_array("tested", tested).astype(bool)
    if marks.shape != np.shape(y):
        raise DatasetError(f"tested has the shape {marks.shape}: give True or False for each row")
    if not 0 < marks.sum() < len(marks):
        raise DatasetError(
            f"tested marks {marks.sum()} of {len(marks)} rows: mark some of them, not all"
        )
    return marks
