"""The worker's side of the constrained page: names and numbers in, plain results out."""

import copy
import math
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .constrained_results import (
    FREE,
    LOWER,
    UPPER,
    ZERO,
    Constrained,
    End,
    LayerRows,
    Race,
    Runs,
    Slices,
    Trail,
)
from .results import Origin, Traded
from .work import Report, loaded, restored, traded

PATH = "path"
CELLS = 16_384  # of a weight that crosses to a page
BINS = 61  # odd: a bin around 0
EXACT = 1e-6  # of the zero model's loss: the largest gap of an exact path's certified point
TIGHT = 1e-8
BEYOND = 1.1  # of the bound that costs nothing: how far a curve goes
FAR = 10.0  # of the default bounds' largest: no curve goes further than that for it
CURVE_SECONDS = 10.0  # that a solver may take for each bound of a curve
RACE_SECONDS = 30.0  # and for one bound of a race
RUN_SECONDS = 2.0  # and for its way to each bound of a plane
RUN_TOLERANCE = 1e-5  # and how near it comes there, as the tolerance of ``compression.solve``
STEPS = 41  # of a slice, each way
MARGIN = 1.3  # of what a slice is to hold
ITERATES = 40  # of a solver's way that are kept at most, and
KEPT = 8_000_000  # weights of all ways together


def loss_name(task: str) -> str:
    return "softmax" if task == "classification" else "squared"


def fitting(report: Report, constraint: str, task: str) -> dict[str, str | None]:
    """Solver -> None, or why it cannot work on this set and loss."""
    import compression

    members = compression.CONSTRAINTS[constraint].load()()
    return {
        name: entry.load()().applies(loss_name(task), members)
        for name, entry in compression.SOLVERS.items()
    }


def constrained(
    report: Report,
    origin: Origin,
    constraint: str,
    way: str,
    epochs: int = 3,
    first_mu: float | None = None,
    last_mu: float | None = None,
) -> Constrained:
    """Every bound of one set, met in one way; the partial result is what there is so far.

    ``way``: a name of ``compression.CONSTRAINED_METHODS``; for a convex model also ``PATH``, or a
    name of ``compression.SOLVERS``.
    """
    import compression

    found, trained = restored(origin)
    noted = _Noted(_way(way, first_mu, last_mu))

    def watched(done: int, total: int, curve: Callable[[], Any]) -> bool:
        message = f"bound {done} of {total}"
        return report(done, total, lambda: noted.result(curve(), trained, found), message)

    curve = compression.constrained_curve(
        trained,
        found,
        constraint,
        _bounds(trained, constraint),
        method=noted,
        epochs=epochs,
        report=watched,
    )
    return noted.result(curve, trained, found, final=True)


def bounds(report: Report, origin: Origin, constraint: str) -> tuple[float, ...]:
    """The bounds that a curve will have, before it has any."""
    _, trained = restored(origin)
    return tuple(_bounds(trained, constraint))


def _bounds(trained: Any, constraint: str) -> list[float]:
    """The bounds of a curve; with the squared loss they go on to where the bound costs nothing."""
    import compression
    from compression.constrained.curve import default_bounds, single_linear

    bounds = default_bounds(trained.network, constraint)
    if single_linear(trained.network) is None or constraint == "cardinality":
        return bounds
    x, y, loss = _problem(trained.dataset, trained.seed)
    if loss == "squared":
        free = compression.path(x, y, loss, "box").weights[-1]
        costless = compression.CONSTRAINTS[constraint].load()().gauge(free)
        if bounds[-1] < costless <= FAR * bounds[-1]:
            more = np.geomspace(bounds[-1], BEYOND * costless, 6)[1:]
            bounds += [float(f"{bound:.3g}") for bound in more]
    return bounds


def _way(name: str, first_mu: float | None, last_mu: float | None) -> Any:
    import compression

    entry = compression.CONSTRAINED_METHODS.get(name)
    if entry is None:
        return _Solved(name)
    if first_mu is None:
        return entry.load()()
    return entry.load()(first_mu=first_mu, last_mu=last_mu)


