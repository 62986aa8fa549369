"""Ranks of a whole network's layers under a budget, and the score that each rule then reaches."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import nn

from .. import accounting, evaluation
from ..argument_checks import check_arguments
from ..curve import Curve
from ..errors import ArgumentError
from ..network import forward_in_blocks
from ..network import layers as layers_of
from ..threads import in_one_thread
from ..training import (
    DatasetLike,
    Reference,
    Report,
    SampleTensors,
    keep_going,
    loss_of,
    samples_for,
)
from .allocation import RULES as ALLOCATION_RULES
from .allocation import Allocation, allocate_by_every_rule
from .curve import judge_networks
from .networks import Ranks, prepare
from .objectives import OBJECTIVES
from .rank_choices import RankChoices
from .starvation import describe_starved

RULES = ("best", *ALLOCATION_RULES)
"""Names of the rules of a budget curve, in the order of its rows."""

UNITS: Mapping[str, Callable[[nn.Sequential], int]] = {
    "parameters": accounting.parameters,
    "bytes": accounting.bytes_of,
    "macs": accounting.macs,
}
"""What a budget may be in: the columns of a curve's table, measured as there."""

ByObjective = Mapping[str, Mapping[str, RankChoices]]
"""Objective -> layer -> its choices; costs do not depend on the objective."""


