"""One ruler for everybody: losses, scores, confusion matrices and their uncertainty.

Judges predictions only; it knows neither networks nor methods. The loss is the mean
cross-entropy in nats, or ½ the mean squared error; the score is accuracy, or R².
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]

LEVEL = 0.95
_RESAMPLES = 1000


@dataclass(frozen=True)
class Interval:
    """Where the true value lies, with probability 0.95 under the method's assumptions."""

    low: float
    high: float


def predictions(outputs: Array, task: str) -> NDArray:
    """What a model says of each sample: the class of the largest logit, or the number."""
    return np.argmax(outputs, axis=1) if task == "classification" else outputs[:, 0]


def score(predicted: NDArray, target: NDArray, task: str) -> float:
    """Accuracy in [0, 1], or R² (1 is perfect, 0 the mean's, negative worse than the mean).

    NaN where it is not defined: R² of a target that does not vary.
    """
    if task == "classification":
        return float((predicted == target).mean())
    target = np.asarray(target, np.float64)
    spread = ((target - target.mean()) ** 2).sum()
    return float(1 - ((predicted - target) ** 2).sum() / spread) if spread else float("nan")


def confusion(predicted: NDArray, target: NDArray, classes: int) -> NDArray[np.int64]:
    """Counts, shape (classes, classes): row the true class, column the predicted one."""
    pairs = np.bincount(target * classes + predicted, minlength=classes**2)
    return pairs.reshape(classes, classes)


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


class Comparison:
    """Scores of many models on the same samples, held against one reference's.

    Parameters
    ----------
    reference : ndarray, shape (N,)
        The reference's predictions.
    target : ndarray, shape (N,)
    task : str
    seed : int
        Of the resamples, which all models share (a paired bootstrap).
    """

    def __init__(self, reference: NDArray, target: NDArray, task: str, seed: int = 0):
        n = len(target)
        draws = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=_RESAMPLES)
        self._counts = draws.astype(np.float32)  # small whole numbers: exact
        self._target, self._task = target, task
        self._reference = self._resampled(reference[None])
        self._reference_score = score(reference, target, task)

    def intervals(self, predicted: NDArray) -> tuple[Array, Array]:
        """Ends of each score's 95 % interval, for predictions of shape (models, N).

        Wilson's for an accuracy, the bootstrap's percentiles for R².
        """
        if self._task == "classification":
            n = len(self._target)
            ends = [wilson((row == self._target).sum(), n) for row in predicted]
            return np.array([e.low for e in ends]), np.array([e.high for e in ends])
        return self._percentiles(self._resampled(predicted))

    def changes(self, predicted: NDArray) -> tuple[Array, Array, Array]:
        """Each score minus the reference's, and the ends of its paired-bootstrap 95 % interval."""
        scores = np.array([score(row, self._target, self._task) for row in predicted])
        low, high = self._percentiles(self._resampled(predicted) - self._reference)
        return scores - self._reference_score, low, high

    def _resampled(self, predicted: NDArray) -> Array:
        """The scores in every resample, shape (models, resamples)."""
        if self._task == "classification":
            right = (predicted == self._target).astype(np.float32)
            return right @ self._counts.T / len(self._target)
        counts, target = self._counts.astype(np.float64), self._target.astype(np.float64)
        mean = counts @ target / len(target)
        spread = counts @ target**2 - len(target) * mean**2
        with np.errstate(divide="ignore", invalid="ignore"):
            return 1 - (predicted - target) ** 2 @ counts.T / spread

    @staticmethod
    def _percentiles(values: Array) -> tuple[Array, Array]:
        tail = 100 * (1 - LEVEL) / 2
        low, high = np.nanpercentile(values, [tail, 100 - tail], axis=1)
        return low, high
