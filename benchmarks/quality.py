"""Test error that each family reaches within shares of the reference's bytes.

All rows of all families have the same epochs beyond the reference's own; of each family the row
with the best validation score that fits is taken, and judged on the test part. Families in few
bits are rounded after all epochs, or trained with rounded weights for half of them: validation
chooses. ``python -m benchmarks.quality`` measures five pairs with five seeds, and prints
the tables; ``python -m benchmarks quality`` one of each.
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

import compression
import data
from compression.low_rank.curve import spaced_ranks

from .table import Row

PAIRS = ("digits:mlp", "wine:mlp", "breast_cancer:mlp", "diabetes:mlp", "iris:mlp")
SHARES = (0.5, 0.25, 0.16, 0.125, 0.09, 0.06)
"""Of the bytes of the reference's file."""
EPOCHS = 10
"""For every row of every family that trains the reference's weights on."""
BITS = (5, 3, 2)
"""That every family's rows are put in."""
BOUNDS = (0.5, 0.2)
KEPT = (0.3, 0.15, 0.08, 0.04)
WIDTHS = (0.5, 0.25, 0.1)
RANKS = 5  # at most, spaced by ratio
BASELINES = ("rounding", "quantization-aware", "pruning", "smaller network")


@dataclass(frozen=True, eq=False)
class Choice:
    """The row that a family would take: its validation, its test predictions and its bytes."""

    family: str
    knob: str
    validation: tuple[float, float]
    predicted: np.ndarray
    share: float


def curves(
    reference: compression.Reference, dataset: data.Dataset
) -> Iterator[tuple[str, compression.Curve]]:
    """Family and curve; several curves may be one family's."""
    half = EPOCHS // 2

    def few(name: str, make) -> Iterator[tuple[str, compression.Curve]]:
        whole = make(EPOCHS)
        yield name, whole
        yield (
            f"{name}, few bits",
            compression.few_bits_curve(reference, dataset, whole, BITS),
        )
        yield (
            f"{name}, few bits",
            compression.few_bits_curve(reference, dataset, make(half), BITS, epochs=half),
        )

    def baseline(name: str, knobs: Sequence[float] | None, epochs: int | None):
        return compression.baseline_curve(reference, dataset, name, knobs, epochs=epochs)

    def bind_bounds(name: str, bounds: Sequence[float]):
        return lambda epochs: compression.constrained_curve(
            reference,
            dataset,
            name,
            bounds,
            method="projected_training",
            epochs=epochs,
            warm_start=False,
        )

    ranks = spaced_ranks(reference, dataset, "truncated_svd", count=RANKS)

    def low_rank(epochs: int) -> compression.Curve:
        return compression.low_rank_curve(reference, dataset, ranks=ranks, epochs=epochs)

    yield "rounding", baseline("rounding", None, None)
    yield "quantization-aware", baseline("quantization_aware", (8, 6, 4, 3, 2, 1), EPOCHS)
    yield from few("pruning", lambda epochs: baseline("magnitude_pruning", KEPT, epochs))
    if compression.MODELS[reference.model].scalable:  # it has the reference's own epochs
        whole = baseline("smaller_network", WIDTHS, None)
        yield "smaller network", whole
        trained = compression.few_bits_curve(reference, dataset, whole, BITS, epochs=half)
        yield "smaller network, few bits", trained
    yield from few("box", bind_bounds("box", BOUNDS))
    yield from few("cardinality", bind_bounds("cardinality", KEPT))
    yield from few("low rank", low_rank)


def choices(reference: compression.Reference, dataset: data.Dataset) -> dict[float, list[Choice]]:
    """For each share of the bytes what each family would take; without those that do not fit."""
    found: dict[float, dict[str, Choice]] = {share: {} for share in SHARES}
    for family, curve in curves(reference, dataset):
        for row, line in curve.table.iterrows():
            bits = f", {line['bits']:.0f} bits" if family.endswith("few bits") else ""
            choice = Choice(
                family,
                f"{curve.knob} {line['knob']:.3g}{bits}",
                (line["validation_score"], -line["validation_loss"]),
                curve.predictions[row],
                line["bytes"] / curve.reference["bytes"],
            )
            for share, best in found.items():
                held = best.get(family)
                better = held is None or choice.validation > held.validation
                if choice.share <= share and better:
                    best[family] = choice
    return {share: list(best.values()) for share, best in found.items()}


def is_baseline(family: str) -> bool:
    return family.split(", ")[0] in BASELINES


def measure_seed(pair: str, seed: int) -> pd.DataFrame:
    """A line a share and family: what it took, and what that scores on test.

    ``change`` of ours against it, ``gains``, ``losses``: test samples that only ours, and only it,
    gets right; ours being the row of best validation score of all our families.
    """
    name, model = pair.split(":")
    dataset = data.load(name, seed=seed)
    reference = compression.train(dataset, model, seed=seed)
    target, task = dataset.y_test, dataset.task
    lines = []
    for share, found in choices(reference, dataset).items():
        if not (peers := [one for one in found if is_baseline(one.family)]):
            continue
        peer = max(peers, key=lambda one: one.validation)
        ours = [one for one in found if not is_baseline(one.family)]
        best = max(ours, key=lambda one: one.validation, default=None)
        for one in found:
            before, after = one.predicted, (one if best is None else best).predicted
            scores = [compression.evaluation.score(p, target, task) for p in (before, after)]
            lines.append(
                {
                    "pair": pair,
                    "seed": seed,
                    "task": task,
                    "share": share,
                    "family": one.family,
                    "best": "baseline" if one is peer else "ours" if one is best else "",
                    "row": one.knob,
                    "bytes %": 100 * one.share,
                    "test": 100 * (1 - scores[0]),
                    "reference": 100 * (1 - reference.score),
                    "change": 100 * (scores[1] - scores[0]),
                    "gains": ((after == target) & (before != target)).sum(),
                    "losses": ((after != target) & (before == target)).sum(),
                    "samples": len(target),
                }
            )
    return pd.DataFrame(lines)


