"""Wines of three cultivators."""

from .base import Samples


def samples() -> Samples:
    """178 wines; thirteen chemical measurements."""
    from sklearn.datasets import load_wine

    bunch = load_wine()
    return Samples(
        x=bunch.data,
        y=bunch.target,
        feature_names=tuple(name.replace("_", " ") for name in bunch.feature_names),
        class_names=("cultivator 1", "cultivator 2", "cultivator 3"),
    )
