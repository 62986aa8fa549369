"""What every row has behind it: epochs, told by the curve and counted by the trainer."""

import numpy as np
import pytest

import compression
from compression import evaluation, training


@pytest.fixture
def counted(monkeypatch):
    """Epochs of every trainer so far."""
    made = []

    def epoch(self, own=training.Trainer.run_epoch):
        if self not in made:
            made.append(self)
        self.counted = getattr(self, "counted", 0) + 1
        return own(self)

    monkeypatch.setattr(training.Trainer, "run_epoch", epoch)
    return made


def test_each_bound_of_a_path_has_the_epochs_of_all_before(digits, digits_mlp, counted):
    curve = compression.constrained_curve(digits_mlp, digits, bounds=[0.2, 0.4, 0.6], epochs=2)
    assert curve.table["epochs"].tolist() == [6, 4, 2]
    assert [trainer.counted for trainer in counted] == [6]
    assert curve.reference["epochs"] == len(digits_mlp.history)


def test_without_a_warm_start_every_bound_has_the_same_epochs(digits, digits_mlp, counted):
    bounds = [0.2, 0.6]
    curve = compression.constrained_curve(
        digits_mlp, digits, bounds=bounds, epochs=2, warm_start=False
    )
    assert curve.table["epochs"].tolist() == [trainer.counted for trainer in counted] == [2, 2]
    for row, bound in enumerate(bounds):
        alone = compression.constrained_curve(digits_mlp, digits, bounds=[bound], epochs=2)
        assert np.array_equal(alone.predictions[0], curve.predictions[row])


def test_methods_without_training_have_no_epochs(digits, digits_mlp, counted):
    rows = [
        compression.constrained_curve(digits_mlp, digits, bounds=[0.5], method="clip").table,
        compression.low_rank_curve(digits_mlp, digits, ranks=[3]).table,
        compression.baseline_curve(digits_mlp, digits, "rounding", [4]).table,
    ]
    assert [table["epochs"].tolist() for table in rows] == [[0]] * 3
    assert not counted


@pytest.mark.parametrize("method", compression.COMBINED_METHODS)
def test_a_pair_has_the_epochs_of_the_bounds_before_it(method, digits, digits_mlp, counted):
    curve = compression.combined_curve(digits_mlp, digits, method, [4], [0.2, 0.5], epochs=3)
    half = method == "constrained_then_low_rank"  # one epoch of three trains the factors
    assert curve.table["epochs"].tolist() == ([5, 3] if half else [6, 3])
    # The factors of each bound are trained anew, all else goes on.
    assert sum(trainer.counted for trainer in counted) == 6


@pytest.mark.parametrize("method", compression.COMBINED_METHODS)
def test_without_a_warm_start_every_pair_is_what_it_is_alone(method, digits, digits_mlp):
    ranks, bounds = [4, 9], [0.2, 0.5]
    curve = compression.combined_curve(
        digits_mlp, digits, method, ranks, bounds, epochs=2, warm_start=False
    )
    assert curve.table["epochs"].tolist() == [2] * 4
    alone = compression.combined_curve(digits_mlp, digits, method, [9], [0.2], epochs=2)
    assert curve.table[["rank", "bound"]].values.tolist()[2] == [9, 0.2]
    assert np.array_equal(alone.predictions[0], curve.predictions[2])


def test_trained_ranks_say_their_epochs(digits, digits_mlp, counted):
    curve = compression.low_rank_curve(digits_mlp, digits, ranks=[3, 5], epochs=2)
    assert curve.table["epochs"].tolist() == [2, 2]
    assert [trainer.counted for trainer in counted] == [2, 2]


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_gains_add_up_to_the_change_of_validation_score(task, request):
    random = np.random.default_rng(0)
    if task == "classification":
        target, predicted = random.integers(0, 3, 40), random.integers(0, 3, (4, 40))
    else:
        target, predicted = random.normal(size=40), random.normal(size=(4, 40))
    found = evaluation.gains(predicted, target, task)
    scores = np.array([evaluation.score(row, target, task) for row in predicted])
    np.testing.assert_allclose(found.mean(axis=1), scores - scores[0], atol=1e-5)


def test_a_curve_s_gains_follow_its_rows(digits, digits_mlp):
    curves = [
        compression.constrained_curve(digits_mlp, digits, bounds=[0.1, 0.5], epochs=1),
        compression.combined_curve(digits_mlp, digits, ranks=[2, 5], bounds=[0.1, 0.5], epochs=1),
        compression.budget_curve(digits_mlp, digits, budgets=[9000, 14000]),
        compression.baseline_curve(digits_mlp, digits, "rounding", [1, 2, 8]),
    ]
    for curve in curves:
        change = curve.table["validation_score"] - curve.reference["validation_score"]
        np.testing.assert_allclose(curve.gains.mean(axis=1), change, atol=1e-12)
