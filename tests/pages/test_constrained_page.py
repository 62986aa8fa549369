"""The constrained page: what its worker hands over, its figures by their traces, and it, rendered."""

import json
import math
import re

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import lsq_linear
from streamlit.testing.v1 import AppTest

import compression
from compression import storage
from compression.errors import CancelledError
from compression.weight_states import FREE, LOWER, UPPER, ZERO, WeightState
from data import load
from pages.shared import jobs
from pages.shared.models import constrained_tasks
from pages.shared.models import tasks as work
from pages.views.constrained import figures as constrained_figures
from pages.views.constrained import tasks as constrained_work
from pages.views.constrained import text as constrained_words
from pages.views.constrained.results import End, Race, Runs, Slices, Trail
from tests.pages.rendering import PATIENCE, ROOT, rendered, settled


def go_on(*_args):
    return True


@pytest.fixture(scope="module")
def diabetes():
    return work.reference(go_on, "diabetes", "linear_regression", 0)


@pytest.fixture(scope="module")
def iris():
    return work.reference(go_on, "iris", "softmax_regression", 0)


@pytest.fixture(scope="module")
def network():
    return work.reference(go_on, "iris", "mlp", 0)


def rows_of(name):
    dataset = load(name, seed=0)
    x, y = dataset.x_train[dataset.fit_rows], dataset.y_train[dataset.fit_rows]
    return x.astype(np.float64), y.astype(np.float64)


def least_squares(x, y, bound):
    """Weight and loss of the best weights in a box, by SciPy."""
    centred, target = x - x.mean(0), y - y.mean()
    weight = lsq_linear(centred, target, (-bound, bound), method="bvls", tol=1e-14).x
    return weight, 0.5 * np.mean((target - centred @ weight) ** 2)


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
            assert list(rows.held_counts[row]) == counts
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
    counts = found.layers["linear"].held_counts
    assert np.allclose(found.table["pinned"], (counts[:, LOWER] + counts[:, UPPER]) / 12)
    assert np.allclose(found.table["zero"], counts[:, ZERO] / 12)


def test_a_large_weight_is_thinned_but_counted_in_full():
    assert constrained_tasks.strides((100, 100)) == (1, 1)
    rows = constrained_tasks._rows(
        "fc1",
        np.ones((300, 784)),
        np.ones((1, 300, 784)),
        np.full((1, 300, 784), UPPER, np.int8),
        np.array([1.0]),
        True,
    )
    assert rows.weights[0].size <= constrained_tasks.CELLS
    assert rows.held_counts[0, UPPER] == 300 * 784


def test_the_schedule_of_learning_compression_is_heard(network):
    def weights(first, last):
        found = constrained_tasks.constrained_curve(
            go_on, network.origin, "box", "learning_compression", 1, first, last
        )
        return found.layers["fc1"].weights

    assert not np.array_equal(weights(0.1, 0.1), weights(3.0, 3.0))


def test_each_layer_keeps_its_own_bound(network):
    shares = (0.2, 0.5, 0.9)
    found = constrained_work.own_bounds(go_on, network.origin, "box", "clip", shares)
    reference, file = storage.from_bytes(network.file), storage.from_bytes(found.files[0])
    for name, share in zip(("fc1", "fc2", "fc3"), shares, strict=True):
        before, after = (
            np.abs(getattr(net, name).weight.detach().numpy()).max() for net in (reference, file)
        )
        assert after == pytest.approx(share * before, rel=1e-6)


def test_stored_bits_are_measured_and_the_fewest_lose_at_most_a_point(iris):
    found = constrained_tasks.constrained_curve(go_on, iris.origin, "box", "path")
    knobs = tuple(found.table["knob"])
    table = constrained_work.stored(go_on, iris.origin, found.files[10:14], knobs[10:14])
    assert list(table["bound"].unique()) == list(knobs[10:14])
    for bound, own in table.groupby("bound"):
        off = own.loc[own["bits"] == 32, "validation_score"].iloc[0]
        good = own.loc[own["validation_score"] >= off - 0.01, "bits"]
        assert (own["fewest_bits"] == good.min()).all()
        network = storage.from_bytes(found.files[knobs.index(bound)])
        for bits in (2, 8):
            line = own[own["bits"] == bits].iloc[0]
            written = storage.to_bytes(compression.quantize(network, bits).network)
            assert line["bytes"] == len(written)
            assert line["step"] == pytest.approx(2 * bound / 2**bits, rel=1e-6)


def test_refitted_layers_come_with_their_own_certificates(network):
    found = constrained_tasks.constrained_curve(go_on, network.origin, "box", "refit")
    knobs = tuple(found.table["knob"])
    table = constrained_work.layers_certified(go_on, network.origin, found.files[::13], knobs[::13])
    assert list(table["layer"].unique()) == ["fc1", "fc2", "fc3"]
    assert set(table["bound"]) == set(knobs[::13])
    assert (table["duality_gap"] <= 2e-3).all()  # the refit's own tolerance is 1e-3
    tight, wide = (table.loc[table["bound"] == k, "error"].sum() for k in (knobs[0], knobs[39]))
    assert tight > wide


