"""The worker's side of the page on one's own model: files in, tables and a smaller file out.

Files that people bring stay in memory: none of these results is kept beyond the process.
"""

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import pandas as pd

from pages.shared.jobs.report import Report, measures_time

from .results import (
    AdapterView,
    CalibratedPlan,
    Calibration,
    HeadFile,
    HeadView,
    ModelView,
    Readings,
    ResizedView,
    SmallerModel,
)

if TYPE_CHECKING:
    from compression.graphs.head_curve import HeadCurve
    from compression.graphs.model import Model
    from compression.graphs.onnx_model import OnnxModel
    from compression.graphs.smallest import BoundedCurve, ScoreCurve

Files = tuple[tuple[str, bytes], ...]


@measures_time
def read(report: Report, files: Files) -> ModelView:
    """Weights, spectra, and ranks for every share of the parameters."""
    from compression import CompressionError
    from compression.graphs.layer_table import tabulate_layers, take_spectra
    from compression.graphs.plan import find_starting_row, plan

    model = _load(files)

    def tell(part: str, first: float):
        return lambda done, total, _: report(first + 0.5 * done / total, 1, None, part)

    model.measure(tell("taking spectra", 0.0))
    name = next((n for n, _ in files if n.lower().endswith(".onnx")), files[0][0])
    kind = "ONNX graph" if name.lower().endswith(".onnx") else "tensors"
    table, spectra = tabulate_layers(model), take_spectra(model)
    facts = (name, kind, model.file_bytes, model.parameters, table, spectra)
    try:
        rank_plan = plan(model, report=tell("sharing budgets", 0.5))
    except CompressionError:
        return ModelView(*facts, None, (), 0, len(files) > 1)
    ranks = tuple(tuple(sorted(chosen.items())) for chosen in rank_plan.ranks)
    return ModelView(
        *facts, rank_plan.table, ranks, find_starting_row(rank_plan.table), len(files) > 1
    )


@measures_time
def calibrate(
    report: Report, files: Files, dataset: str, seed: int, way: tuple[str, str, str]
) -> CalibratedPlan:
    """Ranks by what the layers give on rows of the fit part."""
    from compression.graphs.plan import find_starting_row, plan

    report(0, 1, None, "asking layers what they give")
    model = _calibrate(files, dataset, seed, way)
    rank_plan = plan(
        model, report=lambda done, total, _: report(done, total, None, "sharing budgets")
    )
    ranks = tuple(tuple(sorted(chosen.items())) for chosen in rank_plan.ranks)
    others = tuple(
        weight.name
        for weight in model.weights
        if not weight.reason and weight.name not in model.calibration
    )
    return CalibratedPlan(rank_plan.table, ranks, find_starting_row(rank_plan.table), others)


@measures_time
def build(
    report: Report,
    files: Files,
    ranks: tuple[tuple[str, int], ...],
    bits: int = 32,
    calibration: Calibration | None = None,
) -> SmallerModel:
    """The smaller model's file, written, read back and compared."""
    from compression.graphs.check import write_checked, write_rounded

    model = _load(files) if calibration is None else _calibrate(files, *calibration)
    if bits == 32:
        written, check = write_checked(model, dict(ranks))
    else:
        written, check = write_rounded(model, dict(ranks), bits)
    ((name, content),) = written.items()
    return SmallerModel(name, content, check.difference, check.outputs, check.why_not, bits)


@measures_time
def latency(
    report: Report,
    files: Files,
    dataset: str,
    seed: int,
    way: tuple[str, str, str],
    ranks: tuple[tuple[str, int], ...],
    calibrated: bool = False,
) -> pd.DataFrame:
    """Seconds a call of the model as it came (twice: for the noise) and of smaller ones."""
    from compression.graphs.readings import Reading
    from compression.graphs.score_curve import time_sizes
    from pages.shared.models.tasks import load_dataset

    model = _calibrate(files, dataset, seed, way) if calibrated else _load(files)
    return time_sizes(model, dict(ranks), load_dataset(dataset, seed), Reading(*way))


