"""One value a sample, by which models of the same weights at other ranks are compared.

A judge takes the outputs of the model as it came and those with ranks in place, both (rows, ...),
and gives an array of shape (rows,).
"""

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from ..argument_checks import check_arguments
from ..errors import ArgumentError
from ..report import Report, keep_going
from .model import Ranks
from .spectra import Array
from .weights import Weight

Judge = Callable[[NDArray, NDArray], NDArray]
R = TypeVar("R")


class Subject(Protocol):
    """What can be judged without surgery: it lists its weights and runs with some replaced."""

    weights: tuple[Weight, ...]

    def matrix(self, layer: str) -> Array: ...

    def outputs(self, x: NDArray, ranks: Ranks | None = None) -> NDArray: ...


def faithfulness(before: NDArray, after: NDArray) -> NDArray[np.float64]:
    """1 − ‖y − ŷ‖ / ‖y‖ of each sample: 1 where nothing changed; needs no labels."""
    y, other = before.reshape(len(before), -1), after.reshape(len(after), -1)
    norms = np.maximum(np.linalg.norm(y, axis=1), np.finfo(np.float64).tiny)
    return 1 - np.linalg.norm(y - other, axis=1) / norms


def agreement(before: NDArray, after: NDArray) -> NDArray[np.float64]:
    """Whether the largest output of each sample stands at the same place."""
    y, other = before.reshape(len(before), -1), after.reshape(len(after), -1)
    return (y.argmax(axis=1) == other.argmax(axis=1)).astype(np.float64)


def cosine(before: NDArray, after: NDArray) -> NDArray[np.float64]:
    """Cosine of the angle between the outputs of each sample: for embeddings, which are compared
    by direction alone; needs no labels, and is 0 where an output vanishes."""
    y, other = before.reshape(len(before), -1), after.reshape(len(after), -1)
    norms = np.linalg.norm(y, axis=1) * np.linalg.norm(other, axis=1)
    products = np.einsum("ij,ij->i", y, other)
    return np.asarray(np.divide(products, norms, out=np.zeros(len(y)), where=norms > 0))


def accuracy(labels: ArrayLike) -> Judge:
    """Whether the largest output of each sample is its label."""
    target = np.asarray(labels)

    def judge(before: NDArray, after: NDArray) -> NDArray[np.float64]:
        _check_rows(after, target)
        return (after.reshape(len(after), -1).argmax(axis=1) == target).astype(np.float64)

    return judge


def squared_error(target: ArrayLike) -> Judge:
    """−(ŷ − t)² of each sample, so that more is better as for every judge."""
    wanted = np.asarray(target, dtype=np.float64)

    def judge(before: NDArray, after: NDArray) -> NDArray[np.float64]:
        _check_rows(after, wanted)
        difference = after.reshape(len(after), -1) - wanted.reshape(len(wanted), -1)
        return -np.mean(difference**2, axis=1)

    return judge


@check_arguments
def judge_ranks(
    subject: Subject,
    x: NDArray,
    ranks: Sequence[Ranks],
    judge: Judge = faithfulness,
    report: Report = keep_going,
) -> pd.DataFrame:
    """A subject with each choice of ranks, judged on the same samples.

    Parameters
    ----------
    subject : Subject
        For example :func:`compression.read_module`.
    x : ndarray, shape (rows, ...)
    ranks : sequence of mappings
        Layer -> rank; what is left out stays as it is.
    judge : callable
        :func:`faithfulness` or :func:`cosine` (of embeddings; both without labels),
        :func:`agreement`, ``accuracy(labels)``, ``squared_error(target)`` or one's own function.

    Returns
    -------
    DataFrame
        A row a choice: parameters (of all weights), value (mean over samples), low, high (95 %
        normal interval of that mean), change (against the subject as it came).

    Raises
    ------
    ArgumentError
        A judge gives anything else than one value a sample; there are no samples, or the subject
        does not take them.
    """
    x = x if hasattr(x, "shape") else np.asarray(x)
    before = ask_with_samples(subject.outputs, x)
    start = float(_apply_judge(judge, before, before, len(x)).mean())
    rows = []
    for place, chosen in enumerate(ranks):
        values = _apply_judge(judge, before, subject.outputs(x, chosen), len(x))
        reach = 1.96 * values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else np.inf
        mean = float(values.mean())
        stored = sum(weight.count_stored(chosen.get(weight.name)) for weight in subject.weights)
        rows.append(
            {
                "parameters": stored,
                "value": mean,
                "low": mean - reach,
                "high": mean + reach,
                "change": mean - start,
            }
        )
        if not report(place + 1, len(ranks), lambda: pd.DataFrame(rows)):
            break
    return pd.DataFrame(rows)


def ask_with_samples(ask: Callable[[NDArray], R], x: NDArray) -> R:
    """What a model answers to samples; raises ArgumentError where it does not take such."""
    if np.ndim(x) and not len(x):
        raise ArgumentError("there are no samples: give at least one, as the model reads them")
    try:
        return ask(x)
    except (RuntimeError, ValueError, IndexError) as error:  # the module's own code raises these
        raise ArgumentError(
            f"the model does not take samples of shape {tuple(np.shape(x))} and type {x.dtype}: give them "
            f"as it reads them ({str(error).partition(chr(10))[0]})"
        ) from error


def _apply_judge(judge: Judge, before: NDArray, after: NDArray, rows: int) -> NDArray[np.float64]:
    values = np.asarray(judge(before, after), dtype=np.float64)
    if values.shape != (rows,):
        raise ArgumentError(
            f"the judge gives an array of shape {values.shape} for {rows} samples: one value each "
            "is needed"
        )
    return values


def _check_rows(outputs: NDArray, target: NDArray) -> None:
    if len(outputs) != len(target):
        raise ArgumentError(
            f"there are {len(outputs)} outputs and {len(target)} targets: give as many"
        )
