import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics

from compression import evaluation


@given(st.integers(1, 500), st.data())
def test_wilson_is_the_interval_of_scipy(trials, drawn):
    successes = drawn.draw(st.integers(0, trials))
    expected = stats.binomtest(successes, trials).proportion_ci(0.95, method="wilson")
    found = evaluation.wilson(successes, trials)
    assert found.low == pytest.approx(expected.low, abs=1e-12)
    assert found.high == pytest.approx(expected.high, abs=1e-12)
    assert found.low <= successes / trials <= found.high


@pytest.fixture
def classes():
    generator = np.random.default_rng(0)
    target = generator.integers(0, 4, 300)
    noisy = np.where(generator.random(300) < 0.8, target, generator.integers(0, 4, 300))
    worse = np.where(generator.random(300) < 0.6, target, generator.integers(0, 4, 300))
    return target, noisy, worse


def test_accuracy_and_confusion_are_those_of_scikit_learn(classes):
    target, noisy, _ = classes
    assert evaluation.score(noisy, target, "classification") == metrics.accuracy_score(
        target, noisy
    )
    np.testing.assert_array_equal(
        evaluation.confusion(noisy, target, 4), metrics.confusion_matrix(target, noisy)
    )


def test_confusion_has_a_row_for_a_class_that_never_occurs():
    counts = evaluation.confusion(np.array([0, 1]), np.array([0, 0]), 3)
    np.testing.assert_array_equal(counts, [[1, 1, 0], [0, 0, 0], [0, 0, 0]])


def test_r_squared_is_that_of_scikit_learn_and_undefined_for_a_constant_target():
    generator = np.random.default_rng(0)
    target = generator.normal(size=50)
    predicted = target + generator.normal(size=50)
    expected = metrics.r2_score(target, predicted)
    assert evaluation.score(predicted, target, "regression") == pytest.approx(expected)
    assert np.isnan(evaluation.score(predicted, np.ones(50), "regression"))


def test_the_change_is_paired_the_same_predictions_change_nothing(classes):
    target, noisy, _ = classes
    change, low, high = evaluation.Comparison(noisy, target, "classification").changes(noisy[None])
    assert (change[0], low[0], high[0]) == (0, 0, 0)


def test_the_bootstrap_of_a_change_agrees_with_scipys(classes):
    target, noisy, worse = classes
    right, wrong = (worse == target).astype(float), (noisy == target).astype(float)
    expected = stats.bootstrap(
        (right, wrong),
        lambda a, b, axis: a.mean(axis) - b.mean(axis),
        paired=True,
        method="percentile",
        n_resamples=4000,
        random_state=1,
        vectorized=True,
    ).confidence_interval
    change, low, high = evaluation.Comparison(noisy, target, "classification").changes(worse[None])
    assert change[0] == pytest.approx(right.mean() - wrong.mean())
    assert low[0] == pytest.approx(expected.low, abs=0.01)
    assert high[0] == pytest.approx(expected.high, abs=0.01)


def test_the_interval_of_r_squared_agrees_with_scipys_bootstrap():
    generator = np.random.default_rng(3)
    target = generator.normal(size=200)
    predicted = 0.7 * target + 0.5 * generator.normal(size=200)
    expected = stats.bootstrap(
        (target, predicted),
        metrics.r2_score,
        paired=True,
        vectorized=False,
        method="percentile",
        n_resamples=2000,
        random_state=1,
    ).confidence_interval
    low, high = evaluation.Comparison(predicted, target, "regression").intervals(predicted[None])
    assert low[0] == pytest.approx(expected.low, abs=0.02)
    assert high[0] == pytest.approx(expected.high, abs=0.02)


def test_resamples_of_r_squared_equal_the_score_of_the_drawn_rows():
    generator = np.random.default_rng(3)
    target, predicted = generator.normal(size=(2, 40))
    comparison = evaluation.Comparison(predicted, target, "regression")
    drawn = np.repeat(np.arange(40), comparison._counts[0].astype(int))
    assert comparison._reference[0, 0] == pytest.approx(
        metrics.r2_score(target[drawn], predicted[drawn])
    )
