"""Compressed layers inside whole networks: every method, every kind of layer, every rank."""

import copy
from types import SimpleNamespace

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

import compression
from compression import accounting, storage
from compression.catalog import LOW_RANK_METHODS
from compression.errors import ArgumentError, NotApplicableError
from compression.low_rank import networks
from compression.low_rank.decomposition import build
from compression.low_rank.kernels import decompose_kernel
from compression.network import LowRankLayer, layers, low_rank_layer
from compression.training import SampleTensors

MODELS = {
    "mlp": ("digits", {"linear": ("fc1", "fc2", "fc3")}),
    "lenet5": ("small_images", {"conv2d": ("conv1", "conv2"), "linear": ("fc1", "fc2", "fc3")}),
    "conv1d": ("small_signals", {"conv1d": ("conv1", "conv2", "conv3"), "linear": ("fc1",)}),
}
CASES = [
    pytest.param(model, method, kind, id=f"{model}-{method}-{kind}")
    for model, (_, kinds) in MODELS.items()
    for method, entry in LOW_RANK_METHODS.items()
    for kind in kinds
    if kind in entry.layers
]
# The second convolution is the first layer that these compress.
LATER = [
    pytest.param(model, method, "later", id=f"{model}-{method}-later")
    for model, method in (
        ("lenet5", "spatial_svd"),
        ("lenet5", "tucker2"),
        ("lenet5", "cp"),
        ("conv1d", "tucker2"),
        ("conv1d", "cp"),
    )
]
RIDGE = 0.01


@pytest.fixture(scope="module")
def trained(digits, digits_mlp, small_images, small_signals):
    return {
        "mlp": (digits, digits_mlp),
        "lenet5": (small_images, compression.train(small_images, model="lenet5", epochs=2)),
        "conv1d": (small_signals, compression.train(small_signals, model="conv1d", epochs=2)),
    }


def outputs(network, x):
    with torch.inference_mode():
        return network(torch.from_numpy(x)).numpy()


def patches(layer, inputs):
    """A layer's inputs as rows, by torch's own unfolding."""
    if isinstance(layer, nn.Linear):
        return inputs.numpy()
    pairs = [tuple(getattr(layer, name)) for name in ("kernel_size", "padding", "stride")]
    if isinstance(layer, nn.Conv1d):
        inputs = inputs.unsqueeze(2)
        pairs = [(fill, *pair) for fill, pair in zip((1, 0, 1), pairs, strict=True)]
    kernel, padding, stride = pairs
    unfolded = nn.functional.unfold(inputs, kernel, padding=padding, stride=stride)
    return unfolded.transpose(1, 2).reshape(-1, unfolded.shape[1]).numpy()


def decompositions(network, names, method, x):
    """A second way to a network's decompositions: inputs caught by hooks on a forward pass."""
    seen = {}
    handles = [
        layers(network)[name].register_forward_pre_hook(
            lambda layer, args, name=name: seen.update({name: patches(layer, args[0])})
        )
        for name in names
    ]
    outputs(network, x)
    for handle in handles:
        handle.remove()
    found = {}
    for name in names:
        weight = layers(network)[name].weight.detach().numpy()
        if weight.ndim == 2:
            chosen = build(LOW_RANK_METHODS[method].load(), ridge=RIDGE, seed=0)
            found[name] = chosen.decompose(weight, seen[name])
        else:
            found[name] = decompose_kernel(weight, method, seen[name], ridge=RIDGE, seed=0)
    return found


def naive(network, found, rank):
    """Whole weights in place of factors: what a user's own loop would do."""
    network = copy.deepcopy(network)
    for name, d in found.items():
        if rank > d.max_rank:
            continue
        factors, layer = d.at(rank), layers(network)[name]
        if isinstance(layer, nn.Linear):
            weight, numbers = factors.weight, factors.parameters
        else:
            weight = factors.kernel
            numbers = sum(stage.kernel.size for stage in factors.stages)
        if numbers < layer.weight.numel():
            layer.weight.data = torch.from_numpy(np.ascontiguousarray(weight))
            layer.bias.data += torch.from_numpy(factors.bias_shift)
    return network


