"""Free weights in a few bits: how the bound trades clipping against rounding.

A weight that is pinned or zero is kept by its state and stays as it is. The free ones of a box
lie on (−c, c): b bits make cells of width 2c / 2^b, so that a smaller bound clips more and rounds
finer. Sets without such a c use the layer's largest absolute free weight in its place.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import nn

from . import accounting, storage
from .catalog import CONSTRAINTS
from .constrained.sets import ConstraintSet
from .curve import Curve, CurveBuilder
from .grid import BITS, Grid, check_bits
from .network import Bounded, bounded_layers, layers, set_bounded
from .report import far_apart_first
from .training import Data, Reference, Report, capped_threads, keep_going, samples_for
from .weight_states import FREE

Array = NDArray[np.floating]


@dataclass(frozen=True, eq=False)
class Quantized:
    """A network whose free weights are quantised.

    Attributes
    ----------
    network : torch module
        In eval mode; ``compression.save`` keeps its free weights as codes.
    table : DataFrame
        One row a bounded layer: layer, free (number of free weights), step (width of a cell),
        largest_error and rms_error (of rounding, over all weights of the layer), in the units of
        the weights.
    """

    network: nn.Sequential
    table: pd.DataFrame


def quantize(network: nn.Sequential, bits: int) -> Quantized:
    """Round the free weights of all bounded layers to b bits.

    Rounding moves a weight by half a step at most and changes no state: a box or an upper bound
    still holds, and as many weights are free. (A ball may be left by as much as it adds up to.)

    Parameters
    ----------
    network : torch module
        A curve's; never changed.
    bits : int
        2 to 16, or 32: as they are.

    Raises
    ------
    ArgumentError
        Other bits.
    NotApplicableError
        No layer has a bound.
    """
    bits = check_bits(bits)
    network = copy.deepcopy(network)
    lines = []
    for name, (layer, bounded) in bounded_layers(network).items():
        weight = layer.weight.detach().cpu().numpy().copy()
        free = storage.states(weight, bounded) == FREE
        rounded, step = weight.copy(), 0.0
        if bits < 32:
            grid = _grid(weight[free], bounded, bits)
            rounded[free] = grid.values(grid.codes(weight[free]), weight.dtype)
            layer.weight.detach().copy_(torch.from_numpy(rounded))
            set_bounded(layer, replace(bounded, grid=grid))
            step = grid.step
        error = np.abs(rounded.astype(np.float64) - weight)
        lines.append(
            {
                "layer": name,
                "free": int(free.sum()),
                "step": step,
                "largest_error": float(error.max()),
                "rms_error": float(np.sqrt(np.mean(error**2))),
            }
        )
    return Quantized(network, pd.DataFrame(lines))


def _grid(free: Array, bounded: Bounded, bits: int) -> Grid:
    members: ConstraintSet = CONSTRAINTS[bounded.constraint].load()()
    largest = float(np.abs(free).max(initial=0.0))
    if not members.elementwise:
        return Grid(bits, -largest, largest)
    if members.bounded:
        return Grid(bits, -bounded.bound, bounded.bound)
    return Grid(bits, -largest, min(largest, bounded.bound))  # no cell's middle is beyond c


def quantized_curve(
    reference: Reference,
    dataset: Data,
    rows: Iterable[tuple[float, nn.Sequential, int]],
    knob: str = "bits",
    *,
    report: Report = keep_going,
) -> Curve:
    """Networks in a few bits, judged: one network in many bits, or many bounds in the same.

    Parameters
    ----------
    reference : Reference
    dataset : Dataset
        The one that the reference was trained on.
    rows : iterable of (knob's value, network, bits)
        Networks of a constrained curve of this reference.
    knob : str
        What the knob's values are.
    report : callable
        Called after each row with (done, total, a function that gives the curve so far);
        returning False ends the curve there.

    Returns
    -------
    Curve
        Its table has also the columns bits; step, the widest cell of any layer; clipping_error,
        what the bound cuts off the reference's weights; rounding_error, what quantisation adds;
        largest_rounding_error. Errors are root mean squares over all weights of the bounded
        layers, in the units of the weights. ``bytes`` are those of the quantised files.

    Raises
    ------
    ArgumentError
        Bits other than 2 to 16 and 32.
    NotApplicableError
        A network has no bounded layer.
    """
    given = list(rows)
    files: list[bytes] = []
    with capped_threads():
        samples = samples_for(reference, dataset)
        judge = CurveBuilder(reference, dataset, samples)
        macs = accounting.macs(reference.network)

        def so_far() -> Curve:
            curve = judge.curve(
                knob=knob,
                method="quantization",
                spectra={},
                _network=lambda row: storage.from_bytes(files[row]),
            )
            return replace(curve, table=curve.table.astype({"bits": int}))

        for done, (value, network, bits) in enumerate(given, start=1):
            quantized = quantize(network, bits)
            files.append(storage.to_bytes(quantized.network))
            sizes = [layer.weight.numel() for layer, _ in bounded_layers(network).values()]
            rounding = quantized.table
            facts = {
                "parameters": accounting.parameters(quantized.network),
                "bytes": len(files[-1]),
                "macs": macs,
                "bits": bits,
                "step": rounding["step"].max(),
                "clipping_error": clipping_error(reference.network, network),
                "rounding_error": np.sqrt(np.average(rounding["rms_error"] ** 2, weights=sizes)),
                "largest_rounding_error": rounding["largest_error"].max(),
            }
            judge.add(value, samples.outputs(quantized.network), facts)
            if not report(done, len(given), so_far):
                break
        return so_far()


def clipping_error(reference: nn.Module, network: nn.Module) -> float:
    """What a network's bounds cut off the reference's weights: root mean square, in their units.

    Of the bounds alone: how far the reference's weights are from their nearest points in the
    sets, over all weights of the bounded layers.
    """
    squares, count = 0.0, 0
    for name, (_, bounded) in bounded_layers(network).items():
        weight = layers(reference)[name].weight.detach().cpu().numpy()
        members: ConstraintSet = CONSTRAINTS[bounded.constraint].load()()
        cut = weight.astype(np.float64) - members.project(weight, bounded.bound)
        squares, count = squares + float(np.sum(cut**2)), count + weight.size
    return float(np.sqrt(squares / count))


def fewest_bits(table: pd.DataFrame, allowed: float = 0.01) -> int:
    """The fewest bits of a quantised curve's table that a validation score can do with.

    ``allowed``: how much of the score of the row with the most bits may be lost.
    """
    most = table.loc[table["bits"].idxmax(), "validation_score"]
    return int(table.loc[table["validation_score"] >= most - allowed, "bits"].min())


def bits_by_bound(
    reference: Reference,
    dataset: Data,
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

    def so_far() -> pd.DataFrame:
        return pd.concat(tables).sort_values(["bound", "bits"], ignore_index=True)

    for done, row in enumerate(far_apart_first(len(networks)), start=1):
        bound, network = networks[row]
        curve = quantized_curve(reference, dataset, [(b, network, b) for b in BITS])
        tables.append(curve.table.assign(bound=bound, fewest_bits=fewest_bits(curve.table)))
        if not report(done, len(networks), so_far):
            break
    return so_far()
