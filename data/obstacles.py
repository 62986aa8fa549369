"""What stands in the way of learning from a table: each a sentence with what to do about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from . import kinds
from .base import TASKS
from .roles import ROLES, Column, read_test_part

if TYPE_CHECKING:
    import pandas as pd

LEAST_GROUPS = 3  # one for each part
LEAST_OUTSIDE = 8  # rows of a regression outside the test part
SplittingColumn = tuple[Column, NDArray[Any]]


def find_wrong_names(columns: Sequence[Column], roles: Mapping[str, str]) -> Iterator[str]:
    """Names that stand for two columns, and roles for columns that are not there."""
    counts = Counter(column.name for column in columns)
    for name, count in counts.items():
        if count > 1:
            yield f"{count} columns are named {name!r}: give each its own name"
    for name in roles:
        if name not in counts:
            yield f"there is no column {name!r} to give a role to: there are {list_names(list(counts))}"


def find_wrong_roles(
    columns: Sequence[Column], roles: Mapping[str, str], task: str | None
) -> Iterator[str]:
    """Roles and a task that are none, or that do not go together."""
    for name, role in roles.items():
        if role not in ROLES:
            yield f"{role!r} is no role (column {name!r}): choose one of {', '.join(ROLES)}"
    if task is not None and task not in TASKS:
        yield f"there is no task named {task!r}: choose one of {', '.join(TASKS)}"
    having = {role: [c.name for c in columns if c.role == role] for role in ROLES}
    for role in ("target", "time", "test", "group"):
        if len(having[role]) > 1:
            yield f"{list_names(having[role])} all have the role {role}: give it to one column"
    if having["group"] and having["time"]:
        yield (
            "rows cannot be split by groups and by time at once: give one of the two columns "
            "another role"
        )
    if not having["feature"]:
        yield "there is no column to learn from: give at least one the role feature"


def find_wrong_columns(
    columns: Sequence[Column], values: Callable[[Column], pd.Series]
) -> Iterator[str]:
    """Columns whose values do not suit their role."""
    for column in columns:
        name, content = column.name, column.content
        if column.role == "feature" and content.fault:
            yield f"column {name!r} {content.fault}: correct it, or give it the role ignore"
        elif column.role == "feature" and content.kind == kinds.EMPTY:
            yield f"column {name!r} has no value in it: give it the role ignore"
        elif column.role in ("group", "time") and content.missing:
            yield (
                f"column {name!r} says no {column.role} in {content.missing:,} rows: fill them in, "
                "or leave out those rows"
            )
        elif column.role == "time" and content.kind not in (kinds.DATE, *kinds.NUMERIC):
            yield (
                f"column {name!r} holds {content.example!r}, which is no time: give dates such as "
                "2026-12-31, or numbers"
            )
        elif column.role == "test":
            marks, unknown = read_test_part(values(column))
            if unknown:
                yield (
                    f"column {name!r} marks the test part with {unknown!r}: use yes and no, 1 and "
                    "0, or test and train"
                )
            elif not marks.any() or marks.all():
                yield (
                    f"column {name!r} puts {'every' if marks.all() else 'no'} row into the test "
                    "part: mark some rows, or give it the role ignore"
                )


def find_wrong_target(
    column: Column | None,
    name: str | None,
    task: str,
    readings: Mapping[str, str],
    names: list[str],
) -> Iterator[str]:
    """Why a column cannot be predicted."""
    if column is None:
        missing = (
            "no column could be the target"
            if name is None
            else f"there is no column {name!r} to predict"
        )
        yield f"{missing}: choose one of {list_names(names)}"
    elif column.content.fault:
        yield f"the target {column.name!r} {column.content.fault}: correct it, or leave out those rows"
    elif column.content.kind == kinds.EMPTY:
        yield f"the target {column.name!r} has no value in it: choose another column"
    elif task not in readings:
        wanted = "number" if task == "regression" else "class"
        instead = " or ".join(readings) or "another column"
        yield (
            f"the target {column.name!r} holds {column.content.example!r}, which is no {wanted}: "
            f"choose {instead}"
        )


def find_wrong_split(
    y: NDArray[Any],
    class_names: tuple[str, ...],
    splitting: Sequence[SplittingColumn],
    tested: NDArray[np.bool_] | None,
) -> Iterator[str]:
    """Why the rows cannot be split as asked; ``class_names`` are empty for regression."""
    for column, values in splitting:
        different = len(np.unique(values if tested is None else values[~tested]))
        least = LEAST_GROUPS - (tested is not None)
        if different < least:
            outside = "" if tested is None else " outside the test part"
            yield (
                f"column {column.name!r} has {different} different {column.role}s{outside}: at "
                f"least {least} are needed, one a part"
            )
    if tested is None:
        return
    if not tested.any():
        yield "no row of the test part has a target: mark others"
    if not class_names and (~tested).sum() < LEAST_OUTSIDE:
        yield (
            f"there are {(~tested).sum()} rows outside the test part: at least {LEAST_OUTSIDE} are "
            "needed, to learn from and to choose by"
        )
    if class_names:
        counts = np.bincount(y[~tested], minlength=len(class_names))
        for label in np.flatnonzero(counts < 2)[:3]:
            yield (
                f"class {class_names[label]!r} has {counts[label]} rows outside the test part: at "
                "least 2 are needed, to learn from and to choose by"
            )


def list_names(names: list[str]) -> str:
    """Names as a sentence says them, the first eight of many."""
    return ", ".join(map(repr, names[:8])) + (", ..." if len(names) > 8 else "")
