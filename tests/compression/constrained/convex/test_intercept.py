"""The best intercept of softmax, on which every certificate rests."""

import numpy as np
import pytest
from scipy.optimize import brentq, minimize
from scipy.special import expit, logsumexp, softmax

from compression.constrained.convex import certificate
from compression.constrained.convex.intercept import fit_intercept
from tests.compression.constrained.convex.judging import SETS, certifier, random_weight


def test_the_best_intercept_as_a_guess_needs_no_step(example, monkeypatch):
    problem = example("plain", "softmax")
    weight, judge = random_weight(problem), certifier(problem, "l2")
    first = judge.judge(weight, 10.0)
    monkeypatch.setattr(certificate.np.linalg, "solve", None)
    again = judge.judge(weight, 10.0, first.intercept)
    assert again.objective == pytest.approx(first.objective, rel=1e-12)
    np.testing.assert_allclose(again.intercept, first.intercept, rtol=1e-12)


@pytest.mark.parametrize("scale", [0.1, 1.0, 5.0, 30.0])
def test_the_best_intercept_is_the_one_that_scipy_finds(example, scale):
    problem = example("plain", "softmax")
    weight = scale * random_weight(problem, seed=2)
    found = certifier(problem, "l2").judge(weight, 1e3)
    logits = problem.x @ weight.T

    def loss(level):
        total = logits + level
        return np.mean(logsumexp(total, axis=1) - total[np.arange(len(total)), problem.y])

    best = minimize(loss, np.zeros(len(weight)), method="BFGS", options={"gtol": 1e-9})
    assert found.objective <= best.fun + 1e-12 * (1 + best.fun)
    assert found.objective == pytest.approx(loss(found.intercept), rel=1e-9)
    share = softmax(logits + found.intercept, axis=1).mean(axis=0)
    np.testing.assert_allclose(share, np.bincount(problem.y) / len(problem.y), atol=1e-9)


@pytest.mark.parametrize("far", [3.0, 7.0, 12.0, 25.0])
@pytest.mark.parametrize("rare", [1, 3, 6])
def test_a_step_from_far_out_does_not_end_where_the_loss_is_straight(far, rare):
    labels = np.arange(12) < rare
    odds = far + np.linspace(-0.1, 0.1, 12)
    logits, hot = np.array([-odds, odds]) / 2, np.array([~labels, labels], float)
    level, loss, share = fit_intercept(logits, hot, None)
    best = brentq(lambda b: expit(odds + b).mean() - labels.mean(), -500, 500)
    assert np.diff(level) == pytest.approx(best, rel=1e-9)
    assert loss == pytest.approx(np.mean(np.logaddexp(0, odds + best) - labels * (odds + best)))
    assert share[1].mean() == pytest.approx(labels.mean(), abs=1e-12)


def test_next_to_an_intercept_that_is_not_the_best_there_is_no_tangent(example, monkeypatch):
    problem = example("plain", "softmax")
    weight = 0.05 * random_weight(problem)
    bound = SETS["box"].gauge(weight)
    settled = certifier(problem, "box").judge(weight, bound)
    assert settled.duality_gap < settled.objective

    def miss(logits, hot, guess):
        level = np.zeros(len(logits))
        share = softmax(logits, axis=0)
        return level, float(np.mean(logsumexp(logits, axis=0) - (logits * hot).sum(axis=0))), share

    monkeypatch.setattr(certificate, "fit_intercept", miss)
    seen = certifier(problem, "box").judge(weight, bound)
    assert seen.duality_gap == seen.objective  # no loss falls below 0