def test_bounds_far_from_each_other_come_first():
    order = constrained_work._spread(21)
    assert order[:3] == [0, 8, 16]
    assert sorted(order) == list(range(21))


def test_solvers_that_do_not_fit_say_why():
    found = constrained_work.fitting(go_on, "l1", "classification")
    assert found["cvxpy"] is None
    assert "one weight at a time" in found["coordinate_descent"]


def test_all_solvers_of_a_race_end_above_the_lower_bound(diabetes):
    names = ("coordinate_descent", "projected_newton", "cvxpy")
    race = constrained_work.race(go_on, diabetes.origin, "box", 0.1, names)
    _, loss = least_squares(*rows_of("diabetes"), 0.1)
    for name in names:
        track = race.tracks[name]
        assert (track["above"] >= -1e-15).all()
        assert track["above"].iloc[-1] < 1e-6
        lower = track["objective"] - track["above"]
        assert (lower <= loss + 1e-12).all()


def test_a_cancelled_race_ends_quietly(diabetes):
    with pytest.raises(CancelledError):
        constrained_work.race(lambda *_: False, diabetes.origin, "box", 0.1, ("cvxpy",))


def members_of(constraint):
    return compression.CONSTRAINTS[constraint].load()()


def inside(border, x, y):
    """Whether points lie in a convex polygon that is given anticlockwise."""
    sides = np.diff(border, axis=0)
    cross = sides[:, 0, None, None] * (y - border[:-1, 1, None, None])
    return (cross - sides[:, 1, None, None] * (x - border[:-1, 0, None, None]) >= 0).all(axis=0)


@pytest.mark.parametrize("constraint", ["box", "upper", "l1", "l2"])
def test_slices_are_the_loss_and_the_set_with_the_others_at_each_optimum(diabetes, constraint):
    cuts = constrained_work.slices(go_on, diabetes.origin, constraint, 2, 8)
    assert tuple(cuts.bounds) == diabetes.bounds[constraint]
    x, y = rows_of("diabetes")
    x, y = x - x.mean(axis=0), y - y.mean()
    path = compression.path(x, y, "squared", constraint, bounds=cuts.bounds)

    def loss(weight):
        return 0.5 * np.mean((y - x @ weight) ** 2)

    for row in (0, 11, 22, 33, 44):
        weight = path.at(cuts.bounds[row])
        if constraint == "box":
            weight, _ = least_squares(x, y, cuts.bounds[row])
        assert cuts.optimum[row] == pytest.approx((weight[2], weight[8]), abs=1e-6)
        for wide, over in ((cuts.near[row], cuts.near_loss), (cuts.far, cuts.far_loss)):
            ends = np.linspace(-wide, wide, over.shape[-1])
            for up, across in ((0, 0), (30, 5), (20, 20), (40, 3)):
                moved = weight.copy()
                moved[[2, 8]] = ends[across], ends[up]
                expected = loss(moved) - loss(weight)
                assert over[row, up, across] == pytest.approx(expected, rel=1e-4, abs=1e-7)
            # Where the set is, nothing is better than the optimum.
            grid = np.meshgrid(ends, ends)
            allowed = inside(cuts.border[row], *grid)
            assert allowed.any()
            assert over[row][allowed].min() >= -1e-6
            for a, b, held in zip(*(part.ravel()[::37] for part in (*grid, allowed)), strict=True):
                moved = weight.copy()
                moved[[2, 8]] = a, b
                # A circle is drawn with corners: within a thousandth of the window nothing is said.
                slack = members_of(constraint).gauge(moved) - cuts.bounds[row]
                if abs(slack) > 2e-3 * wide:
                    assert held == (slack < 0)


def test_what_softmax_would_gain_lies_outside_the_set_of_every_bound(iris):
    cuts = constrained_work.slices(go_on, iris.origin, "l1", 2, 7)
    for row in range(len(cuts.bounds)):
        ends = np.linspace(-cuts.near[row], cuts.near[row], cuts.near_loss.shape[-1])
        allowed = inside(cuts.border[row], *np.meshgrid(ends, ends))
        # The grid's own tolerance of the path: a share of the zero model's loss.
        assert cuts.near_loss[row][allowed].min() >= -1e-4 * np.log(3)
        assert np.abs(cuts.optimum[row]).max() <= cuts.near[row]
        assert np.abs(cuts.optimum[row]).max() <= cuts.far


def until(count):
    """A report that stops after so many pictures; the path before them shows none."""
    return lambda done, total, partial, message: partial is None or done < count


