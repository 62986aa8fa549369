"""Several solvers on the same convex problem, one after the other."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ...errors import CancelledError
from ...report import Report, keep_going
from ...threads import in_one_thread
from .results import Race
from .solve import Solution, solve


@in_one_thread
def race(
    x: NDArray[np.floating],
    y: NDArray[Any],
    loss: str,
    constraint: str,
    bound: float,
    solvers: Sequence[str],
    *,
    max_seconds: float = 30.0,
    report: Report = keep_going,
) -> Race:
    """Let solvers solve one problem.

    Parameters
    ----------
    x, y, loss, constraint, bound
        As for :func:`compression.solve`.
    solvers : sequence of str
        Names of ``compression.SOLVERS`` that fit this loss and set.
    max_seconds : float
        For each solver.
    report : callable
        Called before each solver with (solvers done, total, a function that gives the race so
        far, or None).

    Raises
    ------
    CancelledError
        The report said to stop.
    """
    solutions: dict[str, Solution] = {}
    for done, name in enumerate(solvers):
        if not report(done, len(solvers), (lambda: _compare(solutions)) if solutions else None):
            raise CancelledError("stopped between two solvers")
        solutions[name] = solve(x, y, loss, constraint, bound, solver=name, max_seconds=max_seconds)
    return _compare(solutions)


def _compare(solutions: Mapping[str, Solution]) -> Race:
    lower = max(solution.objective - solution.duality_gap for solution in solutions.values())
    if not math.isfinite(lower):  # no certificate proves a gap
        lower = min(solution.objective for solution in solutions.values())
    tracks = {
        name: pd.DataFrame(
            {
                "iteration": solution.trajectory.iteration,
                "seconds": solution.trajectory.seconds,
                "objective": solution.trajectory.objective,
                "duality_gap": solution.trajectory.duality_gap,
                "above": solution.trajectory.objective - lower,
            }
        )
        for name, solution in solutions.items()
    }
    facts = ("objective", "duality_gap", "kkt_residual", "iterations", "seconds", "status")
    lines = [
        {"solver": name}
        | {fact: getattr(solution, fact) for fact in facts}
        | {"pinned": float(solution.pinned.mean())}
        for name, solution in solutions.items()
    ]
    return Race(pd.DataFrame(lines), tracks)
