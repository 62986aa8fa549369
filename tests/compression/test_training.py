import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.linear_model import LinearRegression
from sklearn.metrics import accuracy_score

import compression
import data
from compression import errors, models, training


def test_a_reference_is_in_eval_mode_and_scored_on_the_test_part(digits, digits_mlp):
    assert not digits_mlp.network.training
    with torch.inference_mode():
        predicted = digits_mlp.network(torch.from_numpy(digits.x_test)).argmax(1).numpy()
    assert digits_mlp.score == accuracy_score(digits.y_test, predicted)
    assert digits_mlp.interval.low < digits_mlp.score < digits_mlp.interval.high


def test_digits_are_learnt(digits):
    assert compression.train(digits, model="mlp", seed=0).score > 0.95


def test_the_same_seed_gives_the_same_network_and_another_seed_another(digits):
    a, b, c = (compression.train(digits, seed=seed, epochs=2) for seed in (3, 3, 4))
    for name, value in a.network.state_dict().items():
        assert torch.equal(value, b.network.state_dict()[name])
    assert not torch.equal(a.network.fc1.weight, c.network.fc1.weight)


def test_training_leaves_the_global_generator_as_it_was(digits):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    compression.train(digits, seed=1, epochs=1)
    assert torch.equal(torch.rand(3), expected)


def test_training_sees_neither_validation_nor_test_rows(digits):
    """Spoilt labels in those parts change nothing but what is said about them."""
    from dataclasses import replace

    y = digits.y_train.copy()
    y[digits.validation_rows] = 0
    spoilt = replace(digits, y_train=y, y_test=np.zeros_like(digits.y_test))
    recipe = {"model": "softmax_regression", "seed": 0, "epochs": 5}  # no early stopping
    clean = compression.train(digits, **recipe).network.linear.weight
    assert torch.equal(compression.train(spoilt, **recipe).network.linear.weight, clean)


def test_full_batch_least_squares_ends_at_the_normal_equations(diabetes):
    reference = compression.train(diabetes, model="linear_regression", seed=0, epochs=4000)
    x, y = diabetes.x_train[diabetes.fit_rows], diabetes.y_train[diabetes.fit_rows]
    exact = LinearRegression().fit(x.astype(np.float64), y)
    predicted = reference.network(torch.from_numpy(x)).detach().numpy()[:, 0]
    np.testing.assert_allclose(predicted, exact.predict(x), atol=5e-3)


def test_early_stopping_returns_the_network_of_the_best_validation_loss(digits):
    reference = compression.train(digits, model="mlp", seed=0)
    losses = reference.history["validation_loss"]
    x = torch.from_numpy(digits.x_train[digits.validation_rows])
    y = torch.from_numpy(digits.y_train[digits.validation_rows])
    with torch.inference_mode():
        loss = torch.nn.functional.cross_entropy(reference.network(x), y).item()
    assert loss == pytest.approx(losses.min(), rel=1e-5)
    assert len(losses) < models.MINI_BATCH.epochs


def test_history_has_a_row_an_epoch(digits_mlp):
    assert list(digits_mlp.history["epoch"]) == [1, 2, 3, 4]
    assert set(digits_mlp.history) == {"epoch", "train_loss", "validation_loss", "validation_score"}
    assert digits_mlp.history["train_loss"].is_monotonic_decreasing


def test_progress_is_reported_each_epoch_and_false_stops_the_training(digits):
    seen = []

    def report(done, total, history):
        seen.append((done, total, len(history())))
        return done < 2

    reference = compression.train(digits, epochs=6, report=report)
    assert seen == [(1, 6, 1), (2, 6, 2)]
    assert len(reference.history) == 2


def test_a_loss_that_leaves_the_finite_numbers_is_said_in_words(digits):
    network, _ = models.build("mlp", digits, 10, 0)
    trainer = training.Trainer(network, training.SampleTensors(digits), learning_rate=1e30)
    with pytest.raises(errors.NotConvergedError, match="lower the learning rate"):
        trainer.run(3)


@pytest.mark.parametrize("model", compression.MODELS)
def test_every_model_is_trained_where_it_fits_and_refused_in_words_where_not(
    model, digits, diabetes, small_images, small_signals
):
    entry = compression.MODELS[model]
    fitted = 0
    for dataset in (digits, diabetes, small_images, small_signals):
        reason = entry.fits(dataset)
        if reason is None:
            reference = compression.train(dataset, model=model, epochs=1)
            assert np.isfinite(reference.history["train_loss"]).all()
            fitted += 1
        else:
            with pytest.raises(errors.NotApplicableError, match="choose"):
                compression.train(dataset, model=model, epochs=1)
    assert fitted


@pytest.mark.parametrize("name", data.DATASETS)
def test_every_dataset_has_a_model_that_fits(name):
    assert any(entry.fits(data.DATASETS[name]) is None for entry in compression.MODELS.values())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"model": "resnet"}, "choose one of linear_regression"),
        ({"epochs": 0}, "choose 1 or more"),
        ({"device": "warp"}, "choose auto or cpu"),
    ],
)
def test_wrong_arguments_are_answered_with_the_values_that_would_do(digits, arguments, words):
    with pytest.raises(errors.ArgumentError, match=words):
        compression.train(digits, **arguments)


