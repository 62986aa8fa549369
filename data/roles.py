"""What each column of a table is for, suggested from what it holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from . import kinds
from .kinds import Content

if TYPE_CHECKING:
    import pandas as pd

ROLES = ("feature", "target", "group", "time", "test", "ignore")
MOST_CATEGORIES = 32  # one-hot columns of one category, "other" included
MOST_CLASSES = 20  # different whole numbers up to which classes are suggested
TARGET_NAMES = ("target", "label", "labels", "class", "y", "outcome", "response")
TEST_WORDS = {
    **dict.fromkeys(("test", "1", "yes", "true", "testing", "holdout"), True),
    **dict.fromkeys(("train", "0", "no", "false", "training", "fit", "validation"), False),
}


@dataclass(frozen=True)
class Column:
    """A column of a table, and what becomes of it.

    ``suggested``: the role when nobody says otherwise; never the target's. ``rule``: what becomes
    of it in its role, in words.
    """

    name: str
    content: Content
    suggested: str
    role: str
    rule: str


def describe_columns(
    frame: pd.DataFrame, roles: Mapping[str, str], target: str | None
) -> tuple[Column, ...]:
    """Every column with its role: that which was given, or else what its values suggest."""
    columns = []
    for position, label in enumerate(frame.columns):
        name = str(label)
        content = kinds.describe_content(frame.iloc[:, position])
        suggested, why = suggest_role(name, content, len(frame))
        role = "target" if name == target else roles.get(name, suggested)
        rule = f"left out: {why}" if role == suggested == "ignore" else describe_rule(content, role)
        columns.append(Column(name, content, suggested, role, rule))
    return tuple(columns)


def suggest_role(name: str, content: Content, rows: int) -> tuple[str, str]:
    """A role, and why where it is "ignore"."""
    if content.kind == kinds.EMPTY:
        return "ignore", "no value in it"
    if content.fault:
        return "ignore", content.fault
    if content.distinct == 1 and not content.missing:
        return "ignore", "one value throughout"
    if content.kind == kinds.CATEGORY and content.distinct > rows / 2:
        return "ignore", f"an identifier ({content.distinct:,} different texts in {rows:,} rows)"
    if content.counting:
        return "ignore", "an identifier (it numbers the rows)"
    if name.lower() in ("is_test", "test", "split") and content.distinct == 2:
        return "test", ""
    return "feature", ""


def describe_rule(content: Content, role: str) -> str:
    """What becomes of a column in its role."""
    fixed = {
        "ignore": "left out",
        "target": "what is predicted",
        "group": "rows of one group stay in one part",
        "time": "the latest rows are tested on",
        "test": "says which rows are tested on",
    }
    if role in fixed:
        return fixed[role]
    missing = " a column says which were missing;" if content.missing else ""
    if content.kind == kinds.CATEGORY:
        values = content.distinct + bool(content.missing)
        if values > MOST_CATEGORIES:
            rule = f"0/1 for each of the {MOST_CATEGORIES - 1} most frequent values, and for others"
        else:
            rule = f"0/1 for each of {values} values" + (
                ", missing is one" if content.missing else ""
            )
    elif content.kind == kinds.DATE:
        rule = f"becomes day, weekday and hour;{missing}".rstrip(";")
    elif content.kind == kinds.YES_NO:
        rule = "0/1" + (
            ", missing as the more frequent; a column says which" if content.missing else ""
        )
    else:
        rule = "standardised" + (
            f", missing as the median;{missing}".rstrip(";") if content.missing else ""
        )
    return f"{rule} ({content.remark})" if content.remark else rule


def suggest_target(columns: Sequence[Column]) -> str | None:
    """The column that is most often the target: by its name, or else the last that could be."""
    possible = [c for c in columns if c.suggested == "feature" and c.content.kind != kinds.DATE]
    named = [c.name for c in possible if c.name.lower() in TARGET_NAMES]
    return next(iter(named + [c.name for c in reversed(possible)]), None)


def suggest_task(content: Content) -> str:
    """The likelier reading of a target."""
    if content.kind in (kinds.CATEGORY, kinds.YES_NO):
        return "classification"
    return (
        "classification"
        if content.kind == kinds.WHOLE and content.distinct <= MOST_CLASSES
        else "regression"
    )


def describe_readings(values: pd.Series, content: Content) -> dict[str, str]:
    """Task -> what the target is in it, for each task that it can be read for."""
    readings = {}
    if content.kind in (kinds.WHOLE, kinds.NUMBER):
        numbers = kinds.read_values(values, kinds.NUMBER)
        low, high = np.nanmin(numbers), np.nanmax(numbers)
        readings["regression"] = f"a number from {low:g} to {high:g}"
    if content.kind in (kinds.WHOLE, kinds.CATEGORY, kinds.YES_NO):
        counts = values.value_counts()
        named = ", ".join(f"{label} ({count:,})" for label, count in counts.head(4).items())
        more = ", …" if len(counts) > 4 else ""
        readings["classification"] = f"{content.distinct} classes: {named}{more}"
    return readings


def read_test_part(column: pd.Series) -> tuple[np.ndarray, str]:
    """Which rows a column marks as the test part; and the first value that says neither."""
    texts = column.astype(str).str.strip().str.lower().str.replace(r"\.0$", "", regex=True)
    marks = texts.map(TEST_WORDS)
    unknown = column[marks.isna() & column.notna()]
    return marks.eq(True).to_numpy(bool), str(unknown.iloc[0]) if len(unknown) else ""
