"""Sentences of the page on studies."""

import json
from collections.abc import Sequence
from typing import Any
from zlib import crc32

import pandas as pd

import compression
import data
from compression.studies import specification
from compression.studies.protocol import Protocol
from compression.studies.specification import HELD, SHARES, SOURCES, Study
from pages.shared.format import format_change, format_score, format_size, quote

from .results import StudyResults

NAME = "study"
ORIGINS = {"own": "Own choices", "atlas": "The atlas"}
FOLDS = {"0": "none", "3": "3", "5": "5", "10": "10"}
ALL_SOURCES = "all"
VARY = {ALL_SOURCES: "All", **{each: each.capitalize() for each in SOURCES}}
VARY_HELP = (
    "What a seed chooses. All: as somebody else would find it who starts anew, which is what claims "
    "should hold for. One alone says how much of the spread is its own; its intervals say nothing of "
    "what stays."
)
FOLDS_HELP = (
    "Each seed's training part in so many parts: every one in turn is what choices are made by, and "
    "has a reference of its own. Classes are in like numbers in each, groups stay whole, and of "
    "tables with times what is held out follows what is learnt from. The test part stays out."
)
ATLAS = (
    "The protocol was written down before it was run; what is computed here is kept, and what "
    "`python -m benchmarks.atlas` has put into the same store is here already."
)
SECTIONS = {  # anchor -> title, in the order of the screen
    "better": "Which is better?",
    "ranks": "Which rank?",
    "rows": "Every row",
    "kept": "What is kept",
}
RANKS = (
    "The rule, in words: take the smallest rank whose mean validation score is at most one standard "
    "error below the best mean. {} The rows held out take no part in the fit, and the test set none in the choice."
)
SPLITS_SHARE = (
    "Splits share rows, so the standard error is Nadeau and Bengio's (variance × (1 / splits + rows "
    "held out / rows learnt from)), not the usual one, which is too small."
)
ONE_SPLIT = "All seeds have the same split, so the standard error is the usual one and says nothing of others."
OVERALL = "over the datasets"
DIFFERENCES = (
    "A dataset's interval is over its {}; the diamond's is Student's over the datasets, each "
    "counting once, and says how it may go on another one."
)
EVERY_ROW = "Draw every row, and how time grows"
UNTHINNED = "Draw all {:,} lines"
COORDINATES = (
    "A line per row of a curve. Marked ranges of several axes hold together; the test change only "
    "reports: mark validation scores to choose."
)
GROWTH = (
    "A fit is a reference's training, or a curve with all its knob values. Times are those of the "
    "machines that computed the fits, with whatever else ran there."
)
NO_ROWS = "No curve has a row yet."
REPORT = "One file to send, without scripts: what was asked, changes, differences, ranks, failures."
NO_RANKS = "A low-rank curve on two splits, seeds or folds, would say here which rank to take."
SEEDS = (
    "Each seed is another split of the data, another initialisation and another order of the rows."
)
TOML = "For `compression.studies.read_study`: the same study without this page."
NO_PAIRS = "None of these models works for any of these datasets: choose others."
NO_STORE = (
    "A study is kept in a database, and COMPRESS_STORE says none: start the app without it, or "
    "give it a database's URL."
)
VALUES = "Values of the knobs"
VALUES_HELP = (
    "Numbers between commas or spaces. Nothing: the method's own values, as on its page. What is not "
    "possible for a layer fails with a sentence, and the rest goes on."
)
OWN_EPOCHS = "own"
CURVE_EPOCHS = {
    OWN_EPOCHS: "as the method has them",
    **{each: each for each in ("1", "3", "10", "30")},
}
CURVE_EPOCHS_HELP = (
    "Of training for each row of a curve. By itself a truncation has none, a path of bounds a few "
    "for each bound and those of all before it. A number gives every row as many, each from the "
    "reference; what is solved or only rounded has none, and a smaller network keeps its own: the "
    "reference's and 10 more."
)
KNOBS = {"ranks": "ranks", "bounds": "bounds", "knobs": "values"}
VALUE_HELP = {
    "ranks": "Whole numbers: the ranks k of every layer.",
    "bounds": "Bounds c of a linear model, relative bounds ρ of a network or a combination; counts "
    "κ for cardinality.",
    "knobs": "Bits, the share of the weights that is kept, or the width: what the method runs over.",
}
OWN_VALUES = "the method's own"
MOST_VALUES, LONGEST_VALUES = 60, 400
SIZES = {
    f"{share:g}": share for share in (1, 3 / 4, 1 / 2, 1 / 3, 1 / 4, 1 / 8, 1 / 16, 1 / 32, 1 / 64)
}
DRAWN = {"curves": "At every size", "points": "At the chosen sizes"}
CURVES = (
    "Lines end where some seed has no row so small. At a size a curve stands for its row of best "
    "validation score among those that fit it."
)
ONE_CORE = (
    "Started here it uses one core. `python -m compression study run study.toml`, with the file "
    "above, uses this machine's other cores too, or Dask's with `--dask`; this page then shows what "
    "it has kept."
)
ONE_CURVE = "With a second curve it is said here which is better."
NOTHING_TO_COMPARE = "No two curves have rows so small on two seeds: choose a larger size."
CHANGES = (
    "Of each curve and seed the row counts that is best on validation among those that fit the "
    "size; the test set only reports. Intervals are Student's over seeds{}. A curve without a point "
    "has no row so small."
)
NO_INTERVAL = "no interval: all the same"
CORRECTED = " with Nadeau and Bengio's correction for rows that the splits share"
VERDICTS = (
    "Differences on the same seeds; p is adjusted by Holm for all pairs in this table. Better or "
    "worse is said where it is below 0.05, all else is a tie. Seeds that all differ by the same have "
    "no spread to make an interval of (–); p is then that of the sign test."
)


