from itertools import combinations

import numpy as np
import pytest

import compression
from compression.constrained.convex.losses import prepare
from compression.constrained.convex.subset_search import best_subset


def correlated(seed, columns=9, rows=40):
    """Columns that share much of what they say: the hard case for a choice of some of them."""
    rng = np.random.default_rng(seed)
    mixing = np.eye(columns) + 0.8 * rng.normal(size=(columns, columns))
    x = rng.normal(size=(rows, columns)) @ mixing
    return x, x @ rng.normal(size=columns) + 2 * rng.normal(size=rows)


def exhaustive(x, y, count):
    """The least loss of all sets of so many columns."""
    x, y = x - x.mean(axis=0), y - y.mean()
    losses = []
    for chosen in combinations(range(x.shape[1]), count):
        weight = np.linalg.lstsq(x[:, chosen], y, rcond=None)[0]
        losses.append(0.5 * np.mean((y - x[:, chosen] @ weight) ** 2))
    return min(losses)


def test_a_path_of_counts_ends_in_the_optimum_of_nearly_every_small_case():
    excess = []
    for seed in range(15):
        x, y = correlated(seed)
        path = compression.path(x, y, "squared", "cardinality", bounds=[2, 3, 4, 6])
        for bound, loss in zip(path.bounds, path.objectives, strict=True):
            best = exhaustive(x, y, int(bound))
            assert loss >= best * (1 - 1e-9)
            excess.append(loss / best - 1)
    assert np.mean(np.array(excess) <= 1e-8) >= 0.95
    assert np.mean(excess) <= 0.01


@pytest.mark.parametrize("seed", range(5))
def test_no_swap_of_one_weight_for_another_lowers_the_loss(seed):
    x, y = correlated(seed, columns=14)
    solution = compression.solve(
        x, y, "squared", "cardinality", 4, "accelerated_projected_gradient"
    )
    chosen = np.flatnonzero(solution.weight)
    assert len(chosen) == 4
    assert "no swap" in solution.status
    centred, target = x - x.mean(axis=0), y - y.mean()
    for out in chosen:
        for new in set(range(14)) - set(chosen):
            others = [*(set(chosen) - {out}), new]
            weight = np.linalg.lstsq(centred[:, others], target, rcond=None)[0]
            loss = 0.5 * np.mean((target - centred[:, others] @ weight) ** 2)
            assert loss >= solution.objective * (1 - 1e-9)


def test_columns_that_say_the_same_are_not_chosen_twice():
    x, y = correlated(0, columns=5)
    twins = np.column_stack([x, x])
    loss = prepare(twins, y, "squared")
    single = prepare(x, y, "squared")
    for count in (1, 2, 3):
        point = best_subset(loss, count, np.zeros(10))
        assert np.count_nonzero(point) <= count
        expected = single.value(best_subset(single, count, np.zeros(5)))
        assert loss.value(point) == pytest.approx(expected, rel=1e-6)


def test_no_weights_and_all_weights_are_possible():
    x, y = correlated(0)
    loss = prepare(x, y, "squared")
    assert not best_subset(loss, 0, np.ones(9)).any()
    everything = np.linalg.lstsq(loss.gram, loss.correlation, rcond=None)[0]
    np.testing.assert_allclose(best_subset(loss, 20, np.zeros(9)), everything, atol=1e-9)
