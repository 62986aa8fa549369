"""The series of choices that the page can show: each with its title, its job and its links.

A method, set or combined method of the catalogue has a series without a line here.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from compression import (
    BASELINES,
    COMBINED_METHODS,
    CONSTRAINED_METHODS,
    CONSTRAINTS,
    LOW_RANK_METHODS,
    MODELS,
)
from compression.latency import REFERENCE, name_rank
from pages.shared import links
from pages.shared.jobs import Job, submit
from pages.shared.links import Link
from pages.shared.models import requests
from pages.shared.models.baselines import list_baselines, request_in_turn
from pages.shared.models.requests import DEFAULT_EPOCHS, EQUAL_EPOCHS, USUAL_WAY, Way
from pages.shared.models.results import CurveView, TrainedReference
from pages.shared.models.text import RELATIVE
from pages.shared.plots import palette
from pages.shared.plots.palette import Style, style

from . import tasks
from .choice import Series, SeriesRow
from .tasks import DENSE, EPOCHS

QUICK = (
    *("truncated_svd", "activation_aware_svd", "truncated_svd_tuned"),
    *("box", "rounding", "fine_tuned"),
)
"""Names of the series that are computed unasked, at once; every baseline follows."""
LAST = "activation_aware_svd_few_bits", "cardinality_few_bits"
"""Those that are computed unasked after all else: where the smallest files are won in the atlas."""
TUNED = ("truncated_svd", "activation_aware_svd", "column_groups")
PENALTIES = (0.1, 0.3)  # first and last μ, for networks
COARSE = 3  # every third bound in few bits: each is judged in every number of bits
BOX = "box"


@dataclass(frozen=True)
class LowRankSeries(Series):
    """Every rank of a method; with epochs some ranks, each trained on."""

    family = "low_rank"
    method: str
    epochs: int = 0

    def submit(self, trained: TrainedReference) -> Job[CurveView]:
        return requests.low_rank_curve(trained, self.method, epochs=self.epochs)

    def list_choices(self, curve: CurveView) -> list[SeriesRow]:
        on_matrices = LOW_RANK_METHODS[self.method].works_on_matrices
        return [
            SeriesRow(
                name_rank(k), name_rank(k) if on_matrices else f"{self.name}: {k}", self._link(k)
            )
            for k in map(int, curve.table["knob"])
        ]

    def _link(self, rank: int) -> Link:
        if not self.epochs:
            return links.to_compare(method=self.method, rank=rank)
        return links.to_low_rank(method=self.method, rank=rank, methods="tuned", epochs=self.epochs)

    def model_file(
        self, trained: TrainedReference, curve: CurveView, row: int
    ) -> Callable[[], bytes] | None:
        rank = int(curve.table["knob"].iloc[row])
        return partial(requests.low_rank_file, trained, self.method, rank, epochs=self.epochs)


class BudgetSeries(Series):
    """Ten budgets of bytes, shared among the layers by every rule."""

    family = "low_rank"

    def submit(self, trained: TrainedReference) -> Job[CurveView]:
        return requests.budget_curve(trained, "truncated_svd", "bytes")

    def list_choices(self, curve: CurveView) -> list[SeriesRow]:
        choices = []
        lines = (curve.table[name] for name in ("ranks", "knob", "warning"))
        for ranks, budget, warning in zip(*lines, strict=True):
            words = ", ".join(f"{layer} {rank or 'dense'}" for layer, rank in ranks.items())
            link = links.to_low_rank(
                method="truncated_svd", share=True, unit="bytes", budget=float(budget)
            )
            choices.append(SeriesRow(words, f"{self.name}: {words}", link, warning))
        return choices


@dataclass(frozen=True)
class BoundedSeries(Series):
    """Every bound of a set, met as the other pages meet it."""

    family = "constrained"
    constraint: str
    # False: each bound starts from the reference, with the epochs of all other rows.
    path: bool = False

    def submit(self, trained: TrainedReference) -> Job[Any] | None:
        way = None if self.path or trained.convex else requests.fresh_way(trained, EPOCHS)
        return requests.constrained_curve(trained, self.constraint, way)

    def list_choices(self, curve: CurveView) -> list[SeriesRow]:
        letter = "ρ" if curve.knob == RELATIVE else CONSTRAINTS[self.constraint].knob.split()[-1]
        return [
            SeriesRow(
                f"{letter} = {line['knob']:.3g}{self._describe_row(line)}",
                DENSE,
                self._link(curve, line),
            )
            for line in curve.table.to_dict("records")
        ]

    def _describe_row(self, line: dict) -> str:
        """What tells rows of one bound apart."""
        return ""

    def _choose_start(self) -> str | None:
        return None if self.path else links.FROM_REFERENCE

    def _link(self, curve: CurveView, line: dict) -> Link:
        bound = float(line["knob"])
        if self.path or curve.knob != RELATIVE:
            return links.to_compare(constraint=self.constraint, bound=bound)
        return links.to_constrained(
            constraint=self.constraint,
            bound=bound,
            way=USUAL_WAY,
            epochs=EPOCHS,
            starts=self._choose_start(),
        )


class WaySeries(BoundedSeries):
    """The bounds of the box, met in the way of the series' name."""

    def _choose_settings(self, convex: bool) -> tuple[int | None, tuple[float, float] | None]:
        """Epochs and penalties, where they mean something."""
        entry = CONSTRAINED_METHODS[self.name]
        penalties = PENALTIES if entry.has_penalties and not convex else None
        return EPOCHS if entry.trains else None, penalties

    def submit(self, trained: TrainedReference) -> Job[Any] | None:
        _, penalties = self._choose_settings(trained.convex)
        way = Way(self.name, EPOCHS, penalties, self.path)
        if trained.convex:  # as the page Constrained shows it beside the optimum
            way = requests.way_beside_optimum(self.name)
        return requests.constrained_curve(trained, self.constraint, way)

    def _link(self, curve: CurveView, line: dict) -> Link:
        bound = float(line["knob"])
        if curve.knob != RELATIVE:  # a convex model's page shows every way beside the optimum
            return links.to_constrained(constraint=self.constraint, bound=bound, ways="all")
        epochs, penalties = self._choose_settings(convex=False)
        first, last = penalties or (None, None)
        return links.to_constrained(
            constraint=self.constraint,
            bound=bound,
            way=self.name,
            epochs=epochs,
            starts=None if epochs is None else self._choose_start(),
            first_mu=first,
            last_mu=last,
        )


