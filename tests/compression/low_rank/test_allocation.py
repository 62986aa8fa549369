import itertools
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compression import allocate_ranks
from compression.errors import ArgumentError
from compression.low_rank import allocation
from compression.low_rank.allocation import (
    RULES,
    allocate,
    allocate_by_every_rule,
)
from compression.low_rank.kernels import decompose_kernel
from compression.low_rank.rank_choices import RankChoices, choices
from compression.low_rank.truncated_svd import TruncatedSVD


def exhaustive(layers, budget):
    """Least error of all combinations that fit; None when none does."""
    options = [
        [*zip(layer.errors, layer.costs, strict=True), (0.0, layer.dense_cost)]
        for layer in layers.values()
    ]
    fitting = [
        sum(error for error, _ in picked)
        for picked in itertools.product(*options)
        if sum(cost for _, cost in picked) <= budget
    ]
    return min(fitting, default=None)


def smallest_budget(layers):
    return sum(min(*layer.costs, layer.dense_cost) for layer in layers.values())


@st.composite
def problems(draw):
    """Small layers of any costs and falling errors, and a budget somewhere in their range."""
    layers = {}
    for name in "abcd"[: draw(st.integers(1, 4))]:
        ranks = draw(st.integers(1, 5))
        errors = draw(st.lists(st.floats(0, 1), min_size=ranks, max_size=ranks))
        costs = draw(st.lists(st.integers(0, 60), min_size=ranks, max_size=ranks))
        if draw(st.booleans()):
            errors, costs = sorted(errors)[::-1], sorted(costs)
        layers[name] = RankChoices(np.array(errors), np.array(costs), draw(st.integers(1, 60)))
    everything = sum(layer.dense_cost for layer in layers.values())
    smallest = smallest_budget(layers)
    return layers, draw(st.integers(smallest, max(smallest, everything)))


def spectral(shapes, decay, seed=0):
    rng = np.random.default_rng(seed)
    layers = {}
    for place, (m, n) in enumerate(shapes):
        s = np.sort(rng.exponential(size=min(m, n)) * np.arange(1, min(m, n) + 1) ** -decay)[::-1]
        errors = np.append(np.cumsum(s[::-1] ** 2)[::-1][1:], 0.0) / np.sum(s**2)
        layers[f"layer{place}"] = RankChoices(errors, np.arange(1, len(s) + 1) * (m + n), m * n)
    return layers


@given(problems())
@settings(deadline=None, max_examples=300)
def test_the_exact_rule_is_as_good_as_trying_everything(problem):
    layers, budget = problem
    found = allocate(layers, budget)
    assert found.exact
    assert found.error == pytest.approx(exhaustive(layers, budget), abs=1e-9)


@given(problems())
@settings(deadline=None, max_examples=150)
def test_every_rule_keeps_to_the_budget_and_states_its_gap(problem):
    layers, budget = problem
    best = exhaustive(layers, budget)
    for rule, found in allocate_by_every_rule(layers, budget).items():
        error, cost = 0.0, 0
        for name, rank in found.ranks.items():
            layer = layers[name]
            error += 0.0 if rank is None else layer.errors[rank - 1]
            cost += layer.dense_cost if rank is None else layer.costs[rank - 1]
        assert cost == found.cost <= budget
        assert found.error == pytest.approx(error)
        assert found.gap == pytest.approx(error - best, abs=1e-9)
        assert found.gap >= 0
        assert found.bound <= best + 1e-9
        assert found.rule == rule
        assert allocate(layers, budget, rule).ranks == found.ranks


@given(problems(), st.floats(0.01, 1))
@settings(deadline=None, max_examples=100)
def test_a_coarse_resolution_still_fits_and_beats_every_fast_rule(problem, resolution):
    layers, budget = problem
    every = allocate_by_every_rule(layers, budget, resolution)
    assert every["exact"].quantum == allocate(layers, budget, resolution=resolution).quantum
    for found in every.values():
        assert found.cost <= budget
        assert found.gap >= 0
    if every["exact"].exact:
        assert every["exact"].error == pytest.approx(exhaustive(layers, budget), abs=1e-9)


@given(problems())
@settings(deadline=None, max_examples=50)
def test_cells_run_short_before_the_answer_stops_fitting(problem):
    layers, budget = problem
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(allocation, "WORK", 30)
        found = allocate(layers, budget)
    assert found.cost <= budget
    assert found.error >= exhaustive(layers, budget) - 1e-9


