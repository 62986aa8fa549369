"""Tables and JSON on stdout, progress on stderr."""

import json
import math
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Protocol


def print_json(content: Any) -> None:
    """Numbers that JSON has no form for are null."""
    print(json.dumps(_as_json(content), indent=2))  # noqa: T201


def _as_json(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _as_json(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_as_json(part) for part in value]
    if hasattr(value, "tolist"):  # NumPy's
        return _as_json(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, (str, int, float, bool, type(None))) else None


def print_table(rows: Sequence[Mapping[str, Any]]) -> None:
    """Columns side by side, numbers to the right; names from files cannot command a terminal."""
    if not rows:
        return
    head = list(rows[0])
    cells = [[show_cell(row[name]) for name in head] for row in rows]
    numeric = [all(isinstance(row[name], (int, float)) for row in rows) for name in head]
    widths = [max(len(line[at]) for line in [head, *cells]) for at in range(len(head))]
    for line in [head, *cells]:
        padded = [
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(line, widths, numeric, strict=True)
        ]
        print("  ".join(padded).rstrip())  # noqa: T201


def show_cell(value: Any) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "–"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return show_text(value)


def show_text(value: Any) -> str:
    """A text on one line, of printable characters alone."""
    return "".join(
        letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in str(value)
    )


def say(sentence: str) -> None:
    print(show_text(sentence))  # noqa: T201


class Counter(Protocol):
    """A report that may say more than how much is done."""

    def __call__(self, done: int, total: int, partial: Any, note: str = "") -> bool: ...


def show_progress(what: str) -> Counter:
    """A report that counts on stderr: on one line of a terminal, else in tenths."""
    shown = -1

    def report(done: int, total: int, partial: Any, note: str = "") -> bool:
        nonlocal shown
        tenth = 10 * done // max(total, 1)
        if sys.stderr.isatty():
            line, end = f"\r{what}: {done} of {total}{note}", "\n" if done >= total else ""
            print(f"{line}\x1b[K", end=end, file=sys.stderr, flush=True)  # noqa: T201
        elif tenth > shown:
            shown = tenth
            print(f"{what}: {done} of {total}{note}", file=sys.stderr, flush=True)  # noqa: T201
        return True

    return report
