"""A layer's weight at every bound: counted in full, thinned, and as its files hold it."""

import numpy as np
import pytest

import compression
from compression import storage
from compression.constrained.training.baselines import Clipping
from compression.constrained.training.recorder import Recorder
from compression.constrained.weight_history import (
    MAX_CELLS,
    find_two_largest,
    layer_history,
)
from compression.weight_states import FREE, LOWER, UPPER, ZERO, WeightState


def test_a_small_weight_is_kept_whole_and_a_large_one_thinned_but_counted_in_full():
    for shape, strides in (((100, 100), (1, 1)), ((300, 784), None)):
        ones = np.ones(shape)
        states = np.full(shape, UPPER, np.int8)
        found = layer_history("fc1", ones, [ones], [states], [1.0], True)
        if strides:
            assert found.strides == strides
        down, across = found.strides
        assert found.weights[0].shape == ones[::down, ::across].shape
        assert found.weights[0].size <= MAX_CELLS
        assert found.state_counts[0, UPPER] == ones.size


@pytest.mark.parametrize("bound", [0.013, 0.2, 0.5, 0.97])
def test_a_bound_of_each_weight_is_an_edge_of_equal_bins_that_hold_all_weights(bound):
    reference = np.random.default_rng(0).uniform(-1, 1, (20, 30))
    weight = np.clip(reference, -bound, bound)
    states = np.select([weight == bound, weight == -bound], [UPPER, LOWER], FREE).astype(np.int8)
    found = layer_history("fc1", reference, [weight], [states], [bound], True)
    (edges,) = found.edges
    assert {-bound, bound} <= set(edges)
    assert np.allclose(np.diff(edges[1:-1]), edges[2] - edges[1])
    assert found.reference_counts[0].sum() == reference.size
    free = found.free_counts[0]
    assert free.sum() == np.count_nonzero(np.abs(reference) < bound)
    assert free[(edges[1:] > bound) | (edges[:-1] < -bound)].sum() == 0


def test_without_a_bound_of_each_weight_the_bins_are_the_same_for_every_bound():
    weights = [np.full((2, 2), 0.5), np.full((2, 2), 0.25)]
    states = [np.full((2, 2), FREE, np.int8)] * 2
    found = layer_history("fc1", np.ones((2, 2)), weights, states, [0.5, 1.0], False)
    assert np.array_equal(*found.edges)
    assert not {0.5, 1.0} & set(found.edges[0][1:-1])


def test_the_two_largest_weights_are_numbered_row_by_row():
    assert find_two_largest(np.array([[0.1, -3.0, 0.0], [2.0, 1.0, -2.0]])) == (1, 3)


@pytest.mark.parametrize("constraint", ["box", "l1"])
def test_recorded_weights_and_states_are_those_of_the_files(digits, digits_mlp, constraint):
    recorder = Recorder(Clipping(), constraint)
    bounds = [0.2, 0.5, 1.0]
    curve = compression.constrained_curve(digits_mlp, digits, constraint, bounds, method=recorder)
    histories = recorder.histories(digits_mlp.network)
    assert list(curve.table["knob"]) == bounds
    for row in range(len(bounds)):
        network = curve.network(row)
        assert curve.file(row) == storage.to_bytes(network)
        assert len(curve.file(row)) == curve.table["bytes"][row]
        for name, rows in histories.items():
            weight = getattr(network, name).weight.detach().numpy()
            down, across = rows.strides
            assert np.array_equal(rows.weights[row], weight[::down, ::across])
            counts = np.zeros(len(WeightState), int)
            counts[ZERO] = (weight == 0).sum()
            if constraint == "box":
                bound = np.float32(rows.bounds[row])
                counts[[LOWER, UPPER]] = (weight == -bound).sum(), (weight == bound).sum()
            counts[FREE] = weight.size - counts.sum()
            assert list(rows.state_counts[row]) == list(counts)
            assert rows.free_counts[row].sum() == counts[FREE]
    assert recorder.facts(bounds) is None
    assert recorder.multipliers is None


def test_a_layer_without_a_bound_is_free_and_has_none(digits, digits_mlp):
    recorder = Recorder(Clipping(), "box")
    compression.constrained_curve(digits_mlp, digits, "box", [0.5], layers=["fc1"], method=recorder)
    other = recorder.histories(digits_mlp.network)["fc2"]
    assert np.isnan(other.bounds).all()
    assert (other.states == FREE).all()
