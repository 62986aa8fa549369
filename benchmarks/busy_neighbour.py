"""What a busy neighbour costs: the same work alone, and beside loops that keep cores busy.

In processor time: one thread waits for nobody, so that its share of the cores says how long it
takes. Threads that wait for one another's share of a product would burn it here.
"""

import multiprocessing
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import process_time
from typing import Any

import numpy as np

import compression
import data

from .table import Row

REPEATS = 3


def loop() -> None:
    """Until it is ended."""
    while True:
        pass


@contextmanager
def start_neighbours(count: int) -> Iterator[None]:
    """So many loops that each keep a core busy."""
    processes = [multiprocessing.Process(target=loop, daemon=True) for _ in range(count)]
    for process in processes:
        process.start()
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.join()


def median_seconds(run: Callable[[], Any]) -> float:
    """Processor time of all threads."""
    took = []
    for _ in range(REPEATS):
        start = process_time()
        run()
        took.append(process_time() - start)
    return float(np.median(took))


def rows() -> Iterator[Row]:
    digits = data.load("digits", seed=0)
    reference = compression.train(digits, model="mlp", seed=0, epochs=3)
    x, y = digits.x_train.astype(np.float64), digits.y_train
    work = {
        "digits, softmax, box, 40 bounds": lambda: compression.path(x, y, "softmax", "box"),
        "digits, mlp, truncated SVD at every rank": lambda: compression.low_rank_curve(
            reference, digits
        ),
    }
    cores = len(os.sched_getaffinity(0))
    for title, run in work.items():
        run()
        alone = median_seconds(run)
        for loops in (1, cores):
            with start_neighbours(loops):
                beside = median_seconds(run)
            yield Row(
                f"{title}, beside {loops} busy loop{'s' if loops > 1 else ''} on {cores} cores",
                f"{beside:.2f} s",
                f"{alone:.2f} s, alone",
                beside / alone,
                "≤ 1.5",
                beside <= 1.5 * alone,
            )
