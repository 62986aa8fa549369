"""Test error that each way of sharing a budget among the layers reaches, raw and trained on.

Twice: of the rule "best", the default of a budget curve, and of the one that ``allocate_ranks``
has, which sees weights alone. ``python -m benchmarks.rank_allocation_quality`` prints every rule
besides; ``--seeds``, ``--pairs`` and ``--methods`` take fewer.
"""

import argparse
from collections.abc import Iterator, Sequence

import pandas as pd

import compression
import data
from compression import accounting
from compression.low_rank.budgets import budget_curve

from .table import HEAD, Row, line, show

PAIRS = {
    "digits": "mlp",
    "breast_cancer": "mlp",
    "planted": "mlp",
    "mnist_5k": "lenet300",
    "mnist1d": "mlp",
}
METHODS = ("truncated_svd", "activation_aware_svd")
BUDGETS = (0.03, 0.08, 0.15, 0.3)
"""Shares of the reference's parameters; or the least possible, where that is more."""
TRAINING_EPOCHS = 30
EPOCHS = 10
"""Of training each compressed network on."""
OBJECTIVES = ("curvature", "measured", "kept_energy", "energy_share")
OF_WEIGHTS = "truncated_svd", "exact, kept_energy"
"""Method and rule of ``compression.allocate_ranks`` unless told otherwise."""
SEEDS = 5
BEHIND = 1.0
"""Points of test error that a default rule may be behind the best in hindsight."""


def errors(dataset: str, model: str, method: str, seed: int) -> pd.DataFrame:
    """A line a budget and rule: share, rule, raw and tuned test error in %, ranks, warning."""
    loaded = data.load(dataset, seed=seed)
    reference = compression.train(loaded, model=model, seed=seed, epochs=TRAINING_EPOCHS)
    whole = accounting.parameters(reference.network)
    least = budget_curve(reference, loaded, None, method=method).table["knob"].min()
    wanted = {max(share * whole, least): share for share in BUDGETS}
    lines = []
    for objective in OBJECTIVES:
        curve = budget_curve(reference, loaded, wanted, method=method, objective=objective)
        for _, row in curve.table.iterrows():
            name = row["rule"] if row["rule"] == "best" else f"{row['rule']}, {objective}"
            raw = 100 * (1 - row["score"])
            lines.append((wanted[row["knob"]], name, raw, row["ranks"], row["warning"]))
    table = pd.DataFrame(lines, columns=["share", "rule", "raw", "ranks", "warning"])
    table = table.drop_duplicates(["share", "rule"]).reset_index(drop=True)
    distinct = []
    for ranks in table["ranks"]:
        if ranks not in distinct:
            distinct.append(ranks)
    tuned = compression.low_rank_curve(reference, loaded, method, distinct, epochs=EPOCHS).table
    scores = [tuned["score"][distinct.index(ranks)] for ranks in table["ranks"]]
    # Trained on, the best is chosen anew: by validation rows, among the rules of the objective.
    chosen = budget_curve(reference, loaded, wanted, method=method, epochs=EPOCHS).table
    for _, row in chosen[chosen["rule"] == "best"].iterrows():
        place = table.index[(table["share"] == wanted[row["knob"]]) & (table["rule"] == "best")][0]
        scores[place] = row["score"]
    return table.assign(tuned=[100 * (1 - score) for score in scores])


def measure(pairs: Sequence[str], methods: Sequence[str], seeds: int) -> pd.DataFrame:
    """All lines of :func:`errors`, with pair, method and seed."""
    return pd.concat(
        errors(dataset, PAIRS[dataset], method, seed).assign(
            pair=f"{dataset} + {PAIRS[dataset]}", method=method, seed=seed
        )
        for dataset in pairs
        for method in methods
        for seed in range(seeds)
    )


def judge(measured: pd.DataFrame) -> Iterator[Row]:
    """A row a pair, method, budget and kind: each default held against the best in hindsight."""
    for kind in ("raw", "tuned"):
        means = measured.pivot_table(
            index=["pair", "method", "share"], columns="rule", values=kind, sort=False
        )
        for (pair, method, share), row in means.iterrows():
            of_weights = [rule for owner, rule in [OF_WEIGHTS] if owner == method]
            for rule in ("best", *of_weights):
                others = row.drop(rule)
                yield Row(
                    f"{pair}, {method}, {share:.0%}, {kind}: test error",
                    f"{row[rule]:.1f} %, rule {rule}",
                    f"{others.min():.1f} %, {others.idxmin()}",
                    row[rule] / others.min(),
                    f"≤ +{BEHIND:g} p.",
                    bool(row[rule] - others.min() <= BEHIND),
                )


def rows() -> Iterator[Row]:
    yield from judge(measure(list(PAIRS), METHODS, SEEDS))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--pairs", nargs="+", choices=PAIRS, default=list(PAIRS))
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=METHODS)
    options = parser.parse_args()
    measured = measure(options.pairs, options.methods, options.seeds)
    print(line(*HEAD))
    for row in judge(measured):
        print(show(row))
    for kind in ("raw", "tuned"):
        means = measured.pivot_table(
            index="rule", columns=["pair", "method", "share"], values=kind, sort=False
        )
        behind = means - means.min()
        print(f"\n{kind}: test error in %, mean of {options.seeds} seeds")
        print(means.T.round(1).to_string())
        summary = {
            "mean behind the best": behind.mean(axis=1),
            "worst": behind.max(axis=1),
            "share of budgets within 1 point": (behind <= BEHIND).mean(axis=1),
        }
        print(pd.DataFrame(summary).round(2).sort_values("mean behind the best").to_string())


if __name__ == "__main__":
    main()
