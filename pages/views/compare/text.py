"""Sentences of the comparison."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd

from pages.shared.format import compare_sizes, format_change, format_score
from pages.shared.models.results import CurveView, Trained

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


class Shown(NamedTuple):
    """What a preset's sentence speaks of: a row of each curve, as the page shows them.

    ``plain``: the same rank by plain truncated SVD, where the preset shows it beside.
    """

    trained: Trained
    low_rank: CurveView
    low_rank_row: int
    constrained: CurveView
    constrained_row: int
    plain: pd.Series | None = None

    @property
    def lmm(self) -> pd.Series:
        return self.low_rank.table.iloc[self.low_rank_row]

    @property
    def coc(self) -> pd.Series:
        return self.constrained.table.iloc[self.constrained_row]


class Preset(NamedTuple):
    """Choices that show one thing, and what to look at, with the numbers that the page shows.

    ``beside``: a low-rank method whose curve is drawn beside, as a ghost in the plane.
    """

    title: str
    says: str
    choices: Mapping[str, Any]
    look: Callable[[Shown], str]
    beside: str | None = None


def _points(value: float, trained: Trained) -> str:
    unit = " points" if trained.task == "classification" else " of R²"
    return format_change(value, trained.task) + unit


def _against_reference(line: pd.Series, trained: Trained) -> str:
    """A file's size and the score's change, and whether the test set shows a loss."""
    low, high = (format_change(line[f"change_{end}"], trained.task) for end in ("low", "high"))
    shown = "a loss is shown" if line["change_high"] < 0 else "no loss is shown"
    return (
        f"a file {compare_sizes(trained.bytes, line['bytes'])}, "
        f"{_points(line['change'], trained)} ({low} to {high}: {shown})"
    )


def _article(shown: Shown) -> str:
    trained = shown.trained
    return (
        f"Hold the two sides against each other at about one file size: **LMM** has "
        f"{_against_reference(shown.lmm, trained)}, **COC** {_against_reference(shown.coc, trained)}."
    )


def _binary(shown: Shown) -> str:
    line, trained = shown.coc, shown.trained
    return (
        f"Look at COC: **{100 * line['pinned']:.0f} %** of its weights stand at one of two values "
        "a layer, plus or minus the bound, and cost a few bits of a map instead of a number each. "
        f"It scores **{format_score(line['score'], trained.task)}**, the reference "
        f"{format_score(trained.score, trained.task)}, in a file "
        f"{compare_sizes(trained.bytes, line['bytes'])}."
    )


def _convolutions(shown: Shown) -> str:
    line, (name, values) = shown.lmm, next(iter(shown.low_rank.spectra.items()))
    k = int(line["knob"])
    kept = float((values[:k] ** 2).sum() / (values**2).sum())
    return (
        f"Look at LMM and its singular values: rank {k} of {len(values)} keeps {100 * kept:.0f} % "
        f"of the energy of {name}. With the linear layers at this rank the network has "
        f"{_against_reference(line, shown.trained)}."
    )


def _whitening(shown: Shown) -> str:
    line, trained, plain = shown.lmm, shown.trained, shown.plain
    if plain is None:
        return "Look at LMM; plain truncated SVD of the same rank is still being judged."
    return (
        f"Look at LMM in the lowest picture: at rank {int(line['knob'])} activation-aware SVD scores "
        f"**{format_score(line['score'], trained.task)}**, plain truncated SVD (ghost) "
        f"**{format_score(plain['score'], trained.task)}** with as many parameters, the reference "
        f"{format_score(trained.score, trained.task)}. Towards larger files the two curves meet."
    )


PRESETS = (
    Preset(
        "The article's experiment, corrected",
        "Two classes by scikit-learn's make_classification, standardised with training statistics; "
        "a deep network trained by cross-entropy on logits; truncated SVD beside a bound on every "
        "weight, at about one file size.",
        {"dataset": "synthetic", "model": "mlp", "rank": 10, "bound": 0.0882, "cost": "bytes"},
        _article,
    ),
    Preset(
        "Almost a binary network",
        "A small box: nearly every weight stands at plus or minus its layer's bound, and a few bits "
        "of a map are all it stores.",
        {"dataset": "breast_cancer", "model": "mlp", "bound": 0.0882, "cost": "bytes"},
        _binary,
    ),
    Preset(
        "How low-rank is a trained CNN",
        "LeNet-5 on 28 × 28 digits, its linear layers by truncated SVD. COC takes a while.",
        {"dataset": "mnist_5k", "model": "lenet5", "layer": "fc1", "rank": 12},
        _convolutions,
    ),
    Preset(
        "When whitening helps",
        "Activation-aware SVD keeps the outputs, not the weights: at small ranks that is worth "
        "much here, at larger ones nothing.",
        {
            "dataset": "synthetic",
            "model": "mlp",
            "method": "activation_aware_svd",
            "rank": 3,
            "bound": 0.0882,
        },
        _whitening,
        beside="truncated_svd",
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
    source = "Tango's interval for pairs" if task == "classification" else "paired bootstrap"
    text = f"COC scores **{change}{unit}** against LMM ({low} to {high}, {source}): {sure}."
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
