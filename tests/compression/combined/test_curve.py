"""Grids of ranks and bounds: every combined method on the same terms."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.metrics import confusion_matrix

import compression
from compression import accounting, storage, training
from compression.catalog import CONSTRAINTS
from compression.combined.balanced import prepare_balanced_ranks
from compression.constrained.training.setup import ConstrainedStart
from compression.errors import ArgumentError
from compression.low_rank.decomposition import break_even_rank
from compression.network import LowRankLayer, LowRankPlusSparseLayer, layers, matrix

RANKS, BOUNDS = [2, 9], [0.1, 0.4]
METHODS = list(compression.COMBINED_METHODS)
FACTORED = [name for name in METHODS if name != "low_rank_plus_sparse"]
ON_FACTORS = ["low_rank_then_constrained", "jointly"]


@pytest.fixture(scope="module", params=METHODS)
def method(request):
    return request.param


@pytest.fixture(scope="module")
def curves(digits, digits_mlp):
    """Each method's curve, computed when first asked for."""
    known = {}

    def curve(method, constraint="box"):
        if (method, constraint) not in known:
            known[method, constraint] = compression.combined_curve(
                digits_mlp, digits, method, RANKS, BOUNDS, epochs=3, constraint=constraint
            )
        return known[method, constraint]

    return curve


def outputs(network, x):
    with torch.inference_mode():
        return network(torch.from_numpy(x)).numpy()


def test_a_row_for_every_pair_in_ascending_order(method, curves):
    table = curves(method).table
    assert list(zip(table["rank"], table["bound"], strict=True)) == [
        (2, 0.1), (2, 0.4), (9, 0.1), (9, 0.4),
    ]  # fmt: skip
    assert (table["knob"] == table["rank"]).all()


def test_a_row_is_that_of_its_own_network(method, curves, digits, tmp_path):
    curve = curves(method)
    for row, line in curve.table.iterrows():
        network = curve.network(row)
        logits = outputs(network, digits.x_test)
        np.testing.assert_array_equal(curve.predictions[row], logits.argmax(1))
        np.testing.assert_array_equal(
            curve.confusion[row], confusion_matrix(digits.y_test, logits.argmax(1))
        )
        loss = torch.nn.functional.cross_entropy(
            torch.from_numpy(logits), torch.from_numpy(digits.y_test)
        )
        assert line["test_loss"] == pytest.approx(loss.item(), rel=1e-4)
        compression.save(network, tmp_path / "m.safetensors")
        assert line["bytes"] == (tmp_path / "m.safetensors").stat().st_size
        assert line["parameters"] == accounting.parameters(network)
        assert line["macs"] == accounting.macs(network)


def test_every_network_comes_back_from_its_file_with_the_same_bits(method, digits, digits_mlp):
    start = ConstrainedStart(
        digits_mlp.network, training.SampleTensors(digits), learning_rate=1e-3, seed=0, epochs=2
    )
    combined = compression.COMBINED_METHODS[method].load()()
    for _, _, network in combined.networks(start, [4], [0.4, 0.1]):
        content = storage.to_bytes(network)
        again = storage.from_bytes(content)
        assert list(again.state_dict()) == list(network.state_dict())
        for name, tensor in network.state_dict().items():
            assert again.state_dict()[name].numpy().tobytes() == tensor.numpy().tobytes()
        assert storage.to_bytes(again) == content


@pytest.mark.parametrize("method", FACTORED)
def test_layers_of_paying_rank_are_factors_of_that_rank_and_the_others_dense(
    method, curves, digits_mlp
):
    curve = curves(method)
    for row, rank in enumerate(curve.table["rank"]):
        network = curve.network(row)
        for name, layer in layers(digits_mlp.network).items():
            part = getattr(network, name)
            if rank <= break_even_rank(*matrix(layer).shape):
                assert isinstance(part, LowRankLayer)
                assert part.right.weight.shape[0] == part.left.weight.shape[1] == rank
            else:
                assert matrix(part).shape == matrix(layer).shape


@pytest.mark.parametrize("constraint", list(CONSTRAINTS))
@pytest.mark.parametrize("method", ON_FACTORS)
def test_every_factor_and_dense_layer_lies_in_its_set(method, constraint, curves, digits_mlp):
    curve = curves(method, constraint)
    chosen = CONSTRAINTS[constraint].load()()
    family = prepare_balanced_ranks(digits_mlp.network)
    for row, line in curve.table.iterrows():
        whole = layers(family.at(int(line["rank"])))
        for name, layer in layers(curve.network(row)).items():
            weight, bound = matrix(layer), line["bound"] * chosen.gauge(matrix(whole[name]))
            assert chosen.gauge(weight) <= bound * (1 + 1e-5)
            assert layer.bounded.constraint == constraint
            assert layer.bounded.bound == pytest.approx(bound, rel=1e-5)
            assert np.any(weight)


def test_a_layer_that_stays_dense_keeps_its_bound_after_truncation(digits, digits_mlp):
    curve = compression.combined_curve(
        digits_mlp, digits, "constrained_then_low_rank", [12], [0.3], epochs=4
    )
    largest = np.abs(matrix(digits_mlp.network.fc3)).max()
    last = curve.network(0).fc3
    assert np.abs(matrix(last)).max() <= 0.3 * largest * (1 + 1e-6)
    assert last.bounded.bound == pytest.approx(0.3 * largest)
    assert isinstance(curve.network(0).fc1, LowRankLayer)


