"""A worker process: takes tasks from the app, one after the other, and reports on them.

It imports no Streamlit. One pipe joins it to the app: tasks and cancellations come in, progress
and results go out. When the pipe closes the app is gone, however it went, and so is the worker.
"""

import contextlib
import logging
import os
import pickle
import queue
import signal
import threading
import time
import traceback
from collections.abc import Callable
from importlib import import_module
from multiprocessing.connection import Connection
from typing import Any

BETWEEN_REPORTS = 0.25  # seconds; pages check twice a second
SHARE_FOR_PARTIALS = 0.1  # of the running time, at most, for sending partial results
MEMORY_RAN_OUT = "memory ran out: choose a smaller model or fewer rows"

log = logging.getLogger(__name__)

Packed = tuple[bytes, list[bytes]]


def pack(value: Any) -> Packed:
    """A value as bytes, its arrays beside it."""
    buffers: list[pickle.PickleBuffer] = []
    body = pickle.dumps(value, protocol=5, buffer_callback=buffers.append)
    return body, [buffer.raw().tobytes() for buffer in buffers]


def unpack(packed: Packed) -> Any:
    """The value again; its arrays are read-only, since every session is given the same ones."""
    return pickle.loads(packed[0], buffers=packed[1])


def count_bytes(packed: Packed | None) -> int:
    """Length in bytes."""
    return 0 if packed is None else len(packed[0]) + sum(map(len, packed[1]))


def find(task: str) -> Callable[..., Any]:
    """The function of that dotted name, "module:function"."""
    module, _, function = task.partition(":")
    return getattr(import_module(module), function)


class PipeReport:
    """What a task calls on its way: ``report(done, total, partial, message) -> go on``.

    Cheap enough for an inner loop: most calls send nothing. A callable ``partial`` is called only
    when it is sent, and a partial result replaces the one before.
    """

    def __init__(self, pipe: Connection, number: int, cancelled: set[int]):
        self._pipe, self._number, self._cancelled = pipe, number, cancelled
        self._next = 0.0
        self.stopped = False

    def __call__(self, done: float, total: float, partial: Any = None, message: str = "") -> bool:
        self.stopped = self._number in self._cancelled
        now = time.monotonic()
        if self.stopped or now >= self._next:
            packed = None
            if partial is not None:
                packed = pack(partial() if callable(partial) else partial)
            self._pipe.send(("progress", done, total, message, packed))
            spent = time.monotonic() - now
            self._next = now + max(BETWEEN_REPORTS, spent / SHARE_FOR_PARTIALS)
        return not self.stopped


def serve(pipe: Connection, warm_up: str) -> None:
    """Work until the app is gone."""
    # The app handles Ctrl-C; the pipe's end stops the worker.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(os, "nice"):
        os.nice(5)  # the app's sliders take priority over training
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as score:
        score.write("500")  # when memory runs out, Linux ends a worker and not the app
    tasks: queue.SimpleQueue[tuple[int, str, dict[str, Any]]] = queue.SimpleQueue()
    cancelled: set[int] = set()
    threading.Thread(target=_listen, args=(pipe, tasks, cancelled), daemon=True).start()
    call_warm_up(warm_up)
    with contextlib.suppress(OSError):  # the app has gone: the listening thread ends this process
        pipe.send(("warm",))
    while True:
        number, task, arguments = tasks.get()
        pipe.send(perform(pipe, number, task, arguments, cancelled))


def _listen(pipe: Connection, tasks: queue.SimpleQueue, cancelled: set[int]) -> None:
    try:
        while True:
            kind, *message = pipe.recv()
            if kind == "task":
                tasks.put(tuple(message))
            else:
                cancelled.add(message[0])
    except (EOFError, OSError):
        os._exit(0)


def call_warm_up(warm_up: str) -> None:
    """Call the function that imports what tasks need; a failure is logged, and no more."""
    if not warm_up:
        return
    try:
        find(warm_up)()
    except Exception:  # the first task imports by itself, and reports what fails
        log.warning("the worker could not warm up", exc_info=True)


def perform(
    pipe: Connection, number: int, task: str, arguments: dict[str, Any], cancelled: set[int]
) -> tuple:
    """Do one task; the message in which it ends: "done", "failed" or "cancelled", and with what."""
    from compression.errors import CancelledError, CompressionError
    from data.errors import DatasetError

    if number in cancelled:
        return ("cancelled",)
    report = PipeReport(pipe, number, cancelled)
    try:
        result = find(task)(report, **arguments)
        return ("cancelled",) if report.stopped else ("done", pack(result))
    except CancelledError:
        return ("cancelled",)
    except (CompressionError, DatasetError) as error:
        return "failed", str(error), None
    except MemoryError:
        return "failed", MEMORY_RAN_OUT, None
    except Exception as error:
        if "can't allocate memory" in str(error):  # a RuntimeError of torch
            return "failed", MEMORY_RAN_OUT, None
        return "failed", type(error).__name__, traceback.format_exc()
