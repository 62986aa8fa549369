from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.model_selection import KFold, StratifiedKFold

import data
from compression.errors import ArgumentError, CancelledError, NotApplicableError
from compression.low_rank.cross_validation import (
    cross_validate,
    cross_validated_rank,
    one_standard_error,
    split_folds,
)
from compression.low_rank.truncated_svd import TruncatedSVD
from data import planted


def planted_regression(seed, rank=3, rows=120, inputs=10, outputs=8):
    rng = np.random.default_rng(seed)
    weight = rng.normal(size=(outputs, rank)) @ rng.normal(size=(rank, inputs))
    x = rng.normal(size=(rows, inputs))
    return x, x @ weight.T + 0.5 * rng.normal(size=(rows, outputs))


def test_cross_validation_finds_the_planted_rank():
    ranks = range(1, 9)
    found = []
    for seed in range(10):
        x, y = planted_regression(seed)

        def fit_and_score(fit, held_out, x=x, y=y):
            weight = np.linalg.lstsq(x[fit], y[fit], rcond=None)[0].T
            d = TruncatedSVD().decompose(weight)
            errors = {k: y[held_out] - x[held_out] @ d.at(k).weight.T for k in ranks}
            return {k: -np.mean(error**2) for k, error in errors.items()}

        found.append(cross_validate(fit_and_score, len(x), folds=5, seed=seed).chosen)
    assert sum(rank == 3 for rank in found) >= 9


def test_the_rule_takes_the_smallest_rank_within_one_standard_error_of_the_best():
    scores = np.array([[0.5, 0.79, 0.80, 0.82], [0.5, 0.83, 0.84, 0.86]])
    # means 0.5, 0.81, 0.82, 0.84; the best has standard error 0.02: 0.82 is the threshold
    chosen = one_standard_error([1, 2, 4, 8], scores)
    assert chosen.best == 8
    np.testing.assert_allclose(chosen.mean, [0.5, 0.81, 0.82, 0.84])
    np.testing.assert_allclose(chosen.standard_error, [0, 0.02, 0.02, 0.02], atol=1e-15)
    assert chosen.threshold == pytest.approx(0.82)
    step = np.array([0, 0, 1e-9, 0])
    assert one_standard_error([1, 2, 4, 8], scores + step).chosen == 4
    assert one_standard_error([1, 2, 4, 8], scores - step).chosen == 8


def test_folds_so_far_are_reported_and_may_be_all_there_are():
    seen = []

    def report(done, total, folds):
        seen.append((done, total, folds()))
        return done < 3

    def fit_and_score(fit, held_out):
        return {2: float(held_out.min()), 1: 0.0}

    found = cross_validate(fit_and_score, 20, report=report)
    assert [(done, total) for done, total, _ in seen] == [(1, 5), (2, 5), (3, 5)]
    assert seen[0][2] is None
    assert seen[1][2].scores.shape == (2, 2)
    np.testing.assert_array_equal(found.scores, seen[2][2].scores)
    with pytest.raises(CancelledError):
        cross_validate(fit_and_score, 20, report=lambda *_: False)


def test_the_table_shows_the_error_bars_and_the_choice():
    table = one_standard_error([1, 2, 4], [[0.5, 0.79, 0.80], [0.5, 0.83, 0.84]]).table
    assert list(table["rank"]) == [1, 2, 4]
    np.testing.assert_allclose(table["mean"], [0.5, 0.81, 0.82])
    np.testing.assert_allclose(table["standard_error"], [0, 0.02, 0.02], atol=1e-15)
    assert list(table["chosen"]) == [False, True, False]


def test_the_order_of_the_ranks_does_not_matter():
    scores = np.array([[0.9, 0.5, 0.9], [0.8, 0.5, 0.8]])
    assert one_standard_error([7, 1, 3], scores).best == 3
    assert one_standard_error([7, 1, 3], scores).chosen == 3


@given(st.integers(2, 60), st.integers(2, 10), st.integers(0, 5))
def test_every_row_is_held_out_once_and_never_fitted_in_that_fold(rows, folds, seed):
    folds = min(folds, rows)
    parts = split_folds(rows, folds, seed)
    held_out = np.concatenate([held for _, held in parts])
    assert sorted(held_out) == list(range(rows))
    sizes = [len(held) for _, held in parts]
    assert max(sizes) - min(sizes) <= 1
    for fit, held in parts:
        assert sorted(np.concatenate([fit, held])) == list(range(rows))


@given(st.lists(st.sampled_from("abc"), min_size=4, max_size=60), st.integers(2, 4))
def test_with_labels_every_fold_has_each_class_in_like_numbers(labels, folds):
    for label in set(labels):
        counts = [
            sum(labels[row] == label for row in held)
            for _, held in split_folds(len(labels), folds, 0, labels)
        ]
        assert max(counts) - min(counts) <= 1