class QuantizedSeries(BoundedSeries):
    """Some bounds of the set, their free weights in a few bits."""

    def submit(self, trained: TrainedReference) -> Job[Any] | None:
        job = super().submit(trained)
        curve = None if job is None else job.result
        if curve is None:
            return None
        bounds, files = tuple(curve.table["knob"][::COARSE]), curve.files[::COARSE]
        return submit(tasks.quantize_bounds, trained.origin, curve.knob, bounds, files)

    def _describe_row(self, line: dict) -> str:
        return f", {line['bits']} bits"

    def _link(self, curve: CurveView, line: dict) -> Link:
        of_network = curve.knob == RELATIVE
        return links.to_constrained(
            constraint=self.constraint,
            bound=float(line["knob"]),
            way=USUAL_WAY if of_network else None,
            epochs=(DEFAULT_EPOCHS if self.path else EPOCHS) if of_network else None,
            starts=self._choose_start() if of_network else None,
            few_bits=True,
            bits=int(line["bits"]),
        )


class LowRankBitsSeries(LowRankSeries):
    """Some ranks of a method in the bits that pay at each file size."""

    def submit(self, trained: TrainedReference) -> Job[CurveView]:
        return requests.few_bits_curve(trained, "low_rank", self.method)

    def list_choices(self, curve: CurveView) -> list[SeriesRow]:
        return [
            SeriesRow(_add_bits(choice.text, bits), choice.architecture, choice.link)
            for choice, bits in zip(super().list_choices(curve), curve.table["bits"], strict=True)
        ]

    def _link(self, rank: int) -> Link:
        return links.to_compare(method=self.method, rank=rank, baselines=links.IN_FEW_BITS)

    def model_file(
        self, trained: TrainedReference, curve: CurveView, row: int
    ) -> Callable[[], bytes] | None:
        return Series.model_file(self, trained, curve, row)