@pytest.mark.parametrize(
    ("task", "more"),
    [
        (constrained_work.trail, {}),
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


def test_slices_that_are_not_there_yet_are_not_numbers_and_those_far_apart_come_first(diabetes):
    cuts = constrained_work.slices(until(3), diabetes.origin, "box", 2, 8)
    there = np.isfinite(cuts.near_loss).all(axis=(1, 2))
    assert list(np.flatnonzero(there)) == [0, 8, 16]
    assert (np.isfinite(cuts.far_loss).all(axis=(1, 2)) == there).all()


WALKERS = ("quasi_newton", "projected_newton", "hamiltonian_descent")


def test_every_way_leads_from_the_zero_model_to_the_optimum_of_its_bound(diabetes):
    found = constrained_work.runs(go_on, diabetes.origin, "box", WALKERS)
    x, y = rows_of("diabetes")
    centred, target = x - x.mean(axis=0), y - y.mean()
    tolerance = constrained_work.RUN_TOLERANCE * 0.5 * np.mean(target**2)
    for name in WALKERS:
        assert all(end.certified for end in found.ends[name].values())
        for row in range(0, len(found.bounds), 11):
            way, bound = found.weights[name][row], found.bounds[row]
            assert (way[0] == 0).all()
            assert 2 <= len(way) <= found.kept
            assert np.abs(way).max() <= bound * (1 + 1e-6)
            loss = 0.5 * np.mean((target - centred @ way[-1]) ** 2)
            best = least_squares(x, y, bound)[1]
            assert -1e-7 <= loss - best <= tolerance + 1e-6


def test_all_solvers_go_to_a_middle_bound_first_and_stop_where_they_are_told_to(diabetes):
    found = constrained_work.runs(until(4), diabetes.origin, "box", WALKERS)
    middle = len(found.bounds) // 2
    assert all(found.weights[name][middle] is not None for name in WALKERS)
    there = [(name, row) for name in WALKERS for row in found.ends[name]]
    assert len(there) == 4
    assert [row for _, row in there if row != middle] == [0]
    said = constrained_words.plane(found, 1, "regression")
    titles = constrained_words.solvers()
    assert f"Not there yet: {', '.join(titles[name] for name in WALKERS)}." in said


def test_ways_of_many_weights_are_thinned_to_what_memory_allows(diabetes, monkeypatch):
    monkeypatch.setattr(constrained_work, "KEPT", 10 * 45 * 3 * 6)  # weights, bounds, solvers
    found = constrained_work.runs(until(3), diabetes.origin, "box", WALKERS)
    assert found.kept == 6 < constrained_work.ITERATES
    (way,) = (own for own in found.weights["hamiltonian_descent"] if own is not None)
    assert len(way) == 6
    assert (way[0] == 0).all()
    assert "at most 6 iterates" in constrained_words.plane(found, 0, "regression")


def test_a_way_that_ran_out_of_time_is_said_to_be_short_of_the_optimum():
    way = [np.zeros((3, 2), np.float32)]
    ends = {"cvxpy": {0: End(3, False)}, "quasi_newton": {0: End(3, True)}}
    found = Runs(np.ones(1), {"cvxpy": way, "quasi_newton": way}, 40, ends, 2.0)
    said = constrained_words.plane(found, 0, "regression")
    titles = constrained_words.solvers()
    assert f"Stopped after 2 s, short of the optimum: {titles['cvxpy']}." in said
    assert "Not there yet" not in said


def test_a_trail_is_exact_between_its_breakpoints(diabetes):
    trail = constrained_work.trail(go_on, diabetes.origin, "box")
    assert trail.exact
    x, y = rows_of("diabetes")
    for left, right, before, after in zip(
        trail.bounds, trail.bounds[1:], trail.weights, trail.weights[1:], strict=False
    ):
        middle = (left + right) / 2
        assert np.allclose((before + after)[0] / 2, least_squares(x, y, middle)[0], atol=1e-7)


def test_softmax_has_a_grid_and_no_exact_trail(iris):
    trail = constrained_work.trail(go_on, iris.origin, "box")
    assert not trail.exact
    assert trail.weights.shape == (len(trail.bounds), 3, 4)


def traces(figure):
    return {trace.name: trace for trace in figure.data}


def a_layer():
    weights = np.array([[[0.5, -0.5, 0.0], [0.1, 0.5, 0.2]]])
    states = np.array([[[UPPER, LOWER, ZERO], [FREE, UPPER, FREE]]], np.int8)
    return constrained_tasks._rows("fc1", 2 * weights[0], weights, states, np.array([0.5]), True)


def many_held():
    """A hundred weights at c = 0.3, some at −c, and a few free ones that reach to the bound."""
    free = np.array([-0.2999, -0.1, 0.0001, 0.12, 0.2999])
    weights = np.concatenate([np.full(100, 0.3), np.full(7, -0.3), free])[None, None]
    states = np.concatenate([np.full(100, UPPER), np.full(7, LOWER), np.full(5, FREE)])
    reference = np.linspace(-1, 1, weights.size)[None]
    return constrained_tasks._rows(
        "fc1", reference, weights, states[None, None].astype(np.int8), np.array([0.3]), True
    )


@pytest.mark.parametrize("layer", [a_layer, many_held])
def test_no_free_weight_s_bin_reaches_outside_the_bound_and_the_counts_are_all_weights(layer):
    rows = layer()
    free, *held = constrained_figures.histogram(rows, 0).data[:-1]
    c = rows.bounds[0]
    filled = np.asarray(free.y) > 0
    left, right = (np.asarray(free.x) + sign * free.width / 2 for sign in (-1, 1))
    assert left[filled].min() >= -c - 1e-12
    assert right[filled].max() <= c + 1e-12
    assert sum(free.y) + sum(trace.y[0] for trace in held) == rows.weights[0].size
    # Bars of what is held stand at the bound, on its outer side.
    for trace in held:
        if trace.x[0]:
            ends = trace.x[0] + trace.offset, trace.x[0] + trace.offset + trace.width
            assert min(map(abs, ends)) == pytest.approx(c)
            assert max(map(abs, ends)) > c


def test_a_histogram_writes_the_counts_and_marks_the_bar_that_the_axis_cuts():
    figure = constrained_figures.histogram(many_held(), 0)
    said = [note.text for note in figure.layout.annotations]
    end = figure.layout.yaxis.range[1]
    assert end < 100
    assert "<b>100</b> (bar cut)" in said
    marked = {(stroke.x0 + stroke.x1) / 2 > 0.3 for stroke in figure.layout.shapes}
    assert marked == ({True} if end > 7 else {True, False})
    whole = constrained_figures.histogram(a_layer(), 0)
    assert sorted(note.text for note in whole.layout.annotations) == ["<b>1</b>"] * 2 + ["<b>2</b>"]
    assert not whole.layout.shapes


def test_without_a_bound_for_each_weight_the_bins_are_the_same_for_every_bound(iris):
    rows = constrained_tasks.constrained_curve(go_on, iris.origin, "l1", "path").layers["linear"]
    assert all(np.array_equal(edges, rows.edges[0]) for edges in rows.edges)
    assert not set(rows.bounds).intersection(*rows.edges[:1])


def test_a_network_s_relative_bound_and_its_layers_bounds_have_letters_of_their_own():
    app = rendered("constrained.py", dataset="wine", model="mlp", bound="0.284")
    assert app.select_slider(key="bound").label == "Relative bound ρ"
    assert float(app.select_slider(key="bound").value) == 0.284
    said = " ".join(text.value for text in (*app.markdown, *app.caption))
    assert "ρ = 0.284" in said
    weights = storage.from_bytes(work.reference(go_on, "wine", "mlp", 0).file)
    own = 0.284 * float(weights.fc1.weight.detach().abs().max())
    assert f"**fc1**, cₗ = {own:.3g}" in said
    specs = [json.loads(chart.proto.spec) for chart in app.get("plotly_chart")]
    drawn = json.dumps(specs, ensure_ascii=False)
    assert "ρ = %{x" in drawn
    for text in (said, drawn):
        assert not re.search(r"\bc = |[Bb]ound c\b|(at |±)[+−]?c\b", text)
    convex = rendered("constrained.py", dataset="wine", model="softmax_regression")
    assert convex.select_slider(key="bound").label == "Bound c"
    assert "ρ" not in " ".join(text.value for text in (*convex.markdown, *convex.caption))


def test_a_histogram_counts_what_is_held_apart_from_what_is_free():
    figure = constrained_figures.histogram(a_layer(), 0)
    held = {trace.name: (trace.x[0], trace.y[0]) for trace in figure.data if len(trace.x) == 1}
    assert held == {"at −c: 1": (-0.5, 1), "zero: 1": (0.0, 1), "at +c: 2": (0.5, 2)}
    free, reference = (traces(figure)[name] for name in ("free: 2", "reference"))
    assert sum(free.y) == 2
    assert sum(reference.y) == 6


def test_the_heat_maps_show_the_weight_and_its_states():
    weight, held = constrained_figures.matrix(a_layer(), 0).data
    assert np.allclose(weight.z, [[0.5, -0.5, 0.0], [0.1, 0.5, 0.2]])
    assert (weight.zmin, weight.zmax) == (-0.5, 0.5)
    names = [["at +c", "at −c", "zero"], ["free", "at +c", "free"]]
    assert held.text.tolist() == names
    # By value, and each number stands for the colour that the scale gives it.
    assert held.colorbar.ticktext == ("at −c", "zero", "free", "at +c")
    assert np.take(held.colorbar.ticktext, held.z).tolist() == names
    colours = dict(constrained_figures.states().values())
    for place, name in zip(held.colorbar.tickvals, held.colorbar.ticktext, strict=True):
        at = (place - held.zmin) / (held.zmax - held.zmin)
        below = [stop for stop in held.colorscale if stop[0] < at][-1]
        assert below[1] == colours[name]


def test_pictures_have_the_shape_of_the_inputs_and_a_row_of_prices_where_there_are_any():
    values = np.arange(12.0).reshape(2, 6)
    with_prices = constrained_figures.pictures(values, -values, (1, 2, 3), ["a", "b"])
    assert [np.shape(trace.z) for trace in with_prices.data] == [(2, 3)] * 4
    assert len(constrained_figures.pictures(values, None, (1, 2, 3), ["a", "b"]).data) == 2


def test_shares_add_up_to_all_weights():
    table = pd.DataFrame(
        {"knob": [0.1, 0.2], "pinned": [0.5, 0.25], "zero": [0.25, 0.0], "free": [0.25, 0.75]}
    )
    figure = constrained_figures.shares(table, 0.2, "bound")
    assert np.allclose(sum(np.array(trace.y) for trace in figure.data), 100)
    assert figure.layout.shapes[0].x0 == 0.2


def test_every_layer_has_a_line_of_its_free_weights():
    figure = constrained_figures.free_by_layer({"fc1": a_layer()}, [0.5], 0.5, "relative bound")
    assert [(trace.name, list(trace.y)) for trace in figure.data] == [("fc1", [100 * 2 / 6])]


def test_a_path_has_a_line_a_weight_and_a_tick_a_breakpoint():
    trail = Trail(
        np.array([0.0, 0.5, 1.0]), np.array([[[0, 0]], [[0.5, -0.2]], [[0.7, -0.4]]]), True
    )
    figure = constrained_figures.path(trail, [["a", "b"]], [], 0.4, True)
    by_name = {trace.name: trace for trace in figure.data if trace.showlegend is not False}
    assert list(by_name["b"].y) == [0, -0.2, -0.4]
    assert list(by_name["breakpoints"].x) == [0, 0.5, 1]
    assert list(by_name["±c"].y) == [0, 0.5, 1]
    assert figure.layout.shapes[0].x0 == 0.4


def test_a_path_of_very_many_weights_shows_the_largest_and_says_so():
    weights = np.zeros((2, 2, 400))
    weights[1] = np.arange(800).reshape(2, 400)
    weights[:, :, :200] = [[[-900.0]], [[900.0]]]  # as large in the end, and held all along
    weights[0, :, 150:200] = 0  # but for these
    names = [[f"x{n}" for n in range(400)]] * 2
    figure = constrained_figures.path(
        Trail(np.array([1.0, 2.0]), weights, False), names, "ab", 1, False
    )
    for trace in figure.data[:2]:
        lines = np.reshape(np.array(trace.y, float), (-1, 3))
        assert len(lines) == constrained_figures.MOST_LINES // 2
        assert (lines[:, 1] == 900).all()
        assert (lines[:, 0] == 0).sum() == 50
    assert "the 100 largest of 400 a class" in figure.layout.title.text


def judged(knobs, scores):
    return pd.DataFrame(
        {
            "knob": knobs,
            "score": scores,
            "score_low": np.array(scores) - 0.1,
            "score_high": np.array(scores) + 0.1,
            "bytes": [10 * k for k in range(1, len(knobs) + 1)],
        }
    )


def test_ways_share_a_plane_and_the_current_bound_is_ringed():
    curves = [
        ("learning_compression", "LC", judged([0.1, 0.2], [0.5, 0.9])),
        ("clip", "Clip", judged([0.1, 0.2], [0.3, 0.8])),
    ]
    reference = {"score": 0.95, "bytes": 30}
    figure = constrained_figures.ways(curves, reference, "bytes", 0.2, "bound", "classification")
    lc, clip, now = figure.data
    assert list(clip.y) == [30, 80]
    assert (now.x[0], now.y[0]) == (20, 90)
    assert (lc.line.color, clip.line.color) == tuple(
        constrained_figures.WAYS[name] for name in ("learning_compression", "clip")
    )
    assert figure.layout.shapes[0].y0 == 95


def test_the_schedule_is_geometric():
    (rounds,) = constrained_figures.schedule(0.1, 10, 3).data
    assert np.allclose(rounds.y, [0.1, 1, 10])


def test_a_race_leaves_the_start_out_where_it_cannot_be_drawn():
    track = pd.DataFrame({"iteration": [0, 1, 2], "seconds": [0, 0.1, 0.2], "above": [1, 0.1, 0]})
    race = Race(pd.DataFrame(), {"cvxpy": track})
    for clock, drawn in (("iteration", [1, 2]), ("seconds", [0.1, 0.2])):
        (line,) = constrained_figures.tracks(race, {"cvxpy": "referee"}, clock).data
        assert list(line.x) == drawn
        assert min(line.y) > 0


def two_bounds():
    """Slices of x² + y² with a box of 1 and of 2 around the optima (1, -1) and (2, 0)."""
    border = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1], [1, 1]], float)
    near = np.full((2, 5, 5), np.nan, np.float32)
    near[1] = np.add.outer(np.linspace(-3, 3, 5) ** 2, np.linspace(-3, 3, 5) ** 2) - 4
    return Slices(
        bounds=np.array([1.0, 2.0]),
        optimum=np.array([[1.0, -1.0], [2.0, 0.0]]),
        near=np.array([1.5, 3.0]),
        far=2.6,
        near_loss=near,
        far_loss=near + 1,
        border=np.stack([border, 2 * border]),
    )


