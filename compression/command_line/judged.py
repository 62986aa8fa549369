"""What two models answer on the same data, and by how much their scores differ."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..errors import NotApplicableError
from ..evaluation import Comparison, score, wilson
from ..intervals import Interval, paired_change


@dataclass(frozen=True, eq=False)
class JudgedClasses:
    """Two classifiers' answers.

    Attributes
    ----------
    answers : tuple of two ndarrays, shape (rows,)
        The classes that each answers.
    target : ndarray, shape (rows,)
    difference : float
        Largest difference of an output, NaN where the shapes differ.
    order : str
        How places in the outputs were read as classes, in words.
    """

    answers: tuple[NDArray[Any], NDArray[Any]]
    target: NDArray[Any]
    difference: float
    order: str

    score_name: ClassVar[str] = "accuracy"
    unit: ClassVar[str] = "points"

    @property
    def before(self) -> NDArray[np.bool_]:
        """Whether the first model is right."""
        return np.asarray(self.answers[0] == self.target)

    @property
    def after(self) -> NDArray[np.bool_]:
        """Whether the second model is right."""
        return np.asarray(self.answers[1] == self.target)

    @property
    def scores(self) -> tuple[float, float]:
        return float(self.before.mean()), float(self.after.mean())

    @property
    def floor(self) -> float:
        """Share of the most frequent class."""
        _, counts = np.unique(self.target, return_counts=True)
        return float(counts.max() / len(self.target))

    def change(self, confidence: float) -> Interval:
        """Of accuracy, in points / 100; ``confidence`` in (0, 1)."""
        return paired_change(self.before, self.after, confidence)

    def check_fit(self, name: str) -> None:
        """Raise NotApplicableError where a model says no more than the most frequent class."""
        interval = wilson(int(self.before.sum()), len(self.target))
        if interval.high <= self.floor:
            raise NotApplicableError(
                f"{name} is right on {self.scores[0]:.2%} of the rows, always answering the most "
                f"frequent class on {self.floor:.2%}: the data are not as the model reads them, "
                f"or its classes stand in another order ({self.order})"
            )

    def describe(self, names: tuple[str, str]) -> str:
        before, after = self.scores
        return (
            f"{names[1]} is right on {after:.2%} of {len(self.target):,} rows, {names[0]} on "
            f"{before:.2%}"
        )

    @property
    def facts(self) -> dict[str, Any]:
        """For a machine to read."""
        return {
            "accuracy_before": self.scores[0],
            "accuracy_after": self.scores[1],
            "majority_class": self.floor,
            "only_before_right": int((self.before & ~self.after).sum()),
            "only_after_right": int((self.after & ~self.before).sum()),
            "same_answers": float((self.answers[0] == self.answers[1]).mean()),
        }

    def describe_floor(self) -> str:
        return f"The most frequent class alone: {self.floor:.2%}."


@dataclass(frozen=True, eq=False)
class JudgedNumbers:
    """Two regressors' answers; attributes as of :class:`JudgedClasses`."""

    answers: tuple[NDArray[Any], NDArray[Any]]
    target: NDArray[Any]
    difference: float

    score_name: ClassVar[str] = "R²"
    unit: ClassVar[str] = "hundredths of R²"
    order: ClassVar[str] = "the output is the number itself"

    @property
    def scores(self) -> tuple[float, float]:
        before, after = (score(answers, self.target, "regression") for answers in self.answers)
        return before, after

    @property
    def errors(self) -> tuple[float, float]:
        """Root mean squared error of each, in the target's unit."""
        before, after = (
            float(np.sqrt(np.mean((answers - self.target) ** 2))) for answers in self.answers
        )
        return before, after

    def change(self, confidence: float) -> Interval:
        """Of R²: a paired bootstrap's interval (symmetric bootstrap-t)."""
        judge = Comparison(self.answers[0], self.target, "regression")
        _, low, high = judge.changes(self.answers[1][None], confidence)
        return Interval(float(low[0]), float(high[0]))

    def check_fit(self, name: str) -> None:
        """Raise NotApplicableError where a model says no more than the target's mean."""
        if len(self.target) < 3 or np.ptp(self.target) == 0:
            raise NotApplicableError("the target does not vary: R² says nothing of it")
        answers = self.answers[0]
        _, high = Comparison(answers, self.target, "regression").intervals(answers[None])
        if not high[0] > 0:
            raise NotApplicableError(
                f"{name} has an R² of {self.scores[0]:.3f}, always answering the mean has 0: the "
                "data are not as the model reads them, or the target has another unit"
            )

    def describe(self, names: tuple[str, str]) -> str:
        (before, after), (error_before, error_after) = self.scores, self.errors
        return (
            f"{names[1]} has an R² of {after:.4f} (RMSE {error_after:.4g}) on "
            f"{len(self.target):,} rows, {names[0]} of {before:.4f} (RMSE {error_before:.4g})"
        )

    @property
    def facts(self) -> dict[str, Any]:
        """For a machine to read."""
        return {
            "r2_before": self.scores[0],
            "r2_after": self.scores[1],
            "rmse_before": self.errors[0],
            "rmse_after": self.errors[1],
        }

    def describe_floor(self) -> str:
        return "Always answering the mean: 0."


Judged = JudgedClasses | JudgedNumbers
