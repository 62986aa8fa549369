"""The catalogue's lines: what a menu shows, and facts that need no implementation."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal, Protocol


@dataclass(frozen=True)
class CatalogEntry:
    """One line of a catalogue: what a menu shows, and where the implementation lives."""

    name: str
    title: str
    knob: str
    summary: str
    source: str
    where: str

    def load(self) -> Any:
        """The implementation, imported on first use."""
        module, _, attribute = self.where.partition(":")
        return getattr(import_module(module), attribute)


class DatasetFacts(Protocol):
    """What a model has to know of a dataset: satisfied by a dataset and by its catalogue entry."""

    @property
    def task(self) -> str: ...
    @property
    def input_shape(self) -> tuple[int, ...]: ...


@dataclass(frozen=True)
class ModelEntry(CatalogEntry):
    """A model's line.

    Attributes
    ----------
    fits : callable
        Returns None, or the reason why the model cannot learn a dataset.
    scalable : bool
        It has hidden layers: its builder takes ``width``, a share of their units.
    """

    fits: Callable[[DatasetFacts], str | None]
    scalable: bool = False


@dataclass(frozen=True)
class LowRankEntry(CatalogEntry):
    """A low-rank method's line: the layers that it takes, and whether it looks at their inputs.

    ``ridge_moves_factors``: whether σ² moves more than the predicted error. ``singular_vectors``:
    whether the right factor's rows are right singular vectors of the weight.
    ``splits_kernel_sides``: whether the matrix that it truncates has a row for each input channel
    and row of a 2-D kernel, and a column for each output channel and column of it.

    A method that takes "linear" works on matrices, and on a convolution's kernel through its
    unfolding; one that does not works on kernels.
    """

    layers: tuple[str, ...]
    needs_inputs: bool = False
    ridge_moves_factors: bool = True
    singular_vectors: bool = False
    splits_kernel_sides: bool = False

    @property
    def works_on_matrices(self) -> bool:
        return "linear" in self.layers


@dataclass(frozen=True)
class ConstraintEntry(CatalogEntry):
    """A set's line, with facts of its implementation that are read without loading it.

    Attributes
    ----------
    convex : bool
        An optimum can be certified.
    bounded : bool
        The set holds no weight of any size: not so where a bound has one side only.
    elementwise : bool
        Every weight is held by itself.
    counts : bool
        The bound is a number of weights, and no size of theirs.
    """

    convex: bool = True
    bounded: bool = True
    elementwise: bool = False
    counts: bool = False


@dataclass(frozen=True)
class SolverEntry(CatalogEntry):
    """A solver's line.

    Attributes
    ----------
    has_trajectory : bool
        Its iterates are a way from the start to the optimum.
    largest_curve : float
        Rows × outputs of a problem that it solves at some 40 bounds in a minute or so.
    """

    has_trajectory: bool = True
    largest_curve: float = math.inf


@dataclass(frozen=True)
class ConstrainedEntry(CatalogEntry):
    """A way to meet a bound.

    Attributes
    ----------
    trains : bool
        Epochs mean something to it.
    keeps_bound : bool
        What it gives satisfies the bound.
    is_baseline : bool
        The others are compared with it.
    has_penalties : bool
        It takes a first and a last μ.
    certifies_layers : bool
        Each layer has a certificate of its own.
    scales_loss : bool
        Where a set holds weights together, it trains a classifier at the reference's scale of
        logits.
    """

    trains: bool = True
    keeps_bound: bool = True
    is_baseline: bool = False
    has_penalties: bool = False
    certifies_layers: bool = False
    scales_loss: bool = False


@dataclass(frozen=True)
class CombinedEntry(CatalogEntry):
    """A combined method's line: a curve's relative bounds, and its set where that is given.

    The bounds are those of a curve that is asked for none. ``bound_on``: what they hold, the
    "factors", the "weights" before they are factored, or the "sparse part" beside the factors,
    of which they are the share of weights that differ from zero.
    """

    bounds: tuple[float, ...] = (0.1, 0.15, 0.25, 0.4, 0.6, 1.0)
    constraint: str | None = None
    bound_on: Literal["factors", "weights", "sparse part"] = "factors"


@dataclass(frozen=True)
class BaselineEntry(CatalogEntry):
    """An alternative's line; ``knob`` is what a curve's knob holds: "bits", "width" ...

    Attributes
    ----------
    trains : bool
        Epochs mean something to it.
    narrows : bool
        It takes units from hidden layers.
    """

    trains: bool = True
    narrows: bool = False

    def fits(self, model: ModelEntry) -> bool:
        """Whether the model has what it takes something from."""
        return model.scalable or not self.narrows
