"""Sentences, labels and columns of the low-rank page."""

from collections.abc import Iterable, Mapping, Sequence

import pandas as pd
from numpy.typing import NDArray

from compression import LOW_RANK_METHODS
from compression.low_rank.approximations import Approximations, LayerRanks, LayerView
from pages.shared.format import format_change
from pages.shared.models.results import LowRankSetting, TrainedReference
from pages.shared.models.text import file_stem, name_reference

SECTIONS = {  # anchor -> title, in the order of the screen
    "layer": "How low-rank is the layer?",
    "methods": "Cleverer methods",
    "which-rank": "Which rank?",
    "sensitivity": "Cost of each layer",
    "layer-ranks": "A rank for each layer",
}
COMPARISONS = {
    "one": "This one",
    "tuned": "This one and its baseline",
    "all": "All that fit and their baselines",
}
EPOCHS = range(1, 101)
BUDGET_EPOCHS = range(101)
RIDGES = (0.0, 1e-4, 1e-3, 1e-2, 0.1, 1.0, 10.0)
CALIBRATIONS = {"reference": "The reference", "sequential": "The compressed part"}

RIDGE = (
    "Added to the covariance of a layer's inputs: in squared units of the inputs. The larger, the "
    "nearer to truncated SVD."
)
RIDGE_MOVES_NO_FACTOR = (
    "σ² moves this method's predicted error and never its factors: scores stay as they are."
)
CALIBRATION = (
    "Where the method sees a layer's inputs: in the reference, or behind the layers that are "
    "compressed already. Then every rank is decomposed anew, which takes longer."
)
VIEW_OF_REFERENCE = (
    "Spectra and pictures of this layer are those of inputs from the reference; scores and "
    "errors follow the compressed part."
)

CHOOSING = (
    "Every rule sees training and validation rows only; the test columns report what its choice is "
    "worth. Energy is in the method's own objective, a rank per layer; the others take one k for all."
)
MORE_METHODS = "The other methods, and each one trained on, are computed when you choose them here."
BASELINE = (
    "Dashed: each network is trained on for the stated epochs from its own factors, the fair "
    "baseline of any cleverer method. At most 16 ranks are trained, spaced by ratio. All curves "
    "compress the same layers."
)
TRIED = (
    "Tried and not offered. Truncation step by step, 3 epochs at each rank, against one truncation "
    "with as many epochs: test error on digits + MLP 73.7 % against 56.7 at rank 2, 34.9 against "
    "13.7 at rank 4, 6.1 against 4.3 at rank 7, level from rank 13 on; on wine 1.1 against 2.8 at "
    "rank 4, level from rank 7 on (means of 5 seeds: `python -m benchmarks progressive_truncation`; "
    "in Python `warm_start=True`). A two-sided projection, on the main directions of inputs and "
    "outputs: test error 76.4, 35.6, 20.0, 5.6 % on digits + MLP at 4, 8, 15, 30 % of the "
    "parameters, activation-aware SVD 76.7, 24.4, 6.1, 2.8 (one seed, not trained on)."
)
BUDGET = (
    "Predicted loss: the sum over layers of what the training loss gains, to second order, when that "
    "layer alone is truncated (Kronecker factors, arXiv 1503.05671); the exact rule makes it least. "
    "Gap: how far a rule lies above that. Best in training: of all rules, by four such predictions, "
    "the network that scores best on the training part. "
    "Dashed, with epochs after truncation: the same networks trained on, the fair baseline."
)
SENSITIVITY = (
    "One layer alone is compressed to the largest rank that the share affords; in brackets where "
    "none does: rank 1, or the dense layer if that is smaller. Intervals in the hover are 95 %, "
    "paired with the reference on the same validation rows: a change whose interval holds 0 may be "
    "noise."
)
CROSS_VALIDATION = (
    "In each fold a network is trained anew on the other folds, compressed to every rank and scored "
    "on the rows held out; the test part takes no part. Dashed: one "
    "standard error below the best. The axis begins near it: zoom out for smaller ranks."
)

BREAK_EVEN = "k*"
MARKS = {
    "break_even": (BREAK_EVEN, "Break-even rank k*: above it the layer grows"),
    "energy_90": ("90 %", "Keeps 90 % of the energy"),
    "energy_95": ("95 %", "Keeps 95 % of the energy"),
    "energy_99": ("99 %", "Keeps 99 % of the energy"),
    "effective_rank": ("effective", "Effective rank: e to the entropy of the spectrum"),
    "stable_rank": ("stable", "Stable rank: ‖W‖²_F over ‖W‖²"),
    "hard_threshold": ("hard threshold", "Optimal hard threshold: what stands above noise"),
    "variational": ("variational", "Variational Bayes: what noise alone does not explain"),
    "classes_minus_1": ("classes − 1", "Classes − 1: needed in general to tell classes apart"),
}


