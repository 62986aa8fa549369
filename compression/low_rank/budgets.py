"""Ranks of a whole network's layers under a budget, and the score that each rule then reaches."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import nn

from .. import accounting
from ..curve import Curve
from ..errors import ArgumentError
from ..training import Data, Reference, Report, capped_threads, keep_going, samples_for
from .allocation import RULES, Allocation, RankChoices, allocate_by_every_rule
from .curve import judged
from .networks import Ranks, prepare

UNITS: Mapping[str, Callable[[nn.Sequential], int]] = {
    "parameters": accounting.parameters,
    "bytes": accounting.bytes_of,
    "macs": accounting.macs,
}
"""What a budget may be in: the columns of a curve's table, measured as there."""


def budget_curve(
    reference: Reference,
    dataset: Data,
    budgets: Iterable[float] | None = None,
    unit: str = "parameters",
    method: str = "truncated_svd",
    layers: Sequence[str] | str | None = None,
    *,
    ridge: float = 0.0,
    calibration: str = "reference",
    epochs: int = 0,
    resolution: float | None = None,
    report: Report = keep_going,
) -> Curve:
    """Share each budget among the layers by every rule, and judge the networks.

    Parameters
    ----------
    reference : Reference
    dataset : Dataset
        The one that the reference was trained on.
    budgets : iterable of float, optional
        What the whole network may cost, biases and layers that are not compressed included.
        When left out ten in equal steps, from the least that rank 1 everywhere needs, nine
        tenths of the way to what the reference costs.
    unit : str
        "parameters", "bytes" or "macs".
    method, layers, ridge, calibration, epochs
        As for :func:`compression.low_rank_curve`. Ranks are shared out by the errors on the
        reference's inputs.
    resolution : float, optional
        Of the exact rule, see :func:`compression.low_rank.allocation.allocate`.
    report : callable
        Called after each network with (done, total, a function that gives the rows so far);
        returning False ends the curve there.

    Returns
    -------
    Curve
        One row a budget and rule; the knob is the budget. Besides the usual columns: rule; ranks,
        a dict layer -> rank or None for dense; energy_lost, the sum over layers of the share that
        each loses of its own error at rank 0; gap, how far that lies above the exact rule's;
        exact, whether no allocation loses less (bytes: but for the few by which a file differs
        from the sum of its layers).

    Raises
    ------
    ArgumentError
        A budget is too small, or there is no such unit, method or layer.
    NotApplicableError
        See :func:`compression.low_rank_curve`.
    """
    if unit not in UNITS:
        raise ArgumentError(f"there is no budget in {unit!r}: choose one of {', '.join(UNITS)}")
    with capped_threads():
        samples = samples_for(reference, dataset)
        family = prepare(reference, samples, method, layers, ridge=ridge, calibration=calibration)
        # What a network costs does not depend on where its factors were calibrated.
        plain = Ranks(family.network, family.layers, family.decompositions)
        choices, fixed = _choices(plain, UNITS[unit])
        lines: list[dict[str, Any]] = []
        for budget in _checked(budgets, choices, fixed):
            for allocation in _within(budget, plain, choices, fixed, UNITS[unit], resolution):
                effective = family.effective(allocation.ranks)
                lines.append(
                    {
                        "knob": budget,
                        "rule": allocation.rule,
                        "ranks": {name: effective.get(name) for name in family.layers},
                        "energy_lost": allocation.error,
                        "gap": allocation.gap,
                        "exact": allocation.exact,
                    }
                )
        # Rules often agree: each network is judged once.
        networks: list[dict[str, int | None]] = []
        for line in lines:
            if line["ranks"] not in networks:
                networks.append(line["ranks"])

        def rows(curve: Curve) -> Curve:
            known = networks[: len(curve.table)]
            return _repeated(curve, known, [line for line in lines if line["ranks"] in known])

        def watched(done: int, total: int, partial: Callable[[], Curve]) -> bool:
            return report(done, total, lambda: rows(partial()))

        return rows(judged(family, networks, reference, dataset, samples, method, epochs, watched))


@torch.no_grad()
def _choices(
    family: Ranks, cost: Callable[[nn.Sequential], int]
) -> tuple[dict[str, RankChoices], int]:
    """Each layer's choices, and what the network costs beside its layers' cheapest ones.

    A rank's cost is what the network that is compressed in this layer alone costs above the
    cheapest rank there: costs of several layers add up, a file's to a few bytes.
    """
    whole = cost(family.network)
    choices, fixed = {}, whole
    for name, decomposition in family.decompositions.items():
        costs = np.array(
            [cost(family.at({name: rank})) for rank in range(1, decomposition.max_rank + 1)],
            dtype=np.int64,
        )
        least = min(int(costs.min()), whole)
        total = decomposition.errors[0]
        errors = decomposition.errors[1:] / (total if total > 0 else 1.0)
        choices[name] = RankChoices(errors, costs - least, whole - least)
        fixed -= whole - least
    return choices, fixed


def _checked(
    budgets: Iterable[float] | None, choices: Mapping[str, RankChoices], fixed: int
) -> list[float]:
    if budgets is None:
        dense = sum(layer.dense_cost for layer in choices.values())
        return np.linspace(fixed, fixed + 0.9 * dense, 10).round().tolist()
    values = list(budgets)
    if not values:
        raise ArgumentError(f"no budget was given: choose numbers from {fixed} on")
    for budget in values:
        # Written so that a budget that is not a number fails too.
        if not budget >= fixed:
            raise ArgumentError(f"a budget of {budget} is too small: choose at least {fixed}")
    return sorted({float(budget) for budget in values})


def _within(
    budget: float,
    family: Ranks,
    choices: Mapping[str, RankChoices],
    fixed: int,
    cost: Callable[[nn.Sequential], int],
    resolution: float | None,
) -> list[Allocation]:
    """Every rule's allocation, with networks that measure no more than the budget."""
    limit = budget
    while True:
        found = allocate_by_every_rule(choices, max(limit - fixed, 0), resolution)
        largest = max(cost(family.at(allocation.ranks)) for allocation in found.values())
        # At the least limit there is but one allocation.
        if largest <= budget or limit <= fixed:
            return [found[rule] for rule in RULES]
        limit -= largest - budget


def _repeated(curve: Curve, known: list[dict], lines: list[dict[str, Any]]) -> Curve:
    """The curve's rows, known by their ranks, as often as the lines name them."""
    places = [known.index(line["ranks"]) for line in lines]
    table = curve.table.iloc[places].reset_index(drop=True)
    return replace(
        curve,
        knob="budget",
        table=table.assign(**{column: [line[column] for line in lines] for column in lines[0]}),
        predictions=curve.predictions[places],
        confusion=[curve.confusion[place] for place in places],
        _network=lambda row: curve.network(places[row]),
    )
