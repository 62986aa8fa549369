"""Sentences of the page that explains the methods."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from compression.constrained.convex.certificate import Certificate
from pages.shared.format import MACS, compare_sizes, format_change, format_interval, format_score
from pages.shared.models.results import CurveView, TrainedReference
from pages.shared.models.text import describe_setting, name_reference

from .examples import Shadow

SECTIONS = {  # anchor -> title, in the order of the screen
    "lmm": "LMM",
    "coc": "COC",
    "measures": "What is measured",
    "advice": "When to use which",
    "claims": "The article, and what was measured",
    "glossary": "Glossary",
}
LOW_RANK = (
    "A layer's weight W is a sum of products of a column and a row, from strong to weak. LMM "
    "keeps the k strongest: two thin factors in place of one matrix. No matrix of rank k is "
    "nearer to W (Eckart & Young 1936)."
)
CONSTRAINED = (
    "COC trains under a bound: the loss is as small as it can be while every weight stays within "
    "±c. A weight that ends at the bound is *pinned*: a map of few bits says so, and it needs no "
    "number. For linear models the optimum is proved, for networks it is not."
)
MEASURES = pd.DataFrame(
    [
        ("Score", "Accuracy, or R² for numbers, on the test part; it chooses nothing", "95 %"),
        ("Parameters", "Numbers that must be stored as numbers", "counted"),
        ("File", "The safetensors file, written and measured; pinned weights are a map", "bytes"),
        (MACS, "Multiply–accumulates of one forward pass", "counted"),
        ("Latency", "On Decide: ONNX Runtime, one thread, batch 1 and 256", "median"),
    ],
    columns=["measure", "what it is", "how"],
)
ADVICE = """
- **Fewer multiplications, too:** LMM. A constrained network is dense at run time: its file is \
smaller, its MACs are not.
- **Below its break-even rank k\\* only:** rows · columns ÷ (rows + columns). A layer of 3 × 4 has \
k\\* = 1: little can be gained there.
- **A proof:** COC on a linear or softmax regression. Every bound is solved and certified.
- **The smallest file:** ask *Decide*. Baselines such as rounding to few bits compete there, and \
win where they win.
- **Both:** *Combine* factorises, then bounds the factors, and compares at equal bytes.
"""
EXAMPLE = ("digits", "mlp")  # whose table is shown
EXAMPLE_TITLE = "Test error of every family at each file size: digits + MLP (256-128)"
EXAMPLE_CAPTION = (
    "Mean of {seeds} seeds in %, by the share of the reference's file ({reference:.2f} %). Of each family the row that validation "
    "prefers; — where a seed has no file so small. Other pairs, intervals and verdicts: *Atlas*, or "
    "`python -m benchmarks.quality`."
)


def describe_standing(cells: pd.DataFrame) -> str:
    """How LMM, COC and combinations stand against the best baseline, over the atlas's cells."""
    judged = cells[cells["verdict"].isin(["wins", "ties", "loses"])]
    counts = judged["verdict"].value_counts()
    ahead = judged[judged["verdict"] == "wins"].groupby(["dataset", "model"]).ngroups
    pairs = judged.groupby(["dataset", "model"]).ngroups
    return (
        f"Against what people do otherwise (rounding, quantisation-aware training, pruning, a smaller "
        f"network), on {pairs} pairs of a dataset and a model with {judged['seeds'].min()} seeds "
        f"each: the best of LMM, COC and both is ahead in {counts.get('wins', 0)} of {len(judged)} "
        f"cells (on {ahead} pairs), level in {counts.get('ties', 0)}, behind in "
        f"{counts.get('loses', 0)}. Level means that no difference is shown."
    )


CORRECTED = pd.DataFrame(
    [
        (
            "The larger the rank, the smaller the model",
            "Smaller rank, smaller model; nothing is gained above the break-even rank k*",
        ),
        (
            "Its SVD returns U√S with columns by an odd index rule, padded with zeros",
            "Truncated SVD",
        ),
        ("Rank 7 for a weight of 3 × 4 or 2 × 10", "An error that names the largest rank"),
        (
            "Bounds variables by the old weights, then minimises their norm",
            "The loss is minimised subject to the bound",
        ),
        ("Least squares on class labels", "Softmax cross-entropy; least squares for numbers"),
        (
            "Sigmoid outputs fed to a cross-entropy that expects logits",
            "Logits",
        ),
        (
            "Trains on one dataset, tests on another, standardises with test rows",
            "One split, statistics of the training part",
        ),
        (
            "LMM for non-linear models only",
            "LMM for any layer with a weight matrix, as the figures below show",
        ),
    ],
    columns=["the article", "here"],
)


