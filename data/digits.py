"""Handwritten digits, 8 × 8 pixels."""

from .base import Samples
from .columns import pixel_names


def samples() -> Samples:
    """1797 images; pixels from 0 (paper) to 1 (ink).

    A pixel that is blank in every training image is not rescaled, so its few strokes in test
    images must be of the size of the others: that is why 0 … 16 becomes 0 … 1 here.
    """
    from sklearn.datasets import load_digits

    bunch = load_digits()
    return Samples(
        x=bunch.data / 16,
        y=bunch.target,
        feature_names=pixel_names(8, 8),
        class_names=tuple(map(str, bunch.target_names)),
    )
