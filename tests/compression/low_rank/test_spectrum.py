from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compression.errors import ArgumentError, CompressionError
from compression.low_rank import spectrum

spectra = (
    st.lists(st.floats(0, 1e6), min_size=1, max_size=12)
    .map(lambda values: np.sort(np.array(values))[::-1])
    .filter(lambda s: s[0] > 0)
)


def noise_and_signal(m=200, n=400, rank=5, noise=1.0, seed=0):
    rng = np.random.default_rng(seed)
    u, _ = np.linalg.qr(rng.normal(size=(m, rank)))
    v, _ = np.linalg.qr(rng.normal(size=(n, rank)))
    signal = u * (10 * np.sqrt(n) * noise) @ v.T
    return np.linalg.svd(signal + noise * rng.normal(size=(m, n)), compute_uv=False)


@given(spectra)
def test_energy_rises_from_nothing_to_all(s):
    curve = [spectrum.energy(s, rank) for rank in range(len(s) + 1)]
    assert curve[0] == 0
    assert curve[-1] == 1
    assert all(a <= b for a, b in pairwise(curve))


@given(spectra, st.floats(0.01, 1))
def test_an_energy_rank_is_the_smallest_that_keeps_the_share(s, share):
    rank = spectrum.energy_ranks(s, [share])[share]
    assert spectrum.energy(s, rank) >= share
    assert spectrum.energy(s, rank - 1) < share


def test_energy_of_a_known_spectrum():
    s = [4.0, 2.0, 2.0, 1.0]  # squares 16, 4, 4, 1 of 25
    assert spectrum.energy(s, 1) == pytest.approx(16 / 25)
    assert spectrum.energy_ranks(s, (0.64, 0.8, 0.9, 1.0)) == {0.64: 1, 0.8: 2, 0.9: 3, 1.0: 4}


@pytest.mark.parametrize("scale", [1e-200, 1e-320, 1e200])
def test_the_unit_of_the_weights_does_not_matter(scale):
    s = np.array([4.0, 2.0, 2.0]) * scale
    assert spectrum.energy(s, 1) == pytest.approx(2 / 3, rel=1e-2)
    assert spectrum.stable_rank(s) == pytest.approx(1.5, rel=1e-2)
    assert spectrum.effective_rank(s) == pytest.approx(2 * np.sqrt(2), rel=1e-2)


def test_equal_values_have_their_number_as_effective_and_stable_rank():
    s = np.append(np.full(7, 3.0), np.zeros(4))
    assert spectrum.effective_rank(s) == pytest.approx(7)
    assert spectrum.stable_rank(s) == pytest.approx(7)


@given(spectra)
def test_stable_and_effective_rank_lie_between_one_and_the_rank(s):
    rank = np.count_nonzero(s)
    assert 1 - 1e-9 <= spectrum.effective_rank(s) <= rank + 1e-9
    assert 1 - 1e-9 <= spectrum.stable_rank(s) <= rank + 1e-9


def test_the_threshold_of_a_square_matrix_is_the_published_multiple_of_the_median():
    s = np.sort(np.random.default_rng(0).exponential(size=50))[::-1]
    assert spectrum.hard_threshold(s, (50, 50)) == pytest.approx(2.858 * np.median(s), rel=2e-4)


@pytest.mark.parametrize("ratio", [0.05, 0.1, 0.25, 0.5, 0.75, 1.0])
def test_the_coefficient_for_unknown_noise_follows_the_published_fit(ratio):
    m, n = round(100 * ratio), 100
    s = np.ones(m)
    fit = 0.56 * ratio**3 - 0.95 * ratio**2 + 1.82 * ratio + 1.43
    assert spectrum.hard_threshold(s, (m, n)) == pytest.approx(fit, abs=0.02)
    assert spectrum.hard_threshold(s, (n, m)) == spectrum.hard_threshold(s, (m, n))


@pytest.mark.parametrize(("m", "n"), [(200, 200), (100, 400)])
def test_the_threshold_of_pure_noise_is_that_of_known_noise(m, n):
    noise = 2.0 * np.random.default_rng(0).normal(size=(m, n))
    s = np.linalg.svd(noise, compute_uv=False)
    # Gavish & Donoho's λ*(β) √n σ; for a square matrix λ* is 4/√3.
    beta = m / n
    factor = np.sqrt(2 * (beta + 1) + 8 * beta / (beta + 1 + np.sqrt(beta**2 + 14 * beta + 1)))
    assert factor == pytest.approx(4 / np.sqrt(3)) or m < n
    assert spectrum.hard_threshold(s, (m, n)) == pytest.approx(factor * np.sqrt(n) * 2, rel=0.02)


def test_the_threshold_finds_the_rank_behind_the_noise():
    assert spectrum.hard_threshold_rank(noise_and_signal(rank=5), (200, 400)) == 5


def test_markers_are_the_single_functions_answers():
    s = noise_and_signal()
    marks = spectrum.markers(s, (200, 400), classes=10)
    assert list(marks) == list(spectrum.MARKER_TITLES)
    assert marks["break_even"] == 133  # 133 · 600 < 80,000 <= 134 · 600
    assert marks["classes_minus_1"] == 9
    assert marks["hard_threshold"] == marks["variational"] == 5  # as many as were planted
    assert marks["effective_rank"] == spectrum.effective_rank(s)
    assert marks["energy_95"] == spectrum.energy_ranks(s)[0.95]


def test_marks_that_need_the_whole_spectrum_are_left_out_of_a_part():
    marks = spectrum.markers(noise_and_signal()[:20], (200, 400))
    assert "effective_rank" not in marks
    assert "hard_threshold" not in marks


def test_what_is_no_spectrum_is_refused_in_words():
    with pytest.raises(CompressionError, match="nothing to keep"):
        spectrum.energy(np.zeros(3), 1)
    for s in ([], [1.0, 2.0], [1.0, -1.0], [np.nan], [[1.0]]):
        with pytest.raises(ArgumentError):
            spectrum.effective_rank(s)
    with pytest.raises(ArgumentError, match="choose 0 to 2"):
        spectrum.energy([2.0, 1.0], 3)
    with pytest.raises(ArgumentError, match="share"):
        spectrum.energy_ranks([2.0, 1.0], [0.0])
    with pytest.raises(ArgumentError, match="give all 3"):
        spectrum.hard_threshold([2.0, 1.0], (3, 4))
