"""What crosses from a worker to the page."""

from dataclasses import dataclass

import pandas as pd

from compression.studies.overview import Overview


@dataclass(frozen=True, eq=False)
class StudyResults:
    """A study so far.

    Attributes
    ----------
    overview : Overview
        Of what is done.
    failures : DataFrame
        dataset, model, seed, fold, split, family, label, sentence.
    done, total : int
        Fits.
    damaged : int
        Kept results that this run found damaged: they were dropped, and computed again.
    """

    overview: Overview
    failures: pd.DataFrame
    done: int
    total: int
    damaged: int = 0
