"""The worker's side of the constrained page: names and numbers in, plain results out."""

import math
from typing import Any

import numpy as np
import pandas as pd

from pages.shared.jobs.report import Report
from pages.shared.models.constrained_tasks import (
    convex_path,
    convex_problem,
    method_of,
    report_path,
)
from pages.shared.models.results import CurveView, Origin
from pages.shared.models.tasks import curve_view, load_reference

from .results import (
    End,
    Race,
    Runs,
    Slices,
    Trail,
)

RACE_SECONDS = 30.0  # and for one bound of a race
RUN_SECONDS = 2.0  # and for its way to each bound of a plane
RUN_TOLERANCE = 1e-5  # and how near it comes there, as the tolerance of ``compression.solve``
STEPS = 41  # of a slice, each way
MARGIN = 1.3  # of what a slice is to hold
ITERATES = 40  # of a solver's way that are kept at most, and
KEPT = 8_000_000  # weights of all ways together


def fitting(report: Report, constraint: str, task: str) -> dict[str, str | None]:
    """Solver -> None, or why it cannot work on this set and loss."""
    import compression
    from compression.constrained.convex.losses import loss_of

    members = compression.CONSTRAINTS[constraint].load()()
    return {
        name: entry.load()().applies(loss_of(task), members)
        for name, entry in compression.SOLVERS.items()
    }


def trail(report: Report, origin: Origin, constraint: str) -> Trail:
    """How every weight of a convex model moves with c; on a grid where no path is exact."""
    from compression.constrained.convex.exact_path import ExactPath
    from compression.constrained.training.curve import curve_bounds

    dataset, trained = load_reference(origin)
    bounds = curve_bounds(trained, dataset, constraint, report_path(report))
    found = convex_path(report, trained.dataset, trained.seed, constraint, tuple(bounds))
    exact = isinstance(found, ExactPath)
    weights = found.weights if found.weights.ndim == 3 else found.weights[:, None, :]
    return Trail(found.breakpoints if exact else found.bounds, weights, exact)


