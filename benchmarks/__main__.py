"""Run the benchmarks: ``python -m benchmarks [name ...] [seed ...]``.

All that answer one question, or those named. Those that choose at random do so once a seed.
"""

import inspect
import os
import signal
import sys
import tempfile
from functools import cache
from importlib import import_module
from pathlib import Path

from .table import HEAD, line, show

HERE = Path(__file__).parent
SCORECARD = "reliability"  # runs others: only when it is asked for


def names() -> list[str]:
    """Every module here that answers a question."""
    return sorted(
        file.stem for file in HERE.glob("*.py") if "\ndef rows(" in file.read_text(encoding="utf-8")
    )


@cache  # which holds the folder until the process ends
def keep_results_apart() -> tempfile.TemporaryDirectory:
    """Give the benchmarks a store of their own, so that a person's is neither read nor filled."""
    folder = tempfile.TemporaryDirectory(prefix="compress_benchmarks_")
    os.environ.setdefault("COMPRESS_STORE", f"sqlite:///{folder.name}/results.db")
    return folder


def main(arguments: list[str]) -> None:
    # As Ctrl-C: a benchmark that is ended ends its servers and browsers first.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    known = names()
    seeds = [int(word) for word in arguments if word.isdecimal()]
    requested = [word for word in arguments if not word.isdecimal()]
    if unknown := set(requested).difference(known):
        sys.exit(f"no benchmark named {', '.join(sorted(unknown))}: choose from {', '.join(known)}")
    keep_results_apart()
    print(line(*HEAD), flush=True)
    for name in requested or [name for name in known if name != SCORECARD]:
        rows = import_module(f"benchmarks.{name}").rows
        chosen = seeds if "seed" in inspect.signature(rows).parameters else []
        for settings in [{"seed": seed} for seed in chosen] or [{}]:
            for row in rows(**settings):
                print(show(row), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
