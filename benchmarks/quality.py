"""Test error that each family reaches within shares of the reference's file, against the baselines.

It reads the atlas: every pair of a dataset and a model, ten seeds over split, initialisation and
order, equal epochs, of each family the row that validation prefers among those that fit
(``compression/studies/atlas.toml``). ``python -m benchmarks.quality`` prints the tables,
``python -m benchmarks.atlas`` computes what they are made of.
"""

import argparse
from collections.abc import Iterator, Sequence

import pandas as pd

from compression.studies.atlas_files import Atlas, read_atlas, tabulate_errors
from compression.studies.winners import LOSES, TIES, WINS

from .table import Row

PAIRS = 2  # to reach: on so many ours is ahead at some size
FEWEST = (5, 5)  # pairs and seeds that the table needs


def rows() -> Iterator[Row]:
    """Ours against the baseline that validation prefers, over all pairs and sizes."""
    atlas = read_atlas()
    judged = atlas.cells[atlas.cells["verdict"].isin([WINS, TIES, LOSES])]
    pairs, seeds = judged.groupby(["dataset", "model"]).ngroups, int(judged["seeds"].min())
    enough = pairs >= FEWEST[0] and seeds >= FEWEST[1]
    yield Row(
        "pairs of a dataset and a model with a verdict at some size",
        f"{pairs} pairs, {seeds} seeds or more",
        f"{FEWEST[0]} pairs, {FEWEST[1]} seeds",
        pairs / FEWEST[0],
        "≥ 1",
        enough,
    )
    behind = judged[judged["high"] < 0]
    yield Row(
        "cells in which ours is behind the best baseline beyond its interval",
        _count_cells(behind, judged, LOSES),
        "95 %, for each cell alone",
        len(behind) / len(judged),
        "0",
        behind.empty,
    )
    ahead = judged[judged["low"] > 0]
    won = ahead.groupby(["dataset", "model"]).ngroups
    yield Row(
        "pairs on which ours is ahead of it beyond its interval at some size",
        f"{won}: {_name_pairs(ahead)}; {_count_cells(ahead, judged, WINS)} cells",
        f"{pairs} pairs",
        won / pairs,
        f"≥ {PAIRS} pairs",
        won >= PAIRS,
    )


def _count_cells(cells: pd.DataFrame, judged: pd.DataFrame, verdict: str) -> str:
    """So many by their own interval, and by Holm's correction for as many cells as there are."""
    corrected = int((judged["verdict"] == verdict).sum())
    return f"{len(cells)} of {len(judged)} ({corrected} by Holm's correction)"


def _name_pairs(cells: pd.DataFrame) -> str:
    pairs = cells[["dataset", "model"]].drop_duplicates()
    return ", ".join(f"{dataset} + {model}" for dataset, model in pairs.to_numpy()) or "none"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", nargs="+", help="dataset:model; all when left out")
    atlas = read_atlas()
    _print_tables(atlas, parser.parse_args().pairs or _list_pairs(atlas))


def _list_pairs(atlas: Atlas) -> list[str]:
    pairs = atlas.cells[["dataset", "model"]].drop_duplicates().to_numpy()
    return [f"{dataset}:{model}" for dataset, model in pairs]


def _print_tables(atlas: Atlas, pairs: Sequence[str]) -> None:
    for pair in pairs:
        dataset, model = pair.split(":")
        place = "dataset == @dataset and model == @model"
        cells, against = atlas.cells.query(place), atlas.against.query(place)
        references = atlas.rows.query(f"{place} and family == 'reference'")
        print(
            f"\n{pair}: test error, %, of {int(cells['seeds'].max())} seeds by share of the bytes; "
            f"reference {100 * (1 - references['score'].mean()):.2f}"
        )
        print(tabulate_errors(atlas, dataset, model).round(2).to_string())
        print("ours against each baseline, score on the same seeds, 95 % interval:")
        columns = ["share", "ours", "baseline", "change", "low", "high", "verdict"]
        print(against[columns].round(4).to_string(index=False), flush=True)


if __name__ == "__main__":
    main()
