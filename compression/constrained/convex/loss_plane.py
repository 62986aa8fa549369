"""Two weights of a linear or softmax model: the loss in their plane, and what a set leaves of it."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from ...report import Report, keep_going, order_far_apart_first
from ...threads import in_one_thread
from .exact_path import ExactPath
from .losses import Loss, SoftmaxLoss, SquaredLoss, check_data, prepare
from .path import GridPath
from .results import LossPlanes

Array = NDArray[np.floating]

STEPS = 41  # grid points of a window, each way
WIDER = 1.3  # a window's width divided by that of its content


@in_one_thread
def loss_planes(
    x: Array,
    y: NDArray[Any],
    loss: str,
    path: ExactPath | GridPath,
    bounds: Array,
    pair: tuple[int, int],
    *,
    report: Report = keep_going,
) -> LossPlanes:
    """The loss around the optimum of every bound, in the plane of two weights.

    The other weights stay at that bound's optimum, softmax's intercepts too.

    Parameters
    ----------
    x, y, loss
        As for :func:`compression.path`.
    path : ExactPath or GridPath
        Of these data.
    bounds : ndarray, shape (b,)
        Ascending.
    pair : (int, int)
        The two weights, numbered row by row.
    report : callable
        Called after each bound, those far apart first, with (done, total, a function that gives
        the planes so far); returning False leaves the other bounds NaN.
    """
    members = path.certifier.constraint
    prepared = prepare(*check_data(x, y, loss), loss)
    bounds, numbers = np.asarray(bounds, float), list(pair)
    weights = [path.at(bound) for bound in bounds]
    optimum = np.array([weight.ravel()[numbers] for weight in weights])
    left = np.array(
        [
            members.bound_left(np.delete(weight.ravel(), numbers), bound)
            for bound, weight in zip(bounds, weights, strict=True)
        ]
    )
    sizes = np.abs(optimum).max(axis=1)
    far = float(WIDER * (sizes.max() or bounds[-1]))
    near = WIDER * np.maximum(left, sizes)
    near[near == 0] = far  # the bound leaves nothing to the two weights
    outlines = [members.outline(bound_here, 2 * max(far, *near)) for bound_here in left]
    planes = LossPlanes(
        bounds=bounds,
        optimum=optimum,
        near=near,
        far=far,
        near_loss=np.full((len(bounds), STEPS, STEPS), np.nan, np.float32),
        far_loss=np.full((len(bounds), STEPS, STEPS), np.nan, np.float32),
        outlines=outlines,
    )
    for done, row in enumerate(order_far_apart_first(len(bounds)), start=1):
        weight, intercept = weights[row], path.intercept_at(bounds[row])
        least = prepared.value(prepared.from_model(weight, intercept))
        for wide, losses in ((near[row], planes.near_loss), (far, planes.far_loss)):
            ends = np.linspace(-wide, wide, STEPS)
            losses[row] = evaluate_over_plane(prepared, weight, intercept, pair, ends, ends) - least
        if not report(done, len(bounds), lambda: planes):
            break
    return planes


def evaluate_over_plane(
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
    if isinstance(loss, SquaredLoss):
        return _evaluate_quadratic(loss, base, pair, x, y)
    return _cross_entropy(
        loss, base, divmod(pair[0], still.shape[1]), divmod(pair[1], still.shape[1]), x, y
    )


def _evaluate_quadratic(
    loss: SquaredLoss, base: Array, pair: tuple[int, int], x: Array, y: Array
) -> Array:
    steps = np.stack([_find_step(loss, feature) for feature in pair])
    slope = steps @ loss.gradient(base)
    curvature = steps @ loss.gram @ steps.T
    along, up = x[None, :], y[:, None]
    moved = along * (slope[0] + 0.5 * curvature[0, 0] * along)
    moved = moved + up * (slope[1] + 0.5 * curvature[1, 1] * up) + curvature[0, 1] * along * up
    return loss.value(base) + moved


def _find_step(loss: SquaredLoss, feature: int) -> Array:
    """A weight of 1 as a point."""
    unit = np.zeros(loss.inputs.features)
    unit[feature] = 1.0
    return loss.inputs.from_weight(unit)


def _cross_entropy(
    loss: SoftmaxLoss,
    base: Array,
    first: tuple[int, int],
    second: tuple[int, int],
    x: Array,
    y: Array,
) -> Array:
    logits = base @ loss.design
    (k, feature), (m, other) = first, second
    along, up = np.outer(x, _find_column(loss, feature)), np.outer(y, _find_column(loss, other))
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


def _find_column(loss: SoftmaxLoss, feature: int) -> Array:
    """What a weight of 1 adds to its class's logits, shape (N,); nothing for a constant column."""
    (place,) = np.nonzero(loss.inputs.columns == feature)
    if not len(place):
        return np.zeros(loss.samples)
    p = int(place[0])
    return loss.inputs.scale[p] * loss.design[p] + loss.inputs.mean[p]
