"""What people would do instead, and both sides in few bits: thin lines behind the two sides.

With a sentence: what the best of them gives at each side's file size. Baselines that are trained
come after everything else that the page draws.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Any

import pandas as pd
import streamlit as st

from compression import BASELINES
from pages.shared import links
from pages.shared.format import format_change, format_score, format_size
from pages.shared.glossary import explain
from pages.shared.jobs import Job
from pages.shared.models import requests
from pages.shared.models.baselines import (
    find_best,
    is_next_due,
    list_baselines,
    request_in_turn,
)
from pages.shared.models.results import CurveView, TrainedReference
from pages.shared.models.text import describe_as_long, describe_baseline, format_epochs
from pages.shared.plots.baselines import ThinCurve
from pages.shared.plots.palette import REFERENCE, Style, style
from pages.shared.ui import widgets
from pages.shared.ui.progress import show_status

from . import text
from .side import Sides


@dataclass(frozen=True, eq=False)
class BackgroundCurve:
    """A curve behind the two sides: its titles, its look, its job, and a row in words.

    ``baseline``: its name, where it is one. ``as_long``: it is the reference, trained as long as
    the two sides, and no smaller.
    """

    title: str
    title_in_sentence: str
    style: Style
    job: Job[CurveView]
    describe: Callable[[Any], str]
    baseline: str | None = None
    as_long: bool = False


def request_curves(sides: Sides) -> Sequence[BackgroundCurve]:
    """The chosen curves, by default all baselines: those whose turn it is.

    Both sides in few bits come beside the baselines, which they are compared with.
    """
    trained = sides[0].trained
    chosen = widgets.choose_segment(
        links.BASELINES,
        "Compare with",
        text.BASELINES,
        help=f"{text.BASELINES_HELP}\n\n{explain('baseline')}",
    )
    # Fine-tuned sides have to beat the reference after the same number of further epochs.
    as_long = [_request_longer_reference(trained)] if sides[0].epochs else []
    if chosen == "none":
        return as_long
    few_bits: Sequence[BackgroundCurve] = ()
    if chosen == links.IN_FEW_BITS:
        bits = widgets.choose_segment(links.BITS_BEHIND, "Bits", text.BITS, help=text.BITS_HELP)
        few_bits = _list_in_few_bits(sides, None if bits == text.BEST_BITS else int(bits))
    if chosen == links.ROUNDING:
        untrained = [name for name in list_baselines(trained) if not BASELINES[name].trains]
        jobs = {name: requests.baseline_curve(trained, name) for name in untrained}
    else:
        jobs = request_in_turn(trained, _list_ahead(sides, as_long))
    baselines = [
        BackgroundCurve(
            BASELINES[name].title,
            BASELINES[name].title.lower(),
            style("baseline", name),
            job,
            partial(describe_baseline, name),
            baseline=name,
        )
        for name, job in jobs.items()
    ]
    return [*as_long, *few_bits, *baselines]


def look_again(sides: Sides, behind: Sequence[BackgroundCurve]) -> None:
    """Run the app once more where a baseline's turn came while the page was drawn."""
    if st.session_state[links.BASELINES] not in (links.ALL, links.IN_FEW_BITS):
        return
    jobs = {one.baseline: one.job for one in behind if one.baseline is not None}
    ahead = _list_ahead(sides, [one for one in behind if one.as_long])
    if is_next_due(sides[0].trained, jobs, ahead):
        st.rerun()


def _list_ahead(sides: Sides, as_long: Sequence[BackgroundCurve]) -> list[Job]:
    """What the page draws before baselines are trained."""
    return [*(side.job for side in sides), *(one.job for one in as_long)]


def _request_longer_reference(trained: TrainedReference) -> BackgroundCurve:
    title = f"Reference + {requests.EQUAL_EPOCHS} epochs"
    look = Style(REFERENCE, "diamond-open")
    return BackgroundCurve(
        title,
        title,
        look,
        requests.fine_tuned_curve(trained),
        lambda line: f"reference{format_epochs(line['epochs'])}",
        as_long=True,
    )


def _list_in_few_bits(sides: Sides, bits: int | None) -> Sequence[BackgroundCurve]:
    """The method and the set of the two sides."""
    curves = []
    for side, kind in zip(sides, ("low_rank", "constraint"), strict=True):
        title = f"{side.title} in few bits"
        knob = "rank" if kind == "low_rank" else side.label
        curves.append(
            BackgroundCurve(
                title,
                title,
                replace(style(kind, side.name), symbol="star", dash="dash"),
                requests.few_bits_curve(side.trained, kind, side.name, bits),
                partial(text.name_few_bits, knob),
            )
        )
    return curves


