"""Sentences of the page on studies."""

import json
from zlib import crc32

import pandas as pd

from compression.studies.specification import Study
from pages.shared.format import format_size, quote

from .results import StudyResults

NAME = "study"
SEEDS = (
    "Each seed is another split of the data, another initialisation and another order of the rows."
)
TOML = "For `compression.studies.read_study`: the same study without this page."
NO_PAIRS = "None of these models works for any of these datasets: choose others."
NO_STORE = (
    "A study is kept in a database, and COMPRESS_STORE says none: start the app without it, or "
    "give it a database's URL."
)
NOTHING_FITS = "No row of any curve is at most half as large as its reference."
ONE_CURVE = "With a second curve it is said here which is better."
NOTHING_TO_COMPARE = "No two curves have rows so small on two seeds: choose a larger size."
CHANGES = (
    "Of each curve and seed the row counts that is best on validation among those that fit the "
    "size; the test set only reports. Intervals are Student's over seeds with Nadeau and Bengio's "
    "correction for rows that the splits share. A curve without a point has no row so small."
)
VERDICTS = (
    "Differences on the same seeds; p is adjusted by Holm for all pairs in this table. Better or "
    "worse is said where it is below 0.05, all else is a tie."
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


def describe_again(name: str, results: StudyResults) -> str:
    return f"{quote(name)}: {results.done:,} of {results.total:,} fits, {len(results.failures):,} failed."


def name_study(study: Study) -> str:
    """A name that says what is in it, so that the same choices are the same study."""
    parts = (*study.datasets, *study.models, f"{len(study.seeds)} seeds")
    name = ", ".join((*parts, *(each.label for each in study.curves)))
    return name if len(name) <= 90 else f"{name[:80]}… {crc32(name.encode()):08x}"


def describe_size(study: Study) -> str:
    references = len(study.pairs()) * len(study.seeds)
    return (
        f"**{study.count():,} fits**: {references:,} references "
        f"({len(study.pairs())} × {len(study.seeds)} seeds), {len(study.curves)} curves each. "
        "What is computed is kept, whatever stops on the way."
    )


def describe_results(study: Study, results: StudyResults) -> str:
    pairs = len(study.pairs())
    what = "pair of dataset and model" if pairs == 1 else "pairs of dataset and model"
    return (
        f"{results.done:,} of {results.total:,} fits: {pairs} {what}, {len(study.seeds)} seeds, "
        f"{len(study.curves)} {'curve' if len(study.curves) == 1 else 'curves'} each."
    )


def count_failures(results: StudyResults) -> str:
    return f"{len(results.failures):,} fits failed, each with its sentence"


def name_share(share: float) -> str:
    return f"1/{round(1 / share)} of the bytes"


def name_change(task: str) -> str:
    unit = "points" if task == "classification" else "R²"
    return f"change of the test score ({unit})"


def as_toml(study: Study) -> str:
    """The study as ``read_study`` takes it: JSON's texts, numbers and lists are TOML's too."""
    head = {"name": study.name, "datasets": study.datasets, "models": study.models}
    lines = [f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in head.items()]
    lines.append(f"seeds = {json.dumps(list(study.seeds))}")
    for each in study.curves:
        values = {"family": each.family, "name": each.label, **each.settings}
        if each.bits:
            values |= {"bits": list(each.bits), "bits_epochs": each.bits_epochs}
        own = [
            f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in values.items()
        ]
        lines += ["", "[[curves]]", *own]
    return "\n".join(lines) + "\n"
