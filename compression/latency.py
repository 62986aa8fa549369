"""How long a model takes: measured on the CPU by ONNX Runtime with one thread.

All models take turns in the same run, so that whatever else the machine does meets them alike,
and two times of one round make a steadier ratio than either is alone. A constrained network is
dense at run time, and so is a sparse part: they are measured as that.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .argument_checks import check_arguments
from .errors import ArgumentError
from .report import Report, keep_going

# Pages read measured results without torch, SciPy and ONNX Runtime: import these only to measure.
if TYPE_CHECKING:
    from torch import nn

    from .training import DatasetLike, Reference

Array = NDArray[np.floating]

BATCHES = (1, 256)
REFERENCE = "reference"
_WARM_UP = 0.05  # seconds
_TURN = 5e-4  # seconds; much longer than the clock's resolution and the effect of caches


@dataclass(frozen=True)
class _Stopwatch:
    """One model with one batch, timed over as many calls as make a turn."""

    model: str
    session: Any
    samples: Array
    calls: int = 1

    def seconds(self) -> float:
        """Mean time of a call in one turn."""
        inputs = {self.session.get_inputs()[0].name: self.samples}
        start = time.perf_counter()
        for _ in range(self.calls):
            self.session.run(None, inputs)
        return (time.perf_counter() - start) / self.calls


@check_arguments
def latencies(
    reference: nn.Sequential,
    networks: Mapping[str, nn.Sequential],
    *,
    rounds: int = 100,
    report: Report = keep_going,
) -> pd.DataFrame:
    """Seconds a call, for batches of 1 and of 256 samples.

    Every round gives each model a turn with each batch, in a new order; a turn is as many calls
    as fill half a millisecond, at least one.

    Parameters
    ----------
    reference : torch module
        What the others are held against.
    networks : dict
        Name -> torch module of this package.
    rounds : int
        Turns of each model and batch; below 6 no interval reaches 95 %.
    report : callable
        Called after each round with (done, total, a function that gives the table so far);
        returning False ends the measurement there.

    Returns
    -------
    DataFrame
        One row a model and batch, the reference (named "reference") first: model, batch,
        latency (seconds a call, the median of all turns), latency_low, latency_high, ratio (the
        reference's time over this one's in the same round, the median: above 1 is faster),
        ratio_low, ratio_high. The intervals are the medians' own, 95 %, from order statistics.

    Raises
    ------
    StorageError
        A network has a layer that cannot be exported.
    """
    if rounds < 1:
        raise ArgumentError(f"{rounds} rounds measure nothing: choose 1 or more")
    sessions = open_sessions({REFERENCE: reference, **networks})
    features = sessions[REFERENCE].get_inputs()[0].shape[1]
    samples = np.random.default_rng(0).normal(size=(max(BATCHES), features)).astype(np.float32)
    return time_sessions(sessions, samples, rounds=rounds, report=report)


def time_sessions(
    sessions: Mapping[str, Any],
    samples: NDArray,
    batches: Sequence[int] = BATCHES,
    *,
    rounds: int = 100,
    report: Report = keep_going,
) -> pd.DataFrame:
    """Time ONNX Runtime's sessions of one input in turns; see :func:`latencies`.

    Parameters
    ----------
    sessions : mapping
        Name -> session; the first is what the others are held against.
    samples : ndarray, shape (rows, ...)
        At least as many rows as the largest batch.
    """
    watches = [
        _warm_up(name, session, samples[:batch])
        for name, session in sessions.items()
        for batch in batches
    ]
    order = np.random.default_rng(0)
    seconds: list[Array] = []
    for done in range(1, rounds + 1):
        turn = np.empty(len(watches))
        for at in order.permutation(len(watches)):
            turn[at] = watches[at].seconds()
        seconds.append(turn)
        if not report(done, rounds, lambda: _build_table(watches, np.array(seconds), len(batches))):
            break
    return _build_table(watches, np.array(seconds), len(batches))


def open_sessions(networks: Mapping[str, nn.Sequential]) -> dict[str, Any]:
    """ONNX Runtime's sessions of networks, by their names, each on one thread of the processor.

    Raises
    ------
    StorageError
        A network has a layer that cannot be exported.
    """
    import onnxruntime

    from .onnx_export import export_onnx

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    sessions = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        for name, network in networks.items():
            export_onnx(network, path)
            session = onnxruntime.InferenceSession(
                path.read_bytes(), options, providers=["CPUExecutionProvider"]
            )
            sessions[name] = session
    return sessions


def _warm_up(name: str, session: Any, samples: NDArray) -> _Stopwatch:
    """Called until it is warm, with the number of calls that then make a turn."""
    watch = _Stopwatch(name, session, samples)
    fastest, end = watch.seconds(), time.perf_counter() + _WARM_UP
    while time.perf_counter() < end:
        fastest = min(fastest, watch.seconds())
    return _Stopwatch(name, session, samples, calls=max(1, round(_TURN / fastest)))


def _build_table(watches: Sequence[_Stopwatch], seconds: Array, batches: int) -> pd.DataFrame:
    """Medians and intervals from times of shape (rounds, watches); the reference's come first."""
    from .evaluation import median_interval

    ratios = seconds[:, np.arange(len(watches)) % batches] / seconds
    rows = []
    for at, watch in enumerate(watches):
        row: dict[str, Any] = {"model": watch.model, "batch": len(watch.samples)}
        for name, values in (("latency", seconds[:, at]), ("ratio", ratios[:, at])):
            interval = median_interval(values)
            row[name] = float(np.median(values))
            row[f"{name}_low"], row[f"{name}_high"] = interval.low, interval.high
        rows.append(row)
    return pd.DataFrame(rows)


