"""A worker process and the app's end of its pipe."""

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from . import worker

KILLED = "killed"
# For a process to import what it needs, at most: it takes seconds, or minutes on a busy machine.
WARM_SECONDS = 600
# One thread per worker: the networks are small, and the app needs a core.
ENVIRONMENT = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")


class WorkerProcess:
    """A worker process and the app's end of its pipe."""

    def __init__(self, warm_up: str):
        # Import it here, in a worker's thread: the title paints first.
        from loky.backend import get_context

        context = get_context("loky")
        self.pipe: Connection
        self.pipe, theirs = context.Pipe()
        self._process = context.Process(
            target=worker.serve, args=(theirs, warm_up), env=ENVIRONMENT, daemon=True
        )
        self._process.start()
        theirs.close()  # the pipe then closes when the worker ends
        self._sending = threading.Lock()

    @property
    def pid(self) -> int:
        return self._process.pid

    def is_alive(self) -> bool:
        return self._process.is_alive()

    def wait_until_warm(self, is_closed: Callable[[], bool]) -> None:
        """Wait for the end of the warm-up, or until nobody wants the process any more.

        Raises EOFError when the process is gone, and TimeoutError when it takes far too long.
        """
        end = time.monotonic() + WARM_SECONDS
        while not is_closed():
            if self.pipe.poll(0.1):
                self.pipe.recv()
                return
            if time.monotonic() > end:
                raise TimeoutError(f"a worker process was not ready after {WARM_SECONDS} seconds")

    def send(self, *message: Any) -> None:
        with self._sending:
            self.pipe.send(message)

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):  # loky's processes have no kill()
            os.kill(self.pid, getattr(signal, "SIGKILL", signal.SIGTERM))

    def end(self) -> str:
        """Make sure that it is gone; says how it went."""
        self.pipe.close()
        self._process.join(1)
        if self._process.exitcode is None:
            self.kill()
            self._process.join()
        code = self._process.exitcode
        if code is None:
            return "nobody knows how"  # another caller has waited for it, e.g. when the app ends
        if code == -signal.SIGKILL:
            return KILLED
        return f"signal {-code}" if code < 0 else f"exit code {code}"