def describe_network(trained: TrainedReference, layers: Sequence[LayerRanks], rank: int) -> str:
    """What becomes of each layer at one rank for all."""
    compressed, dense = [], []
    for layer in layers:
        layer_rank = min(rank, layer.max_rank)
        if layer.pays(rank):
            stages = int(layer.stages[layer_rank])
            capped = f", its largest rank {layer_rank}" if layer_rank < rank else ""
            compressed.append(f"{layer.name} ({stages} smaller layers{capped})")
        else:
            dense.append(layer.name)
    left = [layer.name for layer in trained.layers if layer.name not in {r.name for r in layers}]
    parts = [f"Rank {rank} in {', '.join(compressed)}." if compressed else ""]
    if dense:
        who = "It" if compressed else f"Rank {rank}"
        parts.append(f"{who} would make {', '.join(dense)} larger: kept dense.")
    if left:
        parts.append(f"Not compressed here: {', '.join(left)}.")
    return " ".join(filter(None, parts))


def describe_rank(view: LayerView, approximations: Approximations, rank: int) -> str:
    """What a rank that pays keeps of a layer, and what it holds."""
    layer_rank = min(rank, approximations.max_rank)
    numbers = int(approximations.ranks.parameters[layer_rank])
    dense = approximations.ranks.dense_parameters
    what = "energy of its outputs" if approximations.needs_inputs else "energy of its weight"
    largest = f", the largest of {view.name}," if layer_rank < rank else ""
    return (
        f"Rank {layer_rank}{largest} keeps **{100 * approximations.kept[layer_rank]:.1f} %** of the "
        f"{what} in **{numbers:,}** numbers instead of {dense:,}: **{dense / numbers:.2g}× smaller**. "
        f"Smaller up to k* = {approximations.ranks.break_even}."
    )


def describe_energy(values: NDArray, rank: int, layer: str) -> str:
    """How much of a weight's energy a rank keeps at best."""
    squares = values**2
    share = float(squares[:rank].sum() / squares.sum())
    return f"Share of the energy of {layer} kept at every rank: {100 * share:.1f} % at rank {rank}"


def describe_errors(rows: pd.DataFrame, rank: int, layer: str) -> str:
    """Predicted and realised error at the nearest rank; ``rows``: the layer's rows."""
    line = rows.iloc[(rows["rank"] - rank).abs().argmin()]
    predicted, realised = (100 * line[name] / line["whole"] for name in ("predicted", "realised"))
    return (
        f"Predicted and realised error of {layer}, in shares of that of rank 0: "
        f"{predicted:.3g} % and {realised:.3g} % at rank {line['rank']:.0f}; the slider is at {rank}"
    )


def warn_larger(view: LayerView, approximations: Approximations, rank: int) -> str:
    """That a rank is above k*, in plain words."""
    layer_rank = min(rank, approximations.max_rank)
    numbers = int(approximations.ranks.parameters[layer_rank])
    dense = approximations.ranks.dense_parameters
    largest = f", the largest of {view.name}," if layer_rank < rank else f" of {view.name}"
    k = approximations.ranks.break_even
    pays = f"it pays up to k* = {k}" if k else "no rank pays"
    return (
        f"**This makes the model larger.** Rank {layer_rank}{largest} would hold {numbers:,} numbers, "
        f"its weight {dense:,}; {pays}. So the dense layer is kept: nothing is saved, nothing is lost. "
        "The pictures show the rank all the same."
    )


_ROWS, _COLUMNS = "output channel", "input channel and place in the kernel"
_SPLIT_METHOD = (
    "input channel and row of the kernel",
    "output channel and column of the kernel",
    ", which this method truncates. Heat maps, inputs and the activation-weighted spectrum keep "
    "to a row for each output channel.",
)
_MATRIX_METHOD = (
    _ROWS,
    _COLUMNS,
    "; rank k is a convolution to k channels, then one that mixes them.",
)
_KERNEL_METHOD = (
    _ROWS,
    _COLUMNS,
    ". This method takes the kernel as it is: its energy is that of its own approximation, "
    "never above this spectrum's. k*, 90, 95 and 99 % are its own.",
)


