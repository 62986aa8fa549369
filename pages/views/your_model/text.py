"""Sentences of the page on one's own model. Names out of files are never taken for markup."""

import math
from html import escape

import pandas as pd

from compression import LOW_RANK_METHODS
from compression.graphs.smallest import FileChoice
from pages.shared.format import (
    compare_sizes,
    format_change,
    format_count,
    format_interval,
    format_loss,
    format_score,
    format_size,
)

from .results import (
    AdapterView,
    HeadFile,
    HeadView,
    JudgingData,
    ModelView,
    Readings,
    ResizedView,
    SmallerModel,
)

NO_SCORE = (
    "**Without data the score is unknown.** The energy that weights keep is no accuracy: some "
    "models answer the same at 80 %, others fail at 99 %."
)
SCORE_BELOW = (
    "The energy that weights keep is no accuracy: what the smaller model answers is judged below, on "
    "the data or sentences that stand there."
)
NOTHING = "No layer of this model can be made smaller by a lower rank; the table says why."
UPLOAD_HELP = (
    "ONNX (.onnx, with its .onnx.data where there is one), .safetensors, or a state dict "
    "(.pt, .pth, .bin, .ckpt); or a LoRA adapter, PEFT's with its adapter_config.json. Files are read by a process of its own with little memory and "
    "time; nothing in them is executed, and they are not kept."
)


def clean_name(name: str, length: int = 60) -> str:
    """A name out of a file as one line of letters."""
    text = "".join(letter if letter.isprintable() else "·" for letter in str(name))
    return text if len(text) <= length else f"{text[: length - 1]}…"


def escape_name(name: str) -> str:
    """A name for a figure, whose texts are a kind of HTML."""
    return escape(clean_name(name, 40), quote=False)


def quote_name(name: str) -> str:
    """A name for Markdown: between backticks nothing in it is markup."""
    return f"`{clean_name(name).replace('`', chr(39))}`"


def describe_model(view: ModelView) -> str:
    able = int((view.layers["reason"] == "").sum())
    count = len(view.layers)
    return (
        f"{quote_name(view.file_name)}: **{format_size(view.file_bytes)}**, {view.kind}; "
        f"**{format_count(view.parameters)}** parameters. "
        f"{count} {'weight has' if count == 1 else 'weights have'} two or more axes, and {able} of "
        "them could be stored as two factors."
    )


def explain_layer(row: pd.Series, energy: str) -> str:
    """Why a layer can shrink at an energy, or why not, as a sentence without its subject."""
    if row["reason"]:
        return str(row["reason"])
    rank, limit = int(row[f"rank_{energy}"]), int(row["break_even"])
    if rank <= limit:
        return f"rank {rank} keeps {energy} % of its energy and is within break-even, {limit}"
    return (
        f"{energy} % of its energy needs rank {rank}, above break-even, {limit}: two factors would "
        "be larger than the layer"
    )


def describe_map(view: ModelView, energy: str) -> str:
    """What the layer map shows, in words."""
    able = view.layers["reason"] == ""
    gain = view.layers[f"saving_{energy}"].fillna(0)
    growing = int((able & (gain < 0)).sum())
    saved = float((view.layers["parameters"] * gain)[able & (gain > 0)].sum()) / view.parameters
    return (
        f"At {energy} % of each layer's energy {int((able & (gain > 0)).sum())} layers shrink, "
        f"{growing} would grow and {int((~able).sum())} cannot be replaced; together that saves "
        f"{100 * saved:.0f} % of the parameters."
    )


def count_layers(number: int) -> str:
    return f"{number} {'layer' if number == 1 else 'layers'} replaced"


WITHOUT_CALIBRATION = (
    "Ranks by truncated SVD. With an ONNX graph and data that it was made for, activation-aware SVD "
    "can keep what the layers give on them."
)
BITS = (
    "Whole numbers with a scale for each output: the file shrinks, the arithmetic stays. Four bits "
    "need ONNX Runtime where the graph is older than opset 21."
)


