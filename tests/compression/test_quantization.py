import copy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import compression
from compression import accounting, storage
from compression.errors import ArgumentError
from compression.few_bits import clipping_error
from compression.grid import BITS, FEW_BITS, Grid
from compression.network import LayerBound, bounded_of, layers, matrix, set_bounded
from compression.quantization import rounding_errors

FEW = FEW_BITS


@pytest.fixture(scope="module")
def curve(digits, digits_mlp):
    return compression.constrained_curve(digits_mlp, digits, bounds=[0.1, 0.3, 1.0], epochs=1)


def one_layer(weight, bounded):
    layer = torch.nn.Linear(weight.shape[1], weight.shape[0])
    layer.weight.data = torch.from_numpy(weight.copy())
    set_bounded(layer, bounded)
    return torch.nn.Sequential(layer)


def weight_of(network):
    return matrix(next(iter(layers(network).values())))


weights = hnp.arrays(
    np.float32,
    st.tuples(st.integers(1, 7), st.integers(1, 7)),
    elements=st.one_of(
        st.sampled_from([0.5, -0.5, 0.0, -0.0, np.float32(0.4999)]),
        st.floats(-0.5, 0.5, width=32),
    ),
)


@given(weights, st.sampled_from(FEW))
@settings(max_examples=200, deadline=None)
def test_the_file_gives_back_the_quantised_weights_bit_by_bit(weight, bits):
    network = compression.quantize(one_layer(weight, LayerBound("box", 0.5)), bits)
    again = storage.from_bytes(storage.to_bytes(network))
    assert weight_of(again).tobytes() == weight_of(network).tobytes()
    assert bounded_of(again[0]) == bounded_of(network[0])
    assert storage.to_bytes(again) == storage.to_bytes(network)


@given(weights, st.sampled_from(FEW))
@settings(max_examples=200, deadline=None)
def test_a_weight_of_a_box_moves_by_half_a_step_at_most_and_keeps_its_state(weight, bits):
    network = one_layer(weight, LayerBound("box", 0.5))
    quantized = compression.quantize(network, bits)
    (line,) = rounding_errors(network, quantized).to_dict("records")
    assert line["step"] == 2 * 0.5 / 2**bits
    moved = np.abs(weight_of(quantized).astype(float) - weight)
    assert moved.max() <= line["step"] / 2 * (1 + 1e-6)
    assert line["largest_error"] == moved.max()
    assert line["rms_error"] == pytest.approx(np.sqrt(np.mean(moved**2)))
    held = (np.abs(weight) == 0.5) | ((weight == 0) & ~np.signbit(weight))
    np.testing.assert_array_equal(moved[held], 0)
    assert line["free"] == np.sum(~held)
    assert accounting.parameters(quantized) == accounting.parameters(network)


@given(weights, st.sampled_from(FEW))
@settings(max_examples=100, deadline=None)
def test_quantising_twice_is_quantising_once(weight, bits):
    once = compression.quantize(one_layer(weight, LayerBound("box", 0.5)), bits)
    twice = compression.quantize(once, bits)
    assert weight_of(twice).tobytes() == weight_of(once).tobytes()


@pytest.mark.parametrize("constraint", compression.CONSTRAINTS)
def test_other_sets_spread_their_cells_up_to_about_the_largest_free_weight(constraint):
    weight = np.random.default_rng(0).normal(size=(30, 20)).astype(np.float32)
    members = compression.CONSTRAINTS[constraint].load()()
    bound = float(np.float32(0.4 * members.gauge(weight)))
    weight = members.project(weight, bound)
    network = one_layer(weight, LayerBound(constraint, bound))
    quantized = compression.quantize(network, 4)
    kept = storage.states(weight, LayerBound(constraint, bound)) == 0
    free = weight[kept]
    rounded, step = weight_of(quantized), rounding_errors(network, quantized)["step"][0]
    assert len(np.unique(rounded[kept])) <= 16
    largest = np.abs(free).max()
    if members.elementwise:
        low = bound if members.bounded else largest
        assert step == pytest.approx((bound + low) / 16)
        assert rounded.max() <= bound
        assert members.violation(rounded, bound) == 0
    else:
        assert step <= 2 * largest / 15 * (1 + 1e-6)
        plain = Grid(4, -largest, largest)
        widest = plain.values(plain.codes(free), np.dtype(np.float64))
        assert ((rounded[kept] - free) ** 2).sum() <= ((widest - free) ** 2).sum()


