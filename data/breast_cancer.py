"""Breast tumours, the diagnostic set of Wisconsin."""

from .base import Samples


def samples() -> Samples:
    """569 tumours; mean, standard error and worst value of ten measurements of cell nuclei."""
    from sklearn.datasets import load_breast_cancer

    bunch = load_breast_cancer()
    return Samples(
        x=bunch.data,
        y=bunch.target,
        feature_names=tuple(map(str, bunch.feature_names)),
        class_names=tuple(map(str, bunch.target_names)),
    )
