"""The worker's side of a constrained curve: every bound of one set, met in one way."""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from compression.weight_states import FREE, WeightState
from pages.shared.jobs.report import Report

from .results import ConstrainedView, LayerRows, Origin
from .tasks import curve_view, load_dataset, load_reference, report_steps

PATH = "path"
CELLS = 16_384  # of a weight that crosses to a page
BINS = 61  # odd: a bin around 0


def constrained_curve(
    report: Report,
    origin: Origin,
    constraint: str,
    way: str,
    epochs: int = 3,
    first_mu: float | None = None,
    last_mu: float | None = None,
) -> ConstrainedView:
    """Every bound of one set, met in one way; the partial result is what there is so far.

    ``way``: a name of ``compression.CONSTRAINED_METHODS``; for a convex model also ``PATH``, or a
    name of ``compression.SOLVERS``.
    """
    import compression

    found, trained = load_reference(origin)
    noted = _Noted(method_of(way, first_mu, last_mu), constraint)

    def view(curve: Any) -> ConstrainedView:
        return noted.result(curve, trained, found)

    curve = compression.constrained_curve(
        trained,
        found,
        constraint,
        method=noted,
        epochs=epochs,
        report=report_steps(report, "bound", view),
    )
    return noted.result(curve, trained, found, final=True)


def method_of(name: str, first_mu: float | None, last_mu: float | None) -> Any:
    """The method of that name in the catalogue, or a solver of convex models."""
    import compression
    from compression.constrained.training.optimum import Optimum

    entry = compression.CONSTRAINED_METHODS.get(name)
    if entry is None:
        return Optimum(name)
    if first_mu is None:
        return entry.load()()
    return entry.load()(first_mu=first_mu, last_mu=last_mu)


class _Noted:
    """A way to the bounds; each network's weights are noted as it passes."""

    def __init__(self, way: Any, constraint: str):
        from compression.constrained.training.curve import ascends

        self.way = way
        self.ascending = getattr(way, "ascending", False)
        self.step = 1 if ascends(way, constraint) else -1
        self.weights: dict[str, list[NDArray]] = {}
        self.states: dict[str, list[NDArray[np.int8]]] = {}
        self.bounds: dict[str, list[float]] = {}
        self.files: list[bytes] = []
        self.elementwise = False  # whether the set bounds each weight by itself

    def networks(self, start: Any, constraint: str, bounds: Sequence[Any]) -> Iterator[Any]:
        import compression
        from compression import storage
        from compression.network import bounded_of, layers, matrix

        self.elementwise = compression.CONSTRAINTS[constraint].load()().elementwise

        for limits, network in zip(
            bounds, self.way.networks(start, constraint, bounds), strict=True
        ):
            self.files.append(storage.to_bytes(network))
            for name, layer in layers(network).items():
                weight, bounded = matrix(layer), bounded_of(layer)
                states = np.full(weight.shape, FREE, np.int8)
                if bounded is not None:
                    states = storage.states(weight, bounded)
                self.weights.setdefault(name, []).append(weight)
                self.states.setdefault(name, []).append(states)
                own = math.nan if bounded is None else limits[name]
                self.bounds.setdefault(name, []).append(own)
            yield network

    def result(self, curve: Any, trained: Any, found: Any, final: bool = False) -> ConstrainedView:
        """Rows in the order of the curve's: bounds ascend."""
        from compression.constrained.training.optimum import Optimum
        from compression.network import layers, matrix

        facts = multipliers = None
        step = self.step
        if isinstance(self.way, Optimum):
            # Solved at the bounds as float32 holds them, known by those that were asked for.
            facts = pd.DataFrame(self.way.facts[::step]).assign(knob=curve.table["knob"])
            if self.way.multipliers:
                multipliers = np.stack(self.way.multipliers[::step])
        return ConstrainedView(
            **vars(curve_view(curve, files=tuple(self.files[::step]) if final else ())),
            layers={
                name: _rows(
                    name,
                    matrix(layer),
                    np.stack(self.weights[name][::step]),
                    np.stack(self.states[name][::step]),
                    np.array(self.bounds[name][::step]),
                    self.elementwise,
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
    name: str,
    reference: NDArray,
    weights: NDArray,
    states: NDArray,
    bounds: NDArray,
    elementwise: bool,
) -> LayerRows:
    largest = float(max(np.abs(reference).max(), np.abs(weights).max())) or 1.0
    edges = [_edges(largest, bound if elementwise else math.nan) for bound in bounds]
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
        reference_counts=[np.histogram(reference, ends)[0] for ends in edges],
        free_counts=[
            np.histogram(weight[own == FREE], ends)[0]
            for weight, own, ends in zip(weights, states, edges, strict=True)
        ],
        held_counts=np.stack(
            [np.bincount(own.ravel(), minlength=len(WeightState)) for own in states]
        ),
    )


def _edges(largest: float, bound: float) -> NDArray:
    """Of bins of one width that hold every weight, about BINS of them; ±bound are two edges.

    ``bound``: NaN where no single weight has one.
    """
    if not 0 < bound < largest:
        return np.linspace(-largest, largest, BINS + 1)
    inside = np.linspace(-bound, bound, max(round(BINS * bound / largest), 1) + 1)
    width = inside[1] - inside[0]
    outside = bound + width * np.arange(1, math.ceil((largest - bound) / width) + 1)
    outside[-1] = max(outside[-1], largest)  # which rounding may have left out
    return np.concatenate([-outside[::-1], inside, outside])


def strides(shape: tuple[int, int]) -> tuple[int, int]:
    """Every how manieth row and column leave at most CELLS."""
    rows = columns = 1
    while -(-shape[0] // rows) * -(-shape[1] // columns) > CELLS:
        if shape[0] / rows >= shape[1] / columns:
            rows += 1
        else:
            columns += 1
    return rows, columns


_paths: dict[tuple, Any] = {}


def convex_path(
    report: Report, dataset: str, seed: int, constraint: str, bounds: tuple[float, ...]
) -> Any:
    """The optimum of every bound; the last ones stay, for other weights' planes."""
    import compression

    key = dataset, seed, constraint, bounds
    if key not in _paths:
        found = compression.path(
            *convex_problem(dataset, seed), constraint, bounds=bounds, report=report_path(report)
        )
        while len(_paths) > 1:
            del _paths[next(iter(_paths))]
        _paths[key] = found
    return _paths[key]


def report_path(report: Report) -> Callable[[int, int, Any], bool]:
    """The report of a path that nothing is shown of before its end; raises when it is to stop."""
    from compression.errors import CancelledError

    def step(done: int, total: int, path: Any) -> bool:
        if not report(done, total, None, "the optimum of every bound"):
            raise CancelledError("stopped on the way to the optimum of every bound")
        return True

    return step


def convex_problem(dataset: str, seed: int) -> tuple[NDArray, NDArray, str]:
    """The rows that references learn from, and the loss that is minimised over them."""
    from compression.constrained.convex.losses import loss_of

    found = load_dataset(dataset, seed)
    rows = found.fit_rows
    return found.x_train[rows].astype(np.float64), found.y_train[rows], loss_of(found.task)
