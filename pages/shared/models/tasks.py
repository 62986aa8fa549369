"""The worker's side: names and numbers in, plain results out.

Each function is a job. It runs in a worker process, is given ``report(done, total, partial)``,
and holds nothing between calls but the datasets and networks that it has loaded last: another
worker can always go on.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from pages.shared.jobs.report import Report

from .results import (
    OWN_RECIPE,
    CurveView,
    FormatView,
    Layer,
    LowRankSetting,
    Origin,
    TrainedReference,
    Training,
)

T = TypeVar("T")


def warm_up() -> None:
    """Import what every job needs, so that the first one finds it loaded."""
    import sklearn.datasets
    import sklearn.model_selection  # noqa: F401
    import torch

    import compression.constrained.training.curve
    import compression.low_rank.curve
    import compression.low_rank.truncated_svd  # noqa: F401
    import data.base  # noqa: F401

    torch.set_num_threads(1)


@lru_cache(maxsize=4)
def load_dataset(name: str, seed: int) -> Any:
    """A dataset; the last ones stay."""
    import data

    return data.load(name, seed=seed)


def reference(
    report: Report, dataset: str, model: str, seed: int, training: Training = OWN_RECIPE
) -> TrainedReference:
    """Train a reference; the partial result is its history so far, as a table."""
    import compression
    from compression import accounting, network, storage
    from compression.constrained.training.curve import curve_bounds
    from compression.low_rank import truncated_svd
    from compression.low_rank.spectrum import energy_ranks
    from data.checks import score_majority
    from data.preview import count_rows

    loaded = load_dataset(dataset, seed)
    training = Training(*training)
    trained = compression.train(
        loaded,
        model=model,
        seed=seed,
        report=report_steps(report, "epoch", pd.DataFrame),
        **training._asdict(),
    )
    net = trained.network
    predictions = _predict(net, loaded)
    layers = tuple(_describe_layer(name, part) for name, part in network.layers(net).items())
    spectra = {
        name: truncated_svd.svd(network.matrix(part))[1]
        for name, part in network.layers(net).items()
    }
    return TrainedReference(
        dataset=dataset,
        model=model,
        seed=seed,
        training=training,
        task=loaded.task,
        file=storage.to_bytes(net),
        history=trained.history,
        seconds=trained.seconds,
        score=trained.score,
        score_low=trained.interval.low,
        score_high=trained.interval.high,
        parameters=accounting.parameters(net),
        bytes=accounting.bytes_of(net),
        macs=accounting.macs(net),
        layers=layers,
        structure=accounting.structure(net),
        class_names=loaded.class_names,
        target=loaded.y_test,
        predictions=predictions,
        **_count_classes(loaded, predictions),
        target_name=loaded.target_name,
        target_unit=loaded.target_unit,
        target_mean=loaded.target_mean,
        target_scale=loaded.target_scale,
        rows=count_rows(loaded),
        majority=score_majority(loaded),
        zero_one=len(loaded.zero_one),
        spectra=spectra,
        energy_ranks={
            name: energy_ranks(values, (0.95,))[0.95] for name, values in spectra.items()
        },
        bounds={
            name: tuple(curve_bounds(trained, loaded, name)) for name in compression.CONSTRAINTS
        },
    )


def _count_classes(dataset: Any, predictions: np.ndarray) -> dict[str, Any]:
    """Confusion matrix and report of the test set; None for regression."""
    from compression import evaluation

    if dataset.task != "classification":
        return {"confusion": None, "report": None}
    return {
        "confusion": evaluation.confusion(predictions, dataset.y_test, dataset.classes),
        "report": evaluation.class_report(predictions, dataset.y_test, dataset.class_names),
    }


def _predict(net: Any, dataset: Any) -> np.ndarray:
    import torch

    from compression import evaluation
    from compression.network import forward_in_blocks

    outputs = forward_in_blocks(net, torch.from_numpy(dataset.x_test)).numpy()
    return evaluation.predictions(outputs, dataset.task)


def _describe_layer(name: str, part: Any) -> Layer:
    from compression.low_rank.decomposition import break_even_rank
    from compression.network import matrix

    rows, columns = matrix(part).shape
    kind = {"Linear": "linear", "Conv1d": "conv1d", "Conv2d": "conv2d"}
    return Layer(
        name,
        kind[type(part).__name__],
        (rows, columns),
        break_even_rank(rows, columns),
        tuple(getattr(part, "kernel_size", ())),
    )


def load_reference(origin: Origin) -> tuple[Any, Any]:
    """The dataset, and the reference again from its file: what most jobs begin with."""
    from compression import evaluation, storage
    from compression.training import Reference

    file, dataset, model, seed, training = origin
    loaded = load_dataset(dataset, seed)
    net = storage.from_bytes(file)
    nan = float("nan")
    unknown = evaluation.Interval(nan, nan)
    history = pd.DataFrame()
    return loaded, Reference(
        net, history, nan, unknown, model, dataset, seed, nan, loaded.fingerprint, *training
    )


def curve_view(
    curve: Any,
    shapes: dict[str, tuple[int, int]] | None = None,
    with_files: bool = False,
) -> CurveView:
    """A curve as a page is handed it; marks of the layers whose shapes are given.

    ``with_files``: with the rows' model files.
    """
    from compression.low_rank.spectrum import markers
    from compression.suggestion import suggested_row

    return CurveView(
        knob=curve.knob,
        method=curve.method,
        table=curve.table,
        reference=curve.reference,
        predictions=curve.predictions,
        gains=curve.gains,
        confusion=curve.confusion,
        spectra=curve.spectra,
        marks={
            name: markers(curve.spectra[name], shape)
            for name, shape in (shapes or {}).items()
            if name in curve.spectra
        },
        suggested=suggested_row(curve.table, float(curve.reference["validation_score"])),
        files=tuple(map(curve.file, range(len(curve.table)))) if with_files else (),
    )


def report_steps(
    report: Report, what: str, shown: Callable[[Any], Any] = curve_view
) -> Callable[[int, int, Callable[[], Any] | None], bool]:
    """A ``report`` for the package's long functions: "rank 3 of 12", and what there is so far.

    ``shown`` makes of their partial result what a page is handed: of most it is a curve.
    """

    def step(done: int, total: int, so_far: Callable[[], Any] | None) -> bool:
        so_far_shown = None if so_far is None else lambda: shown(so_far())
        return report(done, total, so_far_shown, f"{what} {done} of {total}")

    return step


def low_rank_arguments(setting: tuple) -> dict[str, Any]:
    """A setting as the package's functions take it."""
    return LowRankSetting(*setting)._asdict()


