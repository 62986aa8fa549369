import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import compression
from benchmarks.constrained_path import least_squared_loss
from compression.constrained.convex import subset_search
from compression.constrained.convex.losses import prepare
from compression.constrained.convex.subset_search import best_subset
from compression.errors import CancelledError


def draw_correlated(seed, columns=9, rows=40):
    """Columns that share much of what they say: the hard case for a choice of some of them."""
    rng = np.random.default_rng(seed)
    mixing = np.eye(columns) + 0.8 * rng.normal(size=(columns, columns))
    x = rng.normal(size=(rows, columns)) @ mixing
    return x, x @ rng.normal(size=columns) + 2 * rng.normal(size=rows)


def test_a_path_of_counts_ends_in_the_optimum_of_nearly_every_small_case():
    excess = []
    for seed in range(15):
        x, y = draw_correlated(seed)
        path = compression.path(x, y, "squared", "cardinality", bounds=[2, 3, 4, 6])
        for bound, loss in zip(path.bounds, path.objectives, strict=True):
            best = least_squared_loss(x, y, int(bound))
            assert loss >= best * (1 - 1e-9)
            excess.append(loss / best - 1)
    assert np.mean(np.array(excess) <= 1e-8) >= 0.95
    assert np.mean(excess) <= 0.01


@pytest.mark.parametrize("seed", range(5))
def test_no_swap_of_one_weight_for_another_lowers_the_loss(seed):
    x, y = draw_correlated(seed, columns=14)
    solution = compression.solve(
        x, y, "squared", "cardinality", 4, "accelerated_projected_gradient"
    )
    chosen = np.flatnonzero(solution.weight)
    assert len(chosen) == 4
    assert "no swap" in solution.status
    assert solution.swap_optimal
    centred, target = x - x.mean(axis=0), y - y.mean()
    for out in chosen:
        for new in set(range(14)) - set(chosen):
            others = [*(set(chosen) - {out}), new]
            weight = np.linalg.lstsq(centred[:, others], target, rcond=None)[0]
            loss = 0.5 * np.mean((target - centred[:, others] @ weight) ** 2)
            assert loss >= solution.objective * (1 - 1e-9)


def test_columns_that_say_the_same_are_not_chosen_twice():
    x, y = draw_correlated(0, columns=5)
    twins = np.column_stack([x, x])
    loss = prepare(twins, y, "squared")
    single = prepare(x, y, "squared")
    for count in (1, 2, 3):
        point, _ = best_subset(loss, count, np.zeros(10))
        assert np.count_nonzero(point) <= count
        expected = single.value(best_subset(single, count, np.zeros(5))[0])
        assert loss.value(point) == pytest.approx(expected, rel=1e-6)


def test_no_weights_and_all_weights_are_possible():
    x, y = draw_correlated(0)
    loss = prepare(x, y, "squared")
    assert not best_subset(loss, 0, np.ones(9))[0].any()
    everything = np.linalg.lstsq(loss.gram, loss.correlation, rcond=None)[0]
    point, complete = best_subset(loss, 20, np.zeros(9))
    assert complete
    np.testing.assert_allclose(point, everything, atol=1e-9)


@given(
    columns=st.integers(1, 9),
    rows=st.integers(2, 12),
    count=st.integers(0, 10),
    twins=st.booleans(),
    scale=st.sampled_from([1.0, 1e-6, 1e6]),
    seed=st.integers(0, 10_000),
)
def test_what_is_found_is_no_worse_than_any_one_swap_away(columns, rows, count, twins, scale, seed):
    x, y = draw_correlated(seed, columns, rows)
    x = scale * (np.column_stack([x, x[:, :1]]) if twins else x)
    loss = prepare(x, y, "squared")
    point, complete = best_subset(loss, count, np.zeros(loss.shape))
    chosen = np.flatnonzero(point)
    assert complete
    assert len(chosen) <= count
    for out in chosen:
        for new in set(range(x.shape[1])) - set(chosen):
            others = [*(set(chosen) - {out}), new]
            weight = np.linalg.lstsq(
                loss.gram[np.ix_(others, others)], loss.correlation[others], rcond=1e-13
            )[0]
            other = np.zeros(loss.shape)
            other[others] = weight
            assert loss.value(point) <= loss.value(other) + 1e-7 * loss.zero


def test_a_path_says_at_which_counts_no_swap_is_better():
    x, y = draw_correlated(0)
    path = compression.path(x, y, "squared", "cardinality", bounds=[2, 4])
    assert path.swap_optimal.all()
    softmax = compression.path(x, (y > 0).astype(int), "softmax", "cardinality", bounds=[2, 4])
    assert not softmax.swap_optimal.any()


def test_a_search_that_ends_early_does_not_say_that_no_swap_is_better(monkeypatch):
    monkeypatch.setattr(subset_search, "LARGEST_WORK", 0.0)
    x, y = draw_correlated(0, columns=20)
    loss = prepare(x, y, "squared")
    start = np.zeros(20)
    start[np.argsort(loss.correlation**2)[:5]] = 1.0
    monkeypatch.setattr(subset_search, "LARGEST", 10)
    point, complete = best_subset(loss, 5, start)
    assert not complete
    assert np.count_nonzero(point) == 5
    monkeypatch.undo()
    assert loss.value(best_subset(loss, 5, start)[0]) < loss.value(point)


def test_a_search_can_be_stopped_between_two_swaps():
    loss = prepare(*draw_correlated(0), "squared")
    calls = []
    point, complete = best_subset(loss, 3, np.zeros(9), lambda: bool(calls.append(1)))
    assert not complete
    assert np.count_nonzero(point) <= 3
    assert len(calls) == 1


def test_a_bound_that_is_stopped_among_its_swaps_is_left_out():
    data = *draw_correlated(0), "squared", "cardinality", [2, 4]
    seen, calls = [], []
    compression.path(*data, report=lambda *step: not seen.append(step[0]))
    last = seen.count(0)  # of the first bound's calls: a swap's
    with pytest.raises(CancelledError, match="after 0 of 2 bounds"):
        compression.path(*data, report=lambda *_: not calls.append(1) and len(calls) < last)
    assert len(calls) == last
