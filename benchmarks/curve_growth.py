"""Time and memory of a whole low-rank curve against rows, features and width of the network.

Each point is a process of its own, which trains the multilayer perceptron for one epoch and then
computes the curve of all its ranks; processor seconds, and the peak of memory beside what was there
before the curve. The slope is that of the last doubling, on logarithmic axes: 1 grows in
proportion.
"""

import json
import math
import subprocess
import sys
from collections.abc import Iterator

from .table import Row
from .tables_scale import PEAK

AXES = {"width": (2, 4, 8, 16), "rows": (5_000, 10_000, 20_000), "features": (64, 128, 256)}
BASE = {"rows": 2_000, "features": 64, "width": 1}
FIRST_LAYER = 256  # units, at width 1
MOST = 2.2  # slope of time against the width, whose weights grow with its square

MEASURE = """
import json, sys, time
import numpy as np
import compression, compression.training, data
rows, features, width = map(int, sys.argv[1:])
random = np.random.default_rng(0)
y = random.integers(0, 10, rows)
x = (random.normal(size=(10, features))[y] + random.normal(size=(rows, features))).astype(np.float32)
dataset = data.from_arrays(x, y)
compression.training.MAX_WIDTH = width  # more than the pages offer
reference = compression.train(dataset, "mlp", seed=0, epochs=1, width=width)
before, began = begin(), time.process_time()
curve = compression.low_rank_curve(reference, dataset)
seconds = time.process_time() - began
print(json.dumps([seconds, (kib("VmHWM") - before) * 1024, len(curve.table)]))
"""


IMAGES = """
import json, time
import numpy as np
import compression, data
random = np.random.default_rng(0)
y = random.integers(0, 10, 60_000)
x = random.normal(size=(10, 784)).astype(np.float32)[y]
x += 2 * random.normal(size=x.shape).astype(np.float32)
dataset = data.from_arrays(x, y)
held = dataset.x_train.nbytes + dataset.x_test.nbytes
del x
reference = compression.train(dataset, "lenet300", seed=0, epochs=1)
before, began = begin(), time.process_time()
curve = compression.low_rank_curve(reference, dataset)
seconds = time.process_time() - began
print(json.dumps([seconds, (kib("VmHWM") - before) * 1024, held, len(curve.table)]))
"""
MOST_OF_THE_DATA = 3  # times their bytes, beside them

BLOCKS = """
import json, sys, time
from collections import OrderedDict
import torch
from compression.models import lenet5
from compression.network import forward_in_blocks
torch.manual_seed(0)
torch.set_num_threads(1)
network = torch.nn.Sequential(OrderedDict(lenet5((1, 28, 28), 10)[0]))
x = torch.randn(70_000, 784)
run = forward_in_blocks if sys.argv[1] == "blocks" else (lambda module, rows: module(rows))
with torch.inference_mode():
    run(network, x[:64])
    before, began = begin(), time.process_time()
    run(network, x)
print(json.dumps([time.process_time() - began, (kib("VmHWM") - before) * 1024]))
"""
MOST_OF_ALL = 0.05  # of the memory that all rows at once take


def images_row() -> Row:
    """A data set of the size of MNIST, and the network that is usual for it."""
    run = subprocess.run(
        [sys.executable, "-c", PEAK + IMAGES], capture_output=True, text=True, check=True
    )
    seconds, bytes_, data_bytes, ranks = json.loads(run.stdout.splitlines()[-1])
    return Row(
        f"60,000 × 784 with lenet300, {ranks} ranks in {seconds:.0f} s of a processor: memory",
        f"{bytes_ / 1e6:.0f} MB beside the data",
        f"{data_bytes / 1e6:.0f} MB of data",
        bytes_ / data_bytes,
        f"<= {MOST_OF_THE_DATA}",
        bytes_ <= MOST_OF_THE_DATA * data_bytes,
    )


def blocks_rows() -> Iterator[Row]:
    """LeNet-5 over 70,000 images, as everywhere in the package and all rows at once."""
    taken = []
    for way in ("blocks", "whole"):
        run = subprocess.run(
            [sys.executable, "-c", PEAK + BLOCKS, way], capture_output=True, text=True, check=True
        )
        taken.append(json.loads(run.stdout.splitlines()[-1]))
    (seconds, block_bytes), (whole_seconds, whole_held) = taken
    named = "LeNet-5 over 70,000 images, in blocks"
    yield Row(
        f"{named}: memory",
        f"{block_bytes / 1e6:,.0f} MB",
        f"{whole_held / 1e6:,.0f} MB, all rows at once",
        block_bytes / whole_held,
        f"<= {MOST_OF_ALL}",
        block_bytes <= MOST_OF_ALL * whole_held,
    )
    yield Row(
        f"{named}: time",
        f"{seconds:.1f} s of a processor",
        f"{whole_seconds:.1f} s, all rows at once",
        seconds / whole_seconds,
        "<= 1",
        seconds <= whole_seconds,
    )


def measure(sizes: dict[str, int]) -> tuple[float, int, int]:
    """Processor seconds of a curve, its bytes of memory, and its ranks."""
    words = [str(sizes[name]) for name in BASE]
    run = subprocess.run(
        [sys.executable, "-c", PEAK + MEASURE, *words], capture_output=True, text=True, check=True
    )
    return tuple(json.loads(run.stdout.splitlines()[-1]))


def rows() -> Iterator[Row]:
    yield from blocks_rows()
    yield images_row()
    for axis, values in AXES.items():
        less, bytes_before, _ = measure(BASE | {axis: values[0]})
        for value in values[1:]:
            seconds, bytes_, ranks = measure(BASE | {axis: value})
            last = value == values[-1]
            named = f"{value * FIRST_LAYER:,} units" if axis == "width" else f"{value:,} {axis}"
            slope = math.log2(seconds / less)
            target = MOST if axis == "width" and last else None
            yield Row(
                f"low-rank curve, {ranks} ranks, {named}: time",
                f"{seconds:.1f} s of a processor",
                f"{less:.1f} s at half of that (the ratio is the slope)",
                slope,
                "" if target is None else f"<= {target}",
                None if target is None else slope <= target,
            )
            yield Row(
                f"low-rank curve, {ranks} ranks, {named}: memory",
                f"{bytes_ / 1e6:.0f} MB",
                f"{bytes_before / 1e6:.0f} MB at half of that (the ratio is the slope)",
                math.log2(max(bytes_, 1) / max(bytes_before, 1)),
                "",
                None,
            )
            less, bytes_before = seconds, bytes_
