"""What a dataset is, and the door that every dataset comes through.

``Samples`` are raw values as they were found; ``prepare`` looks at them, splits them and
standardises them; the ``Dataset`` that it returns can be learnt from. The catalogue's datasets
and a person's own table take the same way.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from math import prod
from numbers import Real
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .argument_checks import check_kind, check_sample_shape, read_marks
from .columns import (
    as_float32,
    check_numbers,
    column_statistics,
    count_of,
    is_missing,
    show,
    standardise,
    widen,
)
from .errors import DatasetError
from .splitting import TEST_SHARE, VALIDATION_SHARE, set_aside

TASKS = ("classification", "regression")
SMALLEST_CLASS = 3
SMALLEST_REGRESSION = 10


@dataclass(frozen=True, eq=False)
class Samples:
    """Raw values, before any check, split or scaling.

    Attributes
    ----------
    x : array_like, shape (N, features), or (N, ...) for signals and images
        Numbers, in any unit.
    y : array_like, shape (N,)
        Classes: labels of any kind, or positions in ``class_names`` where these are given.
        Regression: numbers.
    feature_names : sequence of str, optional
        Empty: the columns are numbered.
    class_names : sequence of str, optional
        Empty: the labels, as text, are the names.
    target_name, target_unit : str
        Of a regression's target.
    """

    x: ArrayLike
    y: ArrayLike
    feature_names: Sequence[str] = ()
    class_names: Sequence[str] = ()
    target_name: str = ""
    target_unit: str = ""


@dataclass(frozen=True, eq=False)
class Dataset:
    """Samples split into training and test part, standardised, with their names.

    Attributes
    ----------
    name, title : str
    task : str
        "classification" or "regression".
    x_train, x_test : ndarray of float32, shape (N, features)
        Flat for images and signals too; ``x.reshape(-1, *input_shape)`` gives them back. Each
        column has mean 0 and standard deviation 1 over the training part; a column that is
        constant there keeps its own values.
    y_train, y_test : ndarray, shape (N,)
        int64 positions in ``class_names``, or a float32 target with mean 0 and standard
        deviation 1 over the training part.
    fit_rows, validation_rows : ndarray of int64, ascending
        Rows of the training part: those to learn from, and those by which every choice (rank,
        bound, when to stop) is made. Together they are the training part.
    class_names : tuple of str
        Empty for regression.
    feature_names : tuple of str
    input_shape : tuple of int
        (features,) for tables, (channels, samples) for signals, (channels, height, width) for
        images.
    source, licence : str
    mean, scale : ndarray of float64, shape (features,)
        ``x * scale + mean`` are the values in their own units.
    target_name, target_unit : str
    target_mean, target_scale : float
        ``y * target_scale + target_mean`` is a regression's target in its own unit.
    remarks : tuple of str
        What a person should know of these values before learning from them.
    feature_units : tuple of str
        What one unit of each feature is ("one standard deviation, 12.3"); empty: a standard
        deviation of each.
    zero_one : tuple of int
        Features that are 0 or 1 and not standardised.
    groups, times : ndarray, shape (training rows,), optional
        What a further split of the training part has to respect: no group is in two parts, no
        row is learnt from that is later than one it is judged by. At most one of them.
    """

    name: str
    title: str
    task: str
    x_train: NDArray[np.float32]
    y_train: NDArray[Any]
    x_test: NDArray[np.float32]
    y_test: NDArray[Any]
    fit_rows: NDArray[np.int64]
    validation_rows: NDArray[np.int64]
    class_names: tuple[str, ...]
    feature_names: tuple[str, ...]
    input_shape: tuple[int, ...]
    source: str
    licence: str
    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    target_name: str = ""
    target_unit: str = ""
    target_mean: float = 0.0
    target_scale: float = 1.0
    remarks: tuple[str, ...] = ()
    feature_units: tuple[str, ...] = ()
    zero_one: tuple[int, ...] = ()
    groups: NDArray[Any] | None = None
    times: NDArray[Any] | None = None

    @property
    def classes(self) -> int:
        """Number of classes; 0 for regression."""
        return len(self.class_names)

    @property
    def outputs(self) -> int:
        """Numbers that a model has to predict for one sample: a logit a class, or the target."""
        return max(self.classes, 1)

    @cached_property
    def fingerprint(self) -> str:
        """Tells this split of these values from every other: a hash of the rows of each part."""
        digest = blake2b(digest_size=16)
        parts = (self.x_train, self.y_train, self.x_test, self.y_test)
        for part in (*parts, self.fit_rows, self.validation_rows):
            digest.update(f"{part.dtype.str}{part.shape}".encode())
            digest.update(np.ascontiguousarray(part).data)
        return digest.hexdigest()


def prepare(
    samples: Samples,
    *,
    name: str,
    title: str,
    task: str,
    seed: int = 0,
    input_shape: tuple[int, ...] | None = None,
    source: str = "",
    licence: str = "",
    tested: NDArray[np.bool_] | None = None,
    scaled_on: Literal["training", "fit"] = "training",
) -> Dataset:
    """Check samples, split them 80/20, set validation rows aside, and standardise.

    Parameters
    ----------
    samples : Samples
    name, title : str
    task : str
        "classification" (the parts are stratified by class) or "regression".
    seed : int
        Chooses the split, 0 to 2³² − 1.
    input_shape : tuple of int, optional
        Shape of one sample; None: that of ``samples.x``.
    source, licence : str
    tested : ndarray of bool, shape (N,), optional
        The rows of a test part that was given.
    scaled_on : str
        The rows that means and deviations are of: "training" part, or its "fit" rows only.

    Returns
    -------
    Dataset
        The same arrays for the same samples and seed.

    Raises
    ------
    DatasetError
        Nothing can be learnt from these values: the message says what was seen (no rows; text,
        missing or infinite values; one class only; too few rows of a class; ...), where, and
        what to do about it.
    """
    check_kind("samples", samples, Samples, "data.Samples(x, y)")
    tested = read_marks(tested, samples.y)
    check_kind("scaled_on", scaled_on, str, "training or fit")
    if not isinstance(task, str) or task not in TASKS:
        raise DatasetError(f"there is no task named {task!r}: choose one of {', '.join(TASKS)}")
    seed = check_seed(seed)
    table, shape = read_inputs(samples.x, input_shape)
    feature_names = _name_features(samples.feature_names, table.shape[1])
    columns = [f"column {feature!r}" for feature in feature_names]
    values = check_numbers(table, columns)
    labels = read_target(samples.y, len(values))
    y: NDArray[Any]
    target_mean, target_scale = 0.0, 1.0
    if task == "classification":
        y, class_names = read_classes(labels, tuple(map(str, samples.class_names)))
        parts = _split(len(y), seed, y, tested)
    else:
        target, class_names = read_numbers(labels)[:, 0], ()
        parts = _split(len(target), seed, None, tested)
    train, test, fit_rows, validation_rows = parts
    measured = train[np.sort(fit_rows)] if scaled_on == "fit" else train
    if task == "regression":
        y, target_mean, target_scale = standardise_target(target, measured)
    x_train, x_test, (mean, scale, constant) = standardise(values, train, test, measured, columns)
    if constant.all():
        raise DatasetError(
            "every column has one value throughout the rows that are learnt from: there is "
            "nothing to tell them apart; give columns that differ"
        )
    return Dataset(
        name=name,
        title=title,
        task=task,
        x_train=x_train,
        y_train=y[train],
        x_test=x_test,
        y_test=y[test],
        fit_rows=np.sort(fit_rows),
        validation_rows=np.sort(validation_rows),
        class_names=class_names,
        feature_names=feature_names,
        input_shape=shape,
        source=source,
        licence=licence,
        mean=mean,
        scale=scale,
        target_name=samples.target_name,
        target_unit=samples.target_unit,
        target_mean=target_mean,
        target_scale=target_scale,
        remarks=describe_oddities(len(train), constant, feature_names),
    )


def standardise_target(
    target: NDArray[np.float64], measured: NDArray[np.int64]
) -> tuple[NDArray[np.float32], float, float]:
    """A number to predict as float32, with the mean and deviation that it has over some rows."""
    mean, scale, constant = column_statistics(target[measured][:, None])
    if constant[0]:
        raise DatasetError(
            f"the target is {target[measured[0]]:g} in every row that is learnt from: there is "
            "nothing to predict; choose another column as the target, or give rows that differ"
        )
    scaled = as_float32((target[:, None] - mean) / scale, ["the target"])[:, 0]
    return scaled, float(mean[0]), float(scale[0])


def _split(
    rows: int, seed: int, y: NDArray[np.int64] | None, tested: NDArray[np.bool_] | None
) -> tuple[NDArray[np.int64], ...]:
    """Rows of the training and of the test part; positions in the training part of both its halves."""
    if tested is None:
        train, test = set_aside(rows, TEST_SHARE, seed, y)
    else:
        train, test = np.flatnonzero(~tested), np.flatnonzero(tested)
    return (
        train,
        test,
        *set_aside(len(train), VALIDATION_SHARE, seed, None if y is None else y[train]),
    )


def check_seed(seed: int) -> int:
    """The seed as an int; raises DatasetError unless it is a whole number from 0 to 2³² − 1."""
    whole = isinstance(seed, (int, np.integer)) and not isinstance(seed, bool)
    if not whole or not 0 <= seed < 2**32:
        raise DatasetError(
            f"the seed {show(seed)} cannot be used: choose a whole number from 0 to 4294967295"
        )
    return int(seed)


def _read_array(values: ArrayLike, what: str) -> NDArray[Any]:
    if isinstance(values, np.ma.MaskedArray):
        raise DatasetError(
            f"the values of {what} are a masked array: fill in what is masked, or leave those "
            "rows out"
        )
    try:
        return np.asarray(values)
    except ValueError:
        raise DatasetError(
            f"the rows of {what} differ in length: give every row the same number of values"
        ) from None


def read_inputs(
    values: ArrayLike, input_shape: tuple[int, ...] | None
) -> tuple[NDArray[Any], tuple[int, ...]]:
    """The inputs as rows and columns, and the shape of one sample."""
    x = _read_array(values, "the inputs")
    if x.ndim < 2:
        raise DatasetError(
            f"the inputs have the shape {x.shape}: give a table with one row a sample and one column a feature"
        )
    if x.shape[0] == 0:
        raise DatasetError("there are no rows: give at least a few of each class")
    if 0 in x.shape:
        raise DatasetError(
            "there are no columns to learn from: give at least one beside the target"
        )
    check_sample_shape(input_shape)
    shape = x.shape[1:] if input_shape is None else tuple(input_shape)
    features = prod(x.shape[1:])
    if not 1 <= len(shape) <= 3 or prod(shape) != features:
        raise DatasetError(
            f"samples of {features} values cannot have the shape {shape}: give (features,), "
            "(channels, samples) or (channels, height, width) with that product"
        )
    return x.reshape(len(x), features), shape


def _name_features(names: Sequence[str], columns: int) -> tuple[str, ...]:
    if not len(names):
        return tuple(f"x{i}" for i in range(1, columns + 1))
    if len(names) != columns:
        raise DatasetError(
            f"there are {len(names)} column names for {columns} columns: give one name a column"
        )
    return tuple(map(str, names))


def read_target(values: ArrayLike, rows: int) -> NDArray[Any]:
    y = _read_array(values, "the target")
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.ndim != 1:
        raise DatasetError(f"the target has the shape {y.shape}: give one value a row")
    if len(y) != rows:
        raise DatasetError(f"there are {rows} rows of inputs and {len(y)} targets: give one a row")
    return y


def read_numbers(labels: NDArray[Any]) -> NDArray[Any]:
    """A regression's target as one column; raises DatasetError where there are too few rows."""
    target = widen(check_numbers(labels[:, None], ["the target"]))
    if len(target) < SMALLEST_REGRESSION:
        raise DatasetError(
            f"there are {len(target)} rows: a regression needs at least {SMALLEST_REGRESSION} "
            "to learn from, to choose by and to test with"
        )
    return target


