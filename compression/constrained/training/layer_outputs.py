"""One layer's outputs as a quadratic in its weight, and how near a weight is to the best one.

A layer of the reference gives y = W x + b. In its place a layer with another weight sees x̂, what
the compressed layers before it give, and loses, its bias at its own optimum b̂ = ȳ − Ŵ x̂̄,

    e(Ŵ) = min over b̂ of (1/N) Σ ‖y − Ŵ x̂ − b̂‖² = tr Ŵ Σ Ŵᵀ − 2 tr Ŵ Kᵀ + v,

with Σ = cov(x̂), K = cov(y, x̂) and v the variance of y; moments about zero for a layer without a
bias. All rows of Ŵ share Σ. A convolution's x are its patches.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import nn

from ...argument_checks import check_arguments
from ...low_rank.calibration import ROWS, mean
from ...low_rank.layers import input_rows
from ...network import Layer, bounded_layers, forward_in_blocks, layers, matrix
from ...report import Report, keep_going
from ...threads import in_one_thread
from ...training import DatasetLike, Reference, SampleTensors, samples_for
from ..sets import ConstraintSet
from .setup import members_of

Array = NDArray[np.floating]

CONSTANT = 1e-8  # in a Gram matrix, a deviation below this share of the largest is rounding


@dataclass(frozen=True)
class LayerCertificate:
    """What can be said of one weight under one bound, from the weight alone.

    Attributes
    ----------
    error : float
        e(Ŵ), in squared units of the layer's outputs, summed over them.
    duality_gap : float
        e(Ŵ) is at most this far above the least error in the set, in the same units; e(Ŵ) itself
        for the set that is not bounded, inf for the one that is not convex.
    kkt_residual : float
        ‖Ŵ − Π_C(Ŵ − ½ ∇e(Ŵ))‖_∞ with every input of unit variance, relative to the root of
        ``whole``: how far the weights stand from their own best places.
    whole : float
        The variance of the outputs, and the error of the weight 0: what tolerances are
        relative to.
    one_sided : bool
        The set is convex and not bounded: the residual certifies.
    """

    error: float
    duality_gap: float
    kkt_residual: float
    whole: float
    one_sided: bool

    def holds(self, tolerance: float) -> bool:
        """Whether the weight is certified to be the best in the set at this tolerance."""
        if self.duality_gap <= tolerance * self.whole:
            return True
        return self.one_sided and self.kkt_residual <= tolerance


@dataclass(frozen=True, eq=False)
class LayerOutputs:
    """The quadratic e(Ŵ) of one layer.

    Attributes
    ----------
    gram : ndarray, shape (n, n)
        Σ, in squared units of the inputs.
    cross : ndarray, shape (m, n)
        K.
    whole : float
        v, in squared units of the outputs, summed over them.
    centre : ndarray, shape (n,)
        Mean of x̂; zero for a layer without a bias.
    level : ndarray, shape (m,)
        Mean of y.
    """

    gram: Array
    cross: Array
    whole: float
    centre: Array
    level: Array

    @classmethod
    def measure(cls, layer: Layer, inputs: Array, seen: Array) -> LayerOutputs:
        """Measure them from a reference's layer, its inputs and those seen instead, (N, n)."""
        weight = matrix(layer).astype(np.float64)
        reference_centre, centre = mean(inputs), mean(seen)
        if layer.bias is None:
            reference_centre, centre = np.zeros_like(reference_centre), np.zeros_like(centre)
            level = np.zeros(len(weight))
        else:
            level = weight @ reference_centre + layer.bias.detach().cpu().numpy()
        gram, cross, whole = np.zeros((len(centre), len(centre))), np.zeros_like(weight), 0.0
        for begin in range(0, len(seen), ROWS):
            x = seen[begin : begin + ROWS] - centre
            y = (inputs[begin : begin + ROWS] - reference_centre) @ weight.T
            gram += x.T @ x
            cross += y.T @ x
            whole += float(np.sum(y * y))
        count = len(seen)
        return cls(gram / count, cross / count, whole / count, centre, level)

    def bias(self, weight: Array) -> Array:
        """b̂, shape (m,)."""
        return self.level - weight @ self.centre

    def error(self, weight: Array) -> float:
        """e(Ŵ)."""
        return self._error(weight, weight @ self.gram)

    def _error(self, weight: Array, product: Array) -> float:
        """e(Ŵ) from Ŵ Σ."""
        of_weight = float(np.vdot(product, weight)) - 2 * float(np.vdot(self.cross, weight))
        return max(0.0, self.whole + of_weight)  # a sum of squares, but for rounding

    @cached_property
    def scale(self) -> Array:
        """Standard deviation of each input (n,)."""
        return np.sqrt(np.diag(self.gram))

    @cached_property
    def varies(self) -> NDArray[np.bool_]:
        """Inputs (n,) whose weights matter: the others never change, and the bias takes them."""
        return self.scale > CONSTANT * self.scale.max()

    def certificate(
        self, weight: Array, constraint: ConstraintSet, bound: float
    ) -> LayerCertificate:
        """The certificate of a weight (m, n) in C(c).

        The gap is ⟨∇e, Ŵ⟩ + σ_C(−∇e) (Jaggi, ICML 2013), and never above e(Ŵ).
        """
        product = weight @ self.gram
        gradient = 2 * (product - self.cross)
        error, gap = self._error(weight, product), math.inf
        if constraint.convex:
            reach = constraint.support(-gradient, bound)
            gap = min(max(0.0, float(np.sum(gradient * weight)) + reach), error)
        return LayerCertificate(
            error=error,
            duality_gap=gap,
            kkt_residual=self._residual(weight, gradient, constraint, bound),
            whole=self.whole,
            one_sided=constraint.convex and not constraint.bounded,
        )

    def _residual(
        self, weight: Array, gradient: Array, constraint: ConstraintSet, bound: float
    ) -> float:
        scale, theta = self.scale[self.varies], weight[:, self.varies]
        step = gradient[:, self.varies] / (2 * scale**2)
        change = (theta - constraint.project(theta - step, bound, scale**2)) * scale
        largest = float(np.abs(change).max(initial=0.0))
        return largest / math.sqrt(self.whole) if largest else 0.0


