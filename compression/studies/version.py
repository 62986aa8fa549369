"""Which code and libraries a result comes from: part of every key that outlives the process."""

import hashlib
from collections.abc import Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path

LIBRARIES = (
    *("numpy", "scipy", "pandas", "torch", "scikit-learn"),
    *("cvxpy", "clarabel", "tensorly", "mnist1d"),
)
READ = (".py", ".npz")  # files that a result depends on
ROOT = Path(__file__).parents[2]


def _name_files(folder: str, names: str) -> tuple[str, ...]:
    return tuple(f"{folder}/{name}.py" for name in names.split())


STAGES: Mapping[str, tuple[str, ...]] = {
    # Turns samples into a dataset. The samples themselves are in the key by their hash.
    "data": (
        *_name_files("data", "argument_checks arrays base catalog columns content encoding errors"),
        *_name_files("data", "kinds obstacles reading roles splitting tables uploads"),
        "data/decoding",
    ),
    # Trains, judges, measures and stores a reference, and judges and measures every curve's rows.
    "reference": (
        *_name_files("compression", "accounting argument_checks arrays atomic_file catalog curve"),
        *_name_files("compression", "entries errors evaluation factors grid intervals models"),
        *_name_files(
            "compression", "network packing rebuild report shared_work storage threads training"
        ),
        *_name_files("compression", "weight_codes weight_states constrained/sets studies/fit"),
    ),
    "folds": ("compression/low_rank", "compression/studies/folds.py"),  # cross-validation's folds
    "low_rank": ("compression/low_rank",),
    "constrained": ("compression/constrained", "compression/low_rank"),
    "baseline": (
        *("compression/baselines", "compression/low_rank"),
        *_name_files("compression", "quantization straight_through"),
    ),
    "combined": ("compression/combined", "compression/constrained", "compression/low_rank"),
    "few_bits": (
        "compression/low_rank",
        *_name_files("compression", "few_bits pareto quantization straight_through"),
    ),
}
"""The sources of each stage of a fit, as ``code_version`` takes them: all that it imports.

Those of a curve's stage come on top of its reference's, whose version is in the key as well.
``tests/architecture/test_stages.py`` compares them with what the modules import.
"""


@cache
def name_libraries() -> str:
    """The libraries that a result comes from, each with its version."""
    return " ".join(f"{name} {version(name)}" for name in LIBRARIES)


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
    digest = hashlib.sha256(name_libraries().encode())
    globs = [
        glob
        for each in patterns
        for glob in ([each] if each.endswith(".py") else [f"{each}/**/*{kind}" for kind in READ])
    ]
    for source in sorted({file for glob in globs for file in ROOT.glob(glob)}):
        digest.update(source.relative_to(ROOT).as_posix().encode() + b"\0" + source.read_bytes())
    return digest.hexdigest()


@cache
def stage_version(*stages: str) -> str:
    """As ``code_version``, of all that these of ``STAGES`` are made of."""
    return code_version(*(pattern for stage in stages for pattern in STAGES[stage]))
