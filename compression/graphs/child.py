"""A process of its own in which files from strangers are read first.

What it does is limited in memory, in processor seconds and in seconds: a file that makes it
crash, hang or grow ends that process, and a sentence is left. It answers in JSON and plain bytes,
which cannot carry code.
"""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import CompressionError, NotApplicableError, StorageError
from .limits import BUSY_MACHINE, CHILD_BYTES, CHILD_CPU_SECONDS, RUN_CPU_SECONDS

Files = dict[str, bytes]

_ROOT = str(Path(__file__).resolve().parents[2])
_START = f"import sys; sys.path.insert(0, {_ROOT!r}); from compression.graphs.decoder import serve"
_THREADS = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
_ERRORS = {"StorageError": StorageError, "NotApplicableError": NotApplicableError}

STOPPED = (
    "this file needs more memory or time to be read or run than is given to files from outside "
    f"({CHILD_BYTES // 2**20:,} MB, seconds of one processor)"
)


def write_frame(stream: IO[bytes], header: dict[str, Any], files: Mapping[str, bytes]) -> None:
    """A JSON header and the files' bytes, with their lengths before them."""
    line = header | {"files": [[name, len(content)] for name, content in files.items()]}
    text = json.dumps(line).encode()
    stream.write(len(text).to_bytes(8, "little") + text)
    for content in files.values():
        stream.write(content)
    stream.flush()


def read_frame(stream: IO[bytes]) -> tuple[dict[str, Any], Files]:
    """What ``write_frame`` wrote; EOFError where the other end has gone."""
    header = json.loads(_read_exactly(stream, int.from_bytes(_read_exactly(stream, 8), "little")))
    return header, {name: _read_exactly(stream, length) for name, length in header.pop("files")}


def _read_exactly(stream: IO[bytes], length: int) -> bytes:
    content = stream.read(length)
    if len(content) < length:
        raise EOFError
    return content


class Child:
    """The process, started when it is first asked and again after it was ended."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def ask(
        self,
        call: str,
        files: Mapping[str, bytes],
        *,
        cpu_seconds: int = CHILD_CPU_SECONDS,
        **values: Any,
    ) -> tuple[dict[str, Any], Files]:
        """What a function of ``decoder.CALLS`` gives for these files.

        Raises
        ------
        CompressionError
            The file cannot be read, or reading it passed the limits.
        """
        with self._lock:
            try:
                header, answer = self._exchange(
                    {"call": call, "values": values, "cpu_seconds": cpu_seconds}, files
                )
            except (EOFError, OSError, ValueError) as error:
                self.close()
                raise StorageError(STOPPED) from error
        if "error" in header:
            raise _ERRORS.get(header["kind"], CompressionError)(header["error"])
        return header["values"], answer

    def _exchange(
        self, header: dict[str, Any], files: Mapping[str, bytes]
    ) -> tuple[dict[str, Any], Files]:
        process = self.start()
        assert process.stdin is not None
        assert process.stdout is not None
        limit = threading.Timer(BUSY_MACHINE * header["cpu_seconds"], process.kill)
        limit.start()
        try:
            write_frame(process.stdin, header, files)
            return read_frame(process.stdout)
        finally:
            limit.cancel()

    def start(self) -> "subprocess.Popen[bytes]":
        """The process; a new one where there is none, or it left after a while without work."""
        if self._process is not None and self._process.poll() is None:
            return self._process
        self.close()
        self._process = subprocess.Popen(
            [sys.executable, "-c", f"{_START}; serve()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=os.environ | _THREADS,
        )
        return self._process

    def close(self) -> None:
        """End the process; the next call starts another."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None


CHILD = Child()


def run_graph(content: bytes, x: NDArray) -> NDArray[np.float64]:
    """First floating output of an ONNX graph with one input, in the child process.

    Raises
    ------
    CompressionError
        The graph takes other inputs, or running it failed.
    """
    plain = np.ascontiguousarray(x, dtype=np.float32)
    files = {"graph": content, "x": plain.tobytes()}
    values, answer = CHILD.ask(
        "predict", files, cpu_seconds=RUN_CPU_SECONDS, shape=list(plain.shape)
    )
    return np.frombuffer(answer["y"], np.float64).reshape(values["shape"])


def measure_products(
    content: bytes, x: NDArray, axes: list[tuple[int, int]]
) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Mean (m,) and covariance (m, m) of what a graph's outputs hold along one of their axes.

    ``axes``: of each output, whose moments it counts for and the axis; see
    ``runner.measure_products``.
    """
    plain = np.ascontiguousarray(x, dtype=np.float32)
    files = {"graph": content, "x": plain.tobytes()}
    values, answer = CHILD.ask(
        "products", files, cpu_seconds=RUN_CPU_SECONDS, shape=list(plain.shape), axes=axes
    )
    return [
        (
            np.frombuffer(answer[f"mean {place}"], np.float64),
            np.frombuffer(answer[f"covariance {place}"], np.float64).reshape(size, size),
        )
        for place, size in enumerate(values["sizes"])
    ]


def measure_pairs(
    first: bytes, second: bytes, x: NDArray, axes: list[tuple[int, int]]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean (n,) and covariance (n, n) of what two graphs give for the same samples, side by side.

    ``axes``: of each pair of outputs; see ``runner.measure_pairs``.
    """
    plain = np.ascontiguousarray(x, dtype=np.float32)
    _, answer = CHILD.ask(
        "pairs",
        {"first": first, "second": second, "x": plain.tobytes()},
        cpu_seconds=RUN_CPU_SECONDS,
        shape=list(plain.shape),
        axes=axes,
    )
    mean = np.frombuffer(answer["mean"], np.float64)
    return mean, np.frombuffer(answer["covariance"], np.float64).reshape(len(mean), len(mean))


def time_graphs(graphs: Mapping[str, bytes], x: NDArray, rounds: int = 60) -> list[dict[str, Any]]:
    """Latencies of graphs by name, a row each; the first graph is the one to compare with.

    Measured in the child process; see ``runner.time_graphs``.
    """
    plain = np.ascontiguousarray(x, dtype=np.float32)
    values, _ = CHILD.ask(
        "latency",
        {**graphs, "x": plain.tobytes()},
        cpu_seconds=RUN_CPU_SECONDS,
        shape=list(plain.shape),
        rounds=rounds,
    )
    return list(values["rows"])
