"""Which row to take: the undominated ones, those that fulfil a wish, the nearest ones.

Every choice is made by the validation score; the test score is only reported.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .argument_checks import check_arguments
from .errors import ArgumentError

Array = NDArray[np.floating]

_SAME = ["bytes", "parameters", "macs", "validation_score", "score"]
_ROUNDING = 1e-12  # in floating point 0.07 − 0.01 is more than 0.06


@check_arguments
def pareto_front(table: pd.DataFrame, cost: str = "bytes", score: str = "score") -> pd.DataFrame:
    """The undominated rows: cost down, score up.

    A row is dominated when another one costs no more and scores no less, and is better in one of
    the two. So of rows that cost the same only the best stays, of rows that score the same only
    the cheapest, and rows equal in both stay together.

    Parameters
    ----------
    table : DataFrame
        One row a model.
    cost, score : str
        Names of columns of numbers.

    Returns
    -------
    DataFrame
        Those rows as they were, index included, by rising cost; rows without a cost or a score
        are left out.

    Raises
    ------
    ArgumentError
        The table has no such column, or it does not hold numbers.
    """
    return table.iloc[_find_undominated(table, cost, score)]


def mark_front(table: pd.DataFrame, cost: str = "bytes", score: str = "score") -> NDArray[np.bool_]:
    """Which rows of a table :func:`pareto_front` keeps; shape (rows,)."""
    marks = np.zeros(len(table), bool)
    marks[_find_undominated(table, cost, score)] = True
    return marks


def _find_undominated(table: pd.DataFrame, cost: str, score: str) -> NDArray[np.intp]:
    """Positions of the undominated rows, by rising cost."""
    costs, scores = numbers_of(table, cost), numbers_of(table, score)
    rows = np.flatnonzero(~(np.isnan(costs) | np.isnan(scores)))
    rows = rows[np.lexsort((-scores[rows], costs[rows]))]
    # Rows are sorted by rising cost, then by falling score: a row is on the front if it beats all
    # before it, or equals the row of the front just before it.
    ahead = np.append(-np.inf, np.maximum.accumulate(scores[rows])[:-1])
    first = scores[rows] > ahead
    first[:1] = True
    head = rows[np.maximum.accumulate(np.where(first, np.arange(len(rows)), 0))]
    equal = (costs[head] == costs[rows]) & (scores[head] == scores[rows])
    return rows[equal]


def distinct_rows(table: pd.DataFrame, besides: pd.Series | None = None) -> NDArray[np.intp]:
    """Positions of the rows that differ from each other in a cost or a score, in their order.

    Of rows that agree in bytes, parameters, macs, validation_score and score the first stays.
    ``besides``: a line that none of them may agree with, such as the reference's.
    """
    numbers = table[_SAME].to_numpy(np.float64)
    rows = np.sort(np.unique(numbers, axis=0, return_index=True)[1])
    if besides is not None:
        rows = rows[(numbers[rows] != besides[_SAME].to_numpy(np.float64)).any(axis=1)]
    return rows


@dataclass(frozen=True)
class Wish:
    """What a person asks of a compressed model. What is left out is not asked for.

    Attributes
    ----------
    loss : float, optional
        Most validation score to lose against the reference: 0.01 is one point of accuracy.
    at_most : dict
        Cost's column -> the most it may be, in the column's units.
    times_fewer : dict
        Cost's column -> how many times fewer than the reference at least.
    """

    loss: float | None = None
    at_most: Mapping[str, float] = field(default_factory=dict)
    times_fewer: Mapping[str, float] = field(default_factory=dict)

    def find_fulfilling(self, table: pd.DataFrame, reference: pd.Series) -> NDArray[np.bool_]:
        """Which rows fulfil it; one without the cost or the score that is asked for does not."""
        good = np.ones(len(table), bool)
        if self.loss is not None:
            least = reference["validation_score"] - self.loss - _ROUNDING
            good &= numbers_of(table, "validation_score") >= least
        for cost, most in self.at_most.items():
            good &= numbers_of(table, cost) <= most
        for cost, times in self.times_fewer.items():
            good &= numbers_of(table, cost) * times <= reference[cost]
        return good


_PLACE = ["curve", "row"]  # columns that tell where a chosen row comes from


@check_arguments
def best_rows(
    tables: Mapping[str, pd.DataFrame], wish: Wish, reference: pd.Series, cost: str = "bytes"
) -> pd.DataFrame:
    """The undominated rows of several curves that fulfil a wish, the best one first.

    A row is dominated when another one has no less validation score and no more of each cost,
    and is better in one of them; the costs are ``cost`` and those that the wish names. With a
    loss allowed the cheapest comes first, else the one with the best validation score. The test
    score has no say: it is there to be reported.

    Parameters
    ----------
    tables : dict
        Curve's name -> its table.
    wish : Wish
    reference : Series
        The uncompressed model's line, with the same columns.
    cost : str
        Column of the cost to keep low.

    Returns
    -------
    DataFrame
        The rows as they were, behind the columns ``curve`` (its name) and ``row`` (its position
        there). Empty: nothing computed so far fulfils the wish.

    Raises
    ------
    ArgumentError
        There is no table, none has one of the costs, or it does not hold numbers.
    """
    if not tables:
        raise ArgumentError("there is no curve to choose from: compute one first")
    everything = pd.concat(
        {
            # Replace these columns of an earlier choice, such as that of ``best_bits``.
            name: table.drop(columns=_PLACE, errors="ignore").reset_index(drop=True)
            for name, table in tables.items()
        },
        names=_PLACE,
    ).reset_index()
    costs = list(dict.fromkeys([cost, *wish.at_most, *wish.times_fewer]))
    criteria = np.column_stack(
        [
            *(numbers_of(everything, name) for name in costs),
            -numbers_of(everything, "validation_score"),
        ]
    )
    if wish.loss is None:
        criteria = np.roll(criteria, 1, axis=1)
    rows = np.flatnonzero(
        wish.find_fulfilling(everything, reference) & ~np.isnan(criteria).any(axis=1)
    )
    return everything.iloc[rows[_find_front(criteria[rows])]].reset_index(drop=True)


def _find_front(criteria: Array) -> NDArray[np.intp]:
    """Rows (smaller is better) that no other one beats, in lexicographic order."""
    left = np.lexsort(criteria.T[::-1])
    front = []
    while len(left):
        # Rows that beat a row come before it, so no row beats the first one that is left.
        first, left = left[0], left[1:]
        front.append(first)
        better = (criteria[left] < criteria[first]).any(axis=1)
        left = left[better | (criteria[left] == criteria[first]).all(axis=1)]
    return np.array(front, np.intp)


@check_arguments
def nearest_row(table: pd.DataFrame, column: str, value: float) -> int:
    """Position of the row of another curve that matches a given budget best.

    Parameters
    ----------
    table : DataFrame
    column : str
        "bytes", "parameters", any other cost, or "validation_score".
    value : float
        What the given row has there. Of equally near rows the one with the best validation
        score is taken, then the one of fewest bytes.

    Raises
    ------
    ArgumentError
        The table has no such column, it does not hold numbers, or no row has one.
    """
    distance = np.abs(numbers_of(table, column) - value)
    if np.isnan(distance).all():
        raise ArgumentError(f"no row has a number in column {column!r}: compute the curve first")
    score = numbers_of(table, "validation_score")
    return int(np.lexsort((numbers_of(table, "bytes"), -score, distance))[0])


def nearest_pair(table: pd.DataFrame, rank: float, bound: float) -> int:
    """Position of the row whose ``rank``, then whose ``bound``, is nearest by ratio."""
    by_rank = np.abs(np.log(table["rank"] / rank))
    by_bound = np.abs(np.log(table["bound"] / bound))
    return int(np.lexsort((by_bound, by_rank))[0])


@dataclass(frozen=True)
class NearestRow:
    """What comes nearest to one part of a wish that nothing fulfils as a whole.

    Attributes
    ----------
    column : str
        "validation_score", or the cost's column.
    wished : float
        What that column was asked to be, at least or at most.
    row : int
        Position of the row.
    """

    column: str
    wished: float
    row: int


def nearest_to(table: pd.DataFrame, wish: Wish, reference: pd.Series) -> list[NearestRow]:
    """For each part of a wish the row that misses it by least and fulfils all the others.

    Points and bytes cannot be added up, so no part is traded for another: a person sees what it
    takes to give way in one. Where no row fulfils the others, for any part, each is taken alone.

    Parameters
    ----------
    table : DataFrame
    wish : Wish
    reference : Series
        The uncompressed model's line, with the same columns.

    Returns
    -------
    list of NearestRow
        At most one a part, in the order loss, at most, times fewer; none where the wish asks for
        nothing, or no row has the numbers. Of equally near rows see :func:`nearest_row`.

    Raises
    ------
    ArgumentError
        The table lacks a column, or it does not hold numbers.
    """
    parts: list[tuple[Wish, str, float]] = []
    if wish.loss is not None:
        least = reference["validation_score"] - wish.loss
        parts.append((Wish(loss=wish.loss), "validation_score", least))
    parts += [(Wish(at_most={cost: most}), cost, most) for cost, most in wish.at_most.items()]
    parts += [
        (Wish(times_fewer={cost: times}), cost, reference[cost] / times)
        for cost, times in wish.times_fewer.items()
    ]
    granted = np.array([part.find_fulfilling(table, reference) for part, *_ in parts])
    others = [
        np.delete(granted, at, axis=0).all(axis=0) & ~np.isnan(numbers_of(table, column))
        for at, (_, column, _) in enumerate(parts)
    ]
    if not any(rows.any() for rows in others):
        others = [~np.isnan(numbers_of(table, column)) for _, column, _ in parts]
    return [
        NearestRow(column, wished, int(rows[nearest_row(table.iloc[rows], column, wished)]))
        for (_, column, wished), rows in zip(parts, map(np.flatnonzero, others), strict=True)
        if len(rows)
    ]


def keep_smaller(table: pd.DataFrame, reference: pd.Series, cost: str = "bytes") -> pd.DataFrame:
    """The rows that a recommendation may name: below the reference in ``cost``.

    Nor may their file be longer than the reference's: fewer parameters in a longer file are no
    smaller model.
    """
    return table[mark_smaller(table, reference, cost)].reset_index(drop=True)


def mark_smaller(
    table: pd.DataFrame, reference: pd.Series, cost: str = "bytes"
) -> NDArray[np.bool_]:
    """Which rows :func:`keep_smaller` keeps; shape (rows,)."""
    smaller = (table[cost] < reference[cost]) & (table["bytes"] <= reference["bytes"])
    return smaller.to_numpy(np.bool_)


def recommend(
    table: pd.DataFrame, wish: Wish, reference: pd.Series, cost: str = "bytes"
) -> pd.DataFrame:
    """The undominated rows that fulfil a wish and are smaller than the reference.

    In the order of :func:`best_rows`; empty: there is none. Of several that cost the same and
    score the same the first stays. Parameters as for :func:`best_rows`, with one table.
    """
    best = best_rows({"": keep_smaller(table, reference, cost)}, wish, reference, cost)
    best = best.drop(columns=_PLACE)
    return best.iloc[distinct_rows(best)].reset_index(drop=True)


def recommend_nearest(
    table: pd.DataFrame, wish: Wish, reference: pd.Series, cost: str = "bytes"
) -> list[tuple[NearestRow, pd.Series]]:
    """Of the rows smaller than the reference those nearest to each part of a wish.

    Each with its line; see :func:`nearest_to`. None: nothing is smaller.
    """
    smaller = keep_smaller(table, reference, cost)
    if smaller.empty:
        return []
    return [(near, smaller.iloc[near.row]) for near in nearest_to(smaller, wish, reference)]


def confirm_loss(line: pd.Series, loss: float) -> Literal["yes", "no", "open"]:
    """Whether the test part confirms that at most so much is lost.

    "yes" or "no" where the whole 95 % interval of the paired difference, change_low to
    change_high, says so; else "open". An interval of no width says nothing: no resample of
    equal predictions of numbers differs, whatever other rows would show.
    """
    if line["change_low"] == line["change_high"]:
        return "open"
    if line["change_low"] >= -loss:
        return "yes"
    return "no" if line["change_high"] < -loss else "open"


def numbers_of(table: pd.DataFrame, name: str) -> Array:
    """A column as float64, NaN where it has no value; raises ArgumentError where it holds none."""
    if name not in table.columns:
        raise ArgumentError(
            f"the table has no column {name!r}: choose one of {', '.join(map(str, table.columns))}"
        )
    if not pd.api.types.is_numeric_dtype(table[name].dtype):
        raise ArgumentError(f"column {name!r} holds no numbers: choose one that does")
    return table[name].to_numpy(dtype=np.float64, na_value=np.nan)