def test_one_window_for_all_bounds_shows_where_the_optimum_comes_from_and_goes_to():
    for row, bound in enumerate((1.0, 2.0)):
        figure = constrained_figures.plane_of_all_bounds(two_bounds(), row, ("a", "b"))
        own = traces(figure)
        assert (own["optimum"].x[0], own["optimum"].y[0]) == ((1, -1), (2, 0))[row]
        assert np.abs(own["allowed"].x).max() == bound
        assert list(own["optimum of every bound"].x) == [1, 2]
        assert figure.layout.xaxis.range == figure.layout.yaxis.range == (-2.6, 2.6)
        assert f"c = {bound:g}" in figure.layout.title.text
        # Of the first bound there is no loss yet: its set and its optimum are drawn all the same.
        assert ("loss" in own) == (row == 1)


def test_a_window_that_follows_the_bound_shows_the_ways_that_are_there():
    way = np.array([[0, 0, 0], [2, 5, 0]], np.float32)
    runs = Runs(np.array([1.0, 2.0]), {"cvxpy": [None, way], "quasi_newton": [None] * 2}, 40, {}, 1)
    titles = {"cvxpy": "referee", "quasi_newton": "other"}

    def drawn(row, own):
        return constrained_figures.plane_of_one_bound(
            two_bounds(), row, own, (0, 2), ("a", "b"), titles
        )

    figure = drawn(1, runs)
    own = traces(figure)
    assert (list(own["referee"].x), list(own["referee"].y)) == ([0, 2], [0, 0])
    assert "other" not in own
    assert figure.layout.xaxis.range == (-3, 3)
    assert own["loss"].z[2][2] == -4
    for nothing in (drawn(0, runs), drawn(1, None)):
        assert not {"referee", "other"} & set(traces(nothing))