def test_low_rank_plus_sparse_holds_its_rank_and_its_share(curves, digits_mlp):
    curve = curves("low_rank_plus_sparse")
    seen = 0
    for row, line in curve.table.iterrows():
        rank, bound = int(line["rank"]), line["bound"]
        for name, layer in layers(digits_mlp.network).items():
            part = getattr(curve.network(row), name)
            size, sides = layer.weight.numel(), sum(layer.weight.shape)
            if rank * sides + int(bound * size) < size:
                seen += 1
                assert part.low_rank.left.weight.shape[1] == rank
                assert np.count_nonzero(matrix(part.sparse)) == int(bound * size)
            else:
                assert not isinstance(part, LowRankPlusSparseLayer)
    assert seen > 4


def test_a_larger_rank_and_a_looser_bound_fit_the_training_rows_better(method, curves):
    losses = curves(method).table.pivot(index="rank", columns="bound", values="train_loss")
    assert losses.loc[9, 0.4] < losses.loc[2, 0.4]
    assert losses.loc[9, 0.4] < losses.loc[9, 0.1]


def test_more_epochs_fit_the_training_rows_better(method, digits, digits_mlp):
    losses = [
        compression.combined_curve(digits_mlp, digits, method, [8], [0.3], epochs=n)
        .table["train_loss"]
        .item()
        for n in (1, 30)
    ]
    assert losses[1] < 0.8 * losses[0]


def test_each_pair_takes_its_share_of_passes_and_no_more(method, digits, digits_mlp, monkeypatch):
    passes = 0
    epoch = training.Trainer.run_epoch

    def count(trainer):
        nonlocal passes
        passes += 1
        return epoch(trainer)

    monkeypatch.setattr(training.Trainer, "run_epoch", count)
    compression.combined_curve(digits_mlp, digits, method, [2, 4], [0.5, 0.3, 0.2], epochs=5)
    if method == "constrained_then_low_rank":
        assert passes == 3 * 3 + 6 * 2  # the way through the bounds serves both ranks
    else:
        assert passes == 6 * 5


def test_the_biases_learn_whatever_becomes_of_the_weights(method, curves, digits_mlp):
    network = curves(method).network(1)  # of the first bound
    for name, layer in layers(digits_mlp.network).items():
        part = network.get_submodule(name)
        (bias,) = [value for key, value in part.named_parameters() if key.endswith("bias")]
        assert not torch.equal(bias, layer.bias)


def test_each_curve_is_the_same_every_time_and_leaves_the_reference_as_it_was(
    method, curves, digits, digits_mlp
):
    before = storage.to_bytes(digits_mlp.network)
    again = compression.combined_curve(digits_mlp, digits, method, RANKS, BOUNDS, epochs=3)
    assert again.table.equals(curves(method).table)
    assert storage.to_bytes(digits_mlp.network) == before


def test_the_order_of_the_training_rows_comes_from_the_references_seed(digits, digits_mlp):
    losses = [
        compression.combined_curve(
            replace(digits_mlp, seed=seed), digits, ranks=[4], bounds=[0.5], epochs=2
        ).table["train_loss"][0]
        for seed in (0, 1)
    ]
    assert losses[0] != losses[1]


def test_a_curve_that_is_told_to_stop_keeps_the_pairs_it_has(method, digits, digits_mlp):
    seen = []

    def report(done, total, curve):
        seen.append((done, total, len(curve().table)))
        return done < 2

    curve = compression.combined_curve(
        digits_mlp, digits, method, RANKS, BOUNDS, epochs=1, report=report
    )
    assert seen == [(1, 4, 1), (2, 4, 2)]
    assert len(curve.table) == 2
    for row, size in enumerate(curve.table["bytes"]):
        assert len(storage.to_bytes(curve.network(row))) == size


@pytest.mark.parametrize(
    ("dataset", "model"),
    [("small_images", "lenet5"), ("small_signals", "conv1d"), ("diabetes", "mlp"), ("diabetes", "linear_regression")],
)  # fmt: skip
def test_every_architecture_and_task_can_be_combined(method, dataset, model, request):
    dataset = request.getfixturevalue(dataset)
    reference = compression.train(dataset, model=model, epochs=2)
    curve = compression.combined_curve(reference, dataset, method, [1], [0.5, 0.1], epochs=2)
    assert np.isfinite(curve.table[["train_loss", "score"]]).all(axis=None)
    for row in range(2):
        convolutions = [
            part
            for part in curve.network(row)
            if isinstance(part, (torch.nn.Conv1d, torch.nn.Conv2d))
        ]
        if method != "low_rank_plus_sparse":
            assert all(part.bounded for part in convolutions)


def test_ranks_and_bounds_that_are_left_out_are_the_methods_own(digits_softmax, digits, method):
    curve = compression.combined_curve(digits_softmax, digits, method, epochs=1)
    assert sorted(set(curve.table["rank"])) == [1, 2, 4, 8]
    assert sorted(set(curve.table["bound"])) == sorted(compression.COMBINED_METHODS[method].bounds)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"method": "magic"}, "low_rank_plus_sparse"),
        ({"constraint": "cage"}, "box"),
        ({"ranks": [0]}, "choose 1 to 128"),
        ({"ranks": [129]}, "choose 1 to 128"),
        ({"ranks": []}, "choose from 1 to 128"),
        ({"bounds": [-0.1]}, "choose 0 or more"),
        ({"bounds": [float("nan")]}, "choose 0 or more"),
        ({"bounds": []}, "choose numbers"),
        ({"bounds": [0.1, float("inf")]}, "no finite bound"),
        ({"epochs": 0}, "choose 1 or more"),
    ],
)
def test_wrong_arguments_are_answered_with_the_values_that_would_do(
    options, words, digits, digits_mlp
):
    with pytest.raises(ArgumentError, match=words):
        compression.combined_curve(digits_mlp, digits, **{"ranks": [2], "bounds": [1]} | options)
