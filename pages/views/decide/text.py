"""Sentences and labels of the page that decides."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import pandas as pd

from compression.equal_bytes import Winner
from compression.latency import BATCHES, RankLatencies
from compression.pareto import NearestRow, Wish, confirm_loss
from pages.shared.format import (
    compare_sizes,
    format_change,
    format_count,
    format_interval,
    format_loss,
    format_score,
    format_size,
    quote,
)
from pages.shared.models.results import TrainedReference
from pages.shared.models.text import file_stem, format_epochs, name_reference

Line: TypeAlias = Mapping[str, Any] | pd.Series

POINT = 0.01  # of score: a point of accuracy, a hundredth of R²
KILO = 1000  # bytes


def latency_column(batch: int) -> str:
    return f"latency_{batch}"


SECTIONS = {  # anchor -> title, in the order of the screen
    "winners": "When to use which",
    "everything": "Everything that was computed",
    "latency": "How long does it take?",
}
COSTS = {"bytes": "File", "parameters": "Parameters", "macs": "MACs"}
TIMES = {latency_column(batch): f"Time for {batch}" for batch in BATCHES}
SCORES = {"test": "Test", "validation": "Validation"}
NOT_MEASURED = "Time is measured once the box's curve is there; until then the file's size counts."
ASK_LATENCY = (
    "Fewer MACs are not always less time. On request low rank at some twenty ranks and a "
    "constrained network are timed beside the reference; time then is a cost axis above too."
)
PLANE = (
    "The front and what stands out were chosen by validation score; the test part only reports. "
    "Bars are 95 % intervals (Wilson for accuracy, bootstrap for R²) of one training: they speak "
    "of the samples, not of other seeds. Click a point to load it; the lasso above the chart puts "
    "points into the comparison below, and into the link. The axis begins 20 points (0.2 of R²) below the reference: zoom out for all."
)
RANKED = (
    "Undominated among all that is smaller than the reference, chosen on the validation part; the "
    "test columns report. Changes are against the reference on the same test samples, with 95 % "
    "intervals: a score interval for paired proportions (Tango 1998), or a paired bootstrap for R²."
)
COMPARE = "Choose by name, or draw a lasso around points"
NEAREST = (
    "Each misses one part of the wish by the least and fulfils the others, where a model does. "
    "More methods can be computed below."
)
LATENCY = (
    "ONNX Runtime on one CPU thread, warmed up; all networks take turns in the same run, in a new "
    "order each round, so that whatever else the machine does meets them alike. Medians of 100 "
    "rounds with their 95 % intervals, on this machine. A constrained network is dense at run time: "
    "its zeros and pinned weights save bytes, not time. It runs the reference's own graph, so how "
    "far apart these two are is what cannot be told here, and counts as no difference."
)


def say_unknown(choice: str) -> str:
    return f"There is no choice {quote(choice)} among what was computed. Shown instead: what the page recommends."


def say_too_many(lassoed: int, shown: int) -> str:
    return (
        f"The lasso holds {lassoed:,} choices. Compared are {shown} of them: those on the front, "
        "then the smallest."
    )


def format_cost(value: float, column: str) -> str:
    if column in TIMES:
        return f"{value:.3g} ms per call"
    if column == "bytes":
        return f"{format_size(value)} file"
    return f"{format_count(value)} {'MACs' if column == 'macs' else 'parameters'}"


def describe_point(line: Line, column: str, task: str) -> str:
    test = format_interval(line["score_low"], line["score_high"], task)
    if pd.isna(line[column]):
        return ""
    return (
        f"<b>{line['label']}</b>{format_epochs(line['epochs'])}<br>test {format_score(line['score'], task)} ({test})<br>"
        f"validation {format_score(line['validation_score'], task)}<br>{format_cost(line[column], column)}"
    )


def describe_change(line: Line, task: str) -> str:
    if line["change_low"] == line["change_high"] == 0:
        return "no change"
    low, high = format_change(line["change_low"], task), format_change(line["change_high"], task)
    return f"{format_change(line['change'], task)} ({low} to {high})"


def describe_wish(wish: Wish, task: str) -> str:
    """What is asked for, in words; empty: nothing is."""
    parts = []
    if wish.loss is not None:
        parts.append(f"at most {format_loss(wish.loss, task)} lost on validation")
    if "bytes" in wish.at_most:
        parts.append(f"at most {wish.at_most['bytes'] / KILO:g} kB")
    if "macs" in wish.times_fewer:
        parts.append(f"at least {wish.times_fewer['macs']:g}× fewer MACs")
    return " and ".join(parts)


def describe_recommendation(
    trained: TrainedReference, line: Line, wish: Wish, column: str, judged: int
) -> str:
    """The best choice in one paragraph."""
    task, limits = trained.task, describe_wish(wish, trained.task)
    best = "the best validation score of those that are smaller than the reference"
    superlative = best if wish.loss is None else _LEAST[column]
    first = f"Of {judged:,} models **{line['label']}** has {superlative}"
    if limits:
        first += f" with {limits}"
    test = format_interval(line["score_low"], line["score_high"], task)
    return (
        f"{first}. It has **{format_size(line['bytes'])}** ({compare_sizes(trained.bytes, line['bytes'])}) "
        f"and on the test set **{format_score(line['score'], task)}** ({test}), "
        f"{describe_change(line, task)} against the reference. {say_confirmed(line, wish, task)}"
    )


_LEAST = {
    "bytes": "the smallest file",
    "parameters": "the fewest parameters",
    "macs": "the fewest MACs",
    **dict.fromkeys(TIMES, "the shortest time"),
}


def say_confirmed(line: Line, wish: Wish, task: str) -> str:
    """Whether the test part bears out what was chosen on validation."""
    if wish.loss is None:
        return ""
    limit = format_loss(wish.loss, task)
    return {
        "yes": f"The test set agrees: the whole interval lies within {limit}.",
        "no": f"**The test set disagrees**: the whole interval lies beyond {limit}.",
        "open": f"The test set leaves open whether more than {limit} is lost.",
    }[confirm_loss(line, wish.loss)]


def say_nothing_fits(
    trained: TrainedReference,
    wish: Wish,
    column: str,
    judged: int,
    nearest: Sequence[tuple[NearestRow, Line]],
) -> str:
    """That no smaller model fulfils a wish, and what it takes to give way in one part."""
    parts = [f"No compressed model {_SMALLER[column]}"]
    if wish.loss is not None:
        parts.append(f"loses at most {format_loss(wish.loss, trained.task)} on validation")
    if "bytes" in wish.at_most:
        parts.append(f"has at most {wish.at_most['bytes'] / KILO:g} kB")
    if "macs" in wish.times_fewer:
        parts.append(f"has at least {wish.times_fewer['macs']:g}× fewer MACs")
    if not nearest:  # no model is smaller, whatever the requirements
        return f"{parts[0].rstrip(',')} ({judged:,} models were computed)."
    sentence = f"{' and '.join(parts)} ({judged:,} models were computed)."
    lines = [f"{sentence} What comes nearest:"]
    for near, line in nearest:
        lines.append(
            f"- {_PARTS[near.column]}: {line['label']}, {_describe_miss(trained, near, line)}."
        )
    return "\n".join(lines)


_SMALLER = {
    "bytes": "is smaller than the reference",
    "parameters": "has fewer parameters than the reference, in a file that is no longer,",
    "macs": "has fewer MACs than the reference, in a file that is no longer,",
    **dict.fromkeys(TIMES, "takes less time than the reference, in a file that is no longer,"),
}
_PARTS = {"validation_score": "Score", "bytes": "Size", "macs": "MACs"}


def _describe_miss(trained: TrainedReference, near: NearestRow, line: Line) -> str:
    """What the nearest choice has where it misses the wish."""
    if near.column == "bytes":
        return f"{format_size(line['bytes'])}"
    if near.column == "macs":
        return f"{trained.macs / line['macs']:.2g}× fewer"
    short = format_change(line["validation_score"] - near.wished, trained.task)
    unit = " points" if trained.task == "classification" else " of R²"
    return f"{short}{unit} from what is asked for on validation"


def describe_promised(trained: TrainedReference, promised: Line) -> str:
    """The smallest model that the validation rows promise."""
    return (
        f"**{promised['label']}**, {format_size(promised['bytes'])} "
        f"({compare_sizes(trained.bytes, promised['bytes'])}), on the test set "
        f"{describe_change(promised, trained.task)}"
    )


SHOWN = "Unless you choose another one, it is shown below."
TAKE_PROMISED = "Take the promised model again"
TAKE_BEST = "Take the smallest by score alone"
TAKE_HELP = (
    "The choice below, its file and the link: the promised model is sure to stay within the loss, "
    "the other one has the best cost of those that stay within it on validation."
)


def warn_starved(warning: str) -> str:
    """That a budget leaves a layer too little; empty where it does not."""
    return f":material/warning: {warning}." if warning else ""


FAMILIES = {
    "low_rank": "low rank",
    "constrained": "constrained",
    "combined": "combined",
    "alternative": "alternatives",
}
ATLAS = "The same over many splits: this dataset and model in the atlas"
WINNERS = (
    "Of what was computed for this very reference: within each share of its file, of its MACs and, "
    "once it is measured below, of its time every family's "
    "row of best validation score, with its score on the test set. The verdict holds the best of "
    "them against the best alternative on the same test samples (95 % interval of the change): "
    "level is where that interval holds 0. Epochs lie behind a row beyond the reference's own; those "
    "of a smaller network from scratch are all that it had. "
    "Activation-aware SVD and a count of weights in few bits come last, unasked; more methods, and few "
    "bits for each, can be computed below."
)
NOTHING_SMALL = "Nothing that was computed has half of the reference's file or MACs, or less."


def judge_winner(one: Winner, task: str) -> str:
    """Whether the best on validation is ahead of the best alternative on the test set."""
    if one.peer is None:
        alone = "alternative" not in one.rows
        return "no alternative is that small" if alone else "an alternative is best"
    low, high = (format_change(end, task) for end in (one.low, one.high))
    return f"{one.verdict}, {format_change(one.change, task)} ({low} to {high})"


def describe_share(share: float, cost: str, reference: Line) -> str:
    """A share of the reference's cost, and what that comes to."""
    return f"{100 * share:g} % ({format_cost(share * reference[cost], cost)})"


