"""Small problems with what makes real ones hard, and an independent referee."""

from dataclasses import dataclass

import cvxpy
import numpy as np
import pytest

KINDS = ("plain", "scaled", "duplicates", "everything", "separable")


@dataclass(frozen=True, eq=False)
class Example:
    """Inputs (N, n), targets (N,) and the loss that fits them."""

    x: np.ndarray
    y: np.ndarray
    loss: str


def make_example(kind: str, loss: str, samples: int = 60, features: int = 5, seed: int = 0):
    """A random problem.

    scaled: columns from a thousandth to a thousand; duplicates: two columns twice and a constant
    one; everything: both; separable: classes that can be told apart without error.
    """
    rng = np.random.default_rng(seed)
    mixing = np.eye(features) + 0.3 * rng.normal(size=(features, features))
    x = rng.normal(size=(samples, features)) @ mixing
    score = x @ rng.normal(size=(features, 3))
    if kind in ("scaled", "everything"):
        x = x * np.logspace(-3, 3, features)
    if kind in ("duplicates", "everything"):
        x = np.column_stack([x, x[:, 0], x[:, 1], np.full(samples, 7.0)])
    if loss == "squared":
        return Example(x, score[:, 0] + rng.normal(size=samples) + 3, loss)
    if kind != "separable":
        score = score + 2 * rng.gumbel(size=score.shape)
    return Example(x, score.argmax(axis=1), loss)


def optimum(example: Example, constraint: str, bound: float) -> float:
    """The least loss under the constraint, by a cone solver and on the data themselves."""
    x = example.x
    spread = x.std(axis=0)
    kept = spread > 1e-9 * np.abs(x).max(axis=0)
    z, scale = (x - x.mean(axis=0))[:, kept] / spread[kept], 1 / spread[kept]
    for units in (scale, np.full(len(scale), bound)):
        for tolerance in (1e-9, 1e-7, 1e-6):
            objective, size = _programme(example, constraint, z * (units / scale), units / bound)
            # Adding one number to a feature's weights in all classes changes nothing, so a bound
            # from one side costs softmax nothing; with a tiny one the cone solver is lost.
            costless = example.loss == "softmax" and constraint == "upper"
            inside = [] if costless else [size <= 1]
            programme = cvxpy.Problem(cvxpy.Minimize(objective), inside)
            try:
                programme.solve(solver="CLARABEL", tol_gap_abs=tolerance, tol_gap_rel=tolerance)
            except cvxpy.SolverError:
                continue
            if programme.status == cvxpy.OPTIMAL:
                return float(objective.value)
    raise AssertionError("the referee finds no optimum")


def _programme(example, constraint, z, share):
    """The loss as an expression, and the weights' gauge as a share of the bound."""
    y = example.y
    if example.loss == "squared":
        weight, intercept = cvxpy.Variable(z.shape[1]), cvxpy.Variable()
        objective = 0.5 * cvxpy.sum_squares(z @ weight + intercept - y) / len(y)
    else:
        classes = int(y.max()) + 1
        weight, intercept = cvxpy.Variable((classes, z.shape[1])), cvxpy.Variable((1, classes))
        logits = z @ weight.T + np.ones((len(y), 1)) @ intercept
        fit = cvxpy.sum(cvxpy.multiply(np.eye(classes)[y], logits))
        objective = (cvxpy.sum(cvxpy.log_sum_exp(logits, axis=1)) - fit) / len(y)
    size = {"box": cvxpy.norm_inf, "upper": cvxpy.max, "l1": cvxpy.norm1, "l2": cvxpy.norm2}
    shares = cvxpy.multiply(weight, np.broadcast_to(share, weight.shape))
    return objective, size[constraint](cvxpy.vec(shares, order="C"))


@pytest.fixture(scope="session")
def example():
    """``example(kind, loss)``: the same problem for everybody who asks."""
    made = {}

    def get(kind: str, loss: str, **sizes: int) -> Example:
        key = kind, loss, tuple(sizes.items())
        return made.setdefault(key, make_example(kind, loss, **sizes))

    return get


@pytest.fixture(scope="session")
def referee():
    """``referee(example, constraint, bound)``: the least loss, asked for once."""
    found: dict[tuple, float] = {}

    def get(example: Example, constraint: str, bound: float) -> float:
        key = id(example), constraint, bound
        if key not in found:
            found[key] = optimum(example, constraint, bound)
        return found[key]

    return get
