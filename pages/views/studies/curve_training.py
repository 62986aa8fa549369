"""Whether the chosen curves are trained on after they are compressed, and rounded to few bits too."""

from collections.abc import Sequence
from dataclasses import replace

from compression import BASELINES
from compression.entries import BaselineEntry
from compression.studies.specification import Curves
from pages.shared import links
from pages.shared.ui import widgets

from . import text

WHOLE = 32  # bits of a number as it is


def choose_epochs() -> int | None:
    """Of every curve's rows after compression; None: as each method has them."""
    chosen = widgets.choose_segment(
        links.STUDY_CURVE_EPOCHS,
        "Epochs after compression",
        text.CURVE_EPOCHS,
        help=text.CURVE_EPOCHS_HELP,
    )
    return None if chosen == text.OWN_EPOCHS else int(chosen)


def train_on(curves: Curves, epochs: int | None) -> Curves:
    """The curve with as many epochs for each of its rows, where its method trains on.

    A smaller network is trained from scratch: so few epochs would be all that it has.
    """
    if epochs is None:
        return curves
    if curves.family == "baseline":
        entry = _baseline_of(curves)
        if entry.narrows or not entry.trains:
            return curves
    # Start each row from the reference: one that starts from the row before has that row's epochs
    # too.
    alone = {"warm_start": False} if curves.family in ("constrained", "combined") else {}
    return replace(curves, settings={**curves.settings, "epochs": epochs, **alone})


def round_too(curves: Curves, bits: Sequence[int]) -> Curves:
    """The curve as it is, and each of its rows in these bits; what is rounded anyway stays."""
    if not bits or (curves.family == "baseline" and _baseline_of(curves).knob == "bits"):
        return curves
    name = f"{curves.label}, few bits"
    return replace(curves, bits=(WHOLE, *sorted(bits, reverse=True)), name=name)


def _baseline_of(curves: Curves) -> BaselineEntry:
    return BASELINES[curves.settings["method"]]
