"""Sentences and labels of the page that combines."""

import math

import pandas as pd

from compression import COMBINED_METHODS, CONSTRAINTS
from pages.shared.format import compare_sizes, format_change, format_size
from pages.shared.models.results import TrainedReference
from pages.shared.models.tasks import EQUAL_EPOCHS
from pages.shared.models.text import file_stem, name_reference

from .results import CombinationSetting

NOTHING_TO_FACTOR = (
    "No rank makes a linear layer of this model smaller, so every layer stays dense: what is left "
    "of the combination is the bound alone."
)
RANK = "The same rank for every linear layer; from its break-even rank on a layer stays dense."
BOUND = (
    "A share of what just holds each weight: after the truncation its factors, with bounds first the "
    "reference. For low rank plus sparse the share of a layer's weights that the sparse part may hold."
)
COMPARISON = (
    "Budget by budget: the bytes of each pair. Each side enters with its best row on the "
    "validation part that is no larger; the difference is on the test part, with its 95 % interval "
    "(for paired proportions, Tango 1998, or a paired bootstrap for R²). "
    "One interval in twenty misses by chance: look at all of them. "
    "Below a method's smallest file there is nothing to compare; differences of more than "
    "10 points (0.1 of R²) may lie outside the axis: zoom out."
)
HEAT = "Click a cell to move both sliders there."
PLANE = (
    "Points: every pair of a rank and a bound. Thin: baselines, with the epochs of each point in "
    "its hover. Bars are 95 % intervals of one training."
)

FEW_BITS = (
    "Bits are an axis of each side: the combination, low rank alone and bounds alone, each in the "
    "number of bits that is best on validation at each size, with the same epochs. It trains some "
    "dozens of networks."
)

ALONE = {"low_rank": "low rank alone", "tuned": "low rank trained on", "bound": "bounds alone"}
BASELINE = "baseline"
OTHERS = {**ALONE, BASELINE: "the best baseline"}
BASELINES_TO_COME = (
    "The best baseline at equal bytes follows: baselines are computed after all the others."
)


def describe_grid(setting: CombinationSetting) -> str:
    """What is computed."""
    ranks, bounds = len(setting.ranks), len(setting.bounds)
    passes = "1 epoch" if setting.epochs == 1 else f"{setting.epochs} epochs"
    starts = (
        "of one rank, each begins where the one with the next larger bound ended."
        if setting.warm_start
        else "each begins from the reference."
    )
    return (
        f"{COMBINED_METHODS[setting.method].summary} {_count_ranks(ranks)} × {bounds} bounds = "
        f"{ranks * bounds} networks, {passes} each; {starts}"
    )


def _count_ranks(number: int) -> str:
    return "1 rank" if number == 1 else f"{number} ranks"


def describe_baseline(setting: CombinationSetting, ranks: int) -> str:
    epochs = setting.most_epochs
    like = (
        "as many as the last bound of a rank has behind it"
        if setting.warm_start
        else "as many as every pair and every bound alone"
    )
    return (
        f"“Low rank trained on” has {epochs} epoch{'' if epochs == 1 else 's'} at each of "
        f"{_count_ranks(ranks)}, {like}: a gain over it is not a gain of training longer. Baselines "
        f"that are trained have {EQUAL_EPOCHS} epochs, a smaller network from scratch the "
        f"reference's and {EQUAL_EPOCHS} more at most."
    )


def title_longer_reference(setting: CombinationSetting) -> str:
    """The reference, trained on for as long as any pair."""
    epochs = setting.most_epochs
    return f"Reference + {epochs} epoch{'' if epochs == 1 else 's'}"


def describe_pair(
    trained: TrainedReference, method: str, line: pd.Series, wanted: tuple[float, float]
) -> str:
    """What the pair shown is, and where it is not the one asked for."""
    rank, bound = int(line["rank"]), float(line["bound"])
    text = ""
    if (rank, bound) != wanted:
        text = (
            f"k = {wanted[0]:g}, ρ = {wanted[1]:g} is not computed yet: shown is k = {rank}, "
            f"ρ = {bound:g}. "
        )
    bound_on = COMBINED_METHODS[method].bound_on
    if bound_on == "sparse part":
        return text + (
            f"Rank {rank}, and at most {100 * bound:.3g} % of a layer's weights in the sparse "
            "part; a layer stays dense where both together would hold as many numbers."
        )
    linear = [layer for layer in trained.layers if layer.kind == "linear"]
    factored = [layer.name for layer in linear if rank <= layer.break_even]
    dense = [layer.name for layer in trained.layers if layer.name not in factored]
    if factored:
        text += f"Rank {rank} in {', '.join(factored)}. "
    if dense:
        text += f"Dense: {', '.join(dense)}. "
    if bound_on == "weights":
        return text + (
            f"ρ = {bound:g} of what holds each reference weight, before the truncation; factors "
            "and biases are free, dense layers keep it."
        )
    return text + f"ρ = {bound:g} of what holds each factor or dense weight; biases are free."


