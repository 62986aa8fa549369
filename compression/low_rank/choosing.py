"""The rank of a whole network, chosen by what training and validation rows say."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from numpy.typing import NDArray

from ..curve import Curve
from ..errors import ArgumentError
from ..training import (
    Data,
    Reference,
    Report,
    capped_threads,
    keep_going,
    samples_for,
    train,
)
from .curve import low_rank_curve
from .networks import prepare
from .selection import (
    CrossValidation,
    Rows,
    cross_validate,
    rank_for_energy,
    rank_within_loss,
    split,
)

INNER_FOLDS = 7
"""Of each fold's rows to fit, every seventh is set aside to say when to stop training."""


def ranks_for_energy(
    reference: Reference,
    dataset: Data,
    share: float,
    method: str = "truncated_svd",
    layers: Sequence[str] | str | None = None,
    *,
    ridge: float = 0.0,
) -> dict[str, int | None]:
    """Each layer's smallest rank that keeps a share of the energy.

    Parameters
    ----------
    reference : Reference
    dataset : Dataset
        The one that the reference was trained on.
    share : float
        In (0, 1], of what rank 0 would lose in the method's own objective.
    method, layers, ridge
        As for :func:`compression.low_rank_curve`.

    Returns
    -------
    dict
        Layer -> rank; None, the dense layer, where that rank would not make it smaller, or where
        no rank keeps as much.
    """
    if not 0 < share <= 1:
        raise ArgumentError(f"energy share {share} is not possible: choose above 0, up to 1")
    with capped_threads():
        family = prepare(reference, samples_for(reference, dataset), method, layers, ridge=ridge)
    ranks: dict[str, int | None] = {}
    for name, decomposition in family.decompositions.items():
        try:
            ranks[name] = rank_for_energy(decomposition.errors, share)
        except ArgumentError:
            ranks[name] = None
    return {name: family.effective(ranks).get(name) for name in ranks}


def rank_within(curve: Curve, loss: float) -> int:
    """Smallest rank of a curve whose validation score is within a loss of the reference's.

    Parameters
    ----------
    curve : Curve
        Of :func:`compression.low_rank_curve`.
    loss : float
        >= 0, in the score's unit: 0.01 is one point of accuracy.

    Raises
    ------
    ArgumentError
        No rank is that good; the message names the smallest loss that is possible.
    """
    table = curve.table
    reference = float(curve.reference["validation_score"])
    return rank_within_loss(table["knob"].to_numpy(), table["validation_score"], loss, reference)


def cross_validated_rank(
    dataset: Data,
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
    asked = None if ranks is None else list(ranks)

    def fit_and_score(fit: Rows, held_out: Rows) -> dict[int, float]:
        part = _Fold.of(dataset, fit, held_out, seed)
        curve = low_rank_curve(
            train(part, model, seed, training_epochs),
            part,
            method,
            asked,
            layers,
            ridge=ridge,
            calibration=calibration,
            epochs=epochs,
        )
        return dict(zip(curve.table["knob"], curve.table["score"], strict=True))

    labels = _labels(dataset, dataset.y_train)
    return cross_validate(fit_and_score, len(dataset.x_train), folds, seed, labels, report)


@dataclass(eq=False)
class _Fold:
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
    def of(cls, dataset: Data, fit: NDArray, held_out: NDArray, seed: int) -> _Fold:
        target = dataset.y_train[fit]
        fit_rows, validation_rows = split(len(fit), INNER_FOLDS, seed, _labels(dataset, target))[0]
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


def _labels(dataset: Data, target: NDArray) -> NDArray | None:
    """What folds are stratified by: classes."""
    return target if dataset.task == "classification" else None
