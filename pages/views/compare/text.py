"""Sentences of the comparison."""

import math
from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

import pandas as pd

from compression import MODELS
from compression.grid import TRIED_BITS
from pages.shared import links
from pages.shared.format import compare_sizes, format_change, format_score
from pages.shared.links import IN_FEW_BITS
from pages.shared.models.results import Layer, TrainedReference
from pages.shared.models.tasks import EQUAL_EPOCHS
from pages.shared.models.text import CONSTRAINED_FORMULA, LOW_RANK_FORMULA, format_epochs

from .results import AnswerDifference, CurveRow

HEADINGS = (
    (
        "LMM: low-rank matrix decomposition",
        f"Each layer's weight becomes two thin factors of rank k: ${LOW_RANK_FORMULA}$",
    ),
    (
        "COC: compression by constrained optimisation",
        f"The least loss within a bound on every weight: ${CONSTRAINED_FORMULA}$",
    ),
)
LINKS = {
    "free": "Nothing",
    "bytes": "File",
    "parameters": "Parameters",
    "validation_score": "Validation",
}
LINK_HELP = (
    "Linked, moving one slider moves the other to the row of its curve that is nearest in that "
    "number, as near as the curve's steps allow. The score meant is the validation part's: the "
    "test set chooses nothing."
)
REPORT = {
    True: "One file of some 5 MB that works without a network: the moving picture, the numbers, "
    "methods with their sources, versions, and Python code that gives the same numbers.",
    False: "The same, 5 MB smaller: it needs plotly.min.js in its own folder.",
}
TRAINING = "The reference is being trained: its score and its size stand here then."
NO_CONCLUSION = (
    "Which side is smaller, and whether their scores differ: as soon as both have a row."
)
CONCLUSION_HELP = (
    "A difference is shown where p is below 0.05: of McNemar's exact test on the samples that only "
    "one of the two gets right, for numbers of a paired test of the squared errors. It speaks of "
    "this training and these two rows."
)
BOTH_CURVES = "As soon as both curves are there."
LEVEL = 0.05  # a p-value below shows a difference


def describe_conclusion(
    low_rank: pd.Series,
    constrained: pd.Series,
    task: str,
    differing: int,
    samples: int,
    probability: float,
) -> str:
    """Which side has the smaller file, how the scores differ, and whether that is shown."""
    if abs(constrained["bytes"] / low_rank["bytes"] - 1) < 5e-3:
        size = "a file as long as COC's"
    else:
        size = f"a file {compare_sizes(constrained['bytes'], low_rank['bytes'])} than COC's"
    change = format_change(low_rank["score"] - constrained["score"], task)
    distance = change.lstrip("+−")
    if not float(distance):
        score = "at the same score"
    else:
        direction = "less" if change.startswith("−") else "more"
        unit = "points" if task == "classification" else "of R²"
        score = f"and scores {distance} {unit} {direction}"
    verdict = "a difference is shown" if probability < LEVEL else "no difference is shown"
    p = "p < 0.001" if probability < 1e-3 else f"p = {probability:.2g}"
    answers = f"{differing:,} of {samples:,} samples differ, " if task == "classification" else ""
    return f"**LMM** has {size} {score}: **{verdict}**, {answers}{p}."


class ShownRows(NamedTuple):
    """What a preset's sentence speaks of: a row of each curve, as the page shows them.

    ``plain``: the same rank by plain truncated SVD, where the preset shows it beside.
    """

    trained: TrainedReference
    low_rank: CurveRow
    constrained: CurveRow
    plain: pd.Series | None = None


class Preset(NamedTuple):
    """Choices that show one thing, and what to look at, with the numbers that the page shows.

    ``baseline``: a low-rank method whose curve is a ghost in the plane.
    """

    title: str
    says: str
    choices: Mapping[str, Any]
    look: Callable[[ShownRows], str]
    baseline: str | None = None


def _format_points(value: float, trained: TrainedReference) -> str:
    unit = " points" if trained.task == "classification" else " of R²"
    return format_change(value, trained.task) + unit


def _compare_with_reference(line: pd.Series, trained: TrainedReference) -> str:
    """A file's size and the score's change, and whether the test set shows a loss."""
    low, high = (format_change(line[f"change_{end}"], trained.task) for end in ("low", "high"))
    shown = "a loss is shown" if line["change_high"] < 0 else "no loss is shown"
    return (
        f"a file {compare_sizes(trained.bytes, line['bytes'])}, "
        f"{_format_points(line['change'], trained)} ({low} to {high}: {shown})"
    )


