"""Interior point: the problem as a cone programme, through cvxpy. The independent referee.

Diamond & Boyd 2016; Clarabel: Goulart & Chen 2024, arXiv 2405.12762. Whatever a cone
solver ends with is handed over, also what it calls inaccurate or had when its time was up, and
only the certificate decides whether that is believed; else another solver gets its turn.
"""

import math
import warnings
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ...sets import ConstraintSet
from ..losses import SquaredLoss
from ..problem import Array, Callback, Problem, seconds_left

ATTEMPTS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("CLARABEL", {"tol_gap_abs": 1e-10, "tol_gap_rel": 1e-10, "tol_feas": 1e-10}),
    ("CLARABEL", {}),
    ("SCS", {"eps_abs": 1e-9, "eps_rel": 1e-9, "max_iters": 20_000}),
)
TIME_LIMIT = {"CLARABEL": "time_limit", "SCS": "time_limit_secs"}


@dataclass(frozen=True)
class InteriorPoint:
    """Clarabel at tight tolerances, then at its own, then SCS."""

    has_trajectory: ClassVar[bool] = False  # the callback sees each attempt's end alone
    requires: ClassVar[tuple[str, ...]] = ("cvxpy",)

    def applies(self, loss: str, constraint: ConstraintSet) -> str | None:
        if not constraint.convex:
            return "the set is not convex, so there is no cone programme: choose accelerated_projected_gradient"
        if not constraint.has_cone:
            return f"the set {constraint.name} has not been written as a cone yet"
        return None

    def run(self, problem: Problem, callback: Callback, start: Array) -> None:
        import cvxpy

        for name, settings in ATTEMPTS:
            programme, unknown, intercept = _build_programme(problem)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                programme.get_problem_data(name)  # CVXPY keeps the result; this time counts too
                left = seconds_left(callback)
                if left <= 0:
                    return
                limit = {TIME_LIMIT[name]: left} if math.isfinite(left) else {}
                try:
                    programme.solve(solver=name, **settings, **limit)
                except cvxpy.SolverError:
                    continue
            if not _has_values(unknown, intercept):
                continue
            if not callback(_build_point(problem, unknown.value, intercept)):
                return


def _has_values(*variables: Any) -> bool:
    """Whether a solver gave every variable a finite value."""
    return all(v is None or (v.value is not None and np.isfinite(v.value).all()) for v in variables)


def _build_programme(problem: Problem) -> tuple[Any, Any, Any]:
    """The cone programme, its unknown and its intercepts (None where the loss has none)."""
    import cvxpy

    loss, units = problem.loss, _find_units(problem)
    scale = loss.inputs.scale * units
    intercept = None
    if isinstance(loss, SquaredLoss):
        # A square root of the Gram matrix stands for the data: as many rows as columns.
        values, vectors = np.linalg.eigh(loss.gram)
        kept = values > 1e-14 * max(values[-1], 1e-300)
        root = (vectors[:, kept] * np.sqrt(values[kept])).T
        target = vectors[:, kept].T @ loss.correlation / np.sqrt(values[kept])
        unknown = cvxpy.Variable(len(scale))
        objective = 0.5 * cvxpy.sum_squares((root * scale) @ unknown - target)
    else:
        unknown = cvxpy.Variable((loss.classes, len(scale)))
        intercept = cvxpy.Variable(loss.classes)
        logits = (loss.design[:-1].T * scale) @ unknown.T
        logits = logits + np.ones((loss.samples, 1)) @ cvxpy.reshape(
            intercept, (1, loss.classes), order="C"
        )
        fit = cvxpy.sum(cvxpy.multiply(loss.hot.T, logits))
        objective = (cvxpy.sum(cvxpy.log_sum_exp(logits, axis=1)) - fit) / loss.samples
    inside = []
    if problem.bound < np.inf:
        size = problem.bound or 1.0
        share = np.broadcast_to(units / size, unknown.shape).ravel()
        weights = cvxpy.multiply(share, cvxpy.vec(unknown, order="C"))
        inside = [problem.constraint.cone(cvxpy, weights, problem.bound / size)]
    return cvxpy.Problem(cvxpy.Minimize(objective), inside), unknown, intercept


def _find_units(problem: Problem) -> Array:
    """The weight, in the data's units, that one unit of the unknown stands for, by column.

    The bound itself, so that the set is of unit size whatever c; where it says nothing of the
    weights' size, what makes one step of the standardised columns.
    """
    scale = problem.loss.inputs.scale
    size = 1.0
    if problem.constraint.bounded and 0 < problem.bound < np.inf:
        size = min(1.0, problem.bound * float(scale.max(initial=0.0)))
    return size / scale


def _build_point(problem: Problem, unknown: Array, intercept: Any) -> Array:
    weight = np.asarray(unknown) * _find_units(problem) * problem.loss.inputs.scale
    if intercept is None:
        return weight
    return np.column_stack([weight, np.asarray(intercept.value)])
