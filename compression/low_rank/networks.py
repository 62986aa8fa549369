"""Low rank for whole networks: every rank from one decomposition a layer.

The pre-activation of the first compressed layer is a running sum, Z_k = Z_{k−1} + s_k (X v_k) u_kᵀ:
a rank costs a rank-one update and the rest of the network, never another decomposition, and
never a pass through what comes before. Layers after it apply their factors as factors, until a
layer stays as it is for all ranks to come: then the next one takes its place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from ..catalog import LOW_RANK_METHODS, find
from ..errors import ArgumentError, NotApplicableError
from ..network import (
    Layer,
    array,
    children_of,
    forward_in_blocks,
    low_rank_layer,
    matrix,
    obstacle,
    pick_layers,
    replaced,
)
from ..training import Reference, Samples
from .factors import Decomposition, build, check_rank
from .kernels import KernelDecomposition, decompose_kernel, patches

ROWS = 1024
"""Samples that go through the rest of a network at a time: what they need stays in the cache."""
PATCHES = 50_000
"""Of a convolution's inputs at most this many patches are looked at, drawn at random."""

KINDS = {nn.Linear: "linear", nn.Conv1d: "conv1d", nn.Conv2d: "conv2d"}

CALIBRATIONS = ("reference", "sequential")

LayerDecomposition = Decomposition | KernelDecomposition
Chosen = int | Mapping[str, int | None]
"""One rank for all layers, or a rank (None: dense) a layer."""


def layers_for(
    network: nn.Module, method: str, names: Sequence[str] | str | None
) -> dict[str, Layer]:
    """The layers that a method compresses, by module name, in forward order.

    Parameters
    ----------
    network : torch module
    method : str
        A name of ``compression.LOW_RANK_METHODS``.
    names : names of layers, or one name, or None
        None: every linear layer for a method that takes those, and every convolution that it
        takes for a method that takes no others.

    Raises
    ------
    ArgumentError
        Unknown method or layer.
    NotApplicableError
        The method takes none of the layers, or not all of the named ones.
    """
    entry = find(LOW_RANK_METHODS, method, "low-rank method")
    chosen = pick_layers(network, names)
    inner = [name for name in chosen if name not in children_of(network)]
    if inner and names is not None:
        raise NotApplicableError(
            f"{', '.join(inner)}: part of a layer that is low rank already; "
            "compress the network that it came from"
        )
    reasons = {name: obstacle(layer) for name, layer in chosen.items() if obstacle(layer)}
    if reasons and (names is not None or len(reasons) == len(chosen)):
        told = "; ".join(f"{name}: {reason}" for name, reason in reasons.items())
        raise NotApplicableError(f"no low-rank layer can stand for {told}")
    chosen = {name: layer for name, layer in chosen.items() if name not in reasons}
    taken = {
        name: layer
        for name, layer in chosen.items()
        if name not in inner and KINDS[type(layer)] in entry.layers
    }
    if names is None:
        linear = {name: taken[name] for name in taken if isinstance(taken[name], nn.Linear)}
        chosen = linear or taken or chosen
    refused = {name: KINDS[type(chosen[name])] for name in chosen if name not in taken}
    if refused:
        able = [n for n, e in LOW_RANK_METHODS.items() if set(refused.values()) <= set(e.layers)]
        raise NotApplicableError(
            f"{entry.title} compresses {' and '.join(entry.layers)} layers, which these are not: "
            f"{', '.join(f'{name} ({kind})' for name, kind in refused.items())}; "
            f"choose one of {', '.join(able)}"
        )
    return chosen


def decompose_layer(
    name: str, layer: Layer, method: str, inputs: NDArray | None = None, **knobs: Any
) -> LayerDecomposition:
    """All ranks of one layer.

    ``inputs`` are rows as :func:`input_rows` gives them, for methods that look at them;
    ``knobs`` are those of the methods, each takes what it has.

    Raises
    ------
    ArgumentError
        The layer's weight, or a knob, cannot be used; the message names the layer.
    """
    try:
        if isinstance(layer, nn.Linear):
            chosen = build(LOW_RANK_METHODS[method].load(), **knobs)
            return chosen.decompose(matrix(layer), inputs)
        kernel = matrix(layer).reshape(layer.weight.shape)
        return decompose_kernel(kernel, method, inputs, **knobs)
    except ArgumentError as error:
        raise ArgumentError(f"layer {name}: {error}") from None


def input_rows(layer: Any, inputs: torch.Tensor) -> NDArray:
    """A layer's inputs as the rows that its weight matrix is multiplied with.

    A row a sample for a linear layer; a row a sample and position for a convolution, at most
    ``PATCHES`` of them.
    """
    if isinstance(layer, nn.Linear):
        return array(inputs)
    padded, none = _pad(layer, inputs), (0,) * len(layer.kernel_size)
    return patches(
        array(padded), layer.kernel_size, layer.stride, none, layer.dilation, rows=PATCHES
    )