@pytest.mark.parametrize(("model", "method", "kind"), CASES + LATER)
def test_every_rank_gives_what_truncating_and_evaluating_naively_gives(
    model, method, kind, trained
):
    dataset, reference = trained[model]
    names = MODELS[model][1].get(kind, ("conv2",))
    curve = compression.low_rank_curve(reference, dataset, method, layers=names, ridge=RIDGE)
    samples = SampleTensors(dataset)
    all_ranks = networks.prepare(reference, samples, method, names, ridge=RIDGE)
    ranks = list(range(1, all_ranks.max_rank + 1))
    assert list(curve.table["knob"]) == ranks

    found = decompositions(reference.network, names, method, dataset.x_train[dataset.fit_rows])
    for row, (network, logits) in enumerate(all_ranks.evaluate(samples.x, ranks)):
        expected = outputs(naive(reference.network, found, ranks[row]), samples.x.numpy())
        np.testing.assert_allclose(logits.numpy(), expected, atol=1e-4)
        np.testing.assert_allclose(outputs(network(), samples.x.numpy()), expected, atol=1e-4)
        # The class may differ only where two logits are as good as equal.
        test = expected[samples.trained :]
        chosen = np.take_along_axis(test, curve.predictions[row][:, None], axis=1)[:, 0]
        assert (chosen >= test.max(axis=1) - 2e-4).all()


@pytest.mark.parametrize(("model", "method", "kind"), CASES)
def test_a_compressed_layer_costs_what_is_counted_and_survives_its_file(
    model, method, kind, trained, tmp_path
):
    dataset, reference = trained[model]
    curve = compression.low_rank_curve(
        reference, dataset, method, [1, 2], MODELS[model][1][kind], ridge=RIDGE
    )
    dense = sum(p.numel() for p in reference.network.parameters())
    for row in (0, 1):
        network, line = curve.network(row), curve.table.iloc[row]
        low_rank = [part for part in network if isinstance(part, LowRankLayer)]
        assert low_rank
        kept = sum(p.numel() for p in network.parameters())
        assert line["parameters"] == kept < dense
        with FlopCounterMode(display=False) as counter:
            network(torch.zeros(1, dataset.x_train.shape[1]))
        assert line["macs"] == counter.get_total_flops() / 2

        compression.save(network, tmp_path / "model.safetensors")
        assert line["bytes"] == (tmp_path / "model.safetensors").stat().st_size
        again = compression.load(tmp_path / "model.safetensors")
        np.testing.assert_array_equal(
            outputs(again, dataset.x_test), outputs(network, dataset.x_test)
        )
        compression.export_onnx(again, tmp_path / "model.onnx")
        session = onnxruntime.InferenceSession((tmp_path / "model.onnx").read_bytes())
        (graph,) = session.run(None, {"samples": dataset.x_test})
        np.testing.assert_allclose(graph, outputs(network, dataset.x_test), atol=1e-4)


@pytest.mark.parametrize("method", LOW_RANK_METHODS)
@pytest.mark.parametrize("model", MODELS)
def test_a_method_left_to_itself_takes_linear_layers_or_else_convolutions(model, method, trained):
    dataset, reference = trained[model]
    able, kinds = LOW_RANK_METHODS[method].layers, MODELS[model][1]
    expected = [name for kind, names in kinds.items() if kind in able for name in names]
    if "linear" in able:
        expected = list(kinds["linear"])
    if not expected:
        with pytest.raises(NotApplicableError, match="choose one of truncated_svd"):
            compression.low_rank_curve(reference, dataset, method)
        return
    compressed = compression.low_rank_curve(reference, dataset, method, [1]).network(0)
    assert [
        n for n, part in compressed.named_children() if isinstance(part, LowRankLayer)
    ] == expected


def test_a_layer_that_the_method_cannot_take_is_refused_by_name(trained):
    dataset, reference = trained["lenet5"]
    with pytest.raises(
        NotApplicableError, match=r"not: fc1 \(linear\); choose one of truncated_svd"
    ):
        compression.low_rank_curve(reference, dataset, "tucker2", layers=["conv2", "fc1"])
    with pytest.raises(ArgumentError, match="conv1, conv2, fc1, fc2, fc3"):
        compression.low_rank_curve(reference, dataset, "tucker2", layers=["conv9"])


def test_a_layer_that_is_low_rank_already_is_left_alone(trained):
    dataset, reference = trained["mlp"]
    network = compression.low_rank_curve(reference, dataset, layers="fc1", ranks=[4]).network(0)
    again = SimpleNamespace(**{**vars(reference), "network": network})
    twice = compression.low_rank_curve(again, dataset, ranks=[3]).network(0)
    assert twice.fc1.right.out_features == 4
    assert twice.fc2.right.out_features == 3
    with pytest.raises(NotApplicableError, match=r"fc1\.right: part of a layer"):
        compression.low_rank_curve(again, dataset, layers="fc1.right")


