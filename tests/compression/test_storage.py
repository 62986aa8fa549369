import copy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import compression
from compression import accounting, storage
from compression.errors import StorageError
from compression.network import LayerBound, bounded_of, set_bounded

CASES = [
    ("digits", "mlp"),
    ("small_images", "lenet5"),
    ("small_signals", "conv1d"),
    ("diabetes", "linear_regression"),
]


def same_bits(a, b):
    first, second = a.state_dict(), b.state_dict()
    assert list(first) == list(second)
    return all(first[name].numpy().tobytes() == second[name].numpy().tobytes() for name in first)


@pytest.fixture(params=CASES, ids=lambda case: case[1], scope="module")
def case(request):
    dataset = request.getfixturevalue(request.param[0])
    return dataset, compression.train(dataset, model=request.param[1], epochs=1)


def test_every_architecture_comes_back_with_the_same_bits_and_outputs(case, tmp_path):
    dataset, reference = case
    path = tmp_path / "model.safetensors"
    compression.save(reference.network, path)
    again = compression.load(path)
    assert same_bits(reference.network, again)
    x = torch.from_numpy(dataset.x_test)
    assert torch.equal(again(x), reference.network(x))
    assert not again.training


def test_low_rank_and_constrained_networks_come_back_with_the_same_bits(case, tmp_path):
    dataset, reference = case
    for curve in (
        compression.low_rank_curve(reference, dataset, ranks=[1]),
        compression.constrained_curve(reference, dataset, bounds=[0.2], epochs=1),
    ):
        network = curve.network(0)
        compression.save(network, tmp_path / "m.safetensors")
        again = compression.load(tmp_path / "m.safetensors")
        assert same_bits(network, again)
        assert accounting.parameters(again) == accounting.parameters(network)
        assert storage.to_bytes(again) == storage.to_bytes(network)


@given(
    hnp.arrays(
        np.float32,
        st.tuples(st.integers(1, 9), st.integers(1, 9)),
        elements=st.sampled_from([0.5, -0.5, 0.0, 0.25, -0.125, -0.0]),
    ),
)
@settings(max_examples=200, deadline=None)
def test_a_map_of_states_keeps_every_bit(weight):
    layer = torch.nn.Linear(weight.shape[1], weight.shape[0])
    layer.weight.data = torch.from_numpy(weight.copy())
    set_bounded(layer, LayerBound("box", 0.5))
    network = torch.nn.Sequential(layer)
    again = storage.from_bytes(storage.to_bytes(network))
    assert same_bits(network, again)
    assert bounded_of(again[0]) == LayerBound("box", 0.5)


@pytest.mark.parametrize(("values", "bits"), [([0.5], 0), ([0.5, -0.5], 1), ([0.5, -0.5, 0.0], 2)])
def test_the_map_takes_as_few_bits_as_there_are_states(values, bits):
    layer = torch.nn.Linear(64, 64, bias=False)
    weight = np.random.default_rng(0).choice(np.array(values, np.float32), (64, 64))
    layer.weight.data = torch.from_numpy(weight)
    set_bounded(layer, LayerBound("box", 0.5))
    dense = copy.deepcopy(layer)
    del dense.bounded
    stored = len(storage.to_bytes(torch.nn.Sequential(layer)))
    plain = len(storage.to_bytes(torch.nn.Sequential(dense)))
    # Shannon's bound from above: states that are drawn evenly take log2 of their number each.
    most = 64 * 64 * (32 - np.log2(len(values))) / 8
    assert 64 * 64 * (32 - bits) / 8 - 120 <= plain - stored <= most + 120


def test_a_layer_whose_map_would_not_pay_is_kept_dense():
    layer = torch.nn.Linear(64, 64)
    set_bounded(layer, LayerBound("box", layer.weight.abs().max().item()))
    plain = copy.deepcopy(layer)
    del plain.bounded
    difference = len(storage.to_bytes(torch.nn.Sequential(layer))) - len(
        storage.to_bytes(torch.nn.Sequential(plain))
    )
    assert 0 <= difference < 120


def test_parameters_count_free_weights_biases_and_one_bound():
    layer = torch.nn.Linear(4, 2)
    layer.weight.data = torch.tensor([[0.5, -0.5, 0.0, 0.1], [0.2, 0.5, 0.5, 0.3]])
    set_bounded(layer, LayerBound("box", 0.5))
    assert accounting.parameters(torch.nn.Sequential(layer)) == 3 + 2 + 1


@pytest.mark.parametrize("model", ["mlp", "lenet5", "conv1d"])
def test_macs_are_half_the_flops_that_torch_counts(model, digits, small_images, small_signals):
    from torch.utils.flop_counter import FlopCounterMode

    dataset = {"mlp": digits, "lenet5": small_images, "conv1d": small_signals}[model]
    reference = compression.train(dataset, model=model, epochs=1)
    rank2 = compression.low_rank_curve(reference, dataset, ranks=[2]).network(0)
    for network in (reference.network, rank2):
        with FlopCounterMode(display=False) as counter:
            network(torch.zeros(1, dataset.x_train.shape[1]))
        assert accounting.macs(network) == counter.get_total_flops() / 2


@pytest.fixture(scope="module")
def quantised(digits, digits_softmax):
    largest = digits_softmax.network[0].weight.abs().max().item()
    curve = compression.constrained_curve(
        digits_softmax, digits, bounds=[0.3 * largest], method="clip"
    )
    return storage.to_bytes(compression.quantize(curve.network(0), 5))