@check_arguments
@in_one_thread
def budget_curve(
    reference: Reference,
    dataset: DatasetLike,
    budgets: Iterable[float] | None = None,
    unit: str = "parameters",
    method: str = "truncated_svd",
    layers: Sequence[str] | str | None = None,
    *,
    ridge: float = 0.0,
    calibration: str = "reference",
    epochs: int = 0,
    objective: str = "curvature",
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
        As for :func:`compression.low_rank_curve`. Ranks are shared out by what each layer loses
        on the reference's inputs, before any training.
    objective : str
        What the rules add up over layers. "curvature": what the loss gains to second order, by
        Kronecker factors; "measured": what it gains when the layer alone is truncated, on the
        fitted rows; "kept_energy": −log of the share of the method's own objective that is kept;
        "energy_share": the share that is dropped.
    resolution : float, optional
        Of the exact rule, see :func:`compression.low_rank.allocation.allocate`.
    report : callable
        Called after each network with (done, total, a function that gives the rows so far);
        returning False ends the curve there.

    Returns
    -------
    Curve
        One row a budget and rule; the knob is the budget. Besides the usual columns: rule; ranks,
        a dict layer -> rank or None for dense; predicted_loss, the sum over layers of what the
        objective says that each loses; gap, how far that lies above the exact rule's; exact,
        whether no allocation loses less (bytes: but for the few by which a file differs from the
        sum of its layers); warning, which layers are starved, or an empty text.

        The rule "best" comes first: of all rules' allocations under all objectives the one whose
        network, not trained on, scores best on the training part, validation rows included; of
        equal ones the one of least loss. With epochs, which may turn that order round: of this
        and the other rules' networks, trained on, the one that scores best on the validation rows.

    Raises
    ------
    ArgumentError
        A budget is too small, or there is no such unit, objective, method or layer.
    NotApplicableError
        See :func:`compression.low_rank_curve`.
    """
    if unit not in UNITS:
        raise ArgumentError(f"there is no budget in {unit!r}: choose one of {', '.join(UNITS)}")
    if objective not in OBJECTIVES:
        raise ArgumentError(
            f"there is no objective {objective!r}: choose one of {', '.join(OBJECTIVES)}"
        )
    samples = samples_for(reference, dataset)
    all_ranks = prepare(reference, samples, method, layers, ridge=ridge, calibration=calibration)
    shared = _BudgetProblem(all_ranks, samples, UNITS[unit], objective, resolution)
    lines = [line for budget in shared.check_budgets(budgets) for line in shared.list_lines(budget)]
    # Rules often choose the same ranks: judge each network once.
    networks: list[dict[str, int | None]] = []
    for line in lines:
        if line["ranks"] not in networks:
            networks.append(line["ranks"])

    def repeat_rows(curve: Curve) -> Curve:
        known = networks[: len(curve.table)]
        shown = [line for line in lines if line["ranks"] in known]
        if epochs:
            shown = _choose_after_training(shown, known, curve.table)
        return _repeat_rows(curve, known, shown)

    def report_rows(done: int, total: int, partial: Callable[[], Curve]) -> bool:
        return report(done, total, lambda: repeat_rows(partial()))

    return repeat_rows(
        judge_networks(
            all_ranks, networks, reference, dataset, samples, method, epochs, report_rows
        )
    )


class _BudgetProblem:
    """What every budget asks for, computed once."""

    def __init__(
        self,
        all_ranks: Ranks,
        samples: SampleTensors,
        cost: Callable[[nn.Sequential], int],
        objective: str,
        resolution: float | None,
    ):
        self._all_ranks, self._samples = all_ranks, samples
        self._cost, self._resolution = cost, resolution
        # What a network costs does not depend on where its factors were calibrated.
        self._plain = Ranks(all_ranks.network, all_ranks.layers, all_ranks.decompositions)
        costs, self._fixed = _measure_costs(self._plain, cost)
        errors = {name: find(self._plain, samples) for name, find in OBJECTIVES.items()}
        self._choices: ByObjective = {
            # Put the requested objective first: of equally good networks its own is taken.
            name: {n: RankChoices(errors[name][n], *costs[n]) for n in all_ranks.layers}
            for name in sorted(OBJECTIVES, key=lambda name: name != objective)
        }
        self._objective = objective
        self._scores: dict[tuple, tuple[float, float]] = {}
        # The last layer, if it is compressed, has to tell the classes apart.
        last = list(layers_of(all_ranks.network))[-1]
        self._output = last if last in all_ranks.layers else None
        classes = samples.task == "classification"
        with torch.no_grad():
            self._classes = all_ranks.network(samples.x[:1]).shape[1] if classes else 0

    def check_budgets(self, budgets: Iterable[float] | None) -> list[float]:
        """The budgets asked for, or ten; raises ArgumentError where one is too small."""
        fixed = self._fixed
        if budgets is None:
            dense = sum(layer.dense_cost for layer in self._choices[self._objective].values())
            return np.linspace(fixed, fixed + 0.9 * dense, 10).round().tolist()
        values = list(budgets)
        if not values:
            raise ArgumentError(f"no budget was given: choose numbers from {fixed} on")
        for budget in values:
            # Written this way, the comparison also rejects NaN.
            if not budget >= fixed:
                raise ArgumentError(f"a budget of {budget} is too small: choose at least {fixed}")
        return sorted({float(budget) for budget in values})

    def list_lines(self, budget: float) -> list[dict[str, Any]]:
        """What the table says of one budget, a line a rule, beside the network's own columns."""
        allocations = self._allocate_within(budget)
        rules = allocations[self._objective]
        candidates = [
            allocation for by_rule in allocations.values() for allocation in by_rule.values()
        ]
        best = min(candidates, key=lambda allocation: self._judge_training(allocation.ranks))
        predicted = self._predict_loss(best.ranks)
        gap = max(predicted - rules["exact"].error, 0.0)
        best = replace(best, rule="best", error=predicted, gap=gap, exact=rules["exact"].exact)
        choices = self._choices[self._objective]
        lines = []
        for allocation in (best, *rules.values()):
            effective = self._all_ranks.find_compressed(allocation.ranks)
            ranks = {name: effective.get(name) for name in self._all_ranks.layers}
            lines.append(
                {
                    "knob": budget,
                    "rule": allocation.rule,
                    "ranks": ranks,
                    "predicted_loss": allocation.error,
                    "gap": allocation.gap,
                    "exact": allocation.exact,
                    "warning": describe_starved(choices, ranks, self._output, self._classes),
                }
            )
        return lines

    def _allocate_within(self, budget: float) -> dict[str, dict[str, Allocation]]:
        """Every objective's and rule's allocation, of networks that measure at most the budget."""
        limit = budget
        while True:
            allocations = {
                name: allocate_by_every_rule(choices, max(limit - self._fixed, 0), self._resolution)
                for name, choices in self._choices.items()
            }
            distinct = {
                tuple(allocation.ranks.items()): allocation.ranks
                for by_rule in allocations.values()
                for allocation in by_rule.values()
            }
            largest = max(self._cost(self._plain.at(ranks)) for ranks in distinct.values())
            # At the smallest limit there is only one allocation.
            if largest <= budget or limit <= self._fixed:
                return allocations
            limit -= largest - budget

    def _predict_loss(self, ranks: Mapping[str, int | None]) -> float:
        choices = self._choices[self._objective]
        return sum(float(choices[n].errors[r - 1]) for n, r in ranks.items() if r is not None)

    @torch.no_grad()
    def _judge_training(self, ranks: Mapping[str, int | None]) -> tuple[float, float]:
        """Minus the score, and the loss, on the training part; smaller is better."""
        key = tuple(self._all_ranks.find_compressed(ranks).items())
        if key not in self._scores:
            trained, task = self._samples.trained, self._samples.task
            target = self._samples.y[:trained]
            outputs = forward_in_blocks(self._all_ranks.at(ranks), self._samples.x[:trained])
            predicted = evaluation.predictions(outputs.numpy(), task)
            score = evaluation.score(predicted, target.numpy(), task)
            loss = float(loss_of(task)(outputs, target))
            # NaN is worse than any score or loss.
            values = np.nan_to_num([-score, loss], nan=np.inf, posinf=np.inf)
            self._scores[key] = (float(values[0]), float(values[1]))
        return self._scores[key]


@torch.no_grad()
def _measure_costs(
    all_ranks: Ranks, cost: Callable[[nn.Sequential], int]
) -> tuple[dict[str, tuple[NDArray[np.int64], int]], int]:
    """Each layer's costs by rank and dense, and what the network costs beside the cheapest ones.

    A rank's cost is what the network that is compressed in this layer alone costs above the
    cheapest rank there: costs of several layers add up, a file's to a few bytes.
    """
    whole = cost(all_ranks.network)
    costs, fixed = {}, whole
    for name, decomposition in all_ranks.decompositions.items():
        every = np.array(
            [cost(all_ranks.at({name: rank})) for rank in range(1, decomposition.max_rank + 1)],
            dtype=np.int64,
        )
        least = min(int(every.min()), whole)
        costs[name] = (every - least, whole - least)
        fixed -= whole - least
    return costs, fixed


def _repeat_rows(curve: Curve, known: list[dict], lines: list[dict[str, Any]]) -> Curve:
    """The curve's rows, known by their ranks, as often as the lines name them."""
    places = [known.index(line["ranks"]) for line in lines]
    repeated = curve.pick(places, knob="budget")
    facts = {column: [line[column] for line in lines] for column in lines[0]}
    return replace(repeated, table=repeated.table.assign(**facts))


def _choose_after_training(
    lines: list[dict[str, Any]], known: list[dict], table: pd.DataFrame
) -> list[dict[str, Any]]:
    """The lines, the rule "best" being the one that scores best on validation rows by now."""

    def judge(line: dict[str, Any]) -> tuple[float, float]:
        row = table.iloc[known.index(line["ranks"])]
        return float(row["validation_score"]), -float(row["validation_loss"])

    chosen = []
    for line in lines:
        if line["rule"] == "best":
            rivals = [other for other in lines if other["knob"] == line["knob"]]
            best = max(rivals, key=judge)
            line = {**best, "rule": "best"}
        chosen.append(line)
    return chosen
