"""What a layer's rank costs the loss: held to traces, to Hessians, and to trying everything."""

import itertools
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

import compression
from compression.low_rank.allocation import allocate
from compression.low_rank.decomposition import Decomposition
from compression.low_rank.kernels import decompose_kernel
from compression.low_rank.layers import decompose_layer
from compression.low_rank.networks import Ranks, prepare
from compression.low_rank.objectives import (
    OBJECTIVES,
    curvature_losses,
    output_curvatures,
    quadratic_errors,
)
from compression.low_rank.rank_choices import RankChoices
from compression.low_rank.starvation import describe_starved
from compression.training import SampleTensors


def moment(size, generator, samples=None):
    rows = generator.normal(size=(samples or 2 * size, size)) + 0.5
    return rows.T @ rows / len(rows)


def half_traces(changes, output_moment, input_moment):
    return [np.trace(output_moment @ d @ input_moment @ d.T) / 2 for d in changes]


@pytest.mark.parametrize("shape", [(5, 8), (8, 5), (6, 6)])
@pytest.mark.parametrize(
    "method", ["truncated_svd", "activation_aware_svd", "covariance_eigenvectors", "randomized_svd"]
)
def test_quadratic_errors_are_the_traces_of_what_each_rank_changes(shape, method):
    generator = np.random.default_rng(0)
    layer = nn.Linear(shape[1], shape[0]).double()
    inputs = generator.normal(size=(20, shape[1]))
    found = decompose_layer("fc", layer, method, inputs)
    g, a = moment(shape[0], generator), moment(shape[1], generator, samples=3)
    changes = [found.weight - found.at(k).weight for k in range(1, found.max_rank + 1)]
    expected = half_traces(changes, g, a)
    np.testing.assert_allclose(quadratic_errors(found, g, a), expected, rtol=1e-9, atol=1e-12)


def test_quadratic_errors_count_what_even_the_full_rank_leaves_out():
    generator = np.random.default_rng(1)
    weight, left, right = (generator.normal(size=s) for s in ((6, 7), (6, 3), (3, 7)))
    found = Decomposition(
        left=left, right=right, errors=np.ones(4), singular_values=np.ones(3), weight=weight
    )
    g, a = moment(6, generator), moment(7, generator)
    expected = half_traces([weight - left[:, :k] @ right[:k] for k in (1, 2, 3)], g, a)
    np.testing.assert_allclose(quadratic_errors(found, g, a), expected, rtol=1e-9)


def test_truncating_the_weighted_matrix_loses_half_the_tail_of_its_squared_spectrum():
    # Ŵ = G^-½ (G^½ W A^½)_k A^-½ is the best Ŵ of rank k for this objective: its tail.
    generator = np.random.default_rng(2)
    weight, g, a = generator.normal(size=(6, 9)), moment(6, generator), moment(9, generator)
    roots = []
    for matrix in (g, a):
        values, vectors = np.linalg.eigh(matrix)
        roots.append((vectors * np.sqrt(values)) @ vectors.T)
    u, s, vt = np.linalg.svd(roots[0] @ weight @ roots[1], full_matrices=False)
    best = Decomposition(
        left=np.linalg.solve(roots[0], u * s),
        right=np.linalg.solve(roots[1], vt.T).T,
        errors=np.append(s, 0.0),
        singular_values=s,
        weight=weight,
    )
    tails = [np.sum(s[k:] ** 2) / 2 for k in range(1, 7)]
    np.testing.assert_allclose(quadratic_errors(best, g, a), tails, rtol=1e-7, atol=1e-9)
    plain = quadratic_errors(decompose_layer("fc", _linear(weight), "truncated_svd"), g, a)
    assert (plain[:-1] >= np.array(tails[:-1]) - 1e-9).all()


def _linear(weight):
    layer = nn.Linear(weight.shape[1], weight.shape[0]).double()
    layer.weight.data = torch.from_numpy(weight)
    return layer


