import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.optimize import minimize_scalar
from sklearn import metrics
from statsmodels.stats.contingency_tables import mcnemar

import compression
from benchmarks.interval_coverage import intervals_of_r_squared
from compression import evaluation
from compression.errors import ArgumentError
from compression.intervals import paired_change, score_ends

counts = st.tuples(st.integers(0, 25), st.integers(0, 25), st.integers(0, 200)).filter(sum)


def answers(gains, losses, others):
    before = np.repeat([False, True, True], [gains, losses, others])
    after = np.repeat([True, False, True], [gains, losses, others])
    return before, after


def most_likely_statistic(change, gains, losses, n):
    """Tango's score statistic, its nuisance parameter by maximising the likelihood numerically."""

    def minus_likelihood(loss):
        cells = (loss + change, loss, 1 - 2 * loss - change)
        seen = (gains, losses, n - gains - losses)
        return -sum(k * np.log(max(p, 1e-300)) for k, p in zip(seen, cells, strict=True) if k)

    bounds = (max(0.0, -change), (1 - change) / 2)
    loss = minimize_scalar(minus_likelihood, bounds=bounds, options={"xatol": 1e-13}).x
    return (gains - losses - n * change) / np.sqrt(n * (2 * loss + change * (1 - change)))


@pytest.mark.parametrize(
    ("gains", "losses", "samples", "confidence", "expected"),
    [
        # Airway reactivity of 21 children: Fagerland, Lydersen & Laake 2014, Statistics in
        # Medicine 33:2850, table VII.
        (1, 7, 21, 0.95, (-0.517, -0.026)),
        # R's PropCIs::scoreci.mp(25, 28, 618, conf.level = 0.9).
        (28, 25, 618, 0.9, (-0.0148, 0.0247)),
    ],
)
def test_paired_change_matches_published_examples(gains, losses, samples, confidence, expected):
    found = paired_change(*answers(gains, losses, samples - gains - losses), confidence)
    decimals = len(str(expected[0]).split(".")[1])
    assert tuple(round(end, decimals) for end in found) == expected


@settings(deadline=None)
@given(counts)
def test_ends_of_a_paired_change_solve_the_score_equation(seen):
    gains, losses, _ = seen
    n = sum(seen)
    low, high = paired_change(*answers(*seen))
    assert -1 <= low <= (gains - losses) / n <= high <= 1
    z = stats.norm.ppf(0.975)
    for end, sign in ((low, 1), (high, -1)):
        if abs(end) < 1 - 1e-9:
            found = most_likely_statistic(end, gains, losses, n)
            assert found == pytest.approx(sign * z, abs=2e-3)


@settings(deadline=None)
@given(counts)
def test_paired_change_excludes_zero_where_mcnemars_test_is_significant(seen):
    gains, losses, others = seen
    low, high = paired_change(*answers(*seen))
    table = [[others, losses], [gains, 0]]
    if gains + losses == 0:
        return
    significant = mcnemar(table, exact=False, correction=False).pvalue < 0.05
    assert (low > 0 or high < 0) == significant


@settings(deadline=None)
@given(counts)
def test_paired_change_is_mirrored_when_the_models_are_swapped(seen):
    before, after = answers(*seen)
    low, high = paired_change(before, after)
    assert paired_change(after, before) == pytest.approx((-high, -low), abs=1e-12)


@pytest.mark.parametrize("n", [1, 36, 1000])
def test_paired_change_has_a_width_where_no_sample_differs(n):
    # With no sample in either cell the statistic is Δ √n / √(Δ (1 − Δ)): solve for Δ.
    z = stats.norm.ppf(0.975)
    half = z**2 / (n + z**2)
    same = np.arange(n) % 3 == 0
    assert compression.paired_change(same, same) == pytest.approx((-half, half))


@pytest.mark.parametrize("n", [36, 114])
def test_paired_change_covers_the_true_change_of_a_small_test_set(n):
    # Exact: the probability of every pair of counts, where the interval holds the true change.
    gains, losses = (side.ravel() for side in np.mgrid[: n + 1, : n + 1])
    possible = gains + losses <= n
    gains, losses = gains[possible], losses[possible]
    low, high = score_ends(gains, losses, n)
    covered = []
    for differing in (0.02, 0.05, 0.1, 0.2):
        for share in (0.5, 0.25, 0.0):
            cells = [differing * share, differing * (1 - share), 1 - differing]
            chance = stats.multinomial.pmf(
                np.stack([gains, losses, n - gains - losses], axis=1), n, cells
            )
            change = cells[0] - cells[1]
            held = (low <= change + 1e-12) & (change - 1e-12 <= high)
            covered.append(chance @ held)
    assert min(covered) > 0.935
    assert 0.94 < np.mean(covered) < 0.985


@pytest.mark.parametrize(
    ("before", "after", "confidence", "words"),
    [
        ([True], [True, False], 0.95, "not one test set"),
        ([], [], 0.95, "not one test set"),
        ([1, 0], [1, 1], 0.95, "give booleans"),
        ([True], [False], 1.0, "above 0, below 1"),
        ([True], [False], float("nan"), "above 0, below 1"),
    ],
)
def test_paired_change_of_what_it_cannot_judge_is_a_sentence(before, after, confidence, words):
    with pytest.raises(ArgumentError, match=words):
        paired_change(before, after, confidence)


def test_a_change_of_accuracy_has_the_interval_for_pairs():
    generator = np.random.default_rng(0)
    target = generator.integers(0, 4, 300)
    reference = np.where(generator.random(300) < 0.8, target, generator.integers(0, 4, 300))
    worse = np.where(generator.random(300) < 0.6, target, generator.integers(0, 4, 300))
    comparison = evaluation.Comparison(reference, target, "classification")
    change, low, high = comparison.changes(np.stack([worse, reference]))
    for row, predicted in enumerate((worse, reference)):
        assert change[row] == pytest.approx(
            metrics.accuracy_score(target, predicted) - metrics.accuracy_score(target, reference)
        )
        expected = paired_change(reference == target, predicted == target)
        assert (low[row], high[row]) == pytest.approx(expected)


def test_the_interval_of_a_change_of_r_squared_covers_what_is_true():
    """At 36 rows, over 300 test sets."""
    true, low, high = intervals_of_r_squared(samples=36, share=0.1, count=300)
    assert 0.93 <= np.mean((low <= true) & (true <= high)) <= 0.99


def test_the_interval_of_a_change_of_many_samples_is_scipys():
    """Of many samples every kind of interval is the same: SciPy's BCa, with draws of its own."""
    generator = np.random.default_rng(4)
    target = generator.normal(size=2000)
    one, other = (target + share * generator.normal(size=2000) for share in (0.5, 0.6))

    def change(y, first, second):
        return metrics.r2_score(y, second) - metrics.r2_score(y, first)

    expected = stats.bootstrap(
        (target, one, other),
        change,
        paired=True,
        vectorized=False,
        method="BCa",
        n_resamples=2000,
        random_state=1,
    ).confidence_interval
    found, low, high = evaluation.Comparison(one, target, "regression").changes(other[None])
    assert found[0] == pytest.approx(change(target, one, other))
    assert (low[0], high[0]) == pytest.approx(tuple(expected), abs=0.005)


def test_r_squared_of_a_target_that_does_not_vary_has_no_interval():
    comparison = evaluation.Comparison(np.zeros(9), np.ones(9), "regression")
    assert np.isnan(
        [*comparison.intervals(np.zeros((1, 9))), *comparison.changes(np.zeros((1, 9)))]
    ).all()
