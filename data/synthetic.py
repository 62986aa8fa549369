"""The generated two-class table of the article that the project began from."""

from .base import Samples


def samples() -> Samples:
    """1000 rows, 10 columns: 2 informative, 2 combinations of them, 6 of noise."""
    from sklearn.datasets import make_classification

    x, y = make_classification(n_samples=1000, n_features=10, random_state=1)
    return Samples(
        x=x,
        y=y,
        feature_names=tuple(f"x{i}" for i in range(1, 11)),
        class_names=("class 0", "class 1"),
    )
