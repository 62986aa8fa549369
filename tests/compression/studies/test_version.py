"""A key changes with what its result is made of, and with nothing else."""

import shutil

import pytest

import data
from compression.studies import version
from compression.studies.version import code_version


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder in place of the project: one module, one shipped array, one table of results."""
    for name in ("data/reading.py", "data/files/set/set.npz", "data/files/atlas/rows.parquet"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"as it was")
    monkeypatch.setattr(version, "ROOT", tmp_path)
    code_version.cache_clear()  # of a process, whose files do not change
    yield tmp_path
    code_version.cache_clear()


@pytest.mark.parametrize(
    ("file", "changes"),
    [
        ("data/reading.py", True),
        ("data/files/set/set.npz", True),
        ("data/files/set/other.npz", True),
        ("data/files/atlas/rows.parquet", False),
        ("data/README.md", False),
    ],
)
def test_code_and_the_arrays_that_it_reads_change_the_version(project, file, changes):
    before = code_version("data")
    (project / file).write_bytes(b"something else")
    code_version.cache_clear()
    assert (code_version("data") != before) is changes


def test_every_array_that_ships_counts(tmp_path, monkeypatch):
    """A copy of what ships without it has another version."""
    own = [file for file in version.ROOT.glob("data/files/**/*") if file.suffix == ".npz"]
    assert own
    assert data.DATASETS["mnist_5k"].samples().x.shape[0] == 5000  # which is read from there
    shutil.copytree(
        version.ROOT / "data", tmp_path / "data", ignore=shutil.ignore_patterns("*.npz")
    )
    before = code_version("data")
    monkeypatch.setattr(version, "ROOT", tmp_path)
    code_version.cache_clear()
    assert code_version("data") != before
    code_version.cache_clear()
