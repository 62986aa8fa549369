"""Score against rank: one decomposition a layer, every rank judged."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, cast

import numpy as np
import torch
from torch import nn

from ..argument_checks import check_arguments
from ..curve import Curve, CurveBuilder
from ..errors import ArgumentError
from ..models import recipe_of
from ..network import LowRankLayer, children_of, multiply_out
from ..threads import in_one_thread
from ..training import (
    BATCH_SIZE,
    DatasetLike,
    Reference,
    Report,
    SampleTensors,
    Trainer,
    keep_going,
    samples_for,
)
from .networks import Chosen, Ranks, check_choices, prepare

FIRST_RANKS = 20  # ranks that a curve begins with if it may take long
LONG_SECONDS = 30
TRAINED_RANKS = 16  # ranks of a curve with fine-tuning: each costs its epochs


@check_arguments
@in_one_thread
def low_rank_curve(
    reference: Reference,
    dataset: DatasetLike,
    method: str = "truncated_svd",
    ranks: Iterable[Chosen] | None = None,
    layers: Sequence[str] | str | None = None,
    *,
    ridge: float = 0.0,
    calibration: str = "reference",
    epochs: int = 0,
    warm_start: bool = False,
    report: Report = keep_going,
) -> Curve:
    """Compress to every rank and judge each.

    One rank applies to all chosen layers, capped at what each can use: where its factors would not
    hold fewer numbers than its weight, a layer stays dense, at no loss.

    Parameters
    ----------
    reference : Reference
    dataset : Dataset
        The one that the reference was trained on.
    method : str
        A name of ``compression.LOW_RANK_METHODS``.
    ranks : iterable of int, or of dict, optional
        One rank for all layers each, in any order; every rank up to the largest full rank when
        left out. Or dicts: a rank (None: dense) a layer; their rows are numbered from 1.
    layers : names of layers, or one name, optional
        When left out every linear layer, or, for a method that takes convolutions only, every
        convolution that it takes.
    ridge : float
        σ², in squared units of a layer's inputs, for methods that have one.
    calibration : str
        Where methods that look at a layer's inputs take them from: "reference", or "sequential",
        the network whose layers before are compressed already (every rank is decomposed anew).
    epochs : int
        Each compressed network is trained on for as many passes over the training rows, from its
        own factors, before it is judged: the fair baseline of cleverer methods. A row in which
        every layer stays dense is the reference and is not trained.
    warm_start : bool
        Progressive truncation: ranks descend, each is a truncation of the network that the rank
        above it ended with, trained on, so that the smallest has the epochs of all. False: each
        starts from the reference. For networks that are trained on, at one rank for all layers.
        It does not always pay: ``benchmarks/progressive_truncation.py``.
    report : callable
        Called after each rank with (done, total, a function that gives the curve so far);
        returning False ends the curve there. A curve that is expected to take over 30 seconds
        begins with 20 ranks of all sizes.

    Raises
    ------
    ArgumentError
        Unknown method or layer, or a rank that no layer can have; the message names the
        possible ones. Or a layer's weight cannot be factorised.
    NotApplicableError
        The method takes none of the network's layers, or not all of the named ones.
    """
    samples = samples_for(reference, dataset)
    all_ranks = prepare(reference, samples, method, layers, ridge=ridge, calibration=calibration)
    values = check_choices(ranks, all_ranks)
    if warm_start:
        again = partial(
            prepare,
            samples=samples,
            method=method,
            layers=list(all_ranks.layers),
            ridge=ridge,
            calibration=calibration,
        )
        return _truncate_progressively(
            all_ranks, values, reference, dataset, samples, method, epochs, report, again
        )
    return judge_networks(all_ranks, values, reference, dataset, samples, method, epochs, report)


@in_one_thread
def list_spaced_ranks(
    reference: Reference,
    dataset: DatasetLike,
    method: str,
    layers: Sequence[str] | str | None = None,
    count: int = TRAINED_RANKS,
) -> list[int]:
    """At most ``count`` ranks spaced by ratio, from 1 to the last that makes some layer smaller."""
    all_ranks = prepare(reference, SampleTensors(dataset), method, layers)
    largest = max(
        int(np.flatnonzero(d.parameters < d.dense_parameters)[-1])
        for d in all_ranks.decompositions.values()
    )
    return np.unique(np.geomspace(1, max(largest, 1), count).round().astype(int)).tolist()


@torch.no_grad()
def judge_networks(
    all_ranks: Ranks,
    values: Sequence[Chosen],
    reference: Reference,
    dataset: DatasetLike,
    samples: SampleTensors,
    method: str,
    epochs: int,
    report: Report,
) -> Curve:
    """A row for each of the checked choices, see :func:`low_rank_curve`."""
    if epochs < 0:
        raise ArgumentError(f"{epochs} epochs are not possible: choose 0 or more")
    judge = CurveBuilder(reference, dataset, samples)
    trained: list[nn.Sequential] = []
    judged: list[Chosen] = []
    described: dict[str, Any] = {
        "knob": "choice" if isinstance(values[0], Mapping) else "rank",
        "method": method,
        "spectra": {n: d.singular_values for n, d in all_ranks.decompositions.items()},
        "_network": lambda row: copy.deepcopy(
            trained[row] if epochs else all_ranks.at(judged[row])
        ),
    }
    passes = [list(values)] if epochs else split_passes(all_ranks, values, len(samples.x))

    def gather() -> Curve:
        curve = judge.curve(**described)
        return curve if len(passes) == 1 else curve.pick(np.argsort(curve.table["knob"]))

    for part in passes:
        effective = [all_ranks.find_compressed(value) for value in part]
        # Rows that compress the same layers to the same ranks are judged once.
        new = [not row or effective[row] != effective[row - 1] for row in range(len(part))]
        distinct = [value for value, is_new in zip(part, new, strict=True) if is_new]
        evaluated = all_ranks.evaluate(samples.x, distinct)
        for row, value in enumerate(part):
            judged.append(value)
            knob = len(judged) if isinstance(value, Mapping) else value
            if new[row]:
                build, outputs = next(evaluated)
                network = build()
                trains = epochs > 0 and bool(effective[row])
                if trains:
                    network = _fine_tune(network, reference, dataset, samples, epochs)
                    outputs = samples.outputs(network)
                judge.add(knob, outputs, network, epochs if trains else 0)
            else:
                judge.repeat(knob)
            if epochs:
                trained.append(network)
            if not report(len(judged), len(values), gather):
                return gather()
    return gather()


def split_passes(all_ranks: Ranks, values: Sequence[Chosen], rows: int) -> list[list[Chosen]]:
    """The values in the order in which they are judged, each pass rising.

    A long curve begins with few ranks of all sizes, so that its slider and suggestion serve early.
    What is long is told from sizes alone: by a clock the same choices would not always give the
    same numbers, to the last digit.
    """
    ranks = [value for value in values if not isinstance(value, Mapping)]
    paying = [rank for rank in ranks if all_ranks.find_compressed(rank)]
    expected = len(paying) * all_ranks.expect_seconds(rows)
    if len(ranks) < len(values) or len(paying) <= 2 * FIRST_RANKS or expected <= LONG_SECONDS:
        return [list(values)]
    spaced = np.geomspace(1, len(paying), FIRST_RANKS).round().astype(int) - 1
    places = set(spaced.tolist())
    for place in range(len(paying)):  # rounding merges ratios at the small end
        if len(places) == FIRST_RANKS:
            break
        places.add(place)
    first = [paying[place] for place in sorted(places)]
    known = set(first)
    return [[*first], [rank for rank in ranks if rank not in known]]


def _truncate_progressively(
    all_ranks: Ranks,
    values: Sequence[Chosen],
    reference: Reference,
    dataset: DatasetLike,
    samples: SampleTensors,
    method: str,
    epochs: int,
    report: Report,
    prepare_again: Callable[[Reference], Ranks],
) -> Curve:
    """A row for each rank, judged from the largest on, see :func:`low_rank_curve`."""
    if epochs < 1 or isinstance(values[0], Mapping):
        raise ArgumentError(
            "a warm start needs 1 epoch or more for each rank, and ranks as whole numbers"
        )
    judge, spent = CurveBuilder(reference, dataset, samples), 0
    networks: list[nn.Sequential] = []

    def build_curve() -> Curve:
        curve = judge.curve(
            knob="rank",
            method=method,
            spectra={n: d.singular_values for n, d in all_ranks.decompositions.items()},
            _network=lambda row: copy.deepcopy(networks[row]),
        )
        return curve.pick(range(len(networks))[::-1])

    current = all_ranks
    for done, value in enumerate(values[::-1], start=1):
        network = all_ranks.at(value)
        if all_ranks.find_compressed(value):
            if spent:
                dense = _multiply_out(networks[-1], reference.network)
                current = prepare_again(replace(reference, network=dense))
            network = _fine_tune(current.at(value), reference, dataset, samples, epochs)
            spent += epochs
        networks.append(network)
        judge.add(cast(int, value), samples.outputs(network), network, spent)
        if not report(done, len(values), build_curve):
            break
    return build_curve()


@torch.no_grad()
def _multiply_out(network: nn.Sequential, reference: nn.Sequential) -> nn.Sequential:
    """The reference's layers with the numbers of a network of which some are factors."""
    dense = copy.deepcopy(reference)
    layers: dict[str, Any] = dict(dense.named_children())
    for name, part in children_of(network).items():
        layer = layers[name]
        if not isinstance(part, LowRankLayer):
            layer.load_state_dict(part.state_dict())
            continue
        layer.weight.copy_(torch.from_numpy(multiply_out(part)))
        if layer.bias is not None:
            layer.bias.copy_(list(part)[-1].bias)
    return dense


@torch.enable_grad()
def _fine_tune(
    network: nn.Sequential,
    reference: Reference,
    dataset: DatasetLike,
    samples: SampleTensors,
    epochs: int,
) -> nn.Sequential:
    """A copy, trained as every constrained network is."""
    network = copy.deepcopy(network)
    learning_rate = recipe_of(reference.model, dataset).learning_rate
    trainer = Trainer(network, samples, learning_rate, BATCH_SIZE, reference.order_seed)
    for _ in range(epochs):
        trainer.run_epoch()
    return network