def describe_plan(view: ModelView, row: int) -> str:
    """What one row of the plan replaces."""
    assert view.plan is not None
    line, ranks = view.plan.iloc[row], view.ranks[row]
    if not ranks:
        return "All parameters are kept: nothing is replaced."
    some = ", ".join(f"{quote_name(layer)} → {rank}" for layer, rank in ranks[:6])
    more = f" and {len(ranks) - 6} more" if len(ranks) > 6 else ""
    energy = "its energy" if view.calibration is None else "what its outputs vary by on fit rows"
    others = ", ".join(quote_name(layer) for layer in view.not_calibrated[:6])
    left = f" By truncated SVD, as what they give cannot be seen: {others}." * bool(others)
    return (
        f"Ranks: {some}{more}. The layer that loses most is {quote_name(line['weakest'])}, which keeps "
        f"{100 * line['energy']:.1f} % of {energy}. Of all ranks of this size these keep the "
        f"largest product of the layers' energies.{left}"
    )


def describe_built(view: ModelView, built: SmallerModel, as_promised: str = "") -> str:
    """What was found in the written file; ``as_promised``: of its weights, where that is no rank."""
    size = len(built.content)
    one = " It is one file: what stood in the data file beside the graph is in it." * view.is_pair
    checked = (
        f"no weight is further than half a step of {built.bits} bits from what it was rounded from"
        if built.bits < 32
        else as_promised
        or f"every layer is as far from yours as its method said, to {built.difference:.0e} of its "
        "norm"
    )
    sentence = (
        f"The file has **{format_size(size)}**, {compare_sizes(view.file_bytes, size)} than what "
        f"you brought. Read back, {checked}.{one}"
    ).replace("as the reference than", "as large as")
    if not built.outputs:
        return f"{sentence} Its outputs could not be compared: {clean_name(built.why_not, 300)}."
    outputs = built.outputs
    sentence += (
        f" On {outputs['rows']} random inputs its outputs differ from the original's by "
        f"**{100 * outputs['relative']:.2g} %** of their norm, at most by {outputs['largest']:.2g}"
    )
    if outputs["same"] is not None:
        sentence += f"; the largest output is the same for {100 * outputs['same']:.0f} % of them"
    return f"{sentence}. Random inputs are no data: on yours it may be better or worse."


def smaller_name(file_name: str, remark: str = "low-rank") -> str:
    """What a written file is called: the name with a remark before its ending."""
    stem, _, ending = clean_name(file_name, 200).rpartition(".")
    return f"{stem}-{remark}.{ending}".replace("/", "_").replace("\\", "_")


def describe_origin(view: ModelView) -> str:
    """What the figures were made from, as plain text."""
    return (
        f"{clean_name(view.file_name)}: {format_size(view.file_bytes)}, "
        f"{format_count(view.parameters)} parameters."
    )


def describe_judging(judging: JudgingData) -> str:
    """The data behind the scores, and how the model reads them, as plain text."""
    readings = judging.readings
    place = readings.ways.index(judging.way)
    line, best = readings.table.iloc[place], readings.table.iloc[0]
    chosen = f"as suggested, the best of {len(readings.table)} ways"
    if place:
        chosen = (
            f"chosen by hand among {len(readings.table)} ways, where “{best['reading']}” is best"
        )
    right = line["score"] if readings.order is None else line["reordered"]
    measure, floor = (
        "accuracy",
        f"the largest class alone {format_score(readings.majority, readings.task)}",
    )
    if readings.task == "regression":
        measure, floor = "an R² of", "always answering the mean 0"
    order = ""
    if readings.order is not None:
        order = (
            f" Outputs are taken as the classes {', '.join(map(clean_name, readings.order_names))}."
        )
    return (
        f"Judged on {clean_name(judging.title, 200)}, split with seed {judging.seed}. Input read as "
        f"“{line['reading']}”, {chosen}; on {readings.rows} validation rows it gives {measure} "
        f"{format_score(right, readings.task)}, {floor}.{order}"
    )


NO_GRAPH = (
    "This file holds tensors and no graph that says what they do: it cannot be run. Bring an ONNX "
    "export of the same model to see its score."
)
NO_DATA = "none"
SENTENCES = (
    "A text model answers with a vector a sentence, whose direction is what it says. Judged without "
    "labels: the cosine between the vectors of 32 sentences of ours before and after; 1 where "
    "nothing turned. What a search or a classifier on top of it loses is not known by that."
)


def describe_sentences(line: pd.Series) -> str:
    """How far sentences turn at the size that is shown."""
    return (
        f"At this size the mean cosine is **{line['value']:.3f}**; the middle half of the sentences "
        f"lies between {line['low']:.3f} and {line['high']:.3f}."
    )


SEEN = (
    "Whether the model learned from some of these rows only you know: if it did, its score is too "
    "high, and the differences between sizes may be too."
)

