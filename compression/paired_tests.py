"""Do two models differ on the same samples? Tests that need NumPy only, fast enough for a slider."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class McNemar:
    """Are two classifiers right equally often, judged on the same samples?

    Attributes
    ----------
    first_only, second_only : int
        Samples that only the first, only the second, gets right.
    exact : float
        Two-sided p-value of the binomial test.
    """

    first_only: int
    second_only: int
    exact: float


def mcnemar(first: NDArray, second: NDArray, target: NDArray) -> McNemar:
    """McNemar's test (1947) on two sets of predicted classes, each of shape (N,)."""
    first_only = int(((first == target) & (second != target)).sum())
    second_only = int(((second == target) & (first != target)).sum())
    differing = first_only + second_only
    tail = _binomial_tail(min(first_only, second_only), differing)
    return McNemar(first_only, second_only, min(2 * tail, 1.0))


def squared_error_test(first: NDArray, second: NDArray, target: NDArray) -> float:
    """Two-sided p-value of equal mean squared errors, so of equal R², on the same samples.

    Parameters
    ----------
    first, second, target : ndarray, shape (N,)
        Predicted and true numbers. The paired z test holds for some 30 samples or more.

    Returns
    -------
    float
        1 where no error differs.
    """
    first, second, target = (np.asarray(values, np.float64) for values in (first, second, target))
    before, after = (first - target) ** 2, (second - target) ** 2
    differences = before - after
    mean, rounding = abs(float(differences.mean())), 1e-12 * float((before + after).mean())
    if mean <= rounding or len(differences) < 2:
        return 1.0
    spread = float(differences.std(ddof=1))
    if spread <= rounding:
        return 0.0
    return math.erfc(mean / spread * math.sqrt(len(differences) / 2))


def _binomial_tail(most: int, trials: int) -> float:
    """Probability of at most so many heads in so many tosses of a fair coin."""
    # Compute logarithms of the binomial coefficients, each from the one before: the coefficients
    # overflow.
    heads = np.arange(most)
    logs = np.concatenate([[0.0], np.cumsum(np.log((trials - heads) / (heads + 1)))])
    return float(np.exp(logs - trials * math.log(2)).sum())
