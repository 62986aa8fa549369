"""What do grids for each channel, zero points and calibration rows gain a rounded network?

Curves, pages and baselines round with one grid around 0 for each layer. Here validation also chooses
among the other grids that ``compression.quantize`` has, at equal measured bytes.
"""

from collections.abc import Iterator
from itertools import product

import numpy as np
import pandas as pd
import torch

import compression
import data
from compression import storage

from .table import Row

PAIRS = {
    "digits": "mlp",
    "breast_cancer": "mlp",
    "mnist_5k": "softmax_regression",
    "mnist1d": "conv1d",
}
SEEDS = 5
BITS = range(1, 9)
SHARES = 0.25, 0.125, 1 / 12, 1 / 16
"""Of the reference's measured bytes; what nothing fits into is left out."""
CALIBRATION_ROWS = 500
BEHIND = 1.0
"""Points of test error that the one grid may be behind."""


def rows() -> Iterator[Row]:
    for dataset, model in PAIRS.items():
        table = pd.concat([measure(dataset, model, seed) for seed in range(SEEDS)])
        for share in SHARES:
            fitting = table[table["share"] <= share]
            one = choose(fitting[~fitting["per_channel"] & ~fitting["calibrated"]])
            best = choose(fitting)
            if len(one) < SEEDS:
                continue
            yield Row(
                f"{dataset} + {model} rounded into {share:.1%} of its file: test error, %",
                f"{one.mean():.2f}, one grid for each layer",
                f"{best.mean():.2f}, the grid that validation chooses of six",
                one.mean() / best.mean(),
                f"≤ + {BEHIND:g}",
                bool(one.mean() <= best.mean() + BEHIND),
            )


def measure(dataset: str, model: str, seed: int) -> pd.DataFrame:
    """A row for each grid and number of bits: share of the file, validation and test error in %."""
    loaded = data.load(dataset, seed=seed)
    reference = compression.train(loaded, model=model, seed=seed)
    whole = len(storage.to_bytes(reference.network))
    fit_rows = loaded.x_train[loaded.fit_rows][:CALIBRATION_ROWS]
    validation = loaded.x_train[loaded.validation_rows], loaded.y_train[loaded.validation_rows]
    lines = []
    for bits, grid, calibrated in product(
        BITS, ((False, False), (True, False), (True, True)), (False, True)
    ):
        network = compression.quantize(
            reference.network,
            bits,
            per_channel=grid[0],
            zero_point=grid[1],
            rows=fit_rows if calibrated else None,
        )
        lines.append(
            {
                "seed": seed,
                "per_channel": grid[0],
                "calibrated": calibrated,
                "share": len(storage.to_bytes(network)) / whole,
                "validation": measure_error(network, *validation),
                "test": measure_error(network, loaded.x_test, loaded.y_test),
            }
        )
    return pd.DataFrame(lines)


def measure_error(network: torch.nn.Module, x: np.ndarray, y: np.ndarray) -> float:
    """Wrong answers in %."""
    with torch.no_grad():
        answers = network(torch.as_tensor(x)).argmax(1).numpy()
    return 100 * float(np.mean(answers != y))


def choose(table: pd.DataFrame) -> pd.Series:
    """Each seed's test error where validation's is least, of equal ones the smallest file."""
    return table.sort_values(["validation", "share"]).groupby("seed")["test"].first()