@pytest.mark.parametrize("bits", FEW)
def test_free_weights_take_as_many_bits_as_they_were_given(bits):
    weight = np.random.default_rng(0).uniform(-0.4, 0.4, (64, 64)).astype(np.float32)
    weight[::2] = 0.5
    network = one_layer(weight, LayerBound("box", 0.5))
    plain = len(storage.to_bytes(network))
    quantised = len(storage.to_bytes(compression.quantize(network, bits)))
    assert plain - quantised == pytest.approx(32 * 64 * (32 - bits) / 8, abs=120)


def test_a_weight_that_left_its_grid_is_saved_as_it_is(curve):
    network = compression.quantize(curve.network(1), 4)
    with torch.no_grad():
        network.fc2.weight[3, 4] += 1e-4
    again = storage.from_bytes(storage.to_bytes(network))
    assert torch.equal(again.fc2.weight, network.fc2.weight)
    assert bounded_of(again.fc2).grid is None
    assert bounded_of(again.fc1).grid == bounded_of(network.fc1).grid


@pytest.mark.parametrize("tiny", [1e-45, 1e-39, 1e-30])
def test_bounds_near_the_smallest_numbers_come_back_too(tiny):
    weight = np.array([[tiny, -tiny / 3, 0.0, tiny / 5]], np.float32)
    network = one_layer(weight, LayerBound("box", float(weight[0, 0])))
    network = compression.quantize(network, 16)
    again = storage.from_bytes(storage.to_bytes(network))
    assert weight_of(again).tobytes() == weight_of(network).tobytes()


def test_a_grid_s_middles_are_the_nearest_of_its_points():
    grid = Grid(3, -1.0, 1.0)
    points = grid.values(np.arange(8, dtype=np.uint16), np.dtype(np.float64))
    np.testing.assert_allclose(points, [-0.875, -0.625, -0.375, -0.125, 0.125, 0.375, 0.625, 0.875])
    values = np.linspace(-1, 1, 1001)
    nearest = np.abs(values[:, None] - points).min(axis=1)
    rounded = grid.values(grid.codes(values), np.dtype(np.float64))
    np.testing.assert_allclose(np.abs(values - rounded), nearest, atol=1e-12)


def test_32_bits_change_nothing_and_the_network_given_is_never_changed(curve):
    network = curve.network(1)
    before = storage.to_bytes(network)
    off = compression.quantize(network, 32)
    assert storage.to_bytes(off) == before
    errors = rounding_errors(network, off)
    assert (errors[["step", "largest_error", "rms_error"]] == 0).all().all()
    compression.quantize(network, 2)
    assert storage.to_bytes(network) == before


@pytest.mark.parametrize("bits", [0, -1, 17, 31, 33, 2.5, True, None, "8", float("nan")])
def test_other_bits_are_refused_with_the_possible_ones(curve, bits):
    with pytest.raises(ArgumentError, match="1 to 16, or 32"):
        compression.quantize(curve.network(0), bits)


@pytest.fixture(scope="module")
def over_bits(curve, digits, digits_mlp):
    return compression.quantized_curve(digits_mlp, digits, [(b, curve.network(1), b) for b in BITS])


