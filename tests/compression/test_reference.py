"""A reference belongs to the dataset that it was trained on, and its network to that dataset."""

import inspect
from dataclasses import replace

import numpy as np
import pytest
from torch import nn

import compression
import data
from compression import storage
from compression.errors import ArgumentError
from pages.shared.models import tasks
from pages.shared.models.results import OWN_RECIPE

TAKING_BOTH = [
    name
    for name in compression.__all__
    if inspect.isfunction(getattr(compression, name))
    and {"reference", "dataset"} <= set(inspect.signature(getattr(compression, name)).parameters)
]
MORE = {
    "ranks_for_energy": lambda reference: {"share": 0.5},
    "quantized_curve": lambda reference: {"rows": [(4, reference.network, 4)]},
    "few_bits_curve": lambda reference: {"curve": low_rank(reference), "bits": [4]},
    "layer_certificates": lambda reference: {"network": bound_network(reference)},
}


def low_rank(reference):
    known = replace(reference, fingerprint="")
    return compression.low_rank_curve(known, data.load("digits", seed=0), ranks=[2])


def bound_network(reference):
    curve = compression.constrained_curve(
        replace(reference, fingerprint=""), data.load("digits", seed=0), bounds=[0.5], method="clip"
    )
    return curve.network(0)


def ask(name, reference, dataset):
    more = MORE.get(name, lambda reference: {})(reference)
    return getattr(compression, name)(reference, dataset, **more)


def test_the_functions_that_take_a_reference_and_a_dataset_are_found():
    assert {"low_rank_curve", "constrained_curve", "sensitivity"} <= set(TAKING_BOTH)
    assert len(TAKING_BOTH) >= 9


@pytest.mark.parametrize("name", TAKING_BOTH)
def test_a_reference_is_refused_with_another_split_of_its_dataset(name, digits_mlp):
    with pytest.raises(ArgumentError, match="training rows may stand in this test part"):
        ask(name, digits_mlp, data.load("digits", seed=1))


@pytest.mark.parametrize("name", TAKING_BOTH)
def test_a_network_of_another_number_of_features_is_refused(name, digits_mlp):
    stranger = replace(digits_mlp, fingerprint="")
    with pytest.raises(ArgumentError, match="does not take samples of 13 values"):
        ask(name, stranger, data.load("wine", seed=0))


@pytest.mark.parametrize("name", TAKING_BOTH)
def test_a_network_with_one_output_is_refused_where_there_are_classes(name, digits, digits_mlp):
    *parts, last = digits_mlp.network.named_children()
    layers = {**dict(parts), last[0]: nn.Linear(last[1].in_features, 1)}
    single = nn.Sequential()
    for part, module in layers.items():
        single.add_module(part, module)
    with pytest.raises(ArgumentError, match="the network gives 1 output, the data has 10 classes"):
        ask(name, replace(digits_mlp, network=single.eval()), digits)


def test_a_model_with_one_output_is_refused_before_it_is_trained(monkeypatch):
    from compression import models

    def sigmoid_style(*arguments):
        _, recipe = build(*arguments)
        return nn.Sequential(nn.Linear(30, 1)), recipe

    build = models.build
    monkeypatch.setattr(models, "build", sigmoid_style)
    with pytest.raises(ArgumentError, match="gives 1 output, the data has 2 classes"):
        compression.train(data.load("breast_cancer"), model="softmax_regression", epochs=1)


def test_the_fingerprint_is_the_split_and_the_values(digits):
    assert data.load("digits", seed=0).fingerprint == digits.fingerprint
    changed = [
        replace(digits, x_test=digits.x_test + np.float32(1)),
        replace(digits, y_train=(digits.y_train + 1) % 10),
        replace(digits, validation_rows=digits.fit_rows),
        replace(digits, x_train=digits.x_train[::-1]),
        data.load("digits", seed=1),
    ]
    assert len({digits.fingerprint, *(other.fingerprint for other in changed)}) == 6


def test_a_reference_knows_its_dataset_also_when_a_worker_restores_it(digits, digits_mlp):
    assert digits_mlp.fingerprint == digits.fingerprint
    file = storage.to_bytes(digits_mlp.network)
    found, restored = tasks.load_reference((file, "digits", "mlp", 0, OWN_RECIPE))
    assert list(compression.low_rank_curve(restored, found, ranks=[3]).table["knob"]) == [3]
    with pytest.raises(ArgumentError):
        compression.low_rank_curve(restored, data.load("digits", seed=1), ranks=[3])
