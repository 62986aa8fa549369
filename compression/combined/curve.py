"""Score against rank and bound: low rank and constraints together, every pair judged."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from typing import Any

import numpy as np
from torch import nn

from .. import accounting, storage
from ..argument_checks import check_arguments
from ..catalog import COMBINED_METHODS, CONSTRAINTS, find
from ..constrained.sets import check_bound
from ..constrained.training.setup import ConstrainedStart
from ..curve import Curve, CurveBuilder
from ..errors import ArgumentError
from ..low_rank.decomposition import build, check_rank
from ..low_rank.layers import layers_for
from ..models import recipe_of
from ..network import matrix
from ..threads import in_one_thread
from ..training import DatasetLike, Reference, Report, keep_going, samples_for
from .method import CombinedMethod


@check_arguments
@in_one_thread
def combined_curve(
    reference: Reference,
    dataset: DatasetLike,
    method: str = "low_rank_then_constrained",
    ranks: Iterable[int] | None = None,
    bounds: Iterable[float] | None = None,
    epochs: int = 10,
    *,
    constraint: str = "box",
    warm_start: bool = True,
    report: Report = keep_going,
) -> Curve:
    """Compress with every pair of a rank and a bound, and judge each.

    Linear layers get the rank, and stay dense from their break-even rank on; the bound is for
    all layers. Every pair gets the same number of passes over the training rows. What it has to
    beat: ``constrained_curve`` at the same bounds, and ``low_rank_curve`` at the same ranks, each
    with as many epochs as lie behind a pair.

    Parameters
    ----------
    reference : Reference
    dataset : Dataset
        The one that the reference was trained on.
    method : str
        A name of ``compression.COMBINED_METHODS``.
    ranks : iterable of int, optional
        Powers of two up to the largest full rank when left out.
    bounds : iterable of float, optional
        Relative, 0 or more; to what is said by the method. When left out those of its catalogue entry.
    epochs : int
        Passes over the training rows for each pair.
    constraint : str
        A name of ``compression.CONSTRAINTS``, for methods that have a choice.
    warm_start : bool
        Each pair goes on from the one with the next larger bound, so that the last one has the
        epochs of all bounds behind it. False: each starts from the reference.
    report : callable
        Called after each pair with (done, total, a function that gives the curve so far);
        returning False ends the curve there.

    Returns
    -------
    Curve
        Its knob is the rank; the table has the columns rank and bound besides, and its rows
        are in their ascending order. There are no spectra.

    Raises
    ------
    ArgumentError
        Unknown method or set, fewer than one epoch, or a rank or bound that is not possible.
    """
    entry = find(COMBINED_METHODS, method, "combined method")
    find(CONSTRAINTS, constraint, "constraint set")
    combined: CombinedMethod = build(entry.load(), constraint=constraint)
    if epochs < 1:
        raise ArgumentError(f"{epochs} epochs train nothing: choose 1 or more")
    start = ConstrainedStart(
        reference.network,
        samples_for(reference, dataset),
        recipe_of(reference.model, dataset).learning_rate,
        reference.order_seed,
        epochs,
    )
    pairs = (
        _sort_ranks(ranks, reference.network),
        _sort_bounds(entry.bounds if bounds is None else bounds),
    )
    judge = CurveBuilder(reference, dataset, start.samples)
    files: list[bytes] = []

    def build_curve() -> Curve:
        curve = judge.curve(
            knob="rank",
            method=method,
            spectra={},
            _network=lambda row: storage.from_bytes(files[row]),
            _file=files.__getitem__,
        )
        return _sort_rows(curve)

    total = len(pairs[0]) * len(pairs[1])
    every = [pairs] if warm_start else [([k], [c]) for k in pairs[0] for c in pairs[1]]
    networks = chain.from_iterable(combined.networks(start, *each) for each in every)
    for rank, bound, network in networks:
        files.append(storage.to_bytes(network))
        costs: dict[str, Any] = {
            "rank": rank,
            "bound": bound,
            "parameters": accounting.parameters(network),
            "bytes": len(files[-1]),
            "macs": accounting.macs(network),
        }
        done = pairs[1].index(bound) + 1 if warm_start else 1
        spent = combined.epochs_behind(epochs, done)
        judge.add(rank, start.samples.outputs(network), costs, spent)
        if not report(len(files), total, build_curve):
            break
    return build_curve()


def _sort_ranks(ranks: Iterable[int] | None, network: nn.Sequential) -> list[int]:
    taken = layers_for(network, "truncated_svd", None)
    shape = max((matrix(layer).shape for layer in taken.values()), key=min)
    if ranks is None:
        ranks = [2**power for power in range(min(shape).bit_length())]
    values = list(ranks)
    if not values:
        raise ArgumentError(f"no rank was given: choose from 1 to {min(shape)}")
    for rank in values:
        check_rank(rank, min(shape), shape)
    return sorted({int(rank) for rank in values})


def _sort_bounds(bounds: Iterable[float]) -> list[float]:
    values = {check_bound(bound, "relative bound") for bound in bounds}
    if not values or np.inf in values:
        raise ArgumentError("no finite bound was given: choose numbers from 0 to 1")
    return sorted(values, reverse=True)


def _sort_rows(curve: Curve) -> Curve:
    """The same rows by rank, and those of one rank by bound."""
    return curve.pick(np.lexsort((curve.table["bound"], curve.table["rank"])))
