"""The rank that variational Bayes finds in a matrix seen through noise of unknown size."""

from functools import lru_cache

import numpy as np
from scipy.optimize import brentq, minimize_scalar

from .decomposition import Array

# Noise levels to try before the best is refined: the cost has several minima.
SIZES = 200


def variational_rank(singular_values: Array, shape: tuple[int, int]) -> int:
    """How many components of a matrix are not noise; may be 0.

    The global solution of empirical variational Bayesian matrix factorisation, with the noise
    estimated: a component stays where its singular value is above what noise alone explains.

    Parameters
    ----------
    singular_values : ndarray, shape (min(m, n),)
        The whole spectrum, descending, in the units of the weights.
    shape : (int, int)
        Of the matrix, in either order.

    Notes
    -----
    Nakajima, Sugiyama, Babacan & Tomioka 2013, "Global analytic solution of fully-observed
    variational Bayesian matrix factorization", JMLR 14, theorems 2 to 4.
    """
    s = np.asarray(singular_values, np.float64)
    small, large = sorted(shape)
    return int(
        np.count_nonzero(s**2 > large * noise_variance(s, shape) * noise_edge(small / large))
    )


def noise_variance(singular_values: Array, shape: tuple[int, int]) -> float:
    """Variance of the noise of each entry, where the free energy is least."""
    s = np.asarray(singular_values, np.float64)
    small, large = sorted(shape)
    ratio = small / large
    squares = s**2 / large
    if squares[0] == 0:
        return 0.0
    # The noise lies between two cases: all values are noise, or only the smallest half of those
    # that may be.
    most = int(min(np.ceil(small / (1 + ratio)) - 1, small - 1))
    highest = float(squares.sum() / small)
    lowest = max(squares[most] / noise_edge(ratio), squares[most:].mean(), 1e-12 * highest)
    tried = np.geomspace(min(lowest, highest), highest, SIZES)
    costs = [free_energy(squares / size, ratio) for size in tried]
    best = int(np.argmin(costs))
    around = np.log(tried[[max(best - 1, 0), min(best + 1, SIZES - 1)]])
    if around[0] >= around[1]:  # true by rounding, too, where all sizes are equal
        return float(tried[best])
    refined = minimize_scalar(
        lambda log: free_energy(squares / np.exp(log), ratio),
        bounds=tuple(around),
        method="bounded",
    )
    return float(np.exp(refined.x)) if refined.fun <= costs[best] else float(tried[best])


def free_energy(scaled: Array, ratio: float) -> float:
    """Twice the free energy per row of the longer side, up to a constant.

    ``scaled``: squared singular values, by the longer side and the noise's variance.
    """
    signal = scaled > noise_edge(ratio)
    noise = scaled[~signal]
    x = scaled[signal]
    gap = x - (1 + ratio)
    tau = 0.5 * (gap + np.sqrt(gap**2 - 4 * ratio))
    cost = np.sum(noise - np.log(np.maximum(noise, 1e-300)))
    cost += np.sum(x - tau + np.log((tau + 1) / x) + ratio * np.log(tau / ratio + 1))
    return float(cost)


@lru_cache(maxsize=256)
def noise_edge(ratio: float) -> float:
    """The scaled square above which a component is kept, at this ratio of the sides."""

    def balance(tau: float) -> float:
        return sum(np.log1p(z) / z - 0.5 for z in (tau, tau / ratio))

    tau = brentq(balance, 1e-9 * ratio, 10.0, xtol=1e-12)
    return float((1 + tau) * (1 + ratio / tau))