def draw_status(baselines: Sequence[BackgroundCurve]) -> None:
    for one in baselines:
        show_status(one.job, one.title)


def curves_of(baselines: Sequence[BackgroundCurve]) -> list[tuple[BackgroundCurve, CurveView]]:
    """Each curve's rows so far."""
    return [(one, curve) for one in baselines if (curve := one.job.so_far) is not None]


def list_thin(curves: Sequence[tuple[BackgroundCurve, CurveView]]) -> list[ThinCurve]:
    """All curves as planes draw them."""
    return [(one.title, one.style, say(one, curve)) for one, curve in curves]


def say(one: BackgroundCurve, curve: CurveView) -> pd.DataFrame:
    """Its table with a column ``said``: what each row is, and its epochs."""
    if one.baseline is not None:
        return _say_baseline(one.baseline, curve)
    return _add_words(curve.table, one.describe)


@lru_cache(maxsize=64)  # a moved slider does not change these texts
def _say_baseline(name: str, curve: CurveView) -> pd.DataFrame:
    return _add_words(curve.table, partial(describe_baseline, name))


def _add_words(table: pd.DataFrame, describe: Callable[[Any], str]) -> pd.DataFrame:
    return table.assign(said=[describe(line) for line in table.to_dict("records")])


def find_best_at_sides(
    sides: Sides, curves: Sequence[tuple[BackgroundCurve, CurveView]]
) -> dict[str, tuple[BackgroundCurve, pd.Series] | None]:
    """Side's title -> the best row behind it at its file size; None: nothing is that small.

    Empty where nothing stands behind the sides.
    """
    tables = {one: curve.table for one, curve in curves if not one.as_long}
    rows = {side.title: side.current for side in sides if tables}
    return {
        title: find_best(tables, float(current.line["bytes"]))
        for title, current in rows.items()
        if current is not None
    }


def describe(sides: Sides, curves: Sequence[tuple[BackgroundCurve, CurveView]]) -> None:
    """The epochs of all; what as many make of the reference; at each side's size the best row."""
    trained = sides[0].trained
    sentences = [_describe_epochs(sides, curves)]
    sentences += [
        describe_as_long(behind.table.iloc[0], trained.task)
        for one, behind in curves
        if one.as_long
    ]
    best = find_best_at_sides(sides, [pair for pair in curves if pair[0].baseline is not None])
    few_bits = [pair for pair in curves if pair[0].baseline is None and not pair[0].as_long]
    best_in_few_bits = find_best_at_sides(sides, few_bits)
    for side in sides:
        if side.title in best and (current := side.current) is not None:
            sentences.append(
                _describe_best(
                    side.title,
                    current.line["bytes"],
                    best[side.title],
                    best_in_few_bits.get(side.title),
                    trained.task,
                )
            )
    st.markdown(" ".join(sentences))


def _describe_best(
    side: str,
    size: float,
    best: tuple[BackgroundCurve, pd.Series] | None,
    in_few_bits: tuple[BackgroundCurve, pd.Series] | None,
    task: str,
) -> str:
    """The best baseline at a side's file size, and the better of the two sides in few bits."""
    if best is None:
        said = f"No baseline shown is as small as {side}'s file ({format_size(size)})"
    else:
        said = (
            f"At {side}'s file size ({format_size(size)}) {_describe_row(*best, task)} against the "
            "reference"
        )
    return said + (f"; {_describe_row(*in_few_bits, task)}." if in_few_bits else ".")


def _describe_row(one: BackgroundCurve, line: pd.Series, task: str) -> str:
    unit = "points" if task == "classification" else "of R²"
    return (
        f"{one.title_in_sentence} ({one.describe(line)}) scores "
        f"{format_score(line['score'], task)} in {format_size(line['bytes'])}: "
        f"{format_change(line['change'], task)} {unit}"
    )


def _describe_epochs(sides: Sides, curves: Sequence[tuple[BackgroundCurve, CurveView]]) -> str:
    """The epochs of the two rows that are shown, and of what stands behind them."""
    trained = sides[0].trained
    epochs = {}
    for side, what in zip(sides, text.ROWS, strict=True):
        if (current := side.current) is not None:
            epochs[what] = {int(current.line["epochs"])}
    from_scratch: set[int] = set()
    for one, curve in curves:
        entry = None if one.baseline is None else BASELINES[one.baseline]
        counts = set(curve.table["epochs"].astype(int))
        if entry is None:
            epochs[one.title] = counts
        elif entry.narrows:
            from_scratch |= counts
        elif entry.trains:
            epochs["baselines"] = epochs.get("baselines", set()) | counts
    return text.compare_epochs(epochs, from_scratch, len(trained.history), trained.convex)