def test_a_curve_over_bits_judges_the_quantised_network_and_its_file(over_bits, curve, digits):
    assert list(over_bits.table["bits"]) == list(over_bits.table["knob"]) == list(BITS)
    for row in (0, 6, 15):
        network, line = over_bits.network(row), over_bits.table.iloc[row]
        expected = compression.quantize(curve.network(1), BITS[row])
        assert storage.to_bytes(network) == storage.to_bytes(expected)
        assert line["bytes"] == len(storage.to_bytes(network))
        assert line["step"] == rounding_errors(curve.network(1), expected)["step"].max()
        with torch.inference_mode():
            predicted = network(torch.from_numpy(digits.x_test)).numpy().argmax(1)
        assert line["score"] == (predicted == digits.y_test).mean()
    same = ["parameters", "train_loss", "validation_score", "score", "bytes"]
    assert (over_bits.table.iloc[-1][same] == curve.table.iloc[1][same]).all()
    assert over_bits.table["parameters"].nunique() == 1
    assert over_bits.table["bytes"].is_monotonic_increasing


def test_errors_of_a_row_are_those_of_all_its_weights_together(over_bits, curve, digits_mlp):
    plain, rough = curve.network(1), over_bits.network(2)
    cut, rounded = [], []
    for name, layer in layers(plain).items():
        reference = matrix(layers(digits_mlp.network)[name]).astype(float)
        bound = bounded_of(layer).bound
        cut.append((reference - np.clip(reference, -bound, bound)).ravel())
        rounded.append((matrix(layers(rough)[name]).astype(float) - matrix(layer)).ravel())
    cut, rounded = np.concatenate(cut), np.concatenate(rounded)
    line = over_bits.table.iloc[2]
    assert line["clipping_error"] == pytest.approx(np.sqrt(np.mean(cut**2)), rel=1e-6)
    assert line["rounding_error"] == pytest.approx(np.sqrt(np.mean(rounded**2)), rel=1e-6)
    assert line["largest_rounding_error"] == pytest.approx(np.abs(rounded).max(), rel=1e-6)


def test_a_smaller_bound_clips_more_and_rounds_finer(curve, digits, digits_mlp):
    rows = [(c, curve.network(row), 4) for row, c in enumerate(curve.table["knob"])]
    table = compression.quantized_curve(digits_mlp, digits, rows, "relative bound").table
    assert list(table["knob"]) == list(curve.table["knob"])
    assert table["clipping_error"].is_monotonic_decreasing
    assert table["clipping_error"].iloc[-1] == 0
    assert table["step"].is_monotonic_increasing
    assert clipping_error(digits_mlp.network, curve.network(0)) == table["clipping_error"][0]


def test_the_fewest_bits_are_chosen_on_the_validation_score(over_bits):
    table = over_bits.table.copy()
    table["validation_score"] = np.where(table["bits"] >= 5, 0.9, 0.5)
    table["score"] = 0.1
    assert compression.fewest_bits(table) == 5
    assert compression.fewest_bits(table, allowed=0.5) == 1


def test_a_curve_that_is_told_to_stop_keeps_its_rows(curve, digits, digits_mlp):
    rows = [(b, curve.network(1), b) for b in BITS]
    stopped = compression.quantized_curve(
        digits_mlp, digits, rows, report=lambda done, total, so_far: len(so_far().table) < 2
    )
    assert list(stopped.table["bits"]) == [1, 2]


def test_convolutions_are_quantised_too(small_images):
    reference = compression.train(small_images, model="lenet5", epochs=1)
    curve = compression.constrained_curve(reference, small_images, bounds=[0.5], epochs=1)
    quantized = compression.quantize(curve.network(0), 4)
    assert list(layers(quantized)) == ["conv1", "conv2", "fc1", "fc2", "fc3"]
    again = storage.from_bytes(storage.to_bytes(quantized))
    for name, layer in layers(quantized).items():
        assert torch.equal(layers(again)[name].weight, layer.weight)
    assert copy.deepcopy(again).conv1.bounded.grid.bits == 4