def _describe_article(shown: ShownRows) -> str:
    trained = shown.trained
    return (
        f"Hold the two sides against each other at about one file size: **LMM** has "
        f"{_compare_with_reference(shown.low_rank.line, trained)}, **COC** {_compare_with_reference(shown.constrained.line, trained)}."
    )


def _describe_binary(shown: ShownRows) -> str:
    line, trained = shown.constrained.line, shown.trained
    return (
        f"Look at COC: **{100 * line['pinned']:.0f} %** of its weights stand at one of two values "
        "a layer, plus or minus the bound, and cost a few bits of a map instead of a number each. "
        f"It scores **{format_score(line['score'], trained.task)}**, the reference "
        f"{format_score(trained.score, trained.task)}, in a file "
        f"{compare_sizes(trained.bytes, line['bytes'])}."
    )


def _describe_convolutions(shown: ShownRows) -> str:
    line, (name, values) = shown.low_rank.line, next(iter(shown.low_rank.curve.spectra.items()))
    k = int(line["knob"])
    kept = float((values[:k] ** 2).sum() / (values**2).sum())
    return (
        f"Look at LMM and its singular values: rank {k} of {len(values)} keeps {100 * kept:.0f} % "
        f"of the energy of {name}. With the linear layers at this rank the network has "
        f"{_compare_with_reference(line, shown.trained)}."
    )


def _describe_whitening(shown: ShownRows) -> str:
    line, trained, plain = shown.low_rank.line, shown.trained, shown.plain
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
        _describe_article,
    ),
    Preset(
        "Almost a binary network",
        "A small box: nearly every weight stands at plus or minus its layer's bound, and a few bits "
        "of a map are all it stores.",
        {"dataset": "breast_cancer", "model": "mlp", "bound": 0.0882, "cost": "bytes"},
        _describe_binary,
    ),
    Preset(
        "How low-rank is a trained CNN",
        "LeNet-5 on 28 × 28 digits, its linear layers by truncated SVD. COC takes a while.",
        {"dataset": "mnist_5k", "model": "lenet5", "layer": "fc1", "rank": 12},
        _describe_convolutions,
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
        _describe_whitening,
        baseline="truncated_svd",
    ),
)


def difference(comparison: AnswerDifference, task: str, samples: int) -> str:
    """How the two scores differ, how sure that is, and on how many samples."""
    unit = " points" if task == "classification" else " of R²"
    change = format_change(comparison.change, task)
    low, high = (
        format_change(end, task) for end in (comparison.change_low, comparison.change_high)
    )
    sure = (
        "the interval excludes 0"
        if comparison.change_low > 0 or comparison.change_high < 0
        else "the interval includes 0: no difference is shown"
    )
    source = "Tango's interval for pairs" if task == "classification" else "paired bootstrap"
    text = f"COC scores **{change}{unit}** against LMM ({low} to {high}, {source}): {sure}."
    if math.isnan(comparison.probability):
        return text
    if comparison.differing == 0:
        return f"The two give the same answer on all {samples:,} test samples."
    return (
        f"{text} They answer differently on **{comparison.differing:,}** of {samples:,} test samples; "
        f"only LMM is right on {comparison.first_only:,}, only COC on {comparison.second_only:,} "
        f"(McNemar's exact test: p = {comparison.probability:.2g})."
    )


def name_both(rank: str, bound: str) -> str:
    """Where both sliders stand."""
    return f"LMM at {rank} and COC at {bound}"


def describe_recalls(recalls: pd.DataFrame, settings: str) -> str:
    """The class that each of the two recalls least."""
    least = []
    for name, column in (("LMM", "first_share"), ("COC", "second_share")):
        line = recalls.loc[recalls[column].idxmin()]
        least.append(f"{name} least of {line['class']}, {100 * line[column]:.1f} %")
    return f"Recall of each class for {settings}: {', '.join(least)}"


def titles(comparison: AnswerDifference) -> list[str]:
    """What stands above the picture of each sample."""
    return [
        f"{line.true}: LMM {line.first}, COC {line.second}"
        for line in comparison.samples.itertuples()
    ]


