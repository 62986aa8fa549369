"""K-fold cross-validation of the rank, with the one-standard-error rule.

A score is higher the better; every score here comes from training rows held out, never from test
rows.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from ..argument_checks import check_arguments
from ..errors import ArgumentError, CancelledError
from ..threads import in_one_thread
from ..training import DatasetLike, Report, check_seed, keep_going, train
from .curve import low_rank_curve
from .decomposition import Array

INNER_FOLDS = 7
"""Of each fold's rows to fit, every seventh is set aside to say when to stop training."""

Rows = NDArray[np.intp]
FitAndScore = Callable[[Rows, Rows], Mapping[int, float]]
"""``(rows to fit, rows held out) -> rank -> score``."""


@dataclass(frozen=True, eq=False)
class CrossValidation:
    """Scores of every rank on rows that took no part in the fit.

    Attributes
    ----------
    ranks : ndarray of int, shape (ranks,)
    scores : ndarray, shape (folds, ranks)
    """

    ranks: NDArray[np.int64]
    scores: Array

    @property
    def mean(self) -> Array:
        """Over folds; shape (ranks,)."""
        return self.scores.mean(axis=0)

    @property
    def standard_error(self) -> Array:
        """Of the mean, from the spread over folds; shape (ranks,)."""
        return self.scores.std(axis=0, ddof=1) / np.sqrt(len(self.scores))

    @property
    def best(self) -> int:
        """The rank of the best mean score, the smallest of equals."""
        best = self.mean == self.mean.max()
        return int(self.ranks[best].min())

    @property
    def threshold(self) -> float:
        """One standard error below the best mean score."""
        best = int(np.flatnonzero(self.ranks == self.best)[0])
        return float(self.mean[best] - self.standard_error[best])

    @property
    def chosen(self) -> int:
        """The smallest rank whose mean score reaches :attr:`threshold`."""
        return int(self.ranks[self.mean >= self.threshold].min())

    @property
    def table(self) -> pd.DataFrame:
        """One row a rank: rank, mean, standard_error, chosen (whether it is the one)."""
        return pd.DataFrame(
            {
                "rank": self.ranks,
                "mean": self.mean,
                "standard_error": self.standard_error,
                "chosen": self.ranks == self.chosen,
            }
        )


@check_arguments
@in_one_thread
def cross_validated_rank(
    dataset: DatasetLike,
    model: str = "mlp",
    seed: int = 0,
    method: str = "truncated_svd",
    ranks: Iterable[int] | None = None,
    layers: Sequence[str] | str | None = None,
    *,
    folds: int = 5,
    training_epochs: int | None = None,
    ridge: float = 0.0,
    calibration: str = "reference",
    epochs: int = 0,
    report: Report = keep_going,
) -> CrossValidation:
    """K-fold cross-validation of the rank, with the one-standard-error rule.

    In each fold a network is trained from its model's recipe on the other folds' rows, some of
    which say when to stop, compressed to every rank, and scored on the rows held out. The test
    part takes no part. (The inputs were standardised with the whole training part's statistics.)

    Parameters
    ----------
    dataset : Dataset
    model : str
        A name of ``compression.MODELS``.
    seed : int
        Of the folds, the initial weights and the order of the rows.
    method, ranks, layers, ridge, calibration, epochs
        As for :func:`compression.low_rank_curve`.
    folds : int
        K, >= 2.
    training_epochs : int, optional
        The most epochs of each fold's training; the model's recipe says when left out.
    report : callable
        Called after each fold with (done, total, a function that gives the folds so far: None
        for a single one); returning False ends it there.

    Returns
    -------
    CrossValidation
        ``chosen`` is the rank, ``table`` the error bars.

    Raises
    ------
    ArgumentError
        The folds do not fit the rows; also as :func:`compression.low_rank_curve` does.
    CancelledError
        It was ended before there were two folds.
    NotApplicableError
        The model cannot learn this dataset, or has no layer for the method.
    """
    rank_list = None if ranks is None else list(ranks)
    check_seed(seed)

    def fit_and_score(fit: Rows, held_out: Rows) -> dict[int, float]:
        part = _FoldDataset.from_rows(dataset, fit, held_out, seed)
        curve = low_rank_curve(
            train(part, model, seed, training_epochs),
            part,
            method,
            rank_list,
            layers,
            ridge=ridge,
            calibration=calibration,
            epochs=epochs,
        )
        return dict(zip(curve.table["knob"], curve.table["score"], strict=True))

    labels = _find_strata(dataset, dataset.y_train)
    return cross_validate(fit_and_score, len(dataset.x_train), folds, seed, labels, report)


def one_standard_error(ranks: Sequence[int], scores: ArrayLike) -> CrossValidation:
    """The one-standard-error rule on scores that are already there.

    Parameters
    ----------
    ranks : sequence of int
    scores : array_like, shape (folds, ranks)

    Returns
    -------
    CrossValidation
        Its ``chosen`` is the smallest rank whose mean score is within one standard error of the
        best. Source: Breiman, Friedman, Olshen & Stone 1984.

    Raises
    ------
    ArgumentError
        There are fewer than two folds, a score is missing, or the shapes do not fit.
    """
    ranks_, table = _check_scores(ranks, np.asarray(scores, dtype=np.float64))
    if len(table) < 2:
        raise ArgumentError("one fold has no standard error: give the scores of at least 2")
    if not np.isfinite(table).all():
        raise ArgumentError("a fold has no score at some rank: leave that rank, or that fold, out")
    return CrossValidation(ranks_, table)