def describe_claims(command: str, date: str) -> str:
    """Where the verdicts come from."""
    return (
        f"Measured by `{command}` on {date}, over splits where the line says so, with paired 95 % "
        "intervals; a claim holds, or does not, where the whole interval says so. Where the atlas "
        "asks the same of many datasets, the verdict is its: right in most cells and wrong in none."
    )


MEASURE = "Measure the article's statements on its own two experiments"
ORIGIN = (
    "Measured just now with seed 0, by the same functions as all pages: truncated SVD, and a box "
    "on every weight, on the article's two experiments. Ranks and bounds were chosen on the "
    "validation part. The same from a terminal: `compression.train`, `low_rank_curve` and "
    "`constrained_curve`, as the report of Compare writes them."
)


def describe_shadow(picture: Shadow, rank: int) -> str:
    """What a rank keeps of the picture, and what it stores."""
    rows, columns = len(picture.u), picture.vt.shape[1]
    kept = float((picture.values[:rank] ** 2).sum() / (picture.values**2).sum())
    stored, dense = rank * (rows + columns), rows * columns
    size = (
        compare_sizes(dense, stored)
        if stored < dense
        else f"no fewer than the {dense:,} of the matrix itself"
    )
    return (
        f"Rank **{rank}** keeps **{100 * kept:.1f} %** of the energy in {stored:,} numbers: {size}. "
        f"Break-even rank k* = {rows * columns // (rows + columns)}."
    )


def describe_optimum(bound: float, weight: np.ndarray, judged: Certificate) -> str:
    """Where the optimum of a bound is, what it costs, and that it is one."""
    places = ", ".join(f"{value:.3g}".replace("-", "−") for value in weight)
    sentences = [
        f"θ{'₁₂'[n]} is pinned, and one more unit of c would take {price:.2g} off the loss for it"
        for n, price in enumerate(np.ravel(np.asarray(judged.multipliers)))
        if price > 0
    ]
    pinned = "; ".join(sentences) or "no weight is pinned: the bound costs nothing"
    return (
        f"c = **{bound:.3g}**: θ = ({places}), loss {judged.objective:.3g}; {pinned}. "
        f"Duality gap {max(judged.duality_gap, 0):.1g}: nothing allowed is better."
    )


def list_statements(
    measured: Sequence[tuple[TrainedReference, CurveView, CurveView]],
) -> list[dict[str, str]]:
    """The article's statements, and what each of these experiments says of them."""
    lines = []
    for trained, low_rank, constrained in measured:
        title = name_reference(trained)
        first = low_rank.table.iloc[low_rank.suggested]
        fitting = constrained.table[constrained.table["bytes"] <= first["bytes"]]
        lines += [
            (_SMALLER, title, _compare_ranks(low_rank)),
            (_GENERAL, title, _describe_row(trained, low_rank, first)),
        ]
        if len(fitting):
            best = fitting.loc[fitting["validation_score"].idxmax()]
            said = _describe_row(trained, constrained, best)
        else:
            said = "No bound gives a file as small as that of LMM."
        lines.append((_ROBUST, title, f"At LMM's file size: {said}"))
    titles = ("the article says", "experiment", "measured")
    return [dict(zip(titles, line, strict=True)) for line in lines]


_SMALLER = "The larger the rank, the smaller the model"
_GENERAL = "LMM keeps the main directions and suits general use"
_ROBUST = "COC is less (elsewhere: more) accurate"


def _compare_ranks(curve: CurveView) -> str:
    """Parameters at the ends of the curve."""
    parameters = curve.table.sort_values("knob")["parameters"].astype(int)
    grows = (parameters.diff().dropna() >= 0).all()
    ends = f"{parameters.iloc[0]:,} parameters at rank 1, {parameters.iloc[-1]:,} at the largest"
    return f"{'Wrong' if grows else 'Not always wrong'}: {ends}."


def _describe_row(trained: TrainedReference, curve: CurveView, line: pd.Series) -> str:
    task = trained.task
    low, high = (format_change(line[f"change_{end}"], task) for end in ("low", "high"))
    verdict = "a loss is shown" if line["change_high"] < 0 else "no loss is shown"
    score_ends = format_interval(line["score_low"], line["score_high"], task)
    return (
        f"{describe_setting(curve.knob, line['knob'], curve.method)}: "
        f"{format_score(line['score'], task)} ({score_ends}), "
        f"{format_change(line['change'], task)} points ({low} to {high}) against the reference: "
        f"{verdict}; file {compare_sizes(trained.bytes, line['bytes'])}."
    )
