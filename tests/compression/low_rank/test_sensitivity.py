"""The score when one layer alone is compressed."""

import numpy as np
import pytest
import torch
from statsmodels.stats.proportion import proportion_confint

import compression
from compression.errors import ArgumentError
from compression.low_rank.sensitivity import sensitivity
from compression.network import layers, matrix

SHARES = (0.01, 0.1, 0.4, 0.9)


@pytest.fixture(scope="module")
def table(digits, digits_mlp):
    return sensitivity(digits_mlp, digits, shares=SHARES)


def test_every_layer_has_every_share_and_the_rank_that_it_affords(table, digits_mlp):
    assert list(table["layer"]) == [name for name in ("fc1", "fc2", "fc3") for _ in SHARES]
    for _, row in table.iterrows():
        m, n = matrix(layers(digits_mlp.network)[row["layer"]]).shape
        rank = max(1, int(row["share"] * m * n / (m + n)))
        assert row["rank"] == rank
        assert row["kept"] == pytest.approx(rank * (m + n) / (m * n))


def test_a_row_is_the_score_with_only_that_layer_truncated(table, digits, digits_mlp):
    x = torch.from_numpy(digits.x_train[digits.validation_rows])
    y = digits.y_train[digits.validation_rows]
    for _, row in table.iterrows():
        curve = compression.low_rank_curve(
            digits_mlp, digits, ranks=[row["rank"]], layers=row["layer"]
        )
        assert row["validation_score"] == curve.table["validation_score"][0]
        with torch.inference_mode():
            predicted = curve.network(0)(x).numpy().argmax(1)
        right = int((predicted == y).sum())
        assert row["validation_score"] == right / len(y)
        assert row["samples"] == len(y)
        expected = proportion_confint(right, len(y), method="wilson")
        np.testing.assert_allclose((row["low"], row["high"]), expected, atol=1e-6)
        change = (right / len(y)) - curve.reference["validation_score"]
        assert row["change"] == pytest.approx(change)
        assert row["change_low"] <= row["change"] <= row["change_high"]


def test_a_layer_that_no_rank_makes_smaller_stays_dense(digits, diabetes):
    reference = compression.train(diabetes, model="linear_regression", epochs=5)
    table = sensitivity(reference, diabetes, shares=[0.5])
    assert table["rank"].isna().all()
    assert (table["kept"] == 1).all()
    assert (table["change"] == 0).all()


def test_regression_has_a_bootstrap_s_interval(diabetes):
    reference = compression.train(diabetes, model="mlp", epochs=3)
    table = sensitivity(reference, diabetes, "activation_aware_svd", shares=[0.1, 0.5])
    assert (table["low"] < table["validation_score"]).all()
    assert (table["validation_score"] < table["high"]).all()


def test_convolutions_have_shares_too(small_signals):
    reference = compression.train(small_signals, model="conv1d", epochs=2)
    table = sensitivity(reference, small_signals, "tucker2", shares=[0.3, 0.6])
    all_ranks = compression.low_rank_curve(reference, small_signals, "tucker2", layers="conv2")
    for _, row in table[table["layer"] == "conv2"].iterrows():
        assert row["kept"] <= row["share"]
        network = all_ranks.network(int(row["rank"]) - 1)
        held = sum(part.weight.numel() for part in network.conv2)
        assert held == round(row["kept"] * 25 * 25 * 3)
        larger = all_ranks.network(int(row["rank"]))
        assert sum(part.weight.numel() for part in larger.conv2) > row["share"] * 25 * 25 * 3


def test_layers_come_one_by_one_and_may_be_all_there_is(digits, digits_mlp):
    def report(done, total, table):
        assert table()["layer"].nunique() == done
        assert total == 3
        return done < 2

    assert set(sensitivity(digits_mlp, digits, report=report)["layer"]) == {"fc1", "fc2"}


@pytest.mark.parametrize("shares", [[], [0.0], [1.5], [float("nan")]])
def test_impossible_shares_are_refused_in_words(shares, digits, digits_mlp):
    with pytest.raises(ArgumentError, match="above 0, up to 1"):
        sensitivity(digits_mlp, digits, shares=shares)