@pytest.fixture(params=["dense", "quantised"], scope="module")
def file(request, digits_softmax, quantised):
    return quantised if request.param == "quantised" else storage.to_bytes(digits_softmax.network)


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_a_flipped_bit_anywhere_is_noticed(file, drawn):
    at = drawn.draw(st.integers(0, len(file) - 1))
    bit = drawn.draw(st.integers(0, 7))
    content = bytearray(file)
    content[at] ^= 1 << bit
    with pytest.raises(StorageError, match="damaged"):
        storage.from_bytes(bytes(content))


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_a_file_cut_short_is_noticed(file, drawn):
    with pytest.raises(StorageError, match="damaged"):
        storage.from_bytes(file[: drawn.draw(st.integers(0, len(file) - 1))])


def rewritten(content, change):
    """The same file with a changed header or tensors, and a checksum that fits them."""
    import json

    import safetensors.numpy

    tensors = safetensors.numpy.load(content)
    length = int.from_bytes(content[:8], "little")
    header = json.loads(json.loads(content[8 : 8 + length])["__metadata__"]["compression"])
    change(header["network"]["chain"]["linear"], tensors)
    return storage.assemble_file(header, tensors)


def test_a_file_written_again_unchanged_is_read(quantised):
    again = storage.from_bytes(rewritten(quantised, lambda line, tensors: None))
    assert storage.to_bytes(again) == quantised


@pytest.mark.parametrize(
    "change",
    [
        lambda line, tensors: line.update(grid=[17, -1.0, 1.0]),
        lambda line, tensors: line.update(grid=[4, -1.0, 1.0]),
        lambda line, tensors: line.update(grid=[5.0, -1.0, 1.0]),
        lambda line, tensors: line.update(grid=[5, 1.0, -1.0]),
        lambda line, tensors: line.update(grid=[5, float("nan"), 1.0]),
        lambda line, tensors: line.update(grid=[5, -1.0, float("inf")]),
        lambda line, tensors: line.update(grid=[5]),
        lambda line, tensors: line.pop("grid"),
        lambda line, tensors: line.update(states=[0, 1, 2, 3, 4]),
        lambda line, tensors: tensors.pop("linear.free"),
        lambda line, tensors: tensors.pop("linear.map"),
        lambda line, tensors: tensors.update({"linear.free": tensors["linear.free"][:-1]}),
        lambda line, tensors: tensors.update({"linear.map": tensors["linear.map"][:-1]}),
        lambda line, tensors: tensors.update({"linear.other": tensors["linear.map"]}),
    ],
)
def test_contents_that_do_not_fit_each_other_are_refused(quantised, change):
    with pytest.raises(StorageError, match="damaged"):
        storage.from_bytes(rewritten(quantised, change))


def test_a_strange_file_and_a_strange_layer_are_refused_in_words(tmp_path):
    import safetensors.numpy

    other = safetensors.numpy.save({"a": np.zeros(3, np.float32)})
    for content in (b"", b"{}", b"\x80\x04N.", other):
        with pytest.raises(StorageError, match="not a model written by"):
            storage.from_bytes(content)
    with pytest.raises(StorageError, match="LSTM cannot be saved"):
        compression.save(torch.nn.Sequential(torch.nn.LSTM(2, 2)), tmp_path / "x")
    assert not list(tmp_path.iterdir())


def test_a_failed_write_leaves_the_old_file_and_no_litter(tmp_path, monkeypatch, digits_softmax):
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"old")

    def full(descriptor):
        raise OSError("disk full")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="disk full"):
        compression.save(digits_softmax.network, path)
    assert [p.name for p in tmp_path.iterdir()] == ["model.safetensors"]
    assert path.read_bytes() == b"old"


def test_the_onnx_graph_gives_the_same_outputs(case, tmp_path):
    import onnxruntime

    dataset, reference = case
    rank1 = compression.low_rank_curve(reference, dataset, ranks=[1]).network(0)
    for network in (reference.network, rank1):
        path = tmp_path / "model.onnx"
        compression.export_onnx(network, path)
        session = onnxruntime.InferenceSession(path.read_bytes())
        (name,) = (i.name for i in session.get_inputs())
        for rows in (1, 7):
            x = dataset.x_test[:rows]
            expected = network(torch.from_numpy(x)).detach().numpy()
            np.testing.assert_allclose(session.run(None, {name: x})[0], expected, atol=1e-4)


def test_floats_are_stored_raw_in_the_reference_s_file_as_in_a_compressed_one(case):
    """Nobody's floats are deflated: any tool reads them, and no file is shorter for it."""
    dataset, reference = case
    networks = {
        "reference": reference.network,
        "low rank": compression.low_rank_curve(reference, dataset, ranks=[1]).network(0),
        "box": compression.constrained_curve(reference, dataset, bounds=[0.5], epochs=1).network(0),
    }
    for name, network in networks.items():
        content = storage.to_bytes(network)
        raw = {key: tensor.numpy() for key, tensor in network.state_dict().items()}
        for layer, module in network.named_modules():
            if (found := bounded_of(module)) is not None:
                weight = raw[f"{layer}.weight"]
                free = weight[(np.abs(weight) != np.float32(found.bound)) & (weight != 0)]
                if weight.tobytes() not in content:  # as a map of states and the free values
                    assert free.size < weight.size
                    raw[f"{layer}.weight"] = free
        assert all(array.dtype == np.float32 for array in raw.values()), name
        assert all(array.tobytes() in content for array in raw.values()), name
        assert len(content) > sum(array.nbytes for array in raw.values()), name
