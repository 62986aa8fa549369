"""The gate's report: one HTML file without scripts that opens without a network."""

import datetime
import platform
from argparse import Namespace

from ..atomic_file import write_whole
from ..html_page import build_page, build_table, escape_text
from .files import read_files
from .judged import Judged, JudgedClasses, JudgedNumbers
from .verdict import GateVerdict

_PASSED, _FAILED = "#0072b2", "#d55e00"  # told apart by colour-blind readers too
_WIDTH, _EDGE = 640, 40
MOST_CLASSES = 50


def write_html_report(arguments: Namespace, judged: Judged, verdict: GateVerdict) -> None:
    """Write the report of a verdict to the file that was asked for; every name is escaped."""
    sizes = [
        (str(path), f"{sum(map(len, read_files([path]).values())):,} bytes")
        for path in (arguments.before, arguments.after)
    ]
    if isinstance(judged, JudgedClasses):
        tables = _build_class_tables(judged, sizes)
    else:
        tables = _build_number_table(judged, sizes)
    colour = _PASSED if verdict.passes else _FAILED
    parts = (
        f'<p class="verdict" style="border-color: {colour}">{escape_text(verdict.sentence)}</p>',
        _draw(verdict, arguments.lose_at_most, judged),
        tables,
        f"<p>{escape_text(_write_notes(arguments, judged))}</p>",
    )
    content = build_page(
        f"{'Passed' if verdict.passes else 'Failed'}: {arguments.after.name}", parts
    )
    write_whole(content.encode(), arguments.report)


def _build_class_tables(judged: JudgedClasses, sizes: list[tuple[str, str]]) -> str:
    rows = len(judged.target)
    models = [
        (*size, f"{int(right.sum()):,} of {rows:,}", f"{right.mean():.2%}")
        for size, right in zip(sizes, (judged.before, judged.after), strict=True)
    ]
    pairs = [
        (
            f"before: {title}",
            f"{int((correct & judged.after).sum()):,}",
            f"{int((correct & ~judged.after).sum()):,}",
        )
        for title, correct in (("right", judged.before), ("wrong", ~judged.before))
    ]
    return (
        build_table(("model", "file", "right", "accuracy"), models)
        + build_table(("", "after: right", "after: wrong"), pairs)
        + build_table(("class", "rows", "before: right", "after: right"), _list_class_rows(judged))
    )


def _build_number_table(judged: JudgedNumbers, sizes: list[tuple[str, str]]) -> str:
    models = [
        (*size, f"{value:.4f}", f"{error:.4g}")
        for size, value, error in zip(sizes, judged.scores, judged.errors, strict=True)
    ]
    return build_table(("model", "file", "R²", "RMSE, in the target's unit"), models)


def _list_class_rows(judged: JudgedClasses) -> list[tuple[str, ...]]:
    import numpy as np

    lines = []
    for name in np.unique(judged.target)[:MOST_CLASSES]:
        members = judged.target == name
        shares = (f"{right[members].mean():.2%}" for right in (judged.before, judged.after))
        lines.append((str(name), f"{int(members.sum()):,}", *shares))
    return lines


def _write_notes(arguments: Namespace, judged: Judged) -> str:
    import compression

    now = datetime.datetime.now(datetime.UTC)
    way = "a score interval for paired proportions (Tango 1998)"
    if isinstance(judged, JudgedNumbers):
        way = "a paired bootstrap's (symmetric bootstrap-t, 1,000 resamples)"
    return (
        f"Data: {arguments.data}, {len(judged.target):,} rows. {judged.describe_floor()} The "
        f"interval is {way}. Largest difference of an output: {judged.difference:.3g}; "
        f"{judged.order}. Written on {now:%Y-%m-%d %H:%M} UTC by compression "
        f"{compression.__version__}, Python {platform.python_version()}."
    )


def _draw(verdict: GateVerdict, lose_at_most: float, judged: Judged) -> str:
    """The change with its interval, zero, and what may be lost."""
    ends = [verdict.low, verdict.high, -lose_at_most, 0.0]
    low, high = min(ends), max(ends)
    room = 0.08 * (high - low) or 1.0

    def x(points: float) -> float:
        share = (points - low + room) / (high - low + 2 * room)
        return round(_EDGE + share * (_WIDTH - 2 * _EDGE), 1)

    colour = _PASSED if verdict.passes else _FAILED
    said = (
        f"Change of {judged.score_name} {verdict.change:+.2f} {judged.unit}, from {verdict.low:+.2f} to "
        f"{verdict.high:+.2f}; at most {lose_at_most:g} may be lost."
    )
    marks = "".join(
        f'<line x1="{x(at)}" x2="{x(at)}" y1="25" y2="75" stroke="currentColor" '
        f'stroke-dasharray="{dash}"/><text x="{x(at)}" y="{y}" text-anchor="middle">{name}</text>'
        for at, name, dash, y in (
            (0.0, "no change", "none", 15),
            (-lose_at_most, f"at most {lose_at_most:g} lost", "4 3", 92),
        )
    )
    return (
        f'<svg viewBox="0 0 {_WIDTH} 120" role="img" aria-label="{said}">{marks}'
        f'<line x1="{x(verdict.low)}" x2="{x(verdict.high)}" y1="50" y2="50" stroke="{colour}" '
        f'stroke-width="4"/><circle cx="{x(verdict.change)}" cy="50" r="7" fill="{colour}"/>'
        f'<text x="{_WIDTH / 2}" y="112" text-anchor="middle">change of '
        f"{judged.score_name}, {judged.unit}</text></svg>"
    )