NOTHING_KEPT = "Nothing is kept yet."
NONE_SHOWN = "Nothing that is kept holds all of these words."
SELECTION = (
    "What follows is for the rows that are marked in the table, or for all that it shows where none "
    "is. Names of uploads are cut short. *bytes* are those of models and pictures' data; rows of "
    "curves are a few kB each."
)
DELETING = (
    "They are computed again when somebody asks for them; what this run of the app has in memory "
    "stays there until it ends."
)


def refuse_values(label: str, quoted: str, whole: bool) -> str:
    kind = "whole numbers from 1" if whole else "numbers above 0"
    return f"{label}: {quoted} is not possible, only up to {MOST_VALUES} {kind}, between commas."


def describe_nothing(study: Study) -> str:
    largest = name_share(max(study.budgets))
    return f"No row of any curve has at most {largest} of its reference."


def count_damaged(count: int) -> str:
    kept = "1 kept result was" if count == 1 else f"{count:,} kept results were"
    return f"{kept} damaged, dropped, and computed again where the study needs it."


def count_fits(count: int) -> str:
    return f"{count:,} {'result' if count == 1 else 'results'}"


def describe_kept(table: pd.DataFrame, max_bytes: int) -> str:
    bounded = int(table.loc[table["studies"] == "", "bytes"].sum())
    studies, failed = int((table["studies"] != "").sum()), int((table["status"] == "failed").sum())
    return (
        f"**{count_fits(len(table))}**, {studies:,} of studies, {failed:,} failed. Outside studies "
        f"{format_size(bounded)} of at most {format_size(max_bytes)}: beyond that the least "
        "recently used go first. What belongs to a study stays."
    )


def describe_changes(study: Study, drawn: str = "points") -> str:
    """How a change and its interval came about."""
    said = CHANGES.format(CORRECTED if "split" in study.vary else "")
    return f"{said} {CURVES}" if drawn == "curves" else said


def describe_curves(curves: pd.DataFrame, pair: tuple[str, str]) -> str:
    """What the picture of curves shows now, in words: how small each goes, and what it loses there."""
    task, ends = data.find(pair[0]).task, curves.loc[curves.groupby("label")["share"].idxmin()]
    said = [
        f"{end['label']} {format_change(end['mean'], task)} at {100 * end['share']:.2g} %"
        for end in ends.to_dict("records")
    ]
    return (
        f"Change of the test score by file size, {name_pair(*pair)}; at its smallest file: "
        f"{', '.join(said)}"
    )


def describe_differences(study: Study) -> str:
    """What the intervals of the differences are over."""
    sources = "splits, corrected for the rows that they share" if "split" in study.vary else "seeds"
    return DIFFERENCES.format(sources)


def describe_rule(study: Study) -> str:
    """How the rank was chosen."""
    many = "split" in study.vary or study.folds is not None
    return RANKS.format(SPLITS_SHARE if many else ONE_SPLIT)


def describe_again(name: str, results: StudyResults) -> str:
    return f"{quote(name)}: {results.done:,} of {results.total:,} fits, {len(results.failures):,} failed."


def name_study(study: Study) -> str:
    """A name that says what is in it, so that the same choices are the same study."""
    folds = () if study.folds is None else (f"{study.folds} folds",)
    varied = () if set(study.vary) == set(SOURCES) else (f"varying {' and '.join(study.vary)}",)
    epochs = () if study.epochs is None else (f"{study.epochs} epochs",)
    sizes = () if study.budgets == SHARES else (f"sizes {_join_numbers(study.budgets)}",)
    parts = (*study.datasets, *study.models, f"{len(study.seeds)} seeds", *folds, *varied)
    named = (_name_curve(each) for each in study.curves)
    name = ", ".join((*parts, *epochs, *sizes, *named))
    return name if len(name) <= 90 else f"{name[:80]}… {crc32(name.encode()):08x}"


def _name_curve(curves: specification.Curves) -> str:
    values = [each for each in curves.settings.values() if isinstance(each, list)]
    values += [list(curves.bits)] if curves.bits else []
    said = [f"({_join_numbers(each)})" for each in values]
    said += [f"{curves.settings['epochs']} epochs"] if "epochs" in curves.settings else []
    return " ".join([curves.label, *said])


