"""The worker's side of the comparison: two sets of predictions in, their difference out."""

import numpy as np
import pandas as pd

from pages.shared.jobs.report import Report
from pages.shared.models.tasks import load_dataset

from .results import Difference

SHOWN = 12  # samples on which two models differ


def difference(report: Report, dataset: str, seed: int, first: bytes, second: bytes) -> Difference:
    """Hold two models against each other by their predictions on the test part.

    Parameters
    ----------
    first, second : bytes
        float64 numbers, one a test sample: classes, or standardised targets.
    """
    from compression import evaluation, paired_tests

    found = load_dataset(dataset, seed)
    classes = found.task == "classification"
    one, other = (
        np.frombuffer(answers).astype(np.int64 if classes else np.float64)
        for answers in (first, second)
    )
    target = found.y_test
    comparison = evaluation.Comparison(one, target, found.task)
    change, low, high = (float(values[0]) for values in comparison.changes(other[None]))
    test = paired_tests.mcnemar(one, other, target) if classes else None
    rows = evaluation.disagreements(one, other, found.task)
    return Difference(
        change=change,
        change_low=low,
        change_high=high,
        first_only=test.first_only if test else 0,
        second_only=test.second_only if test else 0,
        probability=test.exact if test else float("nan"),
        recalls=_recalls(one, other, found) if classes else None,
        differing=len(rows),
        samples=_samples(rows[:SHOWN], one, other, found),
        inputs=_inputs(rows[:SHOWN], found),
    )


def _recalls(one: np.ndarray, other: np.ndarray, found) -> pd.DataFrame:
    from compression import evaluation

    counts = {
        name: evaluation.confusion(predicted, found.y_test, found.classes)
        for name, predicted in (("first", one), ("second", other))
    }
    parts = ("share", "low", "high")
    recalls = {
        f"{name}_{part}": values
        for name, own in counts.items()
        for part, values in zip(parts, evaluation.recalls(own), strict=True)
    }
    samples = counts["first"].sum(axis=1)
    return pd.DataFrame({"class": list(found.class_names), "samples": samples, **recalls})


def _samples(rows: np.ndarray, one: np.ndarray, other: np.ndarray, found) -> pd.DataFrame:
    columns = {"true": found.y_test, "first": one, "second": other}
    if found.task == "classification":
        shown = {
            name: [str(found.class_names[label]) for label in values[rows]]
            for name, values in columns.items()
        }
    else:
        shown = {
            name: values[rows] * found.target_scale + found.target_mean
            for name, values in columns.items()
        }
    return pd.DataFrame({"sample": rows, **shown})


def _inputs(rows: np.ndarray, found) -> pd.DataFrame | np.ndarray:
    values = found.x_test[rows] * found.scale + found.mean
    if len(found.input_shape) > 1:
        return values.reshape(-1, *found.input_shape)[:, 0]
    return pd.DataFrame(np.round(values, 4), columns=list(found.feature_names))
