"""Every way to a bound, on whole networks."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

import compression
from compression.constrained.training.baselines import FineTuning
from compression.constrained.training.learning_compression import LearningCompression
from compression.constrained.training.projected_training import ProjectedTraining
from compression.constrained.training.setup import ConstrainedStart, bounds_for, match_scale
from compression.errors import ArgumentError, CancelledError
from compression.models import recipe_of
from compression.network import bounded_of, layers, matrix
from compression.training import BATCH_SIZE, SampleTensors, Trainer

CONSTRAINING = [name for name in compression.CONSTRAINED_METHODS if name != "fine_tuning"]
TRAINING = ["projected_training", "learning_compression", "fine_tuning"]


@pytest.fixture(scope="module")
def convolutional(small_images, small_signals):
    return [
        (dataset, compression.train(dataset, model=model, epochs=1))
        for dataset, model in ((small_images, "lenet5"), (small_signals, "conv1d"))
    ]


@pytest.fixture(scope="module")
def start(digits, digits_mlp):
    def of(epochs):
        rate = recipe_of("mlp", digits).learning_rate
        return ConstrainedStart(digits_mlp.network, SampleTensors(digits), rate, 0, epochs)

    return of


@pytest.mark.parametrize("constraint", compression.CONSTRAINTS)
@pytest.mark.parametrize("method", CONSTRAINING)
def test_every_layer_lies_in_its_set_whatever_the_method(method, constraint, convolutional):
    members = compression.CONSTRAINTS[constraint].load()()
    for dataset, reference in convolutional:
        curve = compression.constrained_curve(
            reference, dataset, constraint, bounds=[0.1, 0.5], method=method, epochs=1
        )
        for row, relative in enumerate((0.1, 0.5)):
            for name, layer in layers(curve.network(row)).items():
                whole = members.gauge(matrix(layers(reference.network)[name]))
                note = bounded_of(layer)
                assert note.constraint == constraint
                assert note.bound == pytest.approx(relative * whole, rel=1e-6)
                assert members.gauge(matrix(layer)) <= note.bound * (1 + 1e-6)


@pytest.mark.parametrize("method", CONSTRAINING)
def test_each_layer_may_have_a_bound_of_its_own(method, digits, digits_mlp):
    choices = [{"fc1": 0.05, "fc2": 0.02, "fc3": 0.1}, {"fc1": 0.01, "fc2": 0.02, "fc3": 0.1}]
    curve = compression.constrained_curve(
        digits_mlp, digits, bounds=choices, method=method, epochs=1
    )
    assert curve.knob == "choice"
    assert list(curve.table["knob"]) == [1, 2]
    for row, choice in enumerate(choices):
        for name, layer in layers(curve.network(row)).items():
            assert np.abs(matrix(layer)).max() == np.float32(choice[name])


@pytest.mark.parametrize("method", CONSTRAINING)
def test_layers_that_are_not_named_stay_free(method, digits, digits_mlp):
    curve = compression.constrained_curve(
        digits_mlp, digits, bounds=[0.1], layers=["fc1"], method=method, epochs=1
    )
    network = curve.network(0)
    assert bounded_of(network.fc1) is not None
    for name in ("fc2", "fc3"):
        layer, reference = layers(network)[name], layers(digits_mlp.network)[name]
        assert bounded_of(layer) is None
        assert np.abs(matrix(layer)).max() > 0.5 * np.abs(matrix(reference)).max()
        trained = not torch.equal(layer.weight, reference.weight)
        assert trained == (method in TRAINING)
    assert set(curve.spectra) == {"fc1"}


def test_clipping_moves_weights_to_their_nearest_point_and_touches_nothing_else(digits, digits_mlp):
    curve = compression.constrained_curve(digits_mlp, digits, bounds=[0.2], method="clip")
    for name, layer in layers(curve.network(0)).items():
        reference = layers(digits_mlp.network)[name]
        weight = matrix(reference)
        # The bound is rounded to float32 once: 0.2 is not rounded before the product is.
        c = np.float32(0.2 * float(np.abs(weight).max()))
        np.testing.assert_array_equal(matrix(layer), np.clip(weight, -c, c))
        assert torch.equal(layer.bias, reference.bias)


def epoch_by_hand(network, optimizer, samples, order, after_step, scale):
    rows = samples.fit[torch.randperm(len(samples.fit), generator=order)]
    for batch in rows.split(BATCH_SIZE):
        optimizer.zero_grad()
        logits = scale * network(samples.x[batch])
        torch.nn.functional.cross_entropy(logits, samples.y[batch]).backward()
        optimizer.step()
        after_step()


def by_hand(start, bounds, epochs, clip):
    """A second implementation: torch's own Adam, NumPy's own clip."""
    network, rate = copy.deepcopy(start.network), start.learning_rate
    optimizer = torch.optim.Adam(network.parameters(), lr=rate)
    order = torch.Generator().manual_seed(start.seed)
    for limits in bounds:

        def hold(limits=limits):
            for name, c in limits.items() if clip else ():
                weight = layers(network)[name].weight
                weight.data = torch.from_numpy(np.clip(weight.detach().numpy(), -c, c))

        hold()
        scale = max(1.0, spread_of(start.network, start) / spread_of(network, start))
        for _ in range(epochs):
            epoch_by_hand(network, optimizer, start.samples, order, hold, scale if clip else 1.0)
    return network


def spread_of(network, start):
    """Root mean square of the logits about each row's mean, on the fitted rows."""
    logits = network(start.samples.x[start.samples.fit]).detach().numpy().astype(np.float64)
    return np.sqrt(np.mean(np.var(logits, axis=1)))


