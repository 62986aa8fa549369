"""The scorecard of what must hold whatever happens, each figure beside its goal.

Without a seed hostile links and bytes are chosen as in the tests; another one tries others.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module

from .__main__ import main
from .server import ROOT
from .table import Row

# What other benchmarks measure, each by itself as well; with what they take of ours.
BENCHMARKS: dict[str, dict[str, object]] = {
    "hostile_models": {"seed": None},
    "tables_scale": {"seed": None},
    "hostile_links": {"share": 1.0, "seed": None},
    "full_room": {},
    "slider_load": {"seed": None},
    "abrupt_ends": {"seed": None},
    "studies": {},
    "study_faults": {"seed": None},
    "busy_neighbour": {},
    "accessibility": {},
}
# What tests hold, and the figure is how many of them do.
SUITES = {
    "tables of strangers: refused in a sentence, a good one works": ["tests/data"],
    "mathematics: properties, second implementations, exhaustive search": ["tests/compression"],
    "own files: torn, mutated, killed while written": [
        "tests/compression/test_storage.py",
        "tests/pages/test_kept_results.py",
        "tests/pages/test_encoding.py",
    ],
    "workers: killed, out of memory, abandoned, orphaned": [
        "tests/pages/test_jobs.py",
        "tests/pages/test_worker.py",
        "tests/pages/test_worker_processes.py",
        "tests/pages/test_waiting_line.py",
    ],
    "bad arguments: a typed sentence": ["tests/test_bad_arguments.py"],
}


def rows(seed: int = 0) -> Iterator[Row]:
    for question, paths in SUITES.items():
        yield _run_tests(question, paths, seed)
    for name, settings in BENCHMARKS.items():
        given = {key: seed if value is None else value for key, value in settings.items()}
        yield from import_module(f"benchmarks.{name}").rows(**given)


def _run_tests(question: str, paths: list[str], seed: int) -> Row:
    """How many tests of these pass; a seed other than 0 gives hypothesis other examples."""
    command = [sys.executable, "-m", "pytest", "-n", "0", "-q", *paths]
    if seed:
        command.append(f"--hypothesis-seed={seed}")
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout
    counts = {word: int(count) for count, word in re.findall(r"(\d+) (passed|failed|error)", said)}
    passed = counts.get("passed", 0)
    total = sum(counts.values())
    return Row(
        question,
        f"{passed:,} of {total:,} tests pass",
        "all",
        passed / max(total, 1),
        "1",
        0 < passed == total,
    )


if __name__ == "__main__":
    main(["reliability", *sys.argv[1:]])
