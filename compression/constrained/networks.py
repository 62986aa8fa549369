"""Constrained training of whole networks.

Convolutions and linear layers are constrained, biases are free. One relative bound ρ serves all
layers: c_l = ρ · gauge(W_l), the gauge being the smallest c whose set holds the reference's
weight (for a box its largest absolute value).
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from ..catalog import CONSTRAINTS
from ..network import Bounded, Layer, layers, matrix, set_bounded
from ..training import Data, Samples, Trainer
from .path import path

BATCH_SIZE = 256  # few, steady steps: each bound starts next to its solution


def bounds_for(layers: Mapping[str, Layer], constraint: str, relative: float) -> dict[str, float]:
    """Each layer's own bound for one relative bound, as float32 holds it."""
    gauge = CONSTRAINTS[constraint].load()().gauge
    return {
        name: float(torch.tensor(relative * float(gauge(matrix(layer)))))
        for name, layer in layers.items()
    }


def project(layers: Mapping[str, Layer], constraint: str, bounds: Mapping[str, float]) -> None:
    """Move each weight to the nearest point of its set, in place."""
    nearest: Any = CONSTRAINTS[constraint].load()().project
    for name, layer in layers.items():
        weight = layer.weight.detach()
        moved = nearest(weight.cpu().numpy(), bounds[name])
        weight.copy_(torch.from_numpy(moved + 0.0))  # −0 becomes 0, which needs no number


def projected_training(
    network: nn.Sequential,
    names: Sequence[str],
    samples: Samples,
    constraint: str,
    relative_bounds: Sequence[float],
    learning_rate: float,
    seed: int,
    epochs: int,
) -> Iterator[nn.Sequential]:
    """For each of the descending bounds: an optimiser step, then the projection, and so on.

    Each bound starts from the network of the bound before, the first one from the reference.

    Yields
    ------
    torch module
        The same one each time, changed in place: judge or copy it before going on.
    """
    network = copy.deepcopy(network)
    constrained = {name: layers(network)[name] for name in names}
    reference = copy.deepcopy(constrained)
    bounds: dict[str, float] = {}
    trainer = Trainer(
        network,
        samples,
        learning_rate,
        BATCH_SIZE,
        seed,
        after_step=lambda: project(constrained, constraint, bounds),
    )
    for relative in relative_bounds:
        bounds.update(bounds_for(reference, constraint, relative))
        for name, layer in constrained.items():
            set_bounded(layer, Bounded(constraint, bounds[name]))
        project(constrained, constraint, bounds)
        for _ in range(epochs):
            trainer.epoch()
        yield network


def optimal_layers(
    network: nn.Sequential, dataset: Data, constraint: str, bounds: Sequence[float]
) -> Iterator[nn.Sequential]:
    """For each bound the network of one linear layer whose weight is optimal under it.

    Yields
    ------
    torch module
        A new one each time.
    """
    x = dataset.x_train[dataset.fit_rows].astype(np.float64)
    y = dataset.y_train[dataset.fit_rows]
    loss = "softmax" if dataset.task == "classification" else "squared"
    found = path(x, y, loss=loss, constraint=constraint, bounds=np.array(bounds))
    for bound in bounds:
        optimal = copy.deepcopy(network)
        (layer,) = layers(optimal).values()
        weight = found.at(bound).reshape(tuple(layer.weight.shape))
        with torch.no_grad():
            layer.weight.copy_(torch.from_numpy(weight))
            if layer.bias is not None:
                layer.bias.copy_(torch.from_numpy(np.atleast_1d(found.intercept_at(bound))))
        bounds_here = {"": float(torch.tensor(bound))}
        project({"": layer}, constraint, bounds_here)  # float32 may have rounded past the bound
        set_bounded(layer, Bounded(constraint, bounds_here[""]))
        yield optimal