@pytest.mark.parametrize("method", ["truncated_svd", "tucker2", "cp", "spatial_svd"])
def test_quadratic_errors_of_a_kernel_are_those_of_its_unfolding(method):
    generator = np.random.default_rng(3)
    kernel = generator.normal(size=(5, 3, 2, 2))
    found = decompose_kernel(kernel, method)
    g, a = moment(5, generator), moment(12, generator)
    ranks = range(1, found.max_rank + 1)
    changes = [(kernel - found.at(k).kernel).reshape(5, 12) for k in ranks]
    expected = half_traces(changes, g, a)
    np.testing.assert_allclose(quadratic_errors(found, g, a), expected, rtol=1e-7, atol=1e-12)


TASKS = {"classification": 3, "regression": 1}


def tiny(task, rows, seed=0):
    """A network of three layers, and samples of which all are fitted."""
    torch.manual_seed(seed)
    network = nn.Sequential(
        *(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, TASKS[task]))
    ).double()
    x = torch.randn(rows, 4, dtype=torch.float64)
    y = torch.arange(rows) % 3 if task == "classification" else torch.randn(rows).double()
    samples = SimpleNamespace(x=x, y=y, fit=torch.arange(rows), task=task, trained=rows)
    return network, samples


def mean_loss(network, samples, **changed):
    """The loss with some parameters replaced."""
    outputs = torch.func.functional_call(network, changed, samples.x)
    if samples.task == "classification":
        return functional.cross_entropy(outputs, samples.y)
    return 0.5 * functional.mse_loss(outputs[:, 0], samples.y)


def ranks_of(network, samples, method="truncated_svd"):
    layers = {name: part for name, part in network.named_children() if isinstance(part, nn.Linear)}
    return prepare(SimpleNamespace(network=network, seed=0), samples, method, list(layers))


@pytest.mark.parametrize("task", TASKS)
def test_output_curvatures_are_the_hessians_of_the_loss_in_the_biases(task):
    # A bias moves a layer's outputs of every sample alike; the rest of the network is linear
    # around the reference, so that its Hessian is the mean of J' H J: G itself.
    network, samples = tiny(task, rows=40)
    all_ranks = ranks_of(network, samples)
    found = output_curvatures(all_ranks, samples.x, task)
    for name, layer in all_ranks.layers.items():
        expected = torch.autograd.functional.hessian(
            lambda bias, name=name: mean_loss(network, samples, **{f"{name}.bias": bias}),
            layer.bias.detach(),
        )
        np.testing.assert_allclose(found[name], expected, atol=1e-10)


@pytest.mark.parametrize("task", TASKS)
def test_curvature_losses_are_the_second_order_expansion_of_the_loss(task):
    # For one sample the Kronecker factors are exact.
    network, samples = tiny(task, rows=1)
    all_ranks = ranks_of(network, samples)
    losses = curvature_losses(all_ranks, samples)
    compared = 0
    for name, layer in all_ranks.layers.items():
        hessian = torch.autograd.functional.hessian(
            lambda weight, name=name: mean_loss(network, samples, **{f"{name}.weight": weight}),
            layer.weight.detach(),
        ).reshape(layer.weight.numel(), -1)
        decomposition = all_ranks.decompositions[name]
        for rank in range(1, decomposition.max_rank):
            change = decomposition.weight - decomposition.at(rank).weight
            step = torch.from_numpy(change.ravel())
            assert losses[name][rank - 1] == pytest.approx(float(step @ hessian @ step) / 2)
            compared += losses[name][rank - 1] > 1e-6
    assert compared > 2


def test_curvature_losses_are_what_the_squared_loss_gains_at_its_minimum():
    # The loss is quadratic in the last layer's weight, its curvature the same for all samples.
    network, samples = tiny("regression", rows=400)
    samples.y = network(samples.x)[:, 0].detach()  # at a minimum: no first-order term
    weight = network[4].weight.detach()
    after = mean_loss(network, samples, **{"4.weight": 0.9 * weight})
    all_ranks = ranks_of(network, samples)
    kept = Decomposition(
        left=0.9 * weight.numpy(),
        right=np.eye(4),
        errors=np.ones(5),
        singular_values=np.ones(4),
        weight=weight.numpy(),
    )
    own = Ranks(network, {"4": all_ranks.layers["4"]}, {"4": kept})
    assert curvature_losses(own, samples)["4"][-1] == pytest.approx(float(after.detach()))


