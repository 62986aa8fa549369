"""The worker's side of the page that decides: names and numbers in, plain results out."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from pages.shared.jobs.report import Report
from pages.shared.models.results import CurveView, Origin
from pages.shared.models.tasks import curve_view, load_reference, report_steps

from .results import EPOCHS, Measured, architecture, grain

BITS = (8, 6, 4, 3, 2)
MEASURED_RANKS = 20


def budgets(report: Report, origin: Origin) -> CurveView:
    """Ten budgets of bytes shared among the layers by every rule.

    The table has the column ``ranks``, in words.
    """
    from compression.low_rank.budgets import budget_curve

    found, trained = load_reference(origin)

    def worded(curve: Any) -> Any:
        words = [
            ", ".join(f"{name} {rank or 'dense'}" for name, rank in ranks.items())
            for ranks in curve.table["ranks"]
        ]
        return replace(curve, table=curve.table.assign(ranks=words))

    shown = report_steps(report, "network", lambda curve: curve_view(worded(curve)))
    return _with_files(worded(budget_curve(trained, found, unit="bytes", report=shown)))


def fine_tuned(report: Report, origin: Origin) -> CurveView:
    """The reference trained on without any bound: what the same epochs alone give.

    Its bound is the largest, where the constrained page's own fine-tuning begins.
    """
    import compression
    from compression.constrained.training.curve import curve_bounds

    found, trained = load_reference(origin)
    largest = curve_bounds(trained, found, "box")[-1]
    curve = compression.constrained_curve(
        trained, found, bounds=[largest], method="fine_tuning", epochs=EPOCHS
    )
    return _with_files(curve)


def quantized(
    report: Report,
    origin: Origin,
    bounds: tuple[float, ...],
    files: tuple[bytes, ...],
) -> CurveView:
    """Constrained networks, by their files, with their free weights in a few bits."""
    from compression import storage
    from compression.quantization import quantized_curve

    found, trained = load_reference(origin)
    rows = [
        (bound, storage.from_bytes(content), bits)
        for bound, content in zip(bounds, files, strict=True)
        for bits in BITS
    ]
    return _with_files(
        quantized_curve(trained, found, rows, "bound", report=report_steps(report, "network"))
    )


def _with_files(curve: Any) -> CurveView:
    from compression import storage

    files = tuple(storage.to_bytes(curve.network(row)) for row in range(len(curve.table)))
    return curve_view(curve, files=files)


def latencies(
    report: Report,
    origin: Origin,
    names: tuple[str, ...],
    files: tuple[bytes, ...],
) -> Measured:
    """How long low rank takes at some ranks, and others by their files, beside the reference.

    ``names`` are the architectures of the files.
    """
    from compression import accounting, latency, storage
    from compression.low_rank.networks import prepare
    from compression.training import Samples

    found, trained = load_reference(origin)
    family = prepare(trained, Samples(found), "truncated_svd")
    ranks = _spaced(_paying(family) if family.effective(1) else [], MEASURED_RANKS)
    networks = {architecture(rank): family.at(rank) for rank in ranks}
    macs = accounting.macs(trained.network)
    counted = {name: macs / accounting.macs(network) for name, network in networks.items()}
    others = dict(zip(names, map(storage.from_bytes, files), strict=True))

    def judged(table: pd.DataFrame) -> Measured:
        low_rank = table[table["model"].isin(networks)].reset_index(drop=True)
        by_name = {architecture(rank): rank for rank in ranks}
        low_rank["rank"] = low_rank["model"].map(by_name)
        low_rank["counted"] = low_rank["model"].map(counted)
        ends: dict[tuple[int, str], float | None] = {}
        for batch, part in low_rank.groupby("batch"):
            beyond_doubt = part["ratio_low"] / grain(table, int(batch))
            ends[int(batch), "measured"] = latency.break_even(part["rank"], beyond_doubt)
            ends[int(batch), "counted"] = latency.break_even(part["rank"], part["counted"])
        return Measured(table, low_rank, ends)

    shown = report_steps(report, "round", judged)
    return judged(latency.latencies(trained.network, networks | others, report=shown))


def _paying(family: Any) -> list[int]:
    """The ranks that make some layer smaller; rank 1 is always there, so that there is one."""
    return [1, *(rank for rank in range(2, family.max_rank + 1) if family.effective(rank))]


def _spaced(ranks: list[int], count: int) -> list[int]:
    """All of these ranks, or about so many, spaced by ratio; powers of two are among them."""
    if len(ranks) <= count:
        return ranks
    spaced = np.geomspace(ranks[0], ranks[-1], count).round().astype(int).tolist()
    return sorted({*spaced, *(rank for rank in ranks if rank.bit_count() == 1)})
