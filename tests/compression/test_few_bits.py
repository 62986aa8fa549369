"""A family's curve in few bits: its rows, the bits that pay, and grids of every kind."""

import numpy as np
import pytest
import torch

import compression
from compression import storage
from compression.errors import ArgumentError, NotApplicableError
from compression.grid import FEW_BITS, nearest_channel_grid, nearest_grid
from compression.network import grid_of, layers, matrix
from compression.quantization import input_moments


@pytest.fixture(scope="module")
def low_rank(digits, digits_mlp):
    return compression.low_rank_curve(digits_mlp, digits, ranks=[4, 12], epochs=1)


@pytest.fixture(scope="module")
def few(digits, digits_mlp, low_rank):
    return compression.few_bits_curve(digits_mlp, digits, low_rank, bits=[2, 5])


def test_every_row_of_a_family_is_there_in_every_number_of_bits(few, low_rank):
    assert few.method == "truncated_svd"
    assert few.knob == "rank"
    table = few.table
    assert list(zip(table["knob"], table["bits"], table["row"], strict=True)) == [
        (4, 2, 0), (4, 5, 0), (12, 2, 1), (12, 5, 1),
    ]  # fmt: skip
    assert (table["epochs"] == 1).all()
    for place, line in table.iterrows():
        expected = compression.quantize(low_rank.network(int(line["row"])), int(line["bits"]))
        content = storage.to_bytes(few.network(place))
        assert content == storage.to_bytes(expected)
        assert line["bytes"] == len(content)


def test_epochs_of_training_in_few_bits_add_to_those_before(digits, digits_mlp, low_rank, few):
    trained = compression.few_bits_curve(digits_mlp, digits, low_rank, bits=[2], epochs=2)
    assert trained.table["epochs"].tolist() == [3, 3]
    rounded = compression.with_bits(few, 2)
    assert (trained.table["train_loss"] < rounded.table["train_loss"]).all()
    for name, layer in layers(trained.network(0)).items():
        assert grid_of(layer).bits == 2, name


def test_the_best_bits_at_a_size_are_those_of_best_validation_score(few):
    best = compression.best_bits(few)
    assert best.table["bytes"].is_monotonic_increasing
    assert set(best.table["bits"]) <= {2, 5}
    for size in few.table["bytes"]:
        everything = few.table[few.table["bytes"] <= size]["validation_score"].max()
        assert best.table[best.table["bytes"] <= size]["validation_score"].max() == everything
    for place in range(len(best.table)):
        line = best.table.iloc[place]
        row = few.table.index[
            (few.table["row"] == line["row"]) & (few.table["bits"] == line["bits"])
        ]
        assert storage.to_bytes(best.network(place)) == storage.to_bytes(few.network(int(row[0])))


def test_a_curve_that_is_stopped_keeps_what_it_has(digits, digits_mlp, low_rank):
    seen = []

    def report(done, total, so_far):
        seen.append((done, total, len(so_far().table)))
        return done < 2

    few = compression.few_bits_curve(digits_mlp, digits, low_rank, [3, 8], report=report)
    assert seen == [(1, 4, 1), (2, 4, 2)]
    assert few.table["row"].tolist() == [0, 0]


@pytest.mark.parametrize(("bits", "said"), [([], "no bits were given"), ([17], "17 bits")])
def test_impossible_bits_are_refused_in_words(digits, digits_mlp, low_rank, bits, said):
    with pytest.raises(ArgumentError, match=said):
        compression.few_bits_curve(digits_mlp, digits, low_rank, bits)


def squares(weight, grid):
    return ((grid.values(grid.codes(weight), np.dtype(np.float64)) - weight) ** 2).sum()


@pytest.mark.parametrize("bits", [1, 2, 3, 6])
@pytest.mark.parametrize("shift", [0.0, 3.0])
def test_a_zero_point_helps_weights_that_do_not_lie_around_zero(bits, shift):
    weight = np.random.default_rng(0).normal(shift, 1, (20, 30)).astype(np.float32)
    for search in (nearest_grid, nearest_channel_grid):
        plain, moved = (search(weight, bits, zero_point=moves) for moves in (False, True))
        assert squares(weight, moved) <= squares(weight, plain) * (1 + 1e-9)
        assert shift == 0 or squares(weight, moved) < 0.5 * squares(weight, plain)


