"""Does it pay to truncate step by step, with epochs between? Against one truncation at equal epochs.

Each rank of a descending row is a truncation of the trained network of the rank above; its peer is
truncated once, from the reference, and trained for as many epochs in all.
"""

from collections.abc import Iterator

import numpy as np

import compression
import data
from compression.low_rank.curve import list_spaced_ranks

from .table import Row

DATASETS = ("digits", "wine")
SEEDS = 5
RANKS, EPOCHS = 8, 3


def rows() -> Iterator[Row]:
    for name in DATASETS:
        errors: dict[tuple[int, int], list[tuple[float, float]]] = {}
        for seed in range(SEEDS):
            dataset = data.load(name, seed=seed)
            reference = compression.train(dataset, "mlp", seed=seed)
            ranks = list_spaced_ranks(reference, dataset, "truncated_svd", count=RANKS)
            table = compression.low_rank_curve(
                reference, dataset, ranks=ranks, epochs=EPOCHS, warm_start=True
            ).table
            for line in table.to_dict("records"):
                rank, epochs = int(line["knob"]), int(line["epochs"])
                once = compression.low_rank_curve(reference, dataset, ranks=[rank], epochs=epochs)
                pair = 100 * (1 - line["score"]), 100 * (1 - float(once.table["score"].iloc[0]))
                errors.setdefault((rank, epochs), []).append(pair)
        for (rank, epochs), pairs in errors.items():
            step_by_step, at_once = np.array(pairs).T
            less = at_once - step_by_step
            spread = less.std(ddof=1) / len(less) ** 0.5
            yield Row(
                f"{name} + MLP, rank {rank}, {epochs} epochs: test error, truncated step by step",
                f"{step_by_step.mean():.1f} %",
                f"{at_once.mean():.1f} %, at once ({less.mean():+.1f} ± {spread:.1f} points)",
                float(step_by_step.mean() / at_once.mean()) if at_once.mean() else float("nan"),
                "",
                None,
            )
