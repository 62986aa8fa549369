from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest

from compression import paired_change
from compression.equal_bytes import at_equal_bytes, compare_at_equal_bytes
from compression.errors import ArgumentError
from compression.evaluation import Comparison


@dataclass
class Rows:
    table: pd.DataFrame
    predictions: np.ndarray


def random_curve(generator, target):
    rows = generator.integers(1, 7)
    right = generator.random((rows, len(target))) < generator.random((rows, 1))
    table = pd.DataFrame(
        {
            "bytes": generator.integers(1, 12, rows),
            "validation_score": generator.integers(0, 5, rows) / 4,
        }
    )
    return Rows(table, np.where(right, target, 1 - target))


@pytest.mark.parametrize("seed", range(40))
def test_the_best_difference_at_equal_bytes_is_that_of_exhaustive_search(seed):
    generator = np.random.default_rng(seed)
    target = generator.integers(0, 2, 60)
    one, other = random_curve(generator, target), random_curve(generator, target)
    other.table.loc[0, "bytes"] = 1
    found = at_equal_bytes(one, other, target, "classification")

    def best(curve, budget):
        within = curve.table[curve.table["bytes"] <= budget]
        return within["validation_score"].max()

    differences = {b: best(one, b) - best(other, b) for b in range(1, 12)}
    differences = {b: d for b, d in differences.items() if not np.isnan(d)}
    assert found.validation_change == max(differences.values())
    assert differences[found.budget] == found.validation_change
    wished = max(differences)
    at_wished = at_equal_bytes(one, other, target, "classification", budget=wished)
    assert (at_wished.budget, at_wished.validation_change) == (wished, differences[wished])
    for curve, row in ((one, found.first), (other, found.second)):
        assert curve.table["bytes"][row] <= found.budget
        assert curve.table["validation_score"][row] == best(curve, found.budget)
    right = [
        (curve.predictions[row] == target).astype(float)
        for curve, row in ((one, found.first), (other, found.second))
    ]
    assert found.change == pytest.approx(np.mean(right[0] - right[1]))
    interval = paired_change(right[1] == 1, right[0] == 1)
    assert (found.change_low, found.change_high) == pytest.approx(interval)


def test_curves_that_have_no_row_to_compare_are_an_error_in_words():
    empty = Rows(pd.DataFrame({"bytes": [1.0], "validation_score": [np.nan]}), np.zeros((1, 3)))
    with pytest.raises(ArgumentError, match="compute more of it"):
        at_equal_bytes(empty, empty, np.zeros(3), "classification")
    one = Rows(pd.DataFrame({"bytes": [5], "validation_score": [0.5]}), np.zeros((1, 3)))
    with pytest.raises(ArgumentError, match="within 4 bytes"):
        at_equal_bytes(one, one, np.zeros(3), "classification", budget=4)


def best_within(table, budget):
    """By looking at each: the best on validation that is no larger; the smallest of equals."""
    within = [row for row in range(len(table)) if table["bytes"][row] <= budget]
    key = lambda row: (-table["validation_score"][row], table["bytes"][row])  # noqa: E731
    return min(within, key=key, default=None)


@pytest.mark.parametrize("task", ["classification", "regression"])
@pytest.mark.parametrize("seed", range(5))
def test_every_budget_of_the_first_curve_is_compared_with_every_other_curve(seed, task):
    generator = np.random.default_rng(seed)
    target = generator.integers(0, 2, 60)
    first = random_curve(generator, target)
    others = {name: random_curve(generator, target) for name in ("one", "two")}
    table = compare_at_equal_bytes(first, others, target, task)
    budgets = sorted(set(first.table["bytes"]))
    assert table[["budget", "other"]].to_numpy().tolist() == [
        [budget, name] for budget in budgets for name in others
    ]
    for _, line in table.iterrows():
        other = others[line["other"]]
        one, two = (best_within(curve.table, line["budget"]) for curve in (first, other))
        if two is None:
            assert line.drop(["budget", "other"]).isna().all()
            continue
        assert line["bytes"] == first.table["bytes"][one]
        assert line["other_bytes"] == other.table["bytes"][two] <= line["budget"]
        answers, other_answers = first.predictions[one], other.predictions[two]
        changes = Comparison(other_answers, target, task).changes(answers[None])
        assert [line["change"], line["low"], line["high"]] == [value[0] for value in changes]
        differing = answers != other_answers
        if task == "classification":
            differing = (answers == target) != (other_answers == target)
            right = [np.mean(values == target) for values in (answers, other_answers)]
            assert line["change"] == pytest.approx(right[0] - right[1])
        assert line["differing"] == differing.sum()


def test_a_budget_that_the_other_curve_never_meets_has_no_numbers():
    rows = {"bytes": [10.0, 1e6], "validation_score": [0.9, 0.8]}
    first = Rows(pd.DataFrame(rows), np.zeros((2, 30)))
    other = Rows(pd.DataFrame({"bytes": [20.0], "validation_score": [0.5]}), np.ones((1, 30)))
    table = compare_at_equal_bytes(first, {"other": other}, np.zeros(30), "classification")
    assert table["change"].isna().tolist() == [True, False]