def test_folds_are_those_of_scikit_learn():
    rows, labels = np.zeros(50), np.arange(50) % 3
    for drawn, splitter in (
        (split_folds(50, 5, 1), KFold(5, shuffle=True, random_state=1)),
        (split_folds(50, 3, 1, labels), StratifiedKFold(3, shuffle=True, random_state=1)),
    ):
        for (fit, held_out), (train, test) in zip(drawn, splitter.split(rows, labels), strict=True):
            np.testing.assert_array_equal(fit, train)
            np.testing.assert_array_equal(held_out, test)


def test_the_same_seed_gives_the_same_folds_and_another_one_others():
    one, same, other = (
        np.concatenate([h for _, h in split_folds(50, 5, seed)]) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()


def test_what_cannot_be_cross_validated_is_refused_in_words():
    def two_scores(fit, held_out):
        return {1: 1.0, 2: 1.0}

    for folds in (11, 1):
        with pytest.raises(ArgumentError, match="choose 2 to 10"):
            cross_validate(two_scores, 10, folds=folds)
    with pytest.raises(ArgumentError, match="the same ranks"):
        cross_validate(lambda fit, held_out: {int(held_out[0]) + 1: 1.0}, 10)
    with pytest.raises(ArgumentError, match="labels"):
        cross_validate(two_scores, 10, labels=[0, 1])
    with pytest.raises(ArgumentError, match="at least 2"):
        one_standard_error([1], [[0.5]])
    with pytest.raises(ArgumentError, match="no score"):
        one_standard_error([1], [[0.5], [np.nan]])
    with pytest.raises(ArgumentError, match="no ranks"):
        one_standard_error([], np.empty((2, 0)))


def draw(seed):
    x, y, _ = planted.draw(seed=seed)
    samples = data.Samples(x, y)
    return data.prepare(samples, name="planted", title="Planted", task="classification", seed=seed)


def test_cross_validation_of_a_model_finds_the_rank_that_was_planted():
    found = [
        cross_validated_rank(draw(seed), "softmax_regression", seed, training_epochs=80).chosen
        for seed in range(10)
    ]
    assert sum(rank == planted.RANK for rank in found) >= 9


@pytest.fixture(scope="module")
def folds(digits):
    return cross_validated_rank(digits, ranks=[4, 8, 16], folds=3, training_epochs=2)


def test_folds_score_what_a_network_trained_without_them_says_of_them(folds, digits):
    assert folds.scores.shape == (3, 3)
    rows = len(digits.x_train)
    # Every score is a share of right answers among a third of the rows, and no memory of them.
    for scores in folds.scores:
        counts = [scores * size for size in (rows // 3, rows // 3 + 1)]
        assert min(abs(count - count.round()).max() for count in counts) < 1e-9
    table = folds.table
    np.testing.assert_allclose(table["mean"], folds.scores.mean(axis=0))
    np.testing.assert_allclose(
        table["standard_error"], folds.scores.std(axis=0, ddof=1) / np.sqrt(3)
    )
    assert table.loc[table["chosen"], "rank"].item() == folds.chosen


def test_the_test_part_takes_no_part(folds, digits):
    spoilt = replace(
        digits,
        x_test=np.full_like(digits.x_test, np.nan),
        y_test=np.zeros_like(digits.y_test),
        fit_rows=digits.fit_rows[:1],  # nor does this dataset's own validation part
        validation_rows=digits.validation_rows[:1],
    )
    again = cross_validated_rank(spoilt, ranks=[4, 8, 16], folds=3, training_epochs=2)
    np.testing.assert_array_equal(again.scores, folds.scores)


def test_labels_that_mean_nothing_cannot_be_foretold(digits):
    shuffled = replace(digits, y_train=np.random.default_rng(0).permutation(digits.y_train))
    scores = cross_validated_rank(shuffled, ranks=[8], folds=3, training_epochs=5).scores
    assert scores.max() < 0.2  # ten classes: what was held out was not learnt by heart


def test_every_rank_is_tried_when_none_is_named_and_regression_has_folds_too(diabetes):
    found = cross_validated_rank(
        diabetes, "mlp", method="activation_aware_svd", layers="fc1", folds=2, training_epochs=3
    )
    assert list(found.ranks) == list(range(1, 11))
    assert np.isfinite(found.mean).all()


def test_folds_are_reported_and_may_be_stopped(digits):
    seen = []

    def report(done, total, so_far):
        seen.append((done, total))
        return done < 2

    stopped = cross_validated_rank(digits, ranks=[8], folds=4, training_epochs=1, report=report)
    assert seen == [(1, 4), (2, 4)]
    assert len(stopped.scores) == 2
    with pytest.raises(CancelledError):
        cross_validated_rank(digits, ranks=[8], training_epochs=1, report=lambda *_: False)


def test_a_dataset_that_cannot_be_cross_validated_is_refused_in_words(digits):
    with pytest.raises(ArgumentError, match="folds"):
        cross_validated_rank(digits, folds=1)
    with pytest.raises(NotApplicableError, match="choose one of"):
        cross_validated_rank(digits, method="tucker2", training_epochs=1)
