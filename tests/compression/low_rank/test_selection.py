import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compression.errors import ArgumentError, CancelledError
from compression.low_rank.selection import (
    cross_validate,
    one_standard_error,
    rank_for_energy,
    rank_within_loss,
    split,
)
from compression.low_rank.truncated_svd import TruncatedSVD


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
    parts = split(rows, folds, seed)
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
            for _, held in split(len(labels), folds, 0, labels)
        ]
        assert max(counts) - min(counts) <= 1


def test_the_same_seed_gives_the_same_folds_and_another_one_others():
    one, same, other = (np.concatenate([h for _, h in split(50, 5, seed)]) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()


@given(st.lists(st.floats(0.01, 10), min_size=1, max_size=8), st.floats(0.01, 1))
def test_the_rank_for_an_energy_is_the_smallest_that_keeps_it(values, share):
    d = TruncatedSVD().decompose(np.diag(values))
    rank = rank_for_energy(d.errors, share)
    assert 1 - d.errors[rank] / d.errors[0] >= share
    assert rank == 1 or 1 - d.errors[rank - 1] / d.errors[0] < share


def test_an_energy_that_the_prepared_ranks_do_not_reach_is_refused_in_words():
    with pytest.raises(ArgumentError, match=r"keeps only 0\.8"):
        rank_for_energy([10.0, 5.0, 2.0], 0.9)
    with pytest.raises(ArgumentError, match="share"):
        rank_for_energy([10.0, 0.0], 1.5)
    assert rank_for_energy([0.0, 0.0], 0.9) == 1


def test_the_rank_within_a_loss_is_the_smallest_that_scores_so():
    ranks, scores = [1, 2, 3, 4], [0.5, 0.94, 0.93, np.nan]
    assert rank_within_loss(ranks, scores, loss=0.02, reference=0.95) == 2
    assert rank_within_loss(ranks, scores, loss=0.5, reference=0.95) == 1
    assert rank_within_loss(ranks[::-1], scores[::-1], loss=0.02, reference=0.95) == 2
    with pytest.raises(ArgumentError, match=r"the best loses 0\.01"):
        rank_within_loss(ranks, scores, loss=0.0, reference=0.95)
    with pytest.raises(ArgumentError, match="loss"):
        rank_within_loss(ranks, scores, loss=-1, reference=0.95)


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