class _Noted:
    """A way to the bounds; each network's weights are noted as it passes."""

    def __init__(self, way: Any):
        self.way = way
        self.weights: dict[str, list[NDArray]] = {}
        self.states: dict[str, list[NDArray[np.int8]]] = {}
        self.bounds: dict[str, list[float]] = {}
        self.files: list[bytes] = []

    def networks(self, start: Any, constraint: str, bounds: Sequence[Any]) -> Iterator[Any]:
        from compression import storage
        from compression.constrained import sets
        from compression.network import bounded_of, layers, matrix

        order = np.empty(4, np.int8)
        order[[sets.LOWER, sets.ZERO, sets.FREE, sets.UPPER]] = LOWER, ZERO, FREE, UPPER
        for limits, network in zip(
            bounds, self.way.networks(start, constraint, bounds), strict=True
        ):
            self.files.append(storage.to_bytes(network))
            for name, layer in layers(network).items():
                weight, bounded = matrix(layer), bounded_of(layer)
                states = np.full(weight.shape, FREE, np.int8)
                if bounded is not None:
                    states = order[storage.states(weight, bounded)]
                self.weights.setdefault(name, []).append(weight)
                self.states.setdefault(name, []).append(states)
                own = math.nan if bounded is None else limits[name]
                self.bounds.setdefault(name, []).append(own)
            yield network

    def result(self, curve: Any, trained: Any, found: Any, final: bool = False) -> Constrained:
        """Rows in the order of the curve's: bounds ascend."""
        from compression.network import layers, matrix

        facts = multipliers = None
        if isinstance(self.way, _Solved):
            # Solved at the bounds as float32 holds them, known by those that were asked for.
            facts = pd.DataFrame(self.way.facts[::-1]).assign(knob=curve.table["knob"])
            if self.way.multipliers:
                multipliers = np.stack(self.way.multipliers[::-1])
        return Constrained(
            curve=traded(curve, files=tuple(self.files[::-1]) if final else ()),
            layers={
                name: _rows(
                    name,
                    matrix(layer),
                    np.stack(self.weights[name][::-1]),
                    np.stack(self.states[name][::-1]),
                    np.array(self.bounds[name][::-1]),
                )
                for name, layer in layers(trained.network).items()
            },
            facts=facts,
            multipliers=multipliers,
            feature_names=tuple(found.feature_names),
            input_shape=tuple(found.input_shape),
            largest=_largest(trained.network),
        )


def _largest(network: Any) -> tuple[int, int]:
    """The two largest weights of the first layer, numbered row by row."""
    from compression.network import layers, matrix

    weight = matrix(next(iter(layers(network).values())))
    first, second = np.argsort(-np.abs(weight).ravel(), kind="stable")[:2].tolist()
    return first, second


def _rows(
    name: str, reference: NDArray, weights: NDArray, states: NDArray, bounds: NDArray
) -> LayerRows:
    largest = float(max(np.abs(reference).max(), np.abs(weights).max())) or 1.0
    edges = np.linspace(-largest, largest, BINS + 1)
    down, across = strides(reference.shape)
    return LayerRows(
        name=name,
        shape=reference.shape,
        bounds=bounds,
        weights=weights[:, ::down, ::across],
        states=states[:, ::down, ::across],
        reference=reference[::down, ::across],
        strides=(down, across),
        edges=edges,
        reference_counts=np.histogram(reference, edges)[0],
        free_counts=np.stack(
            [
                np.histogram(weight[own == FREE], edges)[0]
                for weight, own in zip(weights, states, strict=True)
            ]
        ),
        held_counts=np.stack([np.bincount(own.ravel(), minlength=4) for own in states]),
    )


