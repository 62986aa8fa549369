"""How a model reads its input, found by trying: scaling, layout, and the order of the classes.

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
from ..evaluation import wilson
from ..report import Report, keep_going
from .child import CHILD
from .limits import RUN_CPU_SECONDS

AS_IS, UNIT, BYTES, SYMMETRIC = "as is", "0 … 1", "0 … 255", "−1 … 1"
STANDARDISED, IMAGENET = "standardised", "ImageNet's means and deviations"
ROWS = 256  # of the validation part
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_CLEARLY = 0.2  # of accuracy that another order of classes must gain to be named


class Data(Protocol):
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


@dataclass(frozen=True)
class Reading:
    """One way to hand samples to a graph."""

    scaling: str
    layout: str

    @property
    def title(self) -> str:
        return f"{self.scaling}, {self.layout}"


@dataclass(frozen=True, eq=False)
class Judged:
    """What the readings give on validation rows.

    Attributes
    ----------
    table : DataFrame
        A row a reading, the best first: reading, accuracy, low, high (95 %), reordered (accuracy
        with the best order of classes).
    readings : tuple of Reading
        Of each row.
    majority : float
        Share of the largest class among these rows.
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
        """Whether a reading's whole interval lies above the largest class."""
        line = self.table.iloc[place]
        low = wilson(line["reordered"] * self.rows, self.rows).low if self.order else line["low"]
        return bool(low > self.majority)


def run_graph(content: bytes, x: NDArray) -> NDArray[np.float64]:
    """First floating output of an ONNX graph with one input, in the child process.

    Raises
    ------
    CompressionError
        The graph takes other inputs, or running it failed.
    """
    plain = np.ascontiguousarray(x, dtype=np.float32)
    files = {"graph": content, "x": plain.tobytes()}
    values, answer = CHILD.ask(
        "predict", files, cpu_seconds=RUN_CPU_SECONDS, shape=list(plain.shape)
    )
    return np.frombuffer(answer["y"], np.float64).reshape(values["shape"])


def possible_readings(shape: Sequence[Any], dataset: Data) -> list[Reading]:
    """Readings whose shape fits that of a graph's input, at most 12."""
    layouts = [
        layout
        for layout, own in _layouts(dataset.input_shape).items()
        if len(shape) == len(own) + 1
        and all(
            not isinstance(axis, int) or axis < 1 or axis == length
            for axis, length in zip(shape[1:], own, strict=True)
        )
    ]
    scalings = [AS_IS, STANDARDISED]
    if len(dataset.input_shape) == 3:
        low, high = _ends(dataset)
        unit = low >= 0 and high <= 1
        scalings = [AS_IS, BYTES if unit else UNIT, SYMMETRIC, STANDARDISED, IMAGENET]
    return [Reading(scaling, layout) for layout in layouts for scaling in scalings][:12]


def prepare(dataset: Data, x: NDArray, reading: Reading) -> NDArray[np.float32]:
    """Standardised rows as a reading hands them to a graph."""
    raw = x.astype(np.float64) * dataset.scale + dataset.mean
    low, high = _ends(dataset)
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
    shape = _layouts(dataset.input_shape)[reading.layout]
    if reading.layout in ("NHWC", "NLC"):
        images = np.moveaxis(images, 1, -1)
    return images.reshape(len(x), *shape).astype(np.float32)


def judge_readings(content: bytes, dataset: Data, report: Report = keep_going) -> Judged:
    """Every possible reading on up to 256 validation rows, the best first.

    Raises
    ------
    NotApplicableError
        The graph has other inputs or outputs than this dataset has features and classes.
    """
    if dataset.task != "classification":
        raise NotApplicableError(
            "readings are judged by accuracy, and this dataset has a number to predict: choose one "
            "with classes"
        )
    inputs = CHILD.ask("inputs", {"graph": content})[0]["inputs"]
    if len(inputs) != 1:
        raise NotApplicableError(f"the graph takes {len(inputs)} inputs, and samples are one")
    readings = possible_readings(inputs[0]["shape"], dataset)
    if not readings:
        wanted = " × ".join(str(axis) for axis in inputs[0]["shape"])
        own = " × ".join(map(str, dataset.input_shape))
        raise NotApplicableError(
            f"the graph takes inputs of shape {wanted}, and the samples are {own}: choose another "
            "dataset"
        )
    rows = dataset.validation_rows[:: max(1, len(dataset.validation_rows) // ROWS)][:ROWS]
    x, y = dataset.x_train[rows], dataset.y_train[rows]
    classes = len(dataset.class_names)
    lines = []
    for place, reading in enumerate(readings):
        outputs = run_graph(content, prepare(dataset, x, reading)).reshape(len(y), -1)
        lines.append((reading, *_judge(outputs, y, classes)))
        if not report(place + 1, len(readings), None):
            break
    lines.sort(key=lambda line: -max(line[1], line[2]))
    accuracy, reordered, order = lines[0][1:]
    table = pd.DataFrame(
        [
            {
                "reading": reading.title,
                "accuracy": score,
                "low": wilson(score * len(y), len(y)).low,
                "high": wilson(score * len(y), len(y)).high,
                "reordered": other,
            }
            for reading, score, other, _ in lines
        ]
    )
    majority = float(np.bincount(y, minlength=classes).max() / len(y))
    found = order if reordered - accuracy > _CLEARLY else None
    return Judged(table, tuple(line[0] for line in lines), majority, found, len(y))


def predict_classes(outputs: NDArray, order: Sequence[int] | None) -> NDArray[np.int64]:
    """Classes of a classifier's outputs; one output is the odds of the second class."""
    outputs = outputs.reshape(len(outputs), -1)
    if outputs.shape[1] == 1:
        column = outputs[:, 0]
        limit = 0.5 if column.min() >= 0 and column.max() <= 1 else 0.0
        found = (column > limit).astype(np.int64)
    else:
        found = outputs.argmax(axis=1)
    return found if order is None else np.asarray(order)[found]


def _judge(outputs: NDArray, y: NDArray, classes: int) -> tuple[float, float, tuple[int, ...]]:
    """Accuracy, accuracy with the best order of classes, and that order."""
    if outputs.shape[1] != classes and not (outputs.shape[1] == 1 and classes == 2):
        raise NotApplicableError(
            f"the graph gives {outputs.shape[1]} outputs, and the dataset has {classes} classes: "
            "choose another dataset"
        )
    found = predict_classes(outputs, None)
    counts = np.zeros((classes, classes))
    np.add.at(counts, (found, y), 1)
    _, order = linear_sum_assignment(-counts)
    best = counts[np.arange(classes), order].sum() / len(y)
    return float((found == y).mean()), float(best), tuple(int(place) for place in order)


def _layouts(shape: tuple[int, ...]) -> Mapping[str, tuple[int, ...]]:
    flat = {"flat": (int(np.prod(shape)),)}
    if len(shape) == 2:
        return flat | {"NCL": shape, "NLC": (shape[1], shape[0])}
    if len(shape) == 3:
        layouts = {"NCHW": shape, "NHWC": (*shape[1:], shape[0])}
        return flat | layouts | ({"NHW": shape[1:]} if shape[0] == 1 else {})
    return flat


def _ends(dataset: Data) -> tuple[float, float]:
    """Smallest and largest raw value of the rows that may be learned from."""
    x = dataset.x_train[dataset.fit_rows] * dataset.scale + dataset.mean
    return float(x.min().round(6)), float(x.max().round(6))


def spread_rows(count: int, most: int) -> Iterator[int]:
    """Up to ``most`` places among ``count``, both ends among them."""
    yield from np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(int)).tolist()
