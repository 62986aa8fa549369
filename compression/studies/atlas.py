"""The atlas: which family of methods is best for which dataset, model and size.

What is computed stands in ``atlas.toml``, written down before it is run. ``run_atlas`` fills a store,
``choose_rows`` takes of every family the row that validation prefers at each size, and
:mod:`compression.studies.winners` says who wins, ties or loses.
"""

import json
import platform
from collections.abc import Callable
from dataclasses import asdict
from datetime import date
from functools import partial
from importlib.metadata import version

import pandas as pd

import data
from compression.catalog import MODELS

from .atlas_files import Atlas
from .comparison import EQUAL, PAIR, best_within, failures, table
from .driver import Progress, run
from .executors import SerialExecutor
from .protocol import Protocol, read_protocol
from .specification import Study, list_stage_versions
from .store import identify
from .study_store import StudyStore
from .version import LIBRARIES
from .winners import find_rule, judge_cells, judge_duels, judge_families

VARIANT = " / "  # before it a family's name, behind it a variant of the family
FEW_BITS = ", few bits"
WHOLE = 32  # bits of a number as it is
POINT = 0.01  # loss of accuracy or R² that the smallest file may have on validation rows
PARTS = ("train_rows", "validation_rows", "test_rows")
COLUMNS = (
    *(*PAIR, "share", "family", "knob", "rank", "bound", "bits", "epochs", "bytes"),
    *("validation_score", "score", "reference_bytes", "reference_score", *PARTS),
)


def run_atlas(
    protocol: Protocol,
    store: StudyStore,
    report: Callable[[str, Progress], bool] = lambda part, progress: True,
) -> bool:
    """Compute what a store lacks of the atlas, in this process, round after round of seeds.

    Parameters
    ----------
    protocol : Protocol
    store : StudyStore
    report : callable
        Called after each fit with the part's name and its progress; returning False stops.

    Returns
    -------
    bool
        Whether it was computed to its end.
    """
    going_on = True

    def step(name: str, progress: Progress) -> bool:
        nonlocal going_on
        going_on = report(name, progress)
        return going_on

    for seeds in protocol.rounds:
        for study in protocol.studies(seeds):
            if going_on:
                _compute(study, store, partial(step, study.name))
    return going_on


def recompute(
    dataset: str,
    model: str,
    seeds: int,
    store: StudyStore,
    report: Callable[[Progress], bool] = lambda progress: True,
) -> pd.DataFrame:
    """The rows of one pair of the protocol that ships, with the first seeds, computed here.

    Returns
    -------
    DataFrame
        As :func:`choose_rows` gives it.

    Raises
    ------
    ArgumentError
        The atlas has no such pair.
    """
    protocol = read_protocol()
    study = protocol.study_of(dataset, model, seeds)
    _compute(study, store, report)
    return choose_rows(study, store, protocol.shares)


def _compute(study: Study, store: StudyStore, report: Callable[[Progress], bool]) -> None:
    run(study, store, SerialExecutor(), workers=1, report=report)


def choose_rows(study: Study, store: StudyStore, shares: tuple[float, ...]) -> pd.DataFrame:
    """What every family of a study takes at each size, by validation.

    Returns
    -------
    DataFrame
        A row a dataset, model, seed, share and family, with the columns ``COLUMNS``; and, with
        share 1 and family "reference", a row a reference. Seeds of which some fit is not over are
        left out.
    """
    rows = table(store, study.name)
    rows = rows.merge(list_complete(study, store), on=PAIR)
    rows["label"] = _name_families(rows)
    references = rows[rows["family"] == "reference"]
    parts = references[[*PAIR, *PARTS]]
    rows = rows.drop(columns=list(PARTS))
    taken = [best_within(rows, share).assign(share=share) for share in shares]
    chosen = pd.concat([rows[rows["family"] == "reference"].assign(share=1.0), *taken])
    chosen["family"] = chosen["label"]
    chosen = chosen.merge(parts, on=PAIR)
    return chosen[list(COLUMNS)].sort_values([*PAIR, "share", "family"], ignore_index=True)


