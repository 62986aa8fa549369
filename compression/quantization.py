"""Weights in a few bits, and how a bound trades clipping against rounding.

A weight without a bound is rounded to the points of a uniform grid around 0, of the reach that
keeps the squared error least. In a bounded layer a weight that is pinned or zero is kept by its
state and stays as it is. The free ones of a box lie on (−c, c): b bits make cells of width
2c / 2^b, so that a smaller bound clips more and rounds finer. The free ones of an upper bound lie
up to c and the largest absolute one; those of a ball or a count have a grid as if without a bound.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import nn

from . import storage
from .argument_checks import check_arguments
from .catalog import CONSTRAINTS
from .constrained.sets import ConstraintSet
from .errors import ArgumentError, NotApplicableError
from .grid import AnyGrid, Grid, check_bits, nearest_channel_grid, nearest_grid
from .low_rank.layers import input_rows
from .network import (
    Layer,
    LayerBound,
    array,
    bounded_of,
    grid_of,
    layers,
    pick_layers,
    set_bounded,
    set_grid,
)
from .threads import in_one_thread
from .weight_states import FREE

Array = NDArray[np.floating]


@check_arguments
@in_one_thread
def quantize(
    network: nn.Sequential,
    bits: int,
    *,
    per_channel: bool = False,
    zero_point: bool = False,
    rows: Array | None = None,
) -> nn.Sequential:
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
        A grid for each output (channel) in place of one for all; each costs a stored number. For
        networks without bounds.
    zero_point : bool
        A grid may have its middle elsewhere than at 0; of each output that costs a stored number.
        For networks without bounds.
    rows : ndarray, shape (N, features), optional
        Calibration samples, of the training part: grids of layers without a bound are then those
        of the least error of the layers' outputs.

    Returns
    -------
    torch module
        In eval mode, each layer with a note of its grid: ``compression.save`` keeps its weights
        as codes, but for weights of type bfloat16, which it keeps as they are.

    Raises
    ------
    ArgumentError
        Other bits, or the samples are not the network's.
    NotApplicableError
        The network has no weights, one of them stands at two places, or is not finite; or a
        layer is bounded, where a grid for each channel or a zero point is asked for.

    Notes
    -----
    The grid of a layer without a bound minimises ‖W − Ŵ‖², or with samples mean ‖(W − Ŵ) x‖²
    over the layer's inputs x in the given network, over a few reaches and middles; so does, by
    the weights alone, the grid of the free weights in a set that is no box. Curves, pages and
    alternatives have one grid around 0 for each layer; grids for each channel, zero points and
    calibration rows are had here only: at equal bytes they gain little (``python -m benchmarks
    rounding_grids``). Uniform grids: Jacob et al. 2018, arXiv 1712.05877.
    """
    bits = check_bits(bits)
    network = copy.deepcopy(network).eval()
    chosen = pick_layers(network, None)
    for name, layer in chosen.items():
        if not np.isfinite(array(layer.weight)).all():
            raise NotApplicableError(
                f"layer {name} holds values that are not finite: train the network again"
            )
    if bits == 32:
        return network
    bounded = [name for name, layer in chosen.items() if bounded_of(layer) is not None]
    if bounded and (per_channel or zero_point):
        raise NotApplicableError(
            f"layer {bounded[0]} is bounded, and has one grid, by its bound: leave out per_channel "
            "and zero_point"
        )
    moments = {} if rows is None else input_moments(network, rows)
    for name, layer in chosen.items():
        search: Callable[..., AnyGrid] = nearest_grid
        if bounded_of(layer) is None:
            search = nearest_channel_grid if per_channel else nearest_grid
            search = partial(search, zero_point=zero_point, moment=moments.get(name))
        gridded = grid_for(layer, bits, search)
        layer.weight.detach().copy_(torch.from_numpy(gridded.round(array(layer.weight))))
        note_grid(layer, gridded.grid)
    return network


@dataclass(frozen=True, eq=False)
class LayerGrid:
    """A layer's grid, and which of its weights stand on it.

    Attributes
    ----------
    grid : Grid or ChannelGrid
    free : ndarray of bool, shaped as the weight, or None
        The others are kept by their state; None: all weights stand on the grid.
    """

    grid: AnyGrid
    free: NDArray[np.bool_] | None

    def round(self, weight: Array) -> Array:
        """The weight with its free ones on the grid."""
        if self.free is None:
            return self.grid.values(self.grid.codes(weight), weight.dtype)
        rounded, free = weight.copy(), weight[self.free]
        rounded[self.free] = self.grid.values(self.grid.codes(free), weight.dtype)
        return rounded


def grid_for(
    layer: Layer, bits: int, search: Callable[..., AnyGrid] = nearest_grid, weight: Any = None
) -> LayerGrid:
    """A grid for a layer's weight, or for another one in its place.

    ``search(values, bits)`` finds it, but in a box or under an upper bound, which say it.
    """
    bounded, weight = bounded_of(layer), array(layer.weight if weight is None else weight)
    if bounded is None:
        return LayerGrid(search(weight, bits), None)
    free = storage.states(weight, bounded) == FREE
    return LayerGrid(_find_grid(weight[free], bounded, bits, search), free)


def note_grid(layer: Layer, grid: AnyGrid) -> None:
    """Note that a layer's weights, of a bounded one the free ones, stand on a grid."""
    bounded = bounded_of(layer)
    if bounded is None:
        set_grid(layer, grid)
    elif isinstance(grid, Grid):
        set_bounded(layer, replace(bounded, grid=grid))


def input_moments(network: nn.Sequential, rows: Array) -> dict[str, Array]:
    """Layer -> (1/N) Σ x xᵀ of its inputs, for these samples; a convolution's x are patches."""
    moments: dict[str, Array] = {}

    def look(name: str, layer: Layer, inputs: tuple[torch.Tensor, ...]) -> None:
        seen = input_rows(layer, inputs[0]).astype(np.float64)
        if getattr(layer, "groups", 1) == 1:
            moments[name] = seen.T @ seen / len(seen)

    handles = [
        layer.register_forward_pre_hook(lambda layer, x, name=name: look(name, layer, x))
        for name, layer in layers(network).items()
    ]
    try:
        with torch.inference_mode():
            first = next(network.parameters())
            network(torch.from_numpy(np.asarray(rows)).to(first))
    except (RuntimeError, TypeError) as error:
        raise ArgumentError(
            "the calibration samples do not fit the network: give rows of the training part"
        ) from error
    finally:
        for handle in handles:
            handle.remove()
    return moments


@check_arguments
@in_one_thread
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
    before = layers(network)
    if {n: each.weight.shape for n, each in layers(quantized).items()} != {
        name: each.weight.shape for name, each in before.items()
    }:
        raise ArgumentError("the two networks have different layers: give one and its rounded copy")
    for name, layer in layers(quantized).items():
        grid, bounded = grid_of(layer), bounded_of(layer)
        weight = array(before[name].weight)
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


def _find_grid(
    free: Array, bounded: LayerBound, bits: int, search: Callable[..., AnyGrid]
) -> AnyGrid:
    members: ConstraintSet = CONSTRAINTS[bounded.constraint].load()()
    if not members.elementwise:
        return search(free, bits)
    largest = float(np.abs(free).max(initial=0.0))
    if members.bounded:
        return Grid(bits, -bounded.bound, bounded.bound)
    return Grid(bits, -largest, min(largest, bounded.bound))  # no cell's centre is beyond c
