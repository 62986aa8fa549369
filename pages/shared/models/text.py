"""Sentences on the reference and on rows of its curves."""

from collections.abc import Mapping
from typing import Any, Protocol

import pandas as pd

import data
from compression import BASELINES, CONSTRAINED_METHODS, CONSTRAINTS, LOW_RANK_METHODS, MODELS
from compression.promise import CONFIDENCE, Promise
from pages.shared.format import (
    MACS,
    compare_sizes,
    format_change,
    format_count,
    format_interval,
    format_loss,
    format_score,
    format_size,
    score_name,
)
from pages.shared.models.results import CurveView, FormatView, TrainedReference, Training

SAFETENSORS = "Load it with `network = compression.load(path)`: a torch module, bit by bit."
FORMATS = {
    "onnx": (
        "ONNX (.onnx)",
        ".onnx",
        "Load it with `onnxruntime.InferenceSession(path)`; the input is named `samples`. All "
        "weights are dense float32, as the model runs, 4 bytes each.",
    ),
    "pytorch": (
        "PyTorch (.pt)",
        ".pt",
        "A state dict of plain modules; the code below builds them and loads it, without this "
        "package. A weight of few bits is the dense one that it is at run time.",
    ),
    "factors": (
        "Factors (.factors.safetensors)",
        ".factors.safetensors",
        "`compression.restore(module, path)` puts it into your own dense network of the same "
        "widths: a compressed weight is its two factors, `<weight>.left` and `<weight>.right`.",
    ),
}
"""What other readers take: a kind -> the button's text, the file's ending, how it is loaded."""


def describe_export(export: FormatView) -> str:
    """A file's length, and how far its outputs are from those of the network."""
    size = format_size(len(export.content))
    if export.difference == 0:
        return f"{size}; read back, it gives the same outputs"
    return f"{size}; read back, its outputs differ by at most {export.difference:.1e}"


def metric_rows(trained: TrainedReference, line: pd.Series) -> list[tuple[str, str, str, Any]]:
    """(label, value, what it is held against, colour) of a row's four numbers."""
    task = trained.task
    low, high = format_change(line["change_low"], task), format_change(line["change_high"], task)
    unit = " points" if task == "classification" else ""
    lost = f"{format_change(line['change'], task)}{unit} ({low} to {high})"
    if line["change_low"] == line["change_high"] == 0:
        lost = "as the reference"
    lost += _describe_balance(trained, line)
    worse, better = line["change_high"] < 0, line["change_low"] > 0
    colour = "red" if worse else "green" if better else "gray"
    return [
        (score_name(task), format_score(line["score"], task), lost, colour),
        (
            "Parameters",
            format_count(line["parameters"]),
            compare_sizes(trained.parameters, line["parameters"]),
            "gray",
        ),
        ("File", format_size(line["bytes"]), compare_sizes(trained.bytes, line["bytes"]), "gray"),
        (
            MACS,
            format_count(line["macs"]),
            compare_sizes(trained.macs, line["macs"]),
            "gray",
        ),
    ]


UNEVEN = 1.5  # the largest class has at least this many times the smallest's test samples


def _describe_balance(trained: TrainedReference, line: pd.Series) -> str:
    """Balanced accuracy, where the classes differ in frequency."""
    if trained.confusion is None or pd.isna(line.get("balanced_score")):
        return ""
    samples = trained.confusion.sum(axis=1)
    if samples.max() <= UNEVEN * max(samples.min(), 1):
        return ""
    return f"; balanced {format_score(line['balanced_score'], trained.task)}"


SUGGESTED = (
    "Begins where the model is smallest among those that lose at most one point on the "
    "validation part (0.01 of R²). The test set only reports."
)

RULER = (
    "Knobs were chosen on the validation part; the test part only reports. Intervals are of one "
    "training: Wilson for accuracy, a score interval for paired proportions (Tango 1998) for its "
    "change, a bootstrap-t for R². File sizes are measured lengths of safetensors files. A "
    "constrained network is dense at run time."
)

PLANE_HELP = (
    "Bars are 95 % intervals (Wilson for accuracy, bootstrap for R²) of one training: they speak "
    "of the test samples, not of other seeds. Click a point to move its side's slider."
)

