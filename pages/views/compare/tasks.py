"""The worker's side of the comparison: two sets of predictions in, their difference out."""

from typing import Any

import numpy as np
import pandas as pd

from pages.shared.jobs.report import Report
from pages.shared.models.tasks import load_dataset

from .results import AnswerDifference

SHOWN = 12  # samples on which two models differ


def difference(
    report: Report, dataset: str, seed: int, first: bytes, second: bytes
) -> AnswerDifference:
    """Hold two models against each other by their predictions on the test part.

    Parameters
    ----------
    first, second : bytes
        float64 numbers, one a test sample: classes, or standardised targets.
    """
    from compression import evaluation, paired_tests

    loaded = load_dataset(dataset, seed)
    classes = loaded.task == "classification"
    one, other = (
        np.frombuffer(answers).astype(np.int64 if classes else np.float64)
        for answers in (first, second)
    )
    target = loaded.y_test
    comparison = evaluation.Comparison(one, target, loaded.task)
    change, low, high = (float(values[0]) for values in comparison.changes(other[None]))
    test = paired_tests.mcnemar(one, other, target) if classes else None
    rows = evaluation.disagreements(one, other, loaded.task)
    return AnswerDifference(
        change=change,
        change_low=low,
        change_high=high,
        first_only=test.first_only if test else 0,
        second_only=test.second_only if test else 0,
        probability=test.exact if test else float("nan"),
        recalls=_tabulate_recalls(one, other, loaded) if classes else None,
        differing=len(rows),
        samples=_tabulate_samples(rows[:SHOWN], one, other, loaded),
        inputs=_restore_inputs(rows[:SHOWN], loaded),
    )


def _tabulate_recalls(one: np.ndarray, other: np.ndarray, dataset) -> pd.DataFrame:
    from compression import evaluation

    counts = {
        name: evaluation.confusion(predicted, dataset.y_test, dataset.classes)
        for name, predicted in (("first", one), ("second", other))
    }
    parts = ("share", "low", "high")
    recalls = {
        f"{name}_{part}": values
        for name, matrix in counts.items()
        for part, values in zip(parts, evaluation.recalls(matrix), strict=True)
    }
    samples = counts["first"].sum(axis=1)
    return pd.DataFrame({"class": list(dataset.class_names), "samples": samples, **recalls})


def _tabulate_samples(
    rows: np.ndarray, one: np.ndarray, other: np.ndarray, dataset
) -> pd.DataFrame:
    from data.preview import restore_target

    shown: dict[str, Any]
    columns = {"true": dataset.y_test, "first": one, "second": other}
    if dataset.task == "classification":
        shown = {
            name: [str(dataset.class_names[label]) for label in values[rows]]
            for name, values in columns.items()
        }
    else:
        shown = {name: restore_target(dataset, values[rows]) for name, values in columns.items()}
    return pd.DataFrame({"sample": rows, **shown})


def _restore_inputs(rows: np.ndarray, dataset) -> pd.DataFrame | np.ndarray:
    from data.preview import restore_pictures, tabulate_inputs

    shows_pictures = len(dataset.input_shape) > 1
    return (restore_pictures if shows_pictures else tabulate_inputs)(dataset, dataset.x_test[rows])
