"""One layer of a network looked at closely: its spectra, and its weight at every rank."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..catalog import LOW_RANK_METHODS, find
from ..errors import ArgumentError
from ..network import Layer, children_of, forward_in_blocks, matrix, pick_layers
from ..network import layers as layers_of
from ..threads import in_one_thread
from ..training import DatasetLike, Reference, samples_for
from .approximations import LayerRanks, LayerView, approximate, count_ranks, reshape_patterns
from .calibration import covariance
from .decomposition import Array
from .kernels import KernelDecomposition
from .layers import KINDS, LayerDecomposition, decompose_layer, input_rows
from .networks import prepare
from .rank_selection import rank_for_energy
from .spatial_svd import SpatialStages, unfold_kernel
from .spectrum import ENERGY_SHARES, markers


@in_one_thread
def layer_ranks(
    reference: Reference,
    dataset: DatasetLike,
    method: str = "truncated_svd",
    layers: Sequence[str] | str | None = None,
    *,
    ridge: float = 0.0,
) -> list[LayerRanks]:
    """What the ranks of every compressed layer hold, in forward order.

    The arguments, and what is raised, are those of :func:`compression.low_rank_curve`.
    """
    samples = samples_for(reference, dataset)
    all_ranks = prepare(reference, samples, method, layers, ridge=ridge)
    return [count_ranks(name, d) for name, d in all_ranks.decompositions.items()]


@in_one_thread
def view_layer(
    reference: Reference,
    dataset: DatasetLike,
    layer: str,
    method: str = "truncated_svd",
    *,
    ridge: float = 0.0,
) -> LayerView:
    """One layer's spectra, and its weight at every rank of a method.

    Parameters
    ----------
    reference : Reference
    dataset : Dataset
        The one that the reference was trained on.
    layer : str
        Name of a layer of the reference.
    method : str
        A name of ``compression.LOW_RANK_METHODS``; one that does not take the layer leaves it
        with its spectra.
    ridge : float
        As for :func:`compression.low_rank_curve`.

    Raises
    ------
    ArgumentError
        Unknown method or layer, or the weight cannot be decomposed.
    """
    entry = find(LOW_RANK_METHODS, method, "low-rank method")
    part = pick_layers(reference.network, layer)[layer]
    children = list(children_of(reference.network))
    if layer not in children:
        raise ArgumentError(f"{layer} is part of a compressed layer: choose a layer of a reference")
    samples = samples_for(reference, dataset)
    before = reference.network[: children.index(layer)]
    inputs = input_rows(part, forward_in_blocks(before, samples.x[samples.fit]))
    weight = truncated = matrix(part)
    approximations = decomposition = None
    if KINDS[type(part)] in entry.layers:
        decomposition = decompose_layer(
            layer, part, method, inputs, ridge=ridge, seed=reference.seed
        )
        truncated = truncated_matrix(decomposition)
        approximations = approximate(layer, decomposition, entry.needs_inputs)
    spectra = _compute_spectra(truncated, weight, inputs)
    names = list(layers_of(reference.network))
    last = layer == names[-1] and dataset.task == "classification"
    classes = dataset.outputs if last else None
    return LayerView(
        name=layer,
        method=method,
        weight=weight,
        unfolded_shape=truncated.shape if part.weight.ndim > 2 else None,
        spectra=spectra,
        approximations=approximations,
        marks=mark_ranks(spectra["weight"], truncated.shape, decomposition, classes),
        patterns=_find_patterns(part, decomposition, dataset) if layer == names[0] else None,
    )


def truncated_matrix(decomposition: LayerDecomposition) -> Array:
    """The matrix that a method truncates: the weight, (outputs, inputs), or another unfolding."""
    if isinstance(decomposition, SpatialStages):
        return unfold_kernel(decomposition.kernel)
    if isinstance(decomposition, KernelDecomposition):
        return decomposition.kernel.reshape(len(decomposition.kernel), -1)
    return decomposition.weight


def _compute_spectra(truncated: Array, weight: Array, inputs: Array) -> dict[str, Array]:
    """Of the matrix, of W Σ^½ and of Σ^½, Σ being the covariance of the inputs."""
    through = weight.astype(np.float64)
    return {
        "weight": np.linalg.svd(truncated.astype(np.float64), compute_uv=False),
        "weighted": _compute_roots(covariance(inputs, through=through), min(weight.shape)),
        "inputs": _compute_roots(covariance(inputs), inputs.shape[1]),
    }


def _find_patterns(
    part: Layer, decomposition: LayerDecomposition | None, dataset: DatasetLike
) -> Array | None:
    """What the first layer's factors look for, in the shape of a sample or of a kernel."""
    if decomposition is None:
        return None
    kernel = tuple(part.weight.shape[1:])
    return reshape_patterns(decomposition, kernel if len(kernel) > 1 else dataset.input_shape)


def mark_ranks(
    singular_values: Array,
    shape: tuple[int, int],
    decomposition: LayerDecomposition | None,
    classes: int | None,
) -> dict[str, float]:
    """The weight's marks; break-even and energy ranks are the method's own where it has any."""
    marks = markers(singular_values, shape, classes)
    if decomposition is not None:
        marks["break_even"] = float(count_ranks("", decomposition).break_even)
        for share in ENERGY_SHARES:
            name = f"energy_{share * 100:.0f}"
            try:
                marks[name] = float(rank_for_energy(decomposition.errors, share))
            except ArgumentError:  # no rank keeps as much
                marks.pop(name, None)
    return marks


def _compute_roots(moments: Array, count: int) -> Array:
    """Square roots of a covariance's ``count`` largest eigenvalues, descending."""
    values = np.linalg.eigvalsh(moments)[::-1][:count]
    return np.sqrt(np.maximum(values, 0.0))