NOT_CONVEX = (
    "The loss of a network with hidden layers is not convex: no method can certify an optimum, "
    "and none is claimed. Choose softmax regression or linear regression to see certificates."
)


class TitledEntry(Protocol):
    """A line of a catalogue."""

    @property
    def title(self) -> str: ...


def titles_of(catalogue: Mapping[str, TitledEntry]) -> dict[str, str]:
    return {name: entry.title for name, entry in catalogue.items()}


def name_reference(trained: TrainedReference) -> str:
    """Dataset, model, seed and training, as their menus show them."""
    title = data.find(trained.dataset).title
    how = "".join(f", {part}" for part in describe_training(trained.training))
    return f"{title}, {MODELS[trained.model].title}, seed {trained.seed}{how}"


def describe_training(training: Training) -> list[str]:
    """How a reference is trained, where that is not its model's own recipe."""
    parts = {
        "at most {} epochs": training.epochs,
        "width × {:g}": None if training.width == 1 else training.width,
        "learning rate {:g}": training.learning_rate,
    }
    return [words.format(value) for words, value in parts.items() if value is not None]


def reference_line(trained: TrainedReference) -> str:
    """The reference in one line: score with its interval, parameters, bytes, MACs."""
    task = trained.task
    how = "".join(f" · {part}" for part in describe_training(trained.training))
    return (
        f"Reference **{format_score(trained.score, task)}** {score_name(task).replace('Test', 'test')} "
        f"({format_interval(trained.score_low, trained.score_high, task)}, "
        f"{len(trained.target):,} samples) · **{format_count(trained.parameters)}** parameters · "
        f"**{format_size(trained.bytes)}** file · **{format_count(trained.macs)}** {MACS}{how}"
    )


def describe_suggestion(trained: TrainedReference, curve: CurveView, setting: str) -> str:
    """The row that is suggested, and what it is worth; ``setting``: its knob in words."""
    line, task = curve.table.iloc[curve.suggested], trained.task
    score = format_score(line["score"], task)
    interval = format_interval(line["score_low"], line["score_high"], task)
    point = "one point" if task == "classification" else "0.01 of R²"
    return (
        f"**{setting.replace('rank', 'Rank')}**: the fewest parameters of what loses at most "
        f"{point} on validation. On the test set {score} ({interval}), file "
        f"{compare_sizes(trained.bytes, line['bytes'])}."
    )


def say_best(rows: Mapping[str, pd.Series], where: str, task: str) -> str:
    """Which of some models scores best on validation; the first is the one that was chosen."""
    first, *others = rows
    if not others:
        return ""
    best = max(rows, key=lambda name: rows[name]["validation_score"])
    tested = {name: format_score(rows[name]["score"], task) for name in (first, best)}
    if best == first:
        return f"{where} **{first}** scores best on validation of all {len(rows)}: no other pays."
    return (
        f"{where} **{best}** scores best on validation of all {len(rows)}: on the test set "
        f"**{tested[best]}**, {first} {tested[first]}."
    )


def file_stem(trained: TrainedReference) -> str:
    """Dataset, model, and what of the seed and the training is not the default."""
    parts = {
        "seed-{}": trained.seed or None,
        "epochs-{}": trained.training.epochs,
        "width-{:g}": None if trained.training.width == 1 else trained.training.width,
        "rate-{:g}": trained.training.learning_rate,
    }
    said = [words.format(value) for words, value in parts.items() if value is not None]
    return "-".join([trained.dataset, trained.model, *said])


def model_file_name(trained: TrainedReference, side: str, knob: str, value: float) -> str:
    return f"{file_stem(trained)}-{side.lower()}-{knob}-{value:g}.safetensors"


LAYER_KINDS = {"linear": "Linear layers", "convolutions": "Convolutions", "all": "Both"}
MARKS = {"break_even": "k*", "energy_90": "90 %", "energy_95": "95 %", "energy_99": "99 %"}


def rank_caption(trained: TrainedReference, curve: CurveView, row: int) -> str:
    """Which layers the rank reaches, which stay dense, and the epochs behind it, if any."""
    epochs = int(curve.table["epochs"].iloc[row])
    sentence = f" {epochs} epochs lie behind it, from its own factors." if epochs else ""
    return _describe_rank(trained, curve, int(curve.table["knob"].iloc[row])) + sentence


