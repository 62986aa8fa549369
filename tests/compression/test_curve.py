import numpy as np
import pytest
import torch
from sklearn.metrics import confusion_matrix

import compression
from compression import accounting, evaluation, storage
from compression.errors import ArgumentError, CompressionError
from compression.low_rank.decomposition import break_even_rank
from compression.network import LowRankLayer, layers, matrix

COLUMNS = {"knob", "parameters", "bytes", "macs", "train_loss", "test_loss", "score"}


@pytest.fixture(scope="module")
def low_rank(digits, digits_mlp):
    return compression.low_rank_curve(digits_mlp, digits)


@pytest.fixture(scope="module")
def constrained(digits, digits_mlp):
    return compression.constrained_curve(digits_mlp, digits, bounds=[0.05, 0.2, 0.5, 1.0])


def outputs(network, x):
    with torch.inference_mode():
        return network(torch.from_numpy(x)).numpy()


def test_both_curves_have_the_columns_that_scripts_rely_on(low_rank, constrained):
    assert set(low_rank.table) >= COLUMNS
    assert set(constrained.table) >= COLUMNS


def test_every_rank_up_to_full_is_on_the_curve(low_rank):
    assert list(low_rank.table["knob"]) == list(range(1, 129))


def naive(network, rank):
    """A second implementation: W replaced by its truncation, layer by layer, in place."""
    import copy

    network = copy.deepcopy(network)
    for layer in layers(network).values():
        weight = matrix(layer)
        if rank <= break_even_rank(*weight.shape):
            u, s, vt = np.linalg.svd(weight.astype(np.float64), full_matrices=False)
            truncated = (u[:, :rank] * s[:rank]) @ vt[:rank]
            layer.weight.data = torch.tensor(truncated, dtype=torch.float32)
    return network


@pytest.mark.parametrize("rank", [1, 2, 5, 9, 10, 30, 51, 52, 85, 86, 128])
def test_a_row_is_what_truncating_and_evaluating_naively_gives(rank, low_rank, digits, digits_mlp):
    expected = outputs(naive(digits_mlp.network, rank), digits.x_test)
    network = low_rank.network(rank - 1)
    np.testing.assert_allclose(outputs(network, digits.x_test), expected, atol=1e-4)
    row = low_rank.table.iloc[rank - 1]
    assert row["score"] == (expected.argmax(1) == digits.y_test).mean()
    np.testing.assert_array_equal(low_rank.predictions[rank - 1], expected.argmax(1))
    loss = torch.nn.functional.cross_entropy(
        torch.tensor(expected), torch.from_numpy(digits.y_test)
    )
    assert row["test_loss"] == pytest.approx(loss.item(), rel=1e-4)


@pytest.mark.parametrize("layer", ["fc1", "fc2", "fc3"])
def test_one_layer_alone_equals_truncating_only_that_layer(layer, digits, digits_mlp):
    curve = compression.low_rank_curve(digits_mlp, digits, layers=[layer], ranks=[1, 4, 7])
    for row, rank in enumerate((1, 4, 7)):
        weight = matrix(layers(digits_mlp.network)[layer])
        u, s, vt = np.linalg.svd(weight, full_matrices=False)
        network = compression.train(digits, epochs=1).network
        network.load_state_dict(digits_mlp.network.state_dict())
        layers(network)[layer].weight.data = torch.from_numpy((u[:, :rank] * s[:rank]) @ vt[:rank])
        expected = outputs(network, digits.x_test)
        np.testing.assert_array_equal(curve.predictions[row], expected.argmax(1))
        np.testing.assert_allclose(outputs(curve.network(row), digits.x_test), expected, atol=1e-4)


def test_ranks_may_come_in_any_order_and_twice(digits, digits_mlp, low_rank):
    curve = compression.low_rank_curve(digits_mlp, digits, ranks=[40, 3, 3, 17])
    assert list(curve.table["knob"]) == [3, 17, 40]
    np.testing.assert_array_equal(curve.predictions, low_rank.predictions[[2, 16, 39]])


