"""Quantisation-aware training of every family: what is trained is what the file holds."""

import copy
from functools import partial

import numpy as np
import pytest
import torch

import compression
from compression import storage
from compression.catalog import CONSTRAINTS
from compression.network import bounded_of, grid_of, layers, matrix
from compression.straight_through import attach_rounding, freeze, train_quantized
from compression.training import SampleTensors, Trainer
from tests.compression.families import FAMILIES


@pytest.fixture(scope="module")
def samples(digits, small_images, small_signals):
    return {
        64: SampleTensors(digits),
        144: SampleTensors(small_images),
        16: SampleTensors(small_signals),
    }


def samples_of(network, samples):
    return samples[compression.network.features_of(network)]


def trainer(samples, network, project=None):
    return Trainer(network, samples, 1e-2, 64, 0, project)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("bits", [1, 3])
def test_the_forward_pass_in_training_is_the_stored_model_s_bit_by_bit(
    families, samples, family, bits
):
    network, own = families[family], samples_of(families[family], samples)
    learning = copy.deepcopy(network)
    rounding = attach_rounding(learning, bits)
    trainer(own, learning, lambda: [part.project() for part in rounding.values()]).run_epoch()
    stored = storage.from_bytes(storage.to_bytes(freeze(learning, rounding, network)))
    assert torch.equal(learning(own.x), stored(own.x))
    moved = False
    for name, layer in layers(stored).items():
        assert grid_of(layer).bits == bits  # the file holds codes: no weight has left its grid
        moved |= not np.array_equal(matrix(layer), matrix(layers(network)[name]))
        before, after = bounded_of(layers(network)[name]), bounded_of(layer)
        if before is None:
            continue
        states = [
            storage.states(matrix(one), note)
            for one, note in ((layers(network)[name], before), (layer, after))
        ]
        np.testing.assert_array_equal(*states)
        if CONSTRAINTS[before.constraint].elementwise:
            assert CONSTRAINTS[before.constraint].load()().violation(
                matrix(layer), before.bound
            ) == pytest.approx(0, abs=1e-7)
    assert moved


@pytest.mark.parametrize("family", FAMILIES)
def test_training_with_the_rounding_lowers_the_loss_of_rounding_alone(families, samples, family):
    network, own = families[family], samples_of(families[family], samples)

    def loss(found):
        with torch.inference_mode():
            return float(torch.nn.functional.cross_entropy(found(own.x[own.fit]), own.y[own.fit]))

    before = storage.to_bytes(network)
    trained = train_quantized(network, 2, 3, partial(trainer, own))
    assert loss(trained) < loss(compression.quantize(network, 2))
    assert storage.to_bytes(network) == before


def test_32_bits_train_the_network_as_it_is(families, samples):
    network = train_quantized(families["dense"], 32, 1, partial(trainer, samples[64]))
    plain = copy.deepcopy(families["dense"])
    trainer(samples[64], plain).run_epoch()
    assert storage.to_bytes(network) == storage.to_bytes(plain)


@pytest.mark.parametrize("constraint", ["l1", "l2", "upper"])
def test_real_weights_stay_in_their_set(digits, digits_mlp, samples, constraint):
    curve = compression.constrained_curve(digits_mlp, digits, constraint, [0.3], method="clip")
    learning = curve.network(0)
    rounding = attach_rounding(learning, 3)
    trainer(
        samples[64], learning, lambda: [part.project() for part in rounding.values()]
    ).run_epoch()
    for layer in learning.modules():
        if (note := bounded_of(layer)) is not None:
            real = layer.parametrizations.weight.original.detach().numpy()
            members = CONSTRAINTS[constraint].load()()
            assert members.violation(real, note.bound) <= 1e-5 * note.bound
