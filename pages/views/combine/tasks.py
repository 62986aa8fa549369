"""The worker's side of the page that combines: names and numbers in, plain results out."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from pages.shared.jobs.report import Report
from pages.shared.models.results import CurveView, Origin
from pages.shared.models.tasks import curve_view, load_reference, report_steps

Entrant = tuple[str, tuple[float, ...], tuple[float, ...], bytes]
"""A curve as an argument: name, bytes and validation scores of its rows, their predictions."""

NUMBERS = ("change", "low", "high", "bytes", "other_bytes", "differing")


@dataclass(frozen=True, eq=False)
class _Judged:
    table: pd.DataFrame
    predictions: np.ndarray


def tuned(
    report: Report,
    origin: Origin,
    ranks: tuple[int, ...],
    epochs: int,
) -> CurveView:
    """Low rank alone at these ranks, each trained on for as long as any pair."""
    import compression

    found, trained = load_reference(origin)
    curve = compression.low_rank_curve(
        trained, found, "truncated_svd", ranks, epochs=epochs, report=report_steps(report, "rank")
    )
    return curve_view(curve)


def against(
    report: Report,
    origin: Origin,
    together: Entrant,
    alone: tuple[Entrant, ...],
) -> pd.DataFrame:
    """The combination held against each alone, at the bytes of each of its pairs.

    Returns
    -------
    DataFrame
        A line for each budget and each alone: budget (bytes), alone (its name), change, low and
        high (of the test score, the combination's minus the other's), bytes and other_bytes (of
        the two rows), differing (test samples that only one of the two gets right, of numbers
        those with another answer); without numbers where the other has no row that small.
    """
    from compression.equal_bytes import at_equal_bytes
    from compression.errors import ArgumentError

    found, _ = load_reference(origin)
    first = _judged(together, len(found.y_test), found.task)
    others = {entrant[0]: _judged(entrant, len(found.y_test), found.task) for entrant in alone}
    lines = []
    for budget in np.unique(first.table["bytes"]):
        for name, second in others.items():
            line: dict[str, Any] = {"budget": float(budget), "alone": name}
            try:
                matched = at_equal_bytes(first, second, found.y_test, found.task, float(budget))
            except ArgumentError:  # the other is never that small
                line |= dict.fromkeys(NUMBERS, float("nan"))
            else:
                values = (
                    matched.change,
                    matched.change_low,
                    matched.change_high,
                    first.table["bytes"].iloc[matched.first],
                    second.table["bytes"].iloc[matched.second],
                    _differing(
                        first.predictions[matched.first],
                        second.predictions[matched.second],
                        found,
                    ),
                )
                line |= dict(zip(NUMBERS, map(float, values), strict=True))
            lines.append(line)
    return pd.DataFrame(lines)


def _differing(one: np.ndarray, other: np.ndarray, found: Any) -> int:
    if found.task == "classification":
        one, other = one == found.y_test, other == found.y_test
    return int((one != other).sum())


def _judged(entrant: Entrant, samples: int, task: str) -> _Judged:
    _, sizes, scores, predictions = entrant
    values = np.frombuffer(predictions).reshape(-1, samples)
    table = pd.DataFrame({"bytes": sizes, "validation_score": scores})
    return _Judged(table, values.astype(np.int64) if task == "classification" else values)
