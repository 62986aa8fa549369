"""What people would do instead, as pages ask for it: each in its turn, and the best at a size."""

from collections.abc import Hashable, Iterable, Mapping
from typing import TypeVar

import numpy as np
import pandas as pd

from compression import BASELINES, MODELS
from pages.shared.jobs import Job

from . import requests
from .results import CurveView, TrainedReference

K = TypeVar("K", bound=Hashable)


def list_baselines(trained: TrainedReference) -> list[str]:
    """Baselines that fit the model: those without training first."""
    fitting = [name for name, entry in BASELINES.items() if entry.fits(MODELS[trained.model])]
    return sorted(fitting, key=lambda name: BASELINES[name].trains)


def request_in_turn(
    trained: TrainedReference, before: Iterable[Job] = ()
) -> dict[str, Job[CurveView]]:
    """The curves of the baselines whose turn it is, by name.

    Those without training are asked for at once. Each of the others is asked for when ``before``
    and those ahead of it are over: what a page draws first never waits for them, and a worker
    stays free.
    """
    ahead, jobs = list(before), {}
    for name in list_baselines(trained):
        if BASELINES[name].trains and any(job.pending for job in ahead):
            break
        jobs[name] = requests.baseline_curve(trained, name)
        ahead.append(jobs[name])
    return jobs


def is_next_due(
    trained: TrainedReference, jobs: Mapping[str, Job], before: Iterable[Job] = ()
) -> bool:
    """Whether the next baseline's turn came since, so that the page has to run again."""
    missing = len(jobs) < len(list_baselines(trained))
    return missing and not any(job.pending for job in (*before, *jobs.values()))


def find_best(tables: Mapping[K, pd.DataFrame], size: float) -> tuple[K, pd.Series] | None:
    """The row of best validation score in a file of at most ``size`` bytes, and whose it is.

    Of equally good ones the smallest file, then the first; None: nothing is that small.
    """
    best = None
    for key, table in tables.items():
        scores, sizes = table["validation_score"].to_numpy(), table["bytes"].to_numpy()
        fitting = np.flatnonzero((sizes <= size) & ~np.isnan(scores))
        if not len(fitting):
            continue
        row = fitting[np.lexsort((sizes[fitting], -scores[fitting]))[0]]
        rank = (-scores[row], sizes[row])
        if best is None or rank < best[0]:
            best = rank, key, table, row
    if best is None:
        return None
    _, key, table, row = best
    return key, table.iloc[row]
