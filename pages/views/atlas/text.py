"""Sentences of the atlas."""

from collections.abc import Mapping, Sequence
from textwrap import wrap
from typing import Any

import pandas as pd

import data
from compression import MODELS
from compression.studies.atlas_files import MORE_EPOCHS, count_epochs
from compression.studies.protocol import Protocol
from pages.shared.format import format_change

QUESTION = "When to use which: measured over datasets, models, sizes and seeds by one protocol."
SECTIONS = {  # anchor -> title, in the order of the screen
    "advice": "When to use which",
    "cell": "One cell",
    "rule": "A rule of thumb",
    "claims": "The article, and what was measured",
    "protocol": "How it was measured",
}
VERDICTS = {
    "wins": "ours wins",
    "ties": "tie",
    "loses": "ours loses",
    "alone": "one side only",
    "nothing fits": "nothing is so small",
    "too few seeds": "too few seeds",
    "not computed": "not computed",
}
MAP = (
    "A cell names the family of best mean validation score among those that fit the size on every "
    "seed, of equal ones the smallest. Its colour and second line say how the best of low rank, "
    "constraints and their combinations stands against the best of what people do otherwise "
    "(rounding, quantisation-aware training, magnitude pruning, a smaller network), by the test "
    "scores of the same seeds. A tie is a difference that is not shown, and no proof that there is "
    "none. Differences are points of accuracy, or R² where a number is predicted."
)
ADVICE = (
    "*Level with it*: families whose test score is not shown to be worse than the best one's. "
    "Intervals are 95 %, over seeds, with Nadeau and Bengio's correction for rows that the splits "
    "share; p is adjusted by Holm over the datasets and models of a size, so that an interval may leave 0 "
    "out where the verdict is a tie."
)
CELL = (
    "Change of the test score against the uncompressed reference on the same seeds, with 95 % "
    "intervals. Filled: low rank, constraints and combinations; open: what people do otherwise. "
    "The best on validation stands at the top. Families without a file so small on every seed are "
    "left out."
)
AGAINST = "The best of ours against each baseline, on the same seeds; p by Holm over this table."
NOTHING = (
    "No family has a file of at most {size} of the reference's on every seed: what a file says of "
    "itself, its names and shapes, does not shrink."
)
RULE = (
    "A decision tree of depth 3 at most from the size (share of the reference's file), the bytes "
    "of that file, the training rows, the classes (0: a number is predicted) and whether the model "
    "is linear, to the kind of the best family. Its error is that on datasets that it was not "
    "grown on, one left out at a time."
)
DUELS = (
    "Over the cells in which both sides have a family that fits: of each side the family that "
    "validation prefers, on the same seeds; p is adjusted by Holm over a line's cells."
)
HERE = "Compute this cell here"
RECOMPUTED = (
    "Computed here by the same protocol; scores and files are means over the seeds that were "
    "computed. Other versions of a library, or another kind of processor, may round otherwise."
)

CELL_LETTERS = 19  # in a line of a cell
_SHORT = {
    "Quantisation-aware training": "Quant.-aware",
    "Activation-aware": "Act.-aware",
    "Magnitude pruning": "Pruning",
    "Learning–compression, cardinality": "LC, cardinality",
    ", fine-tuned": " tuned",
    ", few bits": " +\N{NO-BREAK SPACE}bits",
}


def name_pair(dataset: str, model: str) -> str:
    return f"{data.DATASETS[dataset].title}: {MODELS[model].title}"


def label_pair(dataset: str, model: str) -> str:
    """The same in two short lines, for an axis."""
    title, kind = data.DATASETS[dataset].title, MODELS[model].title
    return f"{title.split(' (')[0].split(',')[0]}<br>{kind.split(' (')[0].removesuffix(' net')}"


def name_share(share: float) -> str:
    return f"1/{round(1 / share)} of the bytes"


def shorten(family: str) -> str:
    """A family's name as a cell has room for it."""
    for long, short in _SHORT.items():
        family = family.replace(long, short)
    return family


def write_change(line: Mapping[str, Any]) -> str:
    """A difference of scores as its task has it."""
    return format_change(line["change"], data.DATASETS[line["dataset"]].task)


def write_interval(line: Mapping[str, Any]) -> str:
    """The ends of its interval, or why there is none."""
    if pd.isna(line["change"]):
        return ""
    if pd.isna(line["low"]):
        return "one seed" if line["seeds"] < 2 else "the same on every seed"
    task = data.DATASETS[line["dataset"]].task
    return f"{format_change(line['low'], task)} to {format_change(line['high'], task)}"


def write_probability(value: float) -> str:
    if pd.isna(value):
        return ""
    return "< 0.001" if value < 1e-3 else f"{value:.2g}"