def strides(shape: tuple[int, int]) -> tuple[int, int]:
    """Every how manieth row and column leave at most CELLS."""
    rows = columns = 1
    while -(-shape[0] // rows) * -(-shape[1] // columns) > CELLS:
        if shape[0] / rows >= shape[1] / columns:
            rows += 1
        else:
            columns += 1
    return rows, columns


class _Solved:
    """Linear or softmax regression solved at each bound, and what is certified of it kept."""

    def __init__(self, solver: str):
        self.solver = solver
        self.facts: list[dict[str, Any]] = []
        self.multipliers: list[NDArray] = []

    def networks(self, start: Any, constraint: str, bounds: Sequence[Any]) -> Iterator[Any]:
        import torch

        from compression.constrained.networks import confine
        from compression.network import layers

        samples = start.samples
        problem = (
            samples.x[samples.fit].numpy().astype(np.float64),
            samples.y[samples.fit].numpy(),
            loss_name(samples.task),
            constraint,
        )
        knobs = [bound for limits in bounds for bound in limits.values()]
        answer = self._path if self.solver == PATH else self._solver
        if self.solver == PATH and constraint == "l2":
            # It bends everywhere, and next to where the bound costs nothing its price is all
            # rounding at the path's tolerance; one bound by itself is as quick.
            answer = self._tightly
        for limits, (weight, intercept) in zip(bounds, answer(problem, knobs), strict=True):
            network = copy.deepcopy(start.network)
            layer = next(iter(layers(network).values()))
            with torch.no_grad():
                layer.weight.copy_(torch.from_numpy(np.atleast_2d(weight)))
                if layer.bias is not None:
                    layer.bias.copy_(torch.from_numpy(np.atleast_1d(intercept)))
            confine(network, constraint, limits)  # float32 may have rounded past the bound
            yield network

    def _path(self, problem: tuple, bounds: Sequence[float]) -> Iterator[tuple[Any, Any]]:
        import compression
        from compression.constrained.exact_path import ExactPath
        from compression.constrained.solve import TOUCHING

        *_, loss, name = problem
        members = compression.CONSTRAINTS[name].load()()
        found = compression.path(*problem, bounds=bounds)
        exact = isinstance(found, ExactPath)
        rows = None if exact else dict(zip(found.bounds.tolist(), found.certified, strict=True))
        for bound in bounds:
            weight, guess = found.at(bound), np.asarray(found.intercept_at(bound))
            judged = found.certifier.judge(weight, bound, guess, quick=True)
            certified = judged.holds(EXACT) if rows is None else bool(rows[bound])
            # One-sided bounds never cost softmax anything.
            slack = (loss == "softmax" and not members.bounded) or (
                members.gauge(weight) < bound * (1 - TOUCHING)
            )
            self._note(
                bound,
                judged,
                certified=certified,
                inactive=members.convex and certified and slack,
                status="" if certified else "the path's own tolerance was not reached",
                seconds=math.nan,
            )
            yield weight, judged.intercept

    def _tightly(self, problem: tuple, bounds: Sequence[float]) -> Iterator[tuple[Any, Any]]:
        return self._solver(problem, bounds, "accelerated_projected_gradient", TIGHT)

    def _solver(
        self,
        problem: tuple,
        bounds: Sequence[float],
        solver: str | None = None,
        tolerance: float = 1e-6,
    ) -> Iterator[tuple[Any, Any]]:
        import compression

        for bound in bounds:
            solution = compression.solve(
                *problem, bound, solver or self.solver, tolerance, max_seconds=CURVE_SECONDS
            )
            self._note(
                bound,
                solution,
                certified=solution.certified,
                inactive=solution.inactive,
                status="" if solution.certified else solution.status,
                seconds=solution.seconds,
            )
            yield solution.weight, solution.intercept

    def _note(self, bound: float, judged: Any, **facts: Any) -> None:
        """``judged``: a certificate or a solution."""
        prices = judged.multipliers
        self.facts.append(
            {
                "knob": bound,
                "objective": judged.objective,
                "duality_gap": judged.duality_gap,
                "kkt_residual": judged.kkt_residual,
                "price": math.nan if prices is None else float(np.sum(prices)),
                **facts,
            }
        )
        if isinstance(prices, np.ndarray):
            self.multipliers.append(np.atleast_2d(prices))


def trail(report: Report, origin: Origin, constraint: str) -> Trail:
    """How every weight of a convex model moves with c; on a grid where no path is exact."""
    from compression.constrained.exact_path import ExactPath

    _, trained = restored(origin)
    bounds = _bounds(trained, constraint)
    found = _path(trained.dataset, trained.seed, constraint, tuple(bounds))
    exact = isinstance(found, ExactPath)
    weights = found.weights if found.weights.ndim == 3 else found.weights[:, None, :]
    return Trail(found.breakpoints if exact else found.bounds, weights, exact)


@lru_cache(maxsize=2)
def _path(dataset: str, seed: int, constraint: str, bounds: tuple[float, ...]) -> Any:
    """The optimum of every bound; the last ones stay, for other weights' planes."""
    import compression

    return compression.path(*_problem(dataset, seed), constraint, bounds=bounds)


def _problem(dataset: str, seed: int) -> tuple[NDArray, NDArray, str]:
    """The rows that references learn from, and the loss that is minimised over them."""
    found = loaded(dataset, seed)
    rows = found.fit_rows
    return found.x_train[rows].astype(np.float64), found.y_train[rows], loss_name(found.task)


def own_bounds(
    report: Report,
    origin: Origin,
    constraint: str,
    way: str,
    shares: tuple[float, ...],
    epochs: int = 3,
    first_mu: float | None = None,
    last_mu: float | None = None,
) -> Traded:
    """One network, each layer with a bound of its own, as a share of what holds its weight."""
    import compression
    from compression import storage
    from compression.constrained.networks import bounds_for
    from compression.network import layers

    found, trained = restored(origin)
    parts = layers(trained.network)
    limits: dict[str, float] = {}
    for (name, layer), share in zip(parts.items(), shares, strict=True):
        limits.update(bounds_for({name: layer}, constraint, share))
    curve = compression.constrained_curve(
        trained, found, constraint, [limits], method=_way(way, first_mu, last_mu), epochs=epochs
    )
    return traded(curve, files=(storage.to_bytes(curve.network(0)),))


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

    found, trained = restored(origin)
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

    found, trained = restored(origin)
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
    problem = _problem(dataset, seed)
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
    from compression.constrained import plane

    _, trained = restored(origin)
    bounds = _bounds(trained, constraint)
    members = compression.CONSTRAINTS[constraint].load()()
    loss = _prepared(trained.dataset, trained.seed)
    report(0, len(bounds), None, "the optimum of every bound")
    path = _path(trained.dataset, trained.seed, constraint, tuple(bounds))
    weights, pair = [path.at(bound) for bound in bounds], (first, second)
    optimum = np.array([weight.ravel()[[first, second]] for weight in weights])
    reach = np.array(
        [
            plane.reach(members, bound, np.delete(weight.ravel(), pair))
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
        border=np.stack([plane.border(members, own, 2 * max(far, *near)) for own in reach]),
    )
    for done, row in enumerate(_spread(len(bounds)), start=1):
        weight, intercept = weights[row], path.intercept_at(bounds[row])
        least = loss.value(loss.from_model(weight, intercept))
        for wide, over in ((near[row], found.near_loss), (far, found.far_loss)):
            ends = np.linspace(-wide, wide, STEPS)
            over[row] = plane.over_plane(loss, weight, intercept, pair, ends, ends) - least
        if not report(done, len(bounds), lambda: found, f"bound {done} of {len(bounds)}"):
            break
    return found


def _prepared(dataset: str, seed: int) -> Any:
    from compression.constrained.losses import check_data, prepare

    x, y, loss = _problem(dataset, seed)
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
    from compression.constrained.certificate import Certifier
    from compression.constrained.losses import check_data
    from compression.constrained.problem import Problem
    from compression.constrained.solve import Judge, settle

    _, trained = restored(origin)
    bounds = _bounds(trained, constraint)
    members = compression.CONSTRAINTS[constraint].load()()
    loss = _prepared(trained.dataset, trained.seed)
    x, y, name = _problem(trained.dataset, trained.seed)
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
