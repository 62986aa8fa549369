import numpy as np
import pytest

from compression.errors import ArgumentError
from compression.low_rank.randomized_svd import RandomizedSVD


def slowly_decaying(dtype=np.float64):
    rng = np.random.default_rng(0)
    u, _ = np.linalg.qr(rng.normal(size=(120, 80)))
    v, _ = np.linalg.qr(rng.normal(size=(80, 80)))
    s = np.arange(1, 81) ** -0.5
    return (u * s @ v.T).astype(dtype), s


def test_without_power_iterations_the_mean_error_keeps_the_bound_of_the_paper():
    weight, s = slowly_decaying()
    rank, oversampling = 10, 5
    squared = [
        np.linalg.norm(
            weight
            - RandomizedSVD(oversampling, 0, seed).decompose(weight, None, rank).at(rank).weight
        )
        ** 2
        for seed in range(40)
    ]
    optimum = np.sum(s[rank:] ** 2)
    assert optimum <= min(squared)
    assert np.mean(squared) <= (1 + rank / (oversampling - 1)) * optimum


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_as_it_comes_it_is_within_one_per_cent_of_the_optimum(dtype):
    weight, s = slowly_decaying(dtype)
    d = RandomizedSVD().decompose(weight, None, 10)
    optimum = np.sqrt(np.sum(s[10:] ** 2))
    assert np.linalg.norm(weight - d.at(10).weight) <= 1.01 * optimum
    assert np.sqrt(d.errors[10]) == pytest.approx(optimum, rel=0.01)


def test_power_iterations_narrow_the_error():
    weight, _ = slowly_decaying()

    def error(iterations):
        return np.mean(
            [
                RandomizedSVD(2, iterations, s).decompose(weight, None, 10).errors[10]
                for s in range(10)
            ]
        )

    assert error(4) < error(1) < error(0)


def test_the_same_seed_gives_the_same_factors_and_another_one_others():
    weight, _ = slowly_decaying()
    one, same, other = (
        RandomizedSVD(2, 0, seed).decompose(weight, None, 5).at(5).weight for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, same)
    assert np.abs(one - other).max() > 1e-6


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_single_precision_holds_weights_of_any_size(scale):
    weight, s = slowly_decaying(np.float32)
    d = RandomizedSVD().decompose((weight * scale).astype(np.float32), None, 10)
    np.testing.assert_allclose(d.singular_values, scale * s[:10], rtol=0.01)


def test_knobs_out_of_range_are_refused():
    for knobs in ({"oversampling": -1}, {"iterations": -1}, {"seed": -1}, {"seed": 2**32}):
        with pytest.raises(ArgumentError):
            RandomizedSVD(**knobs).decompose(np.ones((3, 4)))
