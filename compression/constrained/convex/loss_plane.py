"""Two weights of a linear or softmax model: the loss in their plane, and what a set leaves of it."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from ..sets import ConstraintSet
from .losses import Loss, Softmax, Squared

Array = NDArray[np.floating]

TURNS = 72  # corners that a circle is drawn with


def over_plane(
    loss: Loss, weight: Array, intercept: Array | float, pair: tuple[int, int], x: Array, y: Array
) -> Array:
    """The loss where two weights take these values and the others stay.

    What does not move is summed up once: a quadratic of two numbers (squared loss), or two
    classes' logits against all others' (softmax).

    Parameters
    ----------
    loss : Loss
    weight : ndarray, shape (n,) or (classes, n)
        In the units of the data.
    intercept : float or ndarray, shape (classes,)
        Stays as well; with the squared loss it is always at its own optimum.
    pair : (int, int)
        The two weights, numbered row by row.
    x, y : ndarray, shapes (g,) and (h,)
        Values of the first and of the second.

    Returns
    -------
    ndarray, shape (h, g)
        A row a value of y.
    """
    still = np.array(weight, np.float64)
    still.ravel()[list(pair)] = 0.0
    base = loss.from_model(still, intercept)
    if isinstance(loss, Squared):
        return _quadratic(loss, base, pair, x, y)
    return _cross_entropy(
        loss, base, divmod(pair[0], still.shape[1]), divmod(pair[1], still.shape[1]), x, y
    )


def _quadratic(loss: Squared, base: Array, pair: tuple[int, int], x: Array, y: Array) -> Array:
    steps = np.stack([_step(loss, feature) for feature in pair])
    slope = steps @ loss.gradient(base)
    curvature = steps @ loss.gram @ steps.T
    along, up = x[None, :], y[:, None]
    moved = along * (slope[0] + 0.5 * curvature[0, 0] * along)
    moved = moved + up * (slope[1] + 0.5 * curvature[1, 1] * up) + curvature[0, 1] * along * up
    return loss.value(base) + moved


def _step(loss: Squared, feature: int) -> Array:
    """What a weight of 1 is in a point."""
    unit = np.zeros(loss.inputs.features)
    unit[feature] = 1.0
    return loss.inputs.from_weight(unit)


def _cross_entropy(
    loss: Softmax, base: Array, first: tuple[int, int], second: tuple[int, int], x: Array, y: Array
) -> Array:
    logits = base @ loss.design
    (k, feature), (m, other) = first, second
    along, up = np.outer(x, _column(loss, feature)), np.outer(y, _column(loss, other))
    rest = (
        logsumexp(np.delete(logits, [k, m], axis=0), axis=0)
        if len(logits) > len({k, m})
        else -np.inf
    )
    fit = np.mean((logits * loss.hot).sum(axis=0))
    fit = (
        fit
        + (along @ loss.hot[k])[None, :] / loss.samples
        + (up @ loss.hot[m])[:, None] / loss.samples
    )
    if k == m:
        rows = (np.logaddexp(rest, logits[k] + along + line) for line in up)
    else:
        known = np.logaddexp(rest, logits[k] + along)
        rows = (np.logaddexp(known, logits[m] + line) for line in up)
    return np.stack([row.mean(axis=1) for row in rows]) - fit


def _column(loss: Softmax, feature: int) -> Array:
    """What a weight of 1 adds to its class's logits, shape (N,); nothing for a constant column."""
    (place,) = np.nonzero(loss.inputs.columns == feature)
    if not len(place):
        return np.zeros(loss.samples)
    p = int(place[0])
    return loss.inputs.scale[p] * loss.design[p] + loss.inputs.mean[p]


def reach(members: ConstraintSet, bound: float, others: Array) -> float:
    """How far from 0 one of two weights may be, the others where they are.

    For an upper bound: how far up.
    """
    if members.name == "l1":
        return max(bound - float(np.abs(others).sum()), 0.0)
    if members.name == "l2":
        return float(np.sqrt(max(bound**2 - float(np.sum(others**2)), 0.0)))
    return bound


def border(members: ConstraintSet, reach: float, far: float) -> Array:
    """What a set leaves of the plane of two weights, as a polygon.

    Parameters
    ----------
    members : ConstraintSet
        Convex.
    reach : float
        As above.
    far : float
        Where a picture has ended: the polygon is cut there on a set's open side.

    Returns
    -------
    ndarray, shape (p, 2)
        Its corners; the last is the first. A circle has many.
    """
    corners: Any
    if members.name == "l1":
        corners = [(reach, 0), (0, reach), (-reach, 0), (0, -reach)]
    elif members.name == "l2":
        turns = np.linspace(0, 2 * np.pi, TURNS, endpoint=False)
        corners = reach * np.stack([np.cos(turns), np.sin(turns)], axis=1)
    else:
        low = -reach if members.bounded else -far
        corners = [(reach, reach), (low, reach), (low, low), (reach, low)]
    return np.array([*corners, corners[0]], np.float64)
