"""Test error that each family reaches within shares of the reference's bytes.

Of each family the row with the best validation score that fits is taken, and judged on the test
part; all families that train have the same epochs for every row.
``python -m benchmarks.quality --pairs digits:mlp mnist_5k:lenet300 --seeds 3`` measures more than
the one pair and seed of ``python -m benchmarks``.
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

import compression
import data

from .table import Row

PAIR = "digits:mlp"
SHARES = (0.5, 0.25, 0.125, 0.06)
"""Of the bytes of the reference's file."""
EPOCHS = 10
"""For every row of every family that trains the reference's weights on."""
BITS = (8, 6, 4, 3, 2)
"""That rows without few bits of their own are rounded to as well."""
BOUNDS = (0.6, 0.4, 0.25, 0.15, 0.1)
KEPT = (0.5, 0.3, 0.2, 0.1, 0.05, 0.03, 0.02, 0.01)
RANKS = (64, 32, 24, 16, 12, 8, 6, 4)
WIDTHS = (0.6, 0.45, 0.3, 0.2, 0.12, 0.08)


@dataclass(frozen=True, eq=False)
class Choice:
    """The row that a family would take: its validation, its test predictions and its bytes."""

    name: str
    knob: str
    validation: tuple[float, float]
    predicted: np.ndarray
    share: float


def curves(
    reference: compression.Reference, dataset: data.Dataset
) -> Iterator[tuple[str, str, compression.Curve]]:
    """Family, what is done to it, and its curve."""

    def in_few_bits(curve: compression.Curve) -> compression.Curve:
        rows = [
            (knob, curve.network(row), bits)
            for row, knob in enumerate(curve.table["knob"])
            for bits in BITS
        ]
        return compression.quantized_curve(reference, dataset, rows, curve.knob)

    for name, knobs in (
        ("rounding", None),
        ("quantization_aware", None),
        ("magnitude_pruning", KEPT),
        ("smaller_network", WIDTHS),
    ):
        epochs = None if name == "smaller_network" else EPOCHS  # it has the reference's own
        curve = compression.baseline_curve(reference, dataset, name, knobs, epochs=epochs)
        yield name, "", curve
        if curve.knob != "bits":
            yield name, "few bits", in_few_bits(curve)
    for constraint, bounds in (("box", BOUNDS), ("cardinality", KEPT)):
        # A curve whose networks start one from the other would spend more on the later ones.
        for bound in bounds:
            curve = compression.constrained_curve(
                reference, dataset, constraint, [bound], epochs=EPOCHS
            )
            yield constraint, "", curve
            yield constraint, "few bits", in_few_bits(curve)
    curve = compression.low_rank_curve(reference, dataset, ranks=RANKS, epochs=EPOCHS)
    yield "low rank", "", curve
    yield "low rank", "few bits", in_few_bits(curve)


def choices(reference: compression.Reference, dataset: data.Dataset) -> dict[float, list[Choice]]:
    """For each share of the bytes what each family would take; without those that do not fit."""
    found: dict[float, dict[str, Choice]] = {share: {} for share in SHARES}
    for family, kind, curve in curves(reference, dataset):
        for row, line in curve.table.iterrows():
            bits = f", {line['bits']:.0f} bits" if "bits" in curve.table else ""
            choice = Choice(
                f"{family}, {kind}".rstrip(", "),
                f"{curve.knob} {line['knob']:.3g}{bits if kind else ''}",
                (line["validation_score"], -line["validation_loss"]),
                curve.predictions[row],
                line["bytes"] / curve.reference["bytes"],
            )
            for share, best in found.items():
                held = best.get(choice.name)
                better = held is None or choice.validation > held.validation
                if choice.share <= share and better:
                    best[choice.name] = choice
    return {share: list(best.values()) for share, best in found.items()}


def errors(pair: str, seed: int) -> pd.DataFrame:
    """A line a share and family: test error in %, and the change of accuracy in points against
    the baseline that the validation score prefers, with its 95 % interval."""
    name, model = pair.split(":")
    dataset = data.load(name, seed=seed)
    reference = compression.train(dataset, model, seed=seed)
    if dataset.task != "classification":
        raise SystemExit(f"{name} has no classes: choose a dataset that has")
    lines = []
    for share, found in choices(reference, dataset).items():
        baselines = [one for one in found if one.name.split(", ")[0] in compression.BASELINES]
        peer = max(baselines, key=lambda one: one.validation)
        for one in sorted(found, key=lambda one: one.validation, reverse=True):
            before, after = (choice.predicted == dataset.y_test for choice in (peer, one))
            low, high = compression.paired_change(before, after)
            lines.append(
                {
                    "pair": pair,
                    "seed": seed,
                    "share": share,
                    "family": one.name,
                    "baseline": one in baselines,
                    "best baseline": one is peer,
                    "row": one.knob,
                    "bytes %": 100 * one.share,
                    "validation %": 100 * (1 - one.validation[0]),
                    "test %": 100 * (1 - after.mean()),
                    "reference %": 100 * (1 - reference.score),
                    "change": 100 * (after.mean() - before.mean()),
                    "low": 100 * low,
                    "high": 100 * high,
                }
            )
    return pd.DataFrame(lines)


def judge(measured: pd.DataFrame) -> Iterator[Row]:
    """A row a pair and share: the best of box, cardinality and low rank against the baselines."""
    for (pair, share), own in measured.groupby(["pair", "share"], sort=False):
        ours = own[~own["baseline"]].drop_duplicates("seed")  # the best on validation comes first
        peers = own[own["best baseline"]]
        seeds = ", ".join(sorted(set(ours["family"])))
        if len(ours) < len(peers):
            continue  # nothing of ours fits
        yield Row(
            f"{pair}, {share:.1%} of the bytes: test error",
            f"{ours['test %'].mean():.2f} %, {seeds}",
            f"{peers['test %'].mean():.2f} %, {', '.join(sorted(set(peers['family'])))}",
            ours["test %"].mean() / peers["test %"].mean() if peers["test %"].mean() else np.nan,
            "",
            None,
        )


def measure(pairs: Sequence[str], seeds: int) -> pd.DataFrame:
    """All lines of :func:`errors`."""
    return pd.concat(
        [errors(pair, seed) for pair in pairs for seed in range(seeds)], ignore_index=True
    )


def rows() -> Iterator[Row]:
    yield from judge(measure([PAIR], seeds=1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", nargs="+", default=[PAIR], help="dataset:model")
    parser.add_argument("--seeds", type=int, default=1)
    asked = parser.parse_args()
    measured = measure(asked.pairs, asked.seeds)
    for (pair, share, seed), own in measured.groupby(["pair", "share", "seed"], sort=False):
        print(
            f"\n{pair}, seed {seed}, at most {share:.1%} of the bytes; "
            f"reference {own['reference %'].iloc[0]:.2f} % test error"
        )
        change = own.apply(
            lambda line: f"{line['change']:+.2f} [{line['low']:+.2f}, {line['high']:+.2f}]", axis=1
        )
        shown = own[["family", "row", "bytes %", "validation %", "test %"]].assign(
            **{"points against the best baseline": change.where(~own["best baseline"], "itself")}
        )
        print(shown.round(2).to_string(index=False))


if __name__ == "__main__":
    main()
