"""What crosses from a worker to the page."""

from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True, eq=False)
class StudyResults:
    """A study so far.

    Attributes
    ----------
    table : DataFrame
        As ``compression.studies.table`` gives it.
    failures : DataFrame
        dataset, model, seed, family, label, sentence.
    changes : DataFrame
        As ``compression.studies.changes_at_shares`` gives it.
    comparisons : DataFrame
        share, against, then as ``compression.studies.compare_labels`` gives it.
    ranks : DataFrame
        As ``compression.studies.choose_ranks`` gives it.
    done, total : int
        Fits.
    """

    table: pd.DataFrame
    failures: pd.DataFrame
    changes: pd.DataFrame
    comparisons: pd.DataFrame
    ranks: pd.DataFrame
    done: int
    total: int