def test_a_confined_network_is_trained_at_the_scale_of_its_reference(start, digits_softmax):
    here = start(epochs=1)
    halved = copy.deepcopy(here.network)
    with torch.no_grad():
        halved.fc3.weight /= 2
        halved.fc3.bias /= 2
    assert match_scale(here, halved) == pytest.approx(2)
    assert match_scale(replace(here, network=halved), here.network) == 1  # nothing was taken
    assert match_scale(here, here.network) == 1
    # A certified optimum is one of the loss itself.
    shrunk = copy.deepcopy(digits_softmax.network)
    shrunk[0].weight.data /= 2
    assert match_scale(replace(here, network=digits_softmax.network), shrunk) == 1


@pytest.mark.parametrize(
    ("constraint", "bound", "method"),
    [("box", 0.1, ProjectedTraining(reference_scale=True)), ("l2", 0.3, ProjectedTraining())],
)
def test_under_tight_bounds_more_epochs_do_not_raise_the_error(
    constraint, bound, method, digits, digits_mlp
):
    errors = []
    for epochs in (2, 12):
        table = compression.constrained_curve(
            digits_mlp, digits, constraint, [bound], method=method, epochs=epochs
        ).table
        errors.append(100 * (1 - table["score"][0]))
    assert errors[1] < errors[0]
    assert errors[1] < 8  # at the scale that the bound leaves: 15 and more


@pytest.mark.parametrize("clip", [True, False])
def test_training_is_adam_with_or_without_the_projection(clip, start):
    here = start(epochs=2)
    bounds = [bounds_for(layers(here.network), "box", relative) for relative in (0.5, 0.3)]
    way = ProjectedTraining(reference_scale=True) if clip else FineTuning()
    *_, network = way.networks(here, "box", bounds)
    expected = by_hand(here, bounds, 2, clip)
    for name, layer in layers(network).items():
        np.testing.assert_allclose(matrix(layer), matrix(layers(expected)[name]), atol=1e-5)


@pytest.mark.parametrize("method", compression.CONSTRAINED_METHODS)
def test_who_trains_takes_the_same_number_of_epochs(method, digits, digits_mlp, monkeypatch):
    passes = []
    epoch = Trainer.run_epoch
    monkeypatch.setattr(Trainer, "run_epoch", lambda self: passes.append(1) or epoch(self))
    compression.constrained_curve(
        digits_mlp, digits, bounds=[0.2, 0.5, 0.9], method=method, epochs=2
    )
    assert len(passes) == (3 * 2 if method in TRAINING else 0)


def test_fine_tuning_is_free_of_any_bound_and_saves_nothing(digits, digits_mlp):
    curve = compression.constrained_curve(
        digits_mlp, digits, bounds=[0.1, 0.5], method="fine_tuning", epochs=3
    )
    assert (curve.table["parameters"] == curve.reference["parameters"]).all()
    assert (curve.table["free"] == 1).all()
    assert (curve.table["train_loss"] < curve.reference["train_loss"]).all()
    assert curve.table["train_loss"][0] < curve.table["train_loss"][1]  # trained twice as long


