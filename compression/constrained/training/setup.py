"""Constrained training of whole networks: what every method shares.

Convolutions and linear layers are constrained, biases are free. Each layer has its own bound c;
one relative bound ρ stands for c_l = ρ · gauge(W_l), the gauge being the smallest c whose set
holds the reference's weight (for a box its largest absolute value).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import torch
from torch import nn

from ...catalog import CONSTRAINTS
from ...network import (
    Layer,
    LayerBound,
    forward_in_blocks,
    layers,
    matrix,
    pick_layers,
    set_bounded,
)
from ...report import Report, keep_going
from ...training import BATCH_SIZE, SampleTensors, Trainer
from ..sets import ConstraintSet

Limits = Mapping[str, float]
"""Layer's name -> its bound c, in the units of the weight; other layers are free."""


@dataclass(frozen=True, eq=False)
class ConstrainedStart:
    """What every method starts from, and what it may spend.

    Attributes
    ----------
    network : chain of torch modules
        The reference's; never changed.
    samples : SampleTensors
    learning_rate : float
        Of Adam: the one that the reference was trained with.
    seed : int
        Of the order of the training rows.
    epochs : int
        Passes over the training rows for each bound.
    trainers : list of Trainer
        All that were made so far: what was spent.
    report : callable
        Asked between two networks by methods that spend long on one; see ``compression.report``.
    """

    network: nn.Sequential
    samples: SampleTensors
    learning_rate: float
    seed: int
    epochs: int
    report: Report = keep_going
    trainers: list[Trainer] = field(default_factory=list)

    @property
    def epochs_spent(self) -> int:
        """Passes over the training rows so far."""
        return sum(trainer.epochs for trainer in self.trainers)

    def trainer(
        self,
        network: nn.Sequential,
        after_step: Callable[[], None] | None = None,
        penalty: Callable[[], torch.Tensor] | None = None,
    ) -> Trainer:
        """A trainer of this network, in place."""
        made = Trainer(
            network,
            self.samples,
            self.learning_rate,
            BATCH_SIZE,
            self.seed,
            after_step,
            penalty,
        )
        self.trainers.append(made)
        return made


@torch.no_grad()
def match_scale(start: ConstrainedStart, network: nn.Sequential) -> float:
    """The factor of a confined classifier's logits in its training loss.

    A tight bound keeps the logits small, where the cross-entropy is nearly linear: it then rewards
    a large mean margin, and no longer that each row is right. The loss falls while the error
    rises, from epoch to epoch and at any learning rate. At the scale of the logits that the
    network had without its bound this does not happen; which class is largest does not depend on
    the scale.

    Returns
    -------
    float
        How much larger the reference's centred logits are on the fitted rows, root mean square;
        at least 1. 1 for a regression, and for a model without hidden layers: its optimum is
        certified for the loss itself.
    """
    if start.samples.task != "classification" or len(layers(start.network)) == 1:
        return 1.0
    spreads = []
    for one in (start.network, network):
        logits = forward_in_blocks(one, start.samples.x[start.samples.fit])
        spreads.append(float((logits - logits.mean(dim=1, keepdim=True)).square().mean().sqrt()))
    before, after = spreads
    return max(1.0, before / after) if after > 0 else 1.0


class ConstrainedMethod(Protocol):
    """One way from a reference to networks that satisfy their bounds."""

    def networks(
        self, start: ConstrainedStart, constraint: str, bounds: Sequence[Limits]
    ) -> Iterator[nn.Sequential]:
        """A network for each of the bounds, which descend.

        A method whose attribute ``ascending`` is true is given the bounds of a convex set in
        ascending order.

        Yields
        ------
        torch module
            In eval mode. It may be changed afterwards: judge or copy it before going on.
        """
        ...


def members_of(constraint: str) -> ConstraintSet:
    """The set of that name in the catalogue."""
    return CONSTRAINTS[constraint].load()()


def bounds_for(layers: Mapping[str, Layer], constraint: str, relative: float) -> dict[str, float]:
    """Each layer's own bound for one relative bound, as float32 holds it."""
    gauge = members_of(constraint).gauge
    return {
        name: round_to_float32(relative * gauge(matrix(layer))) for name, layer in layers.items()
    }


def round_to_float32(bound: float) -> float:
    """A bound as float32, the type of the weights, holds it."""
    return float(np.float32(bound))


def project(layers: Mapping[str, Layer], constraint: str, bounds: Limits) -> None:
    """Move each weight to the nearest point of its set, in place."""
    members = members_of(constraint)
    for name, layer in layers.items():
        weight, bound = layer.weight.detach(), bounds[name]
        if members.elementwise:
            weight.clamp_(min=-bound if members.bounded else None, max=bound)
        else:
            weight.copy_(torch.from_numpy(members.project(weight.cpu().numpy(), bound)))
        weight += 0.0  # −0 becomes 0, which files store without a number


def confine(network: nn.Sequential, constraint: str, bounds: Limits) -> None:
    """Project the weights that have a bound, and note on each layer that it lies in its set."""
    confined = pick_layers(network, list(bounds))
    project(confined, constraint, bounds)
    for name, layer in confined.items():
        set_bounded(layer, LayerBound(constraint, bounds[name]))
