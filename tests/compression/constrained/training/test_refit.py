"""The layer-wise refit and its certificates."""

import cvxpy as cp
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import compression
from compression.constrained.training.layer_outputs import (
    LayerInputs,
    LayerOutputs,
    layer_certificates,
)
from compression.constrained.training.refit import Refit
from compression.errors import NotApplicableError
from compression.network import bounded_of, layers, matrix
from compression.training import SampleTensors

CONVEX = [name for name in compression.CONSTRAINTS if name != "cardinality"]
EXACT = Refit(tolerance=1e-9, sweeps=20_000)


def members_of(name):
    return compression.CONSTRAINTS[name].load()()


def problem(seed=0, rows=60, inputs=7, outputs=4, bias=True):
    """A layer, its own correlated inputs x of many scales, and what is seen in their place."""
    rng = np.random.default_rng(seed)
    mixing = rng.normal(size=(inputs, inputs)) * np.geomspace(0.2, 5, inputs)
    x = rng.normal(size=(rows, inputs)) @ mixing + rng.normal(size=inputs)
    seen = 0.8 * x + 0.3 * rng.normal(size=x.shape)
    layer = torch.nn.Linear(inputs, outputs, bias=bias).double()
    layer.weight.data = torch.from_numpy(rng.normal(size=(outputs, inputs)))
    return layer, x, seen


def loss_by_hand(layer, x, seen, weight):
    """Mean squared difference of the outputs, the bias fitted by least squares."""
    y = x @ matrix(layer).T + (0 if layer.bias is None else layer.bias.detach().numpy())
    off = y - seen @ weight.T
    if layer.bias is not None:
        off = off - np.linalg.lstsq(np.ones((len(off), 1)), off, rcond=None)[0]
    return float(np.mean(np.sum(off**2, axis=1)))


def referee(layer, x, seen, constraint, bound):
    """The least loss over the set, by cvxpy: row by row where the set allows."""
    y = x @ matrix(layer).T + layer.bias.detach().numpy()
    rows = [[row] for row in range(y.shape[1])]
    if constraint in ("l1", "l2"):
        rows = [list(range(y.shape[1]))]
    total = 0.0
    for chosen in rows:
        theta, b = cp.Variable((len(chosen), seen.shape[1])), cp.Variable((1, len(chosen)))
        held = {
            "box": lambda theta: cp.abs(theta) <= bound,
            "upper": lambda theta: theta <= bound,
            "l1": lambda theta: cp.sum(cp.abs(theta)) <= bound,
            "l2": lambda theta: cp.norm(theta, "fro") <= bound,
        }[constraint](theta)
        off = y[:, chosen] - seen @ theta.T - np.ones((len(seen), 1)) @ b
        task = cp.Problem(cp.Minimize(cp.sum_squares(off) / len(seen)), [held])
        total += task.solve(solver=cp.CLARABEL)
    return total


@pytest.mark.parametrize("share", [0.05, 0.3, 0.8])
@pytest.mark.parametrize("constraint", CONVEX)
def test_the_refit_is_the_best_in_the_set_as_cvxpy_finds_it(constraint, share):
    layer, x, seen = problem()
    members, weight = members_of(constraint), matrix(layer)
    outputs = LayerOutputs.measure(layer, x, seen)
    bound = share * members.gauge(weight)
    found = EXACT.refit_layer(outputs, members, bound, weight)
    assert members.violation(found, bound) <= 1e-12 * bound
    best = referee(layer, x, seen, constraint, bound)
    assert loss_by_hand(layer, x, seen, found) == pytest.approx(
        best, rel=1e-6, abs=1e-7 * outputs.whole
    )
    assert outputs.certificate(found, members, bound).holds(1e-9)


@pytest.mark.parametrize("constraint", CONVEX)
def test_the_gap_bounds_the_distance_to_the_optimum_everywhere_and_opens_away_from_it(constraint):
    layer, x, seen = problem(seed=1)
    members, weight = members_of(constraint), matrix(layer)
    outputs = LayerOutputs.measure(layer, x, seen)
    bound = 0.3 * members.gauge(weight)
    best = referee(layer, x, seen, constraint, bound)
    optimum = EXACT.refit_layer(outputs, members, bound, weight)
    rng = np.random.default_rng(0)
    for size in (1e-3, 1e-2, 0.1, 1.0):
        near = members.project(optimum + size * bound * rng.normal(size=weight.shape), bound)
        certificate = outputs.certificate(near, members, bound)
        assert certificate.duality_gap >= certificate.error - best - 1e-7 * outputs.whole
        assert certificate.duality_gap > 0
        assert certificate.kkt_residual > 1e-6
        assert not certificate.holds(1e-9)
    assert outputs.certificate(optimum, members, bound).kkt_residual < 1e-4


