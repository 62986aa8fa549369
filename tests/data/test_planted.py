"""The dataset whose right rank is known in advance."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import expit, softmax
from scipy.stats import chisquare, norm

import data
from data.planted import draw


def best_possible_accuracy(rank, sharpness):
    """E[σ(2 · sharpness · |t|)]ʳ for t ~ N(0, 1): each direction is a coin with those odds."""
    return (2 * quad(lambda t: expit(2 * sharpness * t) * norm.pdf(t), 0, 10)[0]) ** rank


@pytest.mark.parametrize("rank", [1, 2, 3, 5])
def test_the_weight_has_exactly_the_planted_rank_with_equal_singular_values(rank):
    _, _, weight = draw(samples=10, features=12, rank=rank, sharpness=4.0, seed=2)
    values = np.linalg.svd(weight, compute_uv=False)
    # W = sharpness · C D with Cᵀ C = 2ʳ I and D Dᵀ = I.
    np.testing.assert_allclose(values[:rank], 4.0 * 2 ** (rank / 2))
    np.testing.assert_allclose(values[rank:], 0, atol=1e-12)
    np.testing.assert_allclose(weight.sum(axis=0), 0, atol=1e-12)


def test_labels_are_drawn_from_the_softmax_of_the_planted_weight():
    x, y, weight = draw(samples=40_000, features=6, rank=2, sharpness=1.5, seed=3)
    probabilities = softmax(x @ weight.T, axis=1)
    # Calibration: among rows that a class is equally probable for, it is that frequent.
    for label in range(4):
        p = probabilities[:, label]
        tenths = np.array_split(np.argsort(p), 10)
        expected = np.array([p[rows].sum() for rows in tenths])
        variance = np.array([(p[rows] * (1 - p[rows])).sum() for rows in tenths])
        found = np.array([(y[rows] == label).sum() for rows in tenths])
        assert (np.abs(found - expected) < 5 * np.sqrt(variance) + 1).all()


def test_every_class_is_as_frequent_as_any_other():
    _, y, _ = draw()
    assert chisquare(np.bincount(y, minlength=8)).pvalue > 0.001


def test_the_true_weight_is_as_accurate_as_the_theory_says():
    x, y, weight = draw(samples=100_000, seed=1)
    bound = best_possible_accuracy(rank=3, sharpness=4.0)
    assert bound == pytest.approx(0.81, abs=0.005)
    assert ((x @ weight.T).argmax(axis=1) == y).mean() == pytest.approx(bound, abs=0.006)


def test_cross_validation_with_the_one_standard_error_rule_finds_the_planted_rank():
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold

    found = []
    for seed in range(10):
        dataset = data.load("planted", seed=seed)
        x, y = dataset.x_train, dataset.y_train
        scores = np.empty((5, 7))
        folds = StratifiedKFold(5, shuffle=True, random_state=seed)
        for fold, (fit, held) in enumerate(folds.split(x, y)):
            model = LogisticRegression(C=100, max_iter=300).fit(x[fit], y[fit])
            u, s, vt = np.linalg.svd(model.coef_, full_matrices=False)
            for rank in range(1, 8):
                logits = x[held] @ (u[:, :rank] * s[:rank] @ vt[:rank]).T + model.intercept_
                scores[fold, rank - 1] = (logits.argmax(axis=1) == y[held]).mean()
        mean, error = scores.mean(axis=0), scores.std(axis=0, ddof=1) / np.sqrt(5)
        best = mean.argmax()
        found.append(1 + int(np.argmax(mean >= mean[best] - error[best])))
    assert found.count(3) >= 9
