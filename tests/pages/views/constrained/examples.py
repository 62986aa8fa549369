"""What several tests of the constrained page compare with, and draw."""

import numpy as np
from scipy.optimize import lsq_linear

from compression.constrained.weight_history import layer_history
from compression.weight_states import FREE, LOWER, UPPER, ZERO
from data import load


def go_on(*_args):
    return True


def rows_of(name):
    dataset = load(name, seed=0)
    x, y = dataset.x_train[dataset.fit_rows], dataset.y_train[dataset.fit_rows]
    return x.astype(np.float64), y.astype(np.float64)


def least_squares(x, y, bound):
    """Weight and loss of the best weights in a box, by SciPy."""
    centred, target = x - x.mean(0), y - y.mean()
    weight = lsq_linear(centred, target, (-bound, bound), method="bvls", tol=1e-14).x
    return weight, 0.5 * np.mean((target - centred @ weight) ** 2)


def a_layer():
    weight = np.array([[0.5, -0.5, 0.0], [0.1, 0.5, 0.2]])
    states = np.array([[UPPER, LOWER, ZERO], [FREE, UPPER, FREE]], np.int8)
    return layer_history("fc1", 2 * weight, [weight], [states], [0.5], True)


def many_held():
    """A hundred weights at c = 0.3, some at −c, and a few free ones that reach to the bound."""
    free = np.array([-0.2999, -0.1, 0.0001, 0.12, 0.2999])
    weights = np.concatenate([np.full(100, 0.3), np.full(7, -0.3), free])[None]
    states = np.repeat([UPPER, LOWER, FREE], [100, 7, 5])[None].astype(np.int8)
    reference = np.linspace(-1, 1, weights.size)[None]
    return layer_history("fc1", reference, [weights], [states], [0.3], True)
