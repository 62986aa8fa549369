"""Fisher's irises."""

from .base import Samples


def samples() -> Samples:
    """150 flowers, 50 of each species; four lengths in cm."""
    from sklearn.datasets import load_iris

    bunch = load_iris()
    return Samples(
        x=bunch.data,
        y=bunch.target,
        feature_names=tuple(bunch.feature_names),
        class_names=tuple(map(str, bunch.target_names)),
    )
