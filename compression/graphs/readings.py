"""How a model reads its input, found by trying: scaling, layout, and what its answers mean.

What a graph does not say decides whether it answers at all. Each reading that fits its input is
judged on validation rows beside the largest class; nothing is guessed from names.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from ..errors import NotApplicableError
from ..evaluation import Comparison, score, wilson
from ..report import Report, keep_going
from .child import CHILD, run_graph

AS_IS, UNIT, BYTES, SYMMETRIC = "as is", "0 … 1", "0 … 255", "−1 … 1"
STANDARDISED, IMAGENET = "standardised", "ImageNet's means and deviations"
OWN_UNIT, STANDARD_UNIT = "answers in the target's unit", "standardised answers"
ROWS = 256  # of the validation part
CALIBRATION_ROWS = 1024  # of the fit part
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_CLEARLY = 0.2  # gain of accuracy from which another order of classes is named


class ScaledDataset(Protocol):
    """A split dataset: see ``data.Dataset``."""

    task: str
    x_train: NDArray
    y_train: NDArray
    fit_rows: NDArray
    validation_rows: NDArray
    class_names: tuple[str, ...]
    input_shape: tuple[int, ...]
    mean: NDArray
    scale: NDArray
    target_mean: float
    target_scale: float


@dataclass(frozen=True)
class Reading:
    """One way to hand samples to a graph, and to take a number that it answers."""

    scaling: str
    layout: str
    answer: str = ""

    @property
    def title(self) -> str:
        return ", ".join(part for part in (self.scaling, self.layout, self.answer) if part)


@dataclass(frozen=True, eq=False)
class JudgedReadings:
    """What the readings give on validation rows.

    Attributes
    ----------
    table : DataFrame
        A row a reading, the best first: reading, score (accuracy or R²), low, high (95 %),
        reordered (accuracy with the best order of classes).
    readings : tuple of Reading
        Of each row.
    majority : float
        Score of always the same answer: share of the largest class among these rows, or 0.
    order : tuple of int or None
        Of the best reading: output -> class, where the classes clearly stand in another order.
    rows : int
    """

    table: pd.DataFrame
    readings: tuple[Reading, ...]
    majority: float
    order: tuple[int, ...] | None
    rows: int

    def beats_majority(self, place: int = 0) -> bool:
        """Whether a reading's whole interval lies above always the same answer."""
        line = self.table.iloc[place]
        low = wilson(line["reordered"] * self.rows, self.rows).low if self.order else line["low"]
        return bool(low > self.majority)


def list_readings(shape: Sequence[Any], dataset: ScaledDataset) -> list[Reading]:
    """Readings whose shape fits that of a graph's input, at most 12."""
    layouts = [
        layout
        for layout, axes in _list_layouts(dataset.input_shape).items()
        if len(shape) == len(axes) + 1
        and all(
            not isinstance(axis, int) or axis < 1 or axis == length
            for axis, length in zip(shape[1:], axes, strict=True)
        )
    ]
    scalings = [AS_IS, STANDARDISED]
    if len(dataset.input_shape) == 3:
        low, high = _find_extremes(dataset)
        unit = low >= 0 and high <= 1
        scalings = [AS_IS, BYTES if unit else UNIT, SYMMETRIC, STANDARDISED, IMAGENET]
    return [Reading(scaling, layout) for layout in layouts for scaling in scalings][:12]


def prepare(dataset: ScaledDataset, x: NDArray, reading: Reading) -> NDArray[np.float32]:
    """Standardised rows as a reading hands them to a graph."""
    raw = x.astype(np.float64) * dataset.scale + dataset.mean
    low, high = _find_extremes(dataset)
    unit = raw / (255.0 if 1 < high <= 255 else max(high, 1.0 if low >= 0 else abs(low), 1e-12))
    images = unit.reshape(len(x), *dataset.input_shape)
    if reading.scaling == IMAGENET:
        channels = images.shape[1]
        means, deviations = (
            np.resize(np.array(v) if channels == 3 else np.mean(v), channels)[:, None, None]
            for v in (_MEAN, _DEVIATION)
        )
        images = (images - means) / deviations
    else:
        values = {AS_IS: raw, UNIT: unit, BYTES: 255 * unit, SYMMETRIC: 2 * unit - 1}
        images = values.get(reading.scaling, x.astype(np.float64)).reshape(images.shape)
    shape = _list_layouts(dataset.input_shape)[reading.layout]
    if reading.layout in ("NHWC", "NLC"):
        images = np.moveaxis(images, 1, -1)
    return images.reshape(len(x), *shape).astype(np.float32)


Part = tuple[NDArray[Any], NDArray[Any]]
"""Samples as a model reads them, and their targets as it answers them."""
_Line = tuple[Reading, float, float, tuple[int, ...], float, float]


