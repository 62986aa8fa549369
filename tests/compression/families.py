"""A compressed network of every kind: each entry of the catalogues, on a model that it fits."""

from collections.abc import Iterator

from torch import nn

import compression
from compression.network import layers

IMAGES = [
    name
    for name, entry in compression.LOW_RANK_METHODS.items()
    if not entry.works_on_matrices  # methods of their own for convolutions
]
MODELS = ("lenet5", "conv1d")  # beside the multilayer perceptron
FAMILIES = (
    "dense",
    *MODELS,
    *(f"{model}, {kind}" for model in MODELS for kind in ("box", "truncated_svd")),
    *compression.LOW_RANK_METHODS,
    *compression.CONSTRAINTS,
    *compression.COMBINED_METHODS,
    *compression.BASELINES,
)


def build_families(perceptron, convolutional) -> Iterator[tuple[str, nn.Sequential]]:
    """Each name of FAMILIES with its network.

    ``perceptron``: (reference, dataset); ``convolutional``: the same for each of MODELS.
    """
    yield "dense", perceptron[0].network
    for model, (reference, dataset) in convolutional.items():
        yield model, reference.network
        bounded = compression.constrained_curve(reference, dataset, bounds=[0.3], method="clip")
        yield f"{model}, box", bounded.network(0)
        everywhere = compression.low_rank_curve(
            reference, dataset, ranks=[2], layers=list(layers(reference.network))
        )
        yield f"{model}, truncated_svd", everywhere.network(0)
    for method in compression.LOW_RANK_METHODS:
        reference, dataset = convolutional["lenet5"] if method in IMAGES else perceptron
        yield method, compression.low_rank_curve(reference, dataset, method, [3]).network(0)
    for constraint in compression.CONSTRAINTS:
        curve = compression.constrained_curve(*perceptron, constraint, bounds=[0.2], method="clip")
        yield constraint, curve.network(0)
    for method in compression.COMBINED_METHODS:
        curve = compression.combined_curve(*perceptron, method, ranks=[3], bounds=[0.2], epochs=1)
        yield method, curve.network(0)
    for method in compression.BASELINES:
        yield method, compression.baseline_curve(*perceptron, method, epochs=1).network(0)
