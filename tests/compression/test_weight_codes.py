"""Weights in a few bits, of every kind of network: what the file holds, and how short it is."""

import copy
import zlib

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from torch import nn

import compression
from compression import storage
from compression.errors import NotApplicableError, StorageError
from compression.grid import FEW_BITS, ChannelGrid, Grid, nearest_grid
from compression.network import (
    LayerBound,
    bounded_of,
    grid_of,
    layers,
    matrix,
    set_bounded,
    set_grid,
)
from compression.quantization import rounding_errors
from tests.compression.stored_codes import open_file

ROOM = 320  # bytes of a file's header and of one layer's bias


def one_layer(weight, bounded=None, grid=None):
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias=False)
    layer.weight.data = torch.from_numpy(np.array(weight, order="C"))
    if bounded is not None:
        set_bounded(layer, bounded)
    elif grid is not None:
        set_grid(layer, grid)
    return nn.Sequential(layer)


weights = hnp.arrays(
    np.float32,
    st.tuples(st.integers(1, 6), st.integers(1, 9)),
    elements=st.floats(-2, 2, width=32),
)


@given(weights, st.sampled_from((1, 2, 3, 5)), st.booleans())
@settings(max_examples=150, deadline=None)
def test_a_weight_goes_to_the_nearest_point_of_its_grid(weight, bits, per_channel):
    network = one_layer(weight)
    rounded = matrix(compression.quantize(network, bits, per_channel=per_channel)[0])
    grid = grid_of(compression.quantize(network, bits, per_channel=per_channel)[0])
    reaches = grid.reaches if per_channel else [grid.high] * len(weight)
    for row, out, reach in zip(weight.astype(float), rounded.astype(float), reaches, strict=True):
        points = np.linspace(-reach, reach, 2**bits + 1)
        points = (points[:-1] + points[1:]) / 2
        distance = np.abs(row[:, None] - points).min(axis=1)
        np.testing.assert_allclose(np.abs(row - out), distance, atol=max(1e-6 * reach, 1.5e-45))
        inside = np.abs(row) <= reach
        step = 2 * reach / 2**bits
        least = np.finfo(np.float32).smallest_subnormal  # half of it cannot be written
        assert (np.abs(row - out)[inside] <= step / 2 * (1 + 1e-5) + least).all()


@pytest.mark.parametrize("bits", [1, 2, 3, 4, 8])
def test_the_reach_has_about_the_least_squared_error(bits):
    weight = np.random.default_rng(bits).normal(size=(60, 80)).astype(np.float32)
    largest = np.abs(weight).max()

    def error(reach):
        step = 2 * reach / 2**bits
        cell = np.clip(np.floor((weight + reach) / step), 0, 2**bits - 1)
        return np.sum((-reach + (cell + 0.5) * step - weight) ** 2)

    found = nearest_grid(weight, bits)
    least = min(error(reach) for reach in np.linspace(0.02, 2, 2000) * largest)
    assert error(found.high) <= 1.03 * least
    whole = largest * 2**bits / (2**bits - 1)
    assert error(found.high) <= error(whole) * (1 + 1e-6)


def test_the_grid_of_one_bit_is_plus_and_minus_the_mean_size():
    """Rastegari et al. 2016: the best binary weight is the sign times the mean of |w|."""
    weight = np.random.default_rng(0).normal(size=(40, 50)).astype(np.float32)
    rounded = matrix(compression.quantize(one_layer(weight), 1)[0])
    np.testing.assert_array_equal(np.sign(rounded), np.sign(weight))
    assert np.abs(rounded).mean() == pytest.approx(np.abs(weight).mean(), rel=0.06)


def test_a_grid_a_channel_rounds_rows_of_unlike_size_better():
    weight = np.random.default_rng(0).normal(size=(8, 200)).astype(np.float32)
    weight *= np.geomspace(1, 100, 8, dtype=np.float32)[:, None]
    network = one_layer(weight)
    rms = [
        rounding_errors(network, compression.quantize(network, 4, per_channel=each))["rms_error"][0]
        for each in (False, True)
    ]
    assert rms[1] < 0.8 * rms[0]


