"""Score against rank: one decomposition a layer, every rank judged."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from typing import Any

import torch

from ..curve import Curve, CurveBuilder
from ..training import Data, Reference, Report, Samples, capped_threads, keep_going
from .networks import ascending, prepare


def low_rank_curve(
    reference: Reference,
    dataset: Data,
    method: str = "truncated_svd",
    ranks: Iterable[int] | None = None,
    layers: Sequence[str] | str | None = None,
    *,
    ridge: float = 0.0,
    calibration: str = "reference",
    report: Report = keep_going,
) -> Curve:
    """Compress to every rank and judge each.

    One rank applies to all chosen layers, capped at what each can use: from its break-even rank
    on a layer stays dense, at no loss.

    Parameters
    ----------
    reference : Reference
    dataset : Dataset
        The one that the reference was trained on.
    method : str
        A name of ``compression.LOW_RANK_METHODS``.
    ranks : iterable of int, optional
        In any order; every rank up to the largest full rank when left out.
    layers : names of layers, or one name, optional
        When left out every linear layer, or, for a method that takes convolutions only, every
        convolution that it takes.
    ridge : float
        σ², in squared units of a layer's inputs, for methods that have one.
    calibration : str
        Where methods that look at a layer's inputs take them from: "reference", or "sequential",
        the network whose layers before are compressed already (every rank is decomposed anew).
    report : callable
        Called after each rank with (done, total, a function that gives the curve so far);
        returning False ends the curve there.

    Raises
    ------
    ArgumentError
        Unknown method or layer, or a rank that no layer can have; the message names the
        possible ones. Or a layer's weight cannot be factorised.
    NotApplicableError
        The method takes none of the network's layers, or not all of the named ones.
    """
    with capped_threads(), torch.no_grad():
        samples = Samples(dataset)
        family = prepare(reference, samples, method, layers, ridge=ridge, calibration=calibration)
        values = ascending(ranks, family.max_rank)
        judge = CurveBuilder(reference, dataset, samples)
        described: dict[str, Any] = {
            "knob": "rank",
            "method": method,
            "spectra": {n: d.singular_values for n, d in family.decompositions.items()},
            "_network": lambda row: copy.deepcopy(family.at(values[row])),
        }
        # Rows that compress the same layers to the same ranks are judged once.
        effective = [family.effective(rank) for rank in values]
        new = [not row or effective[row] != effective[row - 1] for row in range(len(values))]
        distinct = [rank for rank, is_new in zip(values, new, strict=True) if is_new]
        evaluated = family.evaluated(samples.x, distinct)
        for row, rank in enumerate(values):
            if new[row]:
                network, outputs = next(evaluated)
                judge.add(rank, outputs, network)
            else:
                judge.repeat(rank)
            if not report(row + 1, len(values), lambda: judge.curve(**described)):
                break
        return judge.curve(**described)
