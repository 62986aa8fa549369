"""Score against the knob of an alternative: what other people would use, every value judged."""

from __future__ import annotations

from collections.abc import Iterable

from torch import nn

from .. import accounting, storage
from ..argument_checks import check_arguments
from ..catalog import BASELINES, find
from ..curve import Curve, CurveBuilder
from ..errors import ArgumentError
from ..threads import in_one_thread
from ..training import DatasetLike, Reference, Report, keep_going, samples_for
from .method import BaselineMethod, BaselineStart


@check_arguments
@in_one_thread
def baseline_curve(
    reference: Reference,
    dataset: DatasetLike,
    method: str = "rounding",
    knobs: Iterable[float] | None = None,
    *,
    epochs: int | None = None,
    report: Report = keep_going,
) -> Curve:
    """Compress by an alternative at every value of its knob, and judge each.

    Parameters
    ----------
    reference : Reference
    dataset : Dataset
        The one that the reference was trained on.
    method : str
        A name of ``compression.BASELINES``.
    knobs : iterable of float, optional
        Bits, shares of the weights kept or shares of the width, as the method's line in the
        catalogue says, in any order; the method's own when left out.
    epochs : int, optional
        Passes over the training rows for each network, for methods that train. When left out 10,
        and for a smaller network those of the reference and 10 (at most: it stops as its recipe
        says).
    report : callable
        Called after each network with (done, total, a function that gives the curve so far);
        returning False ends the curve there.

    Returns
    -------
    Curve
        Rows in ascending order of the knob, which is named by the method's line. There are no
        spectra.

    Raises
    ------
    ArgumentError
        Unknown method, fewer than one epoch, or a value that the knob cannot have.
    NotApplicableError
        The method does not work for the reference's model.
    """
    entry = find(BASELINES, method, "baseline")
    way: BaselineMethod = entry.load()()
    if epochs is not None and epochs < 1:
        raise ArgumentError(f"{epochs} epochs train nothing: choose 1 or more")
    start = BaselineStart(reference, dataset, samples_for(reference, dataset), epochs)
    given = way.knobs(start) if knobs is None else knobs
    values = sorted({way.check(knob) for knob in given})
    if not values:
        raise ArgumentError(f"no value of {entry.knob} was given: choose one or more")
    judge = CurveBuilder(reference, dataset, start.samples)
    files: list[bytes] = []

    def build_curve() -> Curve:
        return judge.curve(
            knob=entry.knob,
            method=method,
            spectra={},
            _network=lambda row: storage.from_bytes(files[row]),
            _file=files.__getitem__,
        )

    for knob in values:
        network, spent = way.network(start, knob)
        files.append(storage.to_bytes(network))
        costs = _count_costs(network, len(files[-1]))
        judge.add(knob, start.samples.outputs(network), costs, spent)
        if not report(len(files), len(values), build_curve):
            break
    return build_curve()


def _count_costs(network: nn.Sequential, length: int) -> dict[str, int]:
    return {
        "parameters": accounting.parameters(network),
        "bytes": length,
        "macs": accounting.macs(network),
    }
