"""What the constrained page's worker hands over."""

import numpy as np
import pytest

from compression import storage
from compression.errors import CancelledError
from compression.weight_states import FREE, LOWER, UPPER, ZERO, WeightState
from pages.shared.models import constrained_tasks
from pages.views.constrained import tasks
from tests.pages.views.constrained.examples import go_on, least_squares, rows_of


def test_the_path_ends_at_the_least_squares_of_every_bound(diabetes):
    found = constrained_tasks.constrained_curve(go_on, diabetes.origin, "box", "path")
    x, y = rows_of("diabetes")
    for row in range(0, len(found.facts), 7):
        weight, loss = least_squares(x, y, found.facts["knob"][row])
        assert found.facts["objective"][row] == pytest.approx(loss, rel=1e-6)
        assert np.allclose(found.layers["linear"].weights[row, 0], weight, atol=1e-5)
    assert found.facts["certified"].all()
    assert list(found.facts["knob"]) == list(found.table["knob"])


def test_the_price_is_what_the_loss_falls_by_as_the_bound_grows(diabetes):
    found = constrained_tasks.constrained_curve(go_on, diabetes.origin, "box", "path")
    x, y = rows_of("diabetes")
    for row in (5, 15, 25):
        bound = found.facts["knob"][row]
        step = 1e-4 * bound
        slope = (least_squares(x, y, bound - step)[1] - least_squares(x, y, bound + step)[1]) / (
            2 * step
        )
        assert found.facts["price"][row] == pytest.approx(slope, rel=0.02)
        assert found.multipliers[row].sum() == pytest.approx(found.facts["price"][row])


@pytest.mark.parametrize("constraint", ["box", "upper", "l1", "l2"])
def test_a_curve_goes_on_to_where_the_bound_costs_nothing(diabetes, constraint):
    facts = constrained_tasks.constrained_curve(go_on, diabetes.origin, constraint, "path").facts
    x, y = rows_of("diabetes")
    free = np.linalg.lstsq(x - x.mean(0), y - y.mean(), rcond=None)[0]
    size = {
        "box": np.abs(free).max(),
        "upper": free.max(),
        "l1": np.abs(free).sum(),
        "l2": np.linalg.norm(free),
    }[constraint]
    assert (facts["inactive"] == (facts["knob"] > size)).all()
    assert tuple(facts["knob"]) == diabetes.bounds[constraint]
    assert facts["inactive"].any()
    assert not facts["inactive"].all()


def test_only_pinned_weights_have_a_price(iris):
    found = constrained_tasks.constrained_curve(go_on, iris.origin, "box", "path")
    rows = found.layers["linear"]
    free = rows.states == FREE
    assert free.any()
    assert (found.multipliers[free] == 0).all()


def test_a_one_sided_bound_never_costs_softmax_anything(iris):
    found = constrained_tasks.constrained_curve(go_on, iris.origin, "upper", "path")
    assert found.facts["inactive"].all()
    assert np.ptp(found.facts["objective"]) < 1e-3


def test_a_count_is_whole_and_not_certified(iris):
    found = constrained_tasks.constrained_curve(go_on, iris.origin, "cardinality", "path")
    assert (found.facts["knob"] % 1 == 0).all()
    assert not found.facts["inactive"].any()
    assert found.facts["price"].isna().all()
    assert found.multipliers is None
    counts = np.count_nonzero(found.layers["linear"].weights, axis=(1, 2))
    assert (counts <= found.facts["knob"]).all()


def test_a_solver_ends_where_the_path_does(iris):
    path = constrained_tasks.constrained_curve(go_on, iris.origin, "l1", "path").facts
    own = constrained_tasks.constrained_curve(go_on, iris.origin, "l1", "face_newton").facts
    assert own["certified"].all()
    assert (own["seconds"] > 0).all()
    apart = (path["objective"] - own["objective"]).abs()
    assert (apart <= path["duality_gap"] + own["duality_gap"] + 1e-12).all()


def test_weights_and_states_are_those_of_the_files(network):
    found = constrained_tasks.constrained_curve(
        go_on, network.origin, "box", "projected_training", epochs=1
    )
    for row in (0, 20, 39):
        file = storage.from_bytes(found.files[row])
        for name, rows in found.layers.items():
            weight = getattr(file, name).weight.detach().numpy()
            down, across = rows.strides
            assert np.array_equal(rows.weights[row], weight[::down, ::across])
            bound = np.float32(rows.bounds[row])
            counts = [0] * len(WeightState)
            for state, value in ((LOWER, -bound), (ZERO, 0), (UPPER, bound)):
                counts[state] = (weight == value).sum()
            counts[FREE] = weight.size - sum(counts)
            assert list(rows.state_counts[row]) == counts
            assert rows.free_counts[row].sum() == counts[FREE]
            assert rows.reference_counts[row].sum() == weight.size
            # No bin of free weights reaches outside the layer's own bound, as it is in the file.
            used = np.flatnonzero(rows.free_counts[row])
            edges = rows.edges[row]
            assert np.all(edges[used] >= -rows.bounds[row])
            assert np.all(edges[used + 1] <= rows.bounds[row])
            if row < 39:  # the largest is the reference's own: all of it lies inside
                assert {-rows.bounds[row], rows.bounds[row]} <= set(edges)
            assert np.allclose(np.diff(edges[:-1])[1:], edges[2] - edges[1])


