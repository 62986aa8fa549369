"""The rows of a table that no other row beats on both cost and score."""

import numpy as np
import pandas as pd

from .errors import ArgumentError


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
    for name in (cost, score):
        if name not in table.columns:
            raise ArgumentError(
                f"the table has no column {name!r}: choose one of {', '.join(map(str, table.columns))}"
            )
        if not pd.api.types.is_numeric_dtype(table[name].dtype):
            raise ArgumentError(f"column {name!r} holds no numbers: choose one that does")
    costs = table[cost].to_numpy(dtype=np.float64, na_value=np.nan)
    scores = table[score].to_numpy(dtype=np.float64, na_value=np.nan)

    rows = np.flatnonzero(~(np.isnan(costs) | np.isnan(scores)))
    rows = rows[np.lexsort((-scores[rows], costs[rows]))]
    # Rising cost, falling score within one: a row survives by beating all before it, or by
    # being equal to the survivor right before it.
    ahead = np.append(-np.inf, np.maximum.accumulate(scores[rows])[:-1])
    first = scores[rows] > ahead
    first[:1] = True
    head = rows[np.maximum.accumulate(np.where(first, np.arange(len(rows)), 0))]
    equal = (costs[head] == costs[rows]) & (scores[head] == scores[rows])
    return table.iloc[rows[equal]]