def list_smallest(study: Study, store: StudyStore) -> pd.DataFrame:
    """The smallest file of each family within a point of the reference on validation rows.

    Returns
    -------
    DataFrame
        dataset, model, family, share (of the reference's bytes, mean over the seeds that have such
        a file), seeds (so many), of (seeds of the pair).
    """
    rows = table(store, study.name).merge(list_complete(study, store), on=PAIR)
    reference = rows["family"] == "reference"
    needed = rows[reference].set_index(PAIR)["validation_score"] - POINT
    rows = rows[~reference].join(needed.rename("needed"), on=PAIR)
    rows["family"] = _name_families(rows)
    enough = rows[rows["validation_score"] >= rows["needed"] - EQUAL]
    smallest = enough.groupby([*PAIR, "family"], as_index=False)["share"].min()
    families = smallest.groupby(["dataset", "model", "family"], as_index=False).agg(
        share=("share", "mean"), seeds=("seed", "nunique")
    )
    of = rows.groupby(["dataset", "model"])["seed"].nunique().rename("of")
    return families.join(of, on=["dataset", "model"])


def list_complete(study: Study, store: StudyStore) -> pd.DataFrame:
    """The dataset, model and seed of which every fit is over."""
    requests = [json.loads(text) for text in store.study_fits(study.name)["request"]]
    where = [request.get("reference", request) for request in requests]
    places = pd.DataFrame([[each[name] for name in PAIR] for each in where], columns=PAIR)
    counts = places.value_counts()
    return counts[counts == 1 + len(study.curves)].reset_index()[PAIR]


def list_failures(study: Study, store: StudyStore) -> pd.DataFrame:
    """Families that do not work for a pair: dataset, model, family, sentence, seeds."""
    failed = failures(store, study.name)
    failed["family"] = _find_family(failed["label"])
    names = ["dataset", "model", "family", "sentence"]
    return failed.groupby(names, as_index=False)["seed"].nunique().rename(columns={"seed": "seeds"})


def _name_families(rows: pd.DataFrame) -> pd.Series:
    """The family of every row: few bits make another one of it, a variant does not."""
    few = rows["bits"] < WHOLE
    return _find_family(rows["label"]) + few.map({True: FEW_BITS, False: ""})


def _find_family(labels: pd.Series) -> pd.Series:
    return labels.str.split(VARIANT, regex=False).str[0]


def build_atlas(protocol: Protocol, store: StudyStore) -> Atlas:
    """The atlas of what a store has of it."""
    studies = protocol.studies()
    names = set(store.list_studies()["name"])
    begun = [study for study in studies if study.name in names]
    rows = pd.concat([choose_rows(study, store, protocol.shares) for study in begun])
    failed = pd.concat([list_failures(study, store) for study in begun], ignore_index=True)
    smallest = pd.concat([list_smallest(study, store) for study in begun], ignore_index=True)
    fits = pd.concat([store.study_fits(study.name) for study in begun])
    families = judge_families(rows, protocol)
    cells, against = judge_cells(rows, families, protocol)
    rule = find_rule(cells, families, describe_pairs(rows))
    requests = [json.loads(text) for text in fits["request"]]
    # A curve without a version has its reference's version.
    stages = [*requests, *(each["reference"] for each in requests if "reference" in each)]
    codes = {each["version"] for each in stages if "version" in each}
    facts = {
        "date": date.today().isoformat(),
        "protocol": identify(asdict(protocol)),
        "code": ", ".join(sorted(codes)),
        "fits": len(fits),
        "hours": round(float(fits["seconds"].sum()) / 3600, 2),
        "versions_of": sorted(codes & list_stage_versions()),
        "versions": {"python": platform.python_version()} | {n: version(n) for n in LIBRARIES},
        "rule": asdict(rule),
    }
    duels = judge_duels(rows, families, protocol)
    return Atlas(rows, families, cells, against, duels, smallest, failed, facts)


def describe_pairs(rows: pd.DataFrame) -> pd.DataFrame:
    """What is known of a pair before anything is compressed: what a rule may ask."""
    references = rows[rows["family"] == "reference"].groupby(["dataset", "model"])
    facts = references[["reference_bytes", "train_rows"]].mean().reset_index()
    facts = facts.rename(
        columns={"reference_bytes": "reference bytes", "train_rows": "training rows"}
    )
    facts["classes"] = facts["dataset"].map(lambda name: data.DATASETS[name].classes)
    facts["linear model"] = facts["model"].map(lambda name: not MODELS[name].scalable)
    return facts
