"""A low-rank layer at full rank is the layer, whatever its settings are, or is refused."""

import functools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils import parametrizations

from compression import accounting
from compression.errors import ArgumentError, NotApplicableError
from compression.low_rank.decomposition import factorize
from compression.low_rank.kernels import decompose_kernel
from compression.low_rank.layers import decompose_layer, input_rows, layers_for
from compression.low_rank.running_sum import apply_weight
from compression.network import (
    layers,
    list_left_out,
    low_rank_layer,
    matrix,
    pick_layers,
    replace_layers,
)

SIDES = st.integers(1, 4)
PAIRS = st.tuples(SIDES, SIDES)
CONVOLUTIONS = st.fixed_dictionaries(
    {
        "kernel_size": PAIRS,
        "stride": st.just(1) | PAIRS,
        "padding": st.tuples(st.integers(0, 2), st.integers(0, 2))
        | st.sampled_from(["same", "valid"]),
        "dilation": st.integers(1, 2),
        "groups": st.sampled_from([1, 1, 1, 2]),
        "bias": st.booleans(),
        "padding_mode": st.sampled_from(["zeros", "circular", "reflect", "replicate"]),
    }
)
METHODS = st.sampled_from(["truncated_svd", "spatial_svd", "tucker2", "cp", "activation_aware_svd"])


@given(CONVOLUTIONS, METHODS, st.integers(0, 100))
@settings(max_examples=150, deadline=None)
def test_a_convolution_at_full_rank_is_the_layer_or_is_refused(convolution, method, seed):
    torch.manual_seed(seed)
    try:
        layer = nn.Conv2d(2, 4, **convolution).double()
    except ValueError:
        return  # torch has no such convolution
    x = torch.randn(3, 2, 11, 12, dtype=torch.float64)
    inputs = input_rows(layer, x) if layer.groups == 1 else None
    if layer.groups != 1:
        kernel = layer.weight.detach().numpy()
        stages = decompose_kernel(kernel, "truncated_svd")
        with pytest.raises(NotApplicableError, match="groups"):
            low_rank_layer(layer, stages.at(stages.max_rank))
        return
    found = decompose_layer("conv", layer, method, inputs)
    new = low_rank_layer(layer, found.at(found.max_rank))
    with torch.no_grad():
        torch.testing.assert_close(new(x), layer(x), rtol=0, atol=1e-5)
        without = layer(x) - (0 if layer.bias is None else layer.bias.reshape(-1, 1, 1))
        torch.testing.assert_close(apply_weight(layer, layer.weight, x), without, rtol=0, atol=1e-9)
        # The rows are what the weight is multiplied with: all outputs, in order.
        rows = torch.from_numpy(inputs @ matrix(layer).T)
        torch.testing.assert_close(rows, without.movedim(1, -1).reshape(-1, 4), rtol=0, atol=1e-9)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_a_layer_of_half_precision_keeps_its_type(dtype):
    torch.manual_seed(0)
    layer = nn.Linear(6, 5).to(dtype)
    new = low_rank_layer(layer, factorize(matrix(layer), 5))
    assert {p.dtype for p in new.parameters()} == {dtype}
    x = torch.randn(4, 6).to(dtype)
    torch.testing.assert_close(new(x), layer(x), rtol=0, atol=0.05)


class Doubled(nn.Linear):
    def forward(self, x):
        return 2 * super().forward(x)


class Same(nn.Conv2d):
    def __init__(self, channels):
        super().__init__(channels, channels, 3, padding=1)


def build_hooked():
    layer = nn.Linear(4, 4)
    layer.register_forward_hook(lambda module, inputs, output: 2 * output)
    return layer


@pytest.mark.parametrize(
    ("build", "reason"),
    [
        (functools.partial(Doubled, 4, 4), "Doubled"),
        (functools.partial(Same, 4), "Same"),
        (lambda: parametrizations.weight_norm(nn.Linear(4, 4)), "ParametrizedLinear"),
        (build_hooked, "hook"),
    ],
)
def test_a_layer_that_computes_something_else_is_refused(build, reason):
    layer = build()
    weight = layer.weight.detach().numpy()
    if weight.ndim == 2:
        factors = factorize(weight, 4)
    else:
        found = decompose_kernel(weight)
        factors = found.at(found.max_rank)
    with pytest.raises(NotApplicableError, match=reason):
        low_rank_layer(layer, factors)


def test_factors_of_another_weight_are_refused():
    with pytest.raises(ArgumentError, match=r"\(4, 5\).*\(4, 4\)"):
        low_rank_layer(nn.Linear(4, 4), factorize(np.ones((4, 5)), 1))
    with pytest.raises(ArgumentError, match=r"\(4, 4\).*\(4, 2, 1, 2\)"):
        low_rank_layer(nn.Conv2d(2, 4, (1, 2)), factorize(np.eye(4), 1))


def test_subclasses_are_no_layers_and_the_reason_is_said():
    network = nn.Sequential(Doubled(4, 4), nn.ReLU(), nn.Linear(4, 4), nn.PReLU(), Same(4))
    assert list(layers(network)) == ["2"]
    assert {name: reason.split()[0] for name, reason in list_left_out(network).items()} == {
        "0": "Doubled",
        "3": "PReLU",
        "4": "Same",
    }
    assert "subclass of Linear" in list_left_out(network)["0"]
    assert list(layers_for(network, "truncated_svd", None)) == ["2"]
    with pytest.raises(ArgumentError, match=r"Doubled is a subclass of Linear.*choose from 2"):
        layers_for(network, "truncated_svd", ["0"])
    with pytest.raises(NotApplicableError, match="Doubled"):
        pick_layers(network[:1], None)


def test_grouped_convolutions_are_left_out_or_refused_by_name():
    network = nn.Sequential(nn.Conv2d(4, 4, 3), nn.Conv2d(4, 4, 3, groups=2))
    assert list(layers_for(network, "tucker2", None)) == ["0"]
    with pytest.raises(NotApplicableError, match=r"1: .*groups"):
        layers_for(network, "tucker2", ["1"])
    with pytest.raises(NotApplicableError, match="groups"):
        layers_for(network[1:], "tucker2", None)


def test_a_layer_or_weight_at_two_places_is_refused_with_both_names():
    layer = nn.Linear(4, 4)
    twice = nn.Sequential(layer, nn.ReLU(), layer)
    tied = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4), nn.Linear(4, 4))
    tied[2].weight = tied[0].weight
    for network in (twice, tied):
        for attempt in (
            lambda network=network: pick_layers(network, None),
            lambda network=network: pick_layers(network, "0"),
            lambda network=network: layers_for(network, "truncated_svd", ["0"]),
            lambda network=network: replace_layers(network, {"0": nn.Linear(4, 4)}),
        ):
            with pytest.raises(NotApplicableError, match=r"0.* and 2"):
                attempt()
    assert list(pick_layers(tied, "3")) == ["3"]  # it shares nothing


def test_an_activation_that_stands_twice_stays_at_both_places():
    relu = nn.ReLU()
    network = nn.Sequential(nn.Linear(4, 4), relu, nn.Linear(4, 4), relu)
    again = replace_layers(network, {"2": nn.Linear(4, 4)})
    assert len(again) == 4
    assert again[3] is relu
    assert accounting.macs(network) == 32
