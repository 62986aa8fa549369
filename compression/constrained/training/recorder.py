"""A constrained method that is watched: its networks' weights are kept as they pass."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from torch import nn

from ... import storage
from ...network import bounded_of, layers, matrix
from ...weight_states import FREE
from ..weight_history import LayerHistory, layer_history
from .curve import ascends
from .optimum import Optimum
from .setup import ConstrainedMethod, ConstrainedStart, Limits, members_of

T = TypeVar("T")


class Recorder:
    """A method that passes on another's networks, and keeps what a page shows of each.

    Everything that it gives is in ascending order of the bounds, as the rows of a curve are.
    """

    def __init__(self, method: ConstrainedMethod, constraint: str):
        self.method, self.constraint = method, constraint
        self.ascending = getattr(method, "ascending", False)
        self._upwards = ascends(method, constraint)
        self._weights: dict[str, list[NDArray]] = {}
        self._states: dict[str, list[NDArray[np.int8]]] = {}
        self._bounds: dict[str, list[float]] = {}

    def networks(
        self, start: ConstrainedStart, constraint: str, bounds: Sequence[Limits]
    ) -> Iterator[nn.Sequential]:
        networks = self.method.networks(start, constraint, bounds)
        for limits, network in zip(bounds, networks, strict=True):
            for name, layer in layers(network).items():
                weight, bounded = matrix(layer), bounded_of(layer)
                states, bound = np.full(weight.shape, FREE, np.int8), math.nan
                if bounded is not None:
                    states, bound = storage.states(weight, bounded), limits[name]
                self._weights.setdefault(name, []).append(weight)
                self._states.setdefault(name, []).append(states)
                self._bounds.setdefault(name, []).append(bound)
            yield network

    def histories(self, reference: nn.Sequential) -> dict[str, LayerHistory]:
        """Layer -> its weight at every bound so far."""
        elementwise = members_of(self.constraint).elementwise
        return {
            name: layer_history(
                name,
                matrix(layer),
                self._ascend(self._weights[name]),
                self._ascend(self._states[name]),
                self._ascend(self._bounds[name]),
                elementwise,
            )
            for name, layer in layers(reference).items()
        }

    def facts(self, knobs: Sequence[float]) -> pd.DataFrame | None:
        """What is certified of each row, with a curve's column ``knob``; None: nothing is.

        Solved at the bounds as float32 holds them, known by those that were asked for.
        """
        if not isinstance(self.method, Optimum):
            return None
        return pd.DataFrame(self._ascend(self.method.facts)).assign(knob=knobs)

    @property
    def multipliers(self) -> NDArray | None:
        """Price of each weight's own bound, shape (rows, outputs, inputs), where each has one."""
        if not isinstance(self.method, Optimum) or not self.method.multipliers:
            return None
        return np.stack(self._ascend(self.method.multipliers))

    def _ascend(self, rows: Sequence[T]) -> Sequence[T]:
        return rows if self._upwards else rows[::-1]
