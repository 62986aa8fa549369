"""Certifiers of small problems, and points to judge."""

import numpy as np

import compression
from compression.constrained.convex.certificate import Certifier

SETS = {name: entry.load()() for name, entry in compression.CONSTRAINTS.items()}


def certifier(example, constraint):
    return Certifier(example.x, example.y, example.loss, SETS[constraint])


def random_weight(example, seed=0):
    """Of about the size that makes predictions of size one, whatever the columns' scales."""
    rng = np.random.default_rng(seed)
    spread = example.x.std(axis=0)
    columns = np.where(spread > 0, 1 / np.where(spread > 0, spread, 1), 0)
    rows = () if example.loss == "squared" else (int(example.y.max()) + 1,)
    return rng.normal(size=(*rows, len(columns))) * columns


def bound_for(example, constraint, share=0.3):
    return share * SETS[constraint].gauge(random_weight(example))