def normal_codes(shape, bits, grid):
    weight = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    return grid.values(grid.codes(weight), np.dtype(np.float32))


def entropy(values):
    shares = np.unique(values, return_counts=True)[1] / values.size
    return -np.sum(shares * np.log2(shares))


@pytest.mark.parametrize("bits", [3, 4, 5, 8])
def test_codes_of_unlike_frequency_take_about_their_entropy(bits):
    grid = Grid(bits, -6.0, 6.0)
    weight = normal_codes((200, 250), bits, grid)
    stored = len(storage.to_bytes(one_layer(weight, grid=grid)))
    least = entropy(weight) * weight.size / 8
    # A Huffman code of whole bits takes at most a bit a symbol more, and at least a bit.
    assert least < stored < 1.13 * least + ROOM
    assert stored < bits * weight.size / 8


@pytest.mark.parametrize("bits", FEW_BITS)
def test_codes_that_are_all_alike_frequent_stay_packed(bits):
    codes = np.random.default_rng(0).integers(0, 2**bits, (128, 128), dtype=np.uint16)
    grid = Grid(bits, -1.0, 1.0)
    weight = grid.values(codes, np.dtype(np.float32))
    content = storage.to_bytes(one_layer(weight, grid=grid))
    header, tensors = open_file(content)
    assert "coding" not in header["network"]["chain"]["0"]
    assert tensors["0.free"].nbytes == 128 * 128 * bits // 8
    assert len(content) <= 128 * 128 * bits // 8 + ROOM


def test_one_pinned_weight_does_not_cost_every_weight_a_bit():
    grid = Grid(4, -1.0, 1.0)
    codes = np.random.default_rng(0).integers(0, 16, (300, 300), dtype=np.uint16)
    weight = grid.values(codes, np.dtype(np.float32))
    free = len(storage.to_bytes(one_layer(weight, LayerBound("box", 1.0, grid))))
    weight[123, 45] = 1.0
    network = one_layer(weight, LayerBound("box", 1.0, grid))
    content = storage.to_bytes(network)
    assert len(content) < free + 200  # a map takes 300 * 300 / 8 = 11250
    assert matrix(storage.from_bytes(content)[0]).tobytes() == weight.tobytes()


@pytest.mark.parametrize("share", [0.003, 0.01, 0.05, 0.2, 0.5])
def test_a_sparse_layer_takes_its_values_and_about_the_entropy_of_its_places(share):
    random = np.random.default_rng(0)
    weight = random.normal(size=(300, 400)).astype(np.float32)
    weight[random.random(weight.shape) >= share] = 0
    network = one_layer(weight, LayerBound("cardinality", float(np.count_nonzero(weight))))
    content = storage.to_bytes(network)
    places = entropy(weight != 0) * weight.size / 8
    values = 4 * np.count_nonzero(weight)
    assert places + values < len(content) < 1.12 * places + values + 2 * ROOM
    assert matrix(storage.from_bytes(content)[0]).tobytes() == weight.tobytes()


@pytest.fixture(scope="module")
def trained(digits):
    """The issue's own example, trained to its end: how many weights a bound holds depends on it."""
    return compression.train(digits, model="mlp", seed=0)


def split_states(network):
    """Each layer's states, free weights and bytes of its bias."""
    for layer in layers(network).values():
        weight, bounded = matrix(layer), bounded_of(layer)
        found = np.zeros(weight.shape, np.int8)
        if bounded is not None:
            found = storage.states(weight, bounded)
        yield found, weight[found == 0], 4 * layer.bias.numel()


def packed_bytes(network, bits):
    """Without coding: as few whole bits for each state as there are states, then the codes."""
    return sum(
        (states.size * (len(np.unique(states)) - 1).bit_length() + bits * free.size) / 8 + bias
        for states, free, bias in split_states(network)
    )


def entropy_bytes(network):
    return sum(
        (entropy(states) * states.size + (entropy(free) * free.size if free.size else 0)) / 8 + bias
        for states, free, bias in split_states(network)
    )


