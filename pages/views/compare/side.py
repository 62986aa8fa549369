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

from compression import CONSTRAINTS, LOW_RANK_METHODS, MODELS
from compression.entries import LowRankEntry
from pages.shared import links
from pages.shared.format import parse_number
from pages.shared.glossary import explain
from pages.shared.jobs import Job
from pages.shared.models import controls, requests
from pages.shared.models import text as words
from pages.shared.models.results import CurveView, Layer, LowRankSetting, TrainedReference
from pages.shared.plots import standard
from pages.shared.plots.palette import CONSTRAINED, LOW_RANK
from pages.shared.ui import blocks, charts, knobs, widgets
from pages.shared.ui.progress import flush, follow, show_status

from . import text, undo
from .results import CurveRow

_ASKED = "_asked_ranks"  # requested by a link, or by a click between two steps
ALL_UP_TO, RATIO = 32, 1.05  # every rank up to here is a step; ratio of the steps above


def list_slider_ranks(end: int) -> list[int]:
    """Ranks up to ``end``: all of the small ones, then spaced by ratio."""
    steps, rank = list(range(1, min(ALL_UP_TO, end) + 1)), float(ALL_UP_TO)
    while (rank := max(rank * RATIO, rank + 1)) < end:
        steps.append(round(rank))
    return [*steps, end] if end > ALL_UP_TO else steps


