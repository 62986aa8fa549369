import numpy as np
import pytest
from scipy.optimize import minimize

from compression.low_rank.variational_rank import noise_edge, noise_variance, variational_rank


def seen_through_noise(shape, rank, noise=1.0, strength=3.0, seed=0):
    """Singular values of a matrix of the rank, each component well above the noise's edge."""
    rng = np.random.default_rng(seed)
    m, n = shape
    left, right = (np.linalg.qr(rng.normal(size=(side, max(rank, 1))))[0] for side in shape)
    edge = noise * (np.sqrt(m) + np.sqrt(n))
    signal = strength * edge * (left * np.linspace(1, 2, max(rank, 1))) @ right.T
    matrix = (signal if rank else 0.0) + noise * rng.normal(size=shape)
    return np.linalg.svd(matrix, compute_uv=False)


@pytest.mark.parametrize("shape", [(60, 60), (40, 120), (120, 40)])
@pytest.mark.parametrize("rank", [0, 1, 5])
def test_the_planted_rank_and_the_noise_are_found(shape, rank):
    for seed in range(3):
        s = seen_through_noise(shape, rank, noise=0.2, seed=seed)
        assert variational_rank(s, shape) == rank
        assert noise_variance(s, shape) == pytest.approx(0.04, rel=0.1)


def test_scale_and_side_do_not_matter():
    s = seen_through_noise((30, 50), 4, strength=0.8)
    rank = variational_rank(s, (30, 50))
    assert variational_rank(s, (50, 30)) == rank
    assert variational_rank(1e-6 * s, (30, 50)) == rank


def least_free_energy(value, sides, noise):
    """Of one component, by search over its posterior and prior variances: the model itself."""
    m, n = sides

    def energy(logs):
        # Means √(γ ratio) and variances of either factor; the priors' variances at their best.
        mean_a, mean_b, var_a, var_b = np.exp(logs)
        second_a, second_b = mean_a**2 + n * var_a, mean_b**2 + m * var_b
        fit = (-2 * value * mean_a * mean_b + second_a * second_b) / noise
        prior = n * np.log(second_a / n / var_a) + m * np.log(second_b / m / var_b)
        return 0.5 * (fit + prior)

    starts = [np.log([size, size, 0.01, 0.01]) for size in (value**0.5, 0.5 * value**0.5)]
    return min(
        minimize(energy, start, method="Nelder-Mead", options={"maxiter": 4000}).fun
        for start in starts
    )


@pytest.mark.parametrize("sides", [(20, 20), (10, 40)])
def test_a_component_is_kept_exactly_where_that_lowers_the_free_energy(sides):
    # Without it the free energy is 0: means zero, variances of either side vanishing together.
    large, ratio = max(sides), min(sides) / max(sides)
    edge = np.sqrt(large * noise_edge(ratio))
    assert least_free_energy(0.97 * edge, sides, 1.0) > -1e-6
    assert least_free_energy(1.03 * edge, sides, 1.0) < -1e-3


def test_the_edge_of_a_square_matrix_is_the_published_one():
    tau = 2.5129
    assert noise_edge(1.0) == pytest.approx((1 + tau) * (1 + 1 / tau), rel=1e-4)


@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (2, 3)])
def test_the_smallest_matrices_have_a_rank(shape):
    s = np.linspace(2.0, 1.0, min(shape))
    assert 0 <= variational_rank(s, shape) <= min(shape)


@pytest.mark.parametrize("value", [0.7037, 0.31, 1.7, 3.3e-5])
def test_a_matrix_of_one_row_has_one_size_of_noise_to_try(value):
    assert variational_rank(np.array([value]), (1, 10)) in (0, 1)