@pytest.mark.parametrize("rule", RULES)
def test_more_budget_never_hurts_and_all_of_it_keeps_every_layer(rule):
    layers = spectral([(30, 20), (20, 20), (20, 5)], decay=0.5)
    everything = sum(layer.dense_cost for layer in layers.values())
    smallest = smallest_budget(layers)
    errors = [allocate(layers, b, rule).error for b in range(smallest, everything + 1, 25)]
    if rule != "greedy":  # which a few numbers more can lead onto another way
        assert all(a >= b - 1e-12 for a, b in itertools.pairwise(errors))
    for budget in (everything, everything + 1, 1e12, float("inf")):
        assert allocate(layers, budget, rule).ranks == dict.fromkeys(layers)
        assert allocate(layers, budget, rule).error == 0


def test_the_uniform_rules_give_every_layer_the_same():
    layers = spectral([(30, 30), (40, 20), (30, 10)], decay=0.5)
    budget = 1500
    uniform = allocate(layers, budget, "uniform").ranks
    k = max(rank for rank in uniform.values() if rank is not None)
    for name, rank in uniform.items():
        saves = k <= len(layers[name].costs) and layers[name].costs[k - 1] < layers[name].dense_cost
        assert rank == (k if saves else None)

    energy = allocate(layers, budget, "uniform_energy").ranks
    allowed = max(layers[name].errors[rank - 1] for name, rank in energy.items() if rank)
    for name, rank in energy.items():
        if rank is not None and rank > 1:
            assert layers[name].errors[rank - 2] > allowed


def test_the_dense_layer_is_kept_where_factors_of_that_size_would_lose():
    rng = np.random.default_rng(0)
    weights = {"flat": rng.normal(size=(20, 20)), "steep": np.outer(np.ones(20), np.ones(20))}
    assert allocate_ranks(weights, 440) == {"flat": None, "steep": 1}


@pytest.mark.parametrize("rule", RULES)
def test_ranks_of_weights_fit_the_budget_of_parameters(rule):
    rng = np.random.default_rng(0)
    weights = {
        "0": rng.normal(size=(12, 8)),
        "2": rng.normal(size=(8, 12)).astype(np.float32),
        "conv": rng.normal(size=(6, 3, 3, 3)),
    }
    ranks = allocate_ranks(weights, 200, rule)
    spent = 0
    for name, weight in weights.items():
        m, n = len(weight), weight[0].size
        spent += m * n if ranks[name] is None else ranks[name] * (m + n)
    assert spent <= 200


def test_weights_that_a_budget_starves_are_warned_of():
    generator = np.random.default_rng(0)
    weights = {"a": 10 * generator.normal(size=(30, 30)), "b": np.eye(4, 5) + 0.1}
    with pytest.warns(UserWarning, match="a has rank 1 while b stays dense"):
        assert allocate_ranks(weights, 60 + 20) == {"a": 1, "b": None}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert allocate_ranks(weights, 10 * 60 + 20)["a"] == 10


def test_the_exact_rule_of_weights_keeps_the_largest_product_of_energies():
    generator = np.random.default_rng(1)
    weights = {name: generator.normal(size=(4, 5)) for name in "abc"}
    kept = {}
    for name, weight in weights.items():
        squares = np.linalg.svd(weight, compute_uv=False) ** 2
        kept[name] = {None: 1.0} | {k: squares[:k].sum() / squares.sum() for k in (1, 2)}
    costs = {None: 20, 1: 9, 2: 18}
    for budget in (27, 38, 45, 54, 58):
        products = {
            ranks: np.prod([kept[name][k] for name, k in zip(weights, ranks, strict=True)])
            for ranks in itertools.product((None, 1, 2), repeat=3)
            if sum(costs[k] for k in ranks) <= budget
        }
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = tuple(allocate_ranks(weights, budget).values())
        assert products[found] == pytest.approx(max(products.values()))


def test_a_budget_that_is_too_small_is_answered_with_the_smallest_possible():
    weights = {"a": np.ones((12, 8)), "b": np.eye(1)}
    with pytest.raises(ArgumentError, match="choose at least 21"):  # 12 + 8, and 1 for dense
        allocate_ranks(weights, 20)
    assert allocate_ranks(weights, 21) == {"a": 1, "b": None}
    with pytest.raises(ArgumentError, match="choose at least 21"):
        allocate_ranks(weights, float("nan"))


