"""The best rank-256 factors of a 4096 x 4096 weight: from a sketch against the full SVD.

CPU time of one thread.
"""

from collections.abc import Iterator
from time import process_time

import numpy as np
import scipy.linalg
from threadpoolctl import threadpool_limits

from compression.low_rank.decomposition import weight_error
from compression.low_rank.randomized_svd import RandomizedSVD

from .table import Row

SIDE, RANK = 4096, 256


def weights() -> Iterator[tuple[str, np.ndarray]]:
    """White noise, the hardest for a sketch, and a spectrum that decays as a trained layer's."""
    rng = np.random.default_rng(0)
    noise = rng.standard_normal((SIDE, SIDE), dtype=np.float32)
    yield "white noise", noise
    scale = np.arange(1, SIDE + 1, dtype=np.float32) ** -0.5
    left = np.linalg.qr(noise)[0]
    right = np.linalg.qr(rng.standard_normal((SIDE, SIDE), dtype=np.float32))[0]
    yield "singular values i^-0.5", (left * scale) @ right


def rows() -> Iterator[Row]:
    with threadpool_limits(1):
        for title, weight in weights():
            start = process_time()
            factors = RandomizedSVD().decompose(weight, max_rank=RANK).at(RANK)
            sketched = process_time() - start
            start = process_time()
            _, s, _ = scipy.linalg.svd(weight, full_matrices=False, check_finite=False)
            full = process_time() - start
            what = f"rank {RANK} of {SIDE} x {SIDE}, {title}"
            yield Row(
                f"{what}: time",
                f"{sketched:.1f} s",
                f"{full:.1f} s, full SVD",
                sketched / full,
                "≤ 1/4",
                sketched <= full / 4,
            )
            optimum = float(np.sum(s[RANK:].astype(np.float64) ** 2)) ** 0.5
            error = weight_error(weight, factors) ** 0.5
            yield Row(
                f"{what}: error",
                f"{error:.5g}",
                f"{optimum:.5g}, the optimum",
                error / optimum,
                "≤ 1.01",
                error <= 1.01 * optimum,
            )
