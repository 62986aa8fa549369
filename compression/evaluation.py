"""One ruler for everybody: losses, scores, confusion matrices and their uncertainty.

Judges predictions only; it knows neither networks nor methods. The loss is the mean
cross-entropy in nats, or ½ the mean squared error; the score is accuracy, or R².
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import bdtr

from .intervals import Interval, bootstrap_ends, score_ends

Array = NDArray[np.floating]

LEVEL = 0.95
FEW = 8  # samples; resamples of fewer tell nothing about a logarithm
_RESAMPLES = 1000
UNPACKED = 1_000_000  # numbers of resamples that are unpacked at a time


def predictions(outputs: Array, task: str) -> NDArray:
    """What a model says of each sample: the class of the largest logit, or the number.

    Classes come in the smallest unsigned integers that hold all of them: curves keep them of
    every row. Compare them; widen them before any sum or difference.
    """
    if task != "classification":
        return outputs[:, 0]
    return np.argmax(outputs, axis=1).astype(np.min_scalar_type(outputs.shape[1] - 1))


def score(predicted: NDArray, target: NDArray, task: str) -> float:
    """Accuracy in [0, 1], or R² (1 is perfect, 0 the mean's, negative worse than the mean).

    NaN where it is not defined: R² of a target that does not vary.
    """
    if task == "classification":
        return float((predicted == target).mean())
    target = np.asarray(target, np.float64)
    spread = ((target - target.mean()) ** 2).sum()
    return float(1 - ((predicted - target) ** 2).sum() / spread) if spread else float("nan")


def gains(predicted: NDArray, target: NDArray, task: str) -> NDArray:
    """What each sample adds to a score's change against the first model's: shape (models, N).

    The mean over the samples is the change. Of classes −1, 0 or 1; of R² the squares that the
    first model has more, N times as a share of the target's spread (NaN where it has none).
    """
    if task == "classification":
        right = (predicted == target).astype(np.int8)
        return right - right[0]
    squares = (predicted.astype(np.float64) - target) ** 2
    spread = ((target - target.mean(dtype=np.float64)) ** 2).mean()
    with np.errstate(divide="ignore", invalid="ignore"):
        return ((squares[0] - squares) / spread).astype(np.float32)


def confusion(predicted: NDArray, target: NDArray, classes: int) -> NDArray[np.int64]:
    """Counts, shape (classes, classes): row the true class, column the predicted one."""
    pairs = np.bincount(target.astype(np.int64) * classes + predicted, minlength=classes**2)
    return pairs.reshape(classes, classes)


def class_report(predicted: NDArray, target: NDArray, class_names: Sequence[str]) -> pd.DataFrame:
    """Precision, recall, F1 and number of samples of each class, as scikit-learn counts them.

    Parameters
    ----------
    predicted, target : ndarray of int, shape (N,)
    class_names : sequence of str

    Returns
    -------
    DataFrame
        One row a class: class, precision, recall, F1 (each in [0, 1], 0 where undefined), samples.
    """
    from sklearn.metrics import precision_recall_fscore_support

    values = precision_recall_fscore_support(
        target, predicted, labels=np.arange(len(class_names)), zero_division=0.0
    )
    columns = dict(zip(("precision", "recall", "F1", "samples"), values, strict=True))
    return pd.DataFrame({"class": list(class_names), **columns})


def wilson(successes: float, trials: int) -> Interval:
    """95 % interval of a proportion (Wilson 1927), in [0, 1]; never empty, also at 0 and 1."""
    if trials == 0:
        return Interval(0.0, 1.0)
    z = 1.959963984540054
    share = successes / trials
    centre = (share + z**2 / (2 * trials)) / (1 + z**2 / trials)
    half = z / (1 + z**2 / trials) * np.sqrt(share * (1 - share) / trials + z**2 / (4 * trials**2))
    low = 0.0 if successes == 0 else float(centre - half)
    high = 1.0 if successes == trials else float(centre + half)
    return Interval(low, high)


def recalls(confusion: NDArray[np.int64]) -> tuple[Array, Array, Array]:
    """Share of each class that is recognised, and the ends of its Wilson 95 % interval.

    Parameters
    ----------
    confusion : ndarray, shape (classes, classes)
        Rows true, columns predicted.

    Returns
    -------
    tuple of three ndarray, shape (classes,)
        The share is NaN for a class without samples, its interval then all of [0, 1].
    """
    right, samples = np.diag(confusion), confusion.sum(axis=1)
    with np.errstate(invalid="ignore"):
        shares = right / samples
    ends = [wilson(*counts) for counts in zip(right, samples, strict=True)]
    return shares, np.array([e.low for e in ends]), np.array([e.high for e in ends])


def balanced_accuracy(confusion: NDArray[np.int64]) -> float:
    """Balanced accuracy: the mean share that is recognised of the classes that have samples."""
    samples = confusion.sum(axis=1)
    there = samples > 0
    return (
        float((np.diag(confusion)[there] / samples[there]).mean()) if there.any() else float("nan")
    )


def median_interval(values: Array) -> Interval:
    """95 % interval of the median from order statistics, whatever the values' distribution.

    The number of values below the true median is binomial: the interval reaches from the l-th
    smallest to the l-th largest, with the largest l that keeps 95 %. Fewer than six values cannot
    reach that; the interval is then all of their range. Source: David & Nagaraja 2003, section 7.1.
    """
    ordered, n = np.sort(values), len(values)
    below = bdtr(np.arange(n), n, 0.5)
    outside = max(int(np.searchsorted(below, (1 - LEVEL) / 2, side="right")), 1)
    return Interval(float(ordered[outside - 1]), float(ordered[n - outside]))


def disagreements(first: NDArray, second: NDArray, task: str) -> NDArray[np.intp]:
    """Rows on which two sets of predictions differ, for numbers the largest difference first."""
    if task == "classification":
        return np.flatnonzero(first != second)
    distance = np.abs(first - second)
    order = np.argsort(-distance, kind="stable")
    return order[distance[order] > 0]


def block_of(n: int) -> int:
    """Resamples of n rows that are unpacked at a time."""
    return max(1, UNPACKED // n)


@lru_cache(maxsize=1)
def draw_resamples(n: int, seed: int) -> NDArray[np.unsignedinteger]:
    """How often each of n rows is drawn in each resample, shape (resamples, n), read-only.

    In the smallest integers that hold them: of many rows they are the largest array of a curve.
    The last ones stay, for the next curve of the same rows.
    """
    random, shares = np.random.default_rng(seed), np.full(n, 1 / n)
    counts = np.zeros((_RESAMPLES, n), np.uint8)
    for start in range(0, _RESAMPLES, block_of(n)):
        stop = min(start + block_of(n), _RESAMPLES)
        block = random.multinomial(n, shares, size=stop - start)
        counts = counts.astype(
            np.promote_types(counts.dtype, np.min_scalar_type(block.max())), copy=False
        )
        counts[start:stop] = block
    counts.flags.writeable = False
    return counts


class Comparison:
    """Scores of many models on the same samples, held against one reference's.

    Parameters
    ----------
    reference : ndarray, shape (N,)
        The reference's predictions.
    target : ndarray, shape (N,)
    task : str
    seed : int
        Of the resamples of R², which all models share (a paired bootstrap).
    """

    def __init__(self, reference: NDArray, target: NDArray, task: str, seed: int = 0):
        self._target, self._task, self._seed = target, task, seed
        self._reference_predicted = reference[None]
        self._reference_score = score(reference, target, task)

    def intervals(self, predicted: NDArray) -> tuple[Array, Array]:
        """Ends of each score's 95 % interval, for predictions of shape (models, N).

        Wilson's for an accuracy; for R² a symmetric bootstrap-t of the logarithm of 1 − R², so
        that no end lies above 1.
        """
        if self._task == "classification":
            n = len(self._target)
            ends = [wilson((row == self._target).sum(), n) for row in predicted]
            return np.array([e.low for e in ends]), np.array([e.high for e in ends])
        (observed, error), (resampled, errors) = self._bootstrap(
            self._compute_squared_errors(predicted)
        )
        if len(self._target) < FEW:
            low, high = bootstrap_ends(resampled, errors, observed, error, LEVEL)
            return 1 - high, np.minimum(1 - low, 1.0)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            logarithms = np.log(resampled), errors / resampled, np.log(observed), error / observed
            low, high = bootstrap_ends(*logarithms, LEVEL)
            perfect = observed == 0
            return np.where(perfect, 1.0, 1 - np.exp(high)), np.where(perfect, 1.0, 1 - np.exp(low))

    def changes(self, predicted: NDArray, confidence: float = LEVEL) -> tuple[Array, Array, Array]:
        """Each score minus the reference's, and the ends of its interval.

        A score interval for paired proportions (Tango 1998) for an accuracy, a paired
        bootstrap's (symmetric bootstrap-t) for R².
        """
        change = self._compute_scores(predicted) - self._reference_score
        reference = self._reference_predicted
        if self._task == "classification":
            before, after = reference == self._target, predicted == self._target
            gains, losses = (after & ~before).sum(axis=1), (before & ~after).sum(axis=1)
            low, high = score_ends(gains, losses, len(self._target), confidence)
            return change, low, high
        gained = self._compute_squared_errors(reference) - self._compute_squared_errors(predicted)
        (observed, error), (resampled, errors) = self._bootstrap(gained)
        return change, *bootstrap_ends(resampled, errors, observed, error, confidence)

    def _compute_scores(self, predicted: NDArray) -> Array:
        return np.array([score(row, self._target, self._task) for row in predicted])

    def _compute_squared_errors(self, predicted: NDArray) -> Array:
        return (predicted - self._target.astype(np.float64)) ** 2

    def _bootstrap(self, values: Array) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
        """Shares of the target's spread that values of shape (models, N) sum to, with their errors.

        Of the samples themselves, each of shape (models,), and of every resample, each of shape
        (models, resamples).
        """
        counts, n = draw_resamples(len(self._target), self._seed), len(self._target)
        blocks = np.array_split(counts, range(block_of(n), len(counts), block_of(n)))
        parts = [self._sum_shares(values, block.astype(np.float64)) for block in blocks]
        resampled, errors = (np.hstack(each) for each in zip(*parts, strict=True))
        observed, error = self._sum_shares(values, np.ones((1, n)))
        return (observed[:, 0], error[:, 0]), (resampled, errors)

    def _sum_shares(self, values: Array, counts: Array) -> tuple[Array, Array]:
        """Sums of values as shares of the target's spread, and their standard errors.

        Parameters
        ----------
        values : ndarray, shape (models, N)
        counts : ndarray, shape (resamples, N)
            How often each sample is drawn.

        Returns
        -------
        shares, errors : ndarray, shape (models, resamples)
            The error is the delta method's, from each sample's influence
            (value − share · distance from the mean²) / spread.
        """
        target = self._target.astype(np.float64)
        target -= target.mean()
        drawn, transposed = counts.sum(axis=1), counts.T
        sums = [counts @ target**power for power in range(1, 5)]
        mean = sums[0] / drawn
        spread = sums[1] - drawn * mean**2
        # Sums of (target − mean)² times the values, and of (target − mean)⁴.
        crossed = (
            (values * target**2) @ transposed
            - 2 * mean * ((values * target) @ transposed)
            + mean**2 * (values @ transposed)
        )
        fourth = sums[3] - 4 * mean * sums[2] + 6 * mean**2 * sums[1] - 3 * drawn * mean**4
        with np.errstate(divide="ignore", invalid="ignore"):
            share = values @ transposed / spread
            squares = values**2 @ transposed - 2 * share * crossed + share**2 * fourth
            return share, np.sqrt(np.maximum(squares, 0.0)) / spread