class LayerInputs:
    """What a reference's bounded layers see of the training rows: all networks share it.

    Parameters
    ----------
    reference : chain of torch modules
    samples : SampleTensors
    names : collection of str
        The bounded layers, parts of the chain.
    """

    @torch.no_grad()
    def __init__(self, reference: nn.Sequential, samples: SampleTensors, names: Collection[str]):
        self._rows = x = samples.x[samples.fit]
        self._layers: dict[str, Layer] = {}
        self._inputs: dict[str, torch.Tensor] = {}
        passed = nn.Sequential()  # modules after the last layer whose input was read
        for name, module in reference.named_children():
            if name in names:
                x, passed = forward_in_blocks(passed, x), nn.Sequential()
                self._layers[name], self._inputs[name] = layers(reference)[name], x
            passed.append(module)
        first = next(iter(self._layers))
        self._first = self._outputs(first, self._inputs[first])

    @torch.no_grad()
    def outputs(self, network: nn.Sequential) -> Iterator[tuple[str, LayerOutputs]]:
        """Each bounded layer of a network, in forward order, with what it has to come near.

        A layer sees what the layers before it give at that moment: change its weight before
        asking for the next one.
        """
        seen, first, passed = self._rows, True, nn.Sequential()
        for name, module in network.named_children():
            if name in self._layers:
                seen, passed = forward_in_blocks(passed, seen), nn.Sequential()
                yield name, self._first if first else self._outputs(name, seen)
                first = False
            passed.append(module)

    def _outputs(self, name: str, seen: torch.Tensor) -> LayerOutputs:
        layer = self._layers[name]
        return LayerOutputs.measure(
            layer, input_rows(layer, self._inputs[name]), input_rows(layer, seen)
        )


@check_arguments
@in_one_thread
def layer_certificates(
    reference: Reference, dataset: DatasetLike, network: nn.Sequential
) -> pd.DataFrame:
    """How near each bounded layer of a network is to the best that its bound allows.

    Parameters
    ----------
    reference : Reference
    dataset : Dataset
        The one that the reference was trained on.
    network : torch module
        A curve's: of any method, though only the layer-wise refit aims at these optima.

    Returns
    -------
    DataFrame
        One row a bounded layer: layer, error (share of its outputs' variance that it loses),
        duality_gap (in the same unit; inf for a set that is not convex), kkt_residual.

    Raises
    ------
    NotApplicableError
        No layer of the network has a bound.
    """
    bounded = bounded_layers(network)
    lines = []
    inputs = LayerInputs(reference.network, samples_for(reference, dataset), bounded)
    for name, outputs in inputs.outputs(network):
        layer, note = bounded[name]
        certificate = outputs.certificate(
            matrix(layer).astype(np.float64), members_of(note.constraint), note.bound
        )
        unit = certificate.whole or 1.0
        lines.append(
            {
                "layer": name,
                "error": certificate.error / unit,
                "duality_gap": certificate.duality_gap / unit,
                "kkt_residual": certificate.kkt_residual,
            }
        )
    return pd.DataFrame(lines)


@in_one_thread
def certificates_by_bound(
    reference: Reference,
    dataset: DatasetLike,
    networks: Sequence[tuple[float, nn.Sequential]],
    *,
    report: Report = keep_going,
) -> pd.DataFrame:
    """How near each layer of every bound's network is to the best outputs that its bound allows.

    Parameters
    ----------
    reference, dataset
        As for :func:`layer_certificates`.
    networks : sequence of (float, torch module)
        Bound and network of each row of a curve.
    report : callable
        Called after each bound with (done, total, a function that gives the table so far);
        returning False ends the table there.

    Returns
    -------
    DataFrame
        The lines of :func:`layer_certificates` of every network, with a column bound.
    """
    tables: list[pd.DataFrame] = []

    def join_tables() -> pd.DataFrame:
        return pd.concat(tables, ignore_index=True)

    for done, (bound, network) in enumerate(networks, start=1):
        tables.append(layer_certificates(reference, dataset, network).assign(bound=bound))
        if not report(done, len(networks), join_tables):
            break
    return join_tables()
