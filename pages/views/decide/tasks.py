"""The worker's side of the page that decides: names and numbers in, plain results out."""

from compression.latency import RankLatencies
from pages.shared.jobs.report import Report, measures_time
from pages.shared.models.results import CurveView, Origin
from pages.shared.models.tasks import EQUAL_EPOCHS, curve_view, load_reference, report_steps

EPOCHS = EQUAL_EPOCHS
DENSE = "constrained"  # a constrained network's architecture: dense at run time


def quantize_bounds(
    report: Report, origin: Origin, knob: str, bounds: tuple[float, ...], files: tuple[bytes, ...]
) -> CurveView:
    """Constrained networks, by their files, with their free weights in a few bits."""
    from compression import storage
    from compression.few_bits import quantized_curve
    from compression.grid import TRIED_BITS

    dataset, reference = load_reference(origin)
    rows = [
        (bound, storage.from_bytes(content), bits)
        for bound, content in zip(bounds, files, strict=True)
        for bits in TRIED_BITS
    ]
    steps = report_steps(report, "network")
    curve = quantized_curve(reference, dataset, rows, knob, report=steps)
    return curve_view(curve, with_files=True)


@measures_time
def latencies(report: Report, origin: Origin, constrained: bytes) -> RankLatencies:
    """How long low rank takes at some ranks, and a constrained network by its file."""
    from compression import latency, storage

    dataset, reference = load_reference(origin)
    others = {DENSE: storage.from_bytes(constrained)}
    steps = report_steps(report, "round", lambda so_far: so_far)
    return latency.rank_latencies(reference, dataset, others, DENSE, report=steps)
