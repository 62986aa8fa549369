"""Rules that choose one rank from what is known about many.

A score is higher the better; every score here comes from training or validation rows, never from
test rows.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from ..errors import ArgumentError, CancelledError
from ..training import Report, keep_going
from .decomposition import Array

Rows = NDArray[np.intp]
FitAndScore = Callable[[Rows, Rows], Mapping[int, float]]
"""``(rows to fit, rows held out) -> rank -> score``."""


def rank_for_energy(errors: Array, share: float) -> int:
    """Smallest rank that keeps a share of what there is to keep.

    Parameters
    ----------
    errors : ndarray, shape (r + 1,)
        A decomposition's: loss at rank 0, 1, ..., r, in the method's own squared unit.
    share : float
        In (0, 1], of ``errors[0]``.

    Returns
    -------
    int
        From 1 to r.

    Raises
    ------
    ArgumentError
        The share is outside (0, 1], or no prepared rank keeps that much.
    """
    errors = np.asarray(errors, dtype=np.float64)
    if not 0 < share <= 1:
        raise ArgumentError(f"energy share {share} is not possible: choose above 0, up to 1")
    if errors[0] == 0:
        return 1
    kept = 1 - errors / errors[0]
    enough = np.flatnonzero(kept >= share)
    if len(enough) == 0:
        raise ArgumentError(
            f"rank {len(errors) - 1} keeps only {kept[-1]:.4f} of the energy: "
            "ask for no more than that, or prepare larger ranks"
        )
    return max(1, int(enough[0]))


def rank_within_loss(ranks: Sequence[int], scores: ArrayLike, loss: float, reference: float) -> int:
    """Smallest rank whose validation score is within a stated loss of the reference's.

    Parameters
    ----------
    ranks : sequence of int
    scores : array_like, shape (ranks,)
        On validation rows; not finite where there is none.
    loss : float
        >= 0, in the score's unit: 0.01 is one point of accuracy.
    reference : float
        Score of the uncompressed network on the same rows.

    Returns
    -------
    int
        All that matters is this rank's own score, so a larger rank may miss it by chance.

    Raises
    ------
    ArgumentError
        No rank is that good; the message names the smallest loss that is possible.
    """
    ranks_, table = _checked(ranks, np.atleast_1d(np.asarray(scores, dtype=np.float64))[None])
    if not loss >= 0:
        raise ArgumentError(f"loss {loss} is not possible: choose a number >= 0")
    values = np.where(np.isfinite(table[0]), table[0], -np.inf)
    enough = values >= reference - loss
    if not enough.any():
        raise ArgumentError(
            f"no rank scores within {loss:g} of {reference:g}: "
            f"the best loses {reference - values.max():g}"
        )
    return int(ranks_[enough].min())


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
    ranks_, table = _checked(ranks, np.asarray(scores, dtype=np.float64))
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

    def so_far() -> CrossValidation | None:
        return _of_folds(scores) if len(scores) > 1 else None

    for fit, held_out in split(n_rows, folds, seed, labels):
        scores.append(fit_and_score(fit, held_out))
        if not report(len(scores), folds, so_far):
            break
    found = so_far()
    if found is None:
        raise CancelledError("cross-validation was stopped before its second fold")
    return found


def _of_folds(scores: Sequence[Mapping[int, float]]) -> CrossValidation:
    ranks = sorted(scores[0])
    if any(sorted(fold) != ranks for fold in scores):
        raise ArgumentError("every fold needs a score at the same ranks")
    return one_standard_error(ranks, [[fold[rank] for rank in ranks] for fold in scores])


def split(
    n_rows: int, folds: int, seed: int = 0, labels: ArrayLike | None = None
) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """``(rows to fit, rows held out)`` for each fold; every row is held out once.

    With labels, the folds' shares of a class differ by one row at most, however rare the class.
    """
    if not 2 <= folds <= n_rows:
        raise ArgumentError(
            f"{folds} folds of {n_rows} rows are not possible: choose 2 to {n_rows}"
        )
    order = np.random.default_rng(seed).permutation(n_rows)
    if labels is not None:
        classes = np.asarray(labels)
        if classes.shape != (n_rows,):
            raise ArgumentError(f"labels of shape {classes.shape} do not fit {n_rows} rows")
        order = order[np.argsort(classes[order], kind="stable")]
    # Dealt out one by one, like cards.
    fold = np.empty(n_rows, dtype=np.intp)
    fold[order] = np.arange(n_rows) % folds
    return [(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(folds)]


def _checked(ranks: Sequence[int], scores: Array) -> tuple[NDArray[np.int64], Array]:
    numbers = np.asarray(ranks, dtype=np.int64)
    if numbers.ndim != 1 or len(numbers) == 0:
        raise ArgumentError("there are no ranks to choose from: give at least one")
    if scores.ndim != 2 or scores.shape[1] != len(numbers):
        raise ArgumentError(
            f"scores of shape {scores.shape} do not fit {len(numbers)} ranks: "
            f"give (folds, {len(numbers)})"
        )
    return numbers, scores