@pytest.mark.parametrize("bias", [True, False])
@given(seed=st.integers(0, 1000))
@settings(max_examples=30, deadline=None)
def test_the_quadratic_is_the_mean_squared_difference_of_the_outputs(bias, seed):
    layer, x, seen = problem(seed, bias=bias)
    weight = np.random.default_rng(seed).normal(size=layer.weight.shape)
    outputs = LayerOutputs.measure(layer, x, seen)
    by_hand = loss_by_hand(layer, x, seen, weight)
    assert outputs.error(weight) == pytest.approx(by_hand, rel=1e-9)
    assert outputs.whole == pytest.approx(loss_by_hand(layer, x, seen, 0 * weight), rel=1e-9)
    if bias:
        y = x @ matrix(layer).T + layer.bias.detach().numpy()
        fitted = np.mean(y - seen @ weight.T, axis=0)
        np.testing.assert_allclose(outputs.bias(weight), fitted, rtol=1e-9)


@pytest.mark.parametrize("constraint", compression.CONSTRAINTS)
def test_a_layer_s_error_falls_as_the_bound_grows_and_is_no_more_than_clipping_s(constraint):
    layer, x, _ = problem(seed=2)
    members, weight = members_of(constraint), matrix(layer)
    outputs = LayerOutputs.measure(layer, x, x)
    way, errors = Refit(tolerance=1e-7, sweeps=5000), []
    found = weight
    for share in (1.0, 0.7, 0.5, 0.3, 0.15, 0.05):
        bound = share * members.gauge(weight)
        found = way.refit_layer(outputs, members, bound, found)
        errors.append(outputs.error(found))
        assert errors[-1] <= outputs.error(members.project(weight, bound)) + 1e-7 * outputs.whole
    assert errors[0] <= 1e-7 * outputs.whole
    if members.convex:
        assert (np.diff(errors) >= -1e-7 * outputs.whole).all()


def test_at_most_as_many_weights_as_allowed_stay_and_no_step_helps_them_any_more():
    layer, x, seen = problem(seed=3)
    members = members_of("cardinality")
    outputs = LayerOutputs.measure(layer, x, seen)
    found = Refit(tolerance=0.0, sweeps=20_000).refit_layer(outputs, members, 9, matrix(layer))
    support = found != 0
    assert support.sum() == 9
    y = x @ matrix(layer).T
    for row in range(len(found)):
        design = (seen - seen.mean(0))[:, support[row]]
        best = np.linalg.lstsq(design, y[:, row] - y[:, row].mean(), rcond=None)[0]
        np.testing.assert_allclose(found[row, support[row]], best, rtol=1e-5, atol=1e-8)
    certificate = outputs.certificate(found, members, 9)
    assert certificate.duality_gap == np.inf
    assert not certificate.holds(1.0)


@pytest.mark.parametrize("constraint", compression.CONSTRAINTS)
def test_inputs_that_never_change_are_left_to_the_bias(constraint):
    layer, x, _ = problem(seed=4)
    x[:, 2] = 3.25
    members, weight = members_of(constraint), matrix(layer)
    bound = 0.4 * members.gauge(weight)
    outputs = LayerOutputs.measure(layer, x, x)
    found = Refit(tolerance=1e-6, sweeps=5000).refit_layer(outputs, members, bound, weight)
    assert np.isfinite(found).all()
    assert members.violation(found, bound) <= 1e-9 * bound
    nothing = LayerOutputs.measure(layer, x, np.ones_like(x))
    found = Refit().refit_layer(nothing, members, bound, weight)
    assert members.violation(found, bound) <= 1e-9 * bound
    assert nothing.error(found) == pytest.approx(nothing.whole)