def _describe_rank(trained: TrainedReference, curve: CurveView, k: int) -> str:
    if not LOW_RANK_METHODS[curve.method].works_on_matrices:
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
        return f"Every compressed layer is stored as two factors of rank {k}."
    kept = ", ".join(dense)
    if len(dense) == len(curve.spectra):
        return f"Rank {k} would make every layer larger: all stay dense, as the reference."
    return f"Rank {k} would make {kept} larger: kept dense; the others are two factors of rank {k}."


LOW_RANK_FORMULA = r"W \approx U_k \, \Sigma_k V_k^{\mathsf T}"
CONSTRAINED_FORMULA = r"\min_\theta \; \mathrm{loss}(\theta) \;\text{ subject to }\; |\theta| \le c"
RELATIVE = "relative bound"
_HOLDS = {
    "box": "largest |θ|",
    "upper": "largest θ",
    "l1": "sum of |θ|",
    "l2": "norm ‖θ‖",
    "cardinality": "number of weights",
}


def knob_of(trained: TrainedReference) -> str:
    """What a constrained curve of the model goes along: a bound, or for networks a relative one."""
    return "bound" if trained.convex else RELATIVE


def bound_letter(knob: str) -> str:
    """The slider's letter: c is a bound in units of the weights, ρ a share of the reference's."""
    return "ρ" if knob == RELATIVE else "c"


def bound_title(knob: str, constraint: str = "box") -> str:
    """What a bound's slider or axis is called."""
    if knob == RELATIVE:
        return "Relative bound ρ"
    return "Count κ" if CONSTRAINTS[constraint].counts else "Bound c"


def describe_setting(knob: str, value: float, constraint: str = "box") -> str:
    """Where a curve's slider stands, in words: "rank 4", "ρ = 0.181"."""
    if knob == "rank":
        return f"rank {value:g}"
    letter = bound_letter(knob)
    if knob == "bound" and CONSTRAINTS[constraint].counts:
        letter = "κ"
    return f"{letter} = {value:.3g}"


def describe_settings(curve: CurveView) -> list[str]:
    """Each row's setting in words, with the epochs that lie behind it."""
    return [
        describe_setting(curve.knob, value, curve.method) + format_epochs(epochs)
        for value, epochs in zip(curve.table["knob"], curve.table["epochs"], strict=True)
    ]


def format_epochs(epochs: float) -> str:
    """The epochs behind a row, to stand after its setting: ", 12 epochs"; none where it has none."""
    return f", {epochs:g} epoch{'' if epochs == 1 else 's'}" if epochs > 0 else ""


def name_baseline(name: str, knob: float) -> str:
    """A value of a baseline's knob in words: "6 bits"."""
    kind = BASELINES[name].knob
    parts = {
        "bits": f"{knob:g} bits",
        "share kept": f"{100 * knob:.3g} % of the weights kept",
        "width": f"{100 * knob:.3g} % of the width",
    }
    return parts.get(kind, f"{kind} {knob:g}")


def describe_baseline(name: str, line: Mapping[str, Any] | pd.Series) -> str:
    """A row of a baseline in words, with its epochs: "6 bits, 10 epochs"."""
    anew = " from scratch" if BASELINES[name].narrows and line["epochs"] > 0 else ""
    return name_baseline(name, float(line["knob"])) + format_epochs(line["epochs"]) + anew


def describe_baselines(name: str, table: pd.DataFrame) -> list[str]:
    """Every row of a baseline in words."""
    return [describe_baseline(name, line) for line in table.to_dict("records")]


_BASELINES = ", ".join(entry.title.lower() for entry in BASELINES.values())
WITHOUT_BASELINES = (
    f"Not in this picture: {_BASELINES}. Against *File size (bytes)* they stand behind it; *Compare*, "
    "*Combine* and *Decide* hold them against low rank and constraints at equal file sizes."
)
BASELINES_BEHIND = (
    f"Thin: what people would do instead ({_BASELINES}), by measured file size, as far as the model "
    "has them. Each that is trained is computed when the curves before it are there."
)