def _join_numbers(numbers: Sequence[float]) -> str:
    return " ".join(f"{each:.6g}" for each in numbers)


def describe_size(study: Study) -> str:
    folds = "" if study.folds is None else f" × {study.folds} folds"
    return (
        f"**{study.count():,} fits**: {study.count_references():,} references "
        f"({len(study.pairs())} × {len(study.seeds)} seeds{folds}), {len(study.curves)} curves "
        f"each. What is computed is kept, whatever stops on the way.{describe_held(study)}"
    )


def describe_results(study: Study, results: StudyResults) -> str:
    pairs = len(study.pairs())
    what = "pair of dataset and model" if pairs == 1 else "pairs of dataset and model"
    return (
        f"{results.done:,} of {results.total:,} fits: {pairs} {what}, {len(study.seeds)} seeds, "
        f"{'' if study.folds is None else f'{study.folds} folds, '}"
        f"{len(study.curves)} {'curve' if len(study.curves) == 1 else 'curves'} each."
        f"{describe_held(study)}"
    )


def describe_held(study: Study) -> str:
    """What the seeds do not vary, and what the intervals then do not say; "" where they vary all."""
    fixed_sources = [each for each in SOURCES if each not in study.vary]
    if not fixed_sources:
        return ""
    known = " and ".join(fixed_sources)
    rows = (
        " They are not corrected for shared rows: all seeds have the same."
        if "split" in fixed_sources
        else ""
    )
    return (
        f" Seeds vary the {' and '.join(study.vary)} alone; {known} "
        f"{'is' if len(fixed_sources) == 1 else 'are'} seed {HELD}'s, so that intervals say nothing "
        f"of another {known}.{rows}"
    )


def count_failures(results: StudyResults) -> str:
    return f"{len(results.failures):,} fits failed, each with its sentence"


def name_bits(label: str, bits: float) -> str:
    return label if bits == 32 else f"{label}, {bits:g} bits"


def describe_rank(curve: pd.DataFrame, task: str) -> str:
    """Which rank to take of one curve, and why, in a sentence."""
    (best,), (taken,) = (curve[curve[each]].to_dict("records") for each in ("best", "chosen"))
    name = name_bits(taken["label"], taken["bits"])
    score, top = (format_score(each["mean"], task) for each in (taken, best))
    error = format_change(best["error"], task)[1:]
    error += " points" if task == "classification" else " of R²"
    if best["rank"] == taken["rank"]:
        return (
            f"**{name}: rank {taken['rank']}**, {score}: the best mean, and no smaller rank comes "
            f"within one standard error of it ({error})."
        )
    return (
        f"**{name}: rank {taken['rank']}**, {score}: the smallest within one standard error "
        f"({error}) of the best, rank {best['rank']} with {top}."
    )


def name_share(share: float) -> str:
    return f"{specification.name_share(share)} of the bytes"


def list_sections(results: StudyResults) -> dict[str, str]:
    """The page's sections: there is nothing to compare before a curve is done."""
    hidden = set() if len(results.overview.changes) else {"better"}
    return {anchor: title for anchor, title in SECTIONS.items() if anchor not in hidden}


def describe_sample(drawn: int, rows: int) -> str:
    """How many of a study's rows are drawn."""
    if drawn == rows:
        return f"All {rows:,} rows. {COORDINATES}"
    return f"{drawn:,} of {rows:,} rows, at even distances. {COORDINATES}"


def name_difference(task: str) -> str:
    return f"Difference of the test scores ({'points' if task == 'classification' else 'R²'})"


def name_first_part(protocol: Protocol) -> str:
    """What the preset of the atlas opens: one of its parts is one study."""
    return f"The atlas, part 1 of {len(protocol.parts)}: {protocol.parts[0]['name']}"


def name_pair(dataset: str, model: str) -> str:
    return f"{data.find(dataset).title}, {compression.MODELS[model].title}"


def name_change(task: str) -> str:
    unit = "points" if task == "classification" else "R²"
    return f"change of the test score ({unit})"


def as_toml(study: Study) -> str:
    """The study as ``read_study`` takes it: JSON's texts, numbers and lists are TOML's too."""
    head = {"name": study.name, "datasets": study.datasets, "models": study.models}
    lines = [f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in head.items()]
    lines.append(f"seeds = {json.dumps(list(study.seeds))}")
    optional: dict[str, Any] = {"epochs": study.epochs, "folds": study.folds}
    optional |= {} if study.budgets == SHARES else {"budgets": list(study.budgets)}
    lines += [f"{name} = {value}" for name, value in optional.items() if value is not None]
    lines.append(f"vary = {json.dumps(study.vary)}")
    for each in study.curves:
        values = {"family": each.family, "name": each.label, **each.settings}
        if each.bits:
            values |= {"bits": list(each.bits), "bits_epochs": each.bits_epochs}
        setting_lines = [
            f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in values.items()
        ]
        lines += ["", "[[curves]]", *setting_lines]
    return "\n".join(lines) + "\n"
