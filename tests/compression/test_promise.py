"""What is said of a choice among many: against simulation with a known truth, and enumeration."""

import itertools

import numpy as np
import pytest
from statsmodels.stats.proportion import proportion_confint

from compression.errors import ArgumentError
from compression.promise import judge_choice, lowest_changes


def simulate(random, models, rows, change, spread=0.1):
    """Gains of models that all change by so much, differing from the reference on some samples."""
    gain, loss = (spread + change) / 2, (spread - change) / 2
    return random.choice([1, -1, 0], p=[gain, loss, 1 - spread], size=(models, rows)).astype(
        np.int8
    )


def test_a_choice_among_equals_is_flattered_and_corrected():
    """All models lose 3 points: the smallest that seems to lose 1 or less has been lucky."""
    random = np.random.default_rng(0)
    seen, corrected = [], []
    for _ in range(60):
        found = judge_choice(
            np.arange(80), simulate(random, 80, 200, -0.03), 0.01, "classification"
        )
        if found is not None:
            seen.append(found.change)
            corrected.append(found.corrected)
    assert len(seen) > 50
    assert np.mean(seen) > -0.01
    assert np.mean(corrected) == pytest.approx(-0.03, abs=0.004)


def test_the_correction_is_the_mean_over_all_resamples():
    """Three samples have 27 resamples: the bootstrap's mean is theirs."""
    gains = np.array([[1, -1, -1], [0, 1, -1], [0, 0, 0]], np.int8)
    costs = np.array([3.0, 1.0, 2.0])
    order, values = np.argsort(costs), []
    for drawn in itertools.product(range(3), repeat=3):
        outside = [row for row in range(3) if row not in drawn]
        if outside:
            means = gains[order][:, drawn].mean(axis=1)
            chosen = order[np.argmax(means >= -0.2)]
            values.append(gains[chosen][outside].mean())
    found = judge_choice(costs, gains, 0.2, "classification")
    assert found.corrected == pytest.approx(np.mean(values), abs=0.08)  # of 400 resamples
    assert (found.chosen, found.tried, found.rows, found.change) == (1, 3, 3, 0.0)


def test_a_promise_is_broken_no_more_often_than_said():
    """Every model loses just more than the limit: whoever is promised is promised wrongly."""
    random, wrong = np.random.default_rng(1), 0
    for _ in range(300):
        gains = simulate(random, 1, 300, -0.011, spread=0.011)
        found = judge_choice(np.zeros(1), gains, 0.01, "classification")
        wrong += found is not None and found.promised is not None
    assert 5 < wrong < 45  # of 300, at 90 %


def test_the_bound_of_a_class_is_wilson_s_of_the_samples_lost():
    gains = simulate(np.random.default_rng(2), 5, 120, 0.0)
    for confidence in (0.8, 0.95):
        ends = [
            proportion_confint((row < 0).sum(), 120, 2 * (1 - confidence), "wilson")[1]
            for row in gains
        ]
        np.testing.assert_allclose(-lowest_changes(gains, "classification", confidence), ends)


def test_gains_promise_nothing():
    gains = np.zeros((2, 100), np.int8)
    gains[0, :30] = 1
    assert np.ptp(lowest_changes(gains, "classification")) == 0


def test_the_bound_of_numbers_covers_as_said():
    random = np.random.default_rng(3)
    gains = random.normal(0.02, 0.5, (2000, 60))
    assert np.mean(lowest_changes(gains, "regression", 0.9) <= 0.02) == pytest.approx(0.9, abs=0.02)


def test_few_rows_promise_little_however_good_a_model_is():
    same = np.zeros((3, 22), np.int8)
    found = judge_choice(np.arange(3), same, 0.01, "classification")
    assert found.promised is None
    z = 1.2815515655446004
    assert found.least == pytest.approx(z**2 / (22 + z**2))
    assert judge_choice(np.arange(3), same, found.least, "classification").promised == 0


def test_the_cheapest_promised_model_is_named_by_its_place():
    gains = np.zeros((3, 400), np.int8)
    gains[1, :40] = -1  # the cheapest loses 10 points
    assert judge_choice(np.array([5, 1, 3]), gains, 0.01, "classification").promised == 2


def test_no_choice_is_no_promise_and_impossible_confidence_is_refused():
    assert judge_choice(np.zeros(1), np.full((1, 9), -1, np.int8), 0.01, "classification") is None
    with pytest.raises(ArgumentError, match=r"confidence 0\.2"):
        judge_choice(np.zeros(1), np.zeros((1, 9), np.int8), 0.01, "classification", 0.2)