def test_a_dead_layer_is_named(trained):
    dataset, reference = trained["lenet5"]
    network = copy.deepcopy(reference.network)
    network.conv2.weight.data.zero_()
    dead = SimpleNamespace(**{**vars(reference), "network": network})
    with pytest.raises(ArgumentError, match="layer conv2: the weight is zero"):
        compression.low_rank_curve(dead, dataset, "tucker2")


def test_each_layer_may_have_its_own_rank_or_stay_dense(trained):
    dataset, reference = trained["mlp"]
    all_ranks = networks.prepare(reference, SampleTensors(dataset), "truncated_svd")
    network = all_ranks.at({"fc1": 5, "fc2": None, "fc3": 10})
    assert network.fc1.right.weight.shape == (5, 64)
    assert network.fc2 is reference.network.fc2
    assert network.fc3 is reference.network.fc3  # 10 (128 + 10) numbers are more than 1280
    assert all_ranks.at({"fc2": 3}).fc1 is reference.network.fc1
    with pytest.raises(ArgumentError, match="fc1, fc2, fc3"):
        all_ranks.at({"fc9": 1})
    with pytest.raises(ArgumentError, match="10 x 128 weight: choose 1 to 10"):
        all_ranks.at({"fc3": 11})


def test_a_layer_whose_stages_would_hold_as_many_numbers_stays_dense(trained):
    dataset, reference = trained["conv1d"]
    all_ranks = networks.prepare(reference, SampleTensors(dataset), "tucker2", "conv2")
    decomposition = all_ranks.decompositions["conv2"]
    assert decomposition.parameters[25] == decomposition.dense_parameters == 25 * 25 * 3
    assert all_ranks.at(25).conv2 is reference.network.conv2


def test_a_layer_without_a_bias_gets_one_only_for_what_moves_into_it():
    layer = nn.Linear(6, 5, bias=False)
    weight, inputs = layer.weight.detach().numpy(), 1 + np.random.default_rng(0).normal(size=(9, 6))
    for method, expected in (("truncated_svd", False), ("activation_aware_svd", True)):
        factors = compression.factorize(weight, 2, method, inputs=inputs)
        assert (low_rank_layer(layer, factors).left.bias is not None) == expected


def test_the_running_sum_needs_no_rank_to_be_asked_for_twice_or_in_steps_of_one(trained):
    for model, method, names in (
        ("mlp", "activation_aware_svd", ("fc1", "fc2")),
        ("lenet5", "spatial_svd", ("conv2",)),
        ("conv1d", "covariance_eigenvectors", ("conv2",)),
    ):
        dataset, reference = trained[model]
        samples = SampleTensors(dataset)
        all_ranks = networks.prepare(reference, samples, method, names)
        every = range(1, all_ranks.max_rank + 1)
        expected = {
            k: o for k, (_, o) in zip(every, all_ranks.evaluate(samples.x, every), strict=True)
        }
        some = [k for k in (2, 3, 7, 19, 40, 41, 60) if k <= all_ranks.max_rank]
        for rank, (_, logits) in zip(some, all_ranks.evaluate(samples.x, some), strict=True):
            torch.testing.assert_close(logits, expected[rank], atol=1e-4, rtol=0)


def test_what_no_longer_changes_is_passed_through_once_and_changes_no_answer(trained, monkeypatch):
    # conv1 of LeNet-5 pays up to rank 4, conv2 to 14: later ranks find them dense.
    dataset, reference = trained["lenet5"]
    samples = SampleTensors(dataset)
    names = ("conv1", "conv2", "fc1", "fc2", "fc3")
    all_ranks = networks.prepare(reference, samples, "truncated_svd", names)
    ranks = [1, 4, 5, 6, 14, 15, 40, 49, 50, 120]
    passes = []
    forward = nn.Conv2d.forward

    def count(layer, x):
        if layer is reference.network.conv2:
            passes.append(len(x))
        return forward(layer, x)

    monkeypatch.setattr(nn.Conv2d, "forward", count)
    found = [logits for _, logits in all_ranks.evaluate(samples.x, ranks)]
    assert sum(passes) == len(samples.x)
    for rank, logits in zip(ranks, found, strict=True):
        expected = outputs(all_ranks.at(rank), samples.x.numpy())
        np.testing.assert_allclose(logits.numpy(), expected, atol=1e-4)


def test_dense_layers_of_a_compressed_network_are_counted_once(trained):
    dataset, reference = trained["conv1d"]
    network = compression.low_rank_curve(reference, dataset, "tucker2", [1]).network(0)
    assert accounting.parameters(storage.from_bytes(storage.to_bytes(network))) == sum(
        p.numel() for p in network.parameters()
    )