@dataclass(frozen=True, eq=False)
class Side:
    """One side: ``key`` is its fragment's, ``knob`` its slider's, ``label`` names the slider.

    ``name``: the low-rank method's, or the set's.
    """

    key: ClassVar[str]
    knob: ClassVar[str]
    title: ClassVar[str]
    waiting: ClassVar[str]
    colour: ClassVar[str]
    terms: ClassVar[tuple[str, ...]]

    trained: TrainedReference
    layer: Layer
    job: Job[Any]
    values: Sequence[float]
    label: str
    name: str

    @property
    def curve(self) -> CurveView | None:
        """The curve, or what there is of it."""
        return self.job.so_far

    @property
    def value(self) -> float:
        """Where the slider stands; once it was drawn."""
        return knobs.read_number(self.knob)

    @property
    def current(self) -> CurveRow | None:
        """The row where the slider stands, of what there is of the curve."""
        curve = self.curve
        return None if curve is None else CurveRow(curve, curve.row(self.value))

    @property
    def method_title(self) -> str:
        """Title of the low-rank method, or of the set."""
        raise NotImplementedError

    @property
    def can_compress(self) -> bool:
        """Whether any of its values makes the model smaller; if not, a notice stands here."""
        return True

    def draw_notice(self) -> None:
        raise NotImplementedError

    def steps(self, curve: CurveView) -> Sequence[float]:
        """The values that the slider has."""
        return curve.table["knob"].tolist()

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
        if not self.can_compress:
            self.draw_notice()
            return
        result, values = self.job.result, self.values
        chosen = knobs.draw(
            self.knob,
            self.label,
            values if result is None else self.steps(result),
            values[len(values) // 2] if result is None else result.suggestion,
            settled=result is not None,
            then=then,
            help=f"{words.SUGGESTED}\n\n{explain(*self.terms)}",
        )
        show_status(self.job, self.waiting)
        if (curve := self.curve) is None:
            return
        row = blocks.draw_metrics_at(self.trained, curve, chosen, spread=False)
        flush()
        shown = CurveRow(curve, row)
        network = f"{self.title}, {shown.setting}"
        chart = self.spectrum(curve, row)
        if chart is None:
            st.info("The method leaves this layer as it is: choose another.")
        else:
            alt = f"{chart.layout.title.text}: {network}"
            charts.draw(chart, f"{self.key}_spectrum", alt)
        blocks.draw_predictions(
            self.trained,
            curve.predictions[row],
            curve.confusion[row],
            self.colour,
            f"{self.key}_predictions",
            network,
        )
        st.caption(self.caption(curve, row))
        if (content := self.file(curve, row)) is not None:
            value = shown.line["knob"]
            name = words.model_file_name(self.trained, self.title, self.knob, value)
            blocks.offer_model(content, name, f"{self.key}_file")


@dataclass(frozen=True, eq=False)
class LowRankSide(Side):
    """``setting``: the method, and the layers that it compresses; ``epochs``: behind each rank."""

    setting: LowRankSetting
    epochs: int = 0

    key, knob, title = "low_rank", links.RANK, "LMM"
    waiting, colour = "Judging every rank", LOW_RANK
    terms = ("rank k", "singular values", "energy", "break-even rank k*", "validation part")

    @property
    def method_title(self) -> str:
        return self.entry.title

    @property
    def entry(self) -> LowRankEntry:
        return LOW_RANK_METHODS[self.setting.method]

    @property
    def break_even(self) -> int:
        """The largest k* of the layers that are compressed."""
        return max(
            part.break_even for part in self.trained.layers if part.name in self.setting.layers
        )

    @property
    def can_compress(self) -> bool:
        return self.break_even > 0 or not self.entry.works_on_matrices

    def draw_notice(self) -> None:
        knobs.note_place(self.knob, 1)
        st.info(text.describe_nothing_to_compress(self.trained), icon=":material/info:")
        choices = {
            links.DATASET: self.trained.dataset,
            links.MODEL: controls.MODEL,
            links.SEED: self.trained.seed,
        }
        title = MODELS[controls.MODEL].title
        st.button(f"Load {title}", key="load_larger", on_click=undo.load, args=(choices,))

    def steps(self, curve: CurveView) -> Sequence[float]:
        """Ranks up to the largest k*, dense where small; and any that was asked for."""
        ranks = curve.table["knob"].tolist()
        if self.epochs or not self.entry.works_on_matrices:  # k* is not defined for kernels
            return ranks
        wanted_ranks: set[float] = st.session_state.setdefault(_ASKED, set())
        if (wanted := parse_number(widgets.read_request(self.knob) or "")) is not None:
            wanted_ranks.add(wanted)
        steps = {*list_slider_ranks(self.break_even), curve.suggestion, *wanted_ranks}.intersection(
            ranks
        )
        return sorted(steps) if len(steps) > 1 else ranks

    def caption(self, curve: CurveView, row: int) -> str:
        return words.rank_caption(self.trained, curve, row)

    def spectrum(self, curve: CurveView, row: int) -> go.Figure | None:
        values, name = curve.spectra.get(self.layer.name), self.layer.name
        if values is None:
            return None
        rank = int(curve.table["knob"].iloc[row])
        # A matrix's k* and energies are not defined for kernels.
        if not LOW_RANK_METHODS[curve.method].works_on_matrices:
            return standard.spectrum(values, rank, {}, name)
        if rank > self.layer.break_even:
            rank = len(values)  # the layer stays dense and keeps all values
        layer_marks = curve.marks[name]
        marks = {
            label: layer_marks[mark] for mark, label in words.MARKS.items() if mark in layer_marks
        }
        return standard.spectrum(values, rank, marks, name)

    def file(self, curve: CurveView, row: int) -> Callable[[], bytes]:
        rank = int(curve.table["knob"].iloc[row])
        return partial(requests.low_rank_file, self.trained, self.setting, rank, self.epochs)


class ConstrainedSide(Side):
    key, knob, title = "constrained", links.BOUND, "COC"
    waiting, colour = "Judging every bound", CONSTRAINED
    terms = ("bound c", "relative bound ρ", "pinned", "validation part")

    @property
    def method_title(self) -> str:
        return "" if self.curve is None else CONSTRAINTS[self.curve.method].title

    def caption(self, curve: CurveView, row: int) -> str:
        way = requests.default_way(self.trained).name
        return words.bound_caption(self.trained, curve, row, way)

    def spectrum(self, curve: CurveView, row: int) -> go.Figure:
        name = self.layer.name
        return standard.constrained_spectrum(
            self.trained.spectra[name], curve.spectra[name][row], name
        )

    def file(self, curve: CurveView, row: int) -> Callable[[], bytes] | None:
        return partial(curve.files.__getitem__, row) if curve.files else None


Sides = tuple[LowRankSide, ConstrainedSide]


def choose_epochs(trained: TrainedReference) -> int:
    """Epochs that each rank and bound has from the reference; 0: as a path.

    A convex model is solved, not trained on: there is nothing to choose.
    """
    if trained.convex:
        return 0
    chosen = widgets.choose_segment(links.SIDES, "Epochs", text.COURSES, help=text.COURSES_HELP)
    return requests.EQUAL_EPOCHS if chosen == links.EQUAL else 0


def request_sides(
    trained: TrainedReference,
    layer: Layer,
    setting: LowRankSetting,
    constraint: str,
    epochs: int = 0,
) -> Sides:
    """Both sides, their curves asked for; ``epochs`` as ``choose_epochs`` gives them."""
    bound = words.bound_title(words.knob_of(trained), constraint)
    largest = max(min(part.shape) for part in trained.layers if part.name in setting.layers)
    low_rank = requests.low_rank_curve(trained, setting, epochs)
    way = requests.fresh_way(trained, epochs) if epochs else None
    constrained = requests.constrained_curve(trained, constraint, way)
    ranks = range(1, largest + 1)
    return (
        LowRankSide(trained, layer, low_rank, ranks, "Rank k", setting.method, setting, epochs),
        ConstrainedSide(trained, layer, constrained, trained.bounds[constraint], bound, constraint),
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
    for column, (heading, sentence) in zip(columns, text.HEADINGS, strict=True):
        column.header(heading, anchor=False)
        column.markdown(sentence)
    return columns