def describe_few_bits(trained: TrainedReference, line: pd.Series, is_good: bool) -> str:
    """Which combination in few bits is held against the others."""
    bits = "1 bit" if line["bits"] == 1 else f"{line['bits']:g} bits"
    which = (
        "the smallest file that loses at most a point on validation"
        if is_good
        else "the best on validation, as no smaller file loses at most a point there"
    )
    return (
        f"Shown: rank {line['rank']:g}, ρ = {line['bound']:g} in {bits}, {which}: "
        f"{format_size(line['bytes'])} ({compare_sizes(trained.bytes, line['bytes'])}), each row of "
        f"all sides with {EQUAL_EPOCHS} epochs from the reference."
    )


def give_verdict(
    trained: TrainedReference, table: pd.DataFrame, budget: float, baseline: str = ""
) -> list[str]:
    """Whether the pair is smaller than the reference, and what it is worth against each other.

    ``baseline``: which one is the best at this budget, in words.
    """
    task = trained.task
    unit = " points" if task == "classification" else " of R²"
    sentences = [_compare_with_reference(budget, trained.bytes)]
    for _, line in table[table["budget"] == budget].iterrows():
        other = OTHERS[line["other"]]
        start = f"At {format_size(budget)}"
        if math.isnan(line["change"]):
            sentences.append(f"{start} nothing of **{other}** is that small.")
            continue
        larger = " (larger than the reference)" if line["other_bytes"] > trained.bytes else ""
        which = f" ({baseline})" if line["other"] == BASELINE and baseline else ""
        against = f"**{other}**{which} of {format_size(line['other_bytes'])}{larger}"
        samples = len(trained.target)
        if line["differing"] == 0:
            both = "are right on the same" if task == "classification" else "answer the same on all"
            sentences.append(
                f"{start} the combination and {against} {both} {samples:,} test samples: "
                "**the test set cannot tell them apart**."
            )
            continue
        interval = f"{format_change(line['low'], task)} to {format_change(line['high'], task)}"
        sentences.append(
            f"{start} the combination scores **{format_change(line['change'], task)}{unit}** against "
            f"{against} ({interval}, {line['differing']:,.0f} of {samples:,} test samples differ): "
            f"**{say_interval(line['low'], line['high'])}**."
        )
    return sentences


def name_pair(line: pd.Series) -> str:
    """A row of the grid in words."""
    return f"rank {line['rank']:g} and ρ = {line['bound']:g}"


def describe_margins(table: pd.DataFrame, budget: float, task: str) -> str:
    """What the combination gains over each other at one budget, without marks."""
    rows = table[(table["budget"] == budget) & table["change"].notna()]
    parts = (
        f"{format_change(line['change'], task)} against {OTHERS[line['other']]} "
        f"({format_change(line['low'], task)} to {format_change(line['high'], task)})"
        for _, line in rows.iterrows()
    )
    return (
        "Score of the combination minus that of each other at equal bytes, with intervals: at "
        f"{format_size(budget)} {', '.join(parts) or 'nothing is that small'}"
    )


def _compare_with_reference(length: float, reference: float) -> str:
    """How a pair's file compares with the reference's."""
    if length > reference:
        return (
            f"This pair's file of {format_size(length)} is **larger than the reference's** "
            f"{format_size(reference)} ({compare_sizes(reference, length)}): it compresses nothing, whatever it scores."
        )
    return f"This pair's file of {format_size(length)} against the reference's {format_size(reference)}: {compare_sizes(reference, length)}."


def say_interval(low: float, high: float) -> str:
    """What an interval of a difference shows."""
    if low > 0:
        return "better"
    return "worse" if high < 0 else "not shown to be better or worse"


def count_verdicts(table: pd.DataFrame, reference: float) -> str:
    """Over all budgets, how often it is shown to be better or worse.

    ``reference``: length of its file, in bytes.
    """
    parts = []
    for name, title in OTHERS.items():
        lines = table[(table["other"] == name) & table["change"].notna()]
        if lines.empty:
            continue
        better, worse = int((lines["low"] > 0).sum()), int((lines["high"] < 0).sum())
        parts.append(
            f"against {title} shown better at {better}, worse at {worse}, "
            f"neither at {len(lines) - better - worse}"
        )
    if not parts:
        return "No budget at which any of them can be compared."
    budgets = table["budget"].unique()
    larger = int((budgets > reference).sum())
    of_them = f" ({larger} of them larger than the reference)" if larger else ""
    return f"Over {len(budgets)} budgets{of_them}: {'; '.join(parts)}."


def file_name(trained: TrainedReference, method: str) -> str:
    return f"{file_stem(trained)}-{method.replace('_', '-')}"


def describe_origin(trained: TrainedReference, setting: CombinationSetting) -> str:
    """What the page's figures were made from."""
    entry = COMBINED_METHODS[setting.method]
    chosen = "" if entry.constraint else f", {CONSTRAINTS[setting.constraint].title}"
    return f"{name_reference(trained)}: {entry.title}{chosen}, {setting.epochs} epochs per pair."