def describe_as_long(line: pd.Series, task: str) -> str:
    """What the reference becomes in as many epochs as each row has, with its interval."""
    unit = " points" if task == "classification" else " of R²"
    low, high = (format_score(line[f"score_{end}"], task) for end in ("low", "high"))
    least, most = (format_change(line[f"change_{end}"], task) for end in ("low", "high"))
    return (
        f"Trained on for as many epochs without a bound, the reference scores "
        f"**{format_score(line['score'], task)}** ({low} to {high}): "
        f"{format_change(line['change'], task)}{unit} ({least} to {most})."
    )


def layer_letter(knob: str, constraint: str) -> str:
    """The letter of a layer's bound in units of its weights: a network's cₗ is ρ times its own."""
    letter = "κ" if CONSTRAINTS[constraint].counts else "c"
    return f"{letter}ₗ" if knob == RELATIVE else letter


def _is_trained_in_scale(trained: TrainedReference, curve: CurveView, way: str) -> bool:
    """Whether the loss that a way makes small is not that of the logits themselves."""
    method = CONSTRAINED_METHODS.get(way)
    return (
        method is not None
        and method.scales_loss
        and trained.task == "classification"
        and curve.knob == RELATIVE
        and not CONSTRAINTS[curve.method].elementwise
    )


def bound_caption(trained: TrainedReference, curve: CurveView, row: int, way: str) -> str:
    """What the bound means for the weights; ``way`` is how it was met."""
    value = float(curve.table["knob"].iloc[row])
    if curve.knob == RELATIVE:
        text = (
            f"ρ = {value:.3g}: the bound of each layer is {layer_letter(curve.knob, curve.method)} "
            f"= ρ · {_HOLDS.get(curve.method, 'what holds the weights')} of its reference; biases are free."
        )
    elif CONSTRAINTS[curve.method].counts:
        text = f"κ = {value:.3g} weights that are not zero; intercepts are free."
    else:
        text = f"c = {value:.3g}, in units of the weights{_describe_unit(trained)}; intercepts are free."
    epochs = int(curve.table["epochs"].iloc[row])
    if epochs:
        path = curve.table["epochs"].nunique() > 1
        starts = "goes on from the next larger one" if path else "starts from the reference"
        text += (
            f" {epochs} epochs lie behind it: each bound {starts}, "
            f"the reference had {len(trained.history)}."
        )
        if _is_trained_in_scale(trained, curve, way):
            text += (
                " Trained by the loss of logits at the reference's scale, which the bound takes "
                "away; the losses shown are those of the model as it is."
            )
    return text + " Dense at run time: fewer bytes, not fewer MACs."


def _describe_unit(trained: TrainedReference) -> str:
    """The unit of a linear model's weight."""
    if not trained.zero_one:
        return " (per standard deviation of a column)"
    return (
        f" (per standard deviation of a column; of {trained.zero_one} that are 0 or 1, per yes "
        "instead of no)"
    )


def missing_value(curve: CurveView, row: int, wanted: float) -> str:
    """Says where the requested value of an unfinished curve is not computed yet."""
    value = float(curve.table["knob"].iloc[row])
    if abs(value / wanted - 1) < 1e-6:
        return ""
    return f"{wanted:.3g} is not computed yet: shown is {value:.3g}."


def describe_promise(promise: Promise, promised: str | None, loss: float, task: str) -> str:
    """What the validation rows can promise, and what it cost to choose among so many.

    ``promised``: the smallest model that is promised, in words.
    """
    limit, unit = format_loss(loss, task), " points" if task == "classification" else " of R²"
    luck = (
        f"It was chosen among {promise.tried:,} for its {format_change(promise.change, task)}{unit} on "
        f"{promise.rows:,} validation samples. Chosen so on resamples, and judged on the samples left "
        f"out, such a model comes to **{format_change(promise.corrected, task)}{unit}**: the rest "
        "is luck of the choice."
    )
    sure = f"{100 * CONFIDENCE:g} %, one-sided, by its own validation samples"
    if promised is not None:
        return (
            f"{luck} **Promised** to lose at most {limit} ({sure}): the smallest such model is "
            f"{promised}."
        )
    least = (
        ""
        if pd.isna(promise.least)
        else f" So few samples can promise {format_loss(round(promise.least, 3), task)} at best."
    )
    return (
        f"{luck} **No promise**: no smaller model is sure to lose at most {limit} ({sure}).{least}"
    )