def test_methods_that_move_the_mean_into_the_bias_lose_by_the_centred_inputs():
    network, samples = tiny("regression", rows=60)
    samples.y = network(samples.x)[:, 0].detach()
    all_ranks = ranks_of(network, samples, "activation_aware_svd")
    own = Ranks(network, {"2": all_ranks.layers["2"]}, {"2": all_ranks.decompositions["2"]})
    inputs = network[:2](samples.x).detach().numpy()
    g = output_curvatures(own, samples.x, "regression")["2"]
    found = all_ranks.decompositions["2"]
    changes = [found.weight - found.at(k).weight for k in range(1, 5)]
    expected = half_traces(changes, g, np.cov(inputs.T, bias=True))
    np.testing.assert_allclose(curvature_losses(own, samples)["2"], expected, atol=1e-9)


def test_measured_losses_are_those_of_the_network_with_one_layer_truncated(digits, digits_mlp):
    all_ranks = prepare(digits_mlp, SampleTensors(digits), "truncated_svd")
    losses = OBJECTIVES["measured"](all_ranks, SampleTensors(digits))
    for name, ranks in {"fc1": (1, 2, 51), "fc3": (1, 2, 9)}.items():
        curve = compression.low_rank_curve(digits_mlp, digits, ranks=ranks, layers=name)
        gains = curve.table["train_loss"] - curve.reference["train_loss"]
        for rank, gain in zip(ranks, gains, strict=True):
            assert losses[name][rank - 1] == pytest.approx(max(gain, 0), rel=1e-3, abs=1e-4)
        assert (np.diff(losses[name]) <= 0).all()
        assert losses[name][-1] == 0


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("method", ["truncated_svd", "activation_aware_svd"])
def test_the_exact_rule_is_the_best_of_all_ranks_under_each_objective(objective, method):
    network, samples = tiny("classification", rows=50)
    all_ranks = ranks_of(network, samples, method)
    errors = OBJECTIVES[objective](all_ranks, samples)
    layers = {
        name: RankChoices(errors[name], found.parameters[1:], found.dense_parameters)
        for name, found in all_ranks.decompositions.items()
    }
    options = {
        name: [*zip(layer.errors, layer.costs, strict=True), (0.0, layer.dense_cost)]
        for name, layer in layers.items()
    }
    for budget in (27, 33, 40, 47):
        best = min(
            sum(error for error, _ in picked)
            for picked in itertools.product(*options.values())
            if sum(cost for _, cost in picked) <= budget
        )
        assert allocate(layers, budget).error == pytest.approx(best, abs=1e-12)


def test_kernels_have_every_objective(small_signals):
    reference = compression.train(small_signals, model="conv1d", epochs=2)
    samples = SampleTensors(small_signals)
    all_ranks = prepare(reference, samples, "tucker2")
    for name, find in OBJECTIVES.items():
        for layer, losses in find(all_ranks, samples).items():
            assert losses.shape == (all_ranks.decompositions[layer].max_rank,), name
            assert (losses >= 0).all()
            assert losses[0] > losses[-1]


def test_starved_layers_are_named():
    layers = {
        "fc1": RankChoices(np.array([0.5, 0.0]), np.array([6, 12]), 9),
        "fc2": RankChoices(np.array([0.5, 0.0]), np.array([6, 12]), 9),
        "fc3": RankChoices(np.array([0.0]), np.array([4]), 3),
    }
    told = describe_starved(layers, {"fc1": 1, "fc2": None, "fc3": None})
    assert told == "fc1 has rank 1 while fc2 stays dense"
    # fc3 could not be smaller: that it stays dense takes nothing from the others.
    assert describe_starved(layers, {"fc1": 1, "fc2": 1, "fc3": None}) == ""
    assert describe_starved(layers, {"fc1": 2, "fc2": None, "fc3": 1}) == ""
    told = describe_starved(layers, {"fc1": 2, "fc2": 2}, "fc2", 4)
    assert told == "fc2 has rank 2: to tell 4 classes apart takes 3 in general"
    assert describe_starved(layers, {"fc1": 2, "fc2": 2}, "fc2", 3) == ""
    assert describe_starved(layers, {"fc1": 2, "fc2": None}, "fc2", 9) == ""