def list_reasons(line: Line, reference: Line, cost: str, proof: Line | None) -> str:
    """What a row has beside its score and this cost: a smaller file, fewer MACs, less time, a proof."""
    parts = []
    for column, gain in _GAINS.items():
        if column == cost or column not in line or not line[column] < reference[column]:
            continue
        parts.append(gain.format(f"{reference[column] / line[column]:.2g}"))
    if proof is not None:
        price = f", price {proof['price']:.2g} per unit" if proof["price"] > 0 else ""
        parts.append(f"a certified optimum (gap {proof['duality_gap']:.1g}{price})")
    return ", ".join(parts) or "nothing"


_GAINS = {
    "bytes": "a {}× smaller file",
    "macs": "{}× fewer MACs",
    **{column: f"{title.lower()} {{}}× shorter" for column, title in TIMES.items()},
}


def describe_winning_row(line: Line, task: str) -> str:
    return f"{line['label']}{format_epochs(line['epochs'])}: {format_score(line['score'], task)}"


def file_name(trained: TrainedReference, line: Line) -> str:
    text = (
        f"{line['series']}-{line['choice']}".replace("ρ", "rho")
        .replace(" = ", "-")
        .replace("%", "percent")
    )
    kept = "".join(c if c.isalnum() or c in "-._" else "-" for c in text)
    return f"{file_stem(trained)}-{kept}.safetensors"


