"""How often a promise of Decide holds: "at most a point lost", on the test part of 20 splits.

For each split the candidates that Decide has unasked; the naive choice is the smallest file that
loses at most a point on validation.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

import compression
import data
from compression.evaluation import wilson
from compression.low_rank.curve import spaced_ranks
from compression.promise import CONFIDENCE, Promise, judge_choice

from .table import Row

PAIRS = ("wine:mlp", "breast_cancer:mlp", "digits:mlp")
SPLITS = 20
LOSS = 0.01
EPOCHS = 3  # of the ranks that are trained on


@dataclass(frozen=True)
class Outcome:
    """One split: changes of test score of what was chosen; NaN where nothing was."""

    naive: float
    corrected: float
    promised: float


def candidates(
    reference: compression.Reference, dataset: data.Dataset
) -> tuple[pd.DataFrame, np.ndarray]:
    """Rows of all curves that are smaller than the reference, and their gains."""
    ranks = spaced_ranks(reference, dataset, "truncated_svd")
    curves = [
        compression.low_rank_curve(reference, dataset),
        compression.low_rank_curve(reference, dataset, "activation_aware_svd"),
        compression.low_rank_curve(reference, dataset, ranks=ranks, epochs=EPOCHS),
        compression.constrained_curve(reference, dataset),
        compression.baseline_curve(reference, dataset, "rounding"),
    ]
    table = pd.concat([curve.table for curve in curves], ignore_index=True)
    smaller = (table["bytes"] < curves[0].reference["bytes"]).to_numpy()
    gains = np.concatenate([curve.gains for curve in curves])[smaller]
    return table[smaller].reset_index(drop=True), gains


def outcome(pair: str, seed: int) -> Outcome | None:
    """None: nothing stays within the loss on validation."""
    name, model = pair.split(":")
    dataset = data.load(name, seed=seed)
    reference = compression.train(dataset, model, seed=seed)
    table, gains = candidates(reference, dataset)
    costs = table["bytes"].to_numpy(float)
    found: Promise | None = judge_choice(costs, gains, LOSS, dataset.task)
    if found is None:
        return None
    within = np.flatnonzero(gains.mean(axis=1) >= -LOSS - 1e-6)
    test = table["change"].to_numpy()
    return Outcome(
        naive=float(test[within[np.argmin(costs[within])]]),
        corrected=found.corrected,
        promised=float("nan") if found.promised is None else float(test[found.promised]),
    )


def measure(pairs: Sequence[str] = PAIRS, splits: int = SPLITS) -> dict[str, list[Outcome]]:
    return {
        pair: [one for seed in range(splits) if (one := outcome(pair, seed)) is not None]
        for pair in pairs
    }


def judge(measured: dict[str, list[Outcome]]) -> Iterator[Row]:
    """A row a pair, and one for all promises together."""

    def hold(changes: np.ndarray) -> tuple[int, int]:
        made = changes[~np.isnan(changes)]
        return int((made >= -LOSS - 1e-12).sum()), len(made)

    every = np.array([0, 0])
    for pair, outcomes in measured.items():
        naive, corrected, promised = np.array(
            [(one.naive, one.corrected, one.promised) for one in outcomes]
        ).T
        held, made = hold(promised)
        every += held, made
        first, of = hold(naive)
        yield Row(
            f"{pair}: at most a point lost on test, where promised",
            f"{held} of {made} promises",
            f"{first} of {of} naive choices",
            held / made / (first / of) if made and first else np.nan,
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
    held, made = map(int, every)
    low, high = wilson(held, made)
    yield Row(
        "all of these promises together: share that holds",
        f"{held} of {made} ({low:.0%} to {high:.0%})",
        f"{CONFIDENCE:.0%}",
        held / made / CONFIDENCE if made else np.nan,
        f">= {CONFIDENCE:.0%}",
        held >= CONFIDENCE * made,
    )


def rows() -> Iterator[Row]:
    yield from judge(measure())