class BoundedBitsSeries(BoundedSeries):
    """Some bounds of a set, their free weights in the bits that pay at each file size."""

    def submit(self, trained: TrainedReference) -> Job[CurveView]:
        return requests.few_bits_curve(trained, "constraint", self.constraint)

    def _describe_row(self, line: dict) -> str:
        return _add_bits("", line["bits"])

    def _link(self, curve: CurveView, line: dict) -> Link:
        bound = float(line["knob"])
        return links.to_compare(
            constraint=self.constraint, bound=bound, baselines=links.IN_FEW_BITS
        )


def _add_bits(text: str, bits: float) -> str:
    return f"{text}, {bits:g} bits"


@dataclass(frozen=True)
class CombinedSeries(Series):
    """Pairs of a rank and a bound, by a combined method."""

    family = "combined"
    method: str
    path: bool = False

    def submit(self, trained: TrainedReference) -> Job[CurveView]:
        constraint = COMBINED_METHODS[self.method].constraint or BOX
        return requests.combined_grid(trained, self.method, constraint, EPOCHS, self.path)

    def list_choices(self, curve: CurveView) -> list[SeriesRow]:
        return [
            self._build_row(int(rank), float(bound))
            for rank, bound in zip(curve.table["rank"], curve.table["bound"], strict=True)
        ]

    def _build_row(self, rank: int, bound: float) -> SeriesRow:
        entry = COMBINED_METHODS[self.method]
        link = links.to_combine(
            method=self.method,
            constraint=None if entry.constraint else BOX,
            epochs=EPOCHS,
            rank=rank,
            bound=bound,
            course=links.AS_PATH if self.path else None,
        )
        if entry.bound_on == "sparse part":
            text = f"rank {rank} + {100 * bound:g} % sparse"
            return SeriesRow(text, f"{self.method}: {rank}", link)
        return SeriesRow(f"rank {rank}, ρ = {bound:g}", name_rank(rank), link)


class CombinedBitsSeries(CombinedSeries):
    """Some pairs in the bits that pay at each file size; the page shows them in 32 bits."""

    def submit(self, trained: TrainedReference) -> Job[CurveView]:
        return requests.few_bits_curve(trained, "combined", self.method)

    def list_choices(self, curve: CurveView) -> list[SeriesRow]:
        return [
            replace(choice, text=_add_bits(choice.text, bits))
            for choice, bits in zip(super().list_choices(curve), curve.table["bits"], strict=True)
        ]


class BaselineSeries(Series):
    """What people would do instead, by the baseline of the series' name."""

    family = "alternative"

    def submit(self, trained: TrainedReference) -> Job[CurveView]:
        return requests.baseline_curve(trained, self.name)

    def list_choices(self, curve: CurveView) -> list[SeriesRow]:
        link = links.to_compare(
            baselines=links.ALL if BASELINES[self.name].trains else links.ROUNDING
        )
        # A narrower network has a latency of its own; rounded or pruned ones run like the dense
        # one.
        unit = BASELINES[self.name].knob
        texts = [
            f"{knob:g} bits" if unit == "bits" else f"{unit} {100 * knob:.3g} %"
            for knob in curve.table["knob"]
        ]
        dense = curve.table["macs"].nunique() == 1
        return [SeriesRow(text, DENSE if dense else f"{self.name}: {text}", link) for text in texts]


class FineTunedSeries(Series):
    """The reference trained on without a bound: what the same epochs alone give."""

    family = "baseline"

    def submit(self, trained: TrainedReference) -> Job[CurveView]:
        return requests.fine_tuned_curve(trained, EQUAL_EPOCHS if trained.convex else EPOCHS)

    def list_choices(self, curve: CurveView) -> list[SeriesRow]:
        of_network = curve.knob == RELATIVE
        link = links.to_constrained(
            constraint=BOX,
            bound=float(curve.table["knob"].iloc[0]),
            way=USUAL_WAY if of_network else None,
            epochs=EPOCHS if of_network else None,
        )
        return [SeriesRow("trained on", REFERENCE, link)]


def _list_in_few_bits(
    kind: Callable[[str, str, Style, str], Series], whole: Sequence[Series]
) -> list[Series]:
    """Each of these series in few bits, drawn with an open symbol."""
    return [
        kind(
            f"{one.name}_few_bits",
            f"{one.short_title} in few bits",
            replace(one.style, symbol=f"{one.style.symbol}-open"),
            one.name,
        )
        for one in whole
    ]


