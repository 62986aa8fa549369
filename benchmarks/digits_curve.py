"""Digits + MLP: its training, and its whole low-rank curve against a loop that truncates and evaluates.

The loop finds the score on the test part at each rank and nothing else; the curve also has the
losses and scores of all parts, the confusion matrices, the costs and the intervals.
"""

import copy
from collections.abc import Iterator
from time import process_time
from typing import Any

import numpy as np
import torch

import compression
import data
from compression.network import layers
from compression.threads import one_thread

from .table import Row

REPEATS = 5
TRAINING = 2.0  # seconds of one core


def evaluate_naively(network: Any, x: torch.Tensor, y: np.ndarray) -> list[float]:
    scores = []
    for rank in range(1, max(min(layer.weight.shape) for layer in layers(network).values()) + 1):
        truncated = copy.deepcopy(network)
        for layer in layers(truncated).values():
            u, s, vt = torch.linalg.svd(layer.weight, full_matrices=False)
            layer.weight.copy_((u[:, :rank] * s[:rank]) @ vt[:rank])
        scores.append(float((truncated(x).argmax(1).numpy() == y).mean()))
    return scores


def rows() -> Iterator[Row]:
    dataset = data.load("digits", seed=0)
    before, taken = torch.get_num_threads(), []
    torch.set_num_threads(1)  # two that wait for a busy machine's second core count as work
    try:
        for _ in range(REPEATS):
            start = process_time()
            reference = compression.train(dataset, model="mlp", seed=0)
            taken.append(process_time() - start)
    finally:
        torch.set_num_threads(before)
    seconds = min(taken)
    yield Row(
        f"digits + MLP, training of {len(reference.history)} epochs, CPU time of one thread",
        f"{seconds:.2f} s",
        f"{TRAINING:g} s, the limit",
        seconds / TRAINING,
        f"≤ {TRAINING:g} s",
        seconds <= TRAINING,
    )
    x = torch.from_numpy(dataset.x_test)
    ours, loop = [], []
    for _ in range(REPEATS):
        start = process_time()
        curve = compression.low_rank_curve(reference, dataset)
        ours.append(process_time() - start)
        with one_thread(), torch.no_grad():
            start = process_time()
            scores = evaluate_naively(reference.network, x, dataset.y_test)
            loop.append(process_time() - start)
    # The same answers: truncation above the break-even rank may be off where two logits tie.
    assert np.abs(curve.table["score"] - scores).max() < 0.02
    yield Row(
        f"digits + MLP, all {len(scores)} ranks",
        f"{min(ours):.2f} s, the whole curve",
        f"{min(loop):.2f} s, truncate, copy, evaluate",
        min(ours) / min(loop),
        "≤ 1",
        min(ours) <= min(loop),
    )
