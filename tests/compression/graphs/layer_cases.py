"""Graphs of one layer, with what its weight is multiplied by."""

import numpy as np
import torch

from .onnx_graphs import node

RNG = np.random.default_rng(0)
WIDE, TALL = RNG.normal(size=(24, 40)), RNG.normal(size=(40, 24))
BIAS = {24: RNG.normal(size=24), 40: RNG.normal(size=40), 6: RNG.normal(size=6)}
KERNEL = RNG.normal(size=(6, 4, 3, 3))
SIGNAL = RNG.normal(size=(6, 12, 5))


def patches(x):
    """The inputs of the convolution below, a row a place, by torch."""
    unfolded = torch.nn.functional.unfold(
        torch.as_tensor(x), 3, dilation=2, padding=(1, 2), stride=2
    )
    return unfolded.transpose(1, 2).reshape(-1, 4 * 9).numpy()


def flatten(x):
    return x.reshape(-1, x.shape[-1])


CONVOLUTION = {"pads": [1, 2, 1, 2], "strides": [2, 2], "dilations": [2, 2]}
CASES = {
    "gemm with bias": ([node("Gemm", "x w b", "y", transB=1)], WIDE, (40,), flatten),
    "more outputs than inputs": ([node("Gemm", "x w", "y", transB=1)], TALL, (24,), flatten),
    "scaled": ([node("Gemm", "x w b", "y", alpha=0.5, beta=2.0)], TALL, (40,), flatten),
    "product alone": ([node("MatMul", "x w", "y")], TALL, (40,), flatten),
    "steps": ([node("MatMul", "x w", "p"), node("Add", "p b", "y")], TALL, (7, 40), flatten),
    "from the left": (
        [node("MatMul", "w x", "y")],
        WIDE,
        (40, 5),
        lambda x: flatten(np.swapaxes(x, -1, -2)),
    ),
    "convolution": ([node("Conv", "x w b", "y", **CONVOLUTION)], KERNEL, (4, 9, 8), patches),
    "convolution without bias": (
        [node("Conv", "x w", "y", **CONVOLUTION)],
        KERNEL,
        (4, 9, 8),
        patches,
    ),
}


def matrix_of(nodes, weight):
    """(outputs, inputs) of what the first node multiplies by."""
    turned = nodes[0].op_type in ("MatMul", "Gemm") and nodes[0].input[1] == "w"
    turned &= not any(a.name == "transB" for a in nodes[0].attribute)
    return weight.T if turned else weight.reshape(len(weight), -1)
