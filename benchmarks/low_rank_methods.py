"""Test error of each low-rank method at the same budgets, raw and trained on.

``python -m benchmarks.low_rank_methods --seeds 5`` prints every method at every budget; a row
holds column groups against activation-aware SVD, which they have as their special case. Of
convolutions: the fewest multiplications with which each method loses at most a point.
"""

import argparse
import time
from collections.abc import Iterator, Sequence

import pandas as pd

import compression
import data
from compression import accounting
from compression.low_rank.budgets import budget_curve
from compression.network import layers

from .rank_allocation_quality import PAIRS, TRAINING_EPOCHS
from .table import Row

METHODS = (
    "truncated_svd",
    "activation_aware_svd",
    "column_groups",
    "covariance_eigenvectors",
)
SHARES = (0.04, 0.08, 0.15, 0.3)
"""Of the reference's parameters; or the least possible, where that is more."""
EPOCHS = 10
CONVOLUTIONS = {"mnist_5k": "lenet5", "mnist1d": "conv1d"}
KERNEL_METHODS = ("cp", "tucker2", "spatial_svd", "truncated_svd")
NOISE = 1.0  # points of test error by which a mean over few seeds may differ


def errors(dataset: str, seed: int, methods: Sequence[str] = METHODS) -> pd.DataFrame:
    """A line a method and share: raw and tuned test error in %, processor seconds, ranks."""
    loaded = data.load(dataset, seed=seed)
    reference = compression.train(loaded, model=PAIRS[dataset], seed=seed, epochs=TRAINING_EPOCHS)
    whole = accounting.parameters(reference.network)
    lines = []
    for method in methods:
        begin = time.process_time()
        least = budget_curve(reference, loaded, None, method=method).table["knob"].min()
        wanted = [max(share * whole, least) for share in SHARES]
        table = budget_curve(reference, loaded, wanted, method=method).table
        best = table[table["rule"] == "best"].set_index("knob")
        ranks = [best["ranks"][budget] for budget in wanted]
        tuned = compression.low_rank_curve(reference, loaded, method, ranks, epochs=EPOCHS).table
        seconds = time.process_time() - begin
        for place, budget in enumerate(wanted):
            raw = best["score"][budget]
            raw, after = (100 * (1 - score) for score in (raw, tuned["score"][place]))
            lines.append((dataset, seed, method, SHARES[place], raw, after, seconds, ranks[place]))
    columns = ["dataset", "seed", "method", "share", "raw", "tuned", "seconds", "ranks"]
    return pd.DataFrame(lines, columns=columns)


def judge(measured: pd.DataFrame) -> Iterator[Row]:
    """A row a dataset, share and kind: column groups beside activation-aware SVD."""
    for kind in ("raw", "tuned"):
        means = measured.pivot_table(
            index=["dataset", "share"], columns="method", values=kind, sort=False
        )
        for (dataset, share), row in means.iterrows():
            groups, whole = row["column_groups"], row["activation_aware_svd"]
            yield Row(
                f"{dataset} + {PAIRS[dataset]}, {share:.0%}, {kind}: test error",
                f"{groups:.1f} %, column groups",
                f"{whole:.1f} %, activation-aware SVD",
                groups / whole if whole else 1.0,
                f"≤ +{NOISE:g} p.",
                bool(groups <= whole + NOISE),
            )


def fewest_macs(dataset: str, seed: int) -> dict[str, int]:
    """MACs a sample with which a method loses at most a point of validation, not trained on.

    One rank for all convolutions; linear layers stay as they are.
    """
    loaded = data.load(dataset, seed=seed)
    reference = compression.train(loaded, model=CONVOLUTIONS[dataset], seed=seed)
    kinds = {
        name: f"conv{layer.weight.ndim - 2}d" for name, layer in layers(reference.network).items()
    }
    kernels = [name for name, kind in kinds.items() if kind != "conv0d"]
    fewest = {"dense": accounting.macs(reference.network)}
    for method in KERNEL_METHODS:
        if kinds[kernels[0]] in compression.LOW_RANK_METHODS[method].layers:
            curve = compression.low_rank_curve(reference, loaded, method, layers=kernels)
            table = curve.table
            kept = table["validation_score"] >= curve.reference["validation_score"] - 0.01
            fewest[method] = int(table["macs"][kept].min())
    return fewest


def judge_kernels(measured: pd.DataFrame) -> Iterator[Row]:
    """A row a dataset: CP beside the best of the other methods, means over seeds."""
    for dataset, group in measured.groupby("dataset", sort=False):
        means = group.drop(columns=["dataset", "seed"]).mean().dropna()
        cp, others = means["cp"], means.drop(["cp", "dense"])
        yield Row(
            f"{dataset} + {CONVOLUTIONS[dataset]}: MACs for at most a point of validation lost",
            f"{cp:,.0f}, CP",
            f"{others.min():,.0f}, {others.idxmin()} (dense {means['dense']:,.0f})",
            cp / others.min(),
            "≤ 1",
            bool(cp <= others.min()),
        )


def rows() -> Iterator[Row]:
    methods = ("activation_aware_svd", "column_groups")
    yield from judge(errors("digits", 0, methods))
    yield from judge_kernels(
        pd.DataFrame([{"dataset": d, "seed": 0} | fewest_macs(d, 0) for d in CONVOLUTIONS])
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--datasets", nargs="+", choices=PAIRS, default=["digits", "mnist1d"])
    options = parser.parse_args()
    measured = pd.concat(errors(d, seed) for d in options.datasets for seed in range(options.seeds))
    for kind in ("raw", "tuned", "seconds"):
        means = measured.pivot_table(
            index=["dataset", "method"], columns="share", values=kind, sort=False
        )
        print(f"\n{kind}, mean of {options.seeds} seeds\n{means.round(1).to_string()}")
    kernels = pd.DataFrame(
        [
            {"dataset": d, "seed": s} | fewest_macs(d, s)
            for d in CONVOLUTIONS
            for s in range(options.seeds)
        ]
    )
    means = kernels.groupby("dataset", sort=False).mean().drop(columns="seed")
    print(
        f"\nMACs for at most a point lost, mean of {options.seeds} seeds\n{means.round().to_string()}"
    )


if __name__ == "__main__":
    main()
