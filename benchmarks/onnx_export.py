"""A network written as an ONNX graph: node by node against torch's own exporters.

Seconds of this process, the median of seven; ours with and without the run beside torch that the
file has to pass before it appears. The peer is the exporter whose removal PyTorch has announced.
"""

import copy
import io
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

import torch
from torch import nn

import compression
from compression.network import features_of
from compression.onnx_export import onnx_bytes

from .table import Row

ROUNDS = 7


def networks() -> dict[str, nn.Sequential]:
    return {
        "784-300-100-10": nn.Sequential(
            nn.Linear(784, 300), nn.ReLU(), nn.Linear(300, 100), nn.ReLU(), nn.Linear(100, 10)
        ).eval(),
        "LeNet-5": nn.Sequential(
            *(nn.Unflatten(1, (1, 28, 28)), nn.Conv2d(1, 6, 5), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()),
            *(nn.Linear(256, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10)),
        ).eval(),
    }


def export_by_torch(network: nn.Sequential) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            copy.deepcopy(network),
            (torch.zeros(2, features_of(network)),),
            io.BytesIO(),  # type: ignore[arg-type]
            dynamo=False,
            input_names=["samples"],
            output_names=["outputs"],
            dynamic_axes={"samples": {0: "N"}, "outputs": {0: "N"}},
        )


def seconds(calls: list[Callable[[], object]]) -> list[float]:
    """Of each call, in turns."""
    times: list[list[float]] = [[] for _ in calls]
    for _ in range(ROUNDS + 1):  # the first one loads what is needed
        for taken, call in zip(times, calls, strict=True):
            start = time.perf_counter()
            call()
            taken.append(time.perf_counter() - start)
    return [median(taken[1:]) for taken in times]


def rows() -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        for title, network in networks().items():
            peer, graph, file = seconds(
                [
                    lambda network=network: export_by_torch(network),  # type: ignore[misc]
                    lambda network=network: onnx_bytes(network),  # type: ignore[misc]
                    lambda network=network: compression.export_onnx(network, path),  # type: ignore[misc]
                ]
            )
            for what, ours in (("graph", graph), ("file, compared with torch", file)):
                yield Row(
                    f"{title} as an ONNX {what}: time",
                    f"{ours * 1e3:.1f} ms",
                    f"{peer * 1e3:.1f} ms, torch.onnx.export",
                    ours / peer,
                    "< 1" if what == "graph" else "",
                    ours < peer if what == "graph" else None,
                )
