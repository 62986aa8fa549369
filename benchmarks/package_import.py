"""How long does an import of our packages take beyond the interpreter's own start?"""

import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter

from .table import Row

ROOT = Path(__file__).parents[1]
LIMIT = 0.1  # seconds
ROUNDS = 9


def rows() -> Iterator[Row]:
    statements = {"compression": "import compression", "data": "import data", "": "pass"}
    taken: dict[str, list[float]] = {name: [] for name in statements}
    for _ in range(ROUNDS):
        for name, statement in statements.items():
            taken[name].append(_run(statement))
    bare = statistics.median(taken.pop(""))
    for name, seconds in taken.items():
        beyond = statistics.median(seconds) - bare
        yield Row(
            f"import {name}, beyond the interpreter",
            f"{1000 * beyond:.0f} ms",
            f"{1000 * bare:.0f} ms, the interpreter",
            beyond / bare,
            f"≤ {LIMIT} s",
            beyond <= LIMIT,
        )


def _run(statement: str) -> float:
    begin = perf_counter()
    subprocess.run([sys.executable, "-c", statement], cwd=ROOT, check=True)
    return perf_counter() - begin
