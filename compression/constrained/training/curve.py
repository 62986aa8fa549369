"""Score against the bound: solved or trained at each, every bound judged."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from ... import accounting, storage
from ...argument_checks import check_arguments
from ...catalog import CONSTRAINED_METHODS, CONSTRAINTS, find
from ...curve import Curve, CurveBuilder
from ...errors import ArgumentError, CancelledError
from ...models import recipe_of
from ...network import Layer, matrix, pick_layers
from ...shared_work import share_work
from ...threads import in_one_thread
from ...training import DatasetLike, Reference, Report, keep_going, samples_for
from ..convex.losses import loss_of
from ..convex.path import path
from .optimum import Optimum
from .setup import ConstrainedMethod, ConstrainedStart, Limits, bounds_for, round_to_float32

RELATIVE_BOUNDS = np.geomspace(1.0, 0.03, 40)
BEYOND = 1.1  # a curve ends at this multiple of the bound that costs nothing
FAR = 10.0  # but at most at this multiple of the largest default bound


def default_bounds(network: nn.Sequential, constraint: str) -> list[float]:
    """The bounds, ascending, of a curve that is asked for none: 40, or fewer where counts meet.

    Absolute for a network of one linear layer (shares of its weight's gauge), relative for others;
    three significant digits each. A count κ that is absolute is whole.
    """
    entry = find(CONSTRAINTS, constraint, "constraint set")
    only = find_single_linear(network)
    scale = float(entry.load()().gauge(matrix(only).astype(np.float64))) if only else 1.0
    bounds = {float(f"{bound * scale:.3g}") for bound in RELATIVE_BOUNDS}
    if only and entry.counts:
        bounds = {float(math.ceil(bound)) for bound in bounds}
    return sorted(bounds)


def curve_bounds(
    reference: Reference, dataset: DatasetLike, constraint: str, report: Report = keep_going
) -> list[float]:
    """The bounds, ascending, of this reference's curve.

    Those of :func:`default_bounds`; with the squared loss they go on to where the bound costs
    nothing, where that is not too far; ``report`` watches the path that is followed to there.
    """
    bounds = default_bounds(reference.network, constraint)
    entry = find(CONSTRAINTS, constraint, "constraint set")
    if find_single_linear(reference.network) is None or entry.counts:
        return bounds
    if loss_of(dataset.task) == "squared":
        rows = dataset.fit_rows
        x, y = np.asarray(dataset.x_train, np.float64)[rows], np.asarray(dataset.y_train)[rows]
        free = path(x, y, "squared", "box", report=report).weights[-1]
        costless = entry.load()().gauge(free)
        if bounds[-1] < costless <= FAR * bounds[-1]:
            more = np.geomspace(bounds[-1], BEYOND * costless, 6)[1:]
            bounds += [float(f"{bound:.3g}") for bound in more]
    return bounds


def find_single_linear(network: nn.Sequential) -> nn.Linear | None:
    """The layer of a linear or softmax regression; None for every other network."""
    only = next(iter(network)) if len(network) == 1 else None
    return only if type(only) is nn.Linear else None


def ascends(method: ConstrainedMethod, constraint: str) -> bool:
    """Whether a method meets this set's bounds from the smallest to the largest."""
    return getattr(method, "ascending", False) and CONSTRAINTS[constraint].convex


@check_arguments
@in_one_thread
@share_work()  # `curve_bounds` often follows the same path
def constrained_curve(
    reference: Reference,
    dataset: DatasetLike,
    constraint: str = "box",
    bounds: Iterable[float] | Iterable[Limits] | None = None,
    layers: Sequence[str] | str | None = None,
    *,
    method: str | ConstrainedMethod | None = None,
    epochs: int = 3,
    warm_start: bool = True,
    report: Report = keep_going,
) -> Curve:
    """Constrain to every bound and judge each.

    Bounds are met from the largest to the smallest, most methods starting each from the one
    before; a path of optima is followed from the smallest. For a model of one linear layer (linear or softmax regression) a bound is c itself,
    for others it is relative to each layer's reference weight.

    Parameters
    ----------
    reference : Reference
    dataset : Dataset
        The one that the reference was trained on.
    constraint : str
        A name of ``compression.CONSTRAINTS``.
    bounds : iterable of float, or of dict, optional
        Positive, in any order. When left out 40 geometric values, see :func:`curve_bounds`: relative bounds
        from 1 to 0.03, times the reference weight's own gauge where c is absolute (whole, if a
        count). Or dicts: the bound c of
        each layer, in the units of its weight; their rows are numbered from 1 and keep their
        order.
    layers : names of layers, or one name, optional
        All linear and convolutional layers when left out; the others stay free.
    method : str, or method, optional
        A name of ``compression.CONSTRAINED_METHODS``, or one with settings of its own
        (``LearningCompression(last_mu=10)``). When left out a model of one linear layer is solved
        to a certified optimum at each bound, and a network is trained with projections.
    epochs : int
        Passes over the training rows a bound, for methods that train.
    warm_start : bool
        Each bound goes on from the network of the bound before, so that the tightest one has the
        epochs of all behind it. False: each starts from the reference, with as many epochs as any.
    report : callable
        Called after each bound, for a model that is solved also on the way to it, with (done,
        total, a function that gives the curve so far, None before the first bound); returning
        False ends the curve there.

    Returns
    -------
    Curve
        Rows in ascending order of the bound. The table also has the columns pinned, zero and
        free: the shares of the layers' weights that are held at the bound, that are exactly 0,
        and that are numbers of their own (not of the reference: NaN).

    Raises
    ------
    ArgumentError
        Unknown set, method or layer, fewer than one epoch, or a bound that is not a positive
        number.
    NotApplicableError
        The set does not work for this model.
    CancelledError
        The report said to stop before the first bound was reached.
    """
    find(CONSTRAINTS, constraint, "constraint set")
    chosen = pick_layers(reference.network, layers)
    linear = find_single_linear(reference.network) is not None
    way = _pick_method(method, linear)
    if epochs < 1:
        raise ArgumentError(f"{epochs} epochs train nothing: choose 1 or more")
    if bounds is None:
        bounds = curve_bounds(reference, dataset, constraint, report)
    given = list(bounds)
    knobs, limits = _check_bounds(given, chosen, constraint, linear)
    each = isinstance(given[0], Mapping)
    upwards = ascends(way, constraint)
    if upwards and not each:
        knobs, limits = knobs[::-1], limits[::-1]
    samples = samples_for(reference, dataset)
    judge = CurveBuilder(reference, dataset, samples)
    start = ConstrainedStart(
        reference.network,
        samples,
        recipe_of(reference.model, dataset).learning_rate,
        reference.order_seed,
        epochs,
        lambda *_: report(len(files), len(knobs), build_curve if files else None),
    )
    files: list[bytes] = []
    spectra: dict[str, list[NDArray]] = {name: [] for name in chosen}
    macs = accounting.macs(reference.network)

    def build_curve() -> Curve:
        curve = judge.curve(
            knob="choice" if each else "bound" if linear else "relative bound",
            method=constraint,
            spectra={name: np.stack(rows) for name, rows in spectra.items()},
            _network=lambda row: storage.from_bytes(files[row]),
            _file=files.__getitem__,
        )
        return curve if each or upwards else _reverse_rows(curve)

    follow = way.networks if warm_start else partial(_meet_each_alone, way)
    networks = follow(start, constraint, limits)
    for done, knob in enumerate(knobs, start=1):
        try:
            network = next(networks)
        except CancelledError:
            if not files:
                raise
            break
        files.append(storage.to_bytes(network))
        costs = {
            "parameters": accounting.parameters(network),
            "bytes": len(files[-1]),
            "macs": macs,
            **accounting.shares(network, chosen),
        }
        judge.add(knob, samples.outputs(network), costs, start.epochs_spent)
        for name, layer in pick_layers(network, list(chosen)).items():
            spectra[name].append(np.linalg.svd(matrix(layer), compute_uv=False))
        if not report(done, len(knobs), build_curve):
            break
    return build_curve()


def _meet_each_alone(
    way: ConstrainedMethod, start: ConstrainedStart, constraint: str, bounds: Sequence[Limits]
) -> Iterator[nn.Sequential]:
    """A method's networks, each computed without the others."""
    for here in bounds:
        start.trainers.clear()
        yield from way.networks(start, constraint, [here])


def _pick_method(method: str | ConstrainedMethod | None, linear: bool) -> ConstrainedMethod:
    if method is None:
        return Optimum() if linear else _pick_method("projected_training", linear)
    if isinstance(method, str):
        return find(CONSTRAINED_METHODS, method, "method").load()()
    return method


def _check_bounds(
    given: Sequence[Any], chosen: Mapping[str, Layer], constraint: str, absolute: bool
) -> tuple[list[float], list[Limits]]:
    """The knob's value and every layer's own bound, row by row in the order of solving."""
    if not given:
        raise ArgumentError("no bound was given: choose numbers above 0")
    if isinstance(given[0], Mapping):
        choices = [_check_choice(limits, chosen) for limits in given]
        return list(range(1, len(choices) + 1)), choices
    knobs = sorted({_check_bound(bound) for bound in given}, reverse=True)
    if absolute:
        return knobs, [dict.fromkeys(chosen, round_to_float32(bound)) for bound in knobs]
    return knobs, [bounds_for(chosen, constraint, bound) for bound in knobs]


def _check_choice(limits: Any, chosen: Mapping[str, Layer]) -> Limits:
    if not isinstance(limits, Mapping) or set(limits) != set(chosen):
        raise ArgumentError(f"{limits!r} is not a bound for each of {', '.join(chosen)}: give one")
    return {name: round_to_float32(_check_bound(limits[name])) for name in chosen}


def _check_bound(bound: Any) -> float:
    number = isinstance(bound, (int, float, np.number)) and not isinstance(bound, bool)
    if not number or not np.isfinite(bound) or bound <= 0:
        raise ArgumentError(f"bound {bound} is not possible: choose a number above 0")
    return float(bound)


def _reverse_rows(curve: Curve) -> Curve:
    """The same rows from the last to the first: bounds ascend."""
    rows = range(len(curve.table))[::-1]
    return curve.pick(rows, spectra={name: each[::-1] for name, each in curve.spectra.items()})
