"""Test score against size of a model in a file, judged on a dataset."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..errors import NotApplicableError
from ..evaluation import Comparison, score
from ..latency import BATCHES
from ..report import Report, far_apart_first, keep_going
from .child import run_graph, time_graphs
from .model import Model
from .onnx_rounding import BITS
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
        row (of the plan), bits (32; 8 and 4: weights rounded with a scale a channel, where the
        graph's opset has that), bytes, parameters, score, score_low, score_high, change, change_low,
        change_high: against the model as it came, on the same rows; validation_change: what a
        size may be chosen by.
    """
    judge = Judge(model, dataset, reading, order)
    places = list(spread_rows(len(ranks), points))
    rows: list[dict[str, Any]] = []

    def gather() -> pd.DataFrame:
        table = pd.DataFrame(rows)
        return table.sort_values("row", kind="stable", ignore_index=True)

    # The model as it came first: what there is so far stands beside it, and spans all sizes.
    for done, step in enumerate(far_apart_first(len(places))):
        place = places[len(places) - 1 - step]
        smaller = model.compressed(ranks[place]) if ranks[place] else model
        for bits, files in _files_of(smaller):
            rows.append({"row": place, "bits": bits, **judge.measure(smaller, files)})
        if not report(done + 1, len(places), gather):
            break
    return gather()


SAME = "yours, again"


def time_sizes(model: Model, ranks: dict[str, int], dataset: Any, reading: Reading) -> pd.DataFrame:
    """Latencies of a model as it came, of the same again, and of smaller ones, in turns.

    What lies between the first two is this machine's noise: nothing below it is told apart.

    Returns
    -------
    DataFrame
        See :func:`compression.latency.latencies`; models are "reference", ``SAME``, "8 bits",
        "4 bits", "low rank", "low rank, 8 bits", "low rank, 4 bits".
    """
    smaller = model.compressed(ranks) if ranks else model
    own = next(iter(model.to_bytes().values()))
    graphs = {"reference": own, SAME: own}
    for stem, of in (("", model), *([("low rank", smaller)] if ranks else [])):
        for bits, files in _files_of(of):
            name = ", ".join(part for part in (stem, f"{bits} bits" if bits < 32 else "") if part)
            if name:
                graphs[name] = next(iter(files.values()))
    rows = dataset.validation_rows[: max(BATCHES)]
    return pd.DataFrame(time_graphs(graphs, prepare(dataset, dataset.x_train[rows], reading)))


def _files_of(model: Model) -> Iterator[tuple[int, dict[str, bytes]]]:
    """The model's files as they are, and with weights of few bits where that is possible."""
    yield 32, model.to_bytes()
    for bits in BITS:
        try:
            yield bits, model.rounded_bytes(bits)
        except NotApplicableError:
            return


class Judge:
    """Scores of graphs on a dataset's test part, beside the model as it came."""

    def __init__(
        self, model: Model, dataset: Any, reading: Reading, order: Sequence[int] | None
    ) -> None:
        self._dataset, self._reading, self._order = dataset, reading, order
        chosen_by = dataset.validation_rows
        x = np.concatenate([dataset.x_test, dataset.x_train[chosen_by]])
        self._samples, self._tested = prepare(dataset, x, reading), len(dataset.y_test)
        self._before = self.answer(model.to_bytes())
        before = self._before[: self._tested]
        self._comparison = Comparison(before, dataset.y_test, dataset.task)

    def answer(self, files: dict[str, bytes]) -> NDArray:
        """What a graph says of the test part and then of the validation part."""
        ((_, content),) = files.items()
        outputs = run_graph(content, self._samples)
        return read_answers(outputs, self._dataset, self._reading, self._order)

    def measure(self, smaller: Model, files: dict[str, bytes]) -> dict[str, float]:
        """A row of :func:`score_curve`."""
        answers, dataset, tested = self.answer(files), self._dataset, self._tested
        found = answers[None, :tested]
        low, high = self._comparison.intervals(found)
        change, change_low, change_high = self._comparison.changes(found)
        y = dataset.y_train[dataset.validation_rows]
        return {
            "bytes": sum(map(len, files.values())),
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