def test_from_the_break_even_rank_on_a_layer_stays_dense(low_rank, digits_mlp):
    for rank in (9, 51, 85, 86):
        network = low_rank.network(rank - 1)
        for name, layer in digits_mlp.network.named_children():
            if name.startswith("fc"):
                factored = isinstance(getattr(network, name), LowRankLayer)
                numbers = sum(layer.weight.shape) * rank
                assert factored == (numbers < layer.weight.numel())


def test_no_row_is_larger_than_the_reference_and_full_rank_is_the_reference(low_rank):
    assert (low_rank.table["parameters"] <= low_rank.reference["parameters"]).all()
    last = low_rank.table.iloc[-1]
    for column in ("parameters", "bytes", "macs", "test_loss", "score"):
        assert last[column] == low_rank.reference[column]


@pytest.mark.parametrize("family", ["low_rank", "constrained"])
def test_costs_of_a_row_are_those_of_its_network_and_its_file(family, request, tmp_path):
    curve = request.getfixturevalue(family)
    for row in range(0, len(curve.table), 17 if family == "low_rank" else 1):
        network, line = curve.network(row), curve.table.iloc[row]
        path = tmp_path / f"{row}.safetensors"
        compression.save(network, path)
        assert line["bytes"] == path.stat().st_size
        assert line["parameters"] == accounting.parameters(network)
        assert line["macs"] == accounting.macs(network)


@pytest.mark.parametrize("family", ["low_rank", "constrained"])
def test_confusion_is_that_of_the_rows_own_network(family, request, digits):
    curve = request.getfixturevalue(family)
    for row in (0, len(curve.table) - 1):
        predicted = outputs(curve.network(row), digits.x_test).argmax(1)
        np.testing.assert_array_equal(
            curve.confusion[row], confusion_matrix(digits.y_test, predicted)
        )


def test_losses_and_scores_are_of_their_own_parts(constrained, digits):
    network, row = constrained.network(2), constrained.table.iloc[2]
    for part, rows in (("train", digits.fit_rows), ("validation", digits.validation_rows)):
        logits = torch.from_numpy(outputs(network, digits.x_train[rows]))
        target = torch.from_numpy(digits.y_train[rows])
        loss = torch.nn.functional.cross_entropy(logits, target).item()
        assert row[f"{part}_loss"] == pytest.approx(loss, rel=1e-4)
    right = (logits.argmax(1) == target).sum().item()
    assert row["validation_score"] == right / len(target)
    interval = evaluation.wilson(right, len(target))
    assert (row["validation_low"], row["validation_high"]) == (interval.low, interval.high)


def test_constrained_weights_stay_within_their_bound(constrained, digits_mlp):
    for row, relative in enumerate(constrained.table["knob"]):
        for name, layer in layers(constrained.network(row)).items():
            largest = np.abs(matrix(layers(digits_mlp.network)[name])).max()
            assert np.abs(matrix(layer)).max() <= relative * largest * (1 + 1e-6)
            assert layer.bounded.bound == pytest.approx(relative * largest, rel=1e-6)


def test_bounds_ascend_in_the_table_whatever_their_order(constrained):
    assert list(constrained.table["knob"]) == [0.05, 0.2, 0.5, 1.0]


def test_counts_of_a_linear_model_are_whole_and_each_is_there_once(diabetes):
    reference = compression.train(diabetes, model="linear_regression", seed=0, epochs=2)
    table = compression.constrained_curve(reference, diabetes, "cardinality").table
    weights = diabetes.x_train.shape[1]
    assert list(table["knob"]) == list(range(1, weights + 1))
    assert (table["free"] * weights).round(9).le(table["knob"]).all()


def test_spectra_are_those_of_the_rows_weights(constrained, low_rank, digits_mlp):
    for name, layer in layers(digits_mlp.network).items():
        expected = np.linalg.svd(matrix(layer).astype(np.float64), compute_uv=False)
        np.testing.assert_allclose(low_rank.spectra[name], expected, rtol=1e-5)
        weight = matrix(layers(constrained.network(1))[name])
        np.testing.assert_allclose(
            constrained.spectra[name][1], np.linalg.svd(weight, compute_uv=False), rtol=1e-5
        )