def test_what_cannot_be_allocated_is_refused_in_words():
    weights = {"a": np.ones((3, 3))}
    with pytest.raises(ArgumentError, match="exact, greedy"):
        allocate_ranks(weights, 10, "best")
    with pytest.raises(ArgumentError, match=r"no layers to share the budget: give at least one$"):
        allocate_ranks({}, 10)
    with pytest.raises(ArgumentError, match=r"layer b: .*zero everywhere"):
        allocate_ranks({"a": np.ones((3, 3)), "b": np.zeros((3, 3))}, 10)
    for resolution in (0.0, -0.5, 1.5):
        with pytest.raises(ArgumentError, match=f"{resolution} is .* share .* above 0, up to 1$"):
            allocate_ranks(weights, 10, resolution=resolution)
    curves = {
        "a has 2 errors and 3 costs: give one of each": RankChoices(np.ones(2), np.ones(3, int), 9),
        "a has errors that are not finite": RankChoices(np.array([np.nan]), np.ones(1, int), 9),
        "a has costs that are not whole numbers": RankChoices(np.ones(1), np.array([1.5]), 9),
        "numbers >= 0": RankChoices(np.ones(1), np.array([-1]), 9),
    }
    for words, curve in curves.items():
        with pytest.raises(ArgumentError, match=words):
            allocate({"a": curve}, 10)


def test_costs_without_a_sign_are_whole_numbers():
    for kind in (np.uint8, np.int8):
        curve = RankChoices(np.array([0.5, 0.25]), np.array([2, 4], kind), 120)
        assert allocate({"a": curve}, 3).ranks == {"a": 1}


def test_choices_lose_minus_the_logarithm_of_what_the_layer_keeps():
    weight = np.diag([4.0, 2.0, 2.0, 1.0])
    found = choices(TruncatedSVD().decompose(weight))
    kept = np.array([16, 20, 24, 25]) / 25
    np.testing.assert_allclose(found.errors, -np.log(kept), atol=1e-12)
    assert found.costs.tolist() == [8, 16, 24, 32]
    assert found.dense_cost == 16
    kernel = np.random.default_rng(0).normal(size=(6, 4, 3))
    tucker = choices(decompose_kernel(kernel, "tucker2"))
    assert tucker.dense_cost == 72
    assert len(tucker.costs) == 6


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("decay", [0.0, 0.7])
def test_layers_of_many_ranks_and_sizes_come_within_the_bound(share, decay):
    layers = spectral([(300, 200), (257, 301), (300, 200), (100, 391)], decay)
    budget = int(share * sum(layer.dense_cost for layer in layers.values()))
    every = allocate_by_every_rule(layers, budget)
    assert every["exact"].exact
    assert every["exact"].bound <= every["exact"].error <= min(a.error for a in every.values())


def steps(layer):
    """A layer's choices as (cost, error), the dense one last; costs rise and errors fall."""
    return [*zip(layer.costs.tolist(), layer.errors.tolist(), strict=True), (layer.dense_cost, 0.0)]


def distinct(seed):
    """Three layers whose choices are all undominated, and a budget in between."""
    rng = np.random.default_rng(seed)
    layers = {}
    for name in "abc":
        costs = np.cumsum(rng.integers(1, 9, size=5))
        errors = np.sort(rng.uniform(0.01, 1, size=5))[::-1]
        layers[name] = RankChoices(errors, costs, int(costs[-1] + rng.integers(1, 9)))
    low = smallest_budget(layers)
    high = sum(layer.dense_cost for layer in layers.values())
    return layers, int(rng.integers(low, high))


@pytest.mark.parametrize("seed", range(20))
def test_the_greedy_rule_takes_the_steepest_step_that_fits_until_none_does(seed):
    layers, budget = distinct(seed)
    places = dict.fromkeys(layers, 0)
    choices_of = {name: steps(layer) for name, layer in layers.items()}
    going = set(layers)
    while going:
        falls = {}
        for name in going:
            place, own = places[name], choices_of[name]
            if place + 1 < len(own):
                (cost, error), (more, less) = own[place : place + 2]
                falls[name] = (error - less) / (more - cost)
        if not falls:
            break
        best = max(falls, key=falls.get)
        places[best] += 1
        if sum(choices_of[name][place][0] for name, place in places.items()) > budget:
            places[best] -= 1
            going.remove(best)
    error = sum(choices_of[name][place][1] for name, place in places.items())
    assert allocate(layers, budget, "greedy").error == pytest.approx(error)


