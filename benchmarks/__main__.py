"""Run the benchmarks, all or those named: ``python -m benchmarks [name ...]``."""

import signal
import sys
from importlib import import_module
from pathlib import Path

from .table import HEAD, line, show

HERE = Path(__file__).parent


def names() -> list[str]:
    """Every module here that answers a question."""
    return sorted(
        file.stem for file in HERE.glob("*.py") if "def rows(" in file.read_text(encoding="utf-8")
    )


def main(asked: list[str]) -> None:
    known = names()
    if unknown := set(asked).difference(known):
        sys.exit(f"no benchmark named {', '.join(sorted(unknown))}: choose from {', '.join(known)}")
    print(line(*HEAD), flush=True)
    for name in asked or known:
        for row in import_module(f"benchmarks.{name}").rows():
            print(show(row), flush=True)


if __name__ == "__main__":
    # As Ctrl-C: a benchmark that is ended ends its servers and browsers first.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    main(sys.argv[1:])
