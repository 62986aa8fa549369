"""What the comparison of two compressed models is made of."""

from dataclasses import dataclass

import pandas as pd
from numpy.typing import NDArray

from pages.shared.models.results import CurveView
from pages.shared.models.text import describe_setting


@dataclass(frozen=True, eq=False)
class CurveRow:
    """One row of a curve: where a side's slider stands."""

    curve: CurveView
    row: int

    @property
    def line(self) -> pd.Series:
        return self.curve.table.iloc[self.row]

    @property
    def setting(self) -> str:
        """The row's knob in words."""
        return describe_setting(self.curve.knob, self.line["knob"], self.curve.method)

    @property
    def predictions(self) -> NDArray:
        return self.curve.predictions[self.row]

    @property
    def confusion(self) -> NDArray | None:
        return self.curve.confusion[self.row]


@dataclass(frozen=True, eq=False)
class AnswerDifference:
    """Where two models answer differently on the test part, and how sure the difference is.

    Attributes
    ----------
    change, change_low, change_high : float
        Second score minus first, with its 95 % interval, samples being paired.
    first_only, second_only : int
        Test samples that only one of them gets right; 0 for numbers.
    probability : float
        McNemar's exact two-sided p-value; NaN for numbers.
    recalls : DataFrame or None
        One row a class: class, samples, and share, low, high of "first" and of "second".
    differing : int
        Test samples on which their answers differ.
    samples : DataFrame
        The first of those, for numbers the largest differences: sample, true, first, second.
    inputs : DataFrame or ndarray
        Their features in their own units, or their images or signals.
    """

    change: float
    change_low: float
    change_high: float
    first_only: int
    second_only: int
    probability: float
    recalls: pd.DataFrame | None
    differing: int
    samples: pd.DataFrame
    inputs: pd.DataFrame | NDArray


@dataclass(frozen=True, eq=False)
class Pin:
    """A setting that stays on the page, to hold others against.

    Attributes
    ----------
    label : str
        "A", "B", ...
    choices : dict
        Widget's key -> its value.
    of : str
        Dataset, model and seed.
    rows : dict
        Side's title -> (setting in words, colour, the curve's row as a Series).
    curves : dict
        Side's title -> the curve's table; drawn as a ghost where it is not the current one.
    """

    label: str
    choices: dict[str, object]
    of: str
    rows: dict[str, tuple[str, str, pd.Series]]
    curves: dict[str, pd.DataFrame]