@pytest.mark.parametrize("seed", range(20))
def test_the_lagrangian_rule_is_everybody_s_best_at_the_least_price_that_fits(seed):
    layers, budget = distinct(seed)
    choices_of = [steps(layer) for layer in layers.values()]
    prices = sorted(
        (error - less) / (more - cost)
        for own in choices_of
        for (cost, error), (more, less) in itertools.combinations(own, 2)
    )
    for price in prices:  # just above each price at which somebody changes to a cheaper choice
        picked = [
            min(own, key=lambda each: each[1] + price * (1 + 1e-9) * each[0]) for own in choices_of
        ]
        if sum(cost for cost, _ in picked) <= budget:
            break
    found = allocate(layers, budget, "lagrangian")
    assert found.error == pytest.approx(sum(error for _, error in picked))
    assert found.cost == sum(cost for cost, _ in picked)
    # The dual's best value: the largest over prices of Σ min (e + α cost) − α B, linear between.
    dual = max(
        sum(min(e + price * c for c, e in own) for own in choices_of) - price * budget
        for price in [0.0, *prices]
    )
    assert found.bound == pytest.approx(dual, abs=1e-6)


@pytest.mark.parametrize("seed", range(20))
def test_the_uniform_rule_takes_the_largest_rank_that_fits(seed):
    layers, budget = distinct(seed)
    shorter = layers["a"]
    layers["a"] = RankChoices(shorter.errors[:2], shorter.costs[:2], shorter.dense_cost)

    def at(rank):
        """(rank or None, cost, error) of each layer, its own largest where it has no such rank."""
        found = {}
        for name, layer in layers.items():
            own = min(rank, len(layer.costs))
            dense = layer.dense_cost <= layer.costs[own - 1]
            cost, error = steps(layer)[-1 if dense else own - 1]
            found[name] = (None if dense else own, cost, error)
        return found

    fitting = [rank for rank in range(1, 6) if sum(c for _, c, _ in at(rank).values()) <= budget]
    found = allocate(layers, budget, "uniform")
    expected = at(max(fitting, default=1))
    assert found.ranks == {name: rank for name, (rank, _, _) in expected.items()}
    assert found.error == pytest.approx(sum(error for _, _, error in expected.values()))


@pytest.mark.parametrize("seed", range(20))
def test_uniform_energy_allows_every_layer_the_least_loss_that_fits(seed):
    layers, budget = distinct(seed)
    choices_of = [steps(layer) for layer in layers.values()]

    def at(loss):
        return [next(own for own in each if own[1] <= loss) for each in choices_of]

    losses = sorted(error for each in choices_of for _, error in each)
    loss = next(loss for loss in losses if sum(cost for cost, _ in at(loss)) <= budget)
    found = allocate(layers, budget, "uniform_energy")
    assert found.error == pytest.approx(sum(error for _, error in at(loss)))
    assert found.cost == sum(cost for cost, _ in at(loss))


EVEN = {name: RankChoices(np.array([0.9, 0.6, 0.3]), np.array([4, 8, 12]), 16) for name in "abc"}
"""Of equal steps, each worth the same: no choice is out of question."""


@pytest.mark.parametrize(
    ("budget", "resolution", "quantum"),
    # Costs go in steps of 4: as a multiple of 4, at least the share of the budget.
    [(21, None, 4), (20, 0.1, 4), (20, 0.3, 8), (21, 0.3, 8), (24, 0.5, 12), (21, 1.0, 24)],
)
def test_what_costs_are_rounded_to_is_told(budget, resolution, quantum):
    found = allocate(EVEN, budget, resolution=resolution)
    assert (found.quantum, found.exact) == (quantum, quantum == 4)
    assert found.error == pytest.approx(0.9 * 3 - 0.3 * ((budget - 12) // 4))


@pytest.mark.parametrize(
    # Beyond the cheapest choices' 12 there is a room of this budget: so many steps of the quantum.
    ("budget", "cells", "quantum"),
    [(20, 1, 8), (20, 2, 4), (21, 1, 12), (21, 2, 8), (21, 3, 4), (36, 2, 12), (36, 100, 4)],
)
def test_a_table_has_no_more_cells_than_it_may(monkeypatch, budget, cells, quantum):
    monkeypatch.setattr(allocation, "TABLE", cells * len(EVEN))
    assert allocate(EVEN, budget).quantum == quantum
    monkeypatch.setattr(allocation, "TABLE", 10**6)
    monkeypatch.setattr(allocation, "WORK", cells * 4 * len(EVEN))
    assert allocate(EVEN, budget).quantum == quantum
