"""Which rows are learnt from, which are chosen by, and which are tested on."""

from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray

TEST_SHARE = 0.2
VALIDATION_SHARE = 0.15  # share of the rows outside the test part

Rows = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Split:
    """Rows of a whole table, each part ascending."""

    fit: Rows
    validation: Rows
    test: Rows

    @property
    def train(self) -> Rows:
        """Rows outside the test part."""
        return np.sort(np.concatenate([self.fit, self.validation]))


def split_rows(
    rows: int,
    seed: int,
    y: NDArray[np.int64] | None = None,
    *,
    groups: NDArray[Any] | None = None,
    times: NDArray[Any] | None = None,
    test: NDArray[np.bool_] | None = None,
) -> Split:
    """Split rows: stratified by class, by groups that stay whole, or by time.

    Parameters
    ----------
    rows : int
    seed : int
        Has no part in a split by time.
    y : ndarray of int64, shape (rows,), optional
        Classes; None for regression.
    groups, times : ndarray, shape (rows,), optional
        At most one of them. No group is in two parts; no row is later than one that is tested on
        or chosen by in its place, and equal times stay together.
    test : ndarray of bool, shape (rows,), optional
        A test part that was given; the validation part is still drawn.
    """

    def set_part_aside(which: Rows, share: float, least: int) -> tuple[Rows, Rows]:
        labels = None if y is None else y[which]
        if groups is not None:
            keep, out = set_groups_aside(groups[which], share, seed, labels)
        elif times is not None:
            keep, out = set_latest_aside(times[which], share, least)
        else:
            keep, out = set_aside(len(which), share, seed, labels)
        return which[keep], which[out]

    everything = np.arange(rows)
    if test is None:
        train, tested = set_part_aside(everything, TEST_SHARE, 2)
    else:
        train, tested = everything[~test], everything[test]
    fit, validation = set_part_aside(np.sort(train), VALIDATION_SHARE, 1)
    return Split(np.sort(fit), np.sort(validation), np.sort(tested))


def set_aside(
    rows: int, share: float, seed: int, y: NDArray[np.int64] | None = None
) -> tuple[Rows, Rows]:
    """The rows to keep, and those set aside."""
    from sklearn.model_selection import train_test_split

    # A stratified part needs room for one row of each class.
    smallest = 1 if y is None else len(np.unique(y))
    keep, aside = train_test_split(
        np.arange(rows), test_size=max(ceil(share * rows), smallest), random_state=seed, stratify=y
    )
    if y is not None:
        _share_classes(keep, aside, y)
    return keep, aside


def set_groups_aside(
    groups: NDArray[Any], share: float, seed: int, y: NDArray[np.int64] | None = None
) -> tuple[Rows, Rows]:
    """As ``set_aside``, with each group on one side; both have every class where that can be."""
    import warnings

    from sklearn.model_selection import GroupShuffleSplit, StratifiedGroupKFold

    nothing = np.zeros((len(groups), 1))
    if y is None:
        return next(
            GroupShuffleSplit(1, test_size=share, random_state=seed).split(nothing, groups=groups)
        )
    number = min(round(1 / share), len(np.unique(groups)), int(np.bincount(y).max()))
    folds = StratifiedGroupKFold(number, shuffle=True, random_state=seed)
    with warnings.catch_warnings():  # it warns of classes in too few groups; callers say so
        warnings.simplefilter("ignore", UserWarning)
        splits = [fold for fold in folds.split(nothing, y, groups) if all(map(len, fold))]
    classes = len(np.unique(y))
    # Prefer a fold whose kept rows have every class, then one whose other rows have every class
    # too.
    return max(splits, key=lambda fold: tuple(len(np.unique(y[part])) == classes for part in fold))


def set_latest_aside(times: NDArray[Any], share: float, least: int = 1) -> tuple[Rows, Rows]:
    """As ``set_aside``, with the latest rows aside; rows of one time stay together.

    At least so many different times are kept, and one is aside: there are more than ``least``.
    """
    order = np.argsort(times, kind="stable")
    ordered = times[order]
    starts = np.unique(ordered, return_index=True)[1]
    wanted = np.searchsorted(ordered, ordered[len(times) - ceil(share * len(times))])
    cut = max(int(wanted), int(starts[least]))
    return order[:cut], order[cut:]


def _share_classes(keep: Rows, aside: Rows, y: NDArray[np.int64]) -> None:
    """Give both parts a row of every class, in place; their sizes stay.

    Stratifying rounds: of three rows it may set none aside, or leave too few for the next split.
    A class of two rows that are kept has then one for either part.
    """
    counts = np.bincount(y)
    for label in np.flatnonzero(counts):
        least_kept = min(2, counts[label] - 1)
        for poor, rich, least in ((aside, keep, 1), (keep, aside, least_kept)):
            for _ in range(least - np.count_nonzero(y[poor] == label)):
                surplus = np.bincount(y[poor], minlength=len(counts))
                surplus[label] = 0
                given, taken = np.argmax(y[poor] == surplus.argmax()), np.argmax(y[rich] == label)
                poor[given], rich[taken] = rich[taken], poor[given]
