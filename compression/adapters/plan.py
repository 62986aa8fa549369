"""Ranks of an adapter's layers for every share of its parameters."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..errors import CancelledError
from ..report import Report, keep_going
from .adapter import Adapter

STEPS = 30
START_ENERGY = 0.99  # share of the energy that a slider keeps at first
RESOLUTION = 1e-3  # share of a budget; a slider's steps are larger


@dataclass(frozen=True, eq=False)
class AdapterPlan:
    """What each budget gives.

    Attributes
    ----------
    table : DataFrame
        A row a budget, the smallest first: share (of the parameters), parameters, energy (share
        of the squared norm of all updates together that is kept).
    ranks : tuple of dict
        Of each row: layer -> rank.
    """

    table: pd.DataFrame
    ranks: tuple[dict[str, int], ...]

    def first_row(self) -> int:
        """The smallest budget that keeps 99 % of the energy."""
        return int(np.argmax(self.table["energy"].to_numpy() >= START_ENERGY))


def plan(adapter: Adapter, steps: int = STEPS, report: Report = keep_going) -> AdapterPlan:
    """Ranks by the exact rule, from rank 1 everywhere to the whole adapter.

    Raises
    ------
    CancelledError
        The report said no.
    """
    stored = dict(zip(adapter.layers["layer"], adapter.layers["rank"], strict=True))
    whole = adapter.parameters
    budgets = np.unique(np.linspace(adapter.fewest_parameters, whole, steps).astype(int))
    rows, ranks = [], []
    for done, budget in enumerate(budgets, start=1):
        allocation = adapter.allocate(int(budget), resolution=RESOLUTION)
        ranks.append(
            {name: stored[name] if k is None else k for name, k in allocation.ranks.items()}
        )
        rows.append(
            {
                "share": allocation.cost / whole,
                "parameters": allocation.cost,
                "energy": 1 - allocation.error,
            }
        )
        if not report(done, len(budgets), None):
            raise CancelledError(f"stopped after {done} of {len(budgets)} budgets")
    return AdapterPlan(pd.DataFrame(rows), tuple(ranks))