NOT_SEEN = "The example learned from none of the rows that it is judged on here."


def describe_reading(readings: Readings, place: int) -> str:
    """What one way to read the input gives, beside the largest class."""
    line = readings.table.iloc[place]
    ends = format_interval(line["low"], line["high"], readings.task)
    value = format_score(line["score"], readings.task)
    if readings.task == "regression":
        return (
            f"Read as **{line['reading']}** the model has an R² of **{value}** ({ends}) on "
            f"{readings.rows} validation rows; always answering their mean gives 0. The way was "
            "chosen on these rows."
        )
    return (
        f"Read as **{line['reading']}** the model is right on **{value}** of {readings.rows} "
        f"validation rows ({ends}); the largest class alone gives "
        f"{format_score(readings.majority, 'classification')}. The way was chosen on these rows."
    )


def describe_order(readings: Readings) -> str:
    """What is wrong with the classes, and what is done about it."""
    names = ", ".join(readings.order_names[:10]) + (", …" if len(readings.order_names) > 10 else "")
    right = format_score(float(readings.table["reordered"].iloc[0]), "classification")
    return (
        f"The classes stand in another order: the model's outputs are {names}. In that order it is "
        f"right on {right} of the validation rows, and in that order it is judged below."
    )


def describe_useless(readings: Readings) -> str:
    """Why there is no curve."""
    floor = f"the largest class ({format_score(readings.majority, 'classification')})"
    if readings.task == "regression":
        floor = "always answering the mean (R² = 0)"
    return (
        f"None of {len(readings.table)} ways to read the model is better than {floor} beyond its "
        "interval, so there is "
        "nothing to compare: choose the data that the model was made for, or export it with its "
        "preprocessing inside."
    )


SMALLEST = (
    "Over all files that were judged: both methods' ranks, and bounds with a refit, in 32, 8 and 4 "
    "bits. The validation rows choose; the test part only reports."
)
BOUNDED = "box"  # a method besides those that choose ranks
ONE_METHOD = "Ranks by truncated SVD alone:"


def name_file(line: pd.Series) -> str:
    """One file among those that were judged."""
    bits = f"weights in {line['bits']:.0f} bits" if line["bits"] < 32 else ""
    if line["method"] == BOUNDED:
        return f"layers refitted within a bound, {bits}" if bits else "layers within a bound"
    if line["parameters"] == line["parameters_before"]:
        return f"{bits} alone" if bits else "as it came"
    title = LOW_RANK_METHODS[line["method"]].title
    return (
        f"{title}, {100 * line['parameters'] / line['parameters_before']:.0f} % of the parameters"
        + (f", {bits}" if bits else "")
    )


def describe_test_change(line: pd.Series, task: str) -> tuple[str, str]:
    """The change on the test part with its unit, and its interval."""
    unit = " points" if task == "classification" else ""
    change, low, high = (
        format_change(line[end], task) for end in ("change", "change_low", "change_high")
    )
    return f"{change}{unit}", f"(95 %: {low} to {high})"


def describe_smallest(choice: FileChoice, file_bytes: int, loss: float, task: str) -> str:
    """The smallest file that loses at most so much on validation rows, and what the test says."""
    line = choice.line
    change, ends = describe_test_change(line, task)
    return (
        f"**{name_file(line)}**: the smallest of {choice.promise.tried} smaller files that loses at "
        f"most {format_loss(loss, task)} on the validation rows, "
        f"{compare_sizes(file_bytes, line['bytes'])} than yours. On the test part its "
        f"{'accuracy' if task == 'classification' else 'R²'} changes by **{change}** {ends}."
    )


def describe_promised(line: pd.Series, file_bytes: int, task: str) -> str:
    """The smallest file that the validation rows promise."""
    size = f"{format_size(line['bytes'])} ({compare_sizes(file_bytes, line['bytes'])})"
    return f"**{name_file(line)}**, {size}, on the test part {' '.join(describe_test_change(line, task))}"


def describe_none(loss: float, task: str) -> str:
    return (
        f"Every smaller file that was judged loses more than {format_loss(loss, task)} on the "
        "validation rows: allow more, or keep yours."
    )


