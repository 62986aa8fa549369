import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compression import pareto_front
from compression.errors import ArgumentError
from compression.evaluation import Comparison
from compression.pareto import (
    Wish,
    best_rows,
    confirm_loss,
    distinct_rows,
    mark_front,
    nearest_pair,
    nearest_row,
    nearest_to,
    recommend,
    recommend_nearest,
)

ROOT = Path(__file__).parents[2]

# Few different values, so that ties of every kind come up; and some rows without one.
numbers = st.one_of(st.integers(0, 5).map(float), st.just(np.nan), st.floats(-1e9, 1e9))
tables = st.lists(st.tuples(numbers, numbers), max_size=25).map(
    lambda rows: pd.DataFrame(rows, columns=["bytes", "score"], dtype=float)
)


def is_dominated(row, table):
    no_worse = (table["bytes"] <= row["bytes"]) & (table["score"] >= row["score"])
    better = (table["bytes"] < row["bytes"]) | (table["score"] > row["score"])
    return (no_worse & better).any()


@given(tables)
def test_the_front_is_what_comparing_every_pair_leaves(table):
    complete = table.dropna()
    expected = [index for index, row in complete.iterrows() if not is_dominated(row, complete)]
    assert sorted(pareto_front(table).index) == expected
    assert np.flatnonzero(mark_front(table)).tolist() == expected
    repeated = table.set_axis([0] * len(table))  # positions count, not labels
    assert np.flatnonzero(mark_front(repeated)).tolist() == expected


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


COSTS = ["bytes", "parameters", "macs"]
lines = st.tuples(*[numbers] * 4)
curves = st.dictionaries(
    st.sampled_from(["svd", "box", "l1"]),
    st.lists(lines, max_size=12).map(
        lambda rows: pd.DataFrame(rows, columns=[*COSTS, "validation_score"], dtype=float)
    ),
    min_size=1,
)
amounts = st.dictionaries(st.sampled_from(COSTS), st.integers(1, 4), max_size=2)
wishes = st.builds(Wish, loss=st.none() | st.integers(0, 3), at_most=amounts, times_fewer=amounts)
REFERENCE = pd.Series({"bytes": 4.0, "parameters": 4.0, "macs": 4.0, "validation_score": 5.0})


def fulfils(row, wish):
    return (
        (wish.loss is None or row["validation_score"] >= REFERENCE["validation_score"] - wish.loss)
        and all(row[cost] <= most for cost, most in wish.at_most.items())
        and all(row[cost] * n <= REFERENCE[cost] for cost, n in wish.times_fewer.items())
    )


def beats(one, other, costs):
    pairs = [(one[cost], other[cost]) for cost in costs]
    pairs.append((-one["validation_score"], -other["validation_score"]))
    return all(a <= b for a, b in pairs) and any(a < b for a, b in pairs)


@given(curves, wishes, st.sampled_from(COSTS))
@settings(max_examples=300)
def test_the_choices_are_the_rows_that_fulfil_the_wish_and_that_no_row_at_all_beats(
    tables, wish, cost
):
    costs = {cost, *wish.at_most, *wish.times_fewer}
    rows = [
        (name, position, row)
        for name, table in tables.items()
        for position, row in table.iterrows()
        if not row[[*costs, "validation_score"]].isna().any()
    ]
    expected = {
        (name, position)
        for name, position, row in rows
        if fulfils(row, wish) and not any(beats(other, row, costs) for *_, other in rows)
    }
    found = best_rows(tables, wish, REFERENCE, cost)
    assert set(zip(found["curve"], found["row"], strict=True)) == expected
    assert len(found) == len(expected)
    for _, row in found.iterrows():
        original = tables[row["curve"]].iloc[row["row"]]
        pd.testing.assert_series_equal(
            row[original.index].astype(float), original, check_names=False
        )
    first = found[cost] if wish.loss is not None else -found["validation_score"]
    assert first.is_monotonic_increasing


def test_rows_that_were_chosen_once_can_be_chosen_from_again():
    """A curve in its best bits has the columns that say where each row stood."""
    costs = {"bytes": [20.0, 10.0], "parameters": [5.0, 3.0], "macs": [5.0, 3.0]}
    scores = {name: [0.9, 0.8] for name in ("validation_score", "score")}
    table = pd.DataFrame({"curve": "4 bits", "row": [7, 3]} | costs | scores)
    reference = pd.Series({"bytes": 40.0, "validation_score": 0.9})
    (chosen,) = best_rows({"again": table}, Wish(loss=0.05), reference).to_dict("records")
    assert (chosen["curve"], chosen["row"], chosen["bytes"]) == ("again", 0, 20.0)
    assert recommend(table, Wish(loss=0.05), reference)["bytes"].tolist() == [20.0]


@pytest.mark.parametrize("points", [1, 2, 3])
def test_a_loss_of_exactly_as_many_points_as_wished_is_granted(points):
    for right in range(points, 101):
        reference = pd.Series({"validation_score": right / 100})
        table = pd.DataFrame({"bytes": [1], "validation_score": [(right - points) / 100]})
        assert len(best_rows({"svd": table}, Wish(loss=points / 100), reference)) == 1
        assert len(best_rows({"svd": table}, Wish(loss=points / 100 - 0.001), reference)) == 0


