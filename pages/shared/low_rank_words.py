"""Sentences, labels and columns of the low-rank page."""

from collections.abc import Mapping

import pandas as pd

from compression import LOW_RANK_METHODS

from .low_rank_results import Approximations, LayerView
from .words import score, score_range

COMPARISONS = {"one": "This one", "all": "All that fit", "tuned": "Fine-tuned too"}
EPOCHS = {"1": "1", "3": "3", "10": "10", "30": "30"}

CHOOSING = (
    "Every rule sees training and validation rows only; the test columns report what its choice is "
    "worth. Energy is in the method's own objective, a rank a layer; the others take one k for all."
)
BASELINE = (
    "Dashed: each network is trained on for the stated epochs from its own factors, the fair "
    "baseline of any cleverer method. At most 16 ranks are trained, spaced by ratio."
)
BUDGET = (
    "Energy lost: the sum over layers of the share that each loses in the method's own objective. "
    "Gap: how far a rule lies above the exact one. Less energy lost need not mean a higher score."
)
SENSITIVITY = (
    "One layer alone is compressed to the largest rank that the share affords. Intervals in the "
    "hover are 95 %, paired with the reference on the same validation rows: a change whose "
    "interval holds 0 may be noise."
)
CROSS_VALIDATION = (
    "In each fold a network is trained anew on the other folds, compressed to every rank and scored "
    "on the rows held out; the test part takes no part. Dashed: one "
    "standard error below the best. The axis begins near it: zoom out for smaller ranks."
)

_MARKS = {
    "break_even": ("k*", "Break-even rank k*: above it the layer grows"),
    "energy_90": ("90 %", "Keeps 90 % of the energy"),
    "energy_95": ("95 %", "Keeps 95 % of the energy"),
    "energy_99": ("99 %", "Keeps 99 % of the energy"),
    "effective_rank": ("effective", "Effective rank: e to the entropy of the spectrum"),
    "stable_rank": ("stable", "Stable rank: ‖W‖²_F over ‖W‖²"),
    "hard_threshold": ("hard threshold", "Optimal hard threshold: what stands above noise"),
    "classes_minus_1": ("classes − 1", "Classes − 1: needed in general to tell classes apart"),
}


def short_marks(marks: Mapping[str, float]) -> dict[str, float]:
    """Label of a line in a picture -> rank; a rank of 0 has no place there."""
    return {_MARKS[name][0]: rank for name, rank in marks.items() if rank > 0}


def marks_table(marks: Mapping[str, float], rank: int) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "mark": _MARKS[name][1],
                "rank": round(at, 1),
                "your k": f"{rank}, {'above' if rank > at else 'at or below'}",
            }
            for name, at in marks.items()
        ]
    )


def at_rank(view: LayerView, found: Approximations, rank: int) -> str:
    """What a rank that pays keeps of a layer, and what it holds."""
    held, dense = int(found.parameters[rank]), found.dense_parameters
    what = "energy of its outputs" if found.looks_at_inputs else "energy of its weight"
    return (
        f"Rank {rank} keeps **{100 * found.kept[rank]:.1f} %** of the {what} in **{held:,}** "
        f"numbers instead of {dense:,}: **{dense / held:.2g}× smaller**. "
        f"Smaller up to k* = {found.break_even}."
    )


def larger(view: LayerView, found: Approximations, rank: int) -> str:
    """That a rank is above k*, in plain words."""
    own = min(rank, found.max_rank)
    held, dense = int(found.parameters[own]), found.dense_parameters
    largest = f", the largest of {view.name}," if own < rank else f" of {view.name}"
    return (
        f"**This makes the model larger.** Factors of rank {own}{largest} would hold "
        f"{held:,} numbers, its weight {dense:,}; it pays up to k* = {found.break_even}. So the "
        "dense layer is kept: nothing is saved, nothing is lost. The pictures show the factors."
    )


def not_taken(view: LayerView) -> str:
    entry = LOW_RANK_METHODS[view.method]
    return (
        f"{entry.title} compresses {' and '.join(entry.layers)} layers, which {view.name} is not: "
        "its spectra are shown, and it stays dense. Choose another layer or method."
    )


def errors(found: Approximations) -> str:
    if found.looks_at_inputs:
        return (
            "Predicted on the rows that the method was calibrated on, realised on validation rows "
            "that pass through the compressed layers before it: the distance is what the "
            "prediction misses."
        )
    return (
        "This method predicts the error of the weight, which does not depend on data: both agree "
        "but for rounding. What it says of the outputs is another matter: see the scores."
    )


def method(name: str, kind: str, epochs: int) -> str:
    """A method's name as the catalogue has it, with what follows the truncation."""
    title = LOW_RANK_METHODS[name].title
    if kind == "plain":
        return title
    return f"{title} + {epochs} epoch{'s' if epochs > 1 else ''}"


def ranks(own: Mapping[str, int | None]) -> str:
    return ", ".join(f"{name} {'dense' if rank is None else rank}" for name, rank in own.items())


def numbers(line: pd.Series, task: str) -> dict[str, object]:
    """What a table says of one compressed network."""
    return {
        "validation": score(line["validation_score"], task),
        "test": score(line["score"], task),
        "95 % interval": score_range(line["score_low"], line["score_high"], task),
        "parameters": int(line["parameters"]),
        "times smaller": line["ratio"],
    }
