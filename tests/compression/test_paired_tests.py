"""Tests of two models on the same samples, against statsmodels and SciPy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.weightstats import ztest

from compression import paired_tests


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_is_that_of_statsmodels(first_only, second_only):
    both = np.repeat([[1, 1], [1, 0], [0, 1], [0, 0]], [5, first_only, second_only, 3], axis=0)
    target = np.ones(len(both), int)
    found = paired_tests.mcnemar(both[:, 0], both[:, 1], target)
    assert (found.first_only, found.second_only) == (first_only, second_only)
    expected = mcnemar([[5, first_only], [second_only, 3]], exact=True).pvalue
    assert found.exact == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(("first_only", "second_only"), [(9900, 10100), (0, 2000), (40000, 40000)])
def test_mcnemar_of_many_samples_is_scipys_binomial_test(first_only, second_only):
    first = np.repeat([1, 0], [first_only, second_only])
    found = paired_tests.mcnemar(first, 1 - first, np.ones_like(first))
    expected = binomtest(first_only, first_only + second_only).pvalue
    assert found.exact == pytest.approx(expected, rel=1e-9)


def test_mcnemar_counts_a_sample_that_both_get_wrong_for_neither():
    first, second, target = np.array([[2, 1, 0, 0], [1, 1, 2, 0], [0, 1, 2, 1]])
    found = paired_tests.mcnemar(first, second, target)
    assert (found.first_only, found.second_only) == (0, 1)


@pytest.mark.parametrize("shift", [0.0, 0.1, 1.0])
def test_squared_error_test_is_the_z_test_of_statsmodels(shift):
    target, noise, other = np.random.default_rng(0).normal(size=(3, 80))
    first, second = target + noise, target + other + shift
    before, after = (first - target) ** 2, (second - target) ** 2
    found = paired_tests.squared_error_test(first, second, target)
    assert found == pytest.approx(ztest(before - after)[1])
    assert found != pytest.approx(ztest(before, after)[1])  # as if of other samples


def test_squared_error_test_of_equal_errors_finds_no_difference():
    target = np.linspace(-1, 1, 40)
    assert paired_tests.squared_error_test(target + 1, target - 1, target) == 1


def test_squared_error_test_of_errors_that_all_differ_alike_finds_a_difference():
    target = np.zeros(40)
    assert paired_tests.squared_error_test(target + 1, target + 2, target) == 0
