"""Model files from strangers: are all refused in a sentence, and what do they cost at most?

Every file of the tests, four graphs that only hurt when they run, and mutations of three good
files. The peer of the spectra is a loop of ``torch.linalg.svdvals`` over the same weights.
"""

import resource
import tempfile
import time
from collections.abc import Callable, Iterator

import numpy as np
import torch
from threadpoolctl import threadpool_limits

import compression
from compression.graphs import example
from compression.graphs.child import CHILD
from compression.graphs.tensors import encode_values, write_safetensors
from tests.compression.graphs.conftest import safetensors_file, save
from tests.compression.graphs.hostile_files import graph, growing_sum, hostile_files
from tests.compression.graphs.onnx_graphs import endless_loop, hungry_constant

from .table import Row

MUTATIONS = 10_000
LAYERS = [(384, 384)] * 24 + [(1536, 384)] * 6 + [(384, 1536)] * 7  # of MiniLM-L6's shapes


def rows(seed: int = 0) -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder:
        cases = hostile_files(f"{folder}/trace")
        calls = [lambda files=files: compression.read_model(files) for files in cases.values()]
    calls += [
        lambda content=content: CHILD.ask("compare", {"before": content, "after": content})
        for content in (hungry_constant(), growing_sum(), endless_loop(), endless_loop(None))
    ]
    refused, slowest = try_calls(calls[:-1])
    before = _child_seconds()
    endless = try_calls(calls[-1:])
    spent, refused, slowest = (
        _child_seconds() - before,
        refused + endless[0],
        max(slowest, endless[1]),
    )
    peak = _child_peak()
    yield Row(
        "hostile model files refused in a sentence",
        f"{refused}",
        f"{len(calls)} files",
        refused / len(calls),
        "all",
        refused == len(calls),
    )
    yield Row("the slowest of them", f"{slowest:.1f} s", "10 s", slowest / 10, "≤ 1", slowest <= 10)
    yield Row(
        "processor time of the slowest, a graph that never ends and computes how often it turns (others use the machine too)",
        f"{spent:.1f} s",
        "10 s",
        spent / 10,
        "≤ 1",
        spent <= 10,
    )
    yield Row(
        "most memory of the process that reads them",
        f"{peak / 2**20:,.0f} MB",
        "1,024 MB",
        peak / 2**30,
        "≤ 1",
        peak <= 2**30,
    )
    other, read = mutate(MUTATIONS, seed)
    yield Row(
        "mutated files that raise anything but a typed error",
        f"{other}",
        f"{MUTATIONS:,} mutations, {read:,} of them still a model",
        other / MUTATIONS,
        "0",
        other == 0,
    )
    yield from spectra()


def try_calls(calls: list[Callable]) -> tuple[int, float]:
    """How many raise a typed error of one line, and the seconds of the slowest."""
    refused, slowest = 0, 0.0
    for call in calls:
        start = time.perf_counter()
        try:
            call()
        except compression.CompressionError as error:
            refused += str(error).isprintable()
        slowest = max(slowest, time.perf_counter() - start)
    return refused, slowest


def mutate(count: int, seed: int) -> tuple[int, int]:
    """Errors of other kinds, and files that could still be read."""
    rng = np.random.default_rng(seed)
    good = {
        "m.safetensors": safetensors_file({"w": rng.normal(size=(6, 5)), "b": np.ones(5)}),
        "m.pt": save({"w": torch.ones(6, 5)}),
        "m.onnx": graph(),
    }
    other = read = 0
    for number in range(count):
        name = list(good)[number % 3]
        content = bytearray(good[name])
        for place in rng.integers(0, len(content), rng.integers(1, 5)):
            content[place] = rng.integers(256)
        if rng.random() < 0.2:
            content = content[: rng.integers(1, len(content))]
        try:
            read += len(compression.read_model({name: bytes(content)}).layers) > 0
        except compression.CompressionError:
            pass
        except Exception:
            other += 1
    return other, read


def spectra() -> Iterator[Row]:
    rng = np.random.default_rng(0)
    values = {f"w{i}": rng.normal(size=shape) for i, shape in enumerate(LAYERS)}
    content = write_safetensors({n: encode_values(v, "F32") for n, v in values.items()})
    path, title = example.find_text_model(), "MiniLM's shapes"
    if path is not None:
        content, title = path.read_bytes(), "MiniLM-L6 itself"
    model = compression.read_model({"m.safetensors": content})
    weights = [torch.tensor(model.matrix(weight.name)) for weight in model.weights]
    torch.set_num_threads(1)
    with threadpool_limits(1):
        start = time.process_time()
        model.measure()
        seconds = time.process_time() - start
        start = time.process_time()
        for weight in weights:
            torch.linalg.svdvals(weight)
        loop = time.process_time() - start
    yield Row(
        f"all spectra of a file of {len(weights)} weights ({title})",
        f"{seconds:.2f} s",
        f"{loop:.2f} s, torch.linalg.svdvals",
        seconds / loop,
        "≤ 1.5",
        seconds <= 1.5 * loop,
    )


def _child_seconds() -> float:
    """Processor seconds of the child processes so far."""
    CHILD.close()
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _child_peak() -> int:
    """Largest resident set of the child processes so far, in bytes."""
    CHILD.close()
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
