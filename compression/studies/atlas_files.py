"""The atlas as files: written, and read again without a heavy library."""

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

import data

FOLDER = Path(data.__file__).parent / "files" / "atlas"
FACTS = "atlas.toml"
MORE_EPOCHS = 10  # epochs of everything that is trained further than its reference
TABLES = ("rows", "families", "cells", "against", "duels", "smallest", "failures")


@dataclass(frozen=True, eq=False)
class Atlas:
    """What was computed, and what it says.

    Attributes
    ----------
    rows, families, cells, against, duels, smallest, failures : DataFrame
        As ``choose_rows``, ``judge_families``, ``judge_cells`` (both), ``judge_duels``,
        ``list_smallest`` and ``list_failures`` give them.
    facts : mapping
        date, protocol (SHA-256 of its TOML, read and written as JSON, so that comments are free),
        code (the version of each stage of the fits), fits, hours (of computing), versions (of the
        machine that wrote the files), versions_of (the codes whose fits are known to have had
        those), rule (as ``find_rule`` gives it).
    """

    rows: pd.DataFrame
    families: pd.DataFrame
    cells: pd.DataFrame
    against: pd.DataFrame
    duels: pd.DataFrame
    smallest: pd.DataFrame
    failures: pd.DataFrame
    facts: Mapping[str, Any]


def write_atlas(atlas: Atlas, folder: Path = FOLDER) -> None:
    """Write its tables as Parquet, and its facts as TOML."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in TABLES:
        table: pd.DataFrame = getattr(atlas, name)
        table.to_parquet(folder / f"{name}.parquet", index=False, compression="zstd")
    (folder / FACTS).write_text(_as_toml(atlas.facts), encoding="utf-8")


def read_atlas(folder: Path = FOLDER) -> Atlas:
    """The atlas that ships, or another one."""
    tables = {name: pd.read_parquet(folder / f"{name}.parquet") for name in TABLES}
    facts = tomllib.loads((folder / FACTS).read_text(encoding="utf-8"))
    return Atlas(**tables, facts=facts)


def tabulate_errors(atlas: Atlas, dataset: str, model: str) -> pd.DataFrame:
    """Mean test error in %, of every family at every size, and its smallest file that is good.

    Returns
    -------
    DataFrame
        Indexed by family, a column a size ("25.00%", descending), and "within 1 point": the share
        in % of the smallest file within a point of the reference on validation rows. NaN where some
        seed has none; left out where the atlas has none. The error of a number that is predicted is
        100 (1 − R²).
    """
    family_rows = atlas.families.query("dataset == @dataset and model == @model and seeds == of")
    family_rows = family_rows.assign(error=100 * (1 - family_rows["score"]))
    errors = family_rows.pivot(index="family", columns="share", values="error")
    errors = errors.sort_index(axis=1, ascending=False).rename(columns="{:.2%}".format)
    small = atlas.smallest.query("dataset == @dataset and model == @model and seeds == of")
    if small.empty:  # older files lack this table
        return errors
    within = (100 * small.set_index("family")["share"]).rename("within 1 point")
    return errors.join(within, how="outer")


def count_epochs(rows: pd.DataFrame) -> tuple[int, int, int]:
    """Rows of smaller networks: all, those trained for less, and those trained for longer.

    Less or longer than their reference and ``MORE_EPOCHS``. ``rows``: those of an atlas.
    """
    pair = ["dataset", "model", "seed"]
    references = rows[rows["family"] == "reference"].set_index(pair)["epochs"]
    smaller = rows[rows["family"].str.startswith("Smaller network")]
    wished = smaller[pair].join(references, on=pair)["epochs"] + MORE_EPOCHS
    fewer, more = smaller["epochs"] < wished, smaller["epochs"] > wished
    return len(smaller), int(fewer.sum()), int(more.sum())


def _as_toml(facts: Mapping[str, Any]) -> str:
    """Plain values first, then a table for each mapping: JSON's texts and numbers are TOML's too."""

    def lines(values: Mapping[str, Any]) -> list[str]:
        return [f"{n} = {json.dumps(v, ensure_ascii=False)}" for n, v in values.items()]

    plain = {name: value for name, value in facts.items() if not isinstance(value, Mapping)}
    text = lines(plain)
    for name, value in facts.items():
        if isinstance(value, Mapping):
            quoted = {f'"{key}"' if "-" in key else key: each for key, each in value.items()}
            text += ["", f"[{name}]", *lines(quoted)]
    return "\n".join(text) + "\n"
