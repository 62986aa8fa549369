"""A LoRA adapter at smaller ranks: from thin QRs against the full SVD of each layer's update.

CPU time of one thread. Our time is that of the whole way, from the file's bytes to those of the
smaller file, read back and compared; the peer's is the SVD alone.
"""

from collections.abc import Iterator
from time import process_time

import numpy as np
import safetensors.torch
import scipy.linalg
import torch
from threadpoolctl import threadpool_limits

import compression

from .table import Row

SIDE, RANK, LAYERS = 4096, 64, 8


def adapter() -> dict[str, bytes]:
    """kohya's layout, bfloat16: the layers of a file of 8 million numbers."""
    numbers = torch.Generator().manual_seed(0)
    tensors = {}
    for layer in range(LAYERS):
        up, down = (torch.randn(SIDE, RANK, generator=numbers) for _ in range(2))
        tensors[f"layer_{layer}.lora_up.weight"] = (up / 8).bfloat16()
        tensors[f"layer_{layer}.lora_down.weight"] = (down.T / 64).bfloat16().contiguous()
        tensors[f"layer_{layer}.alpha"] = torch.tensor(32.0)
    return {"adapter.safetensors": safetensors.torch.save(tensors)}


def rows() -> Iterator[Row]:
    files = adapter()
    with threadpool_limits(1):
        compression.read_adapter(files)  # libraries are loaded
        start = process_time()
        loaded = compression.read_adapter(files)
        loaded.resize(loaded.allocate(loaded.parameters // 2).ranks)
        ours = (process_time() - start) / LAYERS

        tensors = safetensors.torch.load(files["adapter.safetensors"])
        name = "layer_0.lora_{}.weight".format
        update = 0.5 * tensors[name("up")].float() @ tensors[name("down")].float()
        start = process_time()
        s = scipy.linalg.svd(update.numpy(), full_matrices=False, check_finite=False)[1]
        full = process_time() - start
    yield Row(
        f"a layer's LoRA of rank {RANK}, {SIDE} x {SIDE}, resized: time",
        f"{ours:.2f} s a layer of {LAYERS}",
        f"{full:.0f} s, full SVD",
        ours / full,
        "≤ 1/100",
        ours <= full / 100,
    )
    apart = float(np.abs(loaded.spectrum("layer_0") - s[:RANK]).max() / s[0])
    yield Row(
        "its spectrum: largest difference",
        f"{apart:.1e}",
        "the full SVD's, single precision; of s₁",
        apart,
        "≤ 1e-5",
        apart <= 1e-5,
    )