def test_the_test_score_has_no_say_in_a_choice():
    table = pd.DataFrame({"bytes": [1, 2], "validation_score": [0.9, 0.95], "score": [0.99, 0.2]})
    better_on_test = table.assign(score=[0.1, 0.99])
    reference = pd.Series({"bytes": 9, "validation_score": 0.95})
    for wish in (Wish(loss=0.01), Wish(at_most={"bytes": 2})):
        rows = [best_rows({"svd": t}, wish, reference)["row"] for t in (table, better_on_test)]
        assert rows[0].tolist() == rows[1].tolist()
        assert rows[0][0] == 1


def test_curves_with_other_columns_stand_beside_each_other():
    tables = {
        "svd": pd.DataFrame({"bytes": [5], "validation_score": [0.9], "knob": [3]}),
        "both": pd.DataFrame({"bytes": [4], "validation_score": [0.8], "bound": [0.1]}),
    }
    found = best_rows(tables, Wish(at_most={"bytes": 5}), pd.Series({"validation_score": 1.0}))
    assert found["curve"].tolist() == ["svd", "both"]
    assert found["knob"].tolist()[0] == 3
    assert found["bound"].tolist()[1] == 0.1


def test_a_wish_that_cannot_be_understood_is_answered_in_words():
    with pytest.raises(ArgumentError, match="compute one first"):
        best_rows({}, Wish(), REFERENCE)
    table = pd.DataFrame({"bytes": [1], "validation_score": [0.9]})
    with pytest.raises(ArgumentError, match="bytes, validation_score"):
        best_rows({"svd": table}, Wish(at_most={"weight": 3}), REFERENCE)


@given(
    st.lists(st.integers(1, 50), min_size=1, max_size=20).map(sorted),
    st.floats(0, 60),
)
def test_a_matched_budget_is_met_within_one_step_of_the_knob(sizes, value):
    table = pd.DataFrame({"bytes": sizes, "validation_score": np.linspace(0, 1, len(sizes))})
    found = table["bytes"].iloc[nearest_row(table, "bytes", value)]
    below = [size for size in sizes if size <= value][-1:]
    above = [size for size in sizes if size >= value][:1]
    assert found in below + above
    assert abs(found - value) == min(abs(size - value) for size in below + above)


def test_of_equally_near_rows_the_better_one_is_matched_then_the_smaller_one():
    table = pd.DataFrame(
        {"bytes": [12, 8, 8, 12], "macs": [5, 5, 5, 9], "validation_score": [0.8, 0.7, 0.8, 0.9]}
    )
    assert nearest_row(table, "bytes", 8) == 2
    assert nearest_row(table, "bytes", 10) == 3
    assert nearest_row(table, "macs", 5) == 2
    assert nearest_row(table, "validation_score", 0.9) == 3
    with pytest.raises(ArgumentError, match="compute the curve first"):
        nearest_row(table[:0], "bytes", 8)


def misses(row, wish):
    """By how much a row misses each part of a wish, in that part's own column; 0: not at all."""
    least = REFERENCE["validation_score"]
    lost = [] if wish.loss is None else [least - wish.loss - row["validation_score"]]
    more = [row[cost] - most for cost, most in wish.at_most.items()]
    more += [row[cost] - REFERENCE[cost] / n for cost, n in wish.times_fewer.items()]
    return [max(amount, 0.0) for amount in [*lost, *more]]


@given(curves, wishes)
@settings(max_examples=300)
def test_the_nearest_row_gives_way_in_one_part_only_and_by_the_least(tables, wish):
    table = pd.concat(tables.values(), ignore_index=True).dropna(ignore_index=True)
    if any(fulfils(row, wish) for _, row in table.iterrows()):
        return
    found = nearest_to(table, wish, REFERENCE)
    missed = np.array([misses(row, wish) for _, row in table.iterrows()])
    parts = int(wish.loss is not None) + len(wish.at_most) + len(wish.times_fewer)
    if not len(table):
        assert found == []
        return
    expected = []
    for part in range(parts):
        rest = np.delete(missed, part, axis=1).sum(axis=1) == 0
        expected.append(missed[rest, part].min() if rest.any() else None)
    if all(least is None for least in expected):
        for near in found:
            amounts = np.abs(table[near.column] - near.wished)
            assert amounts[near.row] == amounts.min()
        assert len(found) == parts
        return
    possible = [part for part in range(parts) if expected[part] is not None]
    assert len(found) == len(possible)
    for part, near in zip(possible, found, strict=True):
        assert missed[near.row, part] == expected[part]
        assert np.delete(missed[near.row], part).sum() == 0


def test_a_wish_for_nothing_has_nothing_near_it():
    table = pd.DataFrame({"bytes": [1.0], "validation_score": [0.9]})
    assert nearest_to(table, Wish(), REFERENCE) == []


def test_rows_are_ranked_without_scipy():
    code = "import sys, compression.pareto; print('scipy' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert run.stdout.strip() == "False", run.stderr