def low_rank_curve(
    report: Report,
    origin: Origin,
    setting: LowRankSetting,
    epochs: int = 0,
    ranks: tuple[int, ...] | None = None,
) -> CurveView:
    """Every rank of one method; with epochs, ranks spaced by ratio, each trained on for as many.

    ``ranks``: these in their place. The partial result is the curve so far.
    """
    import compression
    from compression import network
    from compression.low_rank.curve import list_spaced_ranks

    dataset, reference = load_reference(origin)
    method, layers, *_ = setting
    shapes = {
        name: network.matrix(part).shape for name, part in network.layers(reference.network).items()
    }

    def view(curve: Any) -> CurveView:
        return curve_view(curve, shapes)

    spaced = epochs and ranks is None
    curve = compression.low_rank_curve(
        reference,
        dataset,
        ranks=list_spaced_ranks(reference, dataset, method, layers) if spaced else ranks,
        **low_rank_arguments(setting),
        epochs=epochs,
        report=report_steps(report, "rank", view),
    )
    return view(curve)


def low_rank_file(
    report: Report, origin: Origin, setting: LowRankSetting, rank: int, epochs: int = 0
) -> bytes:
    """The model file of one rank, as its row of the curve was made."""
    import compression
    from compression import storage

    dataset, reference = load_reference(origin)
    curve = compression.low_rank_curve(
        reference,
        dataset,
        ranks=[rank],
        **low_rank_arguments(setting),
        epochs=epochs,
    )
    return storage.to_bytes(curve.network(0))


def budget_curve(
    report: Report, origin: Origin, unit: str, setting: LowRankSetting, epochs: int = 0
) -> CurveView:
    """Ten budgets shared among the layers by every rule, and the scores reached."""
    import compression

    dataset, reference = load_reference(origin)
    curve = compression.budget_curve(
        reference,
        dataset,
        unit=unit,
        **low_rank_arguments(setting),
        epochs=epochs,
        report=report_steps(report, "network"),
    )
    return curve_view(curve, with_files=True)


def other_formats(report: Report, content: bytes, stem: str) -> list[FormatView]:
    """A model file's network in other readers' formats, each run beside it."""
    from compression.exports import convert_file

    return [FormatView(**vars(export)) for export in convert_file(content, f"{stem}.pt")]


