"""Graphs run by ONNX Runtime against torch, over every kind of layer and its settings."""

import copy
from collections import OrderedDict

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from torch import nn

import compression
from compression.errors import NotApplicableError, StorageError
from compression.network import LayerBound, LowRankLayer, LowRankPlusSparseLayer, set_bounded


def graph_outputs(network, path, x):
    difference = compression.export_onnx(network, path)
    assert 0 <= difference < 1e-3
    onnx.checker.check_model(path, full_check=True)
    session = onnxruntime.InferenceSession(path)
    return session.run(["outputs"], {"samples": x})[0]


def assert_same_outputs(network, features, path):
    for rows in (1, 4):
        x = np.random.default_rng(rows).standard_normal((rows, features), dtype=np.float32)
        with torch.no_grad():
            expected = copy.deepcopy(network).float()(torch.from_numpy(x)).numpy()
        np.testing.assert_allclose(
            graph_outputs(network, path, x), expected, atol=1e-4 * (1 + np.abs(expected).max())
        )


@st.composite
def convolutions(draw, channels, axes):
    groups = draw(st.sampled_from([g for g in (1, 2, 3) if channels % g == 0]))
    padding = draw(st.sampled_from(["same", "valid", *range(3)]))
    return (nn.Conv1d if axes == 1 else nn.Conv2d)(
        channels,
        groups * draw(st.integers(1, 2)),
        tuple(draw(st.integers(1, 3)) for _ in range(axes)),
        stride=1 if padding == "same" else tuple(draw(st.integers(1, 2)) for _ in range(axes)),
        padding=padding,
        dilation=tuple(draw(st.integers(1, 2)) for _ in range(axes)),
        groups=groups,
        bias=draw(st.booleans()),
        padding_mode=draw(st.sampled_from(["zeros", "reflect", "replicate", "circular"])),
    )


@st.composite
def pools(draw):
    size = tuple(draw(st.integers(1, 3)) for _ in range(2))
    return nn.MaxPool2d(
        draw(st.sampled_from([size, size[0]])),
        stride=draw(st.sampled_from([None, 1, 2, (3, 1)])),
        padding=draw(st.integers(0, min(size) // 2)),
        dilation=draw(st.integers(1, 2)),
        ceil_mode=draw(st.booleans()),
    )


@st.composite
def chains(draw):
    """Unflatten, up to three convolutions or poolings, Flatten, and a linear layer."""
    axes = draw(st.integers(1, 2))
    shape = (draw(st.integers(1, 4)), *(draw(st.integers(6, 9)) for _ in range(axes)))
    layers = [nn.Unflatten(1, shape)]
    sample = torch.zeros(2, *shape)
    for _ in range(draw(st.integers(1, 3))):
        kinds = [convolutions(sample.shape[1], axes), st.just(nn.ReLU())]
        layer = draw(st.one_of(*kinds, *([pools()] if axes == 2 else [])))
        try:
            sample = layer(sample)
        except RuntimeError:  # no window fits any more
            continue
        layers.append(layer)
    flat = draw(st.sampled_from([nn.Flatten(), nn.Flatten(2), nn.Flatten(-2, -1)]))
    sample = flat(sample)
    layers += [flat, nn.Linear(sample.shape[-1], 3, bias=draw(st.booleans()))]
    return nn.Sequential(*layers).eval(), int(np.prod(shape))


DILATED = nn.MaxPool2d(2, padding=1, dilation=2, ceil_mode=True)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(chain=chains())
@example(chain=(nn.Sequential(nn.Unflatten(1, (1, 6, 6)), DILATED, nn.Flatten()).eval(), 36))
def test_a_graph_gives_what_torch_gives_whatever_the_settings(chain, tmp_path):
    assert_same_outputs(*chain, tmp_path / "model.onnx")


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64], ids=str)
def test_a_network_of_another_type_is_a_graph_of_float32(dtype, tmp_path):
    network = nn.Sequential(nn.Unflatten(1, (1, 6)), nn.Conv1d(1, 2, 3), nn.Flatten()).to(dtype)
    assert_same_outputs(network.eval(), 6, tmp_path / "model.onnx")


def test_compressed_layers_run_as_what_they_stand_for(tmp_path):
    bounded = nn.Linear(6, 5)
    bounded.weight.data.clamp_(-0.1, 0.1)
    set_bounded(bounded, LayerBound("box", 0.1))
    parts = {
        "low_rank": LowRankLayer(
            OrderedDict(right=nn.Linear(5, 2, bias=False), left=nn.Linear(2, 4))
        ),
        "sparse": nn.Linear(5, 4, bias=False),
    }
    network = nn.Sequential(
        OrderedDict(first=bounded, act=nn.ReLU(), sum=LowRankPlusSparseLayer(**parts))
    )
    for candidate in (network, compression.quantize(network, 4), nn.Sequential(nn.Linear(6, 2))):
        assert_same_outputs(candidate.eval(), 6, tmp_path / "model.onnx")
    names = {tensor.name for tensor in onnx.load(tmp_path / "model.onnx").graph.initializer}
    assert names == {"0.weight", "0.bias"}


def test_one_module_at_two_places_runs_at_both(tmp_path):
    shared = nn.Linear(4, 4)
    assert_same_outputs(nn.Sequential(shared, nn.ReLU(), shared).eval(), 4, tmp_path / "m.onnx")


REFUSED = {
    "another layer": (nn.Sequential(nn.Linear(3, 2), nn.Tanh()), StorageError, "Tanh"),
    "samples mixed": (nn.Sequential(nn.Linear(3, 2), nn.Flatten(0)), StorageError, "mixes samples"),
    "no features": (nn.Sequential(nn.ReLU()), NotApplicableError, "number of features"),
    "values": (nn.Sequential(nn.Linear(3, 2)), StorageError, "not finite"),
}
REFUSED["values"][0][0].weight.data.fill_(float("nan"))


@pytest.mark.parametrize("case", REFUSED)
def test_what_a_graph_cannot_say_is_refused_and_no_file_appears(case, tmp_path):
    network, error, words = REFUSED[case]
    with pytest.raises(error, match=words):
        compression.export_onnx(network, tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())
