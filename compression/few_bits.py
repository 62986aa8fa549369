"""Curves of networks in few bits: any family's, rounded or trained on with rounded weights."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from torch import nn

from . import accounting, storage
from .argument_checks import check_arguments
from .catalog import CONSTRAINTS
from .constrained.sets import ConstraintSet
from .curve import Curve, CurveBuilder
from .errors import ArgumentError
from .grid import BITS, TRIED_BITS, check_bits
from .models import recipe_of
from .network import bounded_of, layers
from .pareto import pareto_front
from .quantization import quantize, rounding_errors
from .report import order_far_apart_first
from .straight_through import train_quantized
from .threads import in_one_thread
from .training import (
    BATCH_SIZE,
    DatasetLike,
    Reference,
    Report,
    Trainer,
    keep_going,
    samples_for,
)


@check_arguments
@in_one_thread
def quantized_curve(
    reference: Reference,
    dataset: DatasetLike,
    rows: Iterable[tuple[float, nn.Sequential, int]],
    knob: str = "bits",
    *,
    epochs: int = 0,
    behind: Sequence[int] = (),
    report: Report = keep_going,
) -> Curve:
    """Networks in a few bits, judged: one network in many bits, or many networks in the same.

    Parameters
    ----------
    reference : Reference
    dataset : Dataset
        The one that the reference was trained on.
    rows : iterable of (knob's value, network, bits)
        Networks of this reference: itself, or of any of its curves.
    knob : str
        What the knob's values are.
    epochs : int
        Passes over the training rows for each network, with its weights rounded as its file will
        keep them (:mod:`compression.straight_through`); 0: it is rounded and no more.
    behind : sequence of int
        The epochs that each row's network had before; none when left out.
    report : callable
        Called after each row with (done, total, a function that gives the curve so far);
        returning False ends the curve there.

    Returns
    -------
    Curve
        Its table has also the columns bits; step, the widest cell of any layer; clipping_error,
        what the bounds cut off the reference's weights (over the bounded layers, 0 where there
        are none); rounding_error, what quantisation adds; largest_rounding_error. Errors are root
        mean squares over all weights, in their units. ``bytes`` are those of the quantised files.

    Raises
    ------
    ArgumentError
        Bits other than 1 to 16 and 32.
    NotApplicableError
        A network has no weights, or weights that are not finite.
    """
    given = list(rows)
    if not given:
        raise ArgumentError("there is no row to judge: give at least one network and its bits")
    files: list[bytes] = []
    samples = samples_for(reference, dataset)
    judge = CurveBuilder(reference, dataset, samples)
    rate = recipe_of(reference.model, dataset).learning_rate

    def build_trainer(learning: nn.Sequential, project: Callable[[], None]) -> Trainer:
        return Trainer(learning, samples, rate, BATCH_SIZE, reference.order_seed, project)

    def build_curve() -> Curve:
        curve = judge.curve(
            knob=knob,
            method="quantization",
            spectra={},
            _network=lambda row: storage.from_bytes(files[row]),
            _file=files.__getitem__,
        )
        return replace(curve, table=curve.table.astype({"bits": int}))

    for done, (value, network, bits) in enumerate(given, start=1):
        quantized = (
            train_quantized(network, check_bits(bits), epochs, build_trainer)
            if epochs
            else quantize(network, bits)
        )
        files.append(storage.to_bytes(quantized))
        rounding = rounding_errors(network, quantized)
        sizes = rounding["weights"]
        facts = {
            "parameters": accounting.parameters(quantized),
            "bytes": len(files[-1]),
            "macs": accounting.macs(quantized),
            "bits": bits,
            "step": rounding["step"].max(),
            "clipping_error": clipping_error(reference.network, network),
            "rounding_error": np.sqrt(np.average(rounding["rms_error"] ** 2, weights=sizes)),
            "largest_rounding_error": rounding["largest_error"].max(),
        }
        spent = epochs + (behind[done - 1] if behind else 0)
        judge.add(value, samples.outputs(quantized), facts, spent)
        if not report(done, len(given), build_curve):
            break
    return build_curve()


@check_arguments
@in_one_thread
def few_bits_curve(
    reference: Reference,
    dataset: DatasetLike,
    curve: Curve,
    bits: Sequence[int] = TRIED_BITS,
    *,
    epochs: int = 0,
    report: Report = keep_going,
) -> Curve:
    """A family's networks, each in every number of bits.

    Parameters
    ----------
    reference : Reference
    dataset : Dataset
        The one that the reference was trained on.
    curve : Curve
        Of this reference: low rank, constrained, combined or an alternative.
    bits : sequence of int
        From 1 to 16, or 32.
    epochs : int
        Of quantisation-aware training for each row, beside those that it has; 0: rounding alone.
    report : callable
        Called after each network with (done, total, a function that gives the curve so far);
        returning False ends the curve there.

    Returns
    -------
    Curve
        As :func:`quantized_curve` gives it, of the curve's own method and knob. The column
        ``row`` says which of the curve's rows it is in few bits; a combination's rank and bound
        are there too. :func:`best_bits` keeps the bits
        that pay, :func:`with_bits` those of one number.

    Raises
    ------
    ArgumentError
        Bits other than 1 to 16 and 32, or none.
    """
    if len(bits) == 0:
        raise ArgumentError("no bits were given: choose from 1 to 16, or 32")
    places = [(row, number) for row in range(len(curve.table)) for number in map(check_bits, bits)]
    knobs, behind = curve.table["knob"].tolist(), curve.table["epochs"].tolist()
    rows = ((knobs[row], curve.network(row), number) for row, number in places)

    def as_family(quantized: Curve) -> Curve:
        rows = [row for row, _ in places[: len(quantized.table)]]
        pairs = {
            name: curve.table[name].to_numpy()[rows]
            for name in ("rank", "bound")
            if name in curve.table
        }
        return replace(
            quantized, method=curve.method, table=quantized.table.assign(row=rows, **pairs)
        )

    def step(done: int, total: int, build_curve: Callable[[], Curve]) -> bool:
        return report(done, len(places), lambda: as_family(build_curve()))

    quantized = quantized_curve(
        reference,
        dataset,
        rows,
        curve.knob,
        epochs=epochs,
        behind=[behind[row] for row, _ in places],
        report=step,
    )
    return as_family(quantized)


@check_arguments
def best_bits(curve: Curve) -> Curve:
    """A curve in few bits with its best bits at each size, the column ``bits`` naming them.

    Of the rows no row of fewer bytes scores as well on the validation part; by ascending bytes.
    Of rows equal in both the one of fewest bits.
    """
    ordered = curve.table.sort_values("bits", kind="stable")
    front = pareto_front(ordered, "bytes", "validation_score")
    front = front.drop_duplicates(["bytes", "validation_score"])
    return curve.pick(front.index.to_numpy())


@check_arguments
def with_bits(curve: Curve, bits: int) -> Curve:
    """A curve in few bits with the rows of one number of bits."""
    return curve.pick(np.flatnonzero(curve.table["bits"] == bits))


def clipping_error(reference: nn.Module, network: nn.Module) -> float:
    """What a network's bounds cut off the reference's weights: root mean square, in their units.

    Of the bounds alone: how far the reference's weights are from their nearest points in the
    sets, over all weights of the bounded layers that are layers of the reference; 0 without any.
    """
    squares, count = 0.0, 0
    for name, layer in layers(network).items():
        bounded = bounded_of(layer)
        if bounded is None or name not in layers(reference):
            continue  # the reference has no weight that a factor could be compared with
        weight = layers(reference)[name].weight.detach().cpu().numpy()
        members: ConstraintSet = CONSTRAINTS[bounded.constraint].load()()
        cut = weight.astype(np.float64) - members.project(weight, bounded.bound)
        squares, count = squares + float(np.sum(cut**2)), count + weight.size
    return float(np.sqrt(squares / max(count, 1)))


@check_arguments
def fewest_bits(table: pd.DataFrame, allowed: float = 0.01) -> int:
    """The fewest bits of a quantised curve's table that a validation score can do with.

    ``allowed``: how much of the score of the row with the most bits may be lost.
    """
    if table.empty or not {"bits", "validation_score"} <= set(table):
        raise ArgumentError(
            "there is no row with bits and a validation score: give a curve's table"
        )
    if allowed < 0:
        raise ArgumentError(f"a loss of {allowed} is not possible: choose 0 or more")
    most = table.loc[table["bits"].idxmax(), "validation_score"]
    return int(table.loc[table["validation_score"] >= most - allowed, "bits"].min())


@in_one_thread
def bits_by_bound(
    reference: Reference,
    dataset: DatasetLike,
    networks: Sequence[tuple[float, nn.Sequential]],
    *,
    report: Report = keep_going,
) -> pd.DataFrame:
    """Every bound's network in every number of bits, judged.

    Parameters
    ----------
    reference : Reference
    dataset : Dataset
        The one that the reference was trained on.
    networks : sequence of (float, torch module)
    report : callable
        Called after each bound, those far apart first, with (done, total, a function that gives
        the table so far); returning False ends the table there.

    Returns
    -------
    DataFrame
        A line a bound and number of bits: the columns of a quantised curve's table, bound, and
        fewest_bits, with which this bound loses at most a point.
    """
    tables: list[pd.DataFrame] = []

    def build_table() -> pd.DataFrame:
        return pd.concat(tables).sort_values(["bound", "bits"], ignore_index=True)

    for done, row in enumerate(order_far_apart_first(len(networks)), start=1):
        bound, network = networks[row]
        curve = quantized_curve(reference, dataset, [(b, network, b) for b in BITS])
        tables.append(curve.table.assign(bound=bound, fewest_bits=fewest_bits(curve.table)))
        if not report(done, len(networks), build_table):
            break
    return build_table()