def test_a_box_in_few_bits_is_hardly_longer_than_the_plain_network(trained, digits):
    box = compression.constrained_curve(trained, digits, "box", [0.53]).network(0)
    coded, plain = (compression.quantize(each, 4) for each in (box, trained.network))
    length, rounded = compression.bytes_of(coded), compression.bytes_of(plain)
    packed = packed_bytes(coded, 4)
    assert packed > 1.25 * rounded  # what a map of two bits a weight cost: 35.2 kB beside 26.8
    assert length <= 1.1 * rounded
    assert length <= 0.85 * packed
    # Codes of a whole box are less alike than those of a grid that cuts: more is not to be had.
    assert entropy_bytes(coded) < length < 1.1 * entropy_bytes(coded)


def test_coding_takes_a_quarter_off_a_count_in_few_bits(trained, digits):
    count = compression.constrained_curve(trained, digits, "cardinality", [0.08]).network(0)
    coded = compression.quantize(count, 4)
    assert compression.bytes_of(coded) <= 0.75 * packed_bytes(coded, 4)


mixed = hnp.arrays(
    np.float32,
    st.tuples(st.integers(1, 30), st.integers(1, 40)),
    elements=st.sampled_from([0.0, 0.0, 0.0, 0.5, -0.5, 0.25, -0.0]),
    fill=st.sampled_from([0.0, 0.5, 0.125]),
)


@given(mixed, st.sampled_from(["box", "cardinality", "upper", "l1"]), st.booleans())
@settings(max_examples=200, deadline=None)
def test_any_mixture_of_states_comes_back(weight, constraint, few):
    bound = 0.5 if constraint in ("box", "upper") else float(np.abs(weight).sum() + weight.size)
    network = one_layer(weight, LayerBound(constraint, bound))
    if few:
        network = compression.quantize(network, 3)
    again = storage.from_bytes(storage.to_bytes(network))
    assert matrix(again[0]).tobytes() == matrix(network[0]).tobytes()
    assert bounded_of(again[0]) == bounded_of(network[0])
    assert storage.to_bytes(again) == storage.to_bytes(network)


def test_a_weight_that_left_its_grid_is_saved_as_it_is(digits_mlp):
    network = compression.quantize(digits_mlp.network, 4)
    network.fc2.weight.data[3, 4] += 1e-4
    again = storage.from_bytes(storage.to_bytes(network))
    assert torch.equal(again.fc2.weight, network.fc2.weight)
    assert grid_of(again.fc2) is None
    assert grid_of(again.fc1) == grid_of(network.fc1)


def test_a_quantised_copy_does_not_touch_the_network_it_came_from(digits_mlp):
    before = storage.to_bytes(digits_mlp.network)
    for bits in (1, 8):
        compression.quantize(digits_mlp.network, bits)
    assert storage.to_bytes(digits_mlp.network) == before
    assert storage.to_bytes(compression.quantize(digits_mlp.network, 32)) == before


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_types_are_rounded_and_come_back(dtype):
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(40, 30)).to(dtype)
    quantized = compression.quantize(network, 3)
    assert quantized[0].weight.dtype == dtype
    assert len(torch.unique(quantized[0].weight)) <= 8
    again = storage.from_bytes(storage.to_bytes(quantized))
    assert torch.equal(again[0].weight, quantized[0].weight)


def test_networks_that_cannot_be_quantised_are_refused_in_words():
    with pytest.raises(NotApplicableError, match="no layer to compress"):
        compression.quantize(nn.Sequential(nn.ReLU()), 4)
    broken = one_layer(np.array([[1.0, np.nan]], np.float32))
    with pytest.raises(NotApplicableError, match="layer 0 holds values that are not finite"):
        compression.quantize(broken, 4)


def forge(content, change):
    header, tensors = open_file(content)
    change(header["network"]["chain"]["0"], tensors)
    return storage.assemble_file(header, tensors)


def as_bytes(content):
    return np.frombuffer(content, np.uint8)


@pytest.fixture(scope="module")
def sparse_file():
    random = np.random.default_rng(0)
    weight = np.where(random.random((200, 300)) < 0.02, random.normal(size=(200, 300)), 0)
    weight = weight.astype(np.float32)
    weight[0, 0] = -3.0
    weight[40, 7] = 3.0
    network = compression.quantize(one_layer(weight, LayerBound("box", 3.0)), 6)
    content = storage.to_bytes(network)
    header, tensors = open_file(content)
    assert header["network"]["chain"]["0"]["usual"] == 3
    assert {"0.gaps", "0.marks", "0.free"} <= tensors.keys()
    return content


