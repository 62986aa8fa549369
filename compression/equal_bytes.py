"""Two curves at equal bytes: does the first beat the second with a file that is no longer?

Rows are chosen by the validation score and compared on the test part.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .argument_checks import check_arguments
from .errors import ArgumentError
from .pareto import Array, numbers_of, pareto_front

if TYPE_CHECKING:
    from .evaluation import Comparison

_NUMBERS = ("change", "low", "high", "bytes", "other_bytes", "differing")


@dataclass(frozen=True)
class MatchedRows:
    """Two curves at one budget of bytes: each with its best row that fits.

    Attributes
    ----------
    budget : float
        In bytes.
    first, second : int
        Positions of the rows, chosen by validation score.
    validation_change : float
        The first's validation score minus the second's.
    change, change_low, change_high : float
        The same on the test part, with its 95 % interval, samples being paired.
    """

    budget: float
    first: int
    second: int
    validation_change: float
    change: float
    change_low: float
    change_high: float


class JudgedCurve(Protocol):
    """The part of a curve that is needed here."""

    @property
    def table(self) -> pd.DataFrame: ...
    @property
    def predictions(self) -> NDArray: ...


@check_arguments
def at_equal_bytes(
    first: JudgedCurve, second: JudgedCurve, target: NDArray, task: str, budget: float | None = None
) -> MatchedRows:
    """Does the first curve beat the second with the same bytes?

    Each curve enters with its row of best validation score that is no larger than the budget;
    the two rows are compared on the test part.

    Parameters
    ----------
    first, second : Curve, or anything with its table and predictions
    target : ndarray, shape (test samples,)
    task : str
        "classification" or "regression".
    budget : float, optional
        In bytes. When left out the one at which the first is furthest ahead on validation, the
        smallest such: often one at which the second is of no use any more.

    Raises
    ------
    ArgumentError
        There is no budget, or not this one, at which both curves have a row with a score.
    """
    curves = (first, second)
    samples = np.shape(first.predictions)[1:]
    if np.shape(target) != samples or np.shape(second.predictions)[1:] != samples:
        raise ArgumentError(
            f"the target has the shape {np.shape(target)}: give a value for each of the test "
            "samples that both curves were judged on"
        )
    sizes = np.concatenate([numbers_of(curve.table, "bytes") for curve in curves])
    budgets = np.unique(sizes) if budget is None else np.array([budget])
    rows = [_find_best_within(curve.table, budgets) for curve in curves]
    both = (rows[0] >= 0) & (rows[1] >= 0)
    if not both.any():
        within = "" if budget is None else f" within {budget:g} bytes"
        raise ArgumentError(
            f"a curve has no row with a validation score{within}: "
            "compute more of it, or choose a larger budget"
        )
    scores = [
        numbers_of(curve.table, "validation_score")[picks]
        for curve, picks in zip(curves, rows, strict=True)
    ]
    ahead = np.where(both, scores[0] - scores[1], -np.inf)
    at = int(np.argmax(ahead))
    one, other = int(rows[0][at]), int(rows[1][at])
    comparison = _build_comparison(second.predictions[other], target, task)
    change, low, high = comparison.changes(first.predictions[one][None])
    return MatchedRows(
        budget=float(budgets[at]),
        first=one,
        second=other,
        validation_change=float(ahead[at]),
        change=float(change[0]),
        change_low=float(low[0]),
        change_high=float(high[0]),
    )


def compare_at_equal_bytes(
    first: JudgedCurve, others: Mapping[str, JudgedCurve], target: NDArray, task: str
) -> pd.DataFrame:
    """The first curve against each of several others, at the bytes of each of its rows.

    Parameters
    ----------
    first : Curve, or anything with its table and predictions
    others : dict
        Name -> another curve.
    target : ndarray, shape (test samples,)
    task : str
        "classification" or "regression".

    Returns
    -------
    DataFrame
        A line for each budget and each other curve: budget (bytes), other (its name), change, low
        and high (of the test score, the first's minus the other's, with its paired 95 %
        interval), bytes and other_bytes (of the two rows), differing (test samples that only one
        of the two gets right, of numbers those with another answer). NaN where the other curve
        has no row that small.
    """
    lines = []
    for budget in np.unique(first.table["bytes"]).tolist():
        for name, other in others.items():
            line = {"budget": float(budget), "other": name}
            try:
                matched = at_equal_bytes(first, other, target, task, budget)
            except ArgumentError:  # no row of the other curve is that small
                line |= dict.fromkeys(_NUMBERS, np.nan)
            else:
                one, two = first.predictions[matched.first], other.predictions[matched.second]
                values = (
                    matched.change,
                    matched.change_low,
                    matched.change_high,
                    first.table["bytes"].iloc[matched.first],
                    other.table["bytes"].iloc[matched.second],
                    _count_differing(one, two, target, task),
                )
                line |= dict(zip(_NUMBERS, map(float, values), strict=True))
            lines.append(line)
    return pd.DataFrame(lines)


@dataclass(frozen=True)
class Winner:
    """Which curve is best within one share of the reference's cost.

    Attributes
    ----------
    share : float
    rows : dict
        Family -> position of its row of best validation score that fits; those that have one.
    best : int
        Position of the best of them all.
    peer : int or None
        Position of the best alternative's row, where the best is none itself.
    change, low, high : float
        Of the best's test score against the peer's, with its paired 95 % interval; NaN without.
    """

    share: float
    rows: Mapping[str, int]
    best: int
    peer: int | None
    change: float = np.nan
    low: float = np.nan
    high: float = np.nan

    @property
    def verdict(self) -> str:
        """Of the best against the best alternative: "ahead", "behind" or "level" on the test part;
        "" where there is nothing to compare."""
        if self.peer is None:
            return ""
        return "ahead" if self.low > 0 else "behind" if self.high < 0 else "level"


def winners(
    table: pd.DataFrame,
    predictions: NDArray,
    reference: pd.Series,
    target: NDArray,
    task: str,
    shares: Sequence[float] = (0.5, 0.25, 0.125, 0.06),
    cost: str = "bytes",
) -> list[Winner]:
    """Which family is best within shares of the reference's cost.

    Parameters
    ----------
    table : DataFrame
        Rows of many curves, with a column ``family``; rows of family "baseline" are left out,
        those of "alternative" are what the others have to beat.
    predictions : ndarray, shape (rows, test samples)
    reference : Series
        The uncompressed model's line.
    target : ndarray, shape (test samples,)
    task : str
    shares : sequence of float
    cost : str
        Column of the table and the line.

    Returns
    -------
    list of Winner
        One a share within which there is a row, chosen by validation score, of equal ones the
        cheapest, then the first.
    """
    costs, scores = numbers_of(table, cost), numbers_of(table, "validation_score")
    families = table["family"].to_numpy()
    order = np.lexsort((np.arange(len(table)), costs, -scores))
    results = []
    for share in shares:
        fits = (costs <= share * reference[cost]) & ~np.isnan(scores) & (families != "baseline")
        rows: dict[str, int] = {}
        for row in order[fits[order]].tolist():
            rows.setdefault(str(families[row]), row)
        if not rows:
            continue
        best = next(iter(rows.values()))  # the first one in score order
        peer = rows.get("alternative")
        if peer is None or peer == best:
            results.append(Winner(share, rows, best, None))
            continue
        comparison = _build_comparison(predictions[peer], target, task)
        ends = (float(each[0]) for each in comparison.changes(predictions[best][None]))
        results.append(Winner(share, rows, best, peer, *ends))
    return results


def _count_differing(one: NDArray, other: NDArray, target: NDArray, task: str) -> int:
    if task == "classification":
        one, other = one == target, other == target
    return int((one != other).sum())


def _find_best_within(table: pd.DataFrame, budgets: Array) -> NDArray[np.intp]:
    """For each budget of bytes the row of best validation score; −1: none is that small."""
    front = pareto_front(table.reset_index(drop=True), "bytes", "validation_score")
    rows = np.append(-1, front.index.to_numpy(np.intp))
    return rows[np.searchsorted(front["bytes"], budgets, side="right")]


def _build_comparison(answers: NDArray, target: NDArray, task: str) -> "Comparison":
    from .evaluation import Comparison  # import it here: pages read results without SciPy

    return Comparison(answers, target, task)