def test_bits_above_sixteen_are_off():
    table = pd.DataFrame({"bound": [0.1, 0.1, 0.2], "bits": [2, 32, 2], "fewest_bits": [32, 32, 3]})
    (steps,) = constrained_figures.affordable(table, 0.1, "bound").data
    assert list(steps.y) == [17, 3]
    assert list(steps.customdata) == ["off", "3"]


def fact(**changed):
    return pd.Series(
        {
            "objective": 0.3,
            "duality_gap": 2e-7,
            "kkt_residual": 1e-8,
            "certified": True,
            "inactive": False,
            "status": "",
            "price": 0.5,
            **changed,
        }
    )


@pytest.mark.parametrize(
    ("changed", "constraint", "kind", "said"),
    [
        ({}, "box", "success", "within 2e-7 of the optimum"),
        ({"inactive": True}, "box", "success", "costs nothing"),
        ({"duality_gap": math.inf}, "upper", "success", "not bounded"),
        (
            {"certified": False, "status": "stopped at 60 s"},
            "box",
            "warning",
            "gap 2.0e-07 reached",
        ),
        ({"certified": False}, "cardinality", "info", "not convex"),
    ],
)
def test_a_certificate_claims_no_more_than_is_known(changed, constraint, kind, said):
    found, text = constrained_words.certificate(fact(**changed), constraint)
    assert found == kind
    assert said in text


