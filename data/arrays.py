"""A person's own arrays as a dataset: rows, signals, images, and sequences of several lengths."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .argument_checks import as_array, check_kind
from .base import Dataset, Samples, prepare
from .columns import pixel_names
from .errors import DatasetError
from .obstacles import LEAST_OUTSIDE
from .roles import MOST_CLASSES
from .tables import MOST_CELLS, UNKNOWN_LICENCE, sample_rows

LAYOUTS = {
    "NF": "rows of features",
    "NCL": "signals: channels, then samples",
    "NLC": "signals: samples, then channels",
    "NHW": "images of one channel: height, width",
    "NCHW": "images: channels, height, width",
    "NHWC": "images: height, width, channels",
}
CHANNELS = (1, 3)  # numbers of channels that a last axis may hold


def from_arrays(
    x: ArrayLike,
    y: ArrayLike,
    task: str | None = None,
    class_names: Sequence[str] | None = None,
    seed: int = 0,
    *,
    layout: str | None = None,
    lengths: ArrayLike | None = None,
    tested: ArrayLike | None = None,
) -> Dataset:
    """Arrays as a dataset: split and standardised with statistics of the rows that are learnt from.

    Parameters
    ----------
    x : array_like, shape (rows, ...)
        Numbers. Pixels of 8 bits are divided by 255.
    y : array_like, shape (rows,)
        Labels of any kind, positions in ``class_names``, or numbers.
    task : str, optional
        "classification" or "regression"; None: classes for text, truth and up to 20 different
        whole numbers, with a remark where both could be meant.
    class_names : sequence of str, optional
    seed : int
        Chooses the split, 0 to 2³² − 1.
    layout : str, optional
        What the axes are, a name of ``LAYOUTS``. It has to be said where they can be two things:
        three axes, or a last axis of 1 or 3; it is never guessed.
    lengths : array_like of int, shape (rows,), optional
        Of sequences. ``x`` is then all of them behind one another, (sum of lengths, ...), and is
        padded with zeros; or (rows, longest, ...), and is zero beyond each one's length.
    tested : array_like of bool, shape (rows,), optional
        The rows of a test part that was given.

    Raises
    ------
    DatasetError
        What was seen and what to do.
    """
    values, labels = as_array("x", x), as_array("y", y)
    for name, text in (("task", task), ("layout", layout)):
        check_kind(name, text, (str, type(None)), "a name, or None")
    check_kind("class_names", class_names, (list, tuple, type(None)), "a list of names, or None")
    if values.dtype.kind not in "biuf":
        raise DatasetError(f"the inputs are of the type {values.dtype}: give numbers")
    said: list[str] = []
    if lengths is not None:
        values = _pad(values, as_array("lengths", lengths))
    layout = _check_layout(values, layout)
    values, names = _reorder(values, layout)
    if values.dtype == np.uint8 and "H" in layout:
        values = values / np.float32(255)
        said.append("Pixels of 8 bits are divided by 255.")
    if task is None:
        task, remark = _suggest_task(labels)
        said += [remark] * bool(remark)
    marks = None if tested is None else as_array("tested", tested).astype(bool)
    rows = _find_usable_rows(values, labels, marks, task)
    if len(rows) < len(values):
        said.append(
            f"{len(rows):,} of {len(values):,} rows are used, a sample with the same share of each "
            f"class: {MOST_CELLS:,} numbers are held in memory at most."
        )
        values, labels = values[rows], labels[rows]
        marks = None if marks is None else marks[rows]
    made = prepare(
        Samples(values, labels, feature_names=names, class_names=tuple(class_names or ())),
        name=f"table-{_hash(values, labels, task, layout, tuple(class_names or ()), marks)}",
        title="Own arrays",
        task=task,
        seed=seed,
        source="Given as arrays",
        licence=UNKNOWN_LICENCE,
        tested=marks,
        scaled_on="fit",
    )
    return replace(made, remarks=(*said, *made.remarks))


def list_layouts(shape: tuple[int, ...]) -> tuple[str, ...]:
    """The layouts that an array of this shape can have; of several one has to be chosen."""
    if len(shape) == 3:
        return ("NHW", "NCL", "NLC")
    if len(shape) == 4:
        return ("NCHW", "NHWC") if shape[3] in CHANNELS else ("NCHW",)
    return ("NF",) if len(shape) == 2 else ()


def _check_layout(values: NDArray[Any], layout: str | None) -> str:
    possible = list_layouts(values.shape)
    if not possible:
        raise DatasetError(
            f"the inputs have the shape {values.shape}: give (rows, features), or 3 or 4 axes for "
            "signals and images"
        )
    if layout is None and len(possible) == 1:
        return possible[0]
    fitting = [name for name in LAYOUTS if len(name) == values.ndim]
    if layout not in fitting:
        choices = "; ".join(f"{name!r} ({LAYOUTS[name]})" for name in possible)
        said = "can be read in several ways" if layout is None else f"has no layout {layout!r}"
        raise DatasetError(f"an array of the shape {values.shape} {said}: say layout={choices}")
    return layout


def _reorder(values: NDArray[Any], layout: str) -> tuple[NDArray[Any], tuple[str, ...]]:
    """The array with channels before everything else, and names where its features have places."""
    if layout in ("NLC", "NHWC"):
        values = np.moveaxis(values, -1, 1)
    elif layout == "NHW":
        values = values[:, None]
    if values.ndim == 2:
        return values, ()
    channels = values.shape[1]
    places = (
        pixel_names(*values.shape[2:])
        if values.ndim == 4
        else tuple(f"sample {n}" for n in range(1, values.shape[2] + 1))
    )
    if channels == 1:
        return values, places
    return values, tuple(f"channel {c + 1}, {place}" for c in range(channels) for place in places)


def _pad(values: NDArray[Any], lengths: NDArray[Any]) -> NDArray[Any]:
    """Sequences of several lengths as one array, zero beyond each one's end."""
    if lengths.ndim != 1 or lengths.dtype.kind not in "iu" or not len(lengths) or lengths.min() < 0:
        raise DatasetError("the lengths are no list of whole numbers from 0 on: give one a row")
    longest, total = int(lengths.max()), int(lengths.sum())
    inside = np.arange(longest) < lengths[:, None]
    if len(values) == total and len(values) != len(lengths):
        if inside.size * values[:1].size > MOST_CELLS:
            raise DatasetError(
                f"padded to the longest sequence ({longest:,}) these are "
                f"{inside.size * values[:1].size:,} numbers, more than {MOST_CELLS:,}: cut the longest"
            )
        padded = np.zeros((*inside.shape, *values.shape[1:]), values.dtype)
        padded[inside] = values
        return padded
    if len(values) == len(lengths) and values.ndim >= 2 and values.shape[1] >= longest:
        inside = np.arange(values.shape[1]) < lengths[:, None]
        return values * inside.reshape(*inside.shape, *(1,) * (values.ndim - 2)).astype(
            values.dtype
        )
    raise DatasetError(
        f"{len(lengths)} lengths that sum to {total} do not fit inputs of the shape {values.shape}: "
        "give all sequences behind one another, or a row for each, padded"
    )


