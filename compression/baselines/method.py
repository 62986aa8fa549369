"""What every alternative is, and what it starts from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from torch import nn

from ..errors import ArgumentError
from ..models import recipe_of
from ..training import BATCH_SIZE, DatasetLike, Reference, SampleTensors, Trainer

FINE_TUNING_EPOCHS = 10


@dataclass(frozen=True, eq=False)
class BaselineStart:
    """What every alternative starts from, and what it may spend.

    Attributes
    ----------
    reference : Reference
        Its network is never changed.
    dataset : Dataset
    samples : SampleTensors
        Of the dataset.
    epochs : int or None
        Passes over the training rows for each network; None: the method's own number.
    """

    reference: Reference
    dataset: DatasetLike
    samples: SampleTensors
    epochs: int | None

    @property
    def fine_tuning_epochs(self) -> int:
        """Passes over the training rows that the reference's weights are trained on for."""
        return FINE_TUNING_EPOCHS if self.epochs is None else self.epochs

    def trainer(
        self, network: nn.Sequential, after_step: Callable[[], None] | None = None
    ) -> Trainer:
        """A trainer of this network, in place, as constrained networks have one."""
        recipe = recipe_of(self.reference.model, self.dataset)
        return Trainer(
            network,
            self.samples,
            recipe.learning_rate,
            BATCH_SIZE,
            self.reference.order_seed,
            after_step,
        )


class BaselineMethod(Protocol):
    """One way to a smaller model."""

    def knobs(self, start: BaselineStart) -> Sequence[float]:
        """The knob's values of a curve, unless others are requested.

        Raises NotApplicableError where the method does not work for the reference's model.
        """
        ...

    def check(self, knob: float) -> float:
        """The knob's value; raises ArgumentError, naming the possible ones, unless it is one."""
        ...

    def network(self, start: BaselineStart, knob: float) -> tuple[nn.Sequential, int]:
        """The network of one value, in eval mode, and the epochs that were spent on it."""
        ...


def check_share(share: float, title: str) -> float:
    """A share above 0, at most 1; raises ArgumentError unless it is one."""
    try:
        value = float(share)
    except (TypeError, ValueError):
        value = 0.0
    if isinstance(share, bool) or not 0 < value <= 1:
        raise ArgumentError(f"{title} {share!r} is not possible: choose above 0, at most 1")
    return value
