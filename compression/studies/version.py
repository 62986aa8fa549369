"""Which code and libraries a result comes from: part of every key that outlives the process."""

import hashlib
from functools import cache
from importlib.metadata import version
from pathlib import Path

LIBRARIES = ("numpy", "scipy", "torch", "scikit-learn", "cvxpy", "clarabel")
ROOT = Path(__file__).parents[2]


@cache
def code_version(*patterns: str) -> str:
    """SHA-256, in hexadecimal, of the libraries' versions and of these source files.

    Parameters
    ----------
    *patterns : str
        Folders of the project, of which every Python file counts, or patterns of files
        ("pages/**/tasks.py").
    """
    digest = hashlib.sha256(" ".join(f"{name} {version(name)}" for name in LIBRARIES).encode())
    globs = [each if each.endswith(".py") else f"{each}/**/*.py" for each in patterns]
    for source in sorted({file for glob in globs for file in ROOT.glob(glob)}):
        digest.update(source.relative_to(ROOT).as_posix().encode() + b"\0" + source.read_bytes())
    return digest.hexdigest()
