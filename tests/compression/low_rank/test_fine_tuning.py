"""Truncated, then trained on: the fair baseline."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

import compression
from compression import storage
from compression.errors import ArgumentError
from compression.models import recipe_of
from compression.training import BATCH_SIZE

RANKS = [2, 6, 60, 128]


@pytest.fixture(scope="module")
def plain(digits, digits_mlp):
    return compression.low_rank_curve(digits_mlp, digits, ranks=RANKS)


@pytest.fixture(scope="module")
def tuned(digits, digits_mlp):
    return compression.low_rank_curve(digits_mlp, digits, ranks=RANKS, epochs=2)


def outputs(network, x):
    with torch.inference_mode():
        return network(torch.from_numpy(x)).numpy()


def test_a_row_is_its_own_truncation_after_as_many_epochs_of_adam(plain, tuned, digits, digits_mlp):
    network = copy.deepcopy(plain.network(1)).train()
    optimiser = torch.optim.Adam(
        network.parameters(), recipe_of(digits_mlp.model, digits).learning_rate
    )
    x, y = (torch.from_numpy(part[digits.fit_rows]) for part in (digits.x_train, digits.y_train))
    order = torch.Generator().manual_seed(digits_mlp.seed)
    for _ in range(2):
        for batch in torch.randperm(len(x), generator=order).split(BATCH_SIZE):
            optimiser.zero_grad()
            torch.nn.functional.cross_entropy(network(x[batch]), y[batch]).backward()
            optimiser.step()
    expected = outputs(network.eval(), digits.x_test)
    np.testing.assert_allclose(outputs(tuned.network(1), digits.x_test), expected, atol=1e-3)
    np.testing.assert_array_equal(tuned.predictions[1], expected.argmax(1))


def test_training_on_lowers_the_training_loss_and_costs_nothing(plain, tuned):
    assert (tuned.table["train_loss"][:3] < plain.table["train_loss"][:3]).all()
    assert tuned.table["score"][1] > plain.table["score"][1]
    for column in ("knob", "parameters", "macs", "bytes"):
        assert tuned.table[column].equals(plain.table[column])


def test_where_every_layer_stays_dense_the_row_is_the_reference(tuned, digits_mlp):
    assert tuned.table["train_loss"][3] == tuned.reference["train_loss"]
    assert storage.to_bytes(tuned.network(3)) == storage.to_bytes(digits_mlp.network)


def test_the_network_of_a_row_is_the_one_that_was_judged(tuned, digits):
    for row in range(len(RANKS)):
        predicted = outputs(tuned.network(row), digits.x_test).argmax(1)
        np.testing.assert_array_equal(predicted, tuned.predictions[row])


def test_fine_tuning_never_touches_the_reference_nor_the_truncation(digits, digits_mlp, plain):
    before = storage.to_bytes(digits_mlp.network), storage.to_bytes(plain.network(0))
    again = compression.low_rank_curve(digits_mlp, digits, ranks=RANKS[:2], epochs=1)
    assert storage.to_bytes(again.network(0)) != before[1]
    assert (storage.to_bytes(digits_mlp.network), storage.to_bytes(plain.network(0))) == before


def test_a_fine_tuned_curve_is_the_same_each_time_and_row_by_row(tuned, digits, digits_mlp):
    alone = compression.low_rank_curve(digits_mlp, digits, ranks=[6], epochs=2)
    for column in ("train_loss", "validation_score", "test_loss", "score"):
        assert alone.table[column][0] == tuned.table[column][1]


def test_every_method_and_choice_of_ranks_can_be_fine_tuned(small_signals):
    reference = compression.train(small_signals, model="conv1d", epochs=2)
    for method, calibration in (("tucker2", "reference"), ("activation_aware_svd", "sequential")):
        losses = [
            compression.low_rank_curve(
                reference,
                small_signals,
                method,
                [{"conv2": 1, "conv3": 2}],
                ["conv2", "conv3"],
                calibration=calibration,
                epochs=epochs,
            ).table["train_loss"][0]
            for epochs in (0, 3)
        ]
        assert losses[1] < losses[0]


def test_a_stopped_curve_keeps_the_networks_it_has(digits, digits_mlp):
    def report(done, total, curve):
        assert len(curve().table) == done
        assert outputs(curve().network(done - 1), digits.x_test).argmax(1).tolist() == (
            curve().predictions[done - 1].tolist()
        )
        return done < 2

    stopped = compression.low_rank_curve(digits_mlp, digits, epochs=1, report=report)
    assert list(stopped.table["knob"]) == [1, 2]


def test_fewer_epochs_than_none_are_refused(digits, digits_mlp):
    with pytest.raises(ArgumentError, match="choose 0 or more"):
        compression.low_rank_curve(digits_mlp, digits, epochs=-1)


@pytest.mark.parametrize("method", ["truncated_svd", "activation_aware_svd"])
def test_progressive_truncation_truncates_what_the_rank_above_ended_with(
    method, digits, digits_mlp
):
    settings = {"epochs": 1, "warm_start": True}
    path = compression.low_rank_curve(digits_mlp, digits, method, RANKS, **settings)
    assert path.table["knob"].tolist() == RANKS
    assert path.table["epochs"].tolist() == [3, 2, 1, 0]
    # One rank at a time: the product of the factors is the weight that is truncated next.
    start = digits_mlp
    for row in (2, 1, 0):
        single = compression.low_rank_curve(start, digits, method, [RANKS[row]], epochs=1)
        network = path.network(row)
        expected = outputs(single.network(0), digits.x_test)
        np.testing.assert_allclose(outputs(network, digits.x_test), expected, atol=1e-3)
        assert path.table["parameters"][row] == single.table["parameters"][0]
        assert path.table["bytes"][row] == len(storage.to_bytes(network))
        dense = copy.deepcopy(digits_mlp.network)
        for name, part in network.named_children():
            if isinstance(part, torch.nn.Sequential):
                weight, bias = part[1].weight @ part[0].weight, part[1].bias
                state = {"weight": weight.detach(), "bias": bias.detach()}
            else:
                state = part.state_dict()
            dense.get_submodule(name).load_state_dict(state)
        start = replace(digits_mlp, network=dense)


def test_progressive_truncation_needs_epochs_and_one_rank_for_all(digits, digits_mlp):
    for ranks, epochs in (([2, 4], 0), ([{"fc1": 2}], 1)):
        with pytest.raises(ArgumentError, match="whole numbers"):
            compression.low_rank_curve(
                digits_mlp, digits, ranks=ranks, epochs=epochs, warm_start=True
            )


def test_progressive_truncation_stops_with_the_ranks_that_are_there(digits, digits_mlp):
    seen = []

    def report(done, total, so_far):
        seen.append((done, total, so_far().table["knob"].tolist()))
        return done < 2

    curve = compression.low_rank_curve(
        digits_mlp, digits, ranks=RANKS, epochs=1, warm_start=True, report=report
    )
    assert seen == [(1, 4, [128]), (2, 4, [60, 128])]
    assert curve.table["knob"].tolist() == [60, 128]