def break_even(knobs: Sequence[float], ratios: Sequence[float]) -> float | None:
    """Largest knob value up to which every ratio is above 1; None: not even the smallest one's.

    Give ``ratio_low`` of a latency for where a model is faster beyond doubt, and the reference's
    MACs over the models' for where counting says so.
    """
    order = np.argsort(knobs)
    faster = np.logical_and.accumulate(np.asarray(ratios)[order] > 1)
    return float(np.asarray(knobs)[order][faster][-1]) if faster.any() else None


def noise_ratio(table: pd.DataFrame, same_graph: str, batch: int) -> float:
    """Ratio of two times up to which a measurement tells nothing apart; 1 or more.

    Parameters
    ----------
    table : DataFrame
        As :func:`latencies` gives it.
    same_graph : str
        A model that runs the reference's own graph, as a constrained network does: what lies
        between their times is where their numbers happen to stand in memory.
    batch : int
    """
    same = table[(table["model"] == same_graph) & (table["batch"] == batch)]
    return float(max([1.0, *same["ratio_high"], *(1 / same["ratio_low"])]))


def equalise_times(table: pd.DataFrame, same_graph: str, batch: int) -> pd.Series:
    """Seconds a call by model, the reference's own where the two cannot be told apart.

    They cannot where the 95 % interval of their ratio, widened by :func:`noise_ratio`, holds 1:
    else noise would choose between two models. Parameters as there.
    """
    times = table[table["batch"] == batch].set_index("model")
    noise = noise_ratio(table, same_graph, batch)
    alike = (times["ratio_low"] <= noise) & (times["ratio_high"] * noise >= 1)
    return times["latency"].mask(alike, times["latency"].get(REFERENCE))


@dataclass(frozen=True, eq=False)
class RankLatencies:
    """How long low rank takes, and some other networks.

    Attributes
    ----------
    table : DataFrame
        As :func:`latencies` gives it; a rank's model is called as :func:`name_rank` says.
    ranks : DataFrame
        One row a rank and batch: rank, batch, ratio, ratio_low, ratio_high (how many times
        faster than the reference), counted (how many times fewer MACs).
    break_even : dict
        (batch, "measured" or "counted") -> the largest of the ranks up to which low rank is
        faster, beyond noise or by its MACs; None: it never is.
    """

    table: pd.DataFrame
    ranks: pd.DataFrame
    break_even: dict[tuple[int, str], float | None]


def rank_latencies(
    reference: Reference,
    dataset: DatasetLike,
    others: Mapping[str, nn.Sequential],
    same_graph: str,
    *,
    count: int = 20,
    report: Report = keep_going,
) -> RankLatencies:
    """Time low rank at about ``count`` ranks that pay, and other networks, beside the reference.

    Parameters
    ----------
    reference : Reference
    dataset : Dataset
        The one that it was trained on.
    others : dict
        Name -> torch module of this package.
    same_graph : str
        The one of them that runs the reference's own graph, see :func:`noise_ratio`.
    count : int
    report : callable
        As for :func:`latencies`; its function gives the RankLatencies so far.

    Raises
    ------
    StorageError
        A network has a layer that cannot be exported.
    """
    from . import accounting
    from .low_rank.networks import prepare
    from .training import SampleTensors

    family = prepare(reference, SampleTensors(dataset), "truncated_svd")
    paying = [rank for rank in range(1, family.max_rank + 1) if family.find_compressed(rank)]
    ranks = thin_ranks(paying, count)
    networks = {name_rank(rank): family.at(rank) for rank in ranks}
    macs = accounting.macs(reference.network)
    counted = {name: macs / accounting.macs(network) for name, network in networks.items()}

    def judge(table: pd.DataFrame) -> RankLatencies:
        rows = table[table["model"].isin(networks)].reset_index(drop=True)
        rows["rank"] = rows["model"].map({name_rank(rank): rank for rank in ranks})
        rows["counted"] = rows["model"].map(counted)
        ends: dict[tuple[int, str], float | None] = {}
        for batch, part in rows.groupby("batch"):
            beyond_noise = part["ratio_low"] / noise_ratio(table, same_graph, int(batch))
            ends[int(batch), "measured"] = break_even(part["rank"], beyond_noise)
            ends[int(batch), "counted"] = break_even(part["rank"], part["counted"])
        return RankLatencies(table, rows, ends)

    def step(done: int, total: int, so_far: Any) -> bool:
        return report(done, total, lambda: judge(so_far()))

    return judge(latencies(reference.network, networks | dict(others), report=step))


def name_rank(rank: int) -> str:
    """What a network whose linear layers have this rank is called, whatever the method."""
    return f"rank {rank}"


def thin_ranks(ranks: list[int], count: int) -> list[int]:
    """All of these ranks, or about so many, spaced by ratio; powers of two are among them."""
    if len(ranks) <= count:
        return ranks
    spaced = np.geomspace(ranks[0], ranks[-1], count).round().astype(int).tolist()
    return sorted({*spaced, *(rank for rank in ranks if rank.bit_count() == 1)})