@pytest.mark.parametrize(
    ("dataset", "model"), [("small_images", "lenet5"), ("small_signals", "conv1d")]
)
def test_with_room_enough_convolutions_keep_their_outputs(dataset, model, request):
    dataset = request.getfixturevalue(dataset)
    reference = compression.train(dataset, model=model, epochs=1)
    curve = compression.constrained_curve(reference, dataset, bounds=[1.0], method="refit")
    x = torch.from_numpy(dataset.x_test)
    with torch.inference_mode():
        torch.testing.assert_close(curve.network(0)(x), reference.network(x), atol=1e-4, rtol=1e-4)


def test_a_convolution_s_quadratic_is_that_of_its_own_outputs(small_images):
    reference = compression.train(small_images, model="lenet5", epochs=1)
    samples = SampleTensors(small_images)
    network = compression.constrained_curve(
        reference, small_images, bounds=[0.2], method="clip"
    ).network(0)
    rows = samples.x[samples.fit]
    inputs = LayerInputs(reference.network, samples, ["conv2"])
    ((name, outputs),) = inputs.outputs(reference.network)
    assert name == "conv2"
    with torch.inference_mode():
        before = reference.network[:4](rows)
        y, clipped = reference.network.conv2(before), network.conv2(before)
    off = (y - clipped).double().numpy()
    off -= off.mean(axis=(0, 2, 3), keepdims=True)
    expected = (off**2).sum(axis=1).mean()
    error = outputs.error(matrix(network.conv2).astype(float))
    assert error == pytest.approx(expected, rel=1e-5)


def test_a_layer_is_fitted_to_what_the_refitted_ones_before_it_give(digits, digits_mlp):
    samples = SampleTensors(digits)
    inputs = LayerInputs(digits_mlp.network, samples, ["fc1", "fc2", "fc3"])
    network = compression.constrained_curve(
        digits_mlp, digits, bounds=[0.3], method="refit"
    ).network(0)
    found = dict(inputs.outputs(network))
    rows = samples.x[samples.fit]
    with torch.inference_mode():
        y = digits_mlp.network[:3](rows).double().numpy()  # fc2's outputs in the reference
        seen = network[:2](rows).double().numpy()  # what fc2 sees now
        own = network.fc2.bias.numpy()
    np.testing.assert_allclose(
        found["fc2"].cross, (y - y.mean(0)).T @ (seen - seen.mean(0)) / len(y), atol=1e-5
    )
    weight = matrix(network.fc2).astype(float)
    np.testing.assert_allclose(own, (y - seen @ weight.T).mean(0), atol=1e-5)


@pytest.mark.parametrize("constraint", ["box", "l1", "l2"])
def test_every_refitted_layer_is_certified_from_the_network_alone(constraint, digits, digits_mlp):
    curve = compression.constrained_curve(
        digits_mlp, digits, constraint, bounds=[0.1, 0.5], method="refit"
    )
    clipped = compression.constrained_curve(
        digits_mlp, digits, constraint, bounds=[0.1], method="clip"
    )
    for row in range(2):
        table = layer_certificates(digits_mlp, digits, curve.network(row))
        assert list(table["layer"]) == ["fc1", "fc2", "fc3"]
        # float32 rounds what was certified in float64
        assert (table["duality_gap"] <= Refit().tolerance * 1.01).all()
        assert table["error"].between(0, 1).all()
    other = layer_certificates(digits_mlp, digits, clipped.network(0))
    assert (other["duality_gap"] > Refit().tolerance).any()


def test_only_networks_with_a_bound_are_certified(digits, digits_mlp):
    with pytest.raises(NotApplicableError, match="no layer of this network has a bound"):
        layer_certificates(digits_mlp, digits, digits_mlp.network)


def test_a_dead_layer_is_refitted_without_a_stumble(digits, digits_mlp):
    import copy
    from dataclasses import replace

    network = copy.deepcopy(digits_mlp.network)
    network.fc1.bias.data.fill_(-1e3)  # no unit of the first layer ever fires
    dead = replace(digits_mlp, network=network)
    for constraint in compression.CONSTRAINTS:
        curve = compression.constrained_curve(
            dead, digits, constraint, bounds=[0.3], method="refit"
        )
        assert np.isfinite(curve.table["train_loss"]).all()
        table = layer_certificates(dead, digits, curve.network(0))
        assert not table.isna().any().any()
        assert all(bounded_of(layer) for layer in layers(curve.network(0)).values())