@pytest.mark.parametrize(
    "change",
    [
        lambda line, tensors: line.update(usual=2, states=[0, 1, 3]),
        lambda line, tensors: line.update(usual=7),
        lambda line, tensors: line.update(usual=0),
        lambda line, tensors: line.update(coding={"gaps": "lzma"}),
        lambda line, tensors: line.update(coding={"free": "zlib"}),
        lambda line, tensors: line.update(coding={"free": "other"}),
        lambda line, tensors: line.update(coding=[1]),
        lambda line, tensors: line.pop("set"),
        lambda line, tensors: line.update(grid=[6]),
        lambda line, tensors: tensors.pop("0.gaps"),
        lambda line, tensors: tensors.pop("0.marks"),
        lambda line, tensors: (
            line.pop("coding", None),
            tensors.update({"0.gaps": as_bytes(b"\xff" * 40)}),
        ),
        lambda line, tensors: (
            line.pop("coding", None),
            tensors.update({"0.gaps": as_bytes(b"\x7f" * 4000)}),
        ),
        lambda line, tensors: (
            line.pop("coding", None),
            tensors.update({"0.gaps": as_bytes(b"")}),
        ),
        lambda line, tensors: tensors.update({"0.marks": tensors["0.marks"][:-1]}),
        lambda line, tensors: (
            line.update(coding={"gaps": "zlib"}),
            tensors.update({"0.gaps": as_bytes(zlib.compress(bytes(1 << 26)))}),
        ),
        lambda line, tensors: (
            line.update(coding={"free": "bytes"}),
            tensors.update({"0.free": as_bytes(zlib.compress(bytes(1 << 26)))}),
        ),
    ],
)
def test_forged_places_and_codes_are_refused(sparse_file, change):
    import tracemalloc

    assert storage.from_bytes(forge(sparse_file, lambda line, tensors: None)) is not None
    content = forge(sparse_file, change)
    tracemalloc.start()
    with pytest.raises(StorageError, match="damaged"):
        storage.from_bytes(content)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8e6


@pytest.mark.parametrize("reaches", [[0.5] * 3, [0.5, -0.5], [np.inf, 0.5], [np.nan, 0.5]])
def test_reaches_that_do_not_fit_the_rows_are_refused(reaches):
    weight = np.random.default_rng(0).normal(size=(2, 400)).astype(np.float32)
    content = storage.to_bytes(compression.quantize(one_layer(weight), 4, per_channel=True))
    wrong = {"0.reaches": np.array(reaches, np.float32)}
    with pytest.raises(StorageError, match="damaged"):
        storage.from_bytes(forge(content, lambda line, tensors: tensors.update(wrong)))


@pytest.mark.parametrize("share", [0.0, 1e-6, 0.001])
def test_a_large_layer_of_hardly_any_numbers_is_written_and_read(share, tmp_path):
    """More than a small file may stand for."""
    random = np.random.default_rng(0)
    weight = np.where(random.random((3000, 2000)) < share, 1.5, 0.0).astype(np.float32)
    network = one_layer(weight, LayerBound("cardinality", float(weight.size)))
    for bits in (32, 4):
        compression.save(compression.quantize(network, bits), tmp_path / "m")
        assert (tmp_path / "m").stat().st_size * 256 >= weight.nbytes
    assert torch.equal(compression.load(tmp_path / "m")[0].weight != 0, network[0].weight != 0)


def test_only_files_that_an_older_reader_does_not_know_say_so(digits_mlp):
    plain = open_file(storage.to_bytes(digits_mlp.network))[0]
    coded = open_file(storage.to_bytes(compression.quantize(digits_mlp.network, 4)))[0]
    assert (plain["format"], coded["format"]) == (1, 2)


def test_a_copy_keeps_the_note_of_its_grid(digits_mlp):
    network = compression.quantize(digits_mlp.network, 3, per_channel=True)
    assert isinstance(grid_of(copy.deepcopy(network).fc1), ChannelGrid)