def output_errors(network, quantized, x):
    """Mean squared error of each layer's outputs for its inputs in the network."""
    errors, inputs = [], torch.from_numpy(x)
    for part in network:
        if isinstance(part, torch.nn.Linear):
            name = next(n for n, layer in layers(network).items() if layer is part)
            off = matrix(part).astype(np.float64) - matrix(layers(quantized)[name])
            errors.append(((off @ inputs.double().numpy().T) ** 2).sum(axis=0).mean())
        with torch.inference_mode():
            inputs = part(inputs)
    return np.array(errors)


@pytest.mark.parametrize("bits", [2, 4])
@pytest.mark.parametrize("zero_point", [False, True])
@pytest.mark.parametrize("per_channel", [False, True])
def test_calibration_rows_lower_the_error_of_the_outputs(
    digits, digits_mlp, bits, zero_point, per_channel
):
    rows, network = digits.x_train[digits.fit_rows], digits_mlp.network
    options = {"per_channel": per_channel, "zero_point": zero_point}
    without, calibrated = (
        output_errors(network, compression.quantize(network, bits, **options, rows=given), rows)
        for given in (None, rows)
    )
    assert len(without) == 3
    # The grid of a whole layer can be the best of those tried both by weights and by outputs.
    assert (calibrated <= without * (1 + 1e-9)).all()
    assert (calibrated < 0.97 * without).sum() >= (3 if per_channel else 2)


@pytest.mark.parametrize("option", ["per_channel", "zero_point"])
@pytest.mark.parametrize("family", ["box", "cardinality", "low_rank_plus_sparse"])
def test_grids_that_bounded_layers_cannot_have_are_refused_in_words(families, family, option):
    with pytest.raises(
        NotApplicableError, match=r"is bounded.*leave out per_channel and zero_point"
    ):
        compression.quantize(families[family], 4, **{option: True})
    untouched = compression.quantize(families[family], 32, **{option: True})
    assert storage.to_bytes(untouched) == storage.to_bytes(families[family])


def test_moments_are_those_of_each_layer_s_inputs(small_images, families):
    network = families["lenet5"]
    x = torch.from_numpy(small_images.x_train[:7])
    moments = input_moments(network, small_images.x_train[:7])
    for name, layer in layers(network).items():
        before = torch.nn.Sequential(*list(network)[: list(network).index(layer)])
        with torch.inference_mode():
            inputs = before(x)
            if isinstance(layer, torch.nn.Conv2d):
                seen = torch.nn.functional.unfold(
                    inputs, layer.kernel_size, layer.dilation, layer.padding, layer.stride
                )
                inputs = seen.transpose(1, 2).reshape(-1, seen.shape[1])
        expected = (inputs.double().T @ inputs.double() / len(inputs)).numpy()
        np.testing.assert_allclose(moments[name], expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("family", ["dense", "truncated_svd", "lenet5", "conv1d", "column_groups"])
@pytest.mark.parametrize("per_channel", [False, True])
def test_grids_with_a_zero_point_come_back_bit_by_bit(families, family, per_channel):
    for bits in (FEW_BITS[0], 4, FEW_BITS[-1]):
        network = compression.quantize(
            families[family], bits, per_channel=per_channel, zero_point=True
        )
        again = storage.from_bytes(storage.to_bytes(network))
        for name, layer in layers(network).items():
            assert matrix(layers(again)[name]).tobytes() == matrix(layer).tobytes()
            assert grid_of(layers(again)[name]) == grid_of(layer)


def test_rows_of_another_network_are_refused_in_words(families):
    with pytest.raises(ArgumentError, match="calibration samples do not fit"):
        compression.quantize(families["dense"], 4, rows=np.zeros((5, 3), np.float32))


def test_a_combination_in_few_bits_keeps_its_rank_and_bound(digits_mlp, digits):
    pairs = compression.combined_curve(digits_mlp, digits, ranks=[2, 5], bounds=[0.3], epochs=1)
    few = compression.few_bits_curve(digits_mlp, digits, pairs, bits=[2, 4])
    assert few.table[["rank", "bound", "bits"]].values.tolist() == [
        [2, 0.3, 2],
        [2, 0.3, 4],
        [5, 0.3, 2],
        [5, 0.3, 4],
    ]
    assert few.pick([3, 0]).table["rank"].tolist() == [5, 2]
