"""What is said of a study's rows: chosen on validation, corrected for shared rows and many tests."""

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from compression.errors import ArgumentError
from compression.studies import (
    adjust_probabilities,
    average_datasets,
    compare_labels,
    corrected_difference,
)
from compression.studies.comparison import best_within


def test_the_corrected_interval_is_wider_by_the_rows_that_splits_share():
    values, test, train = np.array([0.02, -0.01, 0.03, 0.01, 0.02]), 30, 120
    plain = corrected_difference(values, 1e-12, 1.0)
    corrected = corrected_difference(values, test, train)
    ratio = math.sqrt((1 / 5 + test / train) / (1 / 5))
    assert corrected.high - corrected.mean == pytest.approx(ratio * (plain.high - plain.mean))
    # The plain one is Student's: t(0.975, 4) = 2.776445
    assert plain.high - plain.mean == pytest.approx(2.776445 * values.std(ddof=1) / math.sqrt(5))


def test_the_corrected_test_keeps_its_level_where_the_plain_one_does_not():
    """Differences of splits that share rows are correlated by test / (test + train)."""
    random, seeds, share = np.random.default_rng(0), 10, 0.2
    common = random.standard_normal((4000, 1)) * math.sqrt(share)
    own = random.standard_normal((4000, seeds)) * math.sqrt(1 - share)
    rows = common + own
    corrected = [corrected_difference(row, share, 1 - share).probability < 0.05 for row in rows]
    plain = [corrected_difference(row, 1e-12, 1.0).probability < 0.05 for row in rows]
    assert np.mean(corrected) < 0.08
    assert np.mean(plain) > 0.2


@pytest.mark.parametrize(
    ("values", "probability"),
    [([0.0] * 3, 1.0), ([0.1] * 2, 0.5), ([0.3 - 0.2, 0.2 - 0.1, 0.1], 0.25), ([-0.1] * 10, 2**-9)],
)
def test_equal_differences_have_no_interval_and_the_p_of_their_signs(values, probability):
    """scipy's sign test is the oracle; a spread of nothing is no certainty."""
    found = corrected_difference(values, 30, 120)
    assert found.mean == pytest.approx(np.mean(values))
    assert np.isnan([found.low, found.high]).all()
    assert found.probability == pytest.approx(probability)
    if values[0]:
        wins = sum(value > 0 for value in values)
        assert found.probability == pytest.approx(stats.binomtest(wins, len(values)).pvalue)


def test_two_seeds_that_agree_are_a_tie_still():
    table = rows(seeds=2)
    table.loc[(table["label"] == "better") & (table["share"] == 0.2), "score"] = 0.9
    compared = compare_labels(table, 0.25, "plain").set_index("label")
    assert compared.loc["better", "verdict"] == "tie"
    assert math.isnan(compared.loc["better", "low"])


@pytest.mark.parametrize("values", [[0.1], [0.1, math.nan], [[0.1, 0.2]]])
def test_too_few_differences_are_refused(values):
    with pytest.raises(ArgumentError, match="at least two"):
        corrected_difference(values, 30, 120)


def test_adjusted_probabilities_match_statsmodels():
    values = np.random.default_rng(1).uniform(size=30) ** 3
    np.testing.assert_allclose(
        adjust_probabilities(values), multipletests(values, method="holm")[1]
    )


def rows(seeds=6):
    """A label that is always better, one that is level, and a row too large to count."""
    noise = np.random.default_rng(2).normal(0, 0.002, (seeds, 2))
    found = []
    for seed in range(seeds):
        own = ("d", "m", seed, 0, seed)
        found.append((*own, "reference", "reference", 1.0, 0.95, 0.95, 400, 120, 30))
        for label, share, score in (
            ("plain", 0.2, 0.80),
            ("better", 0.2, 0.90 + noise[seed, 0]),
            ("level", 0.2, 0.80 + noise[seed, 1]),
            ("better", 0.9, 0.99),
        ):
            found.append((*own, "low_rank", label, share, score, score, 400 * share, None, None))
    names = ["dataset", "model", "seed", "fold", "split", "family", "label", "share"]
    names += ["validation_score", "score"]
    table = pd.DataFrame(found, columns=[*names, "bytes", "train_rows", "test_rows"])
    return table.assign(validation_rows=20.0)


