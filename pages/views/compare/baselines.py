"""What people would do instead, or both sides in few bits: thin lines behind the two sides.

With a sentence: what the best of them gives at each side's file size.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import pandas as pd
import streamlit as st

from compression import BASELINES, MODELS
from pages.shared import links
from pages.shared.format import format_change, format_score, format_size
from pages.shared.jobs import Job
from pages.shared.models import requests
from pages.shared.models.results import CurveView, Trained
from pages.shared.models.text import format_epochs
from pages.shared.plots.palette import REFERENCE, Style, style
from pages.shared.ui import widgets
from pages.shared.ui.progress import show_status

from . import text
from .side import Sides


@dataclass(frozen=True, eq=False)
class Behind:
    """A curve behind the two sides: its titles, its look, its job, and a row's setting in words.

    ``as_long``: it is the reference, trained as long as the two sides, and no smaller.
    """

    title: str
    title_in_sentence: str
    style: Style
    job: Job[CurveView]
    setting: Callable[[Any], str]
    as_long: bool = False


def request_baselines(sides: Sides) -> Sequence[Behind]:
    """The chosen curves; by default of the baselines those that need no training."""
    trained = sides[0].trained
    chosen = widgets.segment(
        links.BASELINES, "Compare with", text.BASELINES, help=text.BASELINES_HELP
    )
    # What is trained on has to be better than what the same epochs make of the reference.
    as_long = [_reference_as_long(trained)] if sides[0].epochs else []
    if chosen == "none":
        return as_long
    if chosen == links.IN_FEW_BITS:
        asked = widgets.segment(links.BITS_BEHIND, "Bits", text.BITS, help=text.BITS_HELP)
        bits = None if asked == text.BEST_BITS else int(asked)
        return [*as_long, *_both_in_few_bits(sides, bits)]
    return as_long + [
        Behind(
            entry.title,
            entry.title.lower(),
            style("baseline", name),
            requests.baseline_curve(trained, name),
            partial(_name_baseline, name),
        )
        for name, entry in BASELINES.items()
        if (chosen == "all" or not entry.trains) and entry.fits(MODELS[trained.model])
    ]


def _reference_as_long(trained: Trained) -> Behind:
    title = f"Reference + {requests.EQUAL_EPOCHS} epochs"
    look = Style(REFERENCE, "diamond-open")
    return Behind(
        title, title, look, requests.fine_tuned_curve(trained), lambda line: "reference", True
    )


def _name_baseline(name: str, line: Any) -> str:
    return text.name_value(name, float(line["knob"]))


def _both_in_few_bits(sides: Sides, bits: int | None) -> Sequence[Behind]:
    """The method and the set of the two sides."""
    found = []
    for side, kind in zip(sides, ("low_rank", "constraint"), strict=True):
        title = f"{side.title} in few bits"
        knob = "rank" if kind == "low_rank" else side.label
        found.append(
            Behind(
                title,
                title,
                replace(style(kind, side.name), symbol="star", dash="dash"),
                requests.few_bits_curve(side.trained, kind, side.name, bits),
                partial(text.name_few_bits, knob),
            )
        )
    return found


def draw_status(baselines: Sequence[Behind]) -> None:
    for one in baselines:
        show_status(one.job, one.title)


def curves_of(baselines: Sequence[Behind]) -> list[tuple[Behind, CurveView]]:
    """What there is so far of each."""
    return [(one, curve) for one in baselines if (curve := one.job.so_far) is not None]


def say(one: Behind, curve: CurveView) -> pd.DataFrame:
    """Its table with a column ``said``: what each row is, and its epochs."""
    lines = curve.table.to_dict("records")
    return curve.table.assign(
        said=[one.setting(line) + format_epochs(line["epochs"]) for line in lines]
    )


def describe(sides: Sides, curves: Sequence[tuple[Behind, CurveView]]) -> None:
    """What the reference becomes in as many epochs; at each side's size the best row that fits."""
    task = sides[0].trained.task
    sentences = [
        text.describe_as_long(behind.table.iloc[0], task) for one, behind in curves if one.as_long
    ]
    curves = [(one, behind) for one, behind in curves if not one.as_long]
    for side in sides:
        if (curve := side.curve) is None or not curves:
            continue
        size = int(curve.table["bytes"].iloc[curve.row(side.value)])
        best: tuple[Behind, pd.Series] | None = None
        for one, behind in curves:
            rows = behind.table[behind.table["bytes"] <= size]
            if len(rows):
                line = rows.loc[rows["validation_score"].idxmax()]
                if best is None or line["validation_score"] > best[1]["validation_score"]:
                    best = one, line
        if best is None:
            sentences.append(f"No baseline shown is as small as {side.title}'s file.")
            continue
        one, line = best
        unit = " points" if task == "classification" else " of R²"
        sentences.append(
            f"At {side.title}'s file size ({format_size(size)}) "
            f"{one.title_in_sentence} ({one.setting(line)}) scores "
            f"{format_score(line['score'], task)} in {format_size(line['bytes'])}: "
            f"{format_change(line['change'], task)}{unit} against the reference"
            f"{format_epochs(line['epochs'])}."
        )
    if sentences:
        st.markdown(" ".join(sentences))
