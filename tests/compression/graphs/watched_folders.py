"""Folders of a test's own for whatever is written, and what lies in them."""

import os
import tempfile
from pathlib import Path

import pytest

from compression.graphs.child import CHILD

Stock = dict[str, tuple[int, int]]


def move_into(folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """Work in new folders, deep enough that ``../..`` stays among them.

    Processes that are started from now on work there too: the decoding process is closed.

    Returns
    -------
    dict
        "work", "home" and "temp", each with a file in it; all are below ``folder``.
    """
    found = {name: folder / "deep" / "deeper" / name for name in ("work", "home", "temp")}
    for own in found.values():
        own.mkdir(parents=True)
        (own / "kept.txt").write_text("as it was")
    monkeypatch.chdir(found["work"])
    monkeypatch.setenv("HOME", str(found["home"]))
    monkeypatch.setenv("TMPDIR", str(found["temp"]))
    monkeypatch.setattr(tempfile, "tempdir", str(found["temp"]))
    CHILD.close()
    return found


def take_stock(folder: Path) -> Stock:
    """Path -> time of the last change in nanoseconds and size, of all that lies below a folder."""
    found = {}
    for path in (folder, *folder.rglob("*")):
        facts = os.lstat(path)
        found[str(path.relative_to(folder))] = (facts.st_mtime_ns, facts.st_size)
    return found
