"""Test score against size of a model in a file, judged on a dataset."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..errors import NotApplicableError
from ..evaluation import Comparison, gains, score
from ..latency import BATCHES
from ..report import Report, keep_going, order_far_apart_first
from .child import run_graph, time_graphs
from .model import Model
from .onnx_rounding import BITS
from .readings import Reading, prepare, read_answers, spread_rows
from .smallest import ScoreCurve

POINTS = 10


def score_curve(
    model: Model,
    ranks: Sequence[dict[str, int]],
    judge: "GraphJudge",
    points: int = POINTS,
    report: Report = keep_going,
) -> ScoreCurve:
    """Accuracy, or R², of models of rising size.

    Parameters
    ----------
    model : Model
        An ONNX graph.
    ranks : sequence of dict
        Of a plan: see :class:`compression.graphs.plan.Plan`.
    judge : GraphJudge
    points : int
        How many of the plan's rows are judged.
    """
    places = list(spread_rows(len(ranks), points))
    rows: list[dict[str, Any]] = []
    gained: list[NDArray] = []

    def gather() -> ScoreCurve:
        order = np.argsort([row["row"] for row in rows], kind="stable")
        return ScoreCurve(pd.DataFrame([rows[i] for i in order]), np.stack(gained)[order])

    # Judge the original model first: partial results are compared with it, and span all sizes.
    for done, step in enumerate(order_far_apart_first(len(places))):
        place = places[len(places) - 1 - step]
        smaller = model.compressed(ranks[place]) if ranks[place] else model
        for bits, files in files_of(smaller):
            line, gain = judge.measure(files)
            facts = {"row": place, "bits": bits, "parameters": smaller.parameters}
            rows.append(facts | line)
            gained.append(gain)
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
    original = next(iter(model.to_bytes().values()))
    graphs = {"reference": original, SAME: original}
    for stem, of in (("", model), *([("low rank", smaller)] if ranks else [])):
        for bits, files in files_of(of):
            name = ", ".join(part for part in (stem, f"{bits} bits" if bits < 32 else "") if part)
            if name:
                graphs[name] = next(iter(files.values()))
    rows = dataset.validation_rows[: max(BATCHES)]
    return pd.DataFrame(time_graphs(graphs, prepare(dataset, dataset.x_train[rows], reading)))


def files_of(model: Model) -> Iterator[tuple[int, dict[str, bytes]]]:
    """The model's files as they are, and with weights of few bits where that is possible."""
    yield 32, model.to_bytes()
    for bits in BITS:
        try:
            yield bits, model.rounded_bytes(bits)
        except NotApplicableError:
            return


class GraphJudge:
    """Scores of graphs on test rows, beside the model as it came, and what validation rows say.

    Parameters
    ----------
    answer : callable
        The bytes of a graph -> what it says of the test rows, then of the validation rows.
    original : bytes
        Of the model as it came.
    y_test, y_validation : ndarray
    task : str
    """

    def __init__(
        self,
        answer: Callable[[bytes], NDArray],
        original: bytes,
        y_test: NDArray,
        y_validation: NDArray,
        task: str,
    ) -> None:
        self._answer, self.task = answer, task
        self._y_test, self._y_validation = y_test, y_validation
        self.original_answers = answer(original)
        self._comparison = Comparison(self.original_answers[: len(y_test)], y_test, task)

    def measure(self, files: dict[str, bytes]) -> tuple[dict[str, float], NDArray]:
        """A row of a :class:`ScoreCurve`, and its gains."""
        ((_, content),) = files.items()
        answers, tested = self._answer(content), len(self._y_test)
        test_answers = answers[None, :tested]
        low, high = self._comparison.intervals(test_answers)
        change, change_low, change_high = self._comparison.changes(test_answers)
        both = np.stack([self.original_answers[tested:], answers[tested:]])
        gain = gains(both, self._y_validation, self.task)[1]
        return {
            "bytes": len(content),
            "score": score(answers[:tested], self._y_test, self.task),
            "score_low": float(low[0]),
            "score_high": float(high[0]),
            "change": float(change[0]),
            "change_low": float(change_low[0]),
            "change_high": float(change_high[0]),
            "validation_change": float(gain.mean(dtype=np.float64)),
        }, gain


def judge_on(
    model: Model, dataset: Any, reading: Reading, order: Sequence[int] | None = None
) -> GraphJudge:
    """A judge by a dataset's test and validation part, as a model reads them.

    Parameters
    ----------
    model : Model
        As it came.
    dataset : Dataset
    reading : Reading
        Chosen on the validation part.
    order : sequence of int, optional
        Output -> class.
    """
    chosen_by = dataset.validation_rows
    samples = prepare(
        dataset, np.concatenate([dataset.x_test, dataset.x_train[chosen_by]]), reading
    )

    def answer(content: bytes) -> NDArray:
        return read_answers(run_graph(content, samples), dataset, reading, order)

    (original,) = model.to_bytes().values()
    return GraphJudge(answer, original, dataset.y_test, dataset.y_train[chosen_by], dataset.task)
