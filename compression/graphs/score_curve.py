"""Test score against size of a model in a file, judged on a dataset."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..evaluation import Comparison, score
from ..report import Report, keep_going
from .child import run_graph
from .model import Model
from .readings import Reading, prepare, read_answers, spread_rows

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
    """Accuracy, or R², on the test part of models of rising size; the last row is the model as it came.

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
    judge = Judge(model, dataset, reading, order)
    places = list(spread_rows(len(ranks), points))
    rows = []
    for done, place in enumerate(places):
        smaller = model.compressed(ranks[place]) if ranks[place] else model
        rows.append({"row": place, **judge.measure(smaller)})
        if not report(done + 1, len(places), lambda: pd.DataFrame(rows)):
            break
    return pd.DataFrame(rows)


class Judge:
    """Scores of graphs on a dataset's test part, beside the model as it came."""

    def __init__(
        self, model: Model, dataset: Any, reading: Reading, order: Sequence[int] | None
    ) -> None:
        self._dataset, self._reading, self._order = dataset, reading, order
        chosen_by = dataset.validation_rows
        x = np.concatenate([dataset.x_test, dataset.x_train[chosen_by]])
        self._samples, self._tested = prepare(dataset, x, reading), len(dataset.y_test)
        self._before, _ = self.answer(model)
        before = self._before[: self._tested]
        self._comparison = Comparison(before, dataset.y_test, dataset.task)

    def answer(self, model: Model) -> tuple[NDArray, int]:
        """What a model says of the test part and then of the validation part; bytes of its file."""
        ((_, content),) = model.to_bytes().items()
        outputs = run_graph(content, self._samples)
        return read_answers(outputs, self._dataset, self._reading, self._order), len(content)

    def measure(self, smaller: Model) -> dict[str, float]:
        """A row of :func:`score_curve`."""
        answers, length = self.answer(smaller)
        dataset, tested = self._dataset, self._tested
        found = answers[None, :tested]
        low, high = self._comparison.intervals(found)
        change, change_low, change_high = self._comparison.changes(found)
        y = dataset.y_train[dataset.validation_rows]
        return {
            "bytes": length,
            "parameters": smaller.parameters,
            "score": score(answers[:tested], dataset.y_test, dataset.task),
            "score_low": float(low[0]),
            "score_high": float(high[0]),
            "change": float(change[0]),
            "change_low": float(change_low[0]),
            "change_high": float(change_high[0]),
            "validation_change": score(answers[tested:], y, dataset.task)
            - score(self._before[tested:], y, dataset.task),
        }
