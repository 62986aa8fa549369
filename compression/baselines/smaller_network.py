"""A smaller network from scratch."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from .. import accounting
from ..models import Recipe, build
from ..training import Trainer
from .method import BaselineStart, check_share

_SHARES = (0.03, 0.06, 0.09, 0.125, 0.18, 0.25, 0.35, 0.5)
_HALVINGS = 10


@dataclass(frozen=True)
class SmallerNetwork:
    """The reference's architecture with fewer units in every hidden layer, trained as it was.

    min L(θ) over the weights of a network of so many times the width, from the model's own random
    start, by the reference's recipe and learning rate. It has the reference's epochs and those that
    the other baselines train on for, so that all have as many in total; training stops as the
    recipe says. The width is a share of the reference's own.
    """

    def knobs(self, start: BaselineStart) -> tuple[float, ...]:
        """Widths whose files take about 3 % to 50 % of the reference's bytes, and no more."""
        whole = accounting.bytes_of(start.reference.network)
        widths = [_find_widest(start, share * whole) for share in _SHARES]
        return tuple(dict.fromkeys(width for width in widths if width is not None))

    def check(self, knob: float) -> float:
        """A share of the units of every hidden layer, above 0."""
        return check_share(knob, "width")

    def network(self, start: BaselineStart, knob: float) -> tuple[nn.Sequential, int]:
        """A network of so many times the width, trained."""
        reference = start.reference
        network, recipe = _build(start, knob)
        trainer = Trainer(
            network.eval(),
            start.samples,
            reference.learning_rate or recipe.learning_rate,
            recipe.batch_size,
            reference.order_seed,
        )
        learnt = len(reference.history) or reference.epochs or recipe.epochs
        epochs = start.epochs or learnt + start.fine_tuning_epochs
        history = trainer.run(epochs, recipe.patience)
        return network.eval(), len(history)


def _build(start: BaselineStart, knob: float) -> tuple[nn.Sequential, Recipe]:
    """A fresh network of a share of the reference's width, and its model's recipe."""
    reference, data = start.reference, start.dataset
    return build(reference.model, data, data.outputs, reference.seed, knob * reference.width)


def _find_widest(start: BaselineStart, most: float) -> float | None:
    """The largest width, to three digits, whose file has at most so many bytes; None: none has."""

    def fits(width: float) -> bool:
        return accounting.bytes_of(_build(start, width)[0]) <= most

    low, high = 0.0, 0.999
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    width = float(f"{low:.3g}")
    return width if width and fits(width) else low or None