@pytest.mark.parametrize("method", ["projected_training", "learning_compression"])
def test_on_a_convex_problem_training_ends_near_the_certified_optimum(
    method, digits, digits_softmax
):
    bound = 0.1 * np.abs(matrix(digits_softmax.network[0])).max()
    certified = compression.constrained_curve(digits_softmax, digits, bounds=[bound])
    trained = compression.constrained_curve(
        digits_softmax, digits, bounds=[bound], method=method, epochs=60
    )
    clipped = compression.constrained_curve(digits_softmax, digits, bounds=[bound], method="clip")
    optimum = certified.table["train_loss"][0]
    room = clipped.table["train_loss"][0] - optimum
    assert room > 0.05
    assert optimum - 1e-4 <= trained.table["train_loss"][0] <= optimum + 0.05 * room


def test_a_looser_bound_trains_to_a_loss_no_higher(digits, digits_mlp):
    curve = compression.constrained_curve(
        digits_mlp, digits, bounds=np.geomspace(0.05, 1, 8), epochs=5
    )
    steps = np.diff(curve.table["train_loss"])
    assert (steps <= 0.02).all()  # nats: what stochastic training may lose between neighbours
    assert steps.sum() < -1


def test_on_the_convex_path_a_looser_bound_never_costs(digits, digits_softmax):
    largest = np.abs(matrix(digits_softmax.network[0])).max()
    curve = compression.constrained_curve(
        digits_softmax, digits, bounds=np.geomspace(0.03, 1, 12) * largest
    )
    assert (np.diff(curve.table["train_loss"]) <= 1e-4 * np.log(10)).all()


def test_the_penalty_grows_by_equal_factors_from_its_first_to_its_last_value():
    schedule = LearningCompression(first_mu=1e-3, last_mu=10.0).schedule(5)
    np.testing.assert_allclose(schedule, [1e-3, 1e-2, 1e-1, 1, 10])


def test_a_curve_takes_a_method_with_settings_of_its_own(digits, digits_mlp, start):
    way = LearningCompression(first_mu=5.0, last_mu=10.0)
    curve = compression.constrained_curve(digits_mlp, digits, bounds=[0.3], method=way, epochs=2)
    here = start(epochs=2)
    (expected,) = way.networks(here, "box", [bounds_for(layers(here.network), "box", 0.3)])
    assert torch.equal(curve.network(0).fc2.weight, expected.fc2.weight)
    usual = compression.constrained_curve(
        digits_mlp, digits, bounds=[0.3], method="learning_compression", epochs=2
    )
    assert not torch.equal(usual.network(0).fc2.weight, expected.fc2.weight)


def test_without_multipliers_the_penalty_alone_stops_short_of_the_optimum(digits, digits_softmax):
    bound = float(np.float32(0.1 * np.abs(matrix(digits_softmax.network[0])).max()))
    here = ConstrainedStart(digits_softmax.network, SampleTensors(digits), 0.01, 0, epochs=60)
    rows = here.samples.fit
    losses = []
    for way in (LearningCompression(), LearningCompression(multiplier_step=0.0)):
        (network,) = way.networks(here, "box", [{"linear": bound}])
        outputs = network(here.samples.x[rows])
        losses.append(torch.nn.functional.cross_entropy(outputs, here.samples.y[rows]).item())
    assert losses[0] < losses[1] - 0.01


@pytest.mark.parametrize("method", compression.CONSTRAINED_METHODS)
def test_no_method_changes_the_reference_and_each_is_the_same_again(method, digits, digits_mlp):
    before = {name: value.clone() for name, value in digits_mlp.network.state_dict().items()}
    curves = [
        compression.constrained_curve(digits_mlp, digits, bounds=[0.2, 0.6], method=method)
        for _ in range(2)
    ]
    assert curves[0].table.equals(curves[1].table)
    for name, value in digits_mlp.network.state_dict().items():
        assert torch.equal(value, before[name])
    assert all(bounded_of(layer) is None for layer in layers(digits_mlp.network).values())


@pytest.mark.parametrize("constraint", compression.CONSTRAINTS)
def test_shares_of_pinned_zero_and_free_weights_are_those_of_the_row_s_network(
    constraint, digits, digits_mlp
):
    curve = compression.constrained_curve(digits_mlp, digits, constraint, bounds=[0.1, 0.4])
    assert (curve.table["free"] < 1).all() == (constraint != "l2")
    for row in range(2):
        pinned = zero = total = 0
        for layer in layers(curve.network(row)).values():
            weight, c = matrix(layer), np.float32(bounded_of(layer).bound)
            total += weight.size
            zero += np.sum(weight == 0)
            if constraint in ("box", "upper"):
                pinned += np.sum(weight == c)
            if constraint == "box":
                pinned += np.sum(weight == -c)
        line = curve.table.iloc[row]
        assert line["pinned"] == pytest.approx(pinned / total)
        assert line["zero"] == pytest.approx(zero / total)
        assert line["free"] == pytest.approx(1 - line["pinned"] - line["zero"])