@measures_time
def readings(report: Report, files: Files, dataset: str, seed: int) -> Readings:
    """How the model reads its input, by what each way gives on validation rows."""
    from compression.graphs.readings import judge_readings
    from data.checks import score_majority
    from pages.shared.models.tasks import load_dataset

    loaded = load_dataset(dataset, seed)
    graph = next(iter(_load(files).to_bytes().values()))
    judged = judge_readings(graph, loaded, report)
    names = () if judged.order is None else tuple(loaded.class_names[i] for i in judged.order)
    return Readings(
        judged.table,
        tuple((reading.scaling, reading.layout, reading.answer) for reading in judged.readings),
        judged.majority,
        score_majority(loaded),
        judged.order,
        names,
        tuple(judged.beats_majority(place) for place in range(len(judged.readings))),
        judged.rows,
        loaded.task,
    )


@measures_time
def scores(
    report: Report,
    files: Files,
    dataset: str,
    seed: int,
    ranks: tuple[tuple[tuple[str, int], ...], ...],
    way: tuple[str, str, str],
    order: tuple[int, ...] | None,
    calibrated: bool = False,
) -> "ScoreCurve":
    """Models of rising size, judged; the partial result is what there is so far."""
    from compression.graphs.readings import Reading
    from compression.graphs.score_curve import judge_on, score_curve
    from pages.shared.models.tasks import load_dataset

    loaded = load_dataset(dataset, seed)
    plans = [dict(chosen) for chosen in ranks]
    model = _calibrate(files, dataset, seed, way) if calibrated else _load(files)
    return score_curve(model, plans, judge_on(model, loaded, Reading(*way), order), report=report)


@measures_time
def turn_sentences(
    report: Report, weights: str, ranks: tuple[tuple[tuple[str, int], ...], ...]
) -> pd.DataFrame:
    """How far the text model's sentences turn at each choice of ranks; ``weights``: its file."""
    from pathlib import Path

    from compression.graphs.example import sentences

    words = sentences.read_words(Path(weights))
    tokens = sentences.to_tokens(sentences.SENTENCES, words)
    encoder = sentences.read_encoder(Path(weights))
    return sentences.cosine_curve(encoder, tokens, [dict(chosen) for chosen in ranks], report)


@measures_time
def bound_head(
    report: Report,
    files: Files,
    dataset: str,
    seed: int,
    way: tuple[str, str, str],
    order: tuple[int, ...] | None,
    constraint: str,
) -> HeadView:
    """The last layer under every bound; the partial result is the path so far."""
    from compression.graphs.head_curve import head_curve
    from compression.graphs.readings import Reading, split_parts
    from pages.shared.models.tasks import load_dataset

    loaded = load_dataset(dataset, seed)
    fit, validation, test = split_parts(loaded, Reading(*way))
    model: Any = _load(files)

    def pack(curve: "HeadCurve") -> HeadView:
        return HeadView(
            curve.heads[0].layer,
            curve.table,
            tuple((head.weight, head.intercept) for head in map(curve.head_of, curve.heads)),
            tuple(curve.multipliers),
            curve.original,
            curve.first_row(),
            curve.fit_rows,
            tuple(loaded.class_names),
        )

    def tell(done, total, gather):
        return report(done, total, None if gather is None else lambda: pack(gather()))

    shape = {"task": loaded.task, "constraint": constraint, "order": order, "report": tell}
    return pack(head_curve(model, fit, validation, test, **shape))


@measures_time
def bound_layers(
    report: Report,
    files: Files,
    dataset: str,
    seed: int,
    way: tuple[str, str, str],
    order: tuple[int, ...] | None,
) -> "BoundedCurve":
    """Every layer under every bound, refitted; the partial result is what there is so far."""
    from compression.graphs.bounded_curve import bounded_curve
    from compression.graphs.readings import Reading, calibration_samples
    from compression.graphs.score_curve import judge_on
    from pages.shared.models.tasks import load_dataset

    loaded, reading, model = load_dataset(dataset, seed), Reading(*way), _load(files)
    judge = judge_on(model, loaded, reading, order)
    return bounded_curve(
        _require_graph(model), calibration_samples(loaded, reading), judge, report=report
    )