def cross_validate(
    fit_and_score: FitAndScore,
    n_rows: int,
    folds: int = 5,
    seed: int = 0,
    labels: ArrayLike | None = None,
    report: Report = keep_going,
) -> CrossValidation:
    """K-fold cross-validation of the rank, with the fit repeated in every fold.

    Parameters
    ----------
    fit_and_score : callable
        ``(rows to fit, rows held out) -> rank -> score``, rows as index arrays. It fits a network
        on the first, and scores it at every rank on the second.
    n_rows : int
        Training rows; >= folds.
    folds : int
        K, from 2 to ``n_rows``.
    seed : int
        For the shuffle.
    labels : array_like, shape (n_rows,), optional
        Classes, to have each in every fold in like numbers.
    report : callable
        Called after each fold with (done, total, a function that gives the folds so far: None
        for a single one); returning False ends it there.

    Returns
    -------
    CrossValidation

    Raises
    ------
    ArgumentError
        The folds do not fit the rows, or are not scored at the same ranks.
    CancelledError
        It was ended before there were two folds.
    """
    scores: list[Mapping[int, float]] = []

    def build_result() -> CrossValidation | None:
        return _join_folds(scores) if len(scores) > 1 else None

    for fit, held_out in split_folds(n_rows, folds, seed, labels):
        scores.append(fit_and_score(fit, held_out))
        if not report(len(scores), folds, build_result):
            break
    result = build_result()
    if result is None:
        raise CancelledError("cross-validation was stopped before its second fold")
    return result


def _join_folds(scores: Sequence[Mapping[int, float]]) -> CrossValidation:
    ranks = sorted(scores[0])
    if any(sorted(fold) != ranks for fold in scores):
        raise ArgumentError("every fold needs a score at the same ranks")
    return one_standard_error(ranks, [[fold[rank] for rank in ranks] for fold in scores])


def split_folds(
    n_rows: int, folds: int, seed: int = 0, labels: ArrayLike | None = None
) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """``(rows to fit, rows held out)`` for each fold; every row is held out once.

    With labels, the folds' shares of a class differ by one row at most, however rare the class.
    """
    from sklearn.model_selection import KFold, StratifiedKFold

    if not 2 <= folds <= n_rows:
        raise ArgumentError(
            f"{folds} folds of {n_rows} rows are not possible: choose 2 to {n_rows}"
        )
    check_seed(seed)
    if labels is None:
        return list(KFold(folds, shuffle=True, random_state=seed).split(np.zeros(n_rows)))
    classes = np.asarray(labels)
    if classes.shape != (n_rows,):
        raise ArgumentError(f"labels of shape {classes.shape} do not fit {n_rows} rows")
    # scikit-learn refuses more folds than the largest class has rows: add a class with a row for
    # each fold, and remove it afterwards.
    codes = np.append(np.unique(classes, return_inverse=True)[1], np.full(folds, -1))
    splits = StratifiedKFold(folds, shuffle=True, random_state=seed)
    with warnings.catch_warnings():  # it warns of rare classes, and spreads them all the same
        warnings.simplefilter("ignore", UserWarning)
        parts = list(splits.split(np.zeros(len(codes)), codes))
    return [(fit[fit < n_rows], held_out[held_out < n_rows]) for fit, held_out in parts]


def _check_scores(ranks: Sequence[int], scores: Array) -> tuple[NDArray[np.int64], Array]:
    numbers = np.asarray(ranks, dtype=np.int64)
    if numbers.ndim != 1 or len(numbers) == 0:
        raise ArgumentError("there are no ranks to choose from: give at least one")
    if scores.ndim != 2 or scores.shape[1] != len(numbers):
        raise ArgumentError(
            f"scores of shape {scores.shape} do not fit {len(numbers)} ranks: "
            f"give (folds, {len(numbers)})"
        )
    return numbers, scores


@dataclass(eq=False)
class _FoldDataset:
    """A dataset whose test part are the rows held out."""

    name: str
    task: str
    input_shape: tuple[int, ...]
    outputs: int
    x_train: NDArray
    y_train: NDArray
    x_test: NDArray
    y_test: NDArray
    fit_rows: NDArray
    validation_rows: NDArray
    fingerprint: str = ""  # trained on and judged here alone

    @classmethod
    def from_rows(
        cls, dataset: DatasetLike, fit: NDArray, held_out: NDArray, seed: int
    ) -> _FoldDataset:
        target = dataset.y_train[fit]
        fit_rows, validation_rows = split_folds(
            len(fit), INNER_FOLDS, seed, _find_strata(dataset, target)
        )[0]
        return cls(
            name=dataset.name,
            task=dataset.task,
            input_shape=dataset.input_shape,
            outputs=dataset.outputs,
            x_train=dataset.x_train[fit],
            y_train=target,
            x_test=dataset.x_train[held_out],
            y_test=dataset.y_train[held_out],
            fit_rows=fit_rows,
            validation_rows=validation_rows,
        )


def _find_strata(dataset: DatasetLike, target: NDArray) -> NDArray | None:
    """What folds are stratified by: classes."""
    return target if dataset.task == "classification" else None
