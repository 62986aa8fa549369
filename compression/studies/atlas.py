"""The atlas: which family of methods is best for which dataset, model and size.

What is computed stands in ``atlas.toml``, written down before it is run. ``run_atlas`` fills a store,
``chosen_rows`` takes of every family the row that validation chooses at each size, and
:mod:`compression.studies.winners` says who wins, ties or loses.
"""

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from .comparison import PAIR, best_within, failures, table
from .driver import InThisProcess, Progress, run
from .specification import Study, study_from
from .study_store import StudyStore

PROTOCOL = Path(__file__).with_name("atlas.toml")
VARIANT = " / "  # before it a family's name, behind it a variant of the family
FEW_BITS = ", few bits"
WHOLE = 32  # bits of a number as it is
KEPT = (
    *("dataset", "model", "seed", "share", "family", "knob", "rank", "bound", "bits", "epochs"),
    *("bytes", "validation_score", "score", "reference_bytes", "reference_score"),
    *("train_rows", "validation_rows", "test_rows"),
)


@dataclass(frozen=True)
class Protocol:
    """What the atlas is made of.

    Attributes
    ----------
    name : str
    shares : tuple of float
        Sizes, of the measured bytes of the reference's file.
    seeds : int
        As many as there are in the end.
    rounds : tuple of int
        Seeds so far: every part has so many before any has more.
    baselines : tuple of str
        Families that the others are held against.
    left_out : mapping
        What is left out, and why.
    parts : tuple of mapping
        Each a study; its seeds, where it says them, are as many as it gets.
    """

    name: str
    shares: tuple[float, ...]
    seeds: int
    rounds: tuple[int, ...]
    baselines: tuple[str, ...]
    left_out: Mapping[str, str]
    parts: tuple[Mapping[str, Any], ...]

    def studies(self, seeds: int | None = None) -> list[Study]:
        """A study a part, with so many seeds; with all of them when left out."""
        return [
            study_from({**part, "name": f"{self.name}: {part['name']}", "seeds": count})
            for part in self.parts
            for count in [
                min(self.seeds if seeds is None else seeds, part.get("seeds", self.seeds))
            ]
        ]

    def study_of(self, dataset: str, model: str, seeds: int) -> Study:
        """The study of one pair alone."""
        for study, part in zip(self.studies(seeds), self.parts, strict=True):
            if (dataset, model) in study.pairs():
                name = f"{self.name}: {dataset}, {model}, {seeds} seeds"
                pair = {"datasets": [dataset], "models": [model]}
                return study_from({**part, **pair, "name": name, "seeds": seeds})
        raise KeyError(f"{dataset}, {model}")

    def pairs(self) -> list[tuple[str, str]]:
        """Every (dataset, model), in the order in which they stand."""
        return [pair for study in self.studies() for pair in study.pairs()]


def read_protocol(text: str | None = None) -> Protocol:
    """The protocol that ships, or another one's text."""
    found = tomllib.loads(PROTOCOL.read_text(encoding="utf-8") if text is None else text)
    return Protocol(
        found["name"],
        tuple(found["shares"]),
        found["seeds"],
        tuple(found["rounds"]),
        tuple(found["baselines"]),
        found["left_out"],
        tuple(found["parts"]),
    )


def run_atlas(
    protocol: Protocol,
    store: StudyStore,
    report: Callable[[str, Progress], bool] = lambda part, progress: True,
) -> bool:
    """Compute what a store lacks of the atlas, in this process, seed after seed.

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
    for seeds in protocol.rounds:
        for study in protocol.studies(seeds):
            going_on = True

            def step(progress: Progress, name: str = study.name) -> bool:
                nonlocal going_on
                going_on = report(name, progress)
                return going_on

            run(study, store, InThisProcess(), workers=1, report=step)
            if not going_on:
                return False
    return True


def chosen_rows(study: Study, store: StudyStore, shares: tuple[float, ...]) -> pd.DataFrame:
    """What every family of a study takes at each size, by validation.

    Returns
    -------
    DataFrame
        A row a dataset, model, seed, share and family, with the columns ``KEPT``; and, with share
        1 and family "reference", a row a reference.
    """
    rows = table(store, study.name)
    few = rows["bits"] < WHOLE
    families = rows["label"].str.split(VARIANT, regex=False).str[0]
    rows["label"] = families + few.map({True: FEW_BITS, False: ""})
    references = rows[rows["family"] == "reference"]
    parts = references[[*PAIR, "train_rows", "validation_rows", "test_rows"]]
    rows = rows.drop(columns=["train_rows", "validation_rows", "test_rows"])
    taken = [best_within(rows, share).assign(share=share) for share in shares]
    found = pd.concat([references.assign(share=1.0), *taken], ignore_index=True)
    found["family"] = found["label"]
    found = found.drop(columns=list(parts.columns[3:]), errors="ignore").merge(parts, on=PAIR)
    return found[list(KEPT)].sort_values([*PAIR, "share", "family"], ignore_index=True)


def missing_fits(study: Study, store: StudyStore) -> pd.DataFrame:
    """Families that do not apply: dataset, model, family, sentence, seeds."""
    failed = failures(store, study.name)
    failed["family"] = failed["label"].str.split(VARIANT, regex=False).str[0]
    names = ["dataset", "model", "family", "sentence"]
    return failed.groupby(names, as_index=False)["seed"].nunique().rename(columns={"seed": "seeds"})
