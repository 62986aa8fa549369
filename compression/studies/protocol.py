"""What the atlas is made of: a file that is written down before anything is run."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from compression.errors import ArgumentError

from .specification import Study, build_study

PROTOCOL = Path(__file__).with_name("atlas.toml")


@dataclass(frozen=True)
class Protocol:
    """What the atlas is made of.

    Attributes
    ----------
    name : str
    shares : tuple of float
        Sizes, of the measured bytes of the reference's file, descending.
    seeds : int
        As many as there are in the end.
    rounds : tuple of int
        Seeds so far: every part has so many before any has more.
    baselines : tuple of str
        Families that the others are held against.
    kinds : mapping
        How a family's name begins -> what kind of method it is; the longest beginning counts.
    duels : mapping
        Title -> two sides, each a list of how its families' names begin.
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
    kinds: Mapping[str, str]
    duels: Mapping[str, tuple[list[str], list[str]]]
    left_out: Mapping[str, str]
    parts: tuple[Mapping[str, Any], ...]

    def studies(self, seeds: int | None = None) -> list[Study]:
        """A study a part, with so many seeds; with all of them when left out."""
        count = self.seeds if seeds is None else seeds
        return [
            build_study(
                {
                    **part,
                    "name": f"{self.name}: {part['name']}",
                    "seeds": min(count, part.get("seeds", count)),
                }
            )
            for part in self.parts
        ]

    def study_of(self, dataset: str, model: str, seeds: int) -> Study:
        """The study of one pair alone; raises ArgumentError unless the atlas has it."""
        for study, part in zip(self.studies(), self.parts, strict=True):
            if (dataset, model) in study.pairs():
                name = f"{self.name}: {dataset}, {model}, {seeds} seeds"
                pair = {"datasets": [dataset], "models": [model]}
                return build_study({**part, **pair, "name": name, "seeds": seeds})
        known = "; ".join(f"{name}, {model}" for name, model in self.pairs())
        raise ArgumentError(f"the atlas has no {dataset}, {model}: it has {known}")

    def pairs(self) -> list[tuple[str, str]]:
        """Every (dataset, model), in the order in which they stand."""
        return [pair for study in self.studies() for pair in study.pairs()]

    def kind_of(self, family: str) -> str:
        """What kind of method a family is."""
        beginnings = [each for each in self.kinds if family.startswith(each)]
        return self.kinds[max(beginnings, key=len)]


@cache
def read_protocol(text: str | None = None) -> Protocol:
    """The protocol that ships, or another one's text."""
    fields = tomllib.loads(PROTOCOL.read_text(encoding="utf-8") if text is None else text)
    return Protocol(
        fields["name"],
        tuple(fields["shares"]),
        fields["seeds"],
        tuple(fields["rounds"]),
        tuple(fields["baselines"]),
        fields["kinds"],
        fields["duels"],
        fields["left_out"],
        tuple(fields["parts"]),
    )