@measures_time
def build_bounded(
    report: Report,
    files: Files,
    dataset: str,
    seed: int,
    way: tuple[str, str, str],
    share: float,
    bits: int,
) -> SmallerModel:
    """The file whose every layer is under a bound and refitted, read back and compared."""
    from compression.graphs.check import write_bounded
    from compression.graphs.readings import Reading, calibration_samples
    from pages.shared.models.tasks import load_dataset

    samples = calibration_samples(load_dataset(dataset, seed), Reading(*way))
    written, check = write_bounded(_require_graph(_load(files)), share, samples, bits)
    ((name, content),) = written.items()
    return SmallerModel(name, content, check.difference, check.outputs, check.why_not, bits)


def _require_graph(model: "Model") -> "OnnxModel":
    """What is judged on data is a graph: tensors alone have been sent away before."""
    from compression.graphs.onnx_model import OnnxModel

    assert isinstance(model, OnnxModel)
    return model


@measures_time
def build_head(
    report: Report,
    files: Files,
    dataset: str,
    seed: int,
    way: tuple[str, str, str],
    layer: str,
    weight: bytes,
    intercept: bytes,
) -> HeadFile:
    """The model's file with a head, given as float64 numbers, read back and compared."""
    import numpy as np

    from compression.graphs.head import Head
    from compression.graphs.head_curve import write_head
    from compression.graphs.readings import Reading, split_parts
    from pages.shared.models.tasks import load_dataset

    _, _, (x, _) = split_parts(load_dataset(dataset, seed), Reading(*way))
    levels = np.frombuffer(intercept)
    head = Head(layer, np.frombuffer(weight).reshape(len(levels), -1), levels, "")
    written, difference = write_head(_load(files), head, x[:256])
    ((name, content),) = written.items()
    return HeadFile(name, content, difference)


@lru_cache(maxsize=2)
def _load(files: Files) -> "Model":
    from compression.graphs import example

    if files == ((example.NAME, example.content()),):
        from compression.graphs.onnx_model import read_onnx

        return read_onnx(dict(files))  # the example is trusted: read it in this process
    import compression

    return compression.read_model(dict(files))


@lru_cache(maxsize=2)
def _calibrate(files: Files, dataset: str, seed: int, way: tuple[str, str, str]) -> "Model":
    """The model with what its layers give on fit rows: no row that a size is chosen or judged by."""
    from compression.graphs.readings import Reading, calibration_samples
    from pages.shared.models.tasks import load_dataset

    loaded = load_dataset(dataset, seed)
    return _load(files).calibrate(calibration_samples(loaded, Reading(*way)))


@measures_time
def read_adapter(report: Report, files: Files) -> AdapterView:
    """Spectra of a LoRA adapter's updates, and ranks for every share of its parameters."""
    import compression
    from compression.adapters.plan import plan

    def tell(part: str, first: float):
        return lambda done, total, _: report(first + 0.5 * done / total, 1, None, part)

    adapter = compression.read_adapter(dict(files), tell("taking spectra", 0.0))
    rank_plan = plan(adapter, report=tell("sharing budgets", 0.5))
    able = adapter.layers[adapter.layers["reason"] == ""]["layer"]
    return AdapterView(
        file_bytes=sum(len(content) for _, content in files),
        parameters=adapter.parameters,
        layers=adapter.layers,
        spectra={name: adapter.spectrum(name) for name in able},
        plan=rank_plan.table,
        ranks=tuple(tuple(sorted(chosen.items())) for chosen in rank_plan.ranks),
        start=rank_plan.first_row(),
    )


@measures_time
def resize_adapter(report: Report, files: Files, ranks: tuple[tuple[str, int], ...]) -> ResizedView:
    """The adapter's files at these ranks, written, read back and compared."""
    import compression

    resized = compression.read_adapter(dict(files)).resize(dict(ranks))
    return ResizedView(tuple(sorted(resized.files.items())), resized.energy_kept)
