"""All ranks of one layer: the first of LeNet-300-100 on 10,000 inputs of 784 numbers.

Against truncating the weight and evaluating the whole network at each rank, and against what no
way of doing it can avoid, the rest of the network at each rank. CPU time of one thread: it depends
little on what else the machine is doing.
"""

import copy
import multiprocessing
import statistics
from collections.abc import Callable, Iterator
from pathlib import Path
from time import process_time
from typing import Any

import torch
from threadpoolctl import threadpool_limits
from torch import nn

from compression.low_rank.decomposition import Decomposition
from compression.low_rank.networks import Ranks
from compression.low_rank.truncated_svd import TruncatedSVD
from compression.network import matrix

from .table import Row

SAMPLES, INPUTS, OUTPUTS = 10_000, 784, 300
EVERY = 10
"""The peers, all ranks of which take a minute, are timed at every tenth rank."""
REPEATS = 3


class NeverDenseDecomposition(Decomposition):
    """Factors also where they save nothing: every rank is worked for."""

    @property
    def dense_parameters(self) -> int:
        return 2**62


def network(inputs: int = INPUTS, outputs: int = OUTPUTS) -> nn.Sequential:
    torch.manual_seed(0)
    layers = [nn.Linear(inputs, outputs), nn.ReLU(), nn.Linear(outputs, 100), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(100, 10)).eval()


def prepare(net: Any, kind: type[Decomposition] = Decomposition) -> Ranks:
    decomposition = TruncatedSVD().decompose(matrix(net[0]))
    return Ranks(net, {"0": net[0]}, {"0": kind(**vars(decomposition))})


def evaluate_all_ranks(net: Any, x: torch.Tensor) -> None:
    ranks = range(1, min(net[0].weight.shape) + 1)
    for _ in prepare(net, NeverDenseDecomposition).evaluate(x, ranks):
        pass


def evaluate_with_fallback(net: Any, x: torch.Tensor) -> None:
    """Each network once: from the break-even rank on it is the same one."""
    family = prepare(net)
    last = min(net[0].weight.shape)
    paying = [rank for rank in range(1, last + 1) if family.find_compressed(rank)]
    for _ in family.evaluate(x, [*paying, last]):
        pass


def evaluate_naively(net: Any, x: torch.Tensor, repeat_svd: bool) -> None:
    net = copy.deepcopy(net)
    weight = net[0].weight.clone()
    u, s, vt = torch.linalg.svd(weight, full_matrices=False)
    for rank in range(EVERY, len(s) + 1, EVERY):
        if repeat_svd:
            u, s, vt = torch.linalg.svd(weight, full_matrices=False)
        net[0].weight.copy_((u[:, :rank] * s[:rank]) @ vt[:rank])
        net(x)


def evaluate_rest(net: Any, x: torch.Tensor) -> None:
    z = net[0](x)
    rest = net[1:]
    for _ in range(EVERY, len(net[0].weight) + 1, EVERY):
        rest(z)


def seconds(run: Callable[[], None]) -> float:
    start = process_time()
    run()
    return process_time() - start


def memory() -> float:
    """Peak memory of all ranks in a fresh process, over that of inputs and activations."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_measure_memory)


def _measure_memory() -> float:
    torch.set_num_threads(1)
    with torch.no_grad():
        net = network()
        evaluate_all_ranks(net, torch.zeros(64, INPUTS))  # libraries take their own share first
        # Written to, as memory that was only asked for is not there yet.
        x = torch.randn(SAMPLES, INPUTS)
        before = _read_kilobytes("VmRSS")
        Path("/proc/self/clear_refs").write_text("5")  # the peak starts from here
        evaluate_all_ranks(net, x)
        grown = (_read_kilobytes("VmHWM") - before) * 1024
    return (x.nbytes + grown) / (x.nbytes + SAMPLES * OUTPUTS * 4)


def _read_kilobytes(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name))


def rows() -> Iterator[Row]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1), torch.no_grad():
            yield from _compare_with_peers()
            yield from _measure_growth()
    finally:
        torch.set_num_threads(before)
    if Path("/proc/self/clear_refs").exists():
        share = memory()
        yield Row(
            "all ranks: memory",
            f"{share:.2f} x",
            "inputs and activations of the layer",
            share,
            "≤ 1.5",
            share <= 1.5,
        )


def _compare_with_peers() -> Iterator[Row]:
    net, x = network(), torch.randn(SAMPLES, INPUTS)
    runs = {
        "ours": lambda: evaluate_all_ranks(net, x),
        "fallback": lambda: evaluate_with_fallback(net, x),
        "once": lambda: evaluate_naively(net, x, repeat_svd=False),
        "repeated": lambda: evaluate_naively(net, x, repeat_svd=True),
        "floor": lambda: evaluate_rest(net, x),
    }
    # One after the other, several times: whatever disturbs them disturbs all.
    times = {name: min(column) for name, column in _run_in_turns(runs).items()}
    for name in ("once", "repeated", "floor"):
        times[name] *= EVERY
    what = f"all {OUTPUTS} ranks, {OUTPUTS} x {INPUTS}, {SAMPLES:,} inputs"
    for peer, title, target, most in (
        ("once", "truncate and evaluate, one SVD", "≤ 1/7", 1 / 7),
        ("repeated", "truncate and evaluate, an SVD a rank", "≤ 1/10", 1 / 10),
        ("floor", "the rest of the network alone", "≤ 1.3", 1.3),
    ):
        ratio = times["ours"] / times[peer]
        yield Row(
            what,
            f"{times['ours']:.2f} s",
            f"{times[peer]:.2f} s, {title}",
            ratio,
            target,
            ratio <= most,
        )
    yield Row(
        f"{what}, dense from break-even on",
        f"{times['fallback']:.2f} s",
        f"{times['once']:.2f} s, truncate and evaluate, one SVD",
        times["fallback"] / times["once"],
        "",
        None,
    )


def _run_in_turns(runs: dict[str, Callable[[], None]]) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(REPEATS):
        for name, run in runs.items():
            times[name].append(seconds(run))
    return times


def _measure_growth() -> Iterator[Row]:
    base = {"N": 2_500, "m": 150, "n": 392}

    def time_rank(sizes: dict[str, int]) -> float:
        net, x = network(sizes["n"], sizes["m"]), torch.randn(sizes["N"], sizes["n"])
        whole = statistics.median(
            seconds(lambda: evaluate_all_ranks(net, x)) for _ in range(REPEATS)
        )
        return whole / min(sizes["m"], sizes["n"])

    at_base = time_rank(base)
    for name, meaning in (("N", "samples"), ("m", "outputs"), ("n", "inputs")):
        for factor in (2, 4):
            sizes = base | {name: factor * base[name]}
            one = time_rank(sizes)
            yield Row(
                f"all ranks: {factor} x the {meaning} {name}, time a rank",
                f"{1e3 * one:.2f} ms at " + ", ".join(f"{k} = {v}" for k, v in sizes.items()),
                f"{1e3 * at_base:.2f} ms at " + ", ".join(f"{k} = {v}" for k, v in base.items()),
                one / at_base,
                "",
                None,
            )
