"""Which family is best within a share of the file: against a search by hand."""

import numpy as np
import pandas as pd
import pytest

import compression
from compression.equal_bytes import winners


@pytest.fixture(scope="module")
def candidates():
    random = np.random.default_rng(0)
    rows, samples = 60, 80
    target = random.integers(0, 3, samples)
    predictions = np.where(random.random((rows, samples)) < 0.8, target, (target + 1) % 3)
    table = pd.DataFrame(
        {
            "bytes": random.integers(5, 100, rows),
            "validation_score": random.integers(70, 90, rows) / 100,
            "family": random.choice(["low_rank", "constrained", "alternative"], rows),
        }
    )
    table.loc[0, "family"] = "baseline"
    table.loc[0, ["bytes", "validation_score"]] = [5, 1.0]  # not a family: it never wins
    table.loc[1, "validation_score"] = np.nan
    return table, predictions, target


def test_winners_are_those_of_a_search_by_hand(candidates):
    table, predictions, target = candidates
    found = winners(table, predictions, pd.Series({"bytes": 100}), target, "classification")
    families = table[table["family"] != "baseline"].dropna()
    assert [one.share for one in found] == [
        share for share in (0.5, 0.25, 0.125, 0.06) if (families["bytes"] <= 100 * share).any()
    ]
    assert len(found) >= 3
    for one in found:
        fitting = table[(table["bytes"] <= 100 * one.share) & (table["family"] != "baseline")]
        assert set(one.rows) == set(fitting.dropna()["family"])
        for family, row in one.rows.items():
            own = fitting[fitting["family"] == family]
            top = own[own["validation_score"] == own["validation_score"].max()]
            assert row in top.index[top["bytes"] == top["bytes"].min()]
        assert table["validation_score"][one.best] == fitting["validation_score"].max()
        if one.peer is None:
            assert one.verdict == ""
            continue
        assert table["family"][one.peer] == "alternative"
        before, after = (predictions[row] == target for row in (one.peer, one.best))
        low, high = compression.paired_change(before, after)
        assert (one.low, one.high) == pytest.approx((low, high))
        assert one.change == pytest.approx(after.mean() - before.mean())


def test_a_clear_winner_is_ahead_and_a_lucky_one_is_behind(candidates):
    table, _, target = candidates
    table = pd.DataFrame(
        {"bytes": [10, 10], "validation_score": [0.9, 0.8], "family": ["low_rank", "alternative"]}
    )
    wrong = (target + 1) % 3
    for first, second, verdict in (
        (target, wrong, "ahead"),
        (wrong, target, "behind"),
        (target, target, "level"),
    ):
        (one,) = winners(
            table,
            np.stack([first, second]),
            pd.Series({"bytes": 20}),
            target,
            "classification",
            [0.5],
        )
        assert one.verdict == verdict
        assert (one.best, one.peer) == (0, 1)


def test_nothing_small_enough_wins_nothing(candidates):
    table, predictions, target = candidates
    reference = pd.Series({"bytes": 1})
    assert winners(table, predictions, reference, target, "classification") == []
