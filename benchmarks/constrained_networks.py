"""What each way to a bound costs, against training on without a bound for as many epochs."""

from collections.abc import Iterator
from time import process_time

import compression
import data

from .table import Row

REPEATS = 3


def rows() -> Iterator[Row]:
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
