"""The exact path: a constrained least-squares model at every bound there is.

Least squares over a box, under an upper bound or in an L1 ball is a parametric quadratic
programme: its optimum is piecewise linear in c (Rosset & Zhu 2007, arXiv 0708.2197; for L1:
Efron, Hastie, Johnstone & Tibshirani 2004). ``homotopy`` walks from breakpoint to breakpoint.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ...errors import CancelledError, NotConvergedError
from ...report import Report, keep_going
from ..sets import ConstraintSet, check_bound
from .certificate import Certificate, Certifier
from .homotopy import Walk
from .losses import SquaredLoss

Array = NDArray[np.floating]
Mask = NDArray[np.bool_]

# Breakpoints of collinear columns that are this close, relative to the last one, are merged.
TOGETHER = 3e-6
# Merging may leave this duality gap at most, relative to the zero model's loss.
SPOILT = 1e-3


@dataclass(frozen=True, eq=False)
class ExactPath:
    """The optimum at every bound, from its breakpoints.

    Where columns are collinear the optimum is not unique: the path is then that of the loss plus
    ½ 1e-10 ‖p‖², with p the weights of standardised columns.

    Attributes
    ----------
    breakpoints : ndarray, shape (b,)
        Bounds, ascending from 0. From the last one on the bound costs nothing.
    weights : ndarray, shape (b, n)
    intercepts : ndarray, shape (b,)
    pinned : ndarray of bool, shape (b, n)
        Which weights are held, at ±c (box, upper) or at zero (L1), from this breakpoint to the
        next; constant columns are held at zero by no bound, and never among them.
    """

    breakpoints: Array
    weights: Array
    intercepts: Array
    pinned: Mask
    certifier: Certifier = field(repr=False)

    def at(self, bound: float) -> Array:
        """Optimal weight (n,) at any bound."""
        bound = check_bound(bound)
        weight = interpolate_rows(self.breakpoints, self.weights, bound)
        if self.certifier.constraint.elementwise and bound <= self.breakpoints[-1]:
            pinned = self.pinned_at(bound)
            weight[pinned] = np.where(weight[pinned] < 0, -bound, bound)
        return self.certifier.constraint.project(weight, bound)

    def intercept_at(self, bound: float) -> float:
        """Its intercept."""
        return float(interpolate_rows(self.breakpoints, self.intercepts, check_bound(bound)))

    def pinned_at(self, bound: float) -> Mask:
        """Which weights are held at a bound; at a breakpoint: from it on."""
        return self.pinned[np.searchsorted(self.breakpoints, check_bound(bound), side="right") - 1]

    def changes(self, breakpoint: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Weights that become held, and that become free, as c grows past a breakpoint's number."""
        before, after = self.pinned[max(breakpoint - 1, 0)], self.pinned[breakpoint]
        return np.flatnonzero(after & ~before), np.flatnonzero(before & ~after)

    def certificate_at(self, bound: float) -> Certificate:
        """The certificate of the weight at a bound: loss, gap, multipliers."""
        return self.certifier.judge(self.at(bound), check_bound(bound))


def interpolate_rows(knots: Array, values: Array, bound: float) -> Array:
    """Linear interpolation of rows of values; the last row beyond the last knot."""
    right = int(np.searchsorted(knots, bound, side="right"))
    if right == len(knots):
        return values[-1].copy()
    if right == 0:
        return values[0] * (bound / knots[0])
    share = (bound - knots[right - 1]) / (knots[right] - knots[right - 1])
    return np.asarray((1 - share) * values[right - 1] + share * values[right])


def follow(
    loss: SquaredLoss, constraint: ConstraintSet, certifier: Certifier, report: Report = keep_going
) -> ExactPath:
    """All breakpoints, from c = 0 to where the bound costs nothing.

    ``report`` is asked at every breakpoint, of which there are often as many as columns; then,
    where the columns are collinear, at every breakpoint that is certified.

    Raises
    ------
    CancelledError
        The report said to stop: a part of a path is none.
    NotConvergedError
        Rounding keeps the path from coming to an end, or spoils it: columns that are almost
        collinear, or collinear and of very different sizes.
    """
    walk = Walk(loss, constraint)
    if not walk.run(lambda done, total: report(done, total, None)):
        raise CancelledError(f"the exact path was stopped at breakpoint {len(walk.times)}")
    weights = loss.inputs.to_weight(np.array(walk.points))
    pinned = np.zeros(weights.shape, bool)
    pinned[:, loss.inputs.columns] = walk.pinned
    if constraint.elementwise:
        bounds = np.array(walk.times)
    else:
        bounds = np.maximum.accumulate([constraint.gauge(weight) for weight in weights])
    # Keeps the last of several breakpoints at one bound.
    last = np.append(np.diff(bounds) > 0, True)
    if walk.ridge:
        # Collinear columns leave together; rounding makes them leave one by one.
        gone = np.append(False, (pinned[1:] & ~pinned[:-1]).any(axis=1))
        last[:-1] &= (np.diff(bounds) > TOGETHER * bounds[-1]) | ~(gone[:-1] & gone[1:])
    path = ExactPath(
        breakpoints=bounds[last],
        weights=weights[last],
        intercepts=loss.target_mean - weights[last] @ certifier.x.mean(axis=0),
        pinned=pinned[last],
        certifier=certifier,
    )
    if walk.ridge and constraint.bounded:
        _check_gaps(path, report)
    return path


def _check_gaps(path: ExactPath, report: Report) -> None:
    """Certify every breakpoint of a path of collinear columns; NotConvergedError where it is off.

    The tangent at the point itself is proof enough nearly everywhere; where it is not, the judge
    looks for a better one.
    """
    unit, total = path.certifier.unit, len(path.breakpoints)
    gaps = path.certifier.tangent_gaps(path.weights, path.breakpoints)
    unclear = np.flatnonzero(gaps > 0.1 * SPOILT * unit)
    _check_stopped(report, total - len(unclear), total)
    for done, row in enumerate(unclear, start=total - len(unclear) + 1):
        gaps[row] = path.certificate_at(path.breakpoints[row]).duality_gap
        _check_stopped(report, done, total)
    largest = float(gaps.max())
    if largest > SPOILT * unit:
        raise NotConvergedError(
            "the columns are collinear and of very different sizes: the exact path would be off "
            f"by up to {largest:.1e}; standardise them, or leave some out"
        )


def _check_stopped(report: Report, done: int, total: int) -> None:
    if not report(done, total, None):
        raise CancelledError(f"the exact path was stopped at breakpoint {done}")