@pytest.mark.parametrize("method", compression.CONSTRAINED_METHODS)
def test_points_appear_as_they_come_and_a_cancelled_curve_keeps_them(method, digits, digits_mlp):
    seen = []

    def report(done, total, so_far):
        seen.append(list(so_far().table["knob"]))
        return done < 2

    curve = compression.constrained_curve(
        digits_mlp, digits, bounds=[0.1, 0.3, 0.9], method=method, epochs=1, report=report
    )
    assert seen == [[0.9], [0.3, 0.9]]
    assert list(curve.table["knob"]) == [0.3, 0.9]
    assert curve.predictions.shape[0] == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"method": "magic"}, "projected_training, learning_compression, refit, clip, fine_tun"),
        ({"epochs": 0}, "choose 1 or more"),
        ({"bounds": [{"fc1": 0.1}]}, "fc1, fc2, fc3"),
        ({"bounds": [{"fc1": 0.1, "fc2": 0.1, "fc3": 0.1}, 0.5]}, "fc1, fc2, fc3"),
        ({"bounds": [0.5, {"fc1": 0.1, "fc2": 0.1, "fc3": 0.1}]}, "a number above 0"),
        ({"bounds": [{"fc1": 0.1, "fc2": -1, "fc3": 0.1}]}, "a number above 0"),
        ({"bounds": [True]}, "a number above 0"),
        ({"bounds": ["0.5"]}, "a number above 0"),
    ],
)
def test_wrong_arguments_are_answered_with_what_would_do(arguments, words, digits, digits_mlp):
    with pytest.raises(ArgumentError, match=words):
        compression.constrained_curve(digits_mlp, digits, **arguments)


def test_a_model_of_one_layer_takes_every_method_with_bounds_in_its_own_units(
    digits, digits_softmax
):
    for method in CONSTRAINING:
        curve = compression.constrained_curve(
            digits_softmax, digits, bounds=[0.05], method=method, epochs=1
        )
        assert curve.knob == "bound"
        assert np.abs(matrix(curve.network(0)[0])).max() == np.float32(0.05)


def test_projected_training_goes_on_from_the_bound_before(start):
    here = start(epochs=1)
    loose, tight = (bounds_for(layers(here.network), "box", relative) for relative in (0.6, 0.3))
    *_, warm = ProjectedTraining().networks(here, "box", [loose, tight])
    (cold,) = ProjectedTraining().networks(here, "box", [tight])
    assert not torch.equal(warm.fc1.weight, cold.fc1.weight)


def test_an_optimum_is_reported_bound_by_bound_from_the_smallest(digits, digits_softmax):
    bounds, seen = [0.05, 0.1, 0.2], []

    def report(done, total, curve):
        seen.append((done, total, None if curve is None else list(curve().table["knob"])))
        return True

    curve = compression.constrained_curve(digits_softmax, digits, bounds=bounds, report=report)
    assert list(curve.table["knob"]) == bounds
    done = [row[0] for row in seen]
    assert done == sorted(done)
    # The solver is watched on the way to every bound, and each is shown before the next is solved.
    assert all(done.count(number) > 1 for number in (0, 1, 2))
    for number, total, knobs in seen:
        assert total == 3
        assert knobs == (bounds[:number] or None)


@pytest.mark.parametrize("until", [1, 2])
def test_a_stopped_optimum_keeps_the_bounds_it_has(until, digits, digits_softmax):
    curve = compression.constrained_curve(
        digits_softmax,
        digits,
        bounds=[0.2, 0.05, 0.1],
        report=lambda done, total, curve: done < until,
    )
    assert list(curve.table["knob"]) == [0.05, 0.1][:until]
    assert np.abs(matrix(curve.network(0)[0])).max() == np.float32(0.05)


def test_an_optimum_that_is_stopped_before_its_first_bound_is_cancelled(digits, digits_softmax):
    with pytest.raises(CancelledError):
        compression.constrained_curve(digits_softmax, digits, bounds=[0.1], report=lambda *_: False)
