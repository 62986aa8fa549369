"""A choice that the page offers, and the series of choices that one method gives."""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

from pages.shared.jobs import Job
from pages.shared.links import Link
from pages.shared.models.results import CurveView, TrainedReference
from pages.shared.plots.palette import Style


@dataclass(frozen=True)
class SeriesRow:
    """A row of a series.

    Attributes
    ----------
    text : str
        What tells it apart within the series: "rank 12".
    architecture : str
        Choices with the same one take the same time.
    link : Link
        Where it can be looked at.
    warning : str
        Which of its layers are starved; empty: none that is known.
    """

    text: str
    architecture: str
    link: Link
    warning: str = ""


@dataclass(frozen=True)
class Series(ABC):
    """The choices of one method, by the job of the page that shows them."""

    family: ClassVar[str]  # "low_rank", "constrained", "combined", "alternative" or "baseline"
    name: str
    title: str
    style: Style

    @property
    def short_title(self) -> str:
        """Without its formula, and without commas, at which a link would be cut."""
        return re.split(" (?=[|θ‖])", self.title)[0].replace(",", "")

    @abstractmethod
    def submit(self, trained: TrainedReference) -> Job[Any] | None:
        """The job of its curve; None: it cannot begin yet."""

    @abstractmethod
    def list_choices(self, curve: CurveView) -> list[SeriesRow]:
        """A choice for each row of its curve."""

    def model_file(
        self, trained: TrainedReference, curve: CurveView, row: int
    ) -> Callable[[], bytes] | None:
        """What makes the file of a row; None: it is not to be had."""
        return partial(curve.files.__getitem__, row) if curve.files else None
