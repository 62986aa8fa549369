"""A table's columns: are they numbers, and how they are standardised."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import DatasetError

LARGEST_VALUE = 1e30
BLOCK = 250_000  # numbers that are held in float64 at a time


def check_numbers(values: NDArray[Any], names: list[str]) -> NDArray[Any]:
    """A table of numbers in whatever type they came, (N, columns): text and objects as float64.

    Raises DatasetError at the first value that is no use.
    """
    kind = values.dtype.kind
    if kind == "c":
        raise DatasetError(f"{names[0]} holds complex numbers: give real ones")
    if kind in "mM":
        raise DatasetError(
            f"{names[0]} holds dates or times: turn them into numbers, such as days since the first one"
        )
    if kind not in "biuf":
        numbers = np.empty(values.shape)
        for i, name in enumerate(names):
            numbers[:, i] = _parse(values[:, i], name)
        values = numbers
    faults: dict[str, tuple[int, int, int]] = {}  # what is wrong -> how often, first row, column
    for start in range(0, len(values), _block(values.shape[1])):
        wide = widen(values[start : start + _block(values.shape[1])])
        for fault, bad in (
            ("missing", np.isnan(wide)),
            ("infinite", np.isinf(wide)),
            (f"beyond ±{LARGEST_VALUE:g}", np.abs(wide) > LARGEST_VALUE),
        ):
            if bad.any():
                row, column = np.argwhere(bad)[0]
                count, *first = faults.get(fault, (0, start + row, column))
                faults[fault] = count + int(bad.sum()), first[0], first[1]
    for fault, cure in (
        ("missing", "fill them in, or leave out those rows or that column"),
        ("infinite", "correct them, or leave out those rows"),
        (f"beyond ±{LARGEST_VALUE:g}", "choose a larger unit"),
    ):
        if fault in faults:
            count, row, column = faults[fault]
            raise DatasetError(
                f"{count_of(count, 'value')} {fault}, the first in {names[column]}, row {row + 1}: {cure}"
            )
    return values


def _block(length: int) -> int:
    """How many rows, or columns, of this length are widened at a time."""
    return max(2, BLOCK // length)


def widen(values: NDArray[Any]) -> NDArray[np.float64]:
    # A float128 beyond float64's range becomes infinite, and is reported as infinite.
    with np.errstate(over="ignore"):
        return values.astype(np.float64)


def standardise(
    values: NDArray[Any],
    train: NDArray[np.int64],
    test: NDArray[np.int64],
    measured: NDArray[np.int64],
    names: list[str],
) -> tuple[NDArray[np.float32], NDArray[np.float32], tuple[NDArray[Any], ...]]:
    """Both parts as float32; each column's mean, deviation and whether it is constant.

    These are of the rows ``measured``.
    A few columns at a time: the table is never held in float64 as a whole.
    """
    rows, columns = values.shape
    parts = [np.empty((len(part), columns), np.float32) for part in (train, test)]
    mean, scale, constant = np.zeros(columns), np.ones(columns), np.ones(columns, bool)
    # NumPy sums one column in another order than several: give no block one column.
    starts = range(0, max(columns - 1, 1), _block(rows))
    for start, stop in zip(starts, [*starts[1:], columns], strict=True):
        block = slice(start, stop)
        wide = widen(values[:, block])
        mean[block], scale[block], constant[block] = column_statistics(wide[measured])
        wide -= mean[block]
        wide /= scale[block]
        narrow = as_float32(wide, names[block])
        for part, kept in zip(parts, (train, test), strict=True):
            part[:, block] = narrow[kept]
    return parts[0], parts[1], (mean, scale, constant)


def _parse(column: NDArray[Any], name: str) -> NDArray[np.float64]:
    """A column of Python objects or text as float64; what is missing becomes NaN."""
    numbers = np.empty(len(column))
    for row, value in enumerate(column.tolist()):
        if is_missing(value):
            numbers[row] = np.nan
            continue
        try:
            numbers[row] = float(value)
        except OverflowError:
            numbers[row] = np.inf
        except (TypeError, ValueError):
            raise DatasetError(
                f"{name} holds {show(value)} in row {row + 1}, which is no number: "
                "turn the column into numbers, or leave it out"
            ) from None
    return numbers


def is_missing(value: Any) -> bool:
    if value is None or (isinstance(value, str) and not value.strip()):
        return True
    # NaN and NaT differ from themselves; pandas' NA refuses to be compared.
    try:
        return bool(value != value)
    except (TypeError, ValueError):
        return type(value).__name__ == "NAType"


def show(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."


def count_of(number: int, what: str) -> str:
    return f"1 {what} is" if number == 1 else f"{number} {what}s are"


def column_statistics(
    x: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Mean and standard deviation of each column, and which columns are constant.

    A constant column gets mean 0 and deviation 1: it keeps its values.
    """
    largest = np.abs(x).max(axis=0)
    # Numbers that differ by rounding alone are equal; a deviation below 1e-150 has no square.
    spread = x.max(axis=0) - x.min(axis=0)
    constant = (spread <= 8 * np.finfo(np.float64).eps * largest) | (spread < 1e-150)
    mean = np.where(constant, 0.0, x.mean(axis=0))
    scale = np.where(constant, 1.0, x.std(axis=0))
    return mean, scale, constant


def as_float32(values: NDArray[np.float64], names: list[str]) -> NDArray[np.float32]:
    """Standardised columns as float32; raises DatasetError where they do not fit."""
    with np.errstate(over="ignore"):
        narrow = values.astype(np.float32)
    lost = np.flatnonzero(~np.isfinite(narrow).all(axis=0))
    if len(lost):
        raise DatasetError(
            f"{names[lost[0]]} differs too much between the rows that are learnt from and the rest: "
            "take its logarithm, or leave it out"
        )
    return narrow


def pixel_names(height: int, width: int) -> tuple[str, ...]:
    """Feature names of a flat image, in the order of its values."""
    return tuple(
        f"row {row}, column {column}"
        for row in range(1, height + 1)
        for column in range(1, width + 1)
    )
