"""What a network loses when one of its layers is compressed: the e_l(r) that an allocation adds up.

An allocation is only as good as its objective. The share of a layer's energy is cheap, but treats
a small output layer and a large hidden one alike; what the *loss* gains does not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np
import torch

from ..network import forward_in_blocks
from ..training import SampleTensors, loss_of
from . import running_sum
from .calibration import covariance, mean
from .decomposition import Array, Decomposition, MatrixRanks
from .kernels import UnfoldedKernel
from .layers import LayerDecomposition, input_rows
from .networks import Ranks
from .rank_choices import kept_energy_loss

POINTS = 16
"""Ranks of a layer at which its loss is measured; between them it is interpolated."""


def energy_shares(all_ranks: Ranks, samples: SampleTensors) -> dict[str, Array]:
    """The share of the method's own objective that each layer drops, at rank 1, 2, ...

    Of weight energy for plain SVD, of output energy for activation-aware SVD.
    """
    shares = {}
    for name, decomposition in all_ranks.decompositions.items():
        total = decomposition.errors[0]
        # Constant inputs and no ridge: there is nothing to lose.
        shares[name] = decomposition.errors[1:] / (total if total > 0 else 1.0)
    return shares


def kept_energies(all_ranks: Ranks, samples: SampleTensors) -> dict[str, Array]:
    """−log of the share of the method's own objective that each layer keeps."""
    return {
        name: kept_energy_loss(decomposition.errors)
        for name, decomposition in all_ranks.decompositions.items()
    }


def curvature_losses(all_ranks: Ranks, samples: SampleTensors) -> dict[str, Array]:
    """What the loss gains to second order, at rank 1, 2, ... of each layer alone.

    ½ tr(G ΔW A ΔWᵀ) with ΔW = W − Ŵ, the Kronecker-factored Gauss-Newton expansion of the loss at
    the reference. A is the second moment of the layer's inputs over the fitted rows; their
    covariance where the method moves what it drops of their mean into the bias. G is the
    second moment of the gradients of −log p(label) at the layer's outputs, the labels drawn from
    the network's own predictions p; of the gradient of the prediction, for a regression. A
    convolution's A is averaged over positions, its G summed over them.

    Returns
    -------
    dict
        Layer -> ndarray, shape (max_rank,), in units of the loss: they may be added over layers.

    Notes
    -----
    Martens & Grosse 2015, arXiv 1503.05671; convolutions: Grosse & Martens 2016, arXiv 1602.01407.
    """
    x = samples.x[samples.fit]
    curvatures = output_curvatures(all_ranks, x, samples.task)
    losses = {}
    for name, inputs in _list_inputs(all_ranks, x):
        decomposition = all_ranks.decompositions[name]
        rows = input_rows(all_ranks.layers[name], inputs)
        moment = covariance(rows)
        if decomposition.mean is None:
            centre = mean(rows)
            moment = moment + np.outer(centre, centre)
        losses[name] = quadratic_errors(decomposition, curvatures[name], moment)
    return losses


def quadratic_errors(
    decomposition: LayerDecomposition, output_moment: Array, input_moment: Array
) -> Array:
    """½ tr(G ΔW A ΔWᵀ) at rank 1, 2, ..., r; shape (r,).

    Parameters
    ----------
    decomposition : Decomposition or KernelDecomposition
        Of a weight, or of a kernel that unfolds to one, of shape (m, n).
    output_moment, input_moment : ndarray, shapes (m, m) and (n, n)
        G and A, positive semidefinite.
    """
    if isinstance(decomposition, UnfoldedKernel):
        decomposition = decomposition.matrix
    if isinstance(decomposition, Decomposition):
        left = decomposition.left.astype(np.float64)
        right = decomposition.right.astype(np.float64)
        weight = decomposition.weight.astype(np.float64)
        # Factors of full rank miss a rest of the weight, by rounding or by a sketch. This rest is
        # one more component, which no rank keeps.
        rest = weight - left @ right
        pairs = (left.T @ output_moment @ left) * (right @ input_moment @ right.T)
        across = np.einsum("mk,mn,kn->k", left, output_moment @ rest @ input_moment, right)
        alone = float(np.sum((output_moment @ rest @ input_moment) * rest))
        # The components that a rank leaves out form the lower right blocks: sum over these.
        blocks = np.cumsum(np.cumsum(pairs[::-1, ::-1], axis=0), axis=1).diagonal()[::-1]
        crossed = np.cumsum(across[::-1])[::-1]
        errors = np.append(blocks[1:] + 2 * crossed[1:], 0.0) + alone
    else:
        original = (
            decomposition.weight if isinstance(decomposition, MatrixRanks) else decomposition.kernel
        )
        weight = original.reshape(len(original), -1).astype(np.float64)
        ranks = range(1, decomposition.max_rank + 1)
        changes = (weight - decomposition.at(rank).matrix for rank in ranks)
        errors = np.array([np.sum((output_moment @ d @ input_moment) * d) for d in changes])
    return np.maximum(errors, 0.0) / 2