def test_prices_are_named_and_the_dearest_first():
    names = constrained_words.weight_names(["row 1, column 1", "x2"], 2, 2, ["a", "b"])
    assert names[0][0] == "row 1 column 1 → a"
    table = constrained_words.prices(
        np.array([[0.1, 0.0], [0.3, 0.2]]), np.array([[1, 1], [-1, 1]]), names
    )
    assert list(table["weight"]) == ["row 1 column 1 → b", "x2 → b", "row 1 column 1 → a"]
    assert list(table["bound"]) == ["−c", "+c", "+c"]


def test_prices_are_shown_with_the_same_decimals_and_the_dearest_with_four_digits():
    for prices, shown in (
        ([0.3132, 0.12, 0.02475], ["0.3132", "0.1200", "0.0248"]),
        ([123.456, 2.0], ["123.5", "2.0"]),
        ([2e-5, 1e-6], ["0.00002000", "0.00000100"]),
    ):
        table = constrained_words.shown_prices(pd.DataFrame({"price": prices}))
        assert list(table["price"]) == shown


def test_the_end_of_a_race_says_who_was_stopped_and_leaves_the_gap_to_its_own_column():
    line = {
        "solver": "cvxpy", "objective": 0.1, "duality_gap": 2e-6, "kkt_residual": 1e-5,
        "iterations": 1, "seconds": 30.2, "pinned": 0.0,
    }  # fmt: skip
    statuses = ["certified", "not certified: gap 2.0e-06 reached, stopped at 30 s"]
    shown = constrained_words.race(pd.DataFrame([{**line, "status": said} for said in statuses]))
    assert list(shown["status"]) == ["certified", "stopped at 30 s"]