def file_prefix(trained: TrainedReference) -> str:
    """The name of the file with the page's figures."""
    return f"{file_stem(trained)}-decide"


def describe_origin(trained: TrainedReference, titles: Iterable[str]) -> str:
    """What the page's figures were made from."""
    return f"{name_reference(trained)}: {', '.join(titles)}. {describe_floor(trained)}"


def describe_floor(trained: TrainedReference) -> str:
    """What anybody reaches without a model."""
    score = format_score(trained.majority, trained.task)
    return f"Always the same answer scores {score} on the test part (dotted)."


def say_waiting(titles: Iterable[str]) -> str:
    return f"Waiting for their turn: {', '.join(titles)}."


def describe_break_even(measured: RankLatencies) -> str:
    """Where low rank is faster, measured and counted."""
    ends = measured.break_even
    if not ends:
        return "No rank makes a layer of this model smaller: there is nothing to measure but dense."
    counted = next(rank for (_, kind), rank in ends.items() if kind == "counted")
    parts = [
        f"{_format_rank(rank)} with batch {batch}"
        for (batch, kind), rank in ends.items()
        if kind == "measured"
    ]
    return (
        f"By its MACs low rank is faster {_format_rank(counted)}; measured, "
        f"{' and '.join(parts)} (of {measured.ranks['rank'].nunique()} ranks that were timed)."
    )


def _format_rank(rank: float | None) -> str:
    return "at **no rank**" if rank is None else f"up to rank **{rank:g}**"
