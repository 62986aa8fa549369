"""Numbers as a person reads them: units, baselines and intervals in one place."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from compression import LOW_RANK_METHODS
from compression.catalog import Entry
from pages.shared.models.results import CurveView, Trained


def score(value: float, task: str) -> str:
    return f"{100 * value:.1f} %" if task == "classification" else f"{value:.3f}"


def score_range(low: float, high: float, task: str) -> str:
    if task == "classification":
        return f"{100 * low:.1f}–{100 * high:.1f} %"
    return f"{low:.3f} to {high:.3f}"


def change(value: float, task: str) -> str:
    """A difference of scores, in points of accuracy or in R²."""
    if task == "classification":
        return f"{100 * value:+.1f}".replace("-", "−")
    return f"{value:+.3f}".replace("-", "−")


def score_name(task: str) -> str:
    return "Test accuracy" if task == "classification" else "Test R²"


def count(value: float) -> str:
    return f"{int(value):,}"


def size(length: float) -> str:
    """A file's length: bytes below 10 kB, else kB or MB of 1000."""
    if length < 10_000:
        return f"{int(length):,} B"
    if length < 10_000_000:
        return f"{length / 1000:,.0f} kB"
    return f"{length / 1e6:,.1f} MB"


def times(reference: float, value: float) -> str:
    """How many times smaller than the reference; or larger, said plainly."""
    ratio = reference / value
    if abs(ratio - 1) < 5e-3:
        return "as the reference"
    larger = max(ratio, 1 / ratio)
    text = f"{larger:.3g}" if larger < 1.1 else f"{larger:.2g}"
    return f"{text}× smaller" if ratio > 1 else f"{text}× larger"


def metrics(trained: Trained, line: pd.Series) -> list[tuple[str, str, str, Any]]:
    """(label, value, what it is held against, colour) of a row's four numbers."""
    task = trained.task
    low, high = change(line["change_low"], task), change(line["change_high"], task)
    unit = " points" if task == "classification" else ""
    lost = f"{change(line['change'], task)}{unit} ({low} to {high})"
    if line["change_low"] == line["change_high"] == 0:
        lost = "as the reference"
    worse, better = line["change_high"] < 0, line["change_low"] > 0
    colour = "red" if worse else "green" if better else "gray"
    return [
        (score_name(task), score(line["score"], task), lost, colour),
        (
            "Parameters",
            count(line["parameters"]),
            times(trained.parameters, line["parameters"]),
            "gray",
        ),
        ("File", size(line["bytes"]), times(trained.bytes, line["bytes"]), "gray"),
        ("MACs a sample", count(line["macs"]), times(trained.macs, line["macs"]), "gray"),
    ]


SUGGESTED = (
    "Begins where the model is smallest among those that lose at most one point on the "
    "validation part (0.01 of R²). The test set only reports."
)

RULER = (
    "Knobs were chosen on the validation part; the test part only reports. Intervals are of one "
    "training: Wilson for accuracy, bootstrap for R², paired bootstrap for changes. File sizes are "
    "measured lengths of safetensors files. A constrained network is dense at run time."
)

PLANE = (
    "Bars are 95 % intervals (Wilson for accuracy, bootstrap for R²) of one training: they speak "
    "of the test samples, not of other seeds. Click a point to move its side's slider."
)

NOT_CONVEX = (
    "The loss of a network with hidden layers is not convex: no method can certify an optimum, "
    "and none is claimed. Choose softmax_regression or linear_regression to see certificates."
)


def titles(catalogue: Mapping[str, Entry]) -> dict[str, str]:
    return {name: entry.title for name, entry in catalogue.items()}


def reference(trained: Trained) -> str:
    """The reference in one line: score with its interval, parameters, bytes, MACs."""
    task = trained.task
    return (
        f"Reference **{score(trained.score, task)}** {score_name(task).replace('Test', 'test')} "
        f"({score_range(trained.score_low, trained.score_high, task)}, "
        f"{len(trained.target):,} samples) · **{count(trained.parameters)}** parameters · "
        f"**{size(trained.bytes)}** file · **{count(trained.macs)}** MACs a sample"
    )


def file_name(trained: Trained, side: str, knob: str, value: float) -> str:
    return f"{trained.dataset}-{trained.model}-{side.lower()}-{knob}-{value:g}.safetensors"


MARKS = {"break_even": "k*", "energy_90": "90 %", "energy_95": "95 %", "energy_99": "99 %"}


def marks(found: Mapping[str, float]) -> dict[str, float]:
    """Break-even rank and energy ranks, with short labels."""
    return {label: found[name] for name, label in MARKS.items() if name in found}


def of_kernels(method: str) -> bool:
    """Whether a low-rank method works on convolutions' kernels, not on matrices."""
    return "linear" not in LOW_RANK_METHODS[method].layers


def rank(trained: Trained, curve: CurveView, row: int) -> str:
    """Which layers the rank reaches, and which stay dense."""
    k = int(curve.table["knob"].iloc[row])
    if of_kernels(curve.method):
        return (
            f"Rank {k} in every convolution that it makes smaller, as several smaller ones; the "
            "other layers stay as the reference's."
        )
    dense = [
        layer.name
        for layer in trained.layers
        if layer.name in curve.spectra and k > layer.break_even
    ]
    if not dense:
        return f"Every linear layer is stored as two factors of rank {k}."
    kept = ", ".join(dense)
    if len(dense) == len(curve.spectra):
        return f"Rank {k} would make every layer larger: all stay dense, as the reference."
    return f"Rank {k} would make {kept} larger: kept dense; the others are two factors of rank {k}."


def bound(trained: Trained, curve: CurveView, row: int) -> str:
    """What the bound means for the weights."""
    value = float(curve.table["knob"].iloc[row])
    if curve.knob == "relative bound":
        text = f"c = {value:.3g} of what holds each layer's reference weight; biases are free."
    else:
        text = f"c = {value:.3g}, in units of the weights; intercepts are free."
    return text + " Dense at run time: fewer bytes, not fewer MACs."


def missing(curve: CurveView, row: int, asked: float) -> str:
    """That the value asked for is not there yet, where a curve is not finished."""
    value = float(curve.table["knob"].iloc[row])
    if abs(value / asked - 1) < 1e-6:
        return ""
    return f"{asked:.3g} is not computed yet: shown is {value:.3g}. "