def test_a_curve_is_the_same_each_time(constrained, digits, digits_mlp):
    again = compression.constrained_curve(digits_mlp, digits, bounds=[0.05, 0.2, 0.5, 1.0])
    assert again.table.equals(constrained.table)


def test_curves_never_change_the_reference(digits, digits_mlp):
    before = storage.to_bytes(digits_mlp.network)
    compression.low_rank_curve(digits_mlp, digits, ranks=[1, 2])
    compression.constrained_curve(digits_mlp, digits, bounds=[0.3])
    network = compression.low_rank_curve(digits_mlp, digits, ranks=[2]).network(0)
    for parameter in network.parameters():
        parameter.data.zero_()
    assert storage.to_bytes(digits_mlp.network) == before


@pytest.mark.parametrize(
    "loss_model", [("diabetes", "linear_regression"), ("digits", "softmax_regression")]
)
def test_a_linear_models_bounds_are_met_at_the_certified_optimum(loss_model, request):
    name, model = loss_model
    dataset = request.getfixturevalue(name)
    reference = compression.train(dataset, model=model, epochs=20)
    largest = np.abs(matrix(reference.network[0])).max()
    bounds = [0.1 * largest, 0.5 * largest]
    curve = compression.constrained_curve(reference, dataset, bounds=bounds)
    assert curve.knob == "bound"
    x, y = (
        a[dataset.fit_rows].astype(t)
        for a, t in ((dataset.x_train, "f8"), (dataset.y_train, dataset.y_train.dtype))
    )
    for row, bound in enumerate(bounds):
        optimum = compression.solve(
            x,
            y,
            loss="softmax" if dataset.task == "classification" else "squared",
            constraint="box",
            bound=bound,
            solver="cvxpy" if name == "diabetes" else "quasi_newton",
        )
        assert curve.table["train_loss"][row] <= optimum.objective + 2e-3
        assert np.abs(matrix(curve.network(row)[0])).max() <= bound * (1 + 1e-6)


def test_regression_has_predictions_and_no_confusion(diabetes):
    reference = compression.train(diabetes, model="mlp", epochs=3)
    curve = compression.low_rank_curve(reference, diabetes, ranks=[1, 20])
    assert curve.confusion == [None, None]
    expected = outputs(curve.network(1), diabetes.x_test)[:, 0]
    np.testing.assert_allclose(curve.predictions[1], expected, atol=1e-4)


def test_convolutions_are_constrained_and_kept_by_low_rank_unless_named(small_images):
    reference = compression.train(small_images, model="lenet5", epochs=1)
    curve = compression.low_rank_curve(reference, small_images, ranks=[2])
    assert isinstance(curve.network(0).fc1, LowRankLayer)
    assert isinstance(curve.network(0).conv2, torch.nn.Conv2d)
    bounded = compression.constrained_curve(reference, small_images, bounds=[0.5], epochs=1)
    assert bounded.network(0).conv2.bounded.constraint == "box"


@pytest.mark.parametrize(
    ("dataset", "model", "layer"),
    [("small_images", "lenet5", "conv2"), ("small_signals", "conv1d", "conv2")],
)
def test_a_convolution_of_low_rank_is_that_of_its_truncated_unfolding(
    dataset, model, layer, request
):
    dataset = request.getfixturevalue(dataset)
    reference = compression.train(dataset, model=model, epochs=1)
    curve = compression.low_rank_curve(reference, dataset, layers=layer, ranks=[3])
    kernel = layers(reference.network)[layer].weight
    u, s, vt = np.linalg.svd(matrix(layers(reference.network)[layer]), full_matrices=False)
    truncated = torch.from_numpy((u[:, :3] * s[:3]) @ vt[:3]).reshape(kernel.shape)
    layers(reference.network)[layer].weight.data = truncated
    expected = outputs(reference.network, dataset.x_test)
    np.testing.assert_allclose(outputs(curve.network(0), dataset.x_test), expected, atol=1e-4)
    np.testing.assert_array_equal(curve.predictions[0], expected.argmax(1))


