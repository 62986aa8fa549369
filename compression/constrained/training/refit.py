"""Layer-wise refit: no training, one convex problem a layer."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.linalg import eigh
from torch import nn

from ...network import layers, matrix
from ..sets import ConstraintSet
from .layer_outputs import Array, LayerInputs, LayerOutputs
from .setup import ConstrainedStart, Limits, confine, members_of

BLOCK = 16  # columns per block, whose slopes fit in the cache while their weights move
CHECK = 5  # sweeps, or gradient steps, between two certificates

Callback = Callable[[Array], bool]
"""Takes a weight; returns True to go on."""


@dataclass(frozen=True)
class Refit:
    """Each layer's outputs kept as near as the bound allows.

    Solves  min (1/N) Σ ‖y − Ŵ x̂ − b̂‖²  subject to  Ŵ in C(c), b̂ free,  for one layer after the
    other, y being what the layer gives in the reference network and x̂ what it sees behind the
    layers that are refitted already. All rows of Ŵ share one Gram matrix: coordinate descent
    moves a whole column at once where the set is elementwise, accelerated projected gradient
    (Beck & Teboulle 2009; O'Donoghue & Candès 2015) the whole weight elsewhere. For the set that
    is not convex it is plain projected gradient, which ends near a fixed point (Blumensath &
    Davies 2009).

    Attributes
    ----------
    tolerance : float
        Duality gap to reach, relative to the variance of the layer's outputs.
    sweeps : int
        The most sweeps over all columns, or gradient steps, for a layer and bound.
    """

    tolerance: float = 1e-3
    sweeps: int = 500

    def networks(
        self, start: ConstrainedStart, constraint: str, bounds: Sequence[Limits]
    ) -> Iterator[nn.Sequential]:
        """A network for each of the descending bounds: a new one each time."""
        members = members_of(constraint)
        inputs = LayerInputs(start.network, start.samples, bounds[0].keys())
        weights: dict[str, Array] = {}
        for limits in bounds:
            network = copy.deepcopy(start.network)
            for name, outputs in inputs.outputs(network):
                layer, bound = layers(network)[name], limits[name]
                begin = weights.get(name, matrix(layer))
                weights[name] = self.refit_layer(outputs, members, bound, begin)
                with torch.no_grad():
                    layer.weight.copy_(torch.from_numpy(weights[name]).reshape(layer.weight.shape))
                    confine(network, constraint, {name: bound})  # float32 may round beyond c
                    if layer.bias is not None:
                        layer.bias.copy_(torch.from_numpy(outputs.bias(matrix(layer))))
            yield network

    def refit_layer(
        self, outputs: LayerOutputs, constraint: ConstraintSet, bound: float, start: Array
    ) -> Array:
        """The weight (m, n) in C(c) that loses least of one layer's outputs.

        ``start`` is a weight to begin from, inside the set or not.
        """
        before = np.inf

        def callback(weight: Array) -> bool:
            nonlocal before
            certificate = outputs.certificate(weight, constraint, bound)
            gained, before = before - certificate.error, certificate.error
            if constraint.convex:
                return not certificate.holds(self.tolerance)
            return gained > self.tolerance * certificate.whole

        descend = _descend_columns if constraint.elementwise else _descend_projected
        return descend(outputs, constraint, bound, start.astype(np.float64), self.sweeps, callback)


def _descend_columns(
    outputs: LayerOutputs,
    constraint: ConstraintSet,
    bound: float,
    start: Array,
    sweeps: int,
    callback: Callback,
) -> Array:
    """Coordinate descent over the columns, each row's weight to its own best place.

    The weight and its slope are kept transposed: a column of weights is a row in memory.
    """
    gram = outputs.gram
    low = -bound if constraint.bounded else -np.inf
    curvature = np.where(outputs.varies, np.diag(gram), np.inf)
    weight = np.ascontiguousarray(constraint.project(start, bound).T)
    slope = gram @ weight - outputs.cross.T
    for sweep in range(1, sweeps + 1):
        for begin in range(0, len(gram), BLOCK):
            block = slice(begin, begin + BLOCK)
            inner, bends = gram[block, block], curvature[block]
            block_slope, old = slope[block].copy(), weight[block].copy()
            for j, bend in enumerate(bends):
                best = np.minimum(np.maximum(old[j] - block_slope[j] / bend, low), bound)
                block_slope[j + 1 :] += inner[j + 1 :, j, None] * (best - old[j])
                weight[begin + j] = best
            slope += gram[:, block] @ (weight[block] - old)
        if sweep % CHECK == 0 and not callback(weight.T):
            break
    return weight.T


def _descend_projected(
    outputs: LayerOutputs,
    constraint: ConstraintSet,
    bound: float,
    start: Array,
    sweeps: int,
    callback: Callback,
) -> Array:
    """Projected gradient in weights of inputs of unit variance; constant inputs get 0."""
    varies, scale = outputs.varies, outputs.scale[outputs.varies]
    if not varies.any():
        return np.zeros_like(outputs.cross)
    gram = outputs.gram[np.ix_(varies, varies)] / np.outer(scale, scale)
    cross = outputs.cross[:, varies] / scale
    last = len(gram) - 1
    curvature = eigh(gram, eigvals_only=True, subset_by_index=[last, last])[0]

    def project(point: Array) -> Array:
        return constraint.project(point / scale, bound, scale**2) * scale

    def weight_of(point: Array) -> Array:
        weight = np.zeros_like(outputs.cross)
        weight[:, varies] = point / scale
        return weight

    point = project(start[:, varies] * scale)
    ahead, momentum = point, 1.0
    for step in range(1, sweeps + 1):
        new = project(ahead - (ahead @ gram - cross) / curvature)
        if step % CHECK == 0 and not callback(weight_of(new)):
            return weight_of(new)
        moved = new - point
        if not constraint.convex or np.sum((ahead - new) * moved) > 0:
            ahead, momentum = new, 1.0
        else:
            grown = 0.5 * (1 + np.sqrt(1 + 4 * momentum**2))
            ahead, momentum = new + ((momentum - 1) / grown) * moved, grown
        point = new
    return weight_of(point)
