"""How often a promise of Decide holds: "at most a point lost", on the test part of 20 splits.

For each split the candidates that Decide has unasked, by its own list, epochs and jobs; the naive
choice is the smallest file that loses at most a point on validation.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from compression.evaluation import wilson
from compression.pareto import mark_smaller
from compression.promise import CONFIDENCE, Promise, judge_choice
from pages.shared import jobs
from pages.shared.jobs import Job
from pages.shared.models import requests
from pages.shared.models.results import CurveView, TrainedReference
from pages.views.decide.candidates import list_candidates, stack_rows
from pages.views.decide.series import is_unasked, list_possible_series

from .table import Row

PAIRS = ("wine:mlp", "breast_cancer:mlp", "digits:mlp")
SPLITS = 20
LOSS = 0.01


@dataclass(frozen=True)
class PromiseOutcome:
    """One split: changes of test score of what was chosen; NaN where nothing was."""

    naive: float
    corrected: float
    promised: float


def fetch(job: Job | None) -> CurveView:
    """What a job gives, once it is over."""
    if job is None or not job.wait() or job.result is None:
        raise RuntimeError("a series of Decide was not computed" if job is None else job.error)
    return job.result


def list_unasked(trained: TrainedReference) -> tuple[pd.DataFrame, np.ndarray]:
    """The rows of all of Decide's unasked series whose file is smaller, and their gains."""
    unasked = [series for series in list_possible_series(trained) if is_unasked(series)]
    submitted = {series: series.submit(trained) for series in unasked}
    curves = {series: fetch(job) for series, job in submitted.items()}
    table = list_candidates(next(iter(curves.values())).reference, curves)
    smaller = mark_smaller(table, table.iloc[0], "bytes")
    return table[smaller].reset_index(drop=True), stack_rows(table, curves, "gains")[smaller]


def judge_promise(pair: str, seed: int) -> PromiseOutcome | None:
    """None: nothing stays within the loss on validation."""
    name, model = pair.split(":")
    reference = requests.reference(name, model, seed)
    reference.wait()
    trained = reference.result
    if trained is None:
        raise RuntimeError(reference.error)
    table, gains = list_unasked(trained)
    costs = table["bytes"].to_numpy(float)
    choice: Promise | None = judge_choice(costs, gains, LOSS, trained.task)
    if choice is None:
        return None
    within = np.flatnonzero(gains.mean(axis=1) >= -LOSS - 1e-6)
    test = table["change"].to_numpy()
    return PromiseOutcome(
        naive=float(test[within[np.argmin(costs[within])]]),
        corrected=choice.corrected,
        promised=float("nan") if choice.promised is None else float(test[choice.promised]),
    )


def measure(pairs: Sequence[str] = PAIRS, splits: int = SPLITS) -> dict[str, list[PromiseOutcome]]:
    return {
        pair: [one for seed in range(splits) if (one := judge_promise(pair, seed)) is not None]
        for pair in pairs
    }


def judge(measured: dict[str, list[PromiseOutcome]]) -> Iterator[Row]:
    """A row a pair, and one for all promises together."""

    def hold(changes: np.ndarray) -> tuple[int, int]:
        made = changes[~np.isnan(changes)]
        return int((made >= -LOSS - 1e-12).sum()), len(made)

    every = np.array([0, 0])
    for pair, outcomes in measured.items():
        naive, corrected, promised = np.array(
            [(one.naive, one.corrected, one.promised) for one in outcomes]
        ).T
        kept, made = hold(promised)
        every += kept, made
        first, of = hold(naive)
        yield Row(
            f"{pair}: at most a point lost on test, where promised",
            f"{kept} of {made} promises",
            f"{first} of {of} naive choices",
            kept / made / (first / of) if made and first else np.nan,
            "",
            None,
        )
        yield Row(
            f"{pair}: what the naive choice changes, corrected",
            f"{100 * np.nanmean(corrected):+.2f} points",
            f"{100 * naive.mean():+.2f} points on test",
            float(np.nanmean(corrected) / naive.mean()) if naive.mean() else np.nan,
            "",
            None,
        )
    kept, made = map(int, every)
    low, high = wilson(kept, made)
    yield Row(
        "all of these promises together: share that holds",
        f"{kept} of {made} ({low:.0%} to {high:.0%})",
        f"{CONFIDENCE:.0%}",
        kept / made / CONFIDENCE if made else np.nan,
        f">= {CONFIDENCE:.0%}",
        made > 0 and kept >= CONFIDENCE * made,
    )


def rows() -> Iterator[Row]:
    try:
        yield from judge(measure())
    finally:
        jobs.shared_pool().close()
