import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compression import pareto_front
from compression.errors import ArgumentError

# Few different values, so that ties of every kind come up; and some rows without one.
numbers = st.one_of(st.integers(0, 5).map(float), st.just(np.nan), st.floats(-1e9, 1e9))
tables = st.lists(st.tuples(numbers, numbers), max_size=25).map(
    lambda rows: pd.DataFrame(rows, columns=["bytes", "score"], dtype=float)
)


def dominated(row, table):
    no_worse = (table["bytes"] <= row["bytes"]) & (table["score"] >= row["score"])
    better = (table["bytes"] < row["bytes"]) | (table["score"] > row["score"])
    return (no_worse & better).any()


@given(tables)
def test_the_front_is_what_comparing_every_pair_leaves(table):
    complete = table.dropna()
    expected = [index for index, row in complete.iterrows() if not dominated(row, complete)]
    assert sorted(pareto_front(table).index) == expected


@given(tables)
def test_along_the_front_more_cost_buys_more_score(table):
    front = pareto_front(table).drop_duplicates()
    assert (front["bytes"].diff().dropna() > 0).all()
    assert (front["score"].diff().dropna() > 0).all()


def test_rows_come_back_whole_and_unchanged():
    table = pd.DataFrame(
        {"knob": [3, 2, 1], "macs": [30, 20, 10], "r2": [0.5, 0.6, 0.4], "name": list("abc")},
        index=["x", "y", "z"],
    )
    pd.testing.assert_frame_equal(pareto_front(table, "macs", "r2"), table.loc[["z", "y"]])


def test_ties_in_cost_keep_the_best_in_score_the_cheapest_and_equal_rows_stay_together():
    table = pd.DataFrame({"bytes": [1, 1, 2, 3, 3], "score": [0.1, 0.2, 0.2, 0.3, 0.3]})
    assert pareto_front(table).index.tolist() == [1, 3, 4]


def test_missing_values_of_any_kind_are_left_out():
    table = pd.DataFrame(
        {"bytes": [1, 2, 3], "score": pd.array([pd.NA, 0.5, 0.6], dtype="Float64")}
    )
    assert pareto_front(table).index.tolist() == [1, 2]
    assert len(pareto_front(table[:1])) == 0
    assert list(pareto_front(table[:0]).columns) == ["bytes", "score"]


def test_a_column_that_is_not_there_is_answered_with_those_that_are():
    table = pd.DataFrame({"bytes": [1], "score": ["good"]})
    with pytest.raises(ArgumentError, match="bytes, score"):
        pareto_front(table, cost="size")
    with pytest.raises(ArgumentError, match="no numbers"):
        pareto_front(table)
