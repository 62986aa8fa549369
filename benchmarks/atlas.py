"""The atlas: which family is best for which dataset, model and size.

``python -m benchmarks.atlas`` computes what its store lacks of ``compression/studies/atlas.toml``
and writes ``data/files/atlas/``: hours of one core; stopped, it goes on where it was.
``--protocol FILE --folder FOLDER`` computes another protocol and writes it elsewhere;
``--files-only`` writes what the store has. ``python -m benchmarks atlas`` computes one cell anew
and holds it against the files.
"""

import argparse
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from compression.studies import Progress, StudyStore
from compression.studies.atlas import build_atlas, recompute, run_atlas
from compression.studies.atlas_files import FOLDER, read_atlas, write_atlas
from compression.studies.protocol import PROTOCOL, read_protocol

from .table import Row

STORE = "sqlite:///atlas.db"
CELL = ("iris", "mlp")
SECONDS = 20.0  # between two lines that say how far it is


def rows() -> Iterator[Row]:
    """The first seed of one pair computed here, against the file's rows."""
    store = StudyStore("sqlite://")
    began = time.process_time()
    here = recompute(*CELL, 1, store)
    store.close()
    spent = time.process_time() - began
    keys = ["dataset", "model", "seed", "share", "family"]
    both = read_atlas().rows.merge(here, on=keys, suffixes=("", "_here"))
    off = float(np.abs(both["score"] - both["score_here"]).max())
    yield Row(
        f"the atlas's {' '.join(CELL)}, seed 0, computed again: largest difference of a score",
        f"{off:.2g} in {len(both)} rows",
        f"the file's, in {spent:.0f} s of a core",
        off,
        "0",
        off == 0 and len(both) == len(here),
    )


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", default=STORE, help="URL of its database")
    parser.add_argument("--protocol", type=Path, help="what it is made of, if not what ships")
    parser.add_argument("--folder", type=Path, help="where the files go, if not to what ships")
    parser.add_argument("--files-only", action="store_true", help="compute nothing")
    options = parser.parse_args(arguments)
    if options.protocol is not None and options.folder is None:
        parser.error("--protocol needs --folder: the files that ship are the shipped protocol's")
    protocol = read_protocol((options.protocol or PROTOCOL).read_text(encoding="utf-8"))
    store = StudyStore(options.store)
    last = 0.0

    def report(name: str, progress: Progress) -> bool:
        nonlocal last
        if time.monotonic() - last > SECONDS:
            last = time.monotonic()
            print(f"{name}: {progress.done} of {progress.total} fits", flush=True)
        return True

    if not options.files_only:
        run_atlas(protocol, store, report)
    atlas = build_atlas(protocol, store)
    write_atlas(atlas, options.folder or FOLDER)
    print(atlas.cells["verdict"].value_counts().to_string())


if __name__ == "__main__":
    main()
