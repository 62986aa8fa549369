"""One rank, or a rank a layer, for a whole network: chosen without a look at the test part."""

from dataclasses import replace

import numpy as np
import pytest

import compression
import data
from compression.errors import ArgumentError, CancelledError, NotApplicableError
from compression.low_rank.budgets import budget_curve
from compression.low_rank.choosing import cross_validated_rank, rank_within, ranks_for_energy
from compression.low_rank.sensitivity import sensitivity
from compression.network import layers, matrix
from data import planted


def drawn(seed):
    x, y, _ = planted.draw(seed=seed)
    samples = data.Samples(x, y)
    return data.prepare(samples, name="planted", title="Planted", task="classification", seed=seed)


def test_cross_validation_finds_the_rank_that_was_planted():
    found = [
        cross_validated_rank(drawn(seed), "softmax_regression", seed, training_epochs=80).chosen
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


def test_what_cannot_be_cross_validated_is_refused_in_words(digits):
    with pytest.raises(ArgumentError, match="folds"):
        cross_validated_rank(digits, folds=1)
    with pytest.raises(NotApplicableError, match="choose one of"):
        cross_validated_rank(digits, method="tucker2", training_epochs=1)


@pytest.mark.parametrize("share", [0.5, 0.9, 0.999, 1.0])
def test_the_ranks_for_an_energy_keep_it_in_every_layer_or_leave_it_dense(
    share, digits, digits_mlp
):
    ranks = ranks_for_energy(digits_mlp, digits, share)
    for name, layer in layers(digits_mlp.network).items():
        weight = matrix(layer).astype(np.float64)
        squares = np.linalg.svd(weight, compute_uv=False) ** 2
        needed = int(np.flatnonzero(np.cumsum(squares) >= share * squares.sum() - 1e-12)[0]) + 1
        m, n = weight.shape
        assert ranks[name] == (needed if needed * (m + n) < m * n else None)


def test_an_energy_that_no_rank_of_a_layer_keeps_leaves_it_dense(digits, digits_mlp):
    ranks = ranks_for_energy(digits_mlp, digits, 0.9999, "covariance_eigenvectors", ridge=0.5)
    assert ranks["fc3"] is None
    with pytest.raises(ArgumentError, match="above 0, up to 1"):
        ranks_for_energy(digits_mlp, digits, 1.5)


def test_the_rank_within_a_loss_is_the_first_that_validates_so(digits, digits_mlp):
    curve = compression.low_rank_curve(digits_mlp, digits)
    rank = rank_within(curve, 0.02)
    scores = curve.table["validation_score"].to_numpy()
    least = curve.reference["validation_score"] - 0.02
    assert scores[rank - 1] >= least
    assert (scores[: rank - 1] < least).all()


def test_no_choice_of_a_rank_looks_at_the_test_part(digits, digits_mlp):
    spoilt = replace(
        digits,
        x_test=1e3 * digits.x_test[::-1],
        y_test=(digits.y_test + 1) % 10,
    )
    answers = []
    for seen in (digits, spoilt):
        reference = replace(digits_mlp, fingerprint=seen.fingerprint)
        curve = compression.low_rank_curve(reference, seen, "activation_aware_svd", range(1, 40))
        budgets = budget_curve(reference, seen, [5000, 12000], method="activation_aware_svd")
        answers.append(
            {
                "energy": ranks_for_energy(reference, seen, 0.9, "activation_aware_svd"),
                "loss": rank_within(curve, 0.02),
                "budgets": list(budgets.table["ranks"]),
                "sensitivity": sensitivity(reference, seen, "activation_aware_svd").to_dict(),
            }
        )
        scores = curve.table["score"]
    assert (scores < 0.5).all()  # the test part was spoilt indeed
    assert answers[0] == answers[1]
