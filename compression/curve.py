"""One knob, many values: a whole trade-off curve in one call.

What does not depend on the knob is computed once. Each row of the result is one knob value,
judged on the training, validation and test parts by the same ruler.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import nn

from . import accounting, evaluation, storage
from .catalog import CONSTRAINTS, LOW_RANK_METHODS, find
from .constrained.networks import optimal_layers, projected_training
from .errors import ArgumentError
from .low_rank.networks import Ranks, layer_inputs, pays
from .models import recipe_of
from .network import layers as layers_of
from .network import matrix, pick_layers
from .training import Data, Reference, Report, Samples, capped_threads, keep_going, loss_of

DEFAULT_BOUNDS = np.geomspace(1.0, 0.03, 40)


@dataclass(frozen=True, eq=False)
class Curve:
    """A trade-off curve.

    Attributes
    ----------
    knob : str
        What the column ``knob`` holds: "rank", "bound" (in the weights' units), or
        "relative bound" (of each layer's largest weight).
    method : str
        Name of the low-rank method or of the constraint set.
    table : DataFrame
        One row a knob value: knob, parameters, bytes, macs, ratio (reference's parameters over
        these), train_loss, validation_loss, test_loss, validation_score, score, score_low,
        score_high, change (score minus the reference's), change_low, change_high.
    reference : Series
        The same columns for the uncompressed network; its knob is NaN.
    predictions : ndarray, shape (rows, test samples)
        Classes, or numbers.
    confusion : list of ndarray, shape (classes, classes), or of None
        Of each row on the test part; rows true, columns predicted. None for regression.
    spectra : dict
        Layer name -> singular values: of the reference's weight, shape (r,), for low rank;
        of each row's weight, shape (rows, r), for constraints.
    """

    knob: str
    method: str
    table: pd.DataFrame
    reference: pd.Series
    predictions: NDArray
    confusion: list[NDArray[np.int64] | None]
    spectra: dict[str, NDArray]
    _network: Callable[[int], nn.Sequential]

    def network(self, row: int) -> nn.Sequential:
        """The compressed network of one row, in eval mode."""
        return self._network(range(len(self.table))[row])


class _Judge:
    """Turns outputs into rows; the reference is judged first, by the same code."""

    def __init__(self, reference: Reference, dataset: Data, samples: Samples):
        self.dataset, self.samples = dataset, samples
        parts = torch.zeros(3, len(samples.x))
        parts[0, samples.fit] = 1 / len(samples.fit)
        parts[1, samples.validation] = 1 / len(samples.validation)
        parts[2, samples.trained :] = 1 / (len(samples.x) - samples.trained)
        self._parts = parts
        self._losses = loss_of(dataset.task, "none")
        self._rows: list[dict[str, float]] = []
        self._predicted: list[NDArray] = []
        with torch.inference_mode():
            self.add(float("nan"), reference.network(samples.x), reference.network)
        self._comparison = evaluation.Comparison(
            self._predicted[0], dataset.y_test, dataset.task, seed=0
        )

    def add(self, knob: float, outputs: torch.Tensor, network: nn.Sequential | dict) -> None:
        """One row from all samples' outputs; costs from the network, or a row's known costs."""
        losses = self._losses(outputs, self.samples.y)
        train, validation, test = (self._parts @ losses).tolist()
        rows = self.dataset.validation_rows
        seen = evaluation.predictions(outputs.numpy(), self.dataset.task)
        self._predicted.append(seen[self.samples.trained :])
        costs = network if isinstance(network, dict) else self.costs(network)
        self._rows.append(
            {
                "knob": knob,
                **costs,
                "train_loss": train,
                "validation_loss": validation,
                "test_loss": test,
                "validation_score": evaluation.score(
                    seen[rows], self.dataset.y_train[rows], self.dataset.task
                ),
            }
        )

    def costs(self, network: nn.Sequential) -> dict[str, int]:
        return {
            "parameters": accounting.parameters(network),
            "bytes": accounting.bytes_of(network),
            "macs": accounting.macs(network),
        }

    def repeat(self, knob: float) -> None:
        """A row equal to the last one but for its knob."""
        self._rows.append({**self._rows[-1], "knob": knob})
        self._predicted.append(self._predicted[-1])

    def curve(self, **described: Any) -> Curve:
        """All rows so far."""
        predicted = np.stack(self._predicted)
        target, task = self.dataset.y_test, self.dataset.task
        table = pd.DataFrame(self._rows)
        table["ratio"] = table["parameters"].iloc[0] / table["parameters"]
        table["score"] = [evaluation.score(row, target, task) for row in predicted]
        table["score_low"], table["score_high"] = self._comparison.intervals(predicted)
        (
            table["change"],
            table["change_low"],
            table["change_high"],
        ) = self._comparison.changes(predicted)
        confusion: list[NDArray[np.int64] | None] = [None] * (len(predicted) - 1)
        if task == "classification":
            classes = self.dataset.outputs
            confusion = [evaluation.confusion(row, target, classes) for row in predicted[1:]]
        return Curve(
            table=table.iloc[1:].reset_index(drop=True),
            reference=table.iloc[0],
            predictions=predicted[1:],
            confusion=confusion,
            **described,
        )


def low_rank_curve(
    reference: Reference,
    dataset: Data,
    method: str = "truncated_svd",
    ranks: Iterable[int] | None = None,
    layers: Sequence[str] | str | None = None,
    *,
    report: Report = keep_going,
) -> Curve:
    """Compress to every rank and judge each.

    One rank applies to all chosen layers, capped at what each can use: from its break-even rank
    on a layer stays dense, at no loss.

    Parameters
    ----------
    reference : Reference
    dataset : Dataset
        The one that the reference was trained on.
    method : str
        A name of ``compression.LOW_RANK_METHODS``.
    ranks : iterable of int, optional
        In any order; every rank up to the largest full rank when left out.
    layers : names of layers, or one name, optional
        All linear layers when left out.
    report : callable
        Called after each rank with (done, total, a function that gives the curve so far);
        returning False ends the curve there.

    Raises
    ------
    ArgumentError
        Unknown method or layer, or a rank that no layer can have; the message names the
        possible ones.
    CompressionError
        A layer's weight cannot be factorised.
    """
    entry = find(LOW_RANK_METHODS, method, "low-rank method")
    chosen = pick_layers(reference.network, layers)
    if layers is None:
        chosen = {n: m for n, m in chosen.items() if isinstance(m, nn.Linear)}
    weights = {name: matrix(layer) for name, layer in chosen.items()}
    largest = max(min(weight.shape) for weight in weights.values())
    values = _check_ranks(ranks, largest)
    with capped_threads(), torch.inference_mode():
        samples = Samples(dataset)
        implementation = entry.load()()
        inputs: dict[str, Any] = dict.fromkeys(chosen)
        if getattr(implementation, "uses_inputs", False):
            inputs = layer_inputs(reference.network, samples.x[samples.fit], chosen)
        family = Ranks(
            reference.network,
            chosen,
            {name: implementation.decompose(weights[name], inputs[name]) for name in chosen},
        )
        judge = _Judge(reference, dataset, samples)
        described: dict[str, Any] = {
            "knob": "rank",
            "method": method,
            "spectra": {n: d.singular_values for n, d in family.decompositions.items()},
            "_network": lambda row: copy.deepcopy(family.at(values[row])),
        }
        outputs = family.outputs(samples.x, values)
        dense = False
        for done, rank in enumerate(values, start=1):
            if dense:
                judge.repeat(rank)
            else:
                judge.add(rank, next(outputs), family.at(rank))
            dense = not any(pays(layer, rank) for layer in chosen.values())
            if not report(done, len(values), lambda: judge.curve(**described)):
                break
        return judge.curve(**described)


def _check_ranks(ranks: Iterable[int] | None, largest: int) -> list[int]:
    if ranks is None:
        return list(range(1, largest + 1))
    values = list(ranks)
    for rank in values:
        whole = isinstance(rank, (int, np.integer)) and not isinstance(rank, bool)
        if not whole or not 1 <= rank <= largest:
            raise ArgumentError(
                f"rank {rank} is not possible for these layers: choose 1 to {largest}"
            )
    if not values:
        raise ArgumentError(f"no rank was given: choose from 1 to {largest}")
    return sorted({int(rank) for rank in values})


def constrained_curve(
    reference: Reference,
    dataset: Data,
    constraint: str = "box",
    bounds: Iterable[float] | None = None,
    layers: Sequence[str] | str | None = None,
    *,
    epochs: int = 3,
    report: Report = keep_going,
) -> Curve:
    """Constrain to every bound and judge each.

    A model of one linear layer (linear or softmax regression) is solved to a certified optimum
    at each bound c. A network is trained with projections, from the largest bound to the
    smallest, each starting from the one before; its bounds are relative to each layer's
    reference weight.

    Parameters
    ----------
    reference : Reference
    dataset : Dataset
        The one that the reference was trained on.
    constraint : str
        A name of ``compression.CONSTRAINTS``.
    bounds : iterable of float, optional
        Positive, in any order. When left out 40 geometric values: relative bounds from 1 to
        0.03, times the reference weight's own gauge where c is absolute.
    layers : names of layers, or one name, optional
        All linear and convolutional layers when left out.
    epochs : int
        Passes over the training rows a bound, for networks.
    report : callable
        Called after each bound with (done, total, a function that gives the curve so far);
        returning False ends the curve there.

    Returns
    -------
    Curve
        Rows in ascending order of the bound.

    Raises
    ------
    ArgumentError
        Unknown set or layer, or a bound that is not a positive number.
    NotApplicableError
        The set does not work for this model.
    """
    find(CONSTRAINTS, constraint, "constraint set")
    chosen = pick_layers(reference.network, layers)
    with capped_threads():
        samples = Samples(dataset)
        judge = _Judge(reference, dataset, samples)
        only = next(iter(reference.network)) if len(reference.network) == 1 else None
        if isinstance(only, nn.Linear):
            values = _check_bounds(bounds, DEFAULT_BOUNDS * _gauge(constraint, only))
            networks = optimal_layers(reference.network, dataset, constraint, values)
        else:
            values = _check_bounds(bounds, DEFAULT_BOUNDS)
            networks = projected_training(
                reference.network,
                list(chosen),
                samples,
                constraint,
                values,
                recipe_of(reference.model, dataset).learning_rate,
                reference.seed,
                epochs,
            )
        files: list[bytes] = []
        spectra: dict[str, list[NDArray]] = {name: [] for name in chosen}
        macs = accounting.macs(reference.network)

        def so_far() -> Curve:
            return _ascending(
                judge.curve(
                    knob="bound" if isinstance(only, nn.Linear) else "relative bound",
                    method=constraint,
                    spectra={name: np.stack(rows) for name, rows in spectra.items()},
                    _network=lambda row: storage.from_bytes(files[row]),
                )
            )

        for done, (value, network) in enumerate(zip(values, networks, strict=True), start=1):
            files.append(storage.to_bytes(network))
            costs = {
                "parameters": accounting.parameters(network),
                "bytes": len(files[-1]),
                "macs": macs,
            }
            with torch.inference_mode():
                judge.add(value, network(samples.x), costs)
            for name, rows in spectra.items():
                weight = matrix(layers_of(network)[name])
                rows.append(np.linalg.svd(weight, compute_uv=False))
            if not report(done, len(values), so_far):
                break
        return so_far()


def _gauge(constraint: str, layer: nn.Linear) -> float:
    return float(CONSTRAINTS[constraint].load()().gauge(matrix(layer).astype(np.float64)))


def _check_bounds(bounds: Iterable[float] | None, default: NDArray) -> list[float]:
    values = list(default if bounds is None else bounds)
    for bound in values:
        number = isinstance(bound, (int, float, np.number)) and not isinstance(bound, bool)
        if not number or not np.isfinite(bound) or bound <= 0:
            raise ArgumentError(f"bound {bound} is not possible: choose a number above 0")
    if not values:
        raise ArgumentError("no bound was given: choose numbers above 0")
    return sorted({float(bound) for bound in values}, reverse=True)


def _ascending(curve: Curve) -> Curve:
    """The same rows from the smallest bound to the largest."""
    count = len(curve.table)
    return replace(
        curve,
        table=curve.table.iloc[::-1].reset_index(drop=True),
        predictions=curve.predictions[::-1],
        confusion=curve.confusion[::-1],
        spectra={name: rows[::-1] for name, rows in curve.spectra.items()},
        _network=lambda row: curve.network(count - 1 - row),
    )
