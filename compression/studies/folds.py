"""Folds: a dataset's training part, split so that each row is chosen by in its turn.

The test part is the seed's own and stays out of it. What is held out takes no part in the fit: the
rows that say when to stop the reference's training are taken from the others.
"""

from dataclasses import dataclass, replace
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray

import data
from compression.errors import ArgumentError

Rows = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Fold:
    """One fold, as two datasets of the same rows.

    Attributes
    ----------
    learning : Dataset
        Its validation rows say when to stop the reference's training.
    judged : Dataset
        Its validation rows are those held out; what said when to stop is in neither part.
    """

    learning: data.Dataset
    judged: data.Dataset


def take_fold(dataset: data.Dataset, fold: int, folds: int, seed: int) -> Fold:
    """One fold of a dataset's training part.

    Stratified by class; groups stay whole. With times each fold holds out the block of rows that
    follows what is learnt from (forward chaining), so that the earliest are never held out.

    Parameters
    ----------
    dataset : Dataset
    fold : int
        From 1 to ``folds``.
    folds : int
        At least 2.
    seed : int
        Of the shuffle; without a part where there are times.

    Raises
    ------
    ArgumentError
        There are fewer rows, groups or times than folds ask for, or a class is left out of what
        is learnt from.
    """
    everything = np.arange(len(dataset.x_train))
    outer, held_out = _split(dataset, everything, folds, seed)[fold - 1]
    # With times, the latest block decides when to stop: it is the nearest to the future.
    which = 0 if dataset.times is None else -1
    inner, stopping = _split(dataset, outer, _count_inner_folds(dataset, outer), seed)[which]
    if dataset.task == "classification":
        missing = np.setdiff1d(np.arange(dataset.classes), dataset.y_train[inner])
        if len(missing):
            raise ArgumentError(
                f"fold {fold} of {folds} leaves no row of {dataset.class_names[missing[0]]!r} to "
                "learn from: choose other folds, or give more rows of it"
            )
    return Fold(
        replace(dataset, fit_rows=inner, validation_rows=stopping),
        replace(dataset, fit_rows=inner, validation_rows=held_out),
    )


def _count_inner_folds(dataset: data.Dataset, rows: Rows) -> int:
    """As many as ``INNER_FOLDS``, or as these rows' groups or times allow, at least 2."""
    from compression.low_rank.cross_validation import INNER_FOLDS

    if dataset.groups is not None:
        return max(min(INNER_FOLDS, len(np.unique(dataset.groups[rows]))), 2)
    if dataset.times is not None:
        return max(min(INNER_FOLDS, len(np.unique(dataset.times[rows])) - 1), 2)
    return INNER_FOLDS


def _split(dataset: data.Dataset, rows: Rows, folds: int, seed: int) -> list[tuple[Rows, Rows]]:
    """``(rows to fit, rows held out)`` for each fold of some training rows, ascending."""
    # Import it here: a study without folds loads no method.
    from compression.low_rank.cross_validation import split_folds

    labels = dataset.y_train[rows] if dataset.task == "classification" else None
    if dataset.groups is not None:
        parts = _split_groups(dataset.groups[rows], folds, seed, labels)
    elif dataset.times is not None:
        parts = _split_times(dataset.times[rows], folds)
    else:
        parts = split_folds(len(rows), folds, seed, labels)
    return [(np.sort(rows[fit]), np.sort(rows[held_out])) for fit, held_out in parts]


def _split_groups(
    groups: NDArray[Any], folds: int, seed: int, labels: NDArray[Any] | None
) -> list[tuple[Rows, Rows]]:
    import warnings

    from sklearn.model_selection import GroupKFold, StratifiedGroupKFold

    if (count := len(np.unique(groups))) < folds:
        raise ArgumentError(f"{count} groups make no {folds} folds: choose 2 to {count}")
    kind = GroupKFold if labels is None else StratifiedGroupKFold
    nothing = np.zeros((len(groups), 1))
    try:
        with warnings.catch_warnings():  # it warns of classes in too few groups; checked below
            warnings.simplefilter("ignore", UserWarning)
            splits = kind(folds, shuffle=True, random_state=seed).split(nothing, labels, groups)
            parts = list(splits)
    except ValueError as error:
        raise ArgumentError(f"these groups make no {folds} folds: {error}") from None
    if not all(len(held_out) for _, held_out in parts):
        raise ArgumentError(f"a fold of {folds} would hold out no group: choose fewer folds")
    return parts


def _split_times(times: NDArray[Any], folds: int) -> list[tuple[Rows, Rows]]:
    """Blocks of about as many rows, one more than folds; rows of one time stay together."""
    order = np.argsort(times, kind="stable")
    ordered = times[order]
    starts = np.unique(ordered, return_index=True)[1]  # first row of each time
    if len(starts) <= folds:
        raise ArgumentError(
            f"{len(starts)} different times make no {folds} folds: choose fewer than that"
        )
    cuts = [0]
    for block in range(1, folds + 1):
        wanted = ceil(block * len(times) / (folds + 1))
        # Leave at least one time to this block, and one to each block after it.
        first, last = np.searchsorted(starts, cuts[-1]) + 1, len(starts) - (folds + 1 - block)
        place = int(np.clip(np.searchsorted(starts, wanted), first, last))
        cuts.append(int(starts[place]))
    return [
        (order[:cut], order[cut:end])
        for cut, end in zip(cuts[1:], [*cuts[2:], len(times)], strict=True)
    ]
