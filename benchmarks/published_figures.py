"""Figures that other people's tools publish, beside ours on what is closest here.

Their figures carry over with their source, their code does not. Each is a change of the test error
against the uncompressed network where theirs was measured on other rows than ours: LC-model-compression
trains LeNet-300-100 on all 60,000 images of MNIST, here on 3,400 of ``mnist_5k``.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

import compression
import data
from compression import accounting
from compression.low_rank.budgets import budget_curve

from .table import Row

SEEDS, EPOCHS = 5, 30
LC = (
    "https://github.com/UCMerced-ML/LC-model-compression/blob/"
    "0cfab22e8b508cc4462db4d48758b3cc3a26a703/examples/lenet300/README.md"
)
ALDS = "torchprune's own code on digits + mlp, 30 epochs, 5 seeds, run for this project"
SHARE = 0.04  # of the reference's parameters, of ALDS
ALDS_ERROR = 42.9  # %
NOISE = 1.0  # points of test error by which means over few seeds may differ


@dataclass(frozen=True)
class PublishedFigure:
    """A scheme of LC's table: what it is there and here, and its test error in %."""

    theirs: str
    ours: str
    error: float


LC_REFERENCE = 2.13  # % test error
LC_TABLE = (
    PublishedFigure("two values a layer", "1 bit, quantisation-aware", 2.56),
    PublishedFigure("5 % of the weights", "learning–compression, of each layer", 2.18),
    PublishedFigure("5 % of the weights", "magnitude pruning", 2.18),
)


def rows() -> Iterator[Row]:
    changes = np.array([_measure_changes(seed) for seed in range(SEEDS)]).T
    for published, measured in zip(LC_TABLE, changes, strict=True):
        theirs = published.error - LC_REFERENCE
        yield Row(
            f"mnist_5k + lenet300, {published.theirs}: {published.ours}, {EPOCHS} epochs",
            f"{measured.mean():+.2f} points of test error (± {_spread(measured):.2f})",
            f"{theirs:+.2f}, LC on MNIST: {LC}",
            float("nan"),  # of changes that may be of either sign
            f"≤ +{NOISE:g} p.",
            bool(measured.mean() <= theirs + NOISE),
        )
    ours = np.array([_measure_groups(seed) for seed in range(SEEDS)])
    yield Row(
        f"digits + mlp, {SHARE:.0%} of the parameters: column groups, {EPOCHS} epochs",
        f"{ours.mean():.1f} % test error (± {_spread(ours):.1f})",
        f"{ALDS_ERROR} %, {ALDS}",
        float(ours.mean() / ALDS_ERROR),
        "≤ 1",
        bool(ours.mean() <= ALDS_ERROR),
    )


def _measure_changes(seed: int) -> list[float]:
    """Change of the test error in points, a scheme of ``LC_TABLE`` each."""
    dataset = data.load("mnist_5k", seed=seed)
    reference = compression.train(dataset, "lenet300", seed=seed)
    curves = (
        compression.baseline_curve(reference, dataset, "quantization_aware", [1], epochs=EPOCHS),
        compression.constrained_curve(
            reference, dataset, "cardinality", [0.05], method="learning_compression", epochs=EPOCHS
        ),
        compression.baseline_curve(reference, dataset, "magnitude_pruning", [0.05], epochs=EPOCHS),
    )
    return [-100 * float(curve.table["change"].iloc[0]) for curve in curves]


def _measure_groups(seed: int) -> float:
    """Test error in % of column groups at the same share of the parameters, trained on."""
    dataset = data.load("digits", seed=seed)
    reference = compression.train(dataset, "mlp", seed=seed)
    budget = [SHARE * accounting.parameters(reference.network)]
    table = budget_curve(reference, dataset, budget, method="column_groups").table
    ranks = table.loc[table["rule"] == "best", "ranks"].tolist()
    curve = compression.low_rank_curve(reference, dataset, "column_groups", ranks, epochs=EPOCHS)
    return 100 * (1 - float(curve.table["score"].iloc[0]))


def _spread(values: np.ndarray) -> float:
    return float(values.std(ddof=1) / len(values) ** 0.5)
