"""What a column of a table holds: numbers, yes or no, dates, or categories."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .columns import LARGEST_VALUE, show

if TYPE_CHECKING:
    import pandas as pd

NUMBER, WHOLE, YES_NO, DATE, CATEGORY, EMPTY, OTHER = (
    "number",
    "whole number",
    "yes/no",
    "date",
    "category",
    "empty",
    "neither text nor number",
)
NUMERIC = (NUMBER, WHOLE, YES_NO)
MISSING_TEXTS = frozenset(
    ["", "NA", "N/A", "n/a", "#N/A", "NaN", "nan", "null", "NULL", "None", "?"]
)
YES, NO = frozenset(["true", "yes"]), frozenset(["false", "no"])
DATE_FORMATS = ("ISO8601", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y")
_LOOKS_LIKE_A_DATE = re.compile(r"\d{4}-\d\d?-\d\d?|\d\d?[./]\d\d?[./]\d{4}")
MOSTLY = 0.9  # share of a text column's values from which on a remark says what the rest is


@dataclass(frozen=True)
class Content:
    """What a column holds.

    Attributes
    ----------
    kind : str
        "number", "whole number", "yes/no", "date", "category" (text, or what was declared one),
        "empty", or "neither text nor number".
    missing, distinct : int
        Values that are missing, and different ones among the others.
    counting : bool
        Whole numbers that number the rows: all different, in order or without a gap.
    example : str
    remark : str
        What stands in the way of a better reading; empty: nothing.
    fault : str
        Why no model can read it; empty: nothing.
    """

    kind: str
    missing: int
    distinct: int
    example: str
    counting: bool = False
    remark: str = ""
    fault: str = ""


def describe_content(column: pd.Series) -> Content:
    """What a column holds, as its values say it: text that is numbers throughout is numbers."""
    import pandas as pd

    types = pd.api.types
    dtype = column.dtype
    remark = ""
    if types.is_bool_dtype(dtype) and not isinstance(dtype, pd.CategoricalDtype):
        kind = YES_NO
    elif types.is_complex_dtype(dtype):
        return Content(OTHER, 0, 0, "", fault="holds complex numbers")
    elif types.is_numeric_dtype(dtype) or types.is_timedelta64_dtype(dtype):
        return _describe_numbers(read_values(column, NUMBER))
    elif types.is_datetime64_any_dtype(dtype):
        kind = DATE
    elif isinstance(dtype, pd.CategoricalDtype):
        kind = CATEGORY
    else:
        strange = _find_strange(column)
        if strange is not None:
            return Content(
                OTHER,
                0,
                0,
                show(strange),
                fault=f"holds {show(strange)}, which is neither text nor number",
            )
        kind, remark = _read_texts(_strip_texts(column))
    values = read_values(column, kind)
    if kind == NUMBER:
        return _describe_numbers(values)
    there = pd.Series(values).dropna()
    if not len(there):
        return Content(EMPTY, len(column), 0, "")
    example = str(there.iloc[0]).removesuffix(" 00:00:00")
    if kind == YES_NO:
        example = "yes" if there.iloc[0] else "no"
    return Content(kind, len(values) - len(there), int(there.nunique()), example, remark=remark)


def read_values(column: pd.Series, kind: str) -> NDArray[Any]:
    """A column's values, read as a kind.

    Returns
    -------
    ndarray, shape (rows,)
        Numbers and yes/no: float64, NaN where missing (yes is 1). Dates: datetime64, without time
        zone, NaT where missing. Categories: text, None where missing.
    """
    import pandas as pd

    types = pd.api.types
    if kind in (NUMBER, WHOLE):
        if types.is_timedelta64_dtype(column.dtype):
            return (column / pd.Timedelta(days=1)).to_numpy(np.float64)
        if not types.is_numeric_dtype(column.dtype):
            column = pd.to_numeric(_strip_texts(column), errors="coerce")
        return column.to_numpy(np.float64, na_value=np.nan)
    if kind == YES_NO:
        if types.is_bool_dtype(column.dtype):
            return column.to_numpy(np.float64, na_value=np.nan)
        lower = _strip_texts(column).str.lower()
        return np.where(lower.isin(YES), 1.0, np.where(lower.isin(NO), 0.0, np.nan))
    if kind == DATE:
        if not types.is_datetime64_any_dtype(column.dtype):
            texts = _strip_texts(column)
            column = _read_dates(texts)[0]
        if getattr(column.dt, "tz", None) is not None:
            column = column.dt.tz_convert("UTC").dt.tz_localize(None)
        return column.to_numpy("datetime64[us]")
    codes, categories = pd.factorize(_strip_texts(column))
    # The code -1, of missing values, picks the last entry: None.
    return np.array([*map(_label, categories.tolist()), None], object)[codes]


def _label(value: str) -> str:
    """1.0 of a column that was read as floats is 1."""
    return str(int(float(value))) if re.fullmatch(r"-?\d{1,15}\.0", value) else value


def _describe_numbers(values: NDArray[np.float64]) -> Content:
    gone = np.isnan(values)
    there = values[~gone]
    if not len(there):
        return Content(EMPTY, len(values), 0, "")
    unusable = ~(np.abs(there) <= LARGEST_VALUE)
    if unusable.any():
        row = np.flatnonzero(~gone)[np.argmax(unusable)]
        what = "infinite" if np.isinf(values[row]) else f"beyond ±{LARGEST_VALUE:g}"
        fault = f"holds {int(unusable.sum())} values that are {what} or worse, the first in row {row + 1}"
        return Content(NUMBER, int(gone.sum()), 0, f"{values[row]:g}", fault=fault)
    ordered = np.unique(there)
    whole = bool((there == np.rint(there)).all())
    different = whole and len(ordered) == len(values) >= 20
    steps = np.diff(there) if different else np.zeros(1)
    run = different and ordered[-1] - ordered[0] == len(values) - 1
    return Content(
        WHOLE if whole else NUMBER,
        int(gone.sum()),
        len(ordered),
        f"{there[0]:g}",
        counting=bool(run or (steps > 0).all() or (steps < 0).all()),
    )


def _strip_texts(column: pd.Series) -> pd.Series:
    """A column as text without blanks around it; what is missing or says so is missing."""
    import pandas as pd

    gone = column.isna()
    texts = column.astype(str).astype("str").str.strip()
    return texts.mask(gone | texts.isin(MISSING_TEXTS), pd.NA)


def _find_strange(column: pd.Series) -> Any:
    """The first value that is no text, number, date or truth; None where there is none."""
    import datetime

    import pandas as pd

    if pd.api.types.is_string_dtype(column.dtype) and column.dtype != object:
        return None
    plain = (str, int, float, bool, np.generic, datetime.date, datetime.time)
    import decimal

    for value in column.tolist():
        if value is None or isinstance(value, (*plain, decimal.Decimal)) or value is pd.NA:
            continue
        return value
    return None


def _read_texts(texts: pd.Series) -> tuple[str, str]:
    """The kind that all values of a text column are of, and a remark where most are numbers."""
    import pandas as pd

    there = texts.dropna()
    if not len(there):
        return CATEGORY, ""
    # A text that is no number takes as long as a thousand numbers: look at each different text
    # once.
    codes, different = pd.factorize(there)
    failed = pd.to_numeric(pd.Series(different), errors="coerce").isna().to_numpy()
    if not failed.any():
        return NUMBER, ""
    if pd.Series(different).str.lower().isin(YES | NO).all():
        return YES_NO, ""
    if _LOOKS_LIKE_A_DATE.match(there.iloc[0]):
        dates, doubt = _read_dates(there)
        if not doubt and dates.notna().all():
            return DATE, ""
        if doubt:
            return CATEGORY, doubt
    if failed[codes].mean() < 1 - MOSTLY:
        first = different[np.argmax(failed)]
        return CATEGORY, f"read as categories, since {show(first)} is no number"
    return CATEGORY, ""


def _read_dates(texts: pd.Series) -> tuple[pd.Series, str]:
    """Dates in the first format that fits all values; and the doubt where two formats fit."""
    import pandas as pd

    there = texts.notna()
    fitting = []
    for form in DATE_FORMATS:
        dates = pd.to_datetime(texts, format=form, errors="coerce", utc=form == "ISO8601")
        if dates[there].notna().all():
            fitting.append(dates)
            if form != "%d/%m/%Y":
                break
    if len(fitting) == 2 and not (fitting[0][there] == fitting[1][there]).all():
        return fitting[
            0
        ], "not read as dates, since day and month could be either: write 2026-12-31"
    if not fitting:
        return pd.Series(pd.NaT, index=texts.index), ""
    return fitting[0], ""
