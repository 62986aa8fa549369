"""The worker's side of the page that combines: names and numbers in, plain results out."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from .results import Origin, Traded
from .work import Report, restored, traded, watched

Entrant = tuple[str, tuple[float, ...], tuple[float, ...], bytes]
"""A curve as an argument: name, bytes and validation scores of its rows, their predictions."""

NUMBERS = ("change", "low", "high", "bytes", "other_bytes")


@dataclass(frozen=True, eq=False)
class _Judged:
    table: pd.DataFrame
    predictions: np.ndarray


def grid(
    report: Report,
    origin: Origin,
    method: str,
    constraint: str,
    ranks: tuple[int, ...],
    bounds: tuple[float, ...],
    epochs: int,
) -> Traded:
    """Every pair of these ranks and bounds; the partial result is the pairs so far, without files."""
    from compression import storage
    from compression.combined.curve import combined_curve

    found, trained = restored(origin)
    curve = combined_curve(
        trained,
        found,
        method,
        ranks,
        bounds,
        epochs,
        constraint=constraint,
        report=watched(report, "pair"),
    )
    files = tuple(storage.to_bytes(curve.network(row)) for row in range(len(curve.table)))
    return traded(curve, files=files)


def tuned(
    report: Report,
    origin: Origin,
    ranks: tuple[int, ...],
    epochs: int,
) -> Traded:
    """Low rank alone at these ranks, each trained on for as long as any pair."""
    import compression

    found, trained = restored(origin)
    curve = compression.low_rank_curve(
        trained, found, "truncated_svd", ranks, epochs=epochs, report=watched(report, "rank")
    )
    return traded(curve)


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
        the two rows); without numbers where the other has no row that small.
    """
    from compression.errors import ArgumentError
    from compression.pareto import at_equal_bytes

    found, _ = restored(origin)
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
                )
                line |= dict(zip(NUMBERS, map(float, values), strict=True))
            lines.append(line)
    return pd.DataFrame(lines)


def _judged(entrant: Entrant, samples: int, task: str) -> _Judged:
    _, sizes, scores, predictions = entrant
    values = np.frombuffer(predictions).reshape(-1, samples)
    table = pd.DataFrame({"bytes": sizes, "validation_score": scores})
    return _Judged(table, values.astype(np.int64) if task == "classification" else values)