def test_the_articles_recipe_is_a_thousand_full_batch_epochs_of_adam(digits):
    recipe = models.recipe_of("softmax_regression", digits)
    assert (recipe.epochs, recipe.batch_size, recipe.learning_rate) == (1000, None, 0.01)


def test_a_step_is_that_of_torchs_own_adam(digits):
    ours, _ = models.build("mlp", digits, 10, 0)
    theirs, _ = models.build("mlp", digits, 10, 0)
    samples = training.SampleTensors(digits)
    trainer = training.Trainer(ours, samples, learning_rate=1e-3, batch_size=None)
    optimizer = torch.optim.Adam(theirs.parameters(), lr=1e-3)
    for _ in range(5):
        trainer.run_epoch()
        optimizer.zero_grad()
        x, y = samples.x[samples.fit], samples.y[samples.fit]
        torch.nn.functional.cross_entropy(theirs(x), y).backward()
        optimizer.step()
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(a, b)


def test_training_does_not_import_torchs_compiler():
    import subprocess
    import sys

    code = (
        "import sys, compression, data;"
        "compression.train(data.load('iris'), 'mlp', epochs=1);"
        "print('torch._dynamo' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_history_is_a_table(digits_mlp):
    assert isinstance(digits_mlp.history, pd.DataFrame)


@pytest.mark.parametrize(
    ("model", "shape", "classes", "widths", "parameters"),
    [
        ("softmax_regression", (1, 40), 10, [10], 410),
        ("mlp", (1, 8, 8), 10, [256, 128, 10], 50_826),
        # What the literature counts: LeNet-300-100 and LeNet-5 on MNIST (Han et al. 2015; LeNet-5
        # with biases), and the convolutional net of MNIST-1D (Greydanus & Kobak 2020).
        ("lenet300", (1, 28, 28), 10, [300, 100, 10], 266_610),
        ("lenet5", (1, 28, 28), 10, [6, 16, 120, 84, 10], 61_706),
        ("conv1d", (1, 40), 10, [25, 25, 25, 10], 5_210),
    ],
)
def test_an_architecture_is_the_one_of_its_name(model, shape, classes, widths, parameters):
    from types import SimpleNamespace

    described = SimpleNamespace(task="classification", input_shape=shape)
    network, _ = models.build(model, described, classes, 0)
    weights = [p for name, p in network.named_parameters() if name.endswith("weight")]
    assert [len(weight) for weight in weights] == widths
    assert sum(p.numel() for p in network.parameters()) == parameters


def test_auto_takes_the_accelerator_that_torch_has_and_a_name_the_device_of_that_name(monkeypatch):
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: False)
    assert training.pick_device("auto") == torch.device("cpu")
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: True)
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda: torch.device("meta"))
    assert training.pick_device("auto") == torch.device("meta")
    assert training.pick_device("cpu") == torch.device("cpu")


def test_training_and_curves_compute_in_one_thread(digits, digits_mlp):
    seen = []

    def report(done, total, partial):
        seen.append(torch.get_num_threads())
        return True

    before = torch.get_num_threads()
    torch.set_num_threads(4)
    try:
        compression.train(digits, epochs=1, report=report)
        compression.low_rank_curve(digits_mlp, digits, ranks=[1], report=report)
        compression.constrained_curve(digits_mlp, digits, bounds=[0.5], epochs=1, report=report)
    finally:
        torch.set_num_threads(before)
    assert seen == [1, 1, 1]  # small products


@pytest.mark.parametrize(
    "asked",
    [
        {"width": 0.0},
        {"width": float("nan")},
        {"width": 9},
        {"learning_rate": 0.0},
        {"learning_rate": float("inf")},
        {"learning_rate": float("nan")},
    ],
)
def test_a_width_or_rate_that_trains_nothing_is_refused(asked):
    with pytest.raises(compression.CompressionError, match="choose"):
        compression.train(data.load("iris", seed=0), model="mlp", epochs=1, **asked)


def test_width_and_rate_change_what_is_trained():
    dataset = data.load("iris", seed=0)
    own = compression.train(dataset, model="mlp", epochs=2)
    narrow = compression.train(dataset, model="mlp", epochs=2, width=0.5, learning_rate=0.01)
    assert [len(layer.weight) for layer in narrow.network if hasattr(layer, "weight")] == [
        128,
        64,
        3,
    ]
    assert narrow.history["train_loss"].iloc[-1] < own.history["train_loss"].iloc[-1]
    same = compression.train(dataset, model="mlp", epochs=2, width=1.0, learning_rate=1e-3)
    assert same.history.equals(own.history)
    small = compression.baseline_curve(narrow, dataset, "smaller_network", knobs=[0.5])
    assert len(small.network(0)[0].weight) == 64
