"""Linear and softmax regression under a bound, solved."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from ..network import layers
from .networks import Limits, Start, confine
from .path import path


@dataclass(frozen=True)
class Optimum:
    """The certified optimum of a network of one linear layer.

    Solves  min L(θ, b)  subject to  θ in C(c), b free  from the data alone.
    """

    def networks(
        self, start: Start, constraint: str, bounds: Sequence[Limits]
    ) -> Iterator[nn.Sequential]:
        """A network for each of the bounds: a new one each time.

        Raises
        ------
        NotApplicableError
            The set does not work for this model.
        """
        samples = start.samples
        found = path(
            samples.x[samples.fit].numpy().astype(np.float64),
            samples.y[samples.fit].numpy(),
            loss="softmax" if samples.task == "classification" else "squared",
            constraint=constraint,
            bounds=np.array([bound for limits in bounds for bound in limits.values()]),
        )
        for limits in bounds:
            ((name, bound),) = limits.items()
            network = copy.deepcopy(start.network)
            layer = layers(network)[name]
            with torch.no_grad():
                layer.weight.copy_(torch.from_numpy(found.at(bound)).reshape(layer.weight.shape))
                if layer.bias is not None:
                    layer.bias.copy_(torch.from_numpy(np.atleast_1d(found.intercept_at(bound))))
            confine(network, constraint, limits)  # float32 may have rounded past the bound
            yield network
