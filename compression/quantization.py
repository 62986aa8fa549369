"""Weights in a few bits, and how a bound trades clipping against rounding.

A weight without a bound is rounded to the points of a uniform grid around 0, of the reach that
keeps the squared error least. In a bounded layer a weight that is pinned or zero is kept by its
state and stays as it is. The free ones of a box lie on (−c, c): b bits make cells of width
2c / 2^b, so that a smaller bound clips more and rounds finer. Sets without such a c use the
layer's largest absolute free weight in its place.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import nn

from . import accounting, storage
from .catalog import CONSTRAINTS
from .constrained.sets import ConstraintSet
from .curve import Curve, CurveBuilder
from .errors import NotApplicableError
from .grid import BITS, AnyGrid, Grid, check_bits, nearest_channel_grid, nearest_grid
from .network import (
    Bounded,
    Layer,
    array,
    bounded_of,
    grid_of,
    layers,
    pick_layers,
    set_bounded,
    set_grid,
)
from .report import far_apart_first
from .training import Data, Reference, Report, capped_threads, keep_going, samples_for
from .weight_states import FREE

Array = NDArray[np.floating]


def quantize(network: nn.Sequential, bits: int, *, per_channel: bool = False) -> nn.Sequential:
    """The network with its weights in b bits each; its biases stay as they are.

    Each layer has a uniform grid of 2^b points. Rounding moves a weight by half a step at most,
    unless it lies beyond the grid, which it then ends at. In a bounded layer only the free
    weights move, none changes its state, and none lies beyond: a box or an upper bound still
    holds, and as many weights are free. (A ball may be left by as much as it adds up to.)

    Parameters
    ----------
    network : torch module
        Dense, low rank, constrained or any mixture of them, of linear layers and convolutions;
        never changed.
    bits : int
        1 to 16, or 32: as they are.
    per_channel : bool
        A grid for each output (channel) of a layer without a bound, in place of one for all;
        each costs a stored number.

    Returns
    -------
    torch module
        In eval mode, each layer with a note of its grid: ``compression.save`` keeps its weights
        as codes, but for weights of type bfloat16, which it keeps as they are.

    Raises
    ------
    ArgumentError
        Other bits.
    NotApplicableError
        The network has no weights, one of them stands at two places, or is not finite.

    Notes
    -----
    The grid of a layer without a bound minimises ‖W − Ŵ‖² over a few reaches, from the one with
    the largest weight for its last point downwards. Uniform grids: Jacob et al. 2018, arXiv
    1712.05877.
    """
    bits = check_bits(bits)
    network = copy.deepcopy(network).eval()
    for name, layer in pick_layers(network, None).items():
        weight = array(layer.weight)
        if not np.isfinite(weight).all():
            raise NotApplicableError(
                f"layer {name} holds values that are not finite: train the network again"
            )
        if bits < 32:
            _round(layer, weight.copy(), bits, per_channel)
    return network


def _round(layer: Layer, weight: Array, bits: int, per_channel: bool) -> None:
    """Move a layer's weights to a grid, in place, and note it."""
    bounded = bounded_of(layer)
    grid: AnyGrid
    if bounded is None:
        grid = (nearest_channel_grid if per_channel else nearest_grid)(weight, bits)
        weight = grid.values(grid.codes(weight), weight.dtype)
        set_grid(layer, grid)
    else:
        free = storage.states(weight, bounded) == FREE
        grid = _grid(weight[free], bounded, bits)
        weight[free] = grid.values(grid.codes(weight[free]), weight.dtype)
        set_bounded(layer, replace(bounded, grid=grid))
    layer.weight.detach().copy_(torch.from_numpy(weight))


def rounding_errors(network: nn.Module, quantized: nn.Module) -> pd.DataFrame:
    """What rounding did to each layer's weights.

    Parameters
    ----------
    network, quantized : torch module
        A network, and what :func:`quantize` made of it.

    Returns
    -------
    DataFrame
        One row a layer: layer, weights (number of weights), free (number of those that are
        neither pinned nor zero), step (width of a cell, of the widest row where each has its own;
        0 where nothing is quantised), largest_error and rms_error (over all weights of the
        layer), in the units of the weights.
    """
    lines = []
    for name, layer in layers(quantized).items():
        grid, bounded = grid_of(layer), bounded_of(layer)
        weight = array(layers(network)[name].weight)
        error = np.abs(array(layer.weight).astype(np.float64) - weight)
        free = weight.size
        if bounded is not None:
            free = int((storage.states(weight, bounded) == FREE).sum())
        lines.append(
            {
                "layer": name,
                "weights": weight.size,
                "free": free,
                "step": 0.0 if grid is None else grid.step,
                "largest_error": float(error.max()),
                "rms_error": float(np.sqrt(np.mean(error**2))),
            }
        )
    return pd.DataFrame(lines)


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
    files: list[bytes] = []
    with capped_threads():
        samples = samples_for(reference, dataset)
        judge = CurveBuilder(reference, dataset, samples)

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
            judge.add(value, samples.outputs(quantized), facts)
            if not report(done, len(given), so_far):
                break
        return so_far()


def clipping_error(reference: nn.Module, network: nn.Module) -> float:
    """What a network's bounds cut off the reference's weights: root mean square, in their units.

    Of the bounds alone: how far the reference's weights are from their nearest points in the
    sets, over all weights of the bounded layers that are layers of the reference; 0 without any.
    """
    squares, count = 0.0, 0
    for name, layer in layers(network).items():
        bounded = bounded_of(layer)
        if bounded is None or name not in layers(reference):
            continue  # a factor stands for no weight of the reference
        weight = layers(reference)[name].weight.detach().cpu().numpy()
        members: ConstraintSet = CONSTRAINTS[bounded.constraint].load()()
        cut = weight.astype(np.float64) - members.project(weight, bounded.bound)
        squares, count = squares + float(np.sum(cut**2)), count + weight.size
    return float(np.sqrt(squares / max(count, 1)))


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
