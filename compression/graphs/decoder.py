"""What the child process does: one call at a time, within limits of memory and processor time."""

import contextlib
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from ..errors import CompressionError
from .child import STOPPED, Files, read_frame, write_frame
from .limits import CHILD_BYTES

IDLE_SECONDS = 120
CODE_BYTES = 2**25
"""Of the libraries' code that is read from their files only once it runs."""
DAMAGED = "this file is damaged, or is no file of its kind: take another copy"


def _read_safetensors(files: Files) -> tuple[dict[str, Any], Files]:
    from .tensors import read_safetensors

    for content in files.values():
        read_safetensors(content)
    return {}, {}


def _read_checkpoint(files: Files) -> tuple[dict[str, Any], Files]:
    from .checkpoint import convert

    return {}, {"safetensors": convert(next(iter(files.values())))}


def _read_onnx(files: Files) -> tuple[dict[str, Any], Files]:
    from .onnx_model import read_onnx

    read_onnx(files)
    return {}, {}


def _open_graph(files: Files) -> tuple[dict[str, Any], Files]:
    from .onnx_file import open_graph

    return {}, {"graph": open_graph(files).SerializeToString()}


def _compare(files: Files) -> tuple[dict[str, Any], Files]:
    from .runner import compare

    return compare(files["before"], files["after"]), {}


def _describe_inputs(files: Files) -> tuple[dict[str, Any], Files]:
    from .runner import describe_inputs

    return {"inputs": describe_inputs(files["graph"])}, {}


def _predict(files: Files, shape: list[int]) -> tuple[dict[str, Any], Files]:
    import numpy as np

    from .runner import predict

    y = predict(files["graph"], np.frombuffer(files["x"], np.float32).reshape(shape))
    return {"shape": list(y.shape)}, {"y": y.tobytes()}


def _measure_products(
    files: Files, shape: list[int], axes: list[tuple[int, int]]
) -> tuple[dict[str, Any], Files]:
    import numpy as np

    from .runner import measure_products

    x = np.frombuffer(files["x"], np.float32).reshape(shape)
    measured = measure_products(files["graph"], x, axes)
    answer = {f"mean {place}": moments.mean.tobytes() for place, moments in enumerate(measured)}
    for place, moments in enumerate(measured):
        answer[f"covariance {place}"] = moments.covariance.tobytes()
    return {"sizes": [len(moments.mean) for moments in measured]}, answer


def _measure_pairs(
    files: Files, shape: list[int], axes: list[tuple[int, int]]
) -> tuple[dict[str, Any], Files]:
    import numpy as np

    from .runner import measure_pairs

    x = np.frombuffer(files["x"], np.float32).reshape(shape)
    moments = measure_pairs(files["first"], files["second"], x, axes)
    return {}, {"mean": moments.mean.tobytes(), "covariance": moments.covariance.tobytes()}


def _time_graphs(files: Files, shape: list[int], rounds: int) -> tuple[dict[str, Any], Files]:
    import numpy as np

    from .runner import time_graphs

    x = np.frombuffer(files.pop("x"), np.float32).reshape(shape)
    return {"rows": time_graphs(files, x, rounds)}, {}


CALLS: dict[str, Callable[..., tuple[dict[str, Any], Files]]] = {
    "safetensors": _read_safetensors,
    "checkpoint": _read_checkpoint,
    "onnx": _read_onnx,
    "graph": _open_graph,
    "compare": _compare,
    "inputs": _describe_inputs,
    "predict": _predict,
    "latency": _time_graphs,
    "products": _measure_products,
    "pairs": _measure_pairs,
}
# Import what a call needs before its time and memory are counted.
IMPORTS = {
    "checkpoint": "compression.graphs.checkpoint",
    "onnx": "compression.graphs.onnx_model",
    "graph": "compression.graphs.onnx_file",
    **dict.fromkeys(
        ("compare", "inputs", "predict", "latency", "products", "pairs"),
        "compression.graphs.runner",
    ),
}


def serve() -> None:
    """Answer until the asking process has gone, or has not asked for a while."""
    threading.Thread(target=_leave_with, args=(os.getppid(),), daemon=True).start()
    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # a library's prints must not be read as an answer
    while select.select([requests], [], [], IDLE_SECONDS)[0]:
        try:
            header, files = read_frame(requests)
        except EOFError:
            return
        __import__(IMPORTS.get(header["call"], "compression.graphs.tensors"))
        _limit(header["cpu_seconds"], sum(map(len, files.values())))
        try:
            values, answer = CALLS[header["call"]](files, **header["values"])
            reply: dict[str, Any] = {"values": values}
        except CompressionError as error:
            reply, answer = {"error": str(error), "kind": type(error).__name__}, {}
        except MemoryError:
            reply, answer = {"error": STOPPED, "kind": "StorageError"}, {}
        except Exception:  # libraries raise what a damaged file makes them raise
            reply, answer = {"error": DAMAGED, "kind": "StorageError"}, {}
        _lift_limits()
        write_frame(answers, reply, answer)
        del files, answer


def _leave_with(parent: int) -> None:
    """End this process soon after the one that asks has gone, in the middle of a file too."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


def _limit(cpu_seconds: int, given: int) -> None:
    """Let the system end this process once it has grown or computed too much.

    With its libraries it may hold CHILD_BYTES; for large files of ``given`` bytes more, up to
    CHILD_BYTES beside them and the libraries.
    """
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        _, most = resource.getrlimit(resource.RLIMIT_DATA)
        libraries = CODE_BYTES + max(0, _read_memory("VmRSS") - given)
        room = CHILD_BYTES - max(0, libraries - 4 * given)
        resource.setrlimit(resource.RLIMIT_DATA, (_read_memory("VmData") + max(0, room), most))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.setitimer(signal.ITIMER_PROF, cpu_seconds)  # its signal ends the process


def _lift_limits() -> None:
    signal.setitimer(signal.ITIMER_PROF, 0)
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        _, most = resource.getrlimit(resource.RLIMIT_DATA)
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))


def _read_memory(kind: str) -> int:
    """What this process holds: VmData as the limit counts it, VmRSS all that is in memory."""
    with open("/proc/self/status", encoding="ascii", errors="replace") as status:
        for line in status:
            if line.startswith(f"{kind}:"):
                return int(line.split()[1]) * 1024
    return 0
