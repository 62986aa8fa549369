"""MNIST-1D: digits as signals.

Ten templates of twelve points, each padded, stretched, shifted, sheared and buried in noise
(Greydanus & Kobak 2020, arXiv 2011.14439). The package's ready-made file is a pickle on the
network; its generator gives the same kind of signals from a seed.
"""

import random

import numpy as np

from .base import Samples


def samples() -> Samples:
    """5000 signals of 40 samples, in the generator's own unit (its default seed, 42).

    Takes some seconds: the generator interpolates each signal four times, one call a piece.
    """
    from mnist1d.data import get_dataset_args, make_dataset

    # The generator seeds the process's shared generators; whoever draws from them afterwards
    # must not find them changed.
    before = random.getstate(), np.random.get_state()
    try:
        made = make_dataset(get_dataset_args())
    finally:
        random.setstate(before[0])
        np.random.set_state(before[1])
    return Samples(
        x=np.concatenate([made["x"], made["x_test"]]),
        y=np.concatenate([made["y"], made["y_test"]]),
        feature_names=tuple(f"sample {i}" for i in range(1, 41)),
        class_names=tuple("0123456789"),
    )
