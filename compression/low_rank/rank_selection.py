"""Ranks that rules choose from what training and validation rows say; the test part only reports."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

import numpy as np
import pandas as pd

from ..argument_checks import check_arguments
from ..catalog import LOW_RANK_METHODS, find
from ..curve import Curve
from ..errors import ArgumentError
from ..suggestion import row_within
from ..threads import in_one_thread
from ..training import DatasetLike, Reference, samples_for
from .curve import low_rank_curve
from .decomposition import Array
from .networks import Ranks, prepare
from .spectrum import ENERGY_SHARES
from .variational_rank import variational_rank

LOSSES = (0.005, 0.01, 0.02, 0.05)
"""Of the validation score."""


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


@check_arguments
@in_one_thread
def ranks_for_energy(
    reference: Reference,
    dataset: DatasetLike,
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
    all_ranks = prepare(reference, samples_for(reference, dataset), method, layers, ridge=ridge)
    return _keep_energy(all_ranks, share)


@in_one_thread
def rules_curve(
    reference: Reference,
    dataset: DatasetLike,
    tried: pd.DataFrame,
    reference_score: float,
    method: str = "truncated_svd",
    layers: Sequence[str] | str | None = None,
    *,
    ridge: float = 0.0,
    calibration: str = "reference",
) -> Curve:
    """What the rules that need no further training choose, judged.

    Parameters
    ----------
    reference : Reference
    dataset : Dataset
        The one that the reference was trained on.
    tried : DataFrame
        Ranks and what came of them, a curve's columns: knob, parameters, validation_score.
    reference_score : float
        Of the uncompressed network on the validation part.
    method, layers, ridge, calibration
        As for :func:`compression.low_rank_curve`.

    Returns
    -------
    Curve
        One row a rule. Besides the usual columns: rule, "energy" (a rank a layer that keeps a
        share of each one's energy), "variational" (a rank a layer by variational Bayes, at least
        1; of methods that work on matrices) or "loss" (the rank of the smallest model within a
        loss of validation score; where there is none, the reference itself); amount, that share
        or loss, NaN where there is none; ranks, a dict layer -> rank or None for dense.
    """
    # Ranks are chosen by the energy on the reference's inputs, wherever factors are calibrated.
    all_ranks = prepare(reference, samples_for(reference, dataset), method, layers, ridge=ridge)
    lines: list[dict] = [
        {"rule": "energy", "amount": share, "ranks": _keep_energy(all_ranks, share)}
        for share in ENERGY_SHARES
    ]
    if find(LOW_RANK_METHODS, method, "low-rank method").works_on_matrices:
        lines.append({"rule": "variational", "amount": np.nan, "ranks": _keep_signal(all_ranks)})
    for loss in LOSSES:
        effective: dict[str, int] = {}
        with suppress(ArgumentError):  # no rank is that good: what is left is the reference itself
            row = row_within(tried, reference_score, loss)
            effective = all_ranks.find_compressed(int(tried["knob"].iloc[row]))
        ranks = {**dict.fromkeys(all_ranks.layers), **effective}
        lines.append({"rule": "loss", "amount": loss, "ranks": ranks})
    chosen = [line["ranks"] for line in lines]
    curve = low_rank_curve(
        reference, dataset, method, chosen, layers, ridge=ridge, calibration=calibration
    )
    named = {name: [line[name] for line in lines] for name in ("rule", "amount", "ranks")}
    return replace(curve, table=curve.table.assign(**named))


def _keep_energy(all_ranks: Ranks, share: float) -> dict[str, int | None]:
    ranks: dict[str, int | None] = {}
    for name, decomposition in all_ranks.decompositions.items():
        try:
            ranks[name] = rank_for_energy(decomposition.errors, share)
        except ArgumentError:
            ranks[name] = None
    return {name: all_ranks.find_compressed(ranks).get(name) for name in ranks}


def _keep_signal(all_ranks: Ranks) -> dict[str, int | None]:
    """Each layer's rank by variational Bayes, of the spectrum that the method truncates."""
    ranks: dict[str, int | None] = {}
    for name, each in all_ranks.decompositions.items():
        rows, columns = each.shape[0], math.prod(each.shape[1:])
        ranks[name] = max(variational_rank(each.singular_values, (rows, columns)), 1)
    return {name: all_ranks.find_compressed(ranks).get(name) for name in ranks}