def test_a_curve_that_is_told_to_stop_keeps_the_rows_it_has(digits, digits_mlp):
    def report(done, total, curve):
        assert len(curve().table) == done
        return done < 3

    assert len(compression.low_rank_curve(digits_mlp, digits, report=report).table) == 3
    stopped = compression.constrained_curve(digits_mlp, digits, epochs=1, report=report)
    assert len(stopped.table) == 3
    assert stopped.table["knob"].is_monotonic_increasing


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda r, d: compression.low_rank_curve(r, d, ranks=[0]), "choose 1 to 128"),
        (lambda r, d: compression.low_rank_curve(r, d, ranks=[10**9]), "choose 1 to 128"),
        (lambda r, d: compression.low_rank_curve(r, d, ranks=[1.5]), "choose 1 to 128"),
        (lambda r, d: compression.low_rank_curve(r, d, ranks=[]), "choose from 1 to 128"),
        (lambda r, d: compression.low_rank_curve(r, d, method="magic"), "truncated_svd"),
        (lambda r, d: compression.low_rank_curve(r, d, layers=["fc9"]), "fc1, fc2, fc3"),
        (lambda r, d: compression.constrained_curve(r, d, bounds=[float("nan")]), "above 0"),
        (lambda r, d: compression.constrained_curve(r, d, bounds=[-1.0]), "above 0"),
        (lambda r, d: compression.constrained_curve(r, d, constraint="cage"), "box"),
    ],
)
def test_wrong_arguments_are_answered_with_the_values_that_would_do(
    call, words, digits, digits_mlp
):
    with pytest.raises(ArgumentError, match=words):
        call(digits_mlp, digits)


def test_a_dead_layer_is_an_error_in_words(digits, digits_mlp):
    import copy
    from dataclasses import replace

    network = copy.deepcopy(digits_mlp.network)
    network.fc2.weight.data.zero_()
    with pytest.raises(CompressionError, match="zero"):
        compression.low_rank_curve(replace(digits_mlp, network=network), digits)


def count_calls(monkeypatch, kind, name):
    """How often a method of a class is called from now on."""
    calls = []
    real = getattr(kind, name)

    def call(self, *arguments, **named):
        calls.append(self)
        return real(self, *arguments, **named)

    monkeypatch.setattr(kind, name, call)
    return calls


def test_every_layer_is_decomposed_once_for_all_ranks(digits, digits_mlp, monkeypatch):
    from compression.low_rank import truncated_svd

    decomposed = count_calls(monkeypatch, truncated_svd.TruncatedSVD, "decompose")
    real, calls = truncated_svd.svd, []
    monkeypatch.setattr(
        truncated_svd, "svd", lambda weight: calls.append(weight.shape) or real(weight)
    )
    compression.low_rank_curve(digits_mlp, digits)
    assert len(decomposed) == 3
    assert sorted(calls) == [(10, 128), (128, 256), (256, 64)]


def rows_seen_by_the_last_layer(call):
    """Over a whole call; the single row that costs are counted with apart."""
    seen = []

    def hook(module, inputs, output):
        if isinstance(module, torch.nn.Linear) and module.out_features == 10:
            seen.append(len(inputs[0]) if len(inputs[0]) > 1 else 0)

    handle = torch.nn.modules.module.register_module_forward_hook(hook)
    try:
        call()
    finally:
        handle.remove()
    return sum(seen)


def test_every_value_s_logits_are_evaluated_once(digits, digits_mlp):
    rows = len(digits.x_train) + len(digits.x_test)
    # The reference, and every bound.
    assert (
        rows_seen_by_the_last_layer(
            lambda: compression.constrained_curve(
                digits_mlp, digits, bounds=[0.1, 0.3, 0.9], method="clip"
            )
        )
        == 4 * rows
    )
    # The reference, each rank that makes fc1 smaller, and the one network in which it stays dense.
    paying = break_even_rank(256, 64)
    assert (
        rows_seen_by_the_last_layer(
            lambda: compression.low_rank_curve(digits_mlp, digits, layers="fc1")
        )
        == (1 + paying + 1) * rows
    )