def test_shares_of_a_layer_are_those_of_the_table(iris):
    found = constrained_tasks.constrained_curve(go_on, iris.origin, "box", "path")
    counts = found.layers["linear"].state_counts
    assert np.allclose(found.table["pinned"], (counts[:, LOWER] + counts[:, UPPER]) / 12)
    assert np.allclose(found.table["zero"], counts[:, ZERO] / 12)


def test_the_schedule_of_learning_compression_is_heard(network):
    def weights(first, last):
        found = constrained_tasks.constrained_curve(
            go_on, network.origin, "box", "learning_compression", 1, first, last
        )
        return found.layers["fc1"].weights

    assert not np.array_equal(weights(0.1, 0.1), weights(3.0, 3.0))


def test_each_layer_keeps_its_own_bound(network):
    shares = (0.2, 0.5, 0.9)
    found = tasks.bound_layers(go_on, network.origin, "box", "clip", shares)
    reference, file = storage.from_bytes(network.file), storage.from_bytes(found.files[0])
    for name, share in zip(("fc1", "fc2", "fc3"), shares, strict=True):
        before, after = (
            np.abs(getattr(net, name).weight.detach().numpy()).max() for net in (reference, file)
        )
        assert after == pytest.approx(share * before, rel=1e-6)


def test_a_table_of_bits_and_one_of_layers_name_the_bounds_of_the_curve(network):
    found = constrained_tasks.constrained_curve(go_on, network.origin, "box", "refit")
    files, knobs = found.files[::20], tuple(found.table["knob"])[::20]
    seen = []

    def report(done, total, partial, message):
        seen.append((message, set(partial()["bound"])))
        return True

    table = tasks.store_in_bits(report, network.origin, files, knobs)
    assert list(table["bound"].unique()) == list(knobs)
    assert seen == [("bound 1 of 2", {knobs[0]}), ("bound 2 of 2", set(knobs))]
    layers = tasks.certify_layers(go_on, network.origin, files, knobs)
    assert list(layers["bound"].unique()) == list(knobs)


def test_solvers_that_do_not_fit_say_why():
    found = tasks.check_solvers(go_on, "l1", "classification")
    assert found["cvxpy"] is None
    assert "one weight at a time" in found["coordinate_descent"]


def test_a_cancelled_race_ends_quietly(diabetes):
    with pytest.raises(CancelledError):
        tasks.race_solvers(lambda *_: False, diabetes.origin, "box", 0.1, ("cvxpy",))


@pytest.mark.parametrize(
    ("task", "more"),
    [
        (tasks.trace_weights, {}),
        (constrained_tasks.constrained_curve, {"way": constrained_tasks.PATH}),
    ],
)
def test_a_path_is_stopped_before_its_end(diabetes, task, more):
    asked = []

    def report(done, total, partial=None, message=""):
        asked.append((done, total))
        return len(asked) < 3

    with pytest.raises(CancelledError):
        task(report, diabetes.origin, "box", **more)
    assert len(asked) == 3


def test_a_path_on_a_grid_that_was_stopped_is_not_kept(diabetes):
    def stop_halfway(done, total, *_):
        return total < 40 or done < 20  # there are fewer breakpoints than bounds

    with pytest.raises(CancelledError):
        tasks.trace_weights(stop_halfway, diabetes.origin, "l2")
    trail = tasks.trace_weights(go_on, diabetes.origin, "l2")
    assert len(trail.bounds) >= 40


def test_a_trail_is_exact_between_its_breakpoints(diabetes):
    trail = tasks.trace_weights(go_on, diabetes.origin, "box")
    assert trail.exact
    x, y = rows_of("diabetes")
    for left, right, before, after in zip(
        trail.bounds, trail.bounds[1:], trail.weights, trail.weights[1:], strict=False
    ):
        middle = (left + right) / 2
        assert np.allclose((before + after)[0] / 2, least_squares(x, y, middle)[0], atol=1e-7)


def test_softmax_has_a_grid_and_no_exact_trail(iris):
    trail = tasks.trace_weights(go_on, iris.origin, "box")
    assert not trail.exact
    assert trail.weights.shape == (len(trail.bounds), 3, 4)