def describe_cell(line: Mapping[str, Any]) -> str:
    """A cell's words: its best family, and how ours stands."""
    if not line["winner"]:
        return _break(VERDICTS[line["verdict"]])
    said = VERDICTS[line["verdict"]].removeprefix("ours ")
    if pd.notna(line["change"]):
        said += f" {write_change(line)}"
    return f"<b>{_break(shorten(line['winner']))}</b><br>{_break(said)}"


def _break(words: str) -> str:
    """Break a text into lines that fit a cell of the narrowest map."""
    return "<br>".join(wrap(words, CELL_LETTERS, break_long_words=False))


def describe_hover(line: Mapping[str, Any]) -> str:
    pair = name_pair(line["dataset"], line["model"])
    head = f"<b>{pair}, {name_share(line['share'])}</b><br>{line['seeds']} seeds"
    if not line["winner"]:
        return f"{head}<br>{VERDICTS[line['verdict']]}"
    head += f"<br>best on validation: {line['winner']}"
    if level := list_level(line):
        head += f"; {len(level)} more are level with it on test"
    if not line["ours"] or not line["peer"]:
        return f"{head}<br>only one side has a file so small"
    return (
        f"{head}<br>best of ours: {line['ours']}<br>best baseline: {line['peer']}<br>"
        f"difference on test: {write_change(line)} ({write_interval(line)}), "
        f"p = {write_probability(line['probability'])}"
    )


def list_level(line: Mapping[str, Any]) -> list[str]:
    """The families that a cell's winner is not shown to be better than."""
    return [each for each in str(line["level"]).split("; ") if each]


def describe_verdicts(cells: pd.DataFrame) -> str:
    """How many cells are won, tied and lost."""
    counts = cells["verdict"].value_counts()
    judged = int(counts.reindex(["wins", "ties", "loses"]).fillna(0).sum())
    parts = {
        "wins": "wins in **{}**",
        "ties": "ties in **{}**",
        "loses": "loses in **{}**",
    }
    said = ", ".join(form.format(counts.get(name, 0)) for name, form in parts.items())
    rest = {
        "nothing fits": "no family is so small",
        "alone": "only one side is so small",
        "too few seeds": "there are too few seeds",
        "not computed": "nothing was computed",
    }
    others = [f"in {counts[name]} {why}" for name, why in rest.items() if name in counts]
    return (
        f"Of {judged} cells (dataset × model × size) the best of low rank and constraints {said} "
        "against the best baseline" + (f"; {', '.join(others)}." if others else ".")
    )


def describe_map(cells: pd.DataFrame) -> str:
    """What the heat map shows, in words."""
    winners = cells.loc[cells["winner"] != "", "winner"].value_counts()
    named = ", ".join(f"{name} in {count}" for name, count in winners.head(4).items())
    return f"Best family of each dataset, model and size; most often {named} of {len(cells)} cells"


def describe_choice(line: Mapping[str, Any]) -> str:
    """What to use in a cell, in a sentence."""
    share = name_share(line["share"])
    pair = name_pair(line["dataset"], line["model"])
    if line["verdict"] == "not computed":
        return f"**{pair}**: not computed yet."
    if not line["winner"]:
        return f"**{pair}**: " + NOTHING.format(size=share.removesuffix(" of the bytes"))
    level = list_level(line)
    others = f", and {len(level)} more are level with it on the test part" if level else ""
    said = f"**{pair}, {share}**: **{line['winner']}** is best on validation{others}."
    if line["ours"] and line["peer"]:
        said += (
            f" {line['ours']} against {line['peer']}: {write_change(line)} "
            f"({write_interval(line)}), {VERDICTS[line['verdict']]}; {line['seeds']} seeds."
        )
    return said


def describe_rule(rule: Mapping[str, Any]) -> str:
    error, plain = (f"{100 * rule[name]:.0f} %" for name in ("error", "plain_error"))
    lost, plain_lost, least = (
        f"{100 * rule[name]:.1f}" for name in ("lost", "plain_lost", "safest_lost")
    )
    compared = (
        f"On datasets that it has not seen it names another kind of method than the winner's in "
        f"{error} of {rule['cells']} cells; always saying *{rule['plain']}*, the most frequent kind "
        f"here, is wrong in {plain}. The best family of the kind that it names scores {lost} points "
        f"less on test than the winner on average, of accuracy or hundredths of R²; always "
        f"*{rule['plain']}* loses {plain_lost}, and always *{rule['safest']}* loses least: {least}."
    )
    if rule["holds"]:
        return f"This rule holds better than one answer for all. {compared}"
    return (
        f"**No rule of thumb holds.** The best tree of depth 3 is shown for what it is. {compared}"
    )