def baseline_curve(report: Report, origin: Origin, method: str, learnt: int) -> CurveView:
    """An alternative at every value of its knob; the partial result is the curve so far.

    ``learnt``: the reference's epochs, which a network from scratch has too; its history does not
    come with its file.
    """
    import compression

    dataset, reference = load_reference(origin)
    reference = replace(reference, history=pd.DataFrame(index=range(learnt)))
    curve = compression.baseline_curve(
        reference, dataset, method, report=report_steps(report, "network")
    )
    return curve_view(curve, with_files=True)


EQUAL_EPOCHS = 10  # of every compared network: as many as a baseline has
FEW_BITS_EPOCHS = EQUAL_EPOCHS  # half of them come before the weights are rounded
FEW_BITS_ROWS = 8  # ranks or bounds that are rounded to every number of bits
FEW_BITS_PAIRS = 3  # the same for ranks and bounds of a combination


def fine_tuned_curve(report: Report, origin: Origin, epochs: int) -> CurveView:
    """The reference trained on without any bound: what the same epochs alone give.

    Its bound is the largest, where the constrained page's own fine-tuning begins.
    """
    import compression
    from compression.constrained.training.curve import curve_bounds

    dataset, reference = load_reference(origin)
    largest = curve_bounds(reference, dataset, "box")[-1]
    curve = compression.constrained_curve(
        reference, dataset, bounds=[largest], method="fine_tuning", epochs=epochs
    )
    return curve_view(curve, with_files=True)


def few_bits(
    report: Report,
    origin: Origin,
    family: str,
    name: str,
    bits: int | None,
    ranks: tuple[int, ...] = (),
) -> CurveView:
    """A low-rank method, a set or a combination in few bits, every row with the same epochs.

    ``family``: "low_rank", "constraint" or "combined"; ``bits``: None for the best ones at each
    file size; ``ranks``: of a combination. The partial result has all rows so far.
    """
    import compression
    from compression.grid import TRIED_BITS

    dataset, reference = load_reference(origin)
    half = FEW_BITS_EPOCHS // 2
    plain = _compute_family_curve(reference, dataset, family, name, ranks, half)
    curve = compression.few_bits_curve(
        reference,
        dataset,
        plain,
        TRIED_BITS if bits is None else [bits],
        epochs=FEW_BITS_EPOCHS - half,
        report=report_steps(report, "network"),
    )
    if bits is None:
        curve = compression.best_bits(curve)
    return curve_view(curve, with_files=True)


def _compute_family_curve(
    reference: Any, dataset: Any, family: str, name: str, ranks: tuple[int, ...], epochs: int
) -> Any:
    """Some rows of a family, each from the reference with so many epochs."""
    import compression
    from compression.constrained.training.curve import default_bounds
    from compression.low_rank.curve import list_spaced_ranks

    if family == "low_rank":
        spaced = list_spaced_ranks(reference, dataset, name, count=FEW_BITS_ROWS)
        return compression.low_rank_curve(reference, dataset, name, spaced, epochs=epochs)
    if family == "combined":
        entry = compression.COMBINED_METHODS[name]
        return compression.combined_curve(
            reference,
            dataset,
            name,
            _thin(ranks, FEW_BITS_PAIRS),
            _thin(entry.bounds, FEW_BITS_PAIRS),
            epochs,
            constraint=entry.constraint or "box",
            warm_start=False,
        )
    bounds = _thin(default_bounds(reference.network, name), FEW_BITS_ROWS)
    return compression.constrained_curve(
        reference, dataset, name, bounds, epochs=epochs, warm_start=False
    )


def _thin(values: Sequence[T], count: int) -> Sequence[T]:
    """At most so many of them, the first one among them."""
    return values[:: -(-len(values) // count)]


def combined_grid(
    report: Report,
    origin: Origin,
    method: str,
    constraint: str,
    ranks: tuple[int, ...],
    bounds: tuple[float, ...],
    epochs: int,
    warm_start: bool = True,
) -> CurveView:
    """Every pair of these ranks and bounds; the partial result is the pairs so far, without files."""
    from compression.combined.curve import combined_curve

    dataset, trained = load_reference(origin)
    curve = combined_curve(
        trained,
        dataset,
        method,
        ranks,
        bounds,
        epochs,
        constraint=constraint,
        warm_start=warm_start,
        report=report_steps(report, "pair"),
    )
    return curve_view(curve, with_files=True)