def measure(pairs: Sequence[str], seeds: int) -> pd.DataFrame:
    """All lines of :func:`measure_seed`."""
    return pd.concat(
        [measure_seed(pair, seed) for pair in pairs for seed in range(seeds)], ignore_index=True
    )


def change_over_seeds(lines: pd.DataFrame) -> tuple[float, float, float]:
    """Mean change in points and its 95 % interval: of all seeds' test samples together a score
    interval for paired proportions; for R², of the seeds' changes, Student's."""
    change = float(lines["change"].mean())
    if lines["task"].iloc[0] == "classification":
        sums = lines[["gains", "losses", "samples"]].sum()
        low, high = compression.intervals.score_ends(*sums[:2], int(sums["samples"]))
        return change, 100 * float(low), 100 * float(high)
    half = stats.t.ppf(0.975, len(lines) - 1) * lines["change"].sem() if len(lines) > 1 else np.inf
    return change, change - half, change + half


def compare(measured: pd.DataFrame) -> pd.DataFrame:
    """A line a pair and share: ours against the baseline that each seed's validation prefers."""
    lines = []
    for (pair, share), own in measured.groupby(["pair", "share"], sort=False):
        ours, peers = own[own["best"] == "ours"], own[own["best"] == "baseline"]
        ours = ours.set_index("seed")
        peers = peers.set_index("seed").loc[ours.index]
        if ours.empty:
            continue
        change, low, high = change_over_seeds(peers.reset_index())
        lines.append(
            {
                "pair": pair,
                "share": share,
                "reference": own["reference"].mean(),
                "ours": ours["test"].mean(),
                "baseline": peers["test"].mean(),
                "change": change,
                "low": low,
                "high": high,
                "seeds": len(ours),
                "verdict": "ahead" if low > 0 else "behind" if high < 0 else "level",
                "our families": ", ".join(ours["family"].value_counts().index[:2]),
                "baselines": ", ".join(peers["family"].value_counts().index[:2]),
            }
        )
    return pd.DataFrame(lines)


def against_each(measured: pd.DataFrame) -> pd.DataFrame:
    """Ours against every baseline: a row a baseline, a column a share; where both always fit."""
    seeds = measured["seed"].nunique()
    cells = {}
    for (family, share), own in measured.groupby(["family", "share"], sort=False):
        if is_baseline(family) and len(own) == seeds:
            change, low, high = change_over_seeds(own)
            cells[family, f"{share:.1%}"] = f"{change:+.2f} [{low:+.2f}, {high:+.2f}]"
    return pd.Series(cells).unstack(sort=False).fillna("does not fit")


def judge(measured: pd.DataFrame) -> Iterator[Row]:
    """A row a pair and share: the best of box, cardinality and low rank against the baselines."""
    for line in compare(measured).to_dict("records"):
        yield Row(
            f"{line['pair']}, {line['share']:.1%} of the bytes: test error, {line['verdict']}",
            f"{line['ours']:.2f} %, {line['our families']}",
            f"{line['baseline']:.2f} %, {line['baselines']}",
            line["ours"] / line["baseline"] if line["baseline"] else np.nan,
            "",
            None,
        )


def rows() -> Iterator[Row]:
    yield from judge(measure(["digits:mlp"], seeds=1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", nargs="+", default=PAIRS, help="dataset:model")
    parser.add_argument("--seeds", type=int, default=5)
    asked = parser.parse_args()
    everything = []
    for pair in asked.pairs:
        measured = measure([pair], asked.seeds)
        everything.append(measured)
        seen = measured.pivot_table(values="test", index="family", columns="share", sort=False)
        counts = measured.pivot_table(
            values="test", index="family", columns="share", aggfunc="count", sort=False
        )
        shown = seen.where(counts == asked.seeds).sort_index(axis=1, ascending=False)
        unit = "test error, %" if measured["task"].iloc[0] == "classification" else "100 (1 − R²)"
        print(
            f"\n{pair}: {unit}, mean of {asked.seeds} seeds, at most so large a share of the bytes; "
            f"reference {measured['reference'].mean():.2f}; NaN: some seed has none that small"
        )
        print(shown.rename(columns="{:.1%}".format).round(2).to_string(), flush=True)
        print("ours, in points, minus each baseline, with its paired 95 % interval:")
        print(against_each(measured).to_string(), flush=True)
        print(compare(measured).drop(columns="pair").round(2).to_string(index=False), flush=True)
    verdicts = compare(pd.concat(everything))
    print("\n", pd.crosstab(verdicts["pair"], verdicts["verdict"]).to_string(), sep="")


if __name__ == "__main__":
    main()
