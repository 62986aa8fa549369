"""Which code and libraries a result comes from: part of every key that outlives the process."""

import hashlib
from functools import cache
from importlib.metadata import version
from pathlib import Path

LIBRARIES = (
    *("numpy", "scipy", "pandas", "torch", "scikit-learn"),
    *("cvxpy", "clarabel", "tensorly", "mnist1d"),
)
READ = (".py", ".npz")  # what a result comes from
ROOT = Path(__file__).parents[2]


@cache
def code_version(*patterns: str) -> str:
    """SHA-256, in hexadecimal, of the libraries' versions, of these source files and their data.

    Datasets that a library brings or makes are known by its version, those that ship by their bytes.

    Parameters
    ----------
    *patterns : str
        Folders of the project, of which every Python file counts and every array that ships for
        them to read (NPZ; tables and texts are results), or patterns of files
        ("pages/**/tasks.py").
    """
    digest = hashlib.sha256(" ".join(f"{name} {version(name)}" for name in LIBRARIES).encode())
    globs = [
        glob
        for each in patterns
        for glob in ([each] if each.endswith(".py") else [f"{each}/**/*{kind}" for kind in READ])
    ]
    for source in sorted({file for glob in globs for file in ROOT.glob(glob)}):
        digest.update(source.relative_to(ROOT).as_posix().encode() + b"\0" + source.read_bytes())
    return digest.hexdigest()
