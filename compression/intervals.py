"""How sure is a change of score: intervals for two models judged on the same samples.

Accuracy: a score interval for paired proportions. Other scores: a symmetric bootstrap-t.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from .argument_checks import check_arguments
from .errors import ArgumentError

Array = NDArray[np.floating]

_HALVINGS = 52
"""Of a bracket of length 2 at most: the ends are then exact to 1e-15."""


class Interval(NamedTuple):
    """Where the true value lies, with the stated probability under the method's assumptions."""

    low: float
    high: float


@check_arguments
def paired_change(
    before_correct: ArrayLike, after_correct: ArrayLike, confidence: float = 0.95
) -> Interval:
    """Interval of a change of accuracy, two models being judged on one test set.

    Parameters
    ----------
    before_correct, after_correct : array of bool, shape (N,)
        Whether each sample is classified correctly; the same samples in the same order, N >= 1.
    confidence : float
        In (0, 1).

    Returns
    -------
    Interval
        ``low, high`` of the accuracy after minus the accuracy before, in points / 100, within
        [-1, 1]. Never of width zero: where no sample differs it is ± z² / (N + z²).

    Raises
    ------
    ArgumentError
        The arrays are not two lists of as many booleans, or the confidence is not possible.

    Notes
    -----
    Score interval of Tango 1998, Statistics in Medicine 17:891. It leaves out 0 exactly where
    McNemar's test without correction is significant.
    """
    before, after = np.asarray(before_correct), np.asarray(after_correct)
    if before.ndim != 1 or before.shape != after.shape or len(before) == 0:
        raise ArgumentError(
            f"arrays of shapes {before.shape} and {after.shape} are not one test set: "
            "give two of shape (N,), N >= 1"
        )
    if before.dtype != np.bool_ or after.dtype != np.bool_:
        raise ArgumentError(
            f"arrays of types {before.dtype} and {after.dtype} do not say what is correct: "
            "give booleans, such as predicted == target"
        )
    gains, losses = (after & ~before).sum(), (before & ~after).sum()
    low, high = score_ends(gains, losses, len(before), confidence)
    return Interval(float(low), float(high))


def score_ends(
    gains: ArrayLike, losses: ArrayLike, samples: int, confidence: float = 0.95
) -> tuple[Array, Array]:
    """Ends of the interval of :func:`paired_change` for many pairs of models at once.

    Parameters
    ----------
    gains, losses : array of int, of one shape
        Samples that only the model after, and only the one before, classifies correctly.
    samples : int
        N, of which these are some.
    confidence : float
        In (0, 1).

    Returns
    -------
    low, high : ndarray, shaped as the counts
    """
    if not 0 < confidence < 1:
        raise ArgumentError(f"confidence {confidence} is not possible: choose above 0, below 1")
    z = -float(ndtri((1 - confidence) / 2))
    gained, lost = np.asarray(gains, np.float64), np.asarray(losses, np.float64)
    return -_find_upper_end(lost, gained, samples, z), _find_upper_end(gained, lost, samples, z)


def _find_upper_end(gains: Array, losses: Array, n: int, z: float) -> Array:
    """The largest change Δ whose score statistic is within z, by bisection.

    The statistic is (gains − losses − n Δ) / √(n (2 q + Δ (1 − Δ))), with q the probability of a
    loss that is most likely where the probability of a gain is q + Δ. It falls as Δ grows.
    """
    estimate = (gains - losses) / n
    low, high = estimate, np.ones_like(estimate)
    for _ in range(_HALVINGS):
        change = (low + high) / 2
        linear = (2 * n - gains + losses) * change - gains - losses
        root = np.sqrt(np.maximum(linear**2 + 8 * n * losses * change * (1 - change), 0.0))
        loss = (root - linear) / (4 * n)
        variance = n * (2 * loss + change * (1 - change))
        # Do not divide by the variance, which is zero at Δ = 1.
        within = (n * (change - estimate)) ** 2 <= z**2 * variance
        low, high = np.where(within, change, low), np.where(within, high, change)
    return low


def bootstrap_ends(
    resampled: Array, errors: Array, observed: Array, error: Array, confidence: float = 0.95
) -> tuple[Array, Array]:
    """Ends of symmetric bootstrap-t intervals of many statistics.

    Parameters
    ----------
    resampled, errors : ndarray, shape (statistics, resamples)
        The statistic and its standard error in each resample; NaN where they are undefined.
    observed, error : ndarray, shape (statistics,)
        The same of the sample itself.
    confidence : float

    Returns
    -------
    low, high : ndarray, shape (statistics,)
        NaN where the statistic is undefined; of width zero where its standard error is.

    Notes
    -----
    Hall 1988, "On symmetric bootstrap confidence intervals", JRSS B 50:35: the error of the
    coverage falls with the square of the number of samples.
    """
    ends = []
    # A resample of equal rows has the error 0: use the samples' own error.
    nonzero_errors = np.where(errors == 0, error[:, None], errors)
    with np.errstate(divide="ignore", invalid="ignore"):
        distances = np.abs(resampled - observed[:, None]) / nonzero_errors
    for row, value, spread in zip(distances, observed, error, strict=True):
        there = row[~np.isnan(row)]
        if not np.isfinite(value) or not np.isfinite(spread):
            ends.append((np.nan, np.nan))
        elif spread == 0:
            ends.append((value, value))
        else:
            far = float(np.quantile(there, confidence, method="higher")) if len(there) else np.inf
            ends.append((value - far * spread, value + far * spread))
    low, high = np.array(ends, np.float64).reshape(-1, 2).T
    return low, high
