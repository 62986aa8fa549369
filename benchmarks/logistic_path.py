"""Logistic regression in an L1 ball at 40 bounds: against celer and skglm, where they are installed.

They solve the penalised problem, here at the multipliers of our bounds, so that both sides find
the same models; celer without an intercept, on classes of like size.
``python -m pip install celer skglm`` brings them.
"""

from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Any

import numpy as np

import compression

from .constrained_path import classes, mean_time
from .table import Row

SIZES = ((500, 30), (1500, 64))
REPEATS = 3
TOLERANCE = 1e-4
"""Of the gap, relative to the loss of the zero model: ours, each certified, and celer's."""
SKGLM_TOLERANCE = 1e-3
"""Of its slopes: the gaps that come of it are 7e-6 at most, of ten times as much 1e-2."""


def solve_by_celer(x: np.ndarray, sign: np.ndarray, prices: np.ndarray) -> np.ndarray:
    from celer import celer_path

    return celer_path(
        np.asfortranarray(x), sign, pb="logreg", alphas=prices * len(sign), tol=TOLERANCE
    )[1].T


def solve_by_skglm(x: np.ndarray, sign: np.ndarray, prices: np.ndarray) -> list[np.ndarray]:
    from skglm import SparseLogisticRegression

    x = np.asfortranarray(x)  # as fast as it gets, by a third
    model = SparseLogisticRegression(tol=SKGLM_TOLERANCE, warm_start=True)
    coefficients = []
    for price in prices:
        model.alpha = price
        coefficients.append(model.fit(x, sign).coef_.ravel().copy())
    return coefficients


PEERS: dict[str, Callable[..., Any]] = {"celer": solve_by_celer, "skglm": solve_by_skglm}


def rows() -> Iterator[Row]:
    for samples, features in SIZES:
        x, y = classes(samples, features, 2)
        x = (x - x.mean(axis=0)) / x.std(axis=0)
        path = compression.path(x, y, "softmax", "l1")
        assert path.certified.all()
        # Of two classes the difference of their weights: their sizes add up to as much.
        prices = np.array([path.certificate_at(bound).multipliers for bound in path.bounds])
        # Where a bound costs nothing they would have no penalty, and come to no end.
        bounds, prices = path.bounds[prices > 0], np.sort(prices[prices > 0])[::-1]
        question = f"logistic regression, {samples} x {features}, L1, {len(bounds)} bounds"
        for name, peer in PEERS.items():
            if find_spec(name) is None:
                yield Row(question, "", f"{name} is not installed", float("nan"), "≤ 1", None)
                continue
            peer(x, np.where(y == 1, 1.0, -1.0), prices)  # compiled before the clock starts
            pairs = []
            for _ in range(REPEATS):
                ours, _ = mean_time(
                    lambda x=x, y=y, bounds=bounds: compression.path(x, y, "softmax", "l1", bounds)
                )
                theirs, _ = mean_time(
                    lambda x=x, y=y, peer=peer, prices=prices: peer(
                        x, np.where(y == 1, 1.0, -1.0), prices
                    )
                )
                pairs.append((ours / theirs, ours, theirs))
            ratio, ours, theirs = sorted(pairs)[REPEATS // 2]
            yield Row(
                question,
                f"{1e3 * ours:.0f} ms",
                f"{1e3 * theirs:.0f} ms, {name}",
                ratio,
                "≤ 1",
                ratio <= 1,
            )