def _suggest_task(labels: NDArray[Any]) -> tuple[str, str]:
    """The likelier reading of a target, and the other one where it has two."""
    if labels.dtype.kind not in "iuf":
        return "classification", ""
    different = len(np.unique(labels))
    if labels.dtype.kind == "f" and not (labels == np.rint(labels)).all():
        return "regression", ""
    task = "classification" if different <= MOST_CLASSES else "regression"
    return task, (
        f"The target holds {different} different whole numbers and is read for {task}; they could "
        "be classes or amounts."
    )


def _find_usable_rows(
    values: NDArray[Any], labels: NDArray[Any], marks: NDArray[np.bool_] | None, task: str
) -> NDArray[np.int64]:
    if len(labels) != len(values):
        raise DatasetError(
            f"there are {len(values)} rows of inputs and {len(labels)} targets: give one a row"
        )
    if marks is not None and (len(marks) != len(values) or marks.all() or not marks.any()):
        raise DatasetError(
            f"the test part marks {int(marks.sum())} of {len(values)} rows: mark some of them, and "
            "say yes or no for each"
        )
    if marks is not None:
        outside = labels[~marks]
        if task == "regression" and len(outside) < LEAST_OUTSIDE:
            raise DatasetError(
                f"there are {len(outside)} rows outside the test part: at least {LEAST_OUTSIDE} are "
                "needed, to learn from and to choose by"
            )
        if task == "classification":
            for label in np.unique(labels):
                if np.count_nonzero(outside == label) < 2:
                    raise DatasetError(
                        f"class {str(label)!r} has fewer than 2 rows outside the test part: at "
                        "least 2 are needed, to learn from and to choose by"
                    )
    most = MOST_CELLS // max(int(np.prod(values.shape[1:])), 1)
    rows = np.arange(len(values))
    if len(rows) <= most:
        return rows
    return sample_rows(rows, most, labels if task == "classification" else None)


def _hash(*parts: Any) -> str:
    digest = blake2b(digest_size=10)
    for part in parts:
        if isinstance(part, np.ndarray) and part.dtype != object:
            digest.update(f"{part.dtype.str}{part.shape}".encode())
            digest.update(np.ascontiguousarray(part).view(np.uint8).data)
        else:
            digest.update(repr(part.tolist() if isinstance(part, np.ndarray) else part).encode())
    return digest.hexdigest()
