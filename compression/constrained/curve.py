"""Score against the bound: solved or trained at each, every bound judged."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from .. import accounting, storage
from ..catalog import CONSTRAINTS, find
from ..curve import Curve, CurveBuilder
from ..errors import ArgumentError
from ..models import recipe_of
from ..network import layers as layers_of
from ..network import matrix, pick_layers
from ..training import Data, Reference, Report, Samples, capped_threads, keep_going
from .networks import optimal_layers, projected_training

_RELATIVE_BOUNDS = np.geomspace(1.0, 0.03, 40)


def default_bounds(network: nn.Sequential, constraint: str) -> list[float]:
    """The 40 bounds, ascending, of a curve that is asked for none; three significant digits each.

    Absolute for a network of one linear layer (shares of its weight's gauge), relative for others.
    """
    entry = find(CONSTRAINTS, constraint, "constraint set")
    only = single_linear(network)
    scale = float(entry.load()().gauge(matrix(only).astype(np.float64))) if only else 1.0
    return sorted({float(f"{bound * scale:.3g}") for bound in _RELATIVE_BOUNDS})


def single_linear(network: nn.Sequential) -> nn.Linear | None:
    """The layer of a linear or softmax regression; None for every other network."""
    only = next(iter(network)) if len(network) == 1 else None
    return only if isinstance(only, nn.Linear) else None


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
        judge = CurveBuilder(reference, dataset, samples)
        values = _check_bounds(
            default_bounds(reference.network, constraint) if bounds is None else bounds
        )
        linear = single_linear(reference.network) is not None
        if linear:
            networks = optimal_layers(reference.network, dataset, constraint, values)
        else:
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
                    knob="bound" if linear else "relative bound",
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


def _check_bounds(bounds: Iterable[float]) -> list[float]:
    values = list(bounds)
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
