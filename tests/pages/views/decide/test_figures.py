"""Figures of the page that decides."""

import numpy as np
import pytest

from compression.pareto import mark_front
from pages.shared.plots.palette import style
from pages.views.decide import figures
from pages.views.decide.candidates import list_candidates
from tests.pages.views.decide.examples import find_traces, with_copy


@pytest.mark.parametrize("part", ["test", "validation"])
def test_the_plane_fades_what_is_dominated_and_bars_the_rest(table, part):
    front = mark_front(table, "parameters", "validation_score")
    figure = figures.plane(table, front, "parameters", part, "classification")
    value, ends = {"test": ("score", "score"), "validation": ("validation_score", "validation")}[
        part
    ]
    for name, rows in table[table["series"] != "reference"].groupby("series"):
        faded, shown = find_traces(figure, rows["method"].iloc[0])
        on_front = rows[front[rows.index]]
        assert [point[0] for point in shown.customdata] == on_front["id"].tolist()
        assert [point[0] for point in faded.customdata] == rows["id"][~front[rows.index]].tolist()
        assert faded.marker.opacity < shown.marker.opacity == 1, name
        assert faded.error_y.array is None
        if len(on_front):
            assert np.allclose(shown.y, 100 * on_front[value])
            tops = np.asarray(shown.y) + np.asarray(shown.error_y.array)
            assert np.allclose(tops, 100 * on_front[f"{ends}_high"])
    (line,) = find_traces(figure, "Pareto front")
    assert sorted(line.x) == sorted(table["parameters"][front])
    (reference,) = find_traces(figure, "Reference")
    assert reference.y[0] == pytest.approx(100 * table[value].iloc[0])
    assert figure.layout.shapes[0].y0 == pytest.approx(100 * table[value].iloc[0])


def test_every_point_says_the_epochs_that_lie_behind_it(table):
    front = mark_front(table, "bytes", "validation_score")
    figure = figures.plane(table, front, "bytes", "test", "classification")
    said = {
        point[0]: text
        for trace in figure.data
        if trace.customdata is not None and trace.text is not None
        for point, text in zip(trace.customdata, trace.text, strict=True)
    }
    trained = table[table["epochs"] > 0]
    assert {"truncated_svd_tuned", "low_rank_then_constrained"} <= {*trained["series"]}
    for _, line in table.fillna({"epochs": 0}).iterrows():
        epochs = {0: "", 1: ", 1 epoch"}.get(line["epochs"], f", {line['epochs']:g} epochs")
        assert said[line["id"]].startswith(f"<b>{line['label']}</b>{epochs}<br>")


def test_the_score_axis_begins_twenty_points_below_the_reference(table):
    front = mark_front(table, "bytes", "validation_score")
    far = table.assign(score=table["score"].where(table.index != table.index[-1], 0.05))
    figure = figures.plane(far, front, "bytes", "test", "classification")
    low, high = figure.layout.yaxis.range
    level = 100 * table["score"].iloc[0]
    assert level - 25 <= low < level < high  # and not down to 5 %
    near = 100 * far["score"][100 * far["score"] >= level - 20]
    assert low < near.min()
    assert high > (100 * far["score_high"])[front & (100 * far["score"] >= level - 20)].max()


def test_rows_without_a_latency_are_not_drawn_against_it(table):
    timed = table.assign(latency_1=np.where(table["series"] == "box", np.nan, 1.5))
    front = mark_front(timed, "latency_1", "validation_score")
    figure = figures.plane(timed, front, "latency_1", "test", "classification")
    assert not any("box" in str(trace.customdata) for trace in figure.data)


def test_a_picked_choice_is_ringed(table):
    figure = figures.plane(
        table,
        mark_front(table, "bytes", "validation_score"),
        "bytes",
        "test",
        "classification",
        ["truncated_svd: rank 1"],
    )
    (ring,) = find_traces(figure, "picked")
    assert list(ring.x) == table.loc[table["id"] == "truncated_svd: rank 1", "bytes"].tolist()


def test_changes_have_their_paired_intervals_and_the_limit(table):
    rows = table[table["series"] == "box"][:4]
    figure = figures.changes(rows, "classification", 0.02, None)
    for trace, (_, line) in zip(figure.data, rows.iterrows(), strict=True):
        assert trace.x[0] == pytest.approx(100 * line["change"])
        assert trace.x[0] - trace.error_x.arrayminus[0] == pytest.approx(100 * line["change_low"])
        assert trace.x[0] + trace.error_x.array[0] == pytest.approx(100 * line["change_high"])
    assert [shape.x0 for shape in figure.layout.shapes] == [0, -2]


def test_speed_is_drawn_beside_what_macs_say(measured):
    figure = figures.speed(measured)
    assert [trace.name for trace in figure.data][-1] == "if MACs were time"
    assert list(figure.data[-1].y) == [pytest.approx(12 / 7)]
    assert len(figure.data) == 3


def test_a_series_of_no_known_style_is_drawn_with_a_spare_one(monkeypatch, results):
    new = with_copy(monkeypatch, "LOW_RANK_METHODS", "truncated_svd", title="A new method")
    curve = results["truncated_svd"]
    table = list_candidates(curve.reference, {new: curve})
    front = mark_front(table, "bytes", "validation_score")
    figure = figures.plane(table, front, "bytes", "test", "classification")
    colours = {trace.marker.color for trace in find_traces(figure, "A new method")}
    assert colours == {style("low_rank", "new").colour}
