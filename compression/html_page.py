"""Reports as one HTML file each: no script, nothing from a network, and every text escaped."""

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 52rem; margin: 2rem auto; padding: 0 1rem; }}
table {{ border-collapse: collapse; margin: 1rem 0; }}
th, td {{ text-align: right; padding: .3rem .9rem; border-bottom: 1px solid #8886; }}
th:first-child, td:first-child {{ text-align: left; }}
.verdict {{ border-left: .4rem solid #0072b2; padding: .3rem 1rem; }}
svg text {{ font: 13px system-ui, sans-serif; fill: currentColor; }}
</style></head><body>
<h1>{title}</h1>
{body}
</body></html>
"""


def build_page(title: str, parts: Iterable[str]) -> str:
    """A page of parts that are HTML already; the title is escaped."""
    return _PAGE.format(title=escape_text(title), body="\n".join(parts))


def build_table(titles: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A table; cells are escaped, but for those that are ``Markup``."""
    head = "".join(f"<th>{escape_text(title)}</th>" for title in titles)
    lines = "".join(
        f"<tr>{''.join(f'<td>{escape_text(cell)}</td>' for cell in row)}</tr>" for row in rows
    )
    return f"<table><tr>{head}</tr>{lines}</table>"


class Markup(str):
    """A text that is HTML already."""


def escape_text(value: Any) -> str:
    """A value as HTML shows it, on one line and of printable characters alone."""
    if isinstance(value, Markup):
        return value
    plain = "".join(
        letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in str(value)
    )
    return escape(plain, quote=True)
