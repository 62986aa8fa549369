"""Tasks for the tests of jobs: a worker process imports them."""

import os
import time

from compression.errors import CancelledError


def count(report, to, pause, raises=False):
    """Count with a rest after each number; the partial result is where it is."""
    for number in range(1, to + 1):
        time.sleep(pause)
        if not report(number, to, lambda number=number: {"reached": number}, f"at {number}"):
            if raises:
                raise CancelledError("stopped")
            break
    return {"reached": number, "worker": os.getpid()}
