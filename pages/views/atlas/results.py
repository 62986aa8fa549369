"""What crosses from a worker to the page."""

from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True, eq=False)
class Recomputed:
    """A pair's rows of seed 0, as ``compression.studies.atlas.choose_rows`` gives them."""

    rows: pd.DataFrame
