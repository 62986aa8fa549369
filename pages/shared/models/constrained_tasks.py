"""The worker's side of a constrained curve: every bound of one set, met in one way."""

from typing import Any

from compression.constrained.weight_history import find_two_largest
from pages.shared.jobs.report import Report

from .results import ConstrainedView, Origin
from .tasks import curve_view, load_reference, report_steps

PATH = "path"


def constrained_curve(
    report: Report,
    origin: Origin,
    constraint: str,
    way: str,
    epochs: int = 3,
    first_mu: float | None = None,
    last_mu: float | None = None,
    warm_start: bool = True,
) -> ConstrainedView:
    """Every bound of one set, met in one way; the partial result is what there is so far.

    ``way``: a name of ``compression.CONSTRAINED_METHODS``; for a convex model also ``PATH``, or a
    name of ``compression.SOLVERS``. ``warm_start``: each bound goes on from the one before.
    """
    import compression
    from compression.constrained.training.recorder import Recorder
    from compression.network import layers, matrix

    dataset, reference = load_reference(origin)
    recorder = Recorder(load_method(way, first_mu, last_mu), constraint)
    first_layer = next(iter(layers(reference.network).values()))

    def view(curve: Any, final: bool = False) -> ConstrainedView:
        return ConstrainedView(
            **vars(curve_view(curve, with_files=final)),
            layers=recorder.histories(reference.network),
            facts=recorder.facts(curve.table["knob"]),
            multipliers=recorder.multipliers,
            feature_names=tuple(dataset.feature_names),
            input_shape=tuple(dataset.input_shape),
            largest=find_two_largest(matrix(first_layer)),
        )

    curve = compression.constrained_curve(
        reference,
        dataset,
        constraint,
        method=recorder,
        epochs=epochs,
        warm_start=warm_start,
        report=report_steps(report, "bound", view),
    )
    return view(curve, final=True)


def load_method(name: str, first_mu: float | None, last_mu: float | None) -> Any:
    """The method of that name in the catalogue, or a solver of convex models."""
    import compression
    from compression.constrained.training.optimum import Optimum

    entry = compression.CONSTRAINED_METHODS.get(name)
    if entry is None:
        return Optimum(name)
    if first_mu is None:
        return entry.load()()
    return entry.load()(first_mu=first_mu, last_mu=last_mu)
