"""Files from strangers: decoded in a process of its own, under limits, and read back as plain values."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .decoding.limits import seconds_for
from .errors import DatasetError

if TYPE_CHECKING:
    import pandas as pd

ROOT = Path(__file__).parents[1]
PATIENCE = 4  # elapsed seconds per processor second, on a busy machine
OTHER_THREADS = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
OWN = {**OTHER_THREADS, "ARROW_DEFAULT_MEMORY_POOL": "system", "ARROW_IO_THREADS": "1"}
TOO_LONG = "reading the file takes longer than it may: give fewer rows, or write Parquet"
DAMAGED = "the file is damaged (its reader stopped): write it anew"
TOO_MUCH = "reading the file takes more memory than it may: give fewer rows or columns"


@dataclass(frozen=True, eq=False)
class DecodedFile:
    """What a file held: a frame, or named arrays; and remarks on how it was read."""

    frame: pd.DataFrame | None
    arrays: dict[str, NDArray[Any]]
    remarks: tuple[str, ...]


def decode_file(file: Path, name: str, out: Path) -> dict[str, Any]:
    """Decode a file into ``out`` with the ending .arrow or .npz; the facts that were found.

    Parameters
    ----------
    file : Path
        Ours, with a stranger's bytes.
    name : str
        What the stranger calls it; only its ending is looked at.
    out : Path

    Returns
    -------
    dict
        "kind": "table" or "arrays", "remarks", and "rows" and "columns", or "arrays": shapes.

    Raises
    ------
    DatasetError
        One sentence: what was seen, and what to do.
    """
    seconds = seconds_for(file.stat().st_size)
    try:
        run = subprocess.run(
            [sys.executable, "-m", "data.decoding", str(file), Path(name).suffix[:20], str(out)],
            cwd=ROOT,
            env=os.environ | OWN,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=PATIENCE * seconds,
        )
    except subprocess.TimeoutExpired:
        raise DatasetError(TOO_LONG) from None
    if run.returncode in (-signal.SIGXCPU, -signal.SIGKILL):
        raise DatasetError(TOO_LONG)
    if run.returncode in (-signal.SIGABRT,):
        raise DatasetError(TOO_MUCH)
    try:
        said = json.loads(run.stdout)
    except ValueError:
        raise DatasetError(DAMAGED) from None
    if "error" in said:
        raise DatasetError(said["error"])
    return said


def read_decoded(out: Path, facts: dict[str, Any]) -> DecodedFile:
    """What ``decode_file`` has written, as a frame or arrays."""
    remarks = tuple(facts["remarks"])
    if facts["kind"] == "arrays":
        with np.load(out.with_name(f"{out.name}.npz"), allow_pickle=False) as arrays:
            return DecodedFile(None, {name: arrays[name] for name in arrays.files}, remarks)
    import pyarrow as pa

    with pa.OSFile(str(out.with_name(f"{out.name}.arrow")), "rb") as source:
        table = pa.ipc.open_file(source).read_all()
    return DecodedFile(table.to_pandas(), {}, remarks)