def judge_readings(
    content: bytes, dataset: ScaledDataset, report: Report = keep_going
) -> JudgedReadings:
    """Every possible reading on up to 256 validation rows, the best first.

    Raises
    ------
    NotApplicableError
        The graph has other inputs or outputs than this dataset has features and targets.
    """
    inputs = CHILD.ask("inputs", {"graph": content})[0]["inputs"]
    if len(inputs) != 1:
        raise NotApplicableError(f"the graph takes {len(inputs)} inputs, and samples are one")
    readings = list_readings(inputs[0]["shape"], dataset)
    if not readings:
        wanted = " × ".join(str(axis) for axis in inputs[0]["shape"])
        given = " × ".join(map(str, dataset.input_shape))
        raise NotApplicableError(
            f"the graph takes inputs of shape {wanted}, and the samples are {given}: choose another "
            "dataset"
        )
    rows = dataset.validation_rows[:: max(1, len(dataset.validation_rows) // ROWS)][:ROWS]
    x, y = dataset.x_train[rows], dataset.y_train[rows]
    lines: list[_Line] = []
    for place, reading in enumerate(readings):
        outputs = run_graph(content, prepare(dataset, x, reading)).reshape(len(y), -1)
        if dataset.task == "classification":
            lines.append((reading, *_judge(outputs, y, len(dataset.class_names))))
        else:
            lines += _judge_numbers(outputs, y, dataset, reading)
        if not report(place + 1, len(readings), None):
            break
    lines.sort(key=lambda line: -max(line[1], line[2]))
    best, reordered, order = lines[0][1:4]
    columns = ["reading", "score", "reordered", "low", "high"]
    table = pd.DataFrame(
        [(reading.title, value, other, *ends) for reading, value, other, _, *ends in lines],
        columns=columns,
    )
    majority = 0.0
    if dataset.task == "classification":
        majority = float(np.bincount(y).max() / len(y))
    class_order = order if reordered - best > _CLEARLY else None
    return JudgedReadings(table, tuple(line[0] for line in lines), majority, class_order, len(y))


def read_answers(
    outputs: NDArray, dataset: ScaledDataset, reading: Reading, order: Sequence[int] | None
) -> NDArray:
    """What a model says of samples: classes, or numbers in the dataset's standardised unit."""
    if dataset.task == "classification":
        return predict_classes(outputs, order)
    numbers = outputs.reshape(len(outputs), -1)[:, 0]
    if reading.answer == OWN_UNIT:
        return (numbers - dataset.target_mean) / dataset.target_scale
    return numbers


def split_parts(dataset: Any, reading: Reading) -> list[Part]:
    """Fit, validation and test part as a model reads and answers them."""
    x, y = dataset.x_train, dataset.y_train
    parts = [(x[rows], y[rows]) for rows in (dataset.fit_rows, dataset.validation_rows)]
    parts.append((dataset.x_test, dataset.y_test))
    own_unit = reading.answer == OWN_UNIT
    return [
        (
            prepare(dataset, samples, reading),
            targets.astype(np.float64) * dataset.target_scale + dataset.target_mean
            if own_unit
            else targets,
        )
        for samples, targets in parts
    ]


def calibration_samples(dataset: ScaledDataset, reading: Reading) -> NDArray[np.float32]:
    """Rows of the fit part, evenly spread, as a reading hands them to a graph."""
    rows = dataset.fit_rows[list(spread_rows(len(dataset.fit_rows), CALIBRATION_ROWS))]
    return prepare(dataset, dataset.x_train[rows], reading)


def predict_classes(outputs: NDArray, order: Sequence[int] | None) -> NDArray[np.int64]:
    """Classes of a classifier's outputs; one output is the odds of the second class."""
    outputs = outputs.reshape(len(outputs), -1)
    if outputs.shape[1] == 1:
        column = outputs[:, 0]
        limit = 0.5 if column.min() >= 0 and column.max() <= 1 else 0.0
        classes = (column > limit).astype(np.int64)
    else:
        classes = outputs.argmax(axis=1)
    return classes if order is None else np.asarray(order)[classes]


def _judge(
    outputs: NDArray, y: NDArray, classes: int
) -> tuple[float, float, tuple[int, ...], float, float]:
    """Accuracy, that with the best order of classes, that order, and ends of the first."""
    if outputs.shape[1] != classes and not (outputs.shape[1] == 1 and classes == 2):
        raise NotApplicableError(
            f"the graph gives {outputs.shape[1]} outputs, and the dataset has {classes} classes: "
            "choose another dataset"
        )
    predicted = predict_classes(outputs, None)
    counts = np.zeros((classes, classes))
    np.add.at(counts, (predicted, y), 1)
    _, order = linear_sum_assignment(-counts)
    best = float(counts[np.arange(classes), order].sum() / len(y))
    right = int((predicted == y).sum())
    return right / len(y), best, tuple(int(place) for place in order), *wilson(right, len(y))


def _judge_numbers(
    outputs: NDArray, y: NDArray, dataset: ScaledDataset, reading: Reading
) -> list[_Line]:
    """R² of answers in the target's own unit, and of standardised ones, with their intervals."""
    if outputs.shape[1] != 1:
        raise NotApplicableError(
            f"the graph gives {outputs.shape[1]} outputs, and the dataset has one number to "
            "predict: choose another dataset"
        )
    lines: list[_Line] = []
    for answer in (OWN_UNIT, STANDARD_UNIT):
        way = Reading(reading.scaling, reading.layout, answer)
        predicted = read_answers(outputs, dataset, way, None)
        value = score(predicted, y, dataset.task)
        low, high = Comparison(predicted, y, dataset.task).intervals(predicted[None])
        lines.append((way, value, value, (), float(low[0]), float(high[0])))
    return lines


def _list_layouts(shape: tuple[int, ...]) -> Mapping[str, tuple[int, ...]]:
    flat = {"flat": (int(np.prod(shape)),)}
    if len(shape) == 2:
        return flat | {"NCL": shape, "NLC": (shape[1], shape[0])}
    if len(shape) == 3:
        layouts = {"NCHW": shape, "NHWC": (*shape[1:], shape[0])}
        return flat | layouts | ({"NHW": shape[1:]} if shape[0] == 1 else {})
    return flat


def _find_extremes(dataset: ScaledDataset) -> tuple[float, float]:
    """Smallest and largest raw value of the rows that may be learned from."""
    x = dataset.x_train[dataset.fit_rows] * dataset.scale + dataset.mean
    return float(x.min().round(6)), float(x.max().round(6))


def spread_rows(count: int, most: int) -> Iterator[int]:
    """Up to ``most`` places among ``count``, both ends among them."""
    yield from np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(int)).tolist()
