"""The worker's side of the page that combines: names and numbers in, plain results out."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from pages.shared.jobs.report import Report
from pages.shared.models.results import Origin
from pages.shared.models.tasks import load_reference

PackedCurve = tuple[str, tuple[float, ...], tuple[float, ...], bytes]
"""A curve as an argument: name, bytes and validation scores of its rows, their predictions."""


@dataclass(frozen=True, eq=False)
class _UnpackedCurve:
    table: pd.DataFrame
    predictions: np.ndarray


def compare_curves(
    report: Report, origin: Origin, together: PackedCurve, alone: tuple[PackedCurve, ...]
) -> pd.DataFrame:
    """The combination against each alone, as ``compare_at_equal_bytes`` tables it."""
    from compression.equal_bytes import compare_at_equal_bytes

    dataset, _ = load_reference(origin)
    target, task = dataset.y_test, dataset.task
    others = {curve[0]: _unpack_curve(curve, len(target), task) for curve in alone}
    return compare_at_equal_bytes(_unpack_curve(together, len(target), task), others, target, task)


def _unpack_curve(curve: PackedCurve, samples: int, task: str) -> _UnpackedCurve:
    _, sizes, scores, predictions = curve
    values = np.frombuffer(predictions).reshape(-1, samples)
    table = pd.DataFrame({"bytes": sizes, "validation_score": scores})
    return _UnpackedCurve(table, values.astype(np.int64) if task == "classification" else values)
