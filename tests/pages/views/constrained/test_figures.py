"""The constrained page's figures by their traces."""

import numpy as np
import pandas as pd
import pytest

from compression.constrained.convex.results import LossPlanes, Race, Trajectories
from pages.shared.models import constrained_tasks
from pages.shared.plots.palette import style
from pages.views.constrained.figures import bits, loss_plane, methods, path, race, weights
from pages.views.constrained.results import Trail
from tests.pages.views.constrained.examples import a_layer, go_on, many_held


def traces(figure):
    return {trace.name: trace for trace in figure.data}


@pytest.mark.parametrize("layer", [a_layer, many_held])
def test_no_free_weight_s_bin_reaches_outside_the_bound_and_the_counts_are_all_weights(layer):
    rows = layer()
    free, *held = weights.histogram(rows, 0).data[:-1]
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
    figure = weights.histogram(many_held(), 0)
    said = [note.text for note in figure.layout.annotations]
    end = figure.layout.yaxis.range[1]
    assert end < 100
    assert "<b>100</b> (bar cut)" in said
    marked = {(stroke.x0 + stroke.x1) / 2 > 0.3 for stroke in figure.layout.shapes}
    assert marked == ({True} if end > 7 else {True, False})
    whole = weights.histogram(a_layer(), 0)
    assert sorted(note.text for note in whole.layout.annotations) == ["<b>1</b>"] * 2 + ["<b>2</b>"]
    assert not whole.layout.shapes


def test_without_a_bound_for_each_weight_the_bins_are_the_same_for_every_bound(iris):
    rows = constrained_tasks.constrained_curve(go_on, iris.origin, "l1", "path").layers["linear"]
    assert all(np.array_equal(edges, rows.edges[0]) for edges in rows.edges)
    assert not set(rows.bounds).intersection(*rows.edges[:1])


def test_a_histogram_counts_what_is_held_apart_from_what_is_free():
    figure = weights.histogram(a_layer(), 0)
    held = {trace.name: (trace.x[0], trace.y[0]) for trace in figure.data if len(trace.x) == 1}
    assert held == {"at −c: 1": (-0.5, 1), "zero: 1": (0.0, 1), "at +c: 2": (0.5, 2)}
    free, reference = (traces(figure)[name] for name in ("free: 2", "reference"))
    assert sum(free.y) == 2
    assert sum(reference.y) == 6


def test_the_heat_maps_show_the_weight_and_its_states():
    weight, held = weights.matrix(a_layer(), 0).data
    assert np.allclose(weight.z, [[0.5, -0.5, 0.0], [0.1, 0.5, 0.2]])
    assert (weight.zmin, weight.zmax) == (-0.5, 0.5)
    names = [["at +c", "at −c", "zero"], ["free", "at +c", "free"]]
    assert held.text.tolist() == names
    # By value, and each number stands for the colour that the scale gives it.
    assert held.colorbar.ticktext == ("at −c", "zero", "free", "at +c")
    assert np.take(held.colorbar.ticktext, held.z).tolist() == names
    colours = dict(weights.name_states().values())
    for place, name in zip(held.colorbar.tickvals, held.colorbar.ticktext, strict=True):
        at = (place - held.zmin) / (held.zmax - held.zmin)
        below = [stop for stop in held.colorscale if stop[0] < at][-1]
        assert below[1] == colours[name]


def test_pictures_have_the_shape_of_the_inputs_and_a_row_of_prices_where_there_are_any():
    values = np.arange(12.0).reshape(2, 6)
    with_prices = weights.pictures(values, -values, (1, 2, 3), ["a", "b"])
    assert [np.shape(trace.z) for trace in with_prices.data] == [(2, 3)] * 4
    assert len(weights.pictures(values, None, (1, 2, 3), ["a", "b"]).data) == 2


def test_shares_add_up_to_all_weights():
    table = pd.DataFrame(
        {"knob": [0.1, 0.2], "pinned": [0.5, 0.25], "zero": [0.25, 0.0], "free": [0.25, 0.75]}
    )
    figure = path.shares(table, 0.2, "bound")
    assert np.allclose(sum(np.array(trace.y) for trace in figure.data), 100)
    assert figure.layout.shapes[0].x0 == 0.2


def test_every_layer_has_a_line_of_its_free_weights():
    figure = path.free_by_layer({"fc1": a_layer()}, [0.5], 0.5, "relative bound")
    assert [(trace.name, list(trace.y)) for trace in figure.data] == [("fc1", [100 * 2 / 6])]


def test_a_path_has_a_line_a_weight_and_a_tick_a_breakpoint():
    trail = Trail(
        np.array([0.0, 0.5, 1.0]), np.array([[[0, 0]], [[0.5, -0.2]], [[0.7, -0.4]]]), True
    )
    figure = path.path(trail, [["a", "b"]], [], 0.4, True)
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
    figure = path.path(Trail(np.array([1.0, 2.0]), weights, False), names, "ab", 1, False)
    for trace in figure.data[:2]:
        lines = np.reshape(np.array(trace.y, float), (-1, 3))
        assert len(lines) == path.MAX_LINES // 2
        assert (lines[:, 1] == 900).all()
        assert (lines[:, 0] == 0).sum() == 50
    assert figure.layout.title.subtitle.text == "the 100 largest of 400 per class"