def test_rows_are_chosen_by_validation_within_the_share():
    table = rows()
    table.loc[table["label"] == "better", "score"] = 0.0  # the test score chooses nothing
    best = best_within(table, 0.25)
    assert (best["share"] == 0.2).all()
    assert len(best) == 6 * 3


def test_labels_are_compared_in_pairs_and_a_tie_is_called_a_tie():
    compared = compare_labels(rows(), 0.25, "plain").set_index("label")
    assert compared.loc["better", "verdict"] == "better"
    assert compared.loc["better", "mean"] == pytest.approx(0.1, abs=0.01)
    assert compared.loc["level", "verdict"] == "tie"
    assert compared.loc["level", "seeds"] == 6
    with pytest.raises(ArgumentError, match="no row of 'other' fits 25 %"):
        compare_labels(rows(), 0.25, "other")


def test_over_datasets_each_counts_once_and_the_interval_is_scipys():
    found = [("a", "m", 0.1), ("a", "n", 0.3), ("b", "m", 0.5), ("c", "m", 0.0)]
    compared = pd.DataFrame(found, columns=["dataset", "model", "mean"]).assign(label="x")
    alone = pd.DataFrame([("a", "m", 0.1, "y")], columns=compared.columns)
    (line,) = average_datasets(pd.concat([compared, alone])).to_dict("records")
    expected = stats.ttest_1samp([0.2, 0.5, 0.0], 0)
    interval = expected.confidence_interval(0.95)
    assert (line["label"], line["datasets"]) == ("x", 3)
    assert line["mean"] == pytest.approx(0.7 / 3)
    assert (line["low"], line["high"]) == pytest.approx((interval.low, interval.high))


SEEDS = 8
PARTS = {"a": (120, 30), "b": (300, 100)}  # dataset -> rows to learn from, and to be judged by
LABELS = {"w": 0.001, "x": 0.004, "y": 0.008, "z": 0.012}  # label -> what it is better by


def many_rows():
    """Four labels against "plain" on two datasets, from far better to level."""
    random, found = np.random.default_rng(5), []
    for (dataset, (train, test)), seed in itertools.product(PARTS.items(), range(SEEDS)):
        own = (dataset, "m", seed, 0, seed)
        found.append((*own, "reference", "reference", 1.0, 0.95, 400, train, test))
        for label, better in {"plain": 0.0, **LABELS}.items():
            score = 0.8 + better + random.normal(0, 0.004)
            found.append((*own, "low_rank", label, 0.2, score, 80, None, None))
    names = ["dataset", "model", "seed", "fold", "split", "family", "label", "share", "score"]
    table = pd.DataFrame(found, columns=[*names, "bytes", "train_rows", "test_rows"])
    return table.assign(validation_rows=20.0, validation_score=table["score"])


def test_compared_labels_have_the_corrected_interval_and_holms_probabilities():
    """By the formulas with scipy's Student t, and Holm's procedure by statsmodels."""
    table, expected = many_rows(), {}
    scores = table.pivot(index=["dataset", "seed"], columns="label", values="score")
    for (dataset, (train, test)), label in itertools.product(PARTS.items(), LABELS):
        own = (scores[label] - scores["plain"])[dataset].to_numpy()
        error = math.sqrt((1 / SEEDS + test / train) * own.var(ddof=1))
        student = stats.t(df=SEEDS - 1, loc=own.mean(), scale=error)
        level = 2 * stats.t.sf(abs(own.mean()) / error, SEEDS - 1)
        expected[dataset, label] = (own.mean(), *student.interval(0.95), level)
    compared = compare_labels(table, 0.25, "plain").set_index(["dataset", "label"])
    assert set(compared.index) == set(expected)
    expected = pd.DataFrame(expected, index=["mean", "low", "high", "alone"]).T.loc[compared.index]
    np.testing.assert_allclose(
        compared[["mean", "low", "high"]], expected[["mean", "low", "high"]], rtol=1e-9
    )
    holm = multipletests(expected["alone"], method="holm")[1]
    np.testing.assert_allclose(compared["probability"], holm, rtol=1e-9)
    worth = compared["verdict"] != "tie"
    assert worth.tolist() == (holm < 0.05).tolist()
    assert 0 < worth.sum() < (expected["alone"] < 0.05).sum()  # some are shown alone only