def test_a_moment_is_not_no_time_at_all():
    for seconds, said in (
        (0.000214, "0.214 ms"),
        (0.09999, "100 ms"),
        (0.853, "0.85 s"),
        (34.23, "34.2 s"),
    ):
        assert constrained_words.duration(seconds) == said


def test_many_decades_have_a_tick_each_and_few_have_more():
    facts = pd.DataFrame({"knob": [1.0, 2.0], "price": [1.0, 0.0]})
    for least, dtick in ((0.01, "D2"), (1e-6, 1)):
        facts.loc[1, "price"] = least
        figure = constrained_figures.price(facts, 1.0, "bound", "nats")
        assert figure.layout.yaxis.dtick == dtick


def test_an_interior_point_is_not_offered_where_it_takes_minutes():
    reasons = {"cvxpy": None, "quasi_newton": None}
    assert constrained_words.solver_reasons(reasons, 100, 3)["cvxpy"] is None
    assert "minute" in constrained_words.solver_reasons(reasons, 1200, 10)["cvxpy"]


def test_no_title_that_stands_in_a_url_has_a_comma():
    every = [constrained_words.solvers(), constrained_words.ways(False), constrained_words.COMPARED]
    assert not any("," in title for titles in every for title in titles.values())


@pytest.mark.parametrize(
    ("dataset", "model", "constraint"),
    [("iris", "softmax_regression", "l1"), ("diabetes", "linear_regression", "box")],
)
def test_every_section_of_a_convex_model_is_drawn_from_a_link(dataset, model, constraint):
    app = rendered(
        "constrained.py",
        dataset=dataset,
        model=model,
        set=constraint,
        race="true",
        few_bits="true",
        plane="true",
    )
    assert [heading.value for heading in app.subheader] == [
        "Which weights are held, and at what price?",
        "What happens as the bound tightens?",
        "What would another way have given?",
        "What does it save on disk?",
        "Where does the bound meet the loss?",
        "Do all solvers agree?",
    ]
    # Two of the weights, prices of the box, two of the answers; four as c moves; the ways; four
    # of the bits; two of the plane and two of the race.
    assert len(app.get("plotly_chart")) == 17 + (constraint == "box")
    assert any("Certified" in success.value for success in app.success)
    assert len(app.get("download_button")) >= 5


def alone(**query):
    """A link followed where nobody has been on another page before: the bound is this page's own."""
    app = AppTest.from_file(str(ROOT / "pages" / "constrained.py"), default_timeout=PATIENCE)
    app.session_state["_shell"] = True
    for name, value in query.items():
        app.query_params[name] = value
    return settled(app)


def planes(app):
    """The two figures of a plane, as the browser is told them."""
    charts = {chart.proto.id.split("-")[-1]: chart for chart in app.get("plotly_chart")}
    return [
        json.loads(charts[key].proto.spec) for key in ("plane_of_all_bounds", "plane_of_one_bound")
    ]


def star(figure):
    (optimum,) = (trace for trace in figure["data"] if trace.get("name") == "optimum")
    return optimum["x"][0], optimum["y"][0]


def test_the_plane_follows_the_bound_and_other_weights_do_not_run_the_solvers_again():
    app = alone(dataset="diabetes", model="linear_regression", plane="true", bound="0.101")
    assert app.select_slider(key="bound").value == 0.101
    weight, _ = least_squares(*rows_of("diabetes"), app.select_slider(key="bound").value)
    names = [str(name) for name in load("diabetes", seed=0).feature_names]
    across, up = (app.selectbox(key=key).value for key in ("across", "up"))
    at = weight[names.index(across)], weight[names.index(up)]
    for figure in planes(app):
        assert star(figure) == pytest.approx(at, abs=1e-5)
    before = [figure["layout"]["title"]["text"] for figure in planes(app)]
    known = set(jobs.shared_pool().jobs())

    app.select_slider(key="bound").set_value(0.2).run()
    settled(app)
    bound = app.select_slider(key="bound").value
    weight, _ = least_squares(*rows_of("diabetes"), bound)
    for figure, title in zip(planes(app), before, strict=True):
        assert star(figure) == pytest.approx(
            (weight[names.index(across)], weight[names.index(up)]), abs=1e-5
        )
        assert figure["layout"]["title"]["text"] != title
        assert f"c = {bound:.3g}" in figure["layout"]["title"]["text"]
    assert set(jobs.shared_pool().jobs()) == known

    other = next(name for name in names if name not in (across, up))
    app.selectbox(key="up").set_value(other)
    settled(app)
    assert star(planes(app)[0])[1] == pytest.approx(weight[names.index(other)], abs=1e-5)
    (new,) = set(jobs.shared_pool().jobs()) - known
    assert new.task.endswith(":slices")


