"""What crosses from a worker to the page."""

from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True, eq=False)
class RecomputedPair:
    """A pair, computed here.

    Attributes
    ----------
    rows : DataFrame
        As ``compression.studies.atlas.choose_rows`` gives them.
    cells : DataFrame
        As ``judge_cells`` gives them, of this pair alone.
    """

    rows: pd.DataFrame
    cells: pd.DataFrame