def some_rows(seed):
    """The reference, of middle size and score, and rows around it."""
    generator = np.random.default_rng(seed)
    numbers = generator.integers(300, 700, (20, 3))
    numbers[0] = generator.integers(300, 700)
    table = pd.DataFrame(numbers, columns=COSTS)
    scores = generator.integers(40, 100, (2, 20)) / 100
    return table.assign(
        validation_score=scores[0], score=scores[1], id=[f"row {n}" for n in range(20)]
    )


@given(
    seed=st.integers(0, 2**32 - 1),
    loss=st.none() | st.floats(0, 0.5),
    most=st.none() | st.floats(300, 700),
    fewer=st.none() | st.floats(1, 3),
    cost=st.sampled_from(COSTS),
)
@settings(max_examples=60, deadline=None)
def test_no_recommendation_breaks_the_wish_is_larger_or_is_beaten_by_a_smaller_row(
    seed, loss, most, fewer, cost
):
    table = some_rows(seed)
    wish = Wish(
        loss, {} if most is None else {"bytes": most}, {} if fewer is None else {"macs": fewer}
    )
    reference = table.iloc[0]
    costs = {cost, *wish.at_most, *wish.times_fewer}
    found = recommend(table, wish, reference, cost)
    lighter = [
        line
        for _, line in table.iterrows()
        if line[cost] < reference[cost] and line["bytes"] <= reference["bytes"]
    ]
    for _, line in found.iterrows():
        assert line["id"] in [other["id"] for other in lighter]
        assert (
            loss is None or line["validation_score"] >= reference["validation_score"] - loss - 1e-9
        )
        assert most is None or line["bytes"] <= most
        assert fewer is None or line["macs"] * fewer <= reference["macs"]
        assert not any(beats(other, line, costs) for other in lighter)
    if loss is not None:
        assert found[cost].is_monotonic_increasing
    if found.empty and (loss, most, fewer) != (None, None, None):
        near = recommend_nearest(table, wish, reference, cost)
        assert bool(near) == bool(lighter)
        assert all(line["id"] in [other["id"] for other in lighter] for _, line in near)


def test_a_recommendation_made_twice_is_named_once():
    rows = some_rows(0)[:1]
    smaller = rows.assign(bytes=rows["bytes"] - 1, id="first")
    table = pd.concat([rows, smaller, smaller.assign(id="second")], ignore_index=True)
    found = recommend(table, Wish(loss=0.0), table.iloc[0])
    assert found["id"].tolist() == ["first"]


@given(st.lists(st.tuples(*[st.integers(0, 1)] * 5), min_size=1, max_size=12), st.booleans())
def test_of_rows_that_agree_in_costs_and_scores_the_first_stays(rows, reference_too):
    table = pd.DataFrame(rows, columns=[*COSTS, "validation_score", "score"], dtype=float)
    besides = table.iloc[-1] if reference_too else None
    expected = [
        row
        for row, line in enumerate(rows)
        if line not in rows[:row] and not (reference_too and line == rows[-1])
    ]
    assert distinct_rows(table, besides).tolist() == expected


@pytest.mark.parametrize(
    ("low", "high", "answer"),
    [(-0.01, 0.02, "yes"), (-0.02, 0.0, "open"), (-0.03, -0.01, "open"), (-0.03, -0.011, "no")],
)
def test_the_test_part_confirms_a_loss_denies_it_or_leaves_it_open(low, high, answer):
    line = pd.Series({"change_low": low, "change_high": high})
    assert confirm_loss(line, 0.01) == answer


def test_equal_predictions_of_numbers_confirm_nothing():
    rng = np.random.default_rng(0)
    target = rng.normal(size=36)
    predicted = target + 0.1 * rng.normal(size=36)
    _, low, high = Comparison(predicted, target, "regression").changes(predicted[None])
    line = pd.Series({"change_low": low[0], "change_high": high[0]})
    assert confirm_loss(line, 0.01) == "open"
    one_apart = predicted + 0.001 * (np.arange(36) == 0)
    _, low, high = Comparison(predicted, target, "regression").changes(one_apart[None])
    assert confirm_loss(pd.Series({"change_low": low[0], "change_high": high[0]}), 0.01) == "yes"


def test_the_nearest_pair_is_the_asked_one_where_it_is_there_and_the_rank_comes_first():
    pairs = [(rank, bound) for rank in (1, 2, 8) for bound in (0.1, 0.4, 1.0)]
    table = pd.DataFrame(pairs, columns=["rank", "bound"])
    for row, (rank, bound) in enumerate(pairs):
        assert nearest_pair(table, rank, bound) == row
    assert nearest_pair(table[:4], 2, 1.0) == 3  # the rank comes first
    assert nearest_pair(table[:3], 2, 0.9) == 2
    assert nearest_pair(table, 3, 0.3) == 4  # by ratio: 3 is nearer to 2 than to 8
    assert nearest_pair(table, 5, 0.19) == 6  # and 5 to 8 than to 2, 0.19 to 0.1 than to 0.4
