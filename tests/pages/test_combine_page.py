"""The page that combines: its grid, what its worker hands over, its figures, and it, rendered."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import compression
from compression import COMBINED_METHODS, storage
from compression.combined.curve import combined_curve
from compression.equal_bytes import compare_at_equal_bytes
from data import load
from pages.shared.format import format_size
from pages.shared.models import constrained_tasks, requests
from pages.shared.models import tasks as work
from pages.shared.models.results import Layer
from pages.shared.models.text import metric_rows
from pages.shared.ui import knobs
from pages.views.combine import figures as combine_figures
from pages.views.combine import tasks as combine_work
from pages.views.combine import text as combine_words
from pages.views.combine.controls import any_rank_pays, default_epochs
from pages.views.combine.pairs import TUNED_RANKS
from pages.views.combine.verdict import pack_curves
from tests.pages.rendering import render, settle

RANKS, BOUNDS, EPOCHS = (1, 2), (0.4, 1.0), 10


def go_on(*_args):
    return True


@pytest.fixture(scope="module")
def trained():
    return work.reference(go_on, "iris", "softmax_regression", 0)


@pytest.fixture(scope="module")
def together(trained):
    return work.combined_grid(
        go_on, trained.origin, "low_rank_then_constrained", "box", RANKS, BOUNDS, EPOCHS
    )


@pytest.fixture(scope="module")
def alone(trained):
    return {
        "low_rank": work.low_rank_curve(go_on, trained.origin, ("truncated_svd", None)),
        "tuned": work.low_rank_curve(
            go_on, trained.origin, ("truncated_svd", None), epochs=20, ranks=(1,)
        ),
        "bound": constrained_tasks.constrained_curve(go_on, trained.origin, "box", "path"),
    }


@pytest.fixture(scope="module")
def margins(trained, together, alone):
    return combine_work.compare_curves(
        go_on,
        trained.origin,
        pack_curves("together", [together]),
        tuple(pack_curves(name, [found]) for name, found in alone.items()),
    )


@pytest.mark.parametrize("shape", [(256, 64), (10, 128), (3, 4), (1, 10), (7, 7)])
def test_the_grid_s_ranks_reach_from_1_to_the_last_that_pays(shape):
    rows, columns = shape
    paying = [k for k in range(1, min(shape) + 1) if k * (rows + columns) < rows * columns]
    layers = [Layer("one", "linear", shape, max(paying, default=0))]
    for count in (requests.COMBINED_RANKS, TUNED_RANKS):
        found = requests.combined_ranks(layers, count)
        assert found[0] == 1
        assert found[-1] == max(paying, default=1)
        assert sorted(set(found)) == list(found)
        assert len(found) <= count
    assert any_rank_pays(layers) == bool(paying)


def test_a_grid_of_every_method_is_what_the_package_computes(trained):
    found, reference = work.load_reference(trained.origin)
    for method, entry in COMBINED_METHODS.items():
        bounds = entry.bounds
        expected = combined_curve(reference, found, method, [1], bounds[:2], 3, constraint="l1")
        ours = work.combined_grid(go_on, trained.origin, method, "l1", (1,), bounds[:2], 3)
        pd.testing.assert_frame_equal(ours.table, expected.table)
        assert list(bounds) == sorted(bounds)


def test_every_pair_s_file_is_worth_what_its_row_says(trained, together):
    import torch

    dataset = load("iris", seed=0)
    assert together.table[["rank", "bound"]].to_numpy().tolist() == [
        [rank, bound] for rank in RANKS for bound in BOUNDS
    ]
    for file, (_, line) in zip(together.files, together.table.iterrows(), strict=True):
        with torch.inference_mode():
            answers = storage.from_bytes(file)(torch.from_numpy(dataset.x_test)).argmax(1)
        assert np.mean(answers.numpy() == dataset.y_test) == line["score"]
        assert len(file) == line["bytes"]


def test_a_stopped_grid_keeps_the_pairs_it_has(trained):
    kept = []

    def stop_after_two(done, total, partial, message):
        kept.append(partial())
        return done < 2

    ours = work.combined_grid(
        stop_after_two, trained.origin, "jointly", "box", RANKS, BOUNDS, EPOCHS
    )
    assert [len(one.table) for one in kept] == [1, 2]
    assert len(ours.table) == len(ours.files) == 2


def test_each_alone_is_compared_with_the_combination_at_equal_bytes(
    trained, together, alone, margins
):
    expected = compare_at_equal_bytes(
        together, alone, load("iris", seed=0).y_test, "classification"
    )
    pd.testing.assert_frame_equal(margins, expected)


def test_a_budget_that_the_other_never_meets_has_no_numbers(trained, together, alone):
    small = ("together", (10.0, 1e6), (0.9, 0.8), np.zeros((2, 30)).tobytes())
    table = combine_work.compare_curves(
        go_on, trained.origin, small, (pack_curves("low_rank", [alone["low_rank"]]),)
    )
    assert table["change"].isna().tolist() == [True, False]
    first, second = (combine_words.give_verdict(trained, table, b) for b in (10.0, 1e6))
    assert "nothing of **low rank alone** is that small" in first[1]
    assert "**low rank alone** of" in second[1]


def test_the_verdict_holds_the_best_baseline_at_equal_bytes(trained, together):
    dataset = load("iris", seed=0)
    reference = compression.train(dataset, "softmax_regression", seed=0)
    curves = [
        compression.baseline_curve(reference, dataset, name)
        for name, entry in compression.BASELINES.items()
        if not entry.narrows
    ]
    packed = pack_curves(combine_words.BASELINE, curves)
    table = combine_work.compare_curves(
        go_on, trained.origin, pack_curves("together", [together]), (packed,)
    )
    target = dataset.y_test
    for _, line in table.iterrows():
        rows = [
            (row["validation_score"], -row["bytes"], np.asarray(curve.predictions)[place])
            for curve in curves
            for place, (_, row) in enumerate(curve.table.iterrows())
            if row["bytes"] <= line["budget"]
        ]
        if not rows:
            assert np.isnan(line["change"])
            continue
        _, size, answers = max(rows, key=lambda row: row[:2])
        own = together.table[together.table["bytes"] <= line["budget"]]
        chosen = own.sort_values(["validation_score", "bytes"], ascending=[False, True]).index[0]
        change = (together.predictions[chosen] == target).mean() - (answers == target).mean()
        assert line["other_bytes"] == -size
        assert line["change"] == pytest.approx(change)
    said = combine_words.give_verdict(trained, table, table["budget"].max(), "rounding, 4 bits")[1]
    assert "against **the best baseline** (rounding, 4 bits) of " in said
    assert "against the best baseline shown better at" in combine_words.count_verdicts(table, 1e9)


def a_margin(trained, **values):
    line = {"budget": 300.0, "other": "bound", "change": 0.0, "low": 0.0, "high": 0.0}
    line |= {"bytes": 300.0, "other_bytes": 290.0, "differing": 0.0}
    table = pd.DataFrame([line | values])
    return combine_words.give_verdict(trained, table, table["budget"][0])


def test_the_verdict_says_when_the_pair_or_what_it_meets_is_larger_than_the_reference(trained):
    own = trained.bytes
    assert "**larger than the reference's**" in a_margin(trained, budget=2.0 * own)[0]
    assert "2× larger" in a_margin(trained, budget=2.0 * own)[0]
    smaller, about = a_margin(trained, budget=own / 2, other_bytes=own - 1)
    assert "2× smaller" in smaller
    assert "larger" not in smaller + about
    assert "larger than the reference" in a_margin(trained, other_bytes=own + 1)[1]


def test_equal_answers_are_not_called_as_good_but_not_told_apart_on_so_many_samples(trained):
    _, same = a_margin(trained)
    assert "as good" not in same
    assert f"right on the same {len(trained.target)} test samples" in same
    assert "cannot tell them apart" in same
    _, other = a_margin(trained, change=-1 / 30, low=-0.1, differing=1.0)
    assert f"1 of {len(trained.target)} test samples differ" in other
    assert "cannot tell" not in other


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (0.001, 0.02, "better"),
        (-0.02, -0.001, "worse"),
        (-0.01, 0.02, "not shown to be better or worse"),
        (0.0, 0.02, "not shown to be better or worse"),
    ],
)
def test_only_an_interval_beyond_zero_shows_anything(low, high, said):
    assert combine_words.say_interval(low, high) == said


def test_the_tally_counts_every_budget_that_can_be_compared(margins):
    budgets = margins["budget"].unique()
    text = combine_words.count_verdicts(margins, float(np.median(budgets)))
    assert f"{(budgets > np.median(budgets)).sum()} of them larger than the reference" in text
    assert "larger" not in combine_words.count_verdicts(margins, budgets.max())
    for name, lines in margins.dropna(subset="change").groupby("other"):
        better, worse = (lines["low"] > 0).sum(), (lines["high"] < 0).sum()
        rest = len(lines) - better - worse
        said = f"against {combine_words.ALONE[name]} shown better at {better}, worse at {worse}"
        assert f"{said}, neither at {rest}" in text


def test_the_heat_map_holds_every_score_in_its_place_and_rings_the_chosen(together):
    ranks = (*RANKS, 3)  # not there yet
    figure = combine_figures.score_map(together.table, ranks, BOUNDS, 2, "classification")
    heat = figure.data[0]
    assert heat.z.shape == (len(BOUNDS), len(ranks))
    for _, line in together.table.iterrows():
        at = BOUNDS.index(line["bound"]), ranks.index(line["rank"])
        assert heat.z[at] == pytest.approx(100 * line["score"])
    assert np.isnan(heat.z[:, 2]).all()
    (cells,) = figure.data[1:]
    for (_, line), x, y, known, said, number in zip(
        together.table.iterrows(),
        cells.x,
        cells.y,
        cells.customdata,
        cells.text,
        figure.layout.annotations,
        strict=True,
    ):
        assert [float(x), float(y)] == list(known) == [line["rank"], line["bound"]]
        assert f"{int(line['parameters']):,} parameters" in said
        assert f"{line['epochs']:g} epochs: " in said
        assert (ranks[number.x], BOUNDS[number.y]) == (line["rank"], line["bound"])
        assert float(number.text) == round(100 * line["score"], 1)
    (ring,) = figure.layout.shapes
    chosen = together.table.iloc[2]
    assert (ring.x0 + ring.x1) / 2 == ranks.index(chosen["rank"])
    assert (ring.y0 + ring.y1) / 2 == BOUNDS.index(chosen["bound"])


def test_a_score_of_about_nothing_is_written_without_a_sign(together):
    table = together.table.assign(score=[-0.001, 0.004, -0.31, 0.5])
    figure = combine_figures.score_map(table, RANKS, BOUNDS, 0, "regression")
    assert [a.text for a in figure.layout.annotations] == ["0.00", "0.00", "−0.31", "0.50"]


@pytest.mark.parametrize("cost", ["parameters", "bytes", "macs"])
def test_the_plane_has_pairs_as_points_and_each_alone_as_a_line(trained, together, alone, cost):
    figure = combine_figures.plane(
        ("Both", together.table, 1), alone, trained.costs, cost, "classification"
    )
    by_name = {trace.name: trace for trace in figure.data}
    assert by_name["Both"].mode == "markers"
    assert list(by_name["Both"].x) == sorted(together.table[cost])
    assert list(by_name["Both, now"].x) == [together.table[cost][1]]
    behind = together.table.sort_values(cost, kind="stable")["epochs"]
    assert set(behind) == {EPOCHS, 2 * EPOCHS}  # a smaller bound goes on from the larger one
    for said, epochs in zip(by_name["Both"].text, behind, strict=True):
        assert f", {epochs:g} epochs: " in said
    for name, curve in alone.items():
        line = by_name[combine_words.ALONE[name]]
        assert "lines" in line.mode
        assert np.allclose(line.y, 100 * curve.table.sort_values(cost, kind="stable")["score"])


def test_always_the_same_answer_is_a_line_and_uneven_classes_bring_the_balanced_score(
    trained, together, alone
):
    both = ("Both", together.table, 1)
    figure = combine_figures.plane(both, alone, trained.costs, "bytes", "classification")
    drawn = {shape.line.dash: shape.y0 for shape in figure.layout.shapes if shape.y0 == shape.y1}
    assert drawn == pytest.approx({"dash": 100 * trained.score, "dot": 100 * trained.majority})
    assert trained.majority == trained.confusion.sum(axis=1).max() / trained.confusion.sum()
    line = together.table.iloc[1]
    counts = together.confusion[1]
    recall = np.diag(counts) / counts.sum(axis=1)
    uneven = np.array([[9, 0, 0], [0, 4, 0], [0, 0, 4]])
    said = metric_rows(replace(trained, confusion=uneven), line)[0][2]
    assert said.endswith(f"; balanced {100 * recall.mean():.1f} %")
    even = metric_rows(replace(trained, confusion=np.diag([5, 5, 5])), line)[0][2]
    assert "balanced" not in even


def test_the_margins_carry_their_intervals_and_the_budget(margins):
    budget = float(margins["budget"].iloc[-1])
    figure = combine_figures.margins(margins, budget, "classification")
    assert [trace.name for trace in figure.data] == [
        f"against {name}" for name in combine_words.ALONE.values()
    ]
    for trace, name in zip(figure.data, combine_words.ALONE, strict=True):
        lines = margins[(margins["other"] == name) & margins["change"].notna()]
        assert np.allclose(trace.y, 100 * lines["change"])
        assert np.allclose(np.add(trace.y, trace.error_y.array), 100 * lines["high"])
        assert np.allclose(np.subtract(trace.y, trace.error_y.arrayminus), 100 * lines["low"])
        assert np.allclose(trace.x, lines["budget"], rtol=0.02)
    assert budget in [shape.x0 for shape in figure.layout.shapes]


def test_few_far_differences_do_not_flatten_the_near_ones():
    near = pd.DataFrame(
        {
            "other": "bound",
            "budget": [1.0, 2.0, 3.0],
            "change": [0.01, 0.02, 0.6],
            "low": [0.0, 0.01, 0.5],
            "high": [0.02, 0.03, 0.7],
        }
    )
    low, high = combine_figures.margins(near, 1.0, "classification").layout.yaxis.range
    assert low == -high
    assert 3 < high < 50
    far = near.assign(change=0.6)
    assert combine_figures.margins(far, 1.0, "classification").layout.yaxis.range is None


def test_a_link_reproduces_the_pair_and_the_page_answers_its_question(monkeypatch):
    # No browser is behind: the default is a choice at once.
    monkeypatch.setattr(knobs, "STALE_SECONDS", 0.0)
    app = render(
        "combine.py",
        dataset="iris",
        model="softmax_regression",
        together="low_rank_then_constrained",
        pair_epochs="4",
        bound="0.25",
    )
    assert len(app.get("plotly_chart")) == 4
    sliders = {slider.key: slider.value for slider in app.select_slider}
    assert sliders == {"pair_epochs": 4, "rank": 1, "bound": 0.25}
    said = [text.value for text in app.markdown if "the combination" in text.value]
    assert len(said) == 1
    for name in combine_words.OTHERS.values():
        assert f"**{name}**" in said[0]
    assert combine_words.BASELINES_TO_COME not in said[0]
    (drawn,) = [c for c in app.get("plotly_chart") if c.proto.id.endswith("combined_plane")]
    names = {trace.get("name") for trace in json.loads(drawn.proto.spec)["data"]}
    fitting = {e.title for e in compression.BASELINES.values() if not e.narrows}
    assert {*fitting, "Reference + 4 epochs"} <= names
    before = app.metric[0].value, app.metric[1].value
    app.select_slider(key="bound").set_value(1.0)
    settle(app)
    assert "ρ = 1 of what" in " ".join(caption.value for caption in app.caption)
    assert before != (app.metric[0].value, app.metric[1].value)


def test_a_pair_s_default_epochs_are_some_hundred_steps_within_2_and_50():
    assert default_epochs(640) == 10  # 10 batches of 64 a pass
    assert default_epochs(10) == 50
    assert default_epochs(10**6) == 2


def test_low_rank_plus_sparse_asks_for_no_set_and_says_where_nothing_can_be_factored():
    app = render(
        "combine.py",
        dataset="diabetes",
        model="linear_regression",
        together="low_rank_plus_sparse",
        pair_epochs="2",
    )
    assert "set" not in {box.key for box in app.selectbox}
    assert len(app.get("plotly_chart")) == 4
    assert combine_words.NOTHING_TO_FACTOR in [info.value for info in app.info]


def test_in_few_bits_every_side_has_its_best_bits_and_the_sentences_are_the_rows_own():
    app = settle(render("combine.py", dataset="iris", model="softmax_regression"))
    assert "few_bits_margins" not in {chart.proto.id for chart in app.get("plotly_chart")}
    app = settle(app.toggle(key="pairs_in_few_bits").set_value(True).run())
    assert not app.exception
    assert app.query_params["pairs_in_few_bits"] == "true"
    trained = work.reference(go_on, "iris", "softmax_regression", 0)
    first = next(iter(COMBINED_METHODS))
    sides = {
        name: requests.few_bits_curve(trained, family, method).result
        for name, family, method in (
            ("together", "combined", first),
            ("low_rank", "low_rank", "truncated_svd"),
            ("bound", "constraint", "box"),
        )
    }
    together = sides.pop("together")
    table, reference = together.table, together.reference
    smaller = table[table["bytes"] < reference["bytes"]]
    good = smaller[smaller["validation_score"] >= reference["validation_score"] - 0.01 - 1e-12]
    if len(good):
        line = good.loc[good["bytes"].idxmin()]
    else:
        line = table.loc[table["validation_score"].idxmax()]
    (shown,) = [text.value for text in app.caption if text.value.startswith("Shown: rank")]
    assert f"in {line['bits']:g} bit{'' if line['bits'] == 1 else 's'}, the" in shown
    assert format_size(line["bytes"]) in shown
    dataset = load("iris", seed=0)
    expected = compare_at_equal_bytes(together, sides, dataset.y_test, dataset.task)
    for sentence in combine_words.give_verdict(trained, expected, line["bytes"]):
        assert any(sentence in text.value for text in app.markdown), sentence
    assert any("**the best baseline**" in text.value for text in app.markdown[-8:])