def test_a_link_to_a_bound_that_costs_nothing_says_so():
    app = alone(dataset="diabetes", model="linear_regression", bound="0.518")
    assert not app.warning
    assert app.select_slider(key="bound").value == 0.518
    assert any("costs nothing" in success.value for success in app.success)


def raced_at(app):
    """The bounds of the race's figures' problem: by its menu, and by what the worker was asked."""
    asked = [
        dict(job.key[1:])["bound"]
        for job in jobs.shared_pool().jobs()
        if job.task.endswith(":race")
    ]
    return float(app.selectbox(key="race_at").value), asked[-1]  # the last one asked for


def test_a_link_reproduces_a_race_at_its_own_bound():
    link = {"dataset": "iris", "model": "softmax_regression", "set": "l1", "race": "true"}
    bounds = alone(**link).select_slider(key="bound").options
    app = alone(**link, bound=bounds[10], race_at=bounds[20])
    assert raced_at(app) == (float(bounds[20]), float(bounds[20]))
    assert app.select_slider(key="bound").value == float(bounds[10])
    assert f"At c = **{float(bounds[20]):.3g}**:" in [text.value for text in app.markdown]
    # The bound moves on, the race stays; until it is asked for here.
    app.select_slider(key="bound").set_value(float(bounds[12])).run()
    settled(app)
    assert raced_at(app)[0] == float(bounds[20])
    app.button(key="race_here").click()
    settled(app)
    assert raced_at(app) == (float(bounds[12]), float(bounds[12]))
    # Another set has other bounds: the race goes to the current one.
    app.selectbox(key="set").set_value("l2")
    settled(app)
    assert raced_at(app) == (app.select_slider(key="bound").value,) * 2
    assert not app.warning


def test_a_race_that_is_switched_on_by_hand_is_held_at_the_current_bound():
    app = alone(dataset="iris", model="softmax_regression", set="l1")
    other = app.select_slider(key="bound").options[15]
    app.select_slider(key="bound").set_value(float(other)).run()
    settled(app)
    app.toggle(key="race").set_value(True)
    settled(app)
    assert raced_at(app) == (float(other), float(other))


def test_a_race_at_a_bound_that_does_not_exist_is_held_elsewhere_with_a_remark():
    app = alone(
        dataset="iris", model="softmax_regression", set="l1", race="true", race_at="everywhere"
    )
    assert any("'everywhere'" in warning.value for warning in app.warning)
    assert raced_at(app)[0] in map(float, app.select_slider(key="bound").options)


def test_a_network_has_its_method_its_schedule_and_a_bound_for_each_layer():
    app = rendered(
        "constrained.py",
        dataset="iris",
        model="mlp",
        way="learning_compression",
        passes="1",
        first_mu="0.3",
        own_bounds="true",
    )
    assert app.selectbox(key="way").value == "learning_compression"
    assert app.select_slider(key="first_mu").value == 0.3
    assert {f"bound_fc{n}" for n in (1, 2, 3)} <= {slider.key for slider in app.select_slider}
    assert [metric.label for metric in app.metric].count("Parameters") == 2
    assert any("not convex" in info.value for info in app.info)
    assert not app.success


def test_a_refit_shows_a_certificate_a_layer():
    app = rendered("constrained.py", dataset="iris", model="mlp", way="refit")
    assert any("outputs lost (%)" in table.value for table in app.dataframe)
    assert "passes" not in {box.key for box in app.selectbox}


def test_a_count_says_that_nothing_is_certified_and_races_nobody():
    app = rendered(
        "constrained.py",
        dataset="iris",
        model="softmax_regression",
        set="cardinality",
        race="true",
        plane="true",
        bound="6",
    )
    said = " ".join(info.value for info in app.info)
    assert "No certificate" in said
    assert said.count("no optimum to find") == 2
    assert not app.success


def test_a_solver_that_does_not_fit_the_set_is_replaced_with_its_reason():
    app = rendered(
        "constrained.py",
        dataset="iris",
        model="softmax_regression",
        set="l1",
        solver="coordinate_descent",
    )
    assert any("one weight at a time" in warning.value for warning in app.warning)
    assert app.selectbox(key="solver").value == "path"