def own_bounds(
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
    from compression import storage
    from compression.constrained.training.setup import bounds_for
    from compression.network import layers

    found, trained = load_reference(origin)
    parts = layers(trained.network)
    limits: dict[str, float] = {}
    for (name, layer), share in zip(parts.items(), shares, strict=True):
        limits.update(bounds_for({name: layer}, constraint, share))
    curve = compression.constrained_curve(
        trained,
        found,
        constraint,
        [limits],
        method=method_of(way, first_mu, last_mu),
        epochs=epochs,
    )
    return curve_view(curve, files=(storage.to_bytes(curve.network(0)),))


def layers_certified(
    report: Report,
    origin: Origin,
    files: tuple[bytes, ...],
    knobs: tuple[float, ...],
) -> pd.DataFrame:
    """How near each layer of every bound's network is to the best outputs that its bound allows.

    A line a bound and layer: bound, layer, error and duality_gap (shares of the variance of the
    layer's outputs), kkt_residual.
    """
    import compression
    from compression import storage

    found, trained = load_reference(origin)
    tables: list[pd.DataFrame] = []
    for done, (own, knob) in enumerate(zip(files, knobs, strict=True), start=1):
        table = compression.layer_certificates(trained, found, storage.from_bytes(own))
        tables.append(table.assign(bound=knob))
        if not report(done, len(files), lambda: pd.concat(tables), f"bound {done} of {len(files)}"):
            break
    return pd.concat(tables, ignore_index=True)


def stored(
    report: Report,
    origin: Origin,
    files: tuple[bytes, ...],
    knobs: tuple[float, ...],
) -> pd.DataFrame:
    """Every bound's network in every number of bits, judged; a line a pair.

    Columns of a quantised curve's table, ``bound``, and ``fewest_bits`` that lose at most a point
    at this bound. Bounds far from each other come first, so
    that a picture of what there is so far spans them all.
    """
    import compression
    from compression import storage
    from compression.grid import BITS

    found, trained = load_reference(origin)
    tables: list[pd.DataFrame] = []

    def so_far() -> pd.DataFrame:
        return pd.concat(tables).sort_values(["bound", "bits"], ignore_index=True)

    for done, row in enumerate(_spread(len(files)), start=1):
        network = storage.from_bytes(files[row])
        curve = compression.quantized_curve(trained, found, [(b, network, b) for b in BITS])
        fewest = compression.fewest_bits(curve.table)
        tables.append(curve.table.assign(bound=knobs[row], fewest_bits=fewest))
        if not report(done, len(files), so_far, f"bound {done} of {len(files)}"):
            break
    return so_far()


def _spread(count: int) -> list[int]:
    """0 ... count − 1, every 8th first, then those between, and so on."""
    order: dict[int, None] = {}
    for step in (8, 4, 2, 1):
        order.update(dict.fromkeys(range(0, count, step)))
    return list(order)


def race(
    report: Report,
    origin: Origin,
    constraint: str,
    bound: float,
    solvers: tuple[str, ...],
) -> Race:
    """These solvers on the same convex problem, one after the other."""
    import compression
    from compression.errors import CancelledError

    _, dataset, _, seed = origin
    problem = convex_problem(dataset, seed)
    found: dict[str, Any] = {}
    for done, name in enumerate(solvers):
        message = f"{compression.SOLVERS[name].title}, {done + 1} of {len(solvers)}"
        so_far = (lambda: _raced(found)) if found else None
        if not report(done, len(solvers), so_far, message):
            raise CancelledError("stopped between two solvers")
        found[name] = compression.solve(
            *problem, constraint, bound, solver=name, max_seconds=RACE_SECONDS
        )
    return _raced(found)


def _raced(found: dict[str, Any]) -> Race:
    lower = max(solution.objective - solution.duality_gap for solution in found.values())
    if not math.isfinite(lower):  # no certificate gives one
        lower = min(solution.objective for solution in found.values())
    tracks = {}
    for name, solution in found.items():
        seen = solution.trajectory
        tracks[name] = pd.DataFrame(
            {
                "iteration": seen.iteration,
                "seconds": seen.seconds,
                "objective": seen.objective,
                "duality_gap": seen.duality_gap,
                "above": seen.objective - lower,
            }
        )
    lines = [
        {
            "solver": name,
            "objective": solution.objective,
            "duality_gap": solution.duality_gap,
            "kkt_residual": solution.kkt_residual,
            "iterations": solution.iterations,
            "seconds": solution.seconds,
            "status": solution.status,
            "pinned": float(solution.pinned.mean()),
        }
        for name, solution in found.items()
    ]
    return Race(pd.DataFrame(lines), tracks)


def slices(
    report: Report,
    origin: Origin,
    constraint: str,
    first: int,
    second: int,
) -> Slices:
    """The loss around every bound's optimum in the plane of two weights, numbered row by row.

    The other weights stay at that bound's optimum, softmax's intercepts too. Bounds far from each
    other come first.
    """
    import compression
    from compression.constrained.convex import loss_plane
    from compression.constrained.training.curve import curve_bounds

    dataset, trained = load_reference(origin)
    bounds = curve_bounds(trained, dataset, constraint, report_path(report))
    members = compression.CONSTRAINTS[constraint].load()()
    loss = _prepared(trained.dataset, trained.seed)
    path = convex_path(report, trained.dataset, trained.seed, constraint, tuple(bounds))
    weights, pair = [path.at(bound) for bound in bounds], (first, second)
    optimum = np.array([weight.ravel()[[first, second]] for weight in weights])
    reach = np.array(
        [
            loss_plane.reach(members, bound, np.delete(weight.ravel(), pair))
            for bound, weight in zip(bounds, weights, strict=True)
        ]
    )
    sizes = np.abs(optimum).max(axis=1)
    far = MARGIN * (sizes.max() or bounds[-1])
    near = MARGIN * np.maximum(reach, sizes)
    near[near == 0] = far  # the set leaves both of them nothing
    found = Slices(
        bounds=np.array(bounds),
        optimum=optimum,
        near=near,
        far=float(far),
        near_loss=np.full((len(bounds), STEPS, STEPS), np.nan, np.float32),
        far_loss=np.full((len(bounds), STEPS, STEPS), np.nan, np.float32),
        border=np.stack([loss_plane.border(members, own, 2 * max(far, *near)) for own in reach]),
    )
    for done, row in enumerate(_spread(len(bounds)), start=1):
        weight, intercept = weights[row], path.intercept_at(bounds[row])
        least = loss.value(loss.from_model(weight, intercept))
        for wide, over in ((near[row], found.near_loss), (far, found.far_loss)):
            ends = np.linspace(-wide, wide, STEPS)
            over[row] = loss_plane.over_plane(loss, weight, intercept, pair, ends, ends) - least
        if not report(done, len(bounds), lambda: found, f"bound {done} of {len(bounds)}"):
            break
    return found


def _prepared(dataset: str, seed: int) -> Any:
    from compression.constrained.convex.losses import check_data, prepare

    x, y, loss = convex_problem(dataset, seed)
    return prepare(*check_data(x, y, loss), loss)


def runs(
    report: Report,
    origin: Origin,
    constraint: str,
    solvers: tuple[str, ...],
) -> Runs:
    """These solvers' ways from the zero model to the optimum of every bound.

    All of them at a middle bound first, then the quickest at every bound, and so on; bounds far
    from each other come first.
    """
    import compression
    from compression.constrained.convex.certificate import Certifier
    from compression.constrained.convex.losses import check_data
    from compression.constrained.convex.problem import Problem
    from compression.constrained.convex.solve import Judge, settle
    from compression.constrained.training.curve import curve_bounds

    dataset, trained = load_reference(origin)
    bounds = curve_bounds(trained, dataset, constraint, report_path(report))
    members = compression.CONSTRAINTS[constraint].load()()
    loss = _prepared(trained.dataset, trained.seed)
    x, y, name = convex_problem(trained.dataset, trained.seed)
    certifier = Certifier(*check_data(x, y, name), name, members)
    total = len(solvers) * len(bounds)
    weights = loss.inputs.features * (loss.classes if name == "softmax" else 1)
    kept = int(np.clip(KEPT // (weights * total), 4, ITERATES))
    found = Runs(
        bounds=np.array(bounds),
        weights={solver: [None] * len(bounds) for solver in solvers},
        kept=kept,
        ends={},
        seconds=RUN_SECONDS,
    )
    seconds = dict.fromkeys(solvers, 0.0)

    def run(solver: str, row: int) -> bool:
        problem = Problem(loss, members, bounds[row])
        judge = Judge(problem, certifier, RUN_TOLERANCE, max_seconds=RUN_SECONDS)
        compression.SOLVERS[solver].load()().run(problem, judge, problem.start())
        judge.finish()
        solution = settle(judge)
        way = solution.trajectory.weight
        thinned = np.linspace(0, len(way) - 1, min(len(way), kept)).round().astype(int)
        found.weights[solver][row] = way[thinned].astype(np.float32).reshape(len(thinned), -1)
        found.ends.setdefault(solver, {})[row] = End(solution.iterations, solution.certified)
        seconds[solver] += solution.seconds
        done = sum(map(len, found.ends.values()))
        title = compression.SOLVERS[solver].title
        return report(done, total, lambda: found, f"{title}, {done} of {total} ways")

    middle = len(bounds) // 2
    order = [row for row in _spread(len(bounds)) if row != middle]
    if all(run(solver, middle) for solver in solvers):
        quickest = sorted(solvers, key=seconds.__getitem__)
        all(run(solver, row) for solver in quickest for row in order)
    return found