COURSES = {links.AS_PATH: "As a path", links.EQUAL: "Equal"}
COURSES_HELP = (
    "As a path: low rank is truncated and not trained on, and each bound goes on from the one "
    "before, so that the tightest has the epochs of all. Equal: each rank and each bound starts "
    f"from the reference and has {EQUAL_EPOCHS} epochs, as many as a baseline that is trained."
)
EQUAL_COURSE = (
    f"**Equal epochs**: each rank and each bound starts from the reference and has {EQUAL_EPOCHS} "
    "epochs; ranks are spaced by ratio, and one that leaves all layers dense is the reference. "
    "Below stands what the same epochs give the reference itself."
)
BASELINES = {
    links.ALL: "All baselines",
    links.ROUNDING: "Rounding",
    IN_FEW_BITS: "All, and both in few bits",
    "none": "Nothing",
}
ROWS = "this rank", "this bound"  # of LMM and of COC
BEST_BITS = "best"
BITS = {BEST_BITS: "The best at each size"} | {
    str(bits): "1 bit" if bits == 1 else f"{bits} bits" for bits in TRIED_BITS
}
BITS_HELP = (
    "Both sides with their weights in few bits, as their files keep them: trained for some epochs, "
    "then for as many with rounded weights, each rank and bound from the reference. The best bits "
    "at a size are those of the best validation score; the points name them."
)
BASELINES_HELP = (
    "What people would do instead: rounding the weights to few bits, quantisation-aware training, "
    "magnitude pruning with fine-tuning, a smaller network from scratch. They compete by measured "
    f"file size; all but rounding are trained for {EQUAL_EPOCHS} epochs at each point, and are "
    "computed when the two sides are there. *And both in few bits*: the two sides beside them, their "
    "weights rounded too."
)


EXERCISE = (
    "**Predict the rank.** Which is the smallest model, by low rank, that loses at most one point "
    "of score on the validation part (0.01 of R²)? The bars are the singular values of the chosen "
    "layer; every compressed layer gets the same rank. Type a rank, then move the slider."
)


def judge_guess(trained: TrainedReference, guessed: pd.Series, suggested: pd.Series) -> str:
    """What a predicted rank gives, beside the one that validation suggests."""
    rank, best = int(guessed["knob"]), int(suggested["knob"])
    if rank == best:
        verdict = "**exactly the rank that validation suggests**"
    else:
        verdict = (
            f"validation suggests **{best}**, with {_compare_with_reference(suggested, trained)}"
        )
    return (
        f"You predicted rank **{rank}**: {_compare_with_reference(guessed, trained)}; {verdict}. "
        "Move the slider to see what happens between."
    )


def describe_layer(trained: TrainedReference, layer: Layer) -> str:
    """How many ranks a layer needs for most of its energy, against those that make it smaller."""
    rank, most = trained.energy_ranks[layer.name], layer.break_even
    verdict = "smaller at that rank" if rank <= most else "not smaller at that rank"
    return f"95 % of its energy takes rank {rank}, break-even rank k* = {most}: {verdict}"


def describe_network(trained: TrainedReference, chosen: Layer) -> str:
    """What the picture of the network shows, in words."""
    layers = [
        f"{layer.title}{' (chosen)' if layer == chosen else ''}: {describe_layer(trained, layer)}"
        for layer in trained.layers
    ]
    return f"The layers of the network, as large as their parameters. {'. '.join(layers)}."


def describe_nothing_to_compress(trained: TrainedReference) -> str:
    """Why no rank makes a model smaller."""
    rows, columns = trained.layers[0].shape
    return (
        f"**Low rank has nothing to compress here.** The weight of {MODELS[trained.model].title.lower()} "
        f"is {rows} × {columns}: even rank 1 would store {rows + columns} numbers in place of "
        f"{rows * columns}. The layer stays as it is; a model with hidden layers has more to give."
    )


def compare_epochs(
    epochs: Mapping[str, Collection[int]],
    from_scratch: Collection[int],
    learnt: int,
    solved: bool,
) -> str:
    """Whether all that the plane shows was trained for as long, and how long each was.

    Parameters
    ----------
    epochs : mapping
        What is shown -> its epochs beyond the reference's.
    from_scratch : collection of int
        Epochs of networks that do not begin with the reference; empty: there is none.
    learnt : int
        The reference's epochs.
    solved : bool
        Bounds are solved, not trained.
    """
    equal = len({count for counts in epochs.values() for count in counts}) == 1
    parts = [f"{what} {_span(counts)}" for what, counts in epochs.items()]
    if solved:
        parts = [f"{one} (solved)" if one.startswith(ROWS[1]) else one for one in parts]
    anew = f", and a smaller network {_span(from_scratch)} from scratch" if from_scratch else ""
    start = "At equal epochs" if equal else "Not at equal epochs"
    return f"**{start}**: {', '.join(parts)} beyond the reference's {learnt:,}{anew}."


def _span(counts: Collection[int]) -> str:
    """One number, or the first and the last of several: "10", "22 to 29"."""
    low, high = min(counts), max(counts)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def name_few_bits(knob: str, line: Mapping[str, Any]) -> str:
    """A row in few bits in words, with its epochs: "rank 12, 4 bits, 10 epochs"."""
    bits = f"{knob} {line['knob']:.3g}, {line['bits']:g} bits"
    return bits + format_epochs(line["epochs"])