ASK_LATENCY = (
    "Seconds per call of your model and of the smaller one above, in turns, by ONNX Runtime with one "
    "thread; it takes some seconds."
)
LATENCY = (
    "Medians of 60 rounds with 95 % intervals; in each round every file has its turn with every "
    "batch. *Faster* is the ratio of two times of one round. Weights in 8 bits are made floating "
    "numbers again at each call: they save bytes, not time."
)


def describe_latency(table: pd.DataFrame) -> str:
    """What is faster beyond the noise between two runs of the same file, batch by batch."""
    sentences = []
    for batch, lines in table.groupby("batch"):
        by_model = lines.set_index("model")
        same = by_model.loc["yours, again"]
        noise = max(same["ratio_high"], 1 / same["ratio_low"], 1.0)
        for name, line in by_model.drop(index=["reference", "yours, again"]).iterrows():
            verdict = "not told apart from yours"
            if line["ratio_low"] > noise:
                verdict = f"**{line['ratio']:.2f}× faster**"
            elif line["ratio_high"] < 1 / noise:
                verdict = f"**{1 / line['ratio']:.2f}× slower**"
            sentences.append(f"batch {batch}, {name}: {verdict}")
        sentences[-1] += f" (the same file twice differs by up to {noise:.2f}×)"
    return "; ".join(sentences) + "."


def describe_adapter(view: AdapterView) -> str:
    count, able = len(view.layers), len(view.spectra)
    layers = "1 layer" if count == 1 else f"{count} layers"
    return (
        f"A LoRA adapter: {layers}, {able if able < count else 'all'} of which can be resized, with "
        f"**{format_count(view.parameters)}** parameters in {format_size(view.file_bytes)}. The "
        "spectra are those of each layer's whole update, scale · B · A, and exact."
    )


def describe_resized(built: ResizedView) -> str:
    size = format_size(sum(len(content) for _, content in built.files))
    return (
        f"Written, read back and compared: **{size}**, {100 * built.energy_kept:.2f} % of the "
        "energy. Layout, types and the scale alpha / r are yours."
    )


HEAD = (
    "All layers before the last are held. What is left to train on the fit part is convex: softmax "
    "regression on what the last layer takes, for a number linear regression. So each bound's "
    "optimum is certified, by code that no solver shares."
)
HEAD_START = (
    "Starts at the smallest bound that loses at most a point (0.01 of R²) on the validation part; "
    "the test part only reports."
)


def describe_certificate(view: HeadView, row: int) -> str:
    """Whether a row is certified, and what is proved of it."""
    line = view.table.iloc[row]
    within = f"at most {line['duality_gap']:.1e} above the optimum by its duality gap"
    if not math.isfinite(line["duality_gap"]):
        within = "judged by its KKT residual, as this set has no end and so no duality gap"
    proved = (
        f"{within} (training loss {line['train_loss']:.4g}, KKT residual "
        f"{line['kkt_residual']:.1e})"
    )
    if not line["certified"]:
        return f"**Not certified** to a ten-thousandth of the zero model's loss: {proved}."
    return (
        f"**Certified**: {proved}. One more unit of c would take **{line['price']:.3g}** off the "
        "training loss."
    )


def describe_head(view: HeadView, row: int, task: str) -> str:
    """What this bound costs, what is the bound's doing, and what it does not save."""
    table = view.table
    line, last = table.iloc[row], table.iloc[-1]
    change, low, high = (
        format_change(line[end], task) for end in ("change", "change_low", "change_high")
    )
    unit = " points" if task == "classification" else " of R²"
    certified = int(table["certified"].sum())
    return (
        f"Against your model on the test part: **{change}**{unit} (95 %: {low} to {high}). Training "
        f"anew is part of that: with the loosest bound it alone gives "
        f"{format_change(last['change'], task)}{unit}. {100 * line['pinned']:.0f} % of the weights "
        f"are held; {certified} of {len(table)} bounds are certified, on {view.fit_rows:,} fit rows. "
        "An ONNX file stores every weight: it becomes no shorter by this."
    )


def describe_head_file(built: HeadFile) -> str:
    return (
        f"Your model with this last layer: **{format_size(len(built.content))}**, written, read "
        f"back and run; its outputs differ from those judged above by at most "
        f"{built.difference:.0e}."
    )


CHAIN = (
    "*Train*, *Combine*, *Decide* and the parts of *Constrained* that train are shut for files: "
    "a file holds neither how it was trained nor, as a rule, a plain chain of layers. What they "
    "compress without training stands here: ranks, bits, both together, bounds with a refit, the "
    "last layer."
)
