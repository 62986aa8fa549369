"""What each way to a bound costs, and what learning–compression gives at equal epochs."""

from collections.abc import Iterator
from functools import lru_cache
from time import process_time

import numpy as np

import compression
import data

from .table import Row

REPEATS = 3
SEEDS = 5
EPOCHS = (10, 30, 100)
TIGHT = (("box", (0.1, 0.05)), ("l1", (0.3, 0.2)), ("cardinality", (0.08, 0.04)))
"""Relative bounds at which something is lost."""
RANKS = (3, 5)
"""Of every layer of digits + MLP: 5 and 8 % of the weights."""
NO_BOUND = 1000.0
"""Relative: no factor comes near it, so that only the rank is left."""


def rows() -> Iterator[Row]:
    yield from costs()
    yield from learning_compression()
    yield from low_rank_learning_compression()


def costs() -> Iterator[Row]:
    """Against training on without a bound for as many epochs."""
    dataset = data.load("digits", seed=0)
    reference = compression.train(dataset, model="mlp", seed=0)

    def seconds(method: str, constraint: str) -> float:
        took = []
        for _ in range(REPEATS):
            start = process_time()
            compression.constrained_curve(reference, dataset, constraint, method=method)
            took.append(process_time() - start)
        return min(took)

    seconds("fine_tuning", "box")  # the first call pays for imports
    free = seconds("fine_tuning", "box")
    for constraint, method, target in (
        ("box", "projected_training", 1.5),
        ("box", "learning_compression", None),
        ("box", "refit", None),
        ("box", "clip", None),
        ("l1", "projected_training", None),
        ("l1", "learning_compression", None),
        ("cardinality", "projected_training", None),
    ):
        ours = seconds(method, constraint)
        yield Row(
            f"digits + MLP, 40 bounds, {constraint}, {method}",
            f"{ours:.2f} s, 3 epochs a bound",
            f"{free:.2f} s, fine-tuning",
            ours / free,
            f"≤ {target}" if target else "",
            ours / free <= target if target else None,
        )


def learning_compression() -> Iterator[Row]:
    """Test error of learning–compression and of projections, each bound from the reference."""
    errors: dict[tuple[str, float, int, str], list[float]] = {}
    for seed in range(SEEDS):
        dataset = data.load("digits", seed=seed)
        reference = compression.train(dataset, model="mlp", seed=seed)
        for constraint, bounds in TIGHT:
            for epochs in EPOCHS:
                for method in ("learning_compression", "projected_training"):
                    table = compression.constrained_curve(
                        reference,
                        dataset,
                        constraint,
                        bounds,
                        method=method,
                        epochs=epochs,
                        warm_start=False,
                    ).table
                    for bound, score in zip(table["knob"], table["score"], strict=True):
                        key = constraint, bound, epochs, method
                        errors.setdefault(key, []).append(100 * (1 - score))
    for constraint, bounds in TIGHT:
        for bound in bounds:
            for epochs in EPOCHS:
                ours, theirs = (
                    np.array(errors[constraint, bound, epochs, method])
                    for method in ("learning_compression", "projected_training")
                )
                what = f"{constraint} at {bound:g}"
                yield judge_learning_compression(what, epochs, ours, theirs, "projections")


def judge_learning_compression(
    what: str, epochs: int, ours: np.ndarray, theirs: np.ndarray, peer: str
) -> Row:
    """Test errors of each seed, in %: learning–compression's, and the peer's."""
    less = theirs - ours
    spread = less.std(ddof=1) / len(less) ** 0.5
    return Row(
        f"digits + MLP, {what}, {epochs} epochs: test error, learning–compression ({SEEDS} seeds)",
        f"{ours.mean():.1f} %",
        f"{theirs.mean():.1f} %, {peer} ({less.mean():+.1f} ± {spread:.1f} points)",
        ours.mean() / theirs.mean(),
        "",
        None,
    )


def low_rank_learning_compression() -> Iterator[Row]:
    """'Both at once' with a bound that binds nothing, against truncation that is trained on."""
    for rank in RANKS:
        for epochs in EPOCHS:
            errors = np.array([errors_of_rank(seed, rank, epochs) for seed in range(SEEDS)])
            yield judge_learning_compression(
                f"rank {rank}", epochs, *errors.T, "truncated, trained on"
            )


@lru_cache
def load_digits(seed: int) -> tuple[data.Dataset, compression.Reference]:
    dataset = data.load("digits", seed=seed)
    return dataset, compression.train(dataset, model="mlp", seed=seed)


def errors_of_rank(seed: int, rank: int, epochs: int) -> tuple[float, float]:
    """Test errors in percent: of learning–compression, and of truncated SVD and fine-tuning."""
    dataset, reference = load_digits(seed)
    learnt = compression.combined_curve(
        reference, dataset, "jointly", [rank], [NO_BOUND], epochs=epochs
    )
    tuned = compression.low_rank_curve(reference, dataset, ranks=[rank], epochs=epochs)
    return tuple(100 * (1 - curve.table["score"].iloc[0]) for curve in (learnt, tuned))