def list_series(path: bool = False) -> list[Series]:
    """Every series, in the order of the menu; ``path``: bounds are met as one."""
    looks = {name: style("low_rank", name) for name in LOW_RANK_METHODS}
    box = style("constraint", BOX)
    low_rank = [
        LowRankSeries(name, entry.title, looks[name], name)
        for name, entry in LOW_RANK_METHODS.items()
    ]
    bounded = [
        BoundedSeries(name, entry.title, style("constraint", name), name, path)
        for name, entry in CONSTRAINTS.items()
    ]
    combined = [
        CombinedSeries(name, entry.title.replace(",", ""), style("combined", name), name, path)
        for name, entry in COMBINED_METHODS.items()
    ]
    series: list[Series] = [*low_rank]
    for name in TUNED:
        title = f"{LOW_RANK_METHODS[name].title} + {EPOCHS} epochs"
        look = replace(looks[name], symbol="diamond")
        series.append(LowRankSeries(f"{name}_tuned", title, look, name, EPOCHS))
    pentagon = replace(looks["truncated_svd"], symbol="pentagon")
    series.append(BudgetSeries("budgets", "Bytes shared among layers", pentagon))
    series += bounded
    for name, entry in CONSTRAINED_METHODS.items():
        if entry.is_baseline or name == USUAL_WAY:  # the sets' own series have the usual way
            continue
        title = f"Box by {entry.title.lower()}"
        look = replace(box, symbol=style("way", name).symbol)
        series.append(WaySeries(name, title, look, BOX, path))
    pentagon = replace(box, symbol="pentagon")
    series.append(QuantizedSeries("quantized", "Box in fewer bits", pentagon, BOX, path))
    series += _list_in_few_bits(LowRankBitsSeries, low_rank)
    series += _list_in_few_bits(BoundedBitsSeries, bounded)
    series += combined
    series += _list_in_few_bits(CombinedBitsSeries, combined)
    series += [
        BaselineSeries(name, entry.title, style("baseline", name))
        for name, entry in BASELINES.items()
    ]
    look = Style(palette.REFERENCE, "diamond-open")
    return [*series, FineTunedSeries("fine_tuned", f"Reference + {EPOCHS} epochs", look)]


def list_possible_series(trained: TrainedReference, path: bool = False) -> list[Series]:
    """Every series that the model's layers allow."""
    kinds = {layer.kind for layer in trained.layers}
    return [
        series
        for series in list_series(path)
        if not (
            isinstance(series, LowRankSeries)
            and not kinds.intersection(LOW_RANK_METHODS[series.method].layers)
        )
        # A linear model has no width, so there is no smaller one of its kind.
        and not (
            isinstance(series, BaselineSeries)
            and not BASELINES[series.name].fits(MODELS[trained.model])
        )
    ]


def is_unasked(series: Series) -> bool:
    """Whether it is computed without being asked for."""
    return series.name in (*QUICK, *LAST) or isinstance(series, BaselineSeries)


def submit_series(
    trained: TrainedReference, names: Iterable[str], path: bool = False
) -> dict[Series, Job[Any]]:
    """The quick series and the named ones, each with its job, if it can begin; then all unasked.

    A baseline that is trained begins when all others are over, then one of ``LAST`` at a time.
    """
    possible = {series.name: series for series in list_possible_series(trained, path)}
    wanted = [n for n, one in possible.items() if n in names and not is_unasked(one)]
    submitted = {possible[name]: possible[name].submit(trained) for name in [*QUICK, *wanted]}
    jobs = {series: job for series, job in submitted.items() if job is not None}
    baselines = request_in_turn(trained, jobs.values())
    jobs |= {possible[name]: job for name, job in baselines.items()}
    for series in (possible[name] for name in LAST if name in possible):
        if len(baselines) < len(list_baselines(trained)) or is_any_pending(jobs):
            break
        if (job := series.submit(trained)) is not None:
            jobs[series] = job
    return jobs


def is_any_pending(jobs: Mapping[Series, Job[Any]]) -> bool:
    return any(job.pending for job in jobs.values())


def is_series_due(trained: TrainedReference, jobs: Mapping[Series, Job[Any]]) -> bool:
    """Whether the turn of an unasked series came after the series were asked for."""
    known = {series.name for series in jobs}
    missing = [
        one for one in list_possible_series(trained) if is_unasked(one) and one.name not in known
    ]
    return bool(missing) and not is_any_pending(jobs)
