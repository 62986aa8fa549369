"""Certified softmax models in a box, from thousands of images to as many as MNIST has.

The images are those of ``mnist_5k``, drawn with replacement, moved by up to two pixels and with
noise added, so that no two are alike. Each size is a process of its own with one thread; processor
seconds, and the peak of memory beside the data. The slope is that of the last fourfold, on
logarithmic axes: 1 grows in proportion.
"""

import json
import math
import os
import subprocess
import sys
from collections.abc import Iterator

from .table import Row
from .tables_scale import PEAK

SIZES = (3_750, 15_000, 60_000)
MOST_SLOPE = 1.2  # products of all rows with the weights are nearly all of the time
MOST_OF_THE_DATA = 3.0  # times the bytes of the data, beside them
MEASURE = """
import json, sys, time
import numpy as np
import compression, data
count = int(sys.argv[1])
random = np.random.default_rng(0)
samples = data.DATASETS["mnist_5k"].samples()
chosen = random.integers(0, len(samples.y), count)
images = np.asarray(samples.x, dtype=np.float32).reshape(-1, 28, 28)
x = np.empty((count, 28, 28), dtype=np.float32)
for row, (source, down, right) in enumerate(zip(chosen, *random.integers(-2, 3, (2, count)))):
    x[row] = np.roll(images[source], (down, right), (0, 1))
x += random.normal(0, 0.05 * float(images.max()), x.shape).astype(np.float32)
x = x.reshape(count, 784).astype(np.float64)
x -= x.mean(0)
x /= x.std(0)
y = np.asarray(samples.y)[chosen].astype(int)
before, began = begin(), time.process_time()
path = compression.path(x, y, "softmax", "box", [0.02, 0.05, 0.1, 0.2])
seconds = time.process_time() - began
certified = int(np.sum(path.certified))
print(json.dumps([seconds, (kib("VmHWM") - before) * 1024, x.nbytes, len(path.bounds), certified]))
"""


def measure(count: int) -> tuple[float, int, int, int, int]:
    """Processor seconds, bytes beside the data, the data's, bounds, and how many are certified."""
    run = subprocess.run(
        [sys.executable, "-c", PEAK + MEASURE, str(count)],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
    )
    return tuple(json.loads(run.stdout.splitlines()[-1]))


def rows() -> Iterator[Row]:
    less, fewer = 0.0, 0
    for count in SIZES:
        seconds, bytes_, data_bytes, bounds, certified = measure(count)
        last = count == SIZES[-1]
        slope = math.log(seconds / less) / math.log(count / fewer) if less else math.nan
        yield Row(
            f"{count:,} × 784, 10 classes, softmax, box: {certified} of {bounds} bounds certified",
            f"{seconds:.1f} s of a processor",
            f"{less:.1f} s for {fewer:,} (the ratio is the slope)" if less else "",
            slope,
            f"≤ {MOST_SLOPE}, all certified" if last else "",
            slope <= MOST_SLOPE and certified == bounds if last else None,
        )
        less, fewer = seconds, count
    yield Row(
        f"{SIZES[-1]:,} × 784: memory",
        f"{bytes_ / 1e6:,.0f} MB beside the data",
        f"{data_bytes / 1e6:,.0f} MB of data",
        bytes_ / data_bytes,
        f"≤ {MOST_OF_THE_DATA:g}",
        bytes_ <= MOST_OF_THE_DATA * data_bytes,
    )