def output_curvatures(all_ranks: Ranks, x: torch.Tensor, task: str) -> dict[str, Array]:
    """G of each layer: what the loss curves by at the layer's outputs, shape (m, m), in float64."""
    totals: dict[str, Array] = {}
    for chunk in x.split(running_sum.ROWS):
        with torch.enable_grad():
            seen: dict[str, torch.Tensor] = {}
            h = chunk
            for name, module in all_ranks.network.named_children():
                h = module(h)
                if name in all_ranks.layers:
                    h = h.detach().requires_grad_() if not seen else h
                    seen[name] = h
            for direction in _list_loss_directions(h.detach(), task):
                gradients = torch.autograd.grad(
                    (h * direction).sum(), list(seen.values()), retain_graph=True
                )
                for name, gradient in zip(seen, gradients, strict=True):
                    rows = gradient.movedim(1, -1).flatten(0, -2).double().numpy()
                    totals[name] = totals.get(name, 0.0) + rows.T @ rows
    return {name: total / len(x) for name, total in totals.items()}


def _list_loss_directions(outputs: torch.Tensor, task: str) -> Iterator[torch.Tensor]:
    """Vectors s_j of each sample with Σ_j s_j s_jᵀ the Hessian of its loss in the outputs."""
    if task != "classification":
        yield torch.ones_like(outputs)  # ½ (output − target)²
        return
    # diag(p) − p pᵀ = Σ_c p_c (e_c − p)(e_c − p)ᵀ: each label's gradient, weighted by its
    # probability.
    chances = outputs.softmax(dim=1)
    for label in range(outputs.shape[1]):
        direction = -chances.clone()
        direction[:, label] += 1
        yield direction * chances[:, label : label + 1].sqrt()


def measured_losses(all_ranks: Ranks, samples: SampleTensors) -> dict[str, Array]:
    """What the loss of the fitted rows gains when one layer alone is truncated, at rank 1, 2, ...

    Measured at some ranks, interpolated between them, and never rising with the rank.
    """
    x, y = samples.x[samples.fit], samples.y[samples.fit]
    loss = loss_of(samples.task)
    losses = {}
    with torch.no_grad():
        whole = float(loss(forward_in_blocks(all_ranks.network, x), y))
        for name, decomposition in all_ranks.decompositions.items():
            alone = Ranks(all_ranks.network, {name: all_ranks.layers[name]}, {name: decomposition})
            smaller = decomposition.parameters[1:] < decomposition.dense_parameters
            largest = 1 + int(np.flatnonzero(smaller).max(initial=-1))
            spaced = np.geomspace(1, max(largest, 1), POINTS).round().astype(int)
            ranks = [int(k) for k in np.unique(spaced) if k <= largest]
            gains = [float(loss(out, y)) - whole for _, out in alone.evaluate(x, ranks)]
            points = [*ranks, max(decomposition.max_rank, largest + 1)]
            every = np.interp(np.arange(1, decomposition.max_rank + 1), points, [*gains, 0.0])
            losses[name] = np.maximum.accumulate(np.maximum(every, 0.0)[::-1])[::-1]
    return losses


def _list_inputs(all_ranks: Ranks, x: torch.Tensor) -> Iterator[tuple[str, torch.Tensor]]:
    """Each layer's name and what the reference gives it, in forward order."""
    for name, module in all_ranks.network.named_children():
        if name in all_ranks.layers:
            yield name, x
        x = forward_in_blocks(module, x)


Objective = Callable[[Ranks, SampleTensors], dict[str, Array]]

OBJECTIVES: Mapping[str, Objective] = {
    "curvature": curvature_losses,
    "measured": measured_losses,
    "kept_energy": kept_energies,
    "energy_share": energy_shares,
}
"""Name -> what each layer loses at rank 1, 2, ...; the dense layer loses nothing."""