def _pad(layer: Any, inputs: torch.Tensor) -> torch.Tensor:
    """The inputs with what the convolution puts around them."""
    amounts: list[int] = []  # of the last axis first, as torch wants them
    for axis in reversed(range(len(layer.kernel_size))):
        if layer.padding == "same":
            total = layer.dilation[axis] * (layer.kernel_size[axis] - 1)
            amounts += [total // 2, total - total // 2]
        else:
            amounts += [0, 0] if layer.padding == "valid" else [layer.padding[axis]] * 2
    if not any(amounts):
        return inputs
    mode = "constant" if layer.padding_mode == "zeros" else layer.padding_mode
    return functional.pad(inputs, amounts, mode=mode)


@dataclass(frozen=True, eq=False)
class Ranks:
    """A network in which some layers may have any rank.

    Attributes
    ----------
    network : chain of torch modules
        The reference; never changed.
    layers : dict
        The layers to compress, by name.
    decompositions : dict
        Theirs, by name.
    """

    network: nn.Sequential
    layers: Mapping[str, Layer]
    decompositions: Mapping[str, LayerDecomposition]

    @property
    def max_rank(self) -> int:
        """The largest rank that any of the layers can have."""
        return max(d.max_rank for d in self.decompositions.values())

    def effective(self, ranks: Chosen) -> dict[str, int]:
        """The layers that are compressed, each with its rank; the others stay dense.

        Parameters
        ----------
        ranks : int, or dict
            One rank for all layers, or a rank (None: dense) a layer. Where factors of that rank
            would not hold fewer numbers than the weight, the layer stays dense.

        Raises
        ------
        ArgumentError
            A name in the mapping is none of the layers, or a rank is not possible for its layer.
        """
        if not isinstance(ranks, Mapping):
            ranks = {n: min(ranks, d.max_rank) for n, d in self.decompositions.items()}
        return {n: rank for n, rank in ranks.items() if rank is not None and self._pays(n, rank)}

    def _pays(self, name: str, rank: int) -> bool:
        if name not in self.decompositions:
            raise ArgumentError(
                f"{name!r} is not compressed here: choose from {', '.join(self.decompositions)}"
            )
        decomposition = self.decompositions[name]
        check_rank(rank, decomposition.max_rank, decomposition.shape)
        return bool(decomposition.parameters[rank] < decomposition.dense_parameters)

    def decomposed(self, ranks: Chosen) -> dict[str, LayerDecomposition]:
        """What the compressed layers are taken from at these ranks, by name."""
        return {name: self.decompositions[name] for name in self.effective(ranks)}

    def at(self, ranks: Chosen) -> nn.Sequential:
        """The network with these ranks, see :meth:`effective`.

        Dense layers are shared with the reference: copy before training.
        """
        return self._built(ranks).network()

    def _built(self, ranks: Chosen) -> _Built:
        return _Built(self.network, self.layers, self.decomposed(ranks), self.effective(ranks))

    @torch.no_grad()
    def evaluated(
        self, x: torch.Tensor, ranks: Sequence[Chosen]
    ) -> Iterator[tuple[Callable[[], nn.Sequential], torch.Tensor]]:
        """For each choice, in the order of :func:`checked`: what builds its network, and its outputs."""
        rising = [rank for rank in ranks if not isinstance(rank, Mapping)]
        if len(rising) == len(ranks):
            yield from self._rising(x, rising)
            return
        yield from self._one_by_one(x, ranks)

    def _one_by_one(
        self, x: torch.Tensor, ranks: Sequence[Chosen]
    ) -> Iterator[tuple[Callable[[], nn.Sequential], torch.Tensor]]:
        for choice in ranks:
            built = self._built(choice)
            yield built.network, forward_in_blocks(built.network(), x)

    def _rising(
        self, x: torch.Tensor, ranks: Sequence[int]
    ) -> Iterator[tuple[Callable[[], nn.Sequential], torch.Tensor]]:
        children = list(children_of(self.network))
        known, start = self.network, 0
        names = [name for name in children if name in self.layers]
        for name in names:
            place = children.index(name)
            if place > start:
                x = forward_in_blocks(known[start:place], x)
            first = _PreActivation(self.layers[name], self.decompositions[name], x)
            own = [self.effective(rank).get(name) for rank in ranks]
            if name == names[-1]:
                changing = len(ranks)
            else:  # above some rank the layer stays as it is, and what it gives is known
                changing = next(i for i, rank in enumerate(own) if set(own[i:]) == {rank})
            for rank in ranks[:changing]:
                built = self._built(rank)
                rest = nn.Sequential(*map(built.part, children[place + 1 :]))
                chunks = first.at(self.effective(rank).get(name), partial(built.part, name))
                yield built.network, torch.cat([rest(chunk) for chunk in chunks])
            ranks = ranks[changing:]
            if not ranks:
                return
            known, start = self._built(ranks[0]).network(), place


class _Built:
    """A network at some ranks; each of its new layers is built when it is asked for."""

    def __init__(
        self,
        network: nn.Sequential,
        layers: Mapping[str, Layer],
        decomposed: Mapping[str, LayerDecomposition],
        ranks: Mapping[str, int],
    ):
        self._network, self._layers = network, layers
        self._decomposed, self._ranks = decomposed, ranks
        self._new: dict[str, nn.Module] = {}

    def part(self, name: str) -> nn.Module:
        """A layer of the network, by its name."""
        if name not in self._decomposed:
            return self._network.get_submodule(name)
        if name not in self._new:
            factors = self._decomposed[name].at(self._ranks[name])
            self._new[name] = low_rank_layer(self._layers[name], factors)
        return self._new[name]

    def network(self) -> nn.Sequential:
        return replaced(self._network, {name: self.part(name) for name in self._decomposed})


@dataclass(frozen=True, eq=False)
class SequentialRanks(Ranks):
    """The same, but each layer is decomposed on what the compressed layers before it give.

    Every choice of ranks decomposes again whatever comes after the first compressed layer.

    Attributes
    ----------
    decompositions : dict
        On the reference's inputs.
    x : tensor, shape (N, features)
        The calibration samples.
    decompose : callable
        ``(name of a layer, its input) -> its decomposition``.
    """

    x: torch.Tensor
    decompose: Callable[[str, torch.Tensor], LayerDecomposition]

    @torch.no_grad()
    def decomposed(self, ranks: Chosen) -> dict[str, LayerDecomposition]:
        effective = self.effective(ranks)
        found: dict[str, LayerDecomposition] = {}
        x, passed = self.x, nn.Sequential()
        for name, module in children_of(self.network).items():
            if name in effective:
                x, passed = forward_in_blocks(passed, x), nn.Sequential()
                # Before the first compressed layer nothing differs from the reference.
                found[name] = self.decompose(name, x) if found else self.decompositions[name]
                module = low_rank_layer(self.layers[name], found[name].at(effective[name]))
            if len(found) == len(effective):
                break
            passed.append(module)
        return found

    def _rising(
        self, x: torch.Tensor, ranks: Sequence[int]
    ) -> Iterator[tuple[Callable[[], nn.Sequential], torch.Tensor]]:
        yield from self._one_by_one(x, ranks)


class _PreActivation:
    """What the first compressed layer gives for ascending ranks, ``ROWS`` samples at a time."""

    def __init__(self, layer: Layer, decomposition: LayerDecomposition, x: torch.Tensor):
        self._layer, self._decomposition, self._x = layer, decomposition, x
        self._running: _RunningSum | None = None
        self._dense: torch.Tensor | None = None

    def at(self, rank: int | None, build: Callable[[], nn.Module]) -> Iterable[torch.Tensor]:
        """The outputs of what ``build`` gives, which is the layer at this rank (None: dense)."""
        if rank is None:
            if self._dense is None:
                self._running = None  # its memory is free for the dense layer's outputs
                self._dense = forward_in_blocks(build(), self._x)
            return self._dense.split(ROWS)
        if not self._decomposition.nested:
            module = build()
            return (module(chunk) for chunk in self._x.split(ROWS))
        if self._running is None:
            self._running = _RunningSum(self._layer, self._decomposition, self._x)
        return self._running.at(rank)


class _RunningSum:
    """One layer's outputs for ascending ranks: Z_k = b + W x̄ + Σ_{i ≤ k} left_i right_i (x − x̄)."""

    def __init__(self, layer: Layer, decomposition: LayerDecomposition, x: torch.Tensor):
        largest = int(np.flatnonzero(decomposition.parameters < decomposition.dense_parameters)[-1])
        self._x = x
        self._right: Any
        self._left: Any
        self._right, self._left = low_rank_layer(layer, decomposition.at(largest))
        # A quarter of the outputs' own number at a time, so that the projections take little
        # memory beside the outputs.
        self._block = max(1, len(self._left.weight) // 4)
        right, left, bias = self._right.weight, self._left.weight, self._left.bias
        self._centre = right.new_zeros(largest)
        self._start = right.new_zeros(len(left)) if bias is None else bias
        if decomposition.mean is not None:
            self._centre = right.flatten(1) @ torch.from_numpy(decomposition.mean).to(right)
            self._start = self._start + left.flatten(1) @ self._centre
        self._rank = 0
        self._projected = x.new_empty(0)
        self._sum: torch.Tensor | None = None

    def at(self, rank: int) -> Iterable[torch.Tensor]:
        """The outputs at one rank, ``ROWS`` samples after the other, each as it is wanted.

        All are to be taken before the next rank, which changes them in place.
        """
        while self._sum is None or self._rank < rank:
            within = self._rank % self._block
            if within == 0:
                block = slice(self._rank, self._rank + self._block)
                self._projected = _linear(self._right, self._right.weight[block], self._x)
                self._projected -= _over_positions(self._centre[block], self._projected)
            upto = min(rank - self._rank, self._block - within)
            added = self._added(slice(self._rank, self._rank + upto), slice(within, within + upto))
            self._rank += upto
            if self._rank == rank:
                return added
            for _ in added:
                pass
        return self._sum.split(ROWS)

    def _added(self, ranks: slice, within: slice) -> Iterator[torch.Tensor]:
        left, projected = self._left.weight[:, ranks], self._projected[:, within]
        if self._sum is None:
            self._sum = _linear(self._left, left, projected)
            self._sum += _over_positions(self._start, self._sum)
            yield from self._sum.split(ROWS)
            return
        # What was just changed is still in the cache for whoever takes it.
        for outputs, part in zip(self._sum.split(ROWS), projected.split(ROWS), strict=True):
            if isinstance(self._left, nn.Linear):
                outputs.addmm_(part, left.T)
            else:
                outputs += _linear(self._left, left, part)
            yield outputs


def _linear(module: nn.Module, weight: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """What a module without its bias would give with this weight."""
    if isinstance(module, nn.Linear):
        return functional.linear(x, weight)
    assert isinstance(module, (nn.Conv1d, nn.Conv2d))
    return module._conv_forward(x, weight, None)  # with its own padding, of whatever mode


def _over_positions(channels: torch.Tensor, outputs: torch.Tensor) -> torch.Tensor:
    """Numbers a channel, shaped to be added at every position."""
    return channels.reshape(-1, *[1] * (outputs.dim() - 2))


@torch.no_grad()
def prepare(
    reference: Reference,
    samples: Samples,
    method: str,
    layers: Sequence[str] | str | None = None,
    *,
    ridge: float = 0.0,
    calibration: str = "reference",
) -> Ranks:
    """Decompose the chosen layers of a reference.

    Parameters
    ----------
    reference : Reference
    samples : Samples
        Methods that look at a layer's inputs see what the training rows give it.
    method, layers
        See :func:`layers_for`.
    ridge : float
        σ², in squared units of a layer's inputs, for methods that have one.
    calibration : str
        "reference": inputs come from the reference; "sequential": from the network whose layers
        before are compressed already. The same for methods that look at the weight alone.

    Raises
    ------
    ArgumentError
        Unknown method, layer or calibration, or a weight that cannot be factorised.
    NotApplicableError
        See :func:`layers_for`.
    """
    if calibration not in CALIBRATIONS:
        raise ArgumentError(
            f"there is no calibration named {calibration!r}: choose one of {', '.join(CALIBRATIONS)}"
        )
    chosen = layers_for(reference.network, method, layers)
    looks = LOW_RANK_METHODS[method].needs_inputs

    def decompose(name: str, x: torch.Tensor) -> LayerDecomposition:
        inputs = input_rows(chosen[name], x) if looks else None
        return decompose_layer(name, chosen[name], method, inputs, ridge=ridge, seed=reference.seed)

    found: dict[str, LayerDecomposition] = {}
    start = x = samples.x[samples.fit]
    passed = nn.Sequential()  # since the last layer whose input was looked at
    for name, module in children_of(reference.network).items():
        if name in chosen:
            if looks:
                x, passed = forward_in_blocks(passed, x), nn.Sequential()
            found[name] = decompose(name, x)
        passed.append(module)
    if looks and calibration == "sequential":
        return SequentialRanks(reference.network, chosen, found, start, decompose)
    return Ranks(reference.network, chosen, found)


def checked(ranks: Iterable[Chosen] | None, family: Ranks) -> list[Chosen]:
    """The choices that a family can answer.

    Parameters
    ----------
    ranks : iterable of int, or of dict, or None
        None: every rank. Whole numbers come back in ascending order, each once; dicts as given.
    family : Ranks

    Raises
    ------
    ArgumentError
        No choice, or one that is not possible.
    """
    largest = family.max_rank
    values: list[Any] = list(range(1, largest + 1) if ranks is None else ranks)
    if not values:
        raise ArgumentError(f"no rank was given: choose from 1 to {largest}")
    if all(isinstance(value, Mapping) for value in values):
        for value in values:
            family.effective(value)
        return values
    for rank in values:
        whole = isinstance(rank, (int, np.integer)) and not isinstance(rank, bool)
        if not whole or not 1 <= rank <= largest:
            raise ArgumentError(
                f"rank {rank} is not possible for these layers: choose 1 to {largest}"
            )
    return [int(rank) for rank in sorted(set(values))]
