"""What the page that combines works on: its grid, and a row of it."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from pages.shared.models.results import Layer

TUNED_RANKS = 24  # of the baseline: a file just below a pair's is what the pair is held against


def pays(layers: Sequence[Layer]) -> bool:
    """Whether any rank makes a linear layer smaller."""
    return any(layer.break_even > 0 for layer in layers if layer.kind == "linear")


def epochs(rows: int) -> int:
    """Epochs a pair, unless a person chooses: some hundred steps, however few or many the rows."""
    return int(np.clip(round(100 * 64 / rows), 2, 50))


def cell(table: pd.DataFrame, rank: float, bound: float) -> int:
    """Row of the nearest pair, by ratio; the rank comes first."""
    by_rank = np.abs(np.log(table["rank"] / rank))
    by_bound = np.abs(np.log(table["bound"] / bound))
    return int(np.lexsort((by_bound, by_rank))[0])