def read_classes(
    labels: NDArray[Any], names: tuple[str, ...]
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Labels as positions in the class names; raises DatasetError where no classifier can be learnt."""
    missing = [row for row, label in enumerate(labels.tolist()) if is_missing(label)]
    if missing:
        raise DatasetError(
            f"{count_of(len(missing), 'label')} missing, the first in row {missing[0] + 1}: "
            "fill them in, or leave out those rows"
        )
    if labels.dtype.kind == "f" and np.isinf(labels).any():
        raise DatasetError(
            f"the label in row {np.flatnonzero(np.isinf(labels))[0] + 1} is infinite: "
            "correct it, or leave out that row"
        )
    if names:
        y = _check_positions(labels, names)
    else:
        if labels.dtype.kind == "O" and not all(isinstance(label, Real) for label in labels):
            labels = np.array([str(label) for label in labels])
        values, y = np.unique(labels, return_inverse=True)
        names = tuple(_label(label) for label in values.tolist())
    counts = np.bincount(y, minlength=len(names))
    if len(names) == 1:
        raise DatasetError(
            f"every row is of the class {names[0]!r}: give rows of at least two classes"
        )
    if len(y) < len(names):
        raise DatasetError(
            f"there are {len(y)} rows for {len(names)} classes: give at least {SMALLEST_CLASS} rows a class"
        )
    small = np.flatnonzero(counts < SMALLEST_CLASS)
    if len(small):
        more = f" (and {len(small) - 1} more like it)" if len(small) > 1 else ""
        rows = {0: "no row", 1: "one row"}.get(counts[small[0]], f"{counts[small[0]]} rows")
        number = labels.dtype.kind in "iuf" and len(small) > len(names) / 2
        cure = "if the target is a number to predict, choose regression; if not, " if number else ""
        raise DatasetError(
            f"class {names[small[0]]!r} has {rows}{more}, and each class needs at least {SMALLEST_CLASS} "
            f"to learn from, to choose by and to test with: {cure}give more rows, or leave that class out"
        )
    return y.astype(np.int64), names


def _check_positions(labels: NDArray[Any], names: tuple[str, ...]) -> NDArray[np.int64]:
    """Labels that are positions in the class names already."""
    whole = labels.dtype.kind in "iu"
    outside = np.flatnonzero((labels < 0) | (labels >= len(names))) if whole else np.array([0])
    if len(outside):
        row = outside[0]
        raise DatasetError(
            f"the label {show(labels.tolist()[row])} in row {row + 1} is not the position of one of "
            f"{len(names)} class names: give whole numbers from 0 to {len(names) - 1}"
        )
    return labels.astype(np.int64)


def _label(label: Any) -> str:
    """A label as text; class 1.0 of a column that was read as floats is class 1."""
    if isinstance(label, float) and label.is_integer():
        return str(int(label))
    return str(label)


def describe_oddities(
    rows: int, constant: NDArray[np.bool_], feature_names: tuple[str, ...]
) -> tuple[str, ...]:
    remarks = []
    columns = np.flatnonzero(constant)
    if len(columns):
        which = ", ".join(repr(feature_names[column]) for column in columns[:3])
        more = ", ..." if len(columns) > 3 else ""
        remarks.append(
            f"{len(columns)} of {len(constant)} columns have one value throughout the training part "
            f"({which}{more}): they keep it, and a model learns nothing from them."
        )
    if len(constant) > rows:
        remarks.append(
            f"There are more columns ({len(constant)}) than training rows ({rows}): a model can learn "
            "the rows by heart. Trust the test score, not the training score."
        )
    return tuple(remarks)
