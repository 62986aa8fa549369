"""The worker's side of the constrained page: names and numbers in, plain results out."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from compression.constrained.convex.results import LossPlanes, Race, Trajectories
from pages.shared.jobs.report import Report, measures_time
from pages.shared.models.constrained_tasks import load_method
from pages.shared.models.results import CurveView, Origin
from pages.shared.models.tasks import curve_view, load_dataset, load_reference, report_steps

from .results import Trail


def check_solvers(report: Report, constraint: str, task: str) -> dict[str, str | None]:
    """Solver -> None, or why it cannot work on this set and loss."""
    import compression
    from compression.constrained.convex.losses import loss_of

    members = compression.CONSTRAINTS[constraint].load()()
    return {
        name: entry.load()().applies(loss_of(task), members)
        for name, entry in compression.SOLVERS.items()
    }


def trace_weights(report: Report, origin: Origin, constraint: str) -> Trail:
    """How every weight of a convex model moves with c; on a grid where no path is exact."""
    from compression.constrained.convex.exact_path import ExactPath

    path = _follow_convex_path(report, origin, constraint, _list_bounds(report, origin, constraint))
    exact = isinstance(path, ExactPath)
    weights = path.weights if path.weights.ndim == 3 else path.weights[:, None, :]
    return Trail(path.breakpoints if exact else path.bounds, weights, exact)


def bound_layers(
    report: Report,
    origin: Origin,
    constraint: str,
    way: str,
    shares: tuple[float, ...],
    epochs: int = 3,
    first_mu: float | None = None,
    last_mu: float | None = None,
) -> CurveView:
    """One network, each layer with a bound of its own, as a share of what holds its weight."""
    import compression
    from compression.constrained.training.setup import bounds_for
    from compression.network import layers

    dataset, reference = load_reference(origin)
    pairs = zip(layers(reference.network).items(), shares, strict=True)
    limits = {
        name: bounds_for({name: layer}, constraint, share)[name] for (name, layer), share in pairs
    }
    curve = compression.constrained_curve(
        reference,
        dataset,
        constraint,
        [limits],
        method=load_method(way, first_mu, last_mu),
        epochs=epochs,
    )
    return curve_view(curve, with_files=True)


def certify_layers(
    report: Report, origin: Origin, files: tuple[bytes, ...], knobs: tuple[float, ...]
) -> pd.DataFrame:
    """How near each layer of every bound's network is to the best outputs that its bound allows."""
    from compression.constrained.training.layer_outputs import certificates_by_bound

    return certificates_by_bound(
        *_reference_and_networks(origin, files, knobs), report=_report_bounds(report)
    )


def store_in_bits(
    report: Report, origin: Origin, files: tuple[bytes, ...], knobs: tuple[float, ...]
) -> pd.DataFrame:
    """Every bound's network in every number of bits, judged."""
    from compression.few_bits import bits_by_bound

    return bits_by_bound(
        *_reference_and_networks(origin, files, knobs), report=_report_bounds(report)
    )


def _reference_and_networks(
    origin: Origin, files: tuple[bytes, ...], knobs: tuple[float, ...]
) -> tuple[Any, Any, list[tuple[float, Any]]]:
    from compression import storage

    dataset, reference = load_reference(origin)
    networks = [(knob, storage.from_bytes(file)) for knob, file in zip(knobs, files, strict=True)]
    return reference, dataset, networks


@measures_time
def race_solvers(
    report: Report, origin: Origin, constraint: str, bound: float, solvers: tuple[str, ...]
) -> Race:
    """These solvers on the same convex problem, one after the other."""
    import compression
    from compression.constrained.convex.race import race

    def step(done: int, total: int, so_far: Any) -> bool:
        title = compression.SOLVERS[solvers[done]].title
        return report(done, total, so_far, f"{title}, {done + 1} of {total}")

    return race(*_build_convex_problem(origin), constraint, bound, solvers, report=step)


def slice_loss(
    report: Report, origin: Origin, constraint: str, first: int, second: int
) -> LossPlanes:
    """The loss around every bound's optimum in the plane of two weights, numbered row by row."""
    from compression.constrained.convex.loss_plane import loss_planes

    bounds = _list_bounds(report, origin, constraint)
    return loss_planes(
        *_build_convex_problem(origin),
        _follow_convex_path(report, origin, constraint, bounds),
        np.array(bounds),
        (first, second),
        report=_report_bounds(report),
    )


def follow_solvers(
    report: Report, origin: Origin, constraint: str, solvers: tuple[str, ...]
) -> Trajectories:
    """These solvers' iterates from the zero model to the optimum of every bound."""
    from compression.constrained.convex.trajectories import trajectories

    return trajectories(
        *_build_convex_problem(origin),
        constraint,
        _list_bounds(report, origin, constraint),
        solvers,
        report=report_steps(report, "way", _pass_on),
    )


def _report_bounds(report: Report) -> Callable[[int, int, Any], bool]:
    return report_steps(report, "bound", _pass_on)


def _pass_on(partial: Any) -> Any:
    return partial


def _build_convex_problem(origin: Origin) -> tuple[NDArray, NDArray, str]:
    """The rows that references learn from, and the loss that is minimised over them."""
    from compression.constrained.convex.losses import loss_of

    _, name, _, seed, _ = origin
    dataset = load_dataset(name, seed)
    rows = dataset.fit_rows
    return dataset.x_train[rows].astype(np.float64), dataset.y_train[rows], loss_of(dataset.task)


def _list_bounds(report: Report, origin: Origin, constraint: str) -> tuple[float, ...]:
    from compression.constrained.training.curve import curve_bounds

    dataset, reference = load_reference(origin)
    return tuple(curve_bounds(reference, dataset, constraint, _report_path(report)))


_paths: dict[tuple, Any] = {}


def _follow_convex_path(
    report: Report, origin: Origin, constraint: str, bounds: tuple[float, ...]
) -> Any:
    """The optimum of every bound; the last stays, for other weights' planes."""
    import compression
    from compression.constrained.convex.path import GridPath
    from compression.errors import CancelledError

    _, dataset, _, seed, _ = origin
    key = dataset, seed, constraint, bounds
    if key not in _paths:
        problem = _build_convex_problem(origin)
        path = compression.path(*problem, constraint, bounds, report=_report_path(report))
        if isinstance(path, GridPath) and len(path.bounds) < len(bounds):
            raise CancelledError("stopped on the way to the optimum of every bound")
        _paths.clear()
        _paths[key] = path
    return _paths[key]


def _report_path(report: Report) -> Callable[[int, int, Any], bool]:
    """The report of a path of which nothing is shown before its end."""
    return lambda done, total, path: report(done, total, None, "the optimum of every bound")
