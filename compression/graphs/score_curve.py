"""Test score against size of a model in a file, judged on a dataset."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from ..evaluation import wilson
from ..intervals import paired_change
from ..report import Report, keep_going
from .model import Model
from .readings import Reading, predict_classes, prepare, run_graph, spread_rows

POINTS = 10


def score_curve(
    model: Model,
    ranks: Sequence[dict[str, int]],
    dataset: Any,
    reading: Reading,
    order: Sequence[int] | None = None,
    points: int = POINTS,
    report: Report = keep_going,
) -> pd.DataFrame:
    """Accuracy on the test part of models of rising size; the last row is the model as it came.

    Parameters
    ----------
    model : Model
        An ONNX graph.
    ranks : sequence of dict
        Of a plan: see :class:`compression.graphs.plan.Plan`.
    dataset : Dataset
    reading : Reading
        Chosen on the validation part.
    order : sequence of int, optional
        Output -> class.
    points : int
        How many of the plan's rows are judged.

    Returns
    -------
    DataFrame
        row (of the plan), bytes, parameters, score, score_low, score_high, change, change_low,
        change_high: against the model as it came, on the same rows; validation_change: what a
        size may be chosen by.
    """
    chosen_by = dataset.validation_rows
    x = np.concatenate([dataset.x_test, dataset.x_train[chosen_by]])
    y = np.concatenate([dataset.y_test, dataset.y_train[chosen_by]])
    samples, tested = prepare(dataset, x, reading), len(dataset.y_test)

    def judge(content: bytes) -> tuple[Any, float]:
        right = predict_classes(run_graph(content, samples), order) == y
        return right[:tested], float(np.mean(right[tested:]))

    ((_, content),) = model.to_bytes().items()
    before, validation = judge(content)
    places = list(spread_rows(len(ranks), points))
    rows = []
    for done, place in enumerate(places):
        smaller = model.compressed(ranks[place]) if ranks[place] else model
        ((_, content),) = smaller.to_bytes().items()
        after, score = judge(content) if ranks[place] else (before, validation)
        change = paired_change(before, after)
        ends = wilson(int(after.sum()), tested)
        rows.append(
            {
                "row": place,
                "bytes": len(content),
                "parameters": smaller.parameters,
                "score": float(after.mean()),
                "score_low": ends.low,
                "score_high": ends.high,
                "change": float(np.mean(after) - np.mean(before)),
                "change_low": change.low,
                "change_high": change.high,
                "validation_change": score - validation,
            }
        )
        if not report(done + 1, len(places), lambda: pd.DataFrame(rows)):
            break
    return pd.DataFrame(rows)
