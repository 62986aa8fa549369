"""Exact ranks of 12 layers of 1024 x 1024 under one budget, to 0.1 % of it."""

from collections.abc import Iterator
from time import process_time

import numpy as np

from compression.low_rank.allocation import allocate, allocate_by_every_rule
from compression.low_rank.rank_choices import RankChoices

from .table import Row

LAYERS, SIDE = 12, 1024


def layers() -> dict[str, RankChoices]:
    """Spectra that decay at different speeds, as layers of one network do."""
    rng = np.random.default_rng(0)
    choices = {}
    for number in range(LAYERS):
        s = np.arange(1.0, SIDE + 1) ** -rng.uniform(0.1, 1.0)
        tails = np.append(np.cumsum((s**2)[::-1])[::-1], 0.0)
        choices[f"layer {number}"] = RankChoices(
            errors=tails[1:] / tails[0],
            costs=np.arange(1, SIDE + 1) * 2 * SIDE,
            dense_cost=SIDE * SIDE,
        )
    return choices


def rows() -> Iterator[Row]:
    choices = layers()
    for share in (0.1, 0.3, 0.6):
        budget = share * LAYERS * SIDE * SIDE
        times = []
        for _ in range(3):
            start = process_time()
            exact = allocate(choices, budget, resolution=0.001)
            times.append(process_time() - start)
        yield Row(
            f"ranks of {LAYERS} layers at {share:.0%} of their numbers",
            f"{min(times):.2f} s",
            "1 s",
            min(times),
            "≤ 1",
            min(times) <= 1,
        )
        by_rule = allocate_by_every_rule(choices, budget, resolution=0.001)
        worst = max(by_rule, key=lambda rule: by_rule[rule].error)
        yield Row(
            f"the energy then lost, share of a layer ({worst}: {by_rule[worst].error:.3f})",
            f"{exact.error:.4f}, exact",
            f"{exact.bound:.4f}, none loses less",
            exact.error / exact.bound,
            "",
            None,
        )