def describe_unfolding(method: str, shape: tuple[int, int]) -> str:
    """Which matrix stands for a kernel, and what a method makes of it."""
    entry = LOW_RANK_METHODS[method]
    other = _SPLIT_METHOD if entry.splits_kernel_sides else _KERNEL_METHOD
    row, column, rest = _MATRIX_METHOD if entry.works_on_matrices else other
    return (
        f"A kernel has more than two sides: its spectrum is that of the matrix {shape[0]} × "
        f"{shape[1]}: a row for each {row}, a column for each {column}{rest}"
    )


def explain_unused(view: LayerView, setting: LowRankSetting) -> str:
    """That a layer that is looked at is not among those that are compressed."""
    return (
        f"{view.name} is not among the layers that are compressed here "
        f"({', '.join(setting.layers)}): below is what the method would make of it."
    )


def explain_not_taken(view: LayerView) -> str:
    entry = LOW_RANK_METHODS[view.method]
    return (
        f"{entry.title} compresses {' and '.join(entry.layers)} layers, which {view.name} is not: "
        "its spectra are shown, and it stays dense. Choose another layer or method."
    )


def describe_rule(rule: str, amount: float, task: str) -> str:
    if rule == "energy":
        return f"{100 * amount:.0f} % of each layer's energy"
    if rule == "variational":
        return "what noise alone does not explain, a rank per layer (variational Bayes)"
    lost = f"{amount:g} of R²"
    if task == "classification":
        lost = f"{100 * amount:g} point{'' if amount == 0.01 else 's'}"
    return f"at most {lost} lost on validation"


def explain_errors(needs_inputs: bool) -> str:
    """What predicted and realised errors are measured on."""
    if needs_inputs:
        return (
            "Predicted on the rows that the method was calibrated on, realised on validation rows "
            "that pass through the compressed layers before it: the distance is what the "
            "prediction misses."
        )
    return (
        "This method predicts the error of the weight, which does not depend on data: both agree "
        "but for rounding. What it says of the outputs is another matter: see the scores."
    )


def compare_layers(table: pd.DataFrame, task: str) -> str:
    """Which layer costs most, and which least, at the smallest share of its numbers."""
    rows = table[table["share"] == table["share"].min()].sort_values("change")
    most, least = rows.iloc[0], rows.iloc[-1]
    unit = " points" if task == "classification" else " of R²"
    share = f"At {100 * most['share']:.0f} % of its numbers or rank 1"
    changes = [f"{format_change(line['change'], task)}{unit}" for line in (most, least)]
    if len(rows) == 1:
        return f"{share} **{most['layer']}** costs **{changes[0]}** on validation."
    return (
        f"{share} **{most['layer']}** costs most, **{changes[0]}** on validation; "
        f"{least['layer']} least, {changes[1]}."
    )


def method_title(name: str, kind: str, epochs: int) -> str:
    """A method's name as the catalogue has it, with what follows the truncation."""
    title = LOW_RANK_METHODS[name].title
    if kind == "plain":
        return title
    # The title's brackets only hold before fine-tuning.
    return f"{title.partition(' (')[0]} + {epochs} epoch{'s' if epochs > 1 else ''}"


def describe_starved(rules: Iterable[str], warnings: Iterable[str]) -> str:
    """Which rules leave which layers too little; empty where none does."""
    named: dict[str, list[str]] = {}
    for rule, warning in zip(rules, warnings, strict=True):
        if warning:
            named.setdefault(warning, []).append(rule)
    return " ".join(f"{', '.join(rules)}: {warning}." for warning, rules in named.items())


def list_ranks(ranks: Mapping[str, int | None]) -> str:
    return ", ".join(f"{name} {'dense' if rank is None else rank}" for name, rank in ranks.items())


def file_name(trained: TrainedReference, setting: LowRankSetting) -> str:
    """Of a file that holds more than one rank."""
    return f"{file_stem(trained)}-{setting.method.replace('_', '-')}"


def describe_setting(trained: TrainedReference, setting: LowRankSetting) -> str:
    """What the page's figures were made from."""
    text = (
        f"{name_reference(trained)}: "
        f"{LOW_RANK_METHODS[setting.method].title} of {', '.join(setting.layers)}"
    )
    if LOW_RANK_METHODS[setting.method].needs_inputs:
        source = CALIBRATIONS[setting.calibration].lower()
        text += f", σ² = {setting.ridge:g}, inputs from {source}"
    return text + "."
