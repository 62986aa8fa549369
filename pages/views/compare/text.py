"""Sentences of the comparison."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd

from pages.shared.format import format_change

from .results import Difference, Pin

TIES = {
    "free": "Nothing",
    "bytes": "File size",
    "parameters": "Parameters",
    "validation_score": "Validation score",
}
TIED = (
    "Tied, moving one slider moves the other to the row of its curve that is nearest in that "
    "number, as near as the curve's steps allow. The score meant is the validation part's: the "
    "test set chooses nothing."
)


REPORT = {
    True: "One file of some 5 MB that works without a network: the moving picture, the numbers, "
    "methods with their sources, versions, and Python code that gives the same numbers.",
    False: "The same, 5 MB smaller: it needs plotly.min.js in its own folder.",
}


class Preset(NamedTuple):
    """Choices that show one thing."""

    title: str
    says: str
    choices: Mapping[str, Any]


PRESETS = (
    Preset(
        "The article's experiment, corrected",
        "Iris, standardised with training statistics; a logistic model, one linear layer, trained "
        "by cross-entropy on logits; truncated SVD beside a bound on every weight.",
        {"dataset": "iris", "model": "softmax_regression"},
    ),
    Preset(
        "Binary network",
        "The smallest box: almost every weight stands at +c or −c, and a bit is all it stores.",
        {"dataset": "digits", "model": "mlp", "bound": 0.03},
    ),
    Preset(
        "How low-rank is a trained CNN",
        "LeNet-5 on 28 × 28 digits, its linear layers by truncated SVD. Training takes a while.",
        {"dataset": "mnist_5k", "model": "lenet5"},
    ),
    Preset(
        "When whitening helps",
        "Activation-aware SVD keeps the outputs, not the weights: at small ranks that is worth "
        "much here, at larger ones nothing. The page Low rank shows both methods' curves.",
        {"dataset": "digits", "model": "mlp", "method": "activation_aware_svd", "rank": 4},
    ),
)


def difference(found: Difference, task: str, samples: int) -> str:
    """How the two scores differ, how sure that is, and on how many samples."""
    unit = " points" if task == "classification" else " of R²"
    change = format_change(found.change, task)
    low, high = (format_change(end, task) for end in (found.change_low, found.change_high))
    sure = (
        "the interval excludes 0"
        if found.change_low > 0 or found.change_high < 0
        else "the interval includes 0: no difference is shown"
    )
    text = f"COC scores **{change}{unit}** against LMM ({low} to {high}, paired bootstrap): {sure}."
    if math.isnan(found.probability):
        return text
    if found.differing == 0:
        return f"The two give the same answer on all {samples:,} test samples."
    return (
        f"{text} They answer differently on **{found.differing:,}** of {samples:,} test samples; "
        f"only LMM is right on {found.first_only:,}, only COC on {found.second_only:,} "
        f"(McNemar's exact test: p = {found.probability:.2g})."
    )


def titles(found: Difference) -> list[str]:
    """What stands above the picture of each sample."""
    return [
        f"{line.true}: LMM {line.first}, COC {line.second}" for line in found.samples.itertuples()
    ]


def samples(found: Difference, quantity: str) -> pd.DataFrame:
    """The samples on which they differ: answers first, then features."""
    table = found.samples.rename(
        columns={"true": f"true {quantity}", "first": "LMM", "second": "COC"}
    )
    if not isinstance(found.inputs, pd.DataFrame):
        return table
    return pd.concat([table, found.inputs], axis=1)


def pins(kept: Sequence[Pin], dataset: str, now: Mapping[str, pd.Series]) -> pd.DataFrame:
    """A row a pinned model, and the current one minus it where both speak of the same data."""
    lines = []
    for pin in kept:
        for title, (setting, _, row) in pin.rows.items():
            current, comparable = now[title], pin.choices["dataset"] == dataset
            lines.append(
                {
                    "pin": pin.label,
                    "side": title,
                    "setting": setting,
                    "of": pin.of,
                    "score": row["score"],
                    "low": row["score_low"],
                    "high": row["score_high"],
                    "parameters": int(row["parameters"]),
                    "bytes": int(row["bytes"]),
                    "MACs": int(row["macs"]),
                    "score now − pin": current["score"] - row["score"] if comparable else None,
                    "bytes now − pin": int(current["bytes"] - row["bytes"]) if comparable else None,
                }
            )
    return pd.DataFrame(lines)
