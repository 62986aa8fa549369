"""Where calibration inputs come from, and whether predicted errors are the realised ones."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

import compression
from compression.catalog import LOW_RANK_METHODS
from compression.errors import ArgumentError
from compression.low_rank.decomposition import break_even_rank, build
from compression.low_rank.layer_errors import layer_errors
from compression.network import LowRankLayer, layers, matrix

LOOKING = [name for name, entry in LOW_RANK_METHODS.items() if entry.needs_inputs]


def outputs(network, x):
    with torch.inference_mode():
        return network(torch.from_numpy(x)).numpy()


def input_of(network, name, x):
    """What a layer of a network sees, caught by a hook."""
    seen = []
    handle = getattr(network, name).register_forward_pre_hook(
        lambda layer, args: seen.append(args[0].numpy().copy())
    )
    outputs(network, x)
    handle.remove()
    return seen[0]


def one_after_the_other(network, method, rank, x, ridge):
    """A second way: whole weights, each layer compressed before the next one is looked at."""
    network = copy.deepcopy(network)
    for name, layer in layers(network).items():
        weight = matrix(layer)
        if rank <= break_even_rank(*weight.shape):
            chosen = build(LOW_RANK_METHODS[method].load(), ridge=ridge)
            factors = chosen.decompose(weight, input_of(network, name, x)).at(rank)
            layer.weight.data = torch.from_numpy(factors.weight)
            layer.bias.data += torch.from_numpy(factors.bias_shift)
    return network


@pytest.mark.parametrize("method", LOOKING)
def test_sequential_calibration_sees_what_the_compressed_layers_give(method, digits, digits_mlp):
    ranks = [2, 6, 30, 70]
    curve = compression.low_rank_curve(
        digits_mlp, digits, method, ranks, ridge=0.01, calibration="sequential"
    )
    fit = digits.x_train[digits.fit_rows]
    for row, rank in enumerate(ranks):
        network = one_after_the_other(digits_mlp.network, method, rank, fit, 0.01)
        expected = outputs(network, digits.x_test)
        np.testing.assert_allclose(outputs(curve.network(row), digits.x_test), expected, atol=1e-3)
        np.testing.assert_array_equal(curve.predictions[row], expected.argmax(1))


def test_a_method_that_looks_at_the_weight_alone_knows_no_calibration(digits, digits_mlp):
    tables = [
        compression.low_rank_curve(digits_mlp, digits, ranks=[3, 8], calibration=calibration).table
        for calibration in ("reference", "sequential")
    ]
    assert tables[0].equals(tables[1])
    with pytest.raises(ArgumentError, match="reference, sequential"):
        compression.low_rank_curve(digits_mlp, digits, calibration="magic")


@pytest.fixture(scope="module")
def judged_where_it_was_fitted(digits):
    return replace(digits, validation_rows=digits.fit_rows)


@pytest.mark.parametrize("method", LOOKING)
def test_predicted_errors_are_realised_on_the_inputs_that_they_were_made_for(
    method, judged_where_it_was_fitted, digits_mlp
):
    reference = replace(digits_mlp, fingerprint=judged_where_it_was_fitted.fingerprint)
    ranks, knobs = [1, 4, 9, 40], {"ridge": 0.01}
    table = layer_errors(
        reference, judged_where_it_was_fitted, method, ranks, calibration="sequential", **knobs
    )
    assert list(table["layer"]) == ["fc1", "fc2", "fc3"] * 3 + ["fc1", "fc2"]
    np.testing.assert_allclose(table["realised"], table["predicted"], rtol=1e-3)
    assert (table["predicted"] <= table["whole"]).all()

    # From the reference's inputs only the first layer's error can be known beforehand.
    table = layer_errors(reference, judged_where_it_was_fitted, method, ranks, **knobs)
    first = table[table["layer"] == "fc1"]
    np.testing.assert_allclose(first["realised"], first["predicted"], rtol=1e-3)
    later = table[(table["layer"] == "fc2") & (table["rank"] <= 9)]
    assert (abs(later["realised"] / later["predicted"] - 1) > 0.01).all()


def test_a_layer_s_realised_error_is_how_far_its_outputs_move(digits, digits_mlp):
    table = layer_errors(digits_mlp, digits, "activation_aware_svd", [5], layers="fc2")
    network = compression.low_rank_curve(
        digits_mlp, digits, "activation_aware_svd", [5], layers="fc2"
    ).network(0)
    assert isinstance(network.fc2, LowRankLayer)
    x = digits.x_train[digits.validation_rows]
    seen = input_of(digits_mlp.network, "fc2", x)
    moved = outputs(network.fc2, seen) - outputs(digits_mlp.network.fc2, seen)
    assert table["realised"].item() == pytest.approx(np.mean(np.sum(moved**2, axis=1)), rel=1e-4)


def test_errors_of_convolutions_are_those_of_their_patches(small_signals):
    reference = compression.train(small_signals, model="conv1d", epochs=2)
    fitted = replace(small_signals, validation_rows=small_signals.fit_rows)
    for method in ("activation_aware_svd", "tucker2"):
        table = layer_errors(
            replace(reference, fingerprint=fitted.fingerprint),
            fitted,
            method,
            [1, 3],
            ["conv2", "conv3"],
            calibration="sequential",
        )
        assert list(table["layer"]) == ["conv2", "conv3"] * 2
        np.testing.assert_allclose(table["realised"], table["predicted"], rtol=1e-3)


def test_errors_so_far_are_reported_and_may_be_all(digits, digits_mlp):
    def report(done, total, table):
        assert table()["rank"].nunique() == done
        return done < 2

    table = layer_errors(digits_mlp, digits, ranks=[1, 2, 3], report=report)
    assert sorted(set(table["rank"])) == [1, 2]
    assert isinstance(digits_mlp.network.fc1, nn.Linear)
