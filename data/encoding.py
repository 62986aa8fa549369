"""A table's columns as numbers: fitted on the rows that are learnt from, and on no other.

Numbers are standardised, missing ones become the median beside a 0/1 column that says so.
Categories become 0/1 columns, dates day, weekday and hour. A 0/1 column stays 0/1: standardised,
one that is 1 in 0.5 % of the rows would reach 14 times as far under |θ| <= c as one that is 1 in
half of them.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import kinds
from .columns import as_float32, column_statistics
from .roles import MOST_CATEGORIES

MISSING, OTHER = "missing", "other"
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@dataclass(frozen=True)
class Feature:
    """One column of a model's input.

    Attributes
    ----------
    name : str
    source : str
        The table's column that it is made from.
    unit : str
        What a weight's unit is per: "one standard deviation (12.3)".
    mean, scale : float
        ``x * scale + mean`` is the value in its own unit.
    zero_one, constant : bool
        It is 0 or 1 as it stands; it has one value in all rows that are learnt from.
    """

    name: str
    source: str
    unit: str
    mean: float
    scale: float
    zero_one: bool
    constant: bool


class Numbers:
    """Numbers: standardised, missing ones as the median, and where there are any a 0/1 column.

    Parameters
    ----------
    name : str
    values : ndarray of float64, shape (rows,)
        Of the rows that are learnt from; NaN where missing.
    source : str, optional
        The table's column, where it has another name.
    """

    def __init__(self, name: str, values: NDArray[np.float64], source: str = ""):
        gone = np.isnan(values)
        self._median = 0.0 if gone.all() else float(np.median(values[~gone]))
        filled = np.where(gone, self._median, values)
        mean, scale, constant = (float(part[0]) for part in column_statistics(filled[:, None]))
        self._mean, self._scale, self._indicates = mean, scale, bool(gone.any())
        unit = f"one standard deviation ({scale:.3g})"
        if constant:
            unit = "1 (it is constant where it is learnt from)"
        source = source or name
        self.features: tuple[Feature, ...] = (
            Feature(name, source, unit, mean, scale, False, bool(constant)),
        )
        if self._indicates:
            self.features += (_zero_one(f"{name} = {MISSING}", source, gone.all()),)

    def encode(self, values: NDArray[np.float64]) -> NDArray[np.float32]:
        """Values of any rows, shape (rows,), as features, shape (rows, features)."""
        gone = np.isnan(values)
        scaled = (np.where(gone, self._median, values) - self._mean) / self._scale
        narrow = as_float32(scaled[:, None], [f"column {self.features[0].name!r}"])
        return np.hstack([narrow, gone[:, None].astype(np.float32)]) if self._indicates else narrow


class YesNo:
    """Yes and no as 1 and 0; missing ones as the more frequent, beside a 0/1 column."""

    def __init__(self, name: str, values: NDArray[np.float64]):
        gone = np.isnan(values)
        there = values[~gone]
        self._usual = float(there.mean() > 0.5) if len(there) else 0.0
        self._indicates = bool(gone.any())
        filled = np.where(gone, self._usual, values)
        self.features: tuple[Feature, ...] = (_zero_one(name, name, np.ptp(filled) == 0),)
        if self._indicates:
            self.features += (_zero_one(f"{name} = {MISSING}", name, gone.all()),)

    def encode(self, values: NDArray[np.float64]) -> NDArray[np.float32]:
        gone = np.isnan(values)
        columns = [np.where(gone, self._usual, values)] + [gone] * self._indicates
        return np.stack(columns, axis=1).astype(np.float32)


class Categories:
    """A 0/1 column for each value, or for the 31 most frequent and all others.

    A missing value is a value. One that was not met among the rows that are learnt from counts
    among the others, or is 0 in every column where there are no others.
    """

    def __init__(self, name: str, values: NDArray[Any], source: str = ""):
        from sklearn.preprocessing import OneHotEncoder

        named = _name(values)
        # With exactly MOST_CATEGORIES, scikit-learn would call the rarest one "other".
        many = len(set(named[:, 0].tolist())) > MOST_CATEGORIES
        self._encoder = OneHotEncoder(
            max_categories=MOST_CATEGORIES if many else None,
            handle_unknown="infrequent_if_exist",
            sparse_output=False,
            dtype=np.float32,
        )
        ones = self._encoder.fit_transform(named)
        rare = set(self._encoder.infrequent_categories_[0].tolist()) if many else set()
        names = [text for text in self._encoder.categories_[0].tolist() if text not in rare]
        names += [OTHER if OTHER not in names else "all others"] * bool(rare)
        constant = np.ptp(ones, axis=0) == 0
        self.features = tuple(
            _zero_one(f"{name} = {text}", source or name, bool(same))
            for text, same in zip(names, constant, strict=True)
        )

    def encode(self, values: NDArray[Any]) -> NDArray[np.float32]:
        with warnings.catch_warnings():  # values that were not seen in fitting are expected
            warnings.simplefilter("ignore", UserWarning)
            return self._encoder.transform(_name(values))


class Dates:
    """Days since 1970 as a number, the weekday as 0/1 columns, the hour where there is any."""

    def __init__(self, name: str, values: NDArray[np.datetime64]):
        day, weekday, hour = _split_time(values)
        self._parts: list[Any] = [Numbers(f"{name}: day", day, name)]
        self._parts.append(Categories(f"{name}: weekday", weekday, name))
        self._hours = bool(np.nansum(hour))
        if self._hours:
            self._parts.append(Numbers(f"{name}: hour", hour, name))
        said = f"{name}: hour = {MISSING}"  # the weekday already has a feature for missing values
        self.features = tuple(
            feature for part in self._parts for feature in part.features if feature.name != said
        )

    def encode(self, values: NDArray[np.datetime64]) -> NDArray[np.float32]:
        parts = [
            part.encode(read) for part, read in zip(self._parts, _split_time(values), strict=False)
        ]
        return np.hstack(parts)[:, : len(self.features)]


def fit_encoder(name: str, kind: str, values: NDArray[Any]) -> Numbers | YesNo | Categories | Dates:
    """The encoder of a column, from the values of the rows that are learnt from."""
    if kind == kinds.CATEGORY:
        return Categories(name, values)
    if kind == kinds.DATE:
        return Dates(name, values)
    return YesNo(name, values) if kind == kinds.YES_NO else Numbers(name, values)


def count_most_features(content: kinds.Content) -> int:
    """How many features a column can become."""
    if content.kind == kinds.CATEGORY:
        return min(content.distinct + bool(content.missing), MOST_CATEGORIES)
    indicator = bool(content.missing)
    return (10 if content.kind == kinds.DATE else 1) + indicator


def _zero_one(name: str, source: str, constant: bool | np.bool_) -> Feature:
    return Feature(name, source, "yes instead of no", 0.0, 1.0, True, bool(constant))


def _name(values: NDArray[Any]) -> NDArray[Any]:
    gone = np.asarray(values == None, bool)  # noqa: E711
    return np.where(gone, MISSING, values)[:, None]


def _split_time(values: NDArray[np.datetime64]) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Days since 1970, the weekday by name (None where missing), and hours since midnight."""
    gone = np.isnat(values)
    days = values.astype("datetime64[D]")
    hours = (values - days) / np.timedelta64(1, "h")
    number = np.where(gone, np.nan, days.astype(np.int64).astype(np.float64))
    weekday = [
        None if lost else WEEKDAYS[day]
        for lost, day in zip(gone, (days.astype(np.int64) + 3) % 7, strict=True)
    ]
    return number, np.array(weekday, object), hours
