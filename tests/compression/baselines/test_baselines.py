"""The alternatives: what each stores, and that it is what its name says."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn.utils import prune

import compression
from compression import catalog, models, storage, straight_through
from compression.baselines import magnitude_pruning
from compression.baselines.method import BaselineStart
from compression.errors import ArgumentError, NotApplicableError
from compression.grid import Grid
from compression.network import bounded_of, grid_of, layers, matrix
from compression.training import SampleTensors, Trainer

KNOBS = {
    "rounding": [3, 1],
    "quantization_aware": [3, 1],
    "magnitude_pruning": [0.3, 0.05],
    "smaller_network": [0.3, 0.1],
}


@pytest.fixture(scope="module")
def references(digits, digits_mlp, small_images, small_signals):
    return {
        "mlp": (digits_mlp, digits),
        "lenet5": (compression.train(small_images, "lenet5", epochs=2), small_images),
        "conv1d": (compression.train(small_signals, "conv1d", epochs=2), small_signals),
    }


def test_every_alternative_is_tested_here():
    assert set(KNOBS) == set(compression.BASELINES)


@pytest.mark.parametrize("model", ["mlp", "lenet5", "conv1d"])
@pytest.mark.parametrize("method", KNOBS)
def test_a_curve_judges_the_networks_that_it_gives_and_their_files(
    references, method, model, tmp_path
):
    reference, dataset = references[model]
    curve = compression.baseline_curve(reference, dataset, method, KNOBS[method], epochs=1)
    entry = compression.BASELINES[method]
    assert (curve.knob, curve.method) == (entry.knob, method)
    assert list(curve.table["knob"]) == sorted(KNOBS[method])
    assert list(curve.table["epochs"]) == [1 if entry.trains else 0] * 2
    x = torch.from_numpy(dataset.x_test)
    for row, line in curve.table.iterrows():
        network = curve.network(row)
        compression.save(network, tmp_path / "m")
        again = compression.load(tmp_path / "m")
        assert torch.equal(again(x), network(x))
        assert line["bytes"] == (tmp_path / "m").stat().st_size == compression.bytes_of(network)
        assert line["bytes"] < curve.reference["bytes"]
        assert line["parameters"] == compression.parameters(network)
        assert line["macs"] == compression.macs(network)
        predicted = network(x).argmax(1).numpy()
        assert line["score"] == (predicted == dataset.y_test).mean()
        assert curve.confusion[row].sum() == len(dataset.y_test)


@pytest.mark.parametrize("method", KNOBS)
def test_an_alternative_never_changes_the_reference(digits, digits_mlp, method):
    before = storage.to_bytes(digits_mlp.network)
    knobs = KNOBS[method][:1]
    first = compression.baseline_curve(digits_mlp, digits, method, knobs, epochs=1).network(0)
    assert storage.to_bytes(digits_mlp.network) == before
    again = compression.baseline_curve(digits_mlp, digits, method, knobs, epochs=1).network(0)
    assert storage.to_bytes(first) == storage.to_bytes(again)


def test_rounding_is_quantize_of_the_reference(digits, digits_mlp):
    curve = compression.baseline_curve(digits_mlp, digits, knobs=[2, 5])
    for row, bits in enumerate((2, 5)):
        expected = compression.quantize(digits_mlp.network, bits)
        assert storage.to_bytes(curve.network(row)) == storage.to_bytes(expected)


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
def test_the_forward_pass_in_training_is_the_stored_model_s_bit_by_bit(references, bits):
    for reference, dataset in references.values():
        network, samples = copy.deepcopy(reference.network), SampleTensors(dataset)
        rounding = straight_through.attach_rounding(network, bits)
        Trainer(network, samples, 1e-3, 64, 0).run_epoch()
        frozen = straight_through.freeze(network, rounding, reference.network)
        stored = storage.from_bytes(storage.to_bytes(frozen))
        assert torch.equal(network(samples.x), stored(samples.x))
        for name, layer in layers(stored).items():
            real = network.get_submodule(name).parametrizations.weight.original.detach().numpy()
            grid = grid_of(layer)
            assert grid.bits == bits  # the file holds codes: no weight has left its grid
            expected = grid.values(grid.codes(real), np.dtype(np.float32))
            assert layer.weight.detach().numpy().tobytes() == expected.tobytes()


def test_the_gradient_passes_the_rounding_unchanged():
    weight = torch.randn(5, 4, generator=torch.Generator().manual_seed(0), requires_grad=True)
    target = torch.ones(5, 4)
    rounded = straight_through.StraightThroughGradient.apply(weight, Grid(2, -1.0, 1.0))
    ((rounded - target) ** 2).sum().backward()
    assert torch.equal(weight.grad, 2 * (rounded.detach() - target))


def test_quantisation_aware_training_learns_with_the_rounding(digits, digits_mlp):
    rounded, trained = (
        compression.baseline_curve(digits_mlp, digits, method, [1], epochs=3).table.iloc[0]
        for method in ("rounding", "quantization_aware")
    )
    assert trained["train_loss"] < 0.8 * rounded["train_loss"]
    assert trained["epochs"] == 3


@pytest.mark.parametrize("share", [0.5, 0.1, 0.01])
def test_pruning_keeps_the_largest_weights_of_all_layers_together(references, share):
    for reference, _ in references.values():
        found = layers(reference.network)
        kept = magnitude_pruning.find_largest(found, share)
        peer = layers(copy.deepcopy(reference.network))
        total = sum(layer.weight.numel() for layer in peer.values())
        prune.global_unstructured(
            [(layer, "weight") for layer in peer.values()],
            pruning_method=prune.L1Unstructured,
            amount=total - round(share * total),
        )
        for name, layer in peer.items():
            assert torch.equal(kept[name], layer.weight_mask.bool())
        assert sum(int(part.sum()) for part in kept.values()) == round(share * total)


def test_pruned_weights_stay_zero_and_the_others_are_trained_on(digits, digits_mlp):
    curve = compression.baseline_curve(digits_mlp, digits, "magnitude_pruning", [0.1], epochs=2)
    kept = magnitude_pruning.find_largest(layers(digits_mlp.network), 0.1)
    moved = 0
    for name, layer in layers(curve.network(0)).items():
        weight, before = matrix(layer), matrix(layers(digits_mlp.network)[name])
        mask = kept[name].numpy().reshape(weight.shape)
        np.testing.assert_array_equal(weight[~mask], 0)
        moved += np.count_nonzero(weight[mask] != before[mask])
        assert bounded_of(layer).constraint == "cardinality"
        assert bounded_of(layer).bound == mask.sum()
    # Pixels that are always blank keep their weights: nothing is learnt from them.
    assert moved > 0.5 * sum(int(part.sum()) for part in kept.values())


@pytest.mark.parametrize("epochs", [1, 3, 6])
def test_pruning_in_rounds_ends_with_exactly_the_share_asked_for(digits, digits_mlp, epochs):
    curve = compression.baseline_curve(
        digits_mlp, digits, "magnitude_pruning", [0.03], epochs=epochs
    )
    found = layers(curve.network(0))
    total = sum(layer.weight.numel() for layer in found.values())
    count = sum(int((layer.weight != 0).sum()) for layer in found.values())
    assert count == sum(bounded_of(layer).bound for layer in found.values()) == round(0.03 * total)


def test_a_pruned_file_takes_its_numbers_and_little_more(digits, digits_mlp):
    curve = compression.baseline_curve(digits_mlp, digits, "magnitude_pruning", [0.05], epochs=1)
    total = sum(layer.weight.numel() for layer in layers(digits_mlp.network).values())
    biases = 256 + 128 + 10
    # A place takes Shannon's H(0.05) = 0.29 bits a weight if it says nothing of its neighbours.
    expected = 4 * (round(0.05 * total) + biases) + 0.29 * total / 8
    assert curve.table["bytes"][0] < 1.1 * expected + 1200


@pytest.mark.parametrize("model", ["mlp", "lenet300", "lenet5", "conv1d"])
def test_a_smaller_network_is_the_reference_s_own_builder_and_trainer(
    model, digits, small_images, small_signals, monkeypatch
):
    """The same numbers as ``compression.train`` gives for a model of that size."""
    dataset = {"lenet5": small_images, "conv1d": small_signals}.get(model, digits)
    reference = compression.train(dataset, model, seed=3, epochs=2)
    curve = compression.baseline_curve(reference, dataset, "smaller_network", [0.25])

    whole = getattr(models, model)
    entry = compression.MODELS[model]
    monkeypatch.setattr(models, model, lambda shape, outputs, width: whole(shape, outputs, 0.25))
    epochs = len(reference.history) + 10  # as the baselines that train the reference on
    expected = compression.train(dataset, model, seed=3, epochs=epochs)
    assert entry.load() is not whole
    assert storage.to_bytes(curve.network(0)) == storage.to_bytes(expected.network)
    assert curve.table["epochs"][0] == len(expected.history)
    units = {"mlp": 64, "lenet300": 75, "lenet5": 2, "conv1d": 6}[model]  # round(1.5) is 2
    assert len(next(iter(layers(expected.network).values())).weight) == units


def test_widths_are_chosen_by_the_bytes_of_their_files(digits, digits_mlp):
    method = compression.BASELINES["smaller_network"].load()()
    start = BaselineStart(digits_mlp, digits, SampleTensors(digits), None)
    whole = compression.bytes_of(digits_mlp.network)
    widths = method.knobs(start)
    assert list(widths) == sorted(widths)
    shares = [
        compression.bytes_of(models.build("mlp", digits, 10, 0, width)[0]) / whole
        for width in widths
    ]
    for share, wanted in zip(shares, (0.03, 0.06, 0.09, 0.125, 0.18, 0.25, 0.35, 0.5), strict=True):
        assert 0.9 * wanted <= share <= wanted


def test_a_model_without_hidden_layers_has_no_smaller_one(digits, digits_softmax):
    for knobs in (None, [0.5]):
        with pytest.raises(NotApplicableError, match="Softmax regression has no hidden layer"):
            compression.baseline_curve(digits_softmax, digits, "smaller_network", knobs)
    pruned = compression.baseline_curve(digits_softmax, digits, "magnitude_pruning", [0.5])
    assert len(pruned.table) == 1


@pytest.mark.parametrize("model", compression.MODELS)
def test_a_model_s_line_says_whether_its_width_can_change(model, digits, small_images):
    shape = {"lenet5": (1, 12, 12), "conv1d": (1, 16)}.get(model, (4,))
    builder = catalog.MODELS[model].load()
    if not catalog.MODELS[model].scalable:
        with pytest.raises(TypeError):
            builder(shape, 3, width=0.5)
        return
    whole, half = (
        sum(p.numel() for _, layer in builder(shape, 3, width=w)[0] for p in layer.parameters())
        for w in (1.0, 0.5)
    )
    assert half < 0.7 * whole
    plain = builder(shape, 3)[0]
    assert sum(p.numel() for _, layer in plain for p in layer.parameters()) == whole


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"method": "huffman"}, "choose one of rounding"),
        ({"knobs": [0]}, "choose 1 to 16"),
        ({"knobs": []}, "no value of bits"),
        ({"method": "magnitude_pruning", "knobs": [0.0]}, "share 0.0 is not possible"),
        ({"method": "magnitude_pruning", "knobs": [1.5]}, "above 0, at most 1"),
        ({"method": "smaller_network", "knobs": ["wide"]}, "width 'wide' is not possible"),
        ({"method": "magnitude_pruning", "knobs": [float("nan")]}, "above 0, at most 1"),
        ({"method": "quantization_aware", "epochs": 0}, "0 epochs train nothing"),
    ],
)
def test_what_is_not_possible_is_refused_in_words(digits, digits_mlp, asked, sentence):
    with pytest.raises(ArgumentError, match=sentence):
        compression.baseline_curve(digits_mlp, digits, **asked)


def test_a_curve_that_is_told_to_stop_keeps_its_rows(digits, digits_mlp):
    seen = []

    def report(done, total, so_far):
        seen.append((done, total, len(so_far().table)))
        return done < 2

    curve = compression.baseline_curve(digits_mlp, digits, knobs=[1, 2, 3], report=report)
    assert seen == [(1, 3, 1), (2, 3, 2)]
    assert list(curve.table["knob"]) == [1, 2]


def test_a_reference_without_its_history_gives_the_recipe_s_epochs(
    small_signals, references, monkeypatch
):
    reference, dataset = references["conv1d"]
    plain = models.conv1d

    def short(*arguments, **settings):
        found, recipe = plain(*arguments, **settings)
        return found, replace(recipe, epochs=3, patience=None)

    monkeypatch.setattr(models, "conv1d", short)
    bare = replace(reference, history=reference.history.iloc[:0], epochs=None)
    curve = compression.baseline_curve(bare, dataset, "smaller_network", [0.2])
    assert curve.table["epochs"][0] == 3 + 10
