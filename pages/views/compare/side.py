"""The two sides of a comparison: a slider, the row that it picks, and what that row is.

Each is a fragment: moving k draws the LMM side, the plane and the conclusion again, never COC's.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import plotly.graph_objects as go
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from compression import CONSTRAINTS, LOW_RANK_METHODS
from pages.shared import links
from pages.shared.jobs import Job
from pages.shared.models import requests
from pages.shared.models import text as words
from pages.shared.models.results import CurveView, Layer, Trained
from pages.shared.plots import standard
from pages.shared.plots.palette import CONSTRAINED, LOW_RANK
from pages.shared.ui import blocks, charts, widgets
from pages.shared.ui.progress import flush, follow, show_status

from . import text
from .results import CurveRow


@dataclass(frozen=True, eq=False)
class Side:
    """One side: ``key`` is its fragment's, ``knob`` its slider's, ``label`` names the slider."""

    key: ClassVar[str]
    knob: ClassVar[str]
    title: ClassVar[str]
    waiting: ClassVar[str]
    colour: ClassVar[str]

    trained: Trained
    layer: Layer
    job: Job[Any]
    values: Sequence[float]
    label: str

    @property
    def curve(self) -> CurveView | None:
        """The curve, or what there is of it."""
        return self.job.so_far

    @property
    def value(self) -> float:
        """Where the slider stands; once it was drawn."""
        return widgets.number(self.knob)

    @property
    def current(self) -> CurveRow | None:
        """The row where the slider stands, of what there is of the curve."""
        curve = self.curve
        return None if curve is None else CurveRow(curve, curve.row(self.value))

    @property
    def method_title(self) -> str:
        """Of the low-rank method, or of the set."""
        raise NotImplementedError

    def caption(self, curve: CurveView, row: int) -> str:
        raise NotImplementedError

    def spectrum(self, curve: CurveView, row: int) -> go.Figure | None:
        """The layer's singular values; None where the method leaves the layer as it is."""
        raise NotImplementedError

    def file(self, curve: CurveView, row: int) -> Callable[[], bytes] | None:
        raise NotImplementedError

    def draw(self, then: Callable[[float], None]) -> None:
        """Draw the side; ``then`` is called with the slider's new value."""
        follow(partial(self._draw, then), self.job, key=self.key)

    def _draw(self, then: Callable[[float], None]) -> None:
        result, values = self.job.result, self.values
        chosen = widgets.knob(
            self.knob,
            self.label,
            values if result is None else result.table["knob"],
            values[len(values) // 2] if result is None else result.suggestion,
            settled=result is not None,
            then=then,
            help=words.SUGGESTED,
        )
        show_status(self.job, self.waiting)
        if (curve := self.curve) is None:
            return
        row = curve.row(chosen)
        blocks.metrics(self.trained, curve.table.iloc[row], spread=False)
        flush()
        chart = self.spectrum(curve, row)
        if chart is None:
            st.info("The method leaves this layer as it is: choose another.")
        else:
            alt = f"{chart.layout.title.text}, {self.label} = {chosen:g}"
            charts.draw(chart, f"{self.key}_spectrum", alt)
        blocks.predictions(
            self.trained,
            curve.predictions[row],
            curve.confusion[row],
            self.colour,
            f"{self.key}_predictions",
        )
        st.caption(words.missing_value(curve, row, chosen) + self.caption(curve, row))
        if (content := self.file(curve, row)) is not None:
            name = words.model_file_name(self.trained, self.title, self.knob, chosen)
            blocks.model_download(content, name, f"{self.key}_file")


class LowRank(Side):
    key, knob, title = "low_rank", links.RANK, "LMM"
    waiting, colour = "Judging every rank", LOW_RANK

    @property
    def method_title(self) -> str:
        return "" if self.curve is None else LOW_RANK_METHODS[self.curve.method].title

    def caption(self, curve: CurveView, row: int) -> str:
        return words.rank_caption(self.trained, curve, row)

    def spectrum(self, curve: CurveView, row: int) -> go.Figure | None:
        values, name = curve.spectra.get(self.layer.name), self.layer.name
        title = self.layer.title
        if values is None:
            return None
        rank = int(curve.table["knob"].iloc[row])
        # k* and energies of a matrix do not speak of a kernel.
        if not LOW_RANK_METHODS[curve.method].works_on_matrices:
            return standard.spectrum(values, rank, {}, title)
        if rank > self.layer.break_even:
            rank = len(values)  # the layer stays dense: nothing is left out
        found = curve.marks[name]
        marks = {label: found[mark] for mark, label in words.MARKS.items() if mark in found}
        return standard.spectrum(values, rank, marks, title)

    def file(self, curve: CurveView, row: int) -> Callable[[], bytes]:
        rank = int(curve.table["knob"].iloc[row])
        return partial(requests.low_rank_file, self.trained, curve.method, rank)


class Constrained(Side):
    key, knob, title = "constrained", links.BOUND, "COC"
    waiting, colour = "Judging every bound", CONSTRAINED

    @property
    def method_title(self) -> str:
        return "" if self.curve is None else CONSTRAINTS[self.curve.method].title

    def caption(self, curve: CurveView, row: int) -> str:
        return words.bound_caption(self.trained, curve, row)

    def spectrum(self, curve: CurveView, row: int) -> go.Figure:
        name = self.layer.name
        return standard.constrained_spectrum(
            self.trained.spectra[name], curve.spectra[name][row], self.layer.title
        )

    def file(self, curve: CurveView, row: int) -> Callable[[], bytes] | None:
        return partial(curve.files.__getitem__, row) if curve.files else None


Sides = tuple[LowRank, Constrained]


def request_sides(trained: Trained, layer: Layer, method: str, constraint: str) -> Sides:
    """Both sides, their curves asked for."""
    bound = words.bound_title(words.knob_of(trained), constraint)
    ranks = range(1, trained.largest_rank + 1)
    low_rank = requests.low_rank_curve(trained, method)
    constrained = requests.constrained_curve(trained, constraint)
    return (
        LowRank(trained, layer, low_rank, ranks, "Rank k"),
        Constrained(trained, layer, constrained, trained.bounds[constraint], bound),
    )


def current_rows(sides: Sides, *, complete: bool = True) -> tuple[CurveRow, CurveRow] | None:
    """Where the sliders stand; None until there are both curves, or, not ``complete``, some rows."""
    low_rank, constrained = (side.current for side in sides)
    if complete and any(side.job.result is None for side in sides):
        return None
    return None if low_rank is None or constrained is None else (low_rank, constrained)


def draw_columns() -> Sequence[DeltaGenerator]:
    """A column a side, each with its heading: readable before anything is computed."""
    columns = st.columns(2, gap="small", border=True)
    for column, (heading, formula) in zip(columns, text.HEADINGS, strict=True):
        column.markdown(heading)
        column.markdown(formula)
    return columns
