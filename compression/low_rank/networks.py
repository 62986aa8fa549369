"""Low rank for whole networks: every rank from one decomposition a layer.

A rank costs a rank-one update of the first compressed layer's outputs and the rest of the network,
never another decomposition, and never a pass through what comes before. Layers after the first one
apply their factors as factors, until a layer stays as it is for all ranks to come: then the next
one takes its place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import nn

from ..accounting import layer_macs
from ..catalog import LOW_RANK_METHODS
from ..errors import ArgumentError
from ..network import Layer, children_of, forward_in_blocks, low_rank_layer, replace_layers
from ..training import Reference, SampleTensors
from .decomposition import check_rank
from .layers import LayerDecomposition, decompose_layer, input_rows, layers_for
from .running_sum import PreActivation

SECONDS_PER_MAC, SECONDS_PER_SAMPLE = 5e-11, 1e-6
"""Of one thread of a usual processor: what is long, not how long it takes here."""

CALIBRATIONS = ("reference", "sequential")

Chosen = int | Mapping[str, int | None]
"""One rank for all layers, or a rank (None: dense) a layer."""


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

    def find_compressed(self, ranks: Chosen) -> dict[str, int]:
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

    def decompositions_at(self, ranks: Chosen) -> dict[str, LayerDecomposition]:
        """What the compressed layers are taken from at these ranks, by name."""
        return {name: self.decompositions[name] for name in self.find_compressed(ranks)}

    def expect_seconds(self, rows: int) -> float:
        """About how long one rank takes to judge on so many samples, from sizes alone."""
        macs = layer_macs(self.network)
        first = next(name for name in macs if name in self.layers)
        rest = sum(list(macs.values())[list(macs).index(first) + 1 :])
        return rows * (rest * SECONDS_PER_MAC + SECONDS_PER_SAMPLE)

    def at(self, ranks: Chosen) -> nn.Sequential:
        """The network with these ranks, see :meth:`find_compressed`.

        Dense layers are shared with the reference: copy before training.
        """
        return self._prepare_build(ranks).build_network()

    def _prepare_build(self, ranks: Chosen) -> _BuiltNetwork:
        return _BuiltNetwork(
            self.network, self.layers, self.decompositions_at(ranks), self.find_compressed(ranks)
        )

    @torch.no_grad()
    def evaluate(
        self, x: torch.Tensor, ranks: Sequence[Chosen]
    ) -> Iterator[tuple[Callable[[], nn.Sequential], torch.Tensor]]:
        """For each choice, in the order of :func:`check_choices`: what builds its network, and its outputs."""
        rising = [rank for rank in ranks if not isinstance(rank, Mapping)]
        if len(rising) == len(ranks):
            yield from self._evaluate_rising(x, rising)
            return
        yield from self._evaluate_one_by_one(x, ranks)

    def _evaluate_one_by_one(
        self, x: torch.Tensor, ranks: Sequence[Chosen]
    ) -> Iterator[tuple[Callable[[], nn.Sequential], torch.Tensor]]:
        for choice in ranks:
            built = self._prepare_build(choice)
            yield built.build_network, forward_in_blocks(built.build_network(), x)

    def _evaluate_rising(
        self, x: torch.Tensor, ranks: Sequence[int]
    ) -> Iterator[tuple[Callable[[], nn.Sequential], torch.Tensor]]:
        children = list(children_of(self.network))
        known, start = self.network, 0
        names = [name for name in children if name in self.layers]
        for name in names:
            place = children.index(name)
            if place > start:
                x = forward_in_blocks(known[start:place], x)
            first = PreActivation(self.layers[name], self.decompositions[name], x)
            layer_ranks = [self.find_compressed(rank).get(name) for rank in ranks]
            if name == names[-1]:
                changing = len(ranks)
            else:  # above some rank the layer stays dense, and its outputs are known
                changing = next(
                    i for i, rank in enumerate(layer_ranks) if set(layer_ranks[i:]) == {rank}
                )
            for rank in ranks[:changing]:
                built = self._prepare_build(rank)
                rest = nn.Sequential(*map(built.build_part, children[place + 1 :]))
                chunks = first.at(
                    self.find_compressed(rank).get(name), partial(built.build_part, name)
                )
                yield built.build_network, torch.cat([rest(chunk) for chunk in chunks])
            ranks = ranks[changing:]
            if not ranks:
                return
            known, start = self._prepare_build(ranks[0]).build_network(), place


class _BuiltNetwork:
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

    def build_part(self, name: str) -> nn.Module:
        """A layer of the network, by its name."""
        if name not in self._decomposed:
            return self._network.get_submodule(name)
        if name not in self._new:
            factors = self._decomposed[name].at(self._ranks[name])
            self._new[name] = low_rank_layer(self._layers[name], factors)
        return self._new[name]

    def build_network(self) -> nn.Sequential:
        return replace_layers(
            self._network, {name: self.build_part(name) for name in self._decomposed}
        )


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
    def decompositions_at(self, ranks: Chosen) -> dict[str, LayerDecomposition]:
        effective = self.find_compressed(ranks)
        decompositions: dict[str, LayerDecomposition] = {}
        x, passed = self.x, nn.Sequential()
        for name, module in children_of(self.network).items():
            if name in effective:
                x, passed = forward_in_blocks(passed, x), nn.Sequential()
                # Before the first compressed layer nothing differs from the reference.
                decompositions[name] = (
                    self.decompose(name, x) if decompositions else self.decompositions[name]
                )
                module = low_rank_layer(self.layers[name], decompositions[name].at(effective[name]))
            if len(decompositions) == len(effective):
                break
            passed.append(module)
        return decompositions

    def _evaluate_rising(
        self, x: torch.Tensor, ranks: Sequence[int]
    ) -> Iterator[tuple[Callable[[], nn.Sequential], torch.Tensor]]:
        yield from self._evaluate_one_by_one(x, ranks)


@torch.no_grad()
def prepare(
    reference: Reference,
    samples: SampleTensors,
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
    samples : SampleTensors
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

    decompositions: dict[str, LayerDecomposition] = {}
    start = x = samples.x[samples.fit]
    passed = nn.Sequential()  # modules after the last layer whose input was read
    for name, module in children_of(reference.network).items():
        if name in chosen:
            if looks:
                x, passed = forward_in_blocks(passed, x), nn.Sequential()
            decompositions[name] = decompose(name, x)
        passed.append(module)
    if looks and calibration == "sequential":
        return SequentialRanks(reference.network, chosen, decompositions, start, decompose)
    return Ranks(reference.network, chosen, decompositions)


def check_choices(ranks: Iterable[Chosen] | None, all_ranks: Ranks) -> list[Chosen]:
    """The choices that these ranks can answer.

    Parameters
    ----------
    ranks : iterable of int, or of dict, or None
        None: every rank. Whole numbers come back in ascending order, each once; dicts as given.
    all_ranks : Ranks

    Raises
    ------
    ArgumentError
        No choice, or one that is not possible.
    """
    largest = all_ranks.max_rank
    values: list[Any] = list(range(1, largest + 1) if ranks is None else ranks)
    if not values:
        raise ArgumentError(f"no rank was given: choose from 1 to {largest}")
    if all(isinstance(value, Mapping) for value in values):
        for value in values:
            all_ranks.find_compressed(value)
        return values
    for rank in values:
        whole = isinstance(rank, (int, np.integer)) and not isinstance(rank, bool)
        if not whole or not 1 <= rank <= largest:
            raise ArgumentError(
                f"rank {rank} is not possible for these layers: choose 1 to {largest}"
            )
    return [int(rank) for rank in sorted(set(values))]