def judge(knobs, scores):
    return pd.DataFrame(
        {
            "knob": knobs,
            "score": scores,
            "score_low": np.array(scores) - 0.1,
            "score_high": np.array(scores) + 0.1,
            "epochs": 0,
            "bytes": [10 * k for k in range(1, len(knobs) + 1)],
        }
    )


def test_ways_share_a_plane_and_the_current_bound_is_ringed():
    curves = [
        ("learning_compression", "LC", judge([0.1, 0.2], [0.5, 0.9])),
        ("clip", "Clip", judge([0.1, 0.2], [0.3, 0.8])),
    ]
    reference = {"score": 0.95, "bytes": 30}
    figure = methods.methods(curves, reference, "bytes", 0.2, "bound", "classification")
    lc, clip, now = figure.data
    assert list(clip.y) == [30, 80]
    assert (now.x[0], now.y[0]) == (20, 90)
    assert (lc.line.color, clip.line.color) == tuple(
        style("way", name).colour for name in ("learning_compression", "clip")
    )
    assert figure.layout.shapes[0].y0 == 95


def test_every_bound_of_a_way_says_its_epochs():
    """On a path the tightest bound has those of all."""
    judged = judge([0.1, 0.2], [0.5, 0.9])
    curves = [
        ("projected_training", "Projected", judged.assign(epochs=[120, 3])),
        ("clip", "Clip", judged),
    ]
    figure = methods.methods(
        curves, {"score": 0.95}, "knob", 0.2, "relative bound", "classification"
    )
    path, clip, _ = figure.data
    assert [said.split(": ")[0] for said in path.text] == [
        "ρ = 0.1, 120 epochs",
        "ρ = 0.2, 3 epochs",
    ]
    assert [said.split(": ")[0] for said in clip.text] == ["ρ = 0.1", "ρ = 0.2"]


def test_the_schedule_is_geometric():
    (rounds,) = methods.schedule("learning_compression", 0.1, 10, 3).data
    assert np.allclose(rounds.y, [0.1, 1, 10])


def test_a_race_leaves_the_start_out_where_it_cannot_be_drawn():
    track = pd.DataFrame({"iteration": [0, 1, 2], "seconds": [0, 0.1, 0.2], "above": [1, 0.1, 0]})
    arrived = Race(pd.DataFrame(), {"cvxpy": track})
    for clock, drawn in (("iteration", [1, 2]), ("seconds", [0.1, 0.2])):
        (line,) = race.tracks(arrived, {"cvxpy": "referee"}, clock).data
        assert list(line.x) == drawn
        assert min(line.y) > 0


def two_bounds():
    """Slices of x² + y² with a box of 1 and of 2 around the optima (1, -1) and (2, 0)."""
    square = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1], [1, 1]], float)
    near = np.full((2, 5, 5), np.nan, np.float32)
    near[1] = np.add.outer(np.linspace(-3, 3, 5) ** 2, np.linspace(-3, 3, 5) ** 2) - 4
    return LossPlanes(
        bounds=np.array([1.0, 2.0]),
        optimum=np.array([[1.0, -1.0], [2.0, 0.0]]),
        near=np.array([1.5, 3.0]),
        far=2.6,
        near_loss=near,
        far_loss=near + 1,
        outlines=[square, 2 * square],
    )


def test_one_window_for_all_bounds_shows_where_the_optimum_comes_from_and_goes_to():
    for row, bound in enumerate((1.0, 2.0)):
        figure = loss_plane.plane_of_all_bounds(two_bounds(), row, ("a", "b"))
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
    runs = Trajectories(
        np.array([1.0, 2.0]), {"cvxpy": [None, way], "quasi_newton": [None] * 2}, 40, {}, 1
    )
    titles = {"cvxpy": "referee", "quasi_newton": "other"}

    def draw(row, own):
        return loss_plane.plane_of_one_bound(two_bounds(), row, own, (0, 2), ("a", "b"), titles)

    figure = draw(1, runs)
    own = traces(figure)
    assert (list(own["referee"].x), list(own["referee"].y)) == ([0, 2], [0, 0])
    assert "other" not in own
    assert figure.layout.xaxis.range == (-3, 3)
    assert own["loss"].z[2][2] == -4
    for nothing in (draw(0, runs), draw(1, None)):
        assert not {"referee", "other"} & set(traces(nothing))


def test_bits_above_sixteen_are_off():
    table = pd.DataFrame({"bound": [0.1, 0.1, 0.2], "bits": [2, 32, 2], "fewest_bits": [32, 32, 3]})
    (steps,) = bits.fewest_bits(table, 0.1, "bound").data
    assert list(steps.y) == [17, 3]
    assert list(steps.customdata) == ["off", "3"]


def test_many_decades_have_a_tick_each_and_few_have_more():
    facts = pd.DataFrame({"knob": [1.0, 2.0], "price": [1.0, 0.0]})
    for least, dtick in ((0.01, "D2"), (1e-6, 1)):
        facts.loc[1, "price"] = least
        figure = path.price(facts, 1.0, "bound", "nats")
        assert figure.layout.yaxis.dtick == dtick
