"""Score against rank: one decomposition a layer, every rank judged."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from ..catalog import LOW_RANK_METHODS, find
from ..curve import Curve, CurveBuilder
from ..errors import ArgumentError
from ..network import matrix, pick_layers
from ..training import Data, Reference, Report, Samples, capped_threads, keep_going
from .networks import Ranks, layer_inputs, pays


def low_rank_curve(
    reference: Reference,
    dataset: Data,
    method: str = "truncated_svd",
    ranks: Iterable[int] | None = None,
    layers: Sequence[str] | str | None = None,
    *,
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
        All linear layers when left out.
    report : callable
        Called after each rank with (done, total, a function that gives the curve so far);
        returning False ends the curve there.

    Raises
    ------
    ArgumentError
        Unknown method or layer, or a rank that no layer can have; the message names the
        possible ones.
    CompressionError
        A layer's weight cannot be factorised.
    """
    entry = find(LOW_RANK_METHODS, method, "low-rank method")
    chosen = pick_layers(reference.network, layers)
    if layers is None:
        chosen = {n: m for n, m in chosen.items() if isinstance(m, nn.Linear)}
    weights = {name: matrix(layer) for name, layer in chosen.items()}
    largest = max(min(weight.shape) for weight in weights.values())
    values = _check_ranks(ranks, largest)
    with capped_threads(), torch.inference_mode():
        samples = Samples(dataset)
        implementation = entry.load()()
        inputs: dict[str, Any] = dict.fromkeys(chosen)
        if entry.needs_inputs:
            inputs = layer_inputs(reference.network, samples.x[samples.fit], chosen)
        family = Ranks(
            reference.network,
            chosen,
            {name: implementation.decompose(weights[name], inputs[name]) for name in chosen},
        )
        judge = CurveBuilder(reference, dataset, samples)
        described: dict[str, Any] = {
            "knob": "rank",
            "method": method,
            "spectra": {n: d.singular_values for n, d in family.decompositions.items()},
            "_network": lambda row: copy.deepcopy(family.at(values[row])),
        }
        outputs = family.outputs(samples.x, values)
        dense = False
        for done, rank in enumerate(values, start=1):
            if dense:
                judge.repeat(rank)
            else:
                judge.add(rank, next(outputs), family.at(rank))
            dense = not any(pays(layer, rank) for layer in chosen.values())
            if not report(done, len(values), lambda: judge.curve(**described)):
                break
        return judge.curve(**described)


def _check_ranks(ranks: Iterable[int] | None, largest: int) -> list[int]:
    if ranks is None:
        return list(range(1, largest + 1))
    values = list(ranks)
    for rank in values:
        whole = isinstance(rank, (int, np.integer)) and not isinstance(rank, bool)
        if not whole or not 1 <= rank <= largest:
            raise ArgumentError(
                f"rank {rank} is not possible for these layers: choose 1 to {largest}"
            )
    if not values:
        raise ArgumentError(f"no rank was given: choose from 1 to {largest}")
    return sorted({int(rank) for rank in values})
