"""Linear and softmax regression under a bound, solved."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ...catalog import CONSTRAINTS
from ...network import layers
from ...report import Report
from ..convex.exact_path import ExactPath
from ..convex.losses import loss_of
from ..convex.path import GridPath, path_by_bound
from ..convex.solve import TOUCHING, solve
from .setup import ConstrainedStart, Limits, confine

PATH = "path"
EXACT = 1e-6  # largest gap of an exact path's certified point, as a share of the zero model's loss
TIGHT = 1e-8
SECONDS = 10.0  # for a solver at each bound


class Optimum:
    """The optimum of a network of one linear layer, certified.

    Solves  min L(θ, b)  subject to  θ in C(c), b free  from the data alone.

    Parameters
    ----------
    solver : str
        "path": all bounds in one go; or a name of ``compression.SOLVERS``, for each bound anew.

    Attributes
    ----------
    facts : list of dict
        What is certified of each bound so far: knob, objective, duality_gap, kkt_residual,
        certified, inactive, status, swap_optimal, price (loss per unit of the bound; NaN without
        multipliers), seconds (NaN on a path).
    multipliers : list of ndarray, shape (outputs, inputs)
        Price of each weight's own bound, where each has one.
    """

    def __init__(self, solver: str = PATH):
        self.solver = solver
        # A path is followed from the smallest bound.
        self.ascending = solver == PATH
        self.facts: list[dict[str, Any]] = []
        self.multipliers: list[NDArray] = []

    def networks(
        self, start: ConstrainedStart, constraint: str, bounds: Sequence[Limits]
    ) -> Iterator[nn.Sequential]:
        """A network for each of the bounds: a new one each time.

        Raises
        ------
        NotApplicableError
            The set does not work for this model.
        CancelledError
            The start's report said to stop.
        """
        samples = start.samples
        problem = (
            samples.x[samples.fit].numpy().astype(np.float64),
            samples.y[samples.fit].numpy(),
            loss_of(samples.task),
            constraint,
        )
        knobs = [bound for limits in bounds for bound in limits.values()]
        answer: Callable[[tuple, Sequence[float]], Iterator[tuple[Any, Any]]]
        answer = (
            partial(self._follow_path, start.report) if self.solver == PATH else self._run_solver
        )
        if self.solver == PATH and CONSTRAINTS[constraint].load().is_round:
            # A round set's path bends everywhere, and near the bound that costs nothing its price
            # is only rounding at the path's tolerance. Solving each bound alone is as fast.
            answer = self._solve_tightly
        for limits, (weight, intercept) in zip(bounds, answer(problem, knobs), strict=True):
            network = copy.deepcopy(start.network)
            layer = next(iter(layers(network).values()))
            with torch.no_grad():
                layer.weight.copy_(torch.from_numpy(np.atleast_2d(weight)))
                if layer.bias is not None:
                    layer.bias.copy_(torch.from_numpy(np.atleast_1d(intercept)))
            confine(network, constraint, limits)  # float32 may have rounded past the bound
            yield network

    def _follow_path(
        self, report: Report, problem: tuple, bounds: Sequence[float]
    ) -> Iterator[tuple[Any, Any]]:
        x, y, loss, name = problem
        members = CONSTRAINTS[name].load()()
        solved = path_by_bound(x, y, loss, name, bounds, report)
        by_bound: dict[float, ExactPath | GridPath] = {}
        for bound in bounds:  # bounds may come in any order; the path yields them in its own
            while bound not in by_bound:
                reached, path = next(solved)
                by_bound[reached] = path
            current = by_bound[bound]
            weight, guess = current.at(bound), np.asarray(current.intercept_at(bound))
            judged = current.certifier.judge(weight, bound, guess, quick=True)
            if isinstance(current, ExactPath):
                certified, swap_optimal = judged.holds(EXACT), False
            else:
                row = np.searchsorted(current.bounds, bound)
                certified = bool(current.certified[row])
                swap_optimal = bool(current.swap_optimal[row])
            # One-sided bounds never cost softmax anything.
            slack = (loss == "softmax" and not members.bounded) or (
                members.gauge(weight) < bound * (1 - TOUCHING)
            )
            self._note(
                bound,
                judged,
                certified=certified,
                inactive=members.convex and certified and slack,
                status="" if certified else "the path's own tolerance was not reached",
                swap_optimal=swap_optimal,
                seconds=math.nan,
            )
            yield weight, judged.intercept

    def _solve_tightly(self, problem: tuple, bounds: Sequence[float]) -> Iterator[tuple[Any, Any]]:
        return self._run_solver(problem, bounds, "accelerated_projected_gradient", TIGHT)

    def _run_solver(
        self,
        problem: tuple,
        bounds: Sequence[float],
        solver: str | None = None,
        tolerance: float = 1e-6,
    ) -> Iterator[tuple[Any, Any]]:
        x, y, loss, name = problem
        chosen = solver or self.solver
        for bound in bounds:
            solution = solve(x, y, loss, name, bound, chosen, tolerance, max_seconds=SECONDS)
            self._note(
                bound,
                solution,
                certified=solution.certified,
                inactive=solution.inactive,
                status="" if solution.certified else solution.status,
                swap_optimal=solution.swap_optimal,
                seconds=solution.seconds,
            )
            yield solution.weight, solution.intercept

    def _note(self, bound: float, judged: Any, **facts: Any) -> None:
        """``judged``: a certificate or a solution."""
        prices = judged.multipliers
        self.facts.append(
            {
                "knob": bound,
                "objective": judged.objective,
                "duality_gap": judged.duality_gap,
                "kkt_residual": judged.kkt_residual,
                "price": math.nan if prices is None else float(np.sum(prices)),
                **facts,
            }
        )
        if isinstance(prices, np.ndarray):
            self.multipliers.append(np.atleast_2d(prices))
