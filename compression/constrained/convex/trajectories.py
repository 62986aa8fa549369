"""Solvers' iterates on their way to the optimum of every bound."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...catalog import CONSTRAINTS, SOLVERS, find
from ...report import Report, keep_going, order_far_apart_first
from ...threads import in_one_thread
from .certificate import Certifier
from .losses import SquaredLoss, check_data, prepare
from .problem import Problem
from .results import End, Trajectories
from .solve import IterateJudge, settle

Array = NDArray[np.floating]

MAX_ITERATES = 40  # iterates kept of one trajectory
MAX_WEIGHTS = 8_000_000  # numbers kept of all trajectories together


@in_one_thread
def trajectories(
    x: Array,
    y: NDArray[Any],
    loss: str,
    constraint: str,
    bounds: Sequence[float],
    solvers: Sequence[str],
    *,
    tolerance: float = 1e-5,
    max_seconds: float = 2.0,
    report: Report = keep_going,
) -> Trajectories:
    """Every solver's iterates from the zero model to the optimum of every bound.

    All solvers go to a middle bound first, then the quickest of them to every bound, and so on;
    bounds far apart come first.

    Parameters
    ----------
    x, y, loss, constraint, tolerance
        As for :func:`compression.solve`.
    bounds : sequence of float
    solvers : sequence of str
        Names of ``compression.SOLVERS`` that fit this loss and set.
    max_seconds : float
        For each trajectory.
    report : callable
        Called after each trajectory with (done, total, a function that gives what there is so
        far); returning False ends there.
    """
    x, y = check_data(x, y, loss)
    members = find(CONSTRAINTS, constraint, "constraint set").load()()
    methods = {name: find(SOLVERS, name, "solver").load()() for name in solvers}
    prepared = prepare(x, y, loss)
    certifier = Certifier(x, y, loss, members)
    total = len(methods) * len(bounds)
    outputs = 1 if isinstance(prepared, SquaredLoss) else prepared.classes
    weights = prepared.inputs.features * outputs
    result = Trajectories(
        bounds=np.array(bounds),
        weights={name: [None] * len(bounds) for name in methods},
        max_iterates=int(np.clip(MAX_WEIGHTS // (weights * total), 4, MAX_ITERATES)),
        ends={},
        max_seconds=max_seconds,
    )
    seconds = dict.fromkeys(methods, 0.0)

    def run(name: str, row: int) -> bool:
        problem = Problem(prepared, members, bounds[row])
        judge = IterateJudge(problem, certifier, tolerance, max_seconds=max_seconds)
        methods[name].run(problem, judge, problem.start())
        judge.finish()
        solution = settle(judge)
        result.weights[name][row] = _thin(solution.trajectory.weight, result.max_iterates)
        result.ends.setdefault(name, {})[row] = End(solution.iterations, solution.certified)
        seconds[name] += solution.seconds
        return report(sum(map(len, result.ends.values())), total, lambda: result)

    middle = len(bounds) // 2
    others = [row for row in order_far_apart_first(len(bounds)) if row != middle]
    if all(run(name, middle) for name in methods):
        quickest = sorted(methods, key=seconds.__getitem__)
        all(run(name, row) for name in quickest for row in others)
    return result


def _thin(iterates: Array, count: int) -> NDArray[np.float32]:
    """At most so many of the iterates, the first and the last among them, a row each."""
    rows = np.linspace(0, len(iterates) - 1, min(len(iterates), count)).round().astype(int)
    return iterates[rows].astype(np.float32).reshape(len(rows), -1)
