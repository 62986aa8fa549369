"""MNIST's handwritten digits, 500 of each.

The file lies beside this module with its licence and a note on how it was made.
"""

from pathlib import Path

import numpy as np

from .base import Samples
from .columns import pixel_names

FILE = Path(__file__).parent / "files" / "mnist_5k" / "mnist_5k.npz"


def samples() -> Samples:
    """5000 images; pixels from 0 (paper) to 1 (ink).

    A pixel that is blank in every training image is not rescaled, so its few strokes in test
    images must be of the size of the others: that is why 0 … 255 becomes 0 … 1 here.
    """
    with np.load(FILE, allow_pickle=False) as file:
        images, labels = file["images"], file["labels"]
    return Samples(
        x=images / 255,
        y=labels.astype(np.int64),
        feature_names=pixel_names(28, 28),
        class_names=tuple("0123456789"),
    )