def describe_claims(command: str, date: str) -> str:
    return (
        "The article's claims. Where a line of the table above asks the same question, the verdict "
        "is that line's: a claim holds that is right in most cells and wrong in none. All else was "
        f"measured by `{command}` on {date} with paired 95 % intervals, over splits with Nadeau and "
        "Bengio's correction; a claim holds, or does not, where the whole interval says so."
    )


def describe_protocol(protocol: Protocol, cells: pd.DataFrame, rows: pd.DataFrame) -> str:
    seeds = cells.groupby(["dataset", "model"])["seeds"].first()
    few = seeds[seeds < protocol.seeds]
    reached = (
        f"All pairs have {protocol.seeds} seeds."
        if few.empty
        else f"{len(seeds) - len(few)} of {len(seeds)} pairs have the {protocol.seeds} seeds of the "
        f"protocol; the others {few.min()} to {few.max()}: their count stands in every table."
    )
    sizes = ", ".join(name_share(share).removesuffix(" of the bytes") for share in protocol.shares)
    return (
        f"Written down before it was run: {len(seeds)} pairs of a dataset and a model, sizes {sizes} "
        "of the reference's measured bytes, each seed a split, an initialisation and an order of "
        "rows of its own. Everything that trains the reference's weights on has 10 epochs for it, "
        f"rows in few bits among them; {describe_smaller(rows)} Rows and families are chosen on the "
        f"validation part; the test part only reports. {reached}"
    )


def describe_smaller(rows: pd.DataFrame) -> str:
    """How long smaller networks were trained: as planned, stopped before, or longer."""
    total, fewer, more = count_epochs(rows)
    said = (
        f"a smaller network has the reference's epochs and {MORE_EPOCHS} more at most: in {fewer} of "
        f"{total:,} rows training stopped before, when their validation loss had not fallen for as many "
        "epochs as the model's recipe waits"
    )
    if more:
        said += (
            f"; {more} rows have more, since references with convolutions, computed anew for them on "
            "another machine, ended elsewhere there"
        )
    return f"{said}."


def count_failures(failures: pd.DataFrame) -> str:
    return f"{len(failures)} families do not work for a pair, each with its sentence"


def describe_origin(facts: Mapping[str, Any]) -> str:
    return (
        f"Computed on {facts['date']}: {facts['fits']:,} fits, {facts['hours']:g} hours of one core "
        f"shared with others; code {', '.join(c[:12] for c in facts['code'].split(', '))}. "
        "Anew: `python -m benchmarks.atlas`."
    )


def describe_versions(facts: Mapping[str, Any]) -> str:
    """Whose fits had the versions that are listed."""
    codes = facts["code"].split(", ")
    known = set(facts.get("versions_of", ()))
    others = [code[:12] for code in codes if code not in known]
    if not others:
        runs = "its run" if len(codes) == 1 else f"its {len(codes)} runs, by the files of each"
        return f"The versions of {runs}."
    return (
        f"The versions of the machine that wrote the files; those of code {', '.join(others)} are "
        "not known."
    )


def count_seeds(count: int) -> str:
    return "seed 0" if count == 1 else f"{count} seeds"


def describe_pace(facts: Mapping[str, Any]) -> str:
    """What a fit of the atlas took where it was computed: other cells take more, or less."""
    seconds = 3600 * facts["hours"] / facts["fits"]
    return f"In the file a fit took {seconds:.2g} s of one core on average, over all its cells."


def describe_recomputed(same: int, total: int, missing: int) -> str:
    """How many of the recomputed rows are what ships."""
    said = f"{same} of {total} rows at this size, one for each family and seed, have the shipped test score"
    return said + (f"; {missing} are not in the file." if missing else ".")


def describe_nothing_here(seeds: int) -> str:
    return (
        f"Computed here with {count_seeds(seeds)}: no family has a file of this size on any seed."
    )


def compare_verdicts(here: Mapping[str, Any], shipped: Mapping[str, Any]) -> str:
    """A cell as it came out here, beside what the file says of it."""
    sentences = [
        f"{where}, {line['seeds']} seeds: {line['winner'] or 'no family'} best on validation, "
        f"{VERDICTS[line['verdict']]}{_write_difference(line)}"
        for where, line in (("**Here**", here), ("**In the file**", shipped))
    ]
    return f"{'; '.join(sentences)}. Here p is not adjusted for other pairs."


def _write_difference(line: Mapping[str, Any]) -> str:
    if not line["ours"] or not line["peer"]:
        return ""
    return f" ({line['ours']} against {line['peer']}: {write_change(line)}, {write_interval(line)})"


def join_names(names: Sequence[str]) -> str:
    """The first three of some names, and how many more there are."""
    shown = ", ".join(names[:3])
    return shown + (f" and {len(names) - 3} more" if len(names) > 3 else "")
