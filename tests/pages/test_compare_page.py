"""The comparison beside its two sides: ties, undo, pins, presets, and where the two differ."""

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import confusion_matrix, recall_score

import data
from pages.shared.format import compare_sizes, format_interval, format_size
from pages.shared.models import constrained_tasks
from pages.shared.models import tasks as work
from pages.shared.plots import standard
from pages.shared.plots.layout import COSTS
from pages.shared.plots.palette import LOW_RANK
from pages.views.compare import figures as compare_figures
from pages.views.compare import pins as compare_pins
from pages.views.compare import tasks as compare_work
from pages.views.compare import text as compare_words
from pages.views.compare import visits
from pages.views.compare.results import CurveRow, Pin
from tests.pages.rendering import render, settle


def report(*arguments, **named):
    return True


def as_bytes(values):
    return np.asarray(values, np.float64).tobytes()


def test_the_difference_of_two_classifiers_is_what_scikit_learn_counts():
    found = data.load("iris", seed=0)
    target = found.y_test
    generator = np.random.default_rng(0)
    first = np.where(generator.random(len(target)) < 0.8, target, (target + 1) % 3)
    second = np.where(generator.random(len(target)) < 0.6, target, (target + 2) % 3)
    got = compare_work.difference(report, "iris", 0, as_bytes(first), as_bytes(second))
    assert got.change == pytest.approx((second == target).mean() - (first == target).mean())
    assert got.change_low <= got.change <= got.change_high
    assert got.first_only == ((first == target) & (second != target)).sum()
    assert got.second_only == ((second == target) & (first != target)).sum()
    assert got.differing == (first != second).sum()
    np.testing.assert_allclose(
        got.recalls["first_share"], recall_score(target, first, average=None)
    )
    np.testing.assert_allclose(
        got.recalls["second_share"], recall_score(target, second, average=None)
    )
    rows = got.samples["sample"].to_numpy()
    assert (first[rows] != second[rows]).all()
    names = np.asarray(found.class_names)
    assert list(got.samples["true"]) == list(names[target[rows]])
    np.testing.assert_allclose(
        got.inputs.to_numpy(), found.x_test[rows] * found.scale + found.mean, atol=1e-4
    )


def test_the_difference_of_two_regressions_lists_the_largest_first():
    found = data.load("diabetes", seed=0)
    first = found.y_test.astype(np.float64)
    second = first + np.linspace(0, 1, len(first))
    got = compare_work.difference(report, "diabetes", 0, as_bytes(first), as_bytes(second))
    assert np.isnan(got.probability)
    assert got.recalls is None
    assert got.change < 0
    assert list(got.samples["sample"][:3]) == [len(first) - 1, len(first) - 2, len(first) - 3]
    own = first[got.samples["sample"]] * found.target_scale + found.target_mean
    np.testing.assert_allclose(got.samples["first"], own)


def test_images_on_which_two_models_differ_come_as_images():
    found = data.load("digits", seed=0)
    wrong = (found.y_test + 1) % 10
    got = compare_work.difference(report, "digits", 0, as_bytes(found.y_test), as_bytes(wrong))
    assert got.inputs.shape == (compare_work.SHOWN, 8, 8)
    assert compare_words.titles(got)[0] == (
        f"{found.y_test[0]}: LMM {found.y_test[0]}, COC {wrong[0]}"
    )


def test_equal_answers_are_said_to_be_equal():
    target = data.load("iris", seed=0).y_test
    got = compare_work.difference(report, "iris", 0, as_bytes(target), as_bytes(target))
    assert "same answer on all 30" in compare_words.difference(got, "classification", 30)


def test_the_confusion_difference_is_second_minus_first():
    generator = np.random.default_rng(1)
    target, first, second = generator.integers(0, 3, (3, 40))
    counts = [confusion_matrix(target, answers) for answers in (first, second)]
    figure = compare_figures.difference(*counts, ["a", "b", "c"])
    assert np.array_equal(figure.data[0].z, counts[1] - counts[0])
    said = sum(len(trace.text) for trace in figure.data[1:])
    assert said == (counts[1] != counts[0]).sum()
    assert figure.data[0].zmax == -figure.data[0].zmin == np.abs(counts[1] - counts[0]).max()


def line(score, parameters):
    return pd.Series(
        {
            "score": score,
            "score_low": score - 0.1,
            "score_high": score + 0.1,
            "parameters": parameters,
            "bytes": 10 * parameters,
            "macs": 7,
        }
    )


@pytest.fixture
def pin():
    row = line(0.8, 50)
    setting = ("truncated_svd, rank k = 2", LOW_RANK, row)
    return Pin(
        "A",
        {"dataset": "iris"},
        "iris, mlp, seed 0",
        {"LMM": setting},
        {"LMM": pd.DataFrame([row, line(0.9, 60)])},
    )


def test_a_pin_is_held_against_what_stands_now(pin):
    table = compare_pins.tabulate_pins([pin], "iris", {"LMM": line(0.9, 40)})
    assert table["score now − pin"].tolist() == pytest.approx([0.1])
    assert table["bytes now − pin"].tolist() == [-100]
    other = compare_pins.tabulate_pins([pin], "wine", {"LMM": line(0.9, 40)})
    assert other["score now − pin"].isna().all()


def test_a_pin_is_a_ghost_in_the_plane(pin):
    import plotly.graph_objects as go

    figure = compare_figures.add_pins(go.Figure(), [pin], "bytes", "classification")
    curve, point = figure.data
    assert list(curve.x) == [500, 600]
    assert list(curve.y) == pytest.approx([80, 90])
    assert (point.x[0], point.y[0], point.text[0]) == (500, pytest.approx(80), "A")


def parameters(app):
    """LMM's and COC's."""
    values = [metric.value for metric in app.metric if metric.label == "Parameters"]
    return [int(value.replace(",", "")) for value in values]


def slide(app, key, value):
    app.select_slider(key=key).set_value(value).run()
    return settle(app)


def click(app, key):
    app.button(key=key).click().run()
    return settle(app)


@pytest.fixture(scope="module")
def wine():
    return render(dataset="wine", model="mlp")


def test_tied_sliders_follow_each_other_to_the_nearest_number_of_parameters(wine):
    app = wine
    app.segmented_control(key="tie").set_value("parameters").run()
    settle(app)
    slide(app, "rank", 20)
    ours, theirs = parameters(app)
    bounds = [float(option) for option in app.select_slider(key="bound").options]
    at = bounds.index(float(app.select_slider(key="bound").value))
    app.segmented_control(key="tie").set_value("free").run()
    settle(app)
    for other in {0, at - 1, at + 1, 20, len(bounds) - 1} - {-1, len(bounds)}:
        slide(app, "bound", bounds[other])
        assert parameters(app)[0] == ours
        assert abs(parameters(app)[1] - ours) >= abs(theirs - ours)


def test_choices_are_undone_and_redone(wine):
    app = wine
    slide(app, "rank", 2)
    slide(app, "rank", 4)
    assert click(app, "undo").select_slider(key="rank").value == 2
    assert click(app, "redo").select_slider(key="rank").value == 4
    assert app.button(key="redo").disabled


def test_a_reload_finds_pins_and_undo_and_alters_no_other_link():
    app = render(dataset="wine", model="mlp")
    slide(app, "rank", 2)
    slide(app, "rank", 4)
    click(app, "pin")
    first = dict(app.query_params)
    again = render(**first)
    assert again.dataframe[-1].value["pin"].tolist() == ["A", "A"]
    assert again.query_params["visit"] == first["visit"]  # until something changes
    assert click(again, "undo").select_slider(key="rank").value == 2
    click(again, "unpin_A")
    assert again.query_params["visit"] != first["visit"]
    third = render(**first)
    assert third.dataframe[-1].value["pin"].tolist() == ["A", "A"]
    assert third.select_slider(key="rank").value == 4


def test_a_link_whose_pins_are_gone_says_so():
    app = render(dataset="wine", model="mlp", visit="of yesterday")
    assert [said.value for said in app.warning] == [visits.GONE]
    assert "visit" not in app.query_params
    slide(app, "rank", 3)
    assert not app.warning


def test_a_pinned_setting_stays_and_is_loaded_again(wine):
    app = wine
    slide(app, "rank", 2)
    click(app, "pin")
    assert app.dataframe[-1].value["pin"].tolist() == ["A", "A"]
    slide(app, "rank", 5)
    assert click(app, "load_A").select_slider(key="rank").value == 2
    assert "load_A" not in {button.key for button in click(app, "unpin_A").button}


def ghosts_of(app, label):
    (plane,) = [chart for chart in app.get("plotly_chart") if chart.key == "plane_chart"]
    names = [trace["name"] for trace in json.loads(plane.proto.spec)["data"]]
    return [name for name in names if name.startswith(f"{label}, ")]


def ghosts(app):
    return ghosts_of(app, "A")


def test_a_pin_of_other_data_is_a_row_and_no_ghost():
    app = click(render(dataset="wine", model="mlp"), "pin")
    assert len(ghosts(app)) == 4
    app.selectbox(key="dataset").set_value("iris")
    settle(app)
    table = app.dataframe[-1].value
    assert table["pin"].tolist() == ["A", "A"]
    assert table["score now − pin"].isna().all()
    assert not ghosts(app)


def test_differences_are_shown_on_request(wine):
    app = wine
    app.toggle(key="differences").set_value(True).run()
    said = [text.value for text in settle(app).markdown]
    assert any("Tango's interval" in text or "same answer" in text for text in said)
    assert len(app.get("plotly_chart")) >= 7


def test_the_figure_that_scrubs_is_shown_on_request(wine):
    app = wine
    app.toggle(key="scrub").set_value(True).run()
    settle(app)
    (chart,) = [chart for chart in app.get("plotly_chart") if chart.key == "scrub_chart"]
    frames = json.loads(chart.proto.spec)["frames"]
    assert len(frames) > 40
    assert {"report_true", "report_false"} <= {b.key for b in app.get("download_button")}


@pytest.mark.parametrize("number", range(len(compare_words.PRESETS)))
def test_a_preset_names_what_exists(number):
    import compression

    chosen = compare_words.PRESETS[number].choices
    assert compression.MODELS[chosen["model"]].fits(data.DATASETS[chosen["dataset"]]) is None
    assert chosen.get("method", "truncated_svd") in compression.LOW_RANK_METHODS


def metrics(app, label):
    """LMM's and COC's (value, what it is held against)."""
    return [(metric.value, metric.delta) for metric in app.metric if metric.label == label]


def read_losses(app):
    """Points of accuracy of LMM and COC against the reference, as the page shows them."""
    deltas = [delta for _, delta in metrics(app, "Test accuracy")]
    return [
        0.0 if delta == "as the reference" else float(delta.split(" points")[0].replace("−", "-"))
        for delta in deltas
    ]


def times_smaller(app):
    return [float(delta.removesuffix("× smaller")) for _, delta in metrics(app, "File")]


def begin_with(number):
    """The page behind a preset, and the sentence that says what to look at."""
    app = click(render(dataset="iris", model="softmax_regression"), f"preset_{number}")
    (said,) = [told.value for told in app.info if compare_words.PRESETS[number].title in told.value]
    for key, value in compare_words.PRESETS[number].choices.items():
        (widget,) = [
            widget
            for widget in (*app.selectbox, *app.select_slider, *app.segmented_control)
            if widget.key == key
        ]
        assert widget.value == value
    return app, said


def test_the_article_s_preset_keeps_the_score_at_several_times_less_on_both_sides():
    app, said = begin_with(0)
    assert min(read_losses(app)) >= -5
    assert min(times_smaller(app)) > 3
    first, second = times_smaller(app)
    assert first / second == pytest.approx(1, abs=0.2)
    assert said.count("no loss is shown") == 2
    for _, delta in (*metrics(app, "File"),):
        assert delta in said


def test_the_binary_preset_is_nearly_binary_and_nearly_as_good_as_the_reference():
    app, said = begin_with(1)
    choice = compare_words.PRESETS[1].choices
    trained = work.reference(report, choice["dataset"], choice["model"], 0)
    table = constrained_tasks.constrained_curve(
        report, trained.origin, "box", "projected_training"
    ).table
    line = table.iloc[(table["knob"] - choice["bound"]).abs().argmin()]
    assert line["pinned"] >= 0.8
    assert read_losses(app)[1] >= -5
    assert read_losses(app)[1] == pytest.approx(100 * line["change"], abs=0.06)
    assert f"**{100 * line['pinned']:.0f} %** of its weights" in said
    assert metrics(app, "Test accuracy")[1][0] in said


def test_the_whitening_preset_is_ahead_of_plain_truncation_of_the_same_rank():
    app, said = begin_with(3)
    choice = compare_words.PRESETS[3].choices
    trained = work.reference(report, choice["dataset"], choice["model"], 0)
    plain = work.low_rank_curve(report, trained.origin, ("truncated_svd", None)).table
    line = plain[plain["knob"] == choice["rank"]].iloc[0]
    own = float(metrics(app, "Test accuracy")[0][0].removesuffix(" %"))
    assert own - 100 * line["score"] >= 3
    assert read_losses(app)[0] >= -2
    assert f"**{own:.1f} %**" in said
    assert f"**{100 * line['score']:.1f} %**" in said
    # The other method's curve is in the plane, with its point at the same rank.
    (plane,) = [shown for shown in app.get("plotly_chart") if shown.key == "plane_chart"]
    traces = json.loads(plane.proto.spec)["data"]
    _, point = [trace for trace in traces if trace["name"].startswith("Truncated SVD")]
    assert np.isclose(point["y"][0], 100 * line["score"])


def test_the_cnn_preset_keeps_the_score_at_a_small_rank():
    choice = compare_words.PRESETS[2].choices
    trained = work.reference(report, choice["dataset"], choice["model"], 0)
    curve = work.low_rank_curve(report, trained.origin, ("truncated_svd", None))
    row = curve.row(choice["rank"])
    line = curve.table.iloc[row]
    assert line["knob"] == choice["rank"]
    assert line["change"] >= -0.02
    assert trained.bytes / line["bytes"] > 3
    said = compare_words.PRESETS[2].look(
        compare_words.ShownRows(trained, CurveRow(curve, row), CurveRow(curve, row))
    )
    singular = curve.spectra["fc1"]
    energy = 100 * np.square(singular[: choice["rank"]]).sum() / np.square(singular).sum()
    assert choice["layer"] in said
    assert f"keeps {energy:.0f} % of the energy of {choice['layer']}" in said
    assert compare_sizes(trained.bytes, line["bytes"]) in said


def test_what_a_preset_says_goes_when_it_is_closed_or_a_choice_changes():
    def read_advice(app):
        return [said.value for said in app.info if said.value.startswith("**")]

    app, _ = begin_with(0)
    assert read_advice(app)
    assert read_advice(settle(app))
    assert not read_advice(click(app, "close_preset"))
    assert read_advice(click(app, "preset_3"))
    assert ghosts_of(app, "Truncated SVD")
    slide(app, "rank", 5)
    assert not read_advice(app)
    assert not ghosts_of(app, "Truncated SVD")
    assert read_advice(click(app, "preset_3"))
    assert not read_advice(click(app, "reset"))


def test_a_preset_is_loaded_and_undone_and_reset_is_the_beginning():
    app = render(dataset="wine", model="mlp", seed="1", rank="2")
    click(app, "preset_0")
    assert app.selectbox(key="dataset").value == "synthetic"
    assert app.number_input(key="seed").value == 0
    assert not app.warning
    click(app, "undo")
    assert app.selectbox(key="dataset").value == "wine"
    assert app.number_input(key="seed").value == 1
    assert app.select_slider(key="rank").value == 2
    click(app, "reset")
    assert app.selectbox(key="dataset").value == "digits"
    assert app.number_input(key="seed").value == 0


def chart(app, key):
    (found,) = [chart for chart in app.get("plotly_chart") if chart.key == key]
    return json.loads(found.proto.spec)


def test_the_top_says_the_reference_s_score_with_its_interval_and_what_it_costs(wine):
    trained = work.reference(report, "wine", "mlp", 0)
    interval = format_interval(trained.score_low, trained.score_high, trained.task)
    said = [text.value for text in wine.markdown if text.value.startswith("Reference")]
    assert len(said) == 1
    for part in (
        f"**{100 * trained.score:.1f} %**",
        interval,
        f"**{trained.parameters:,}** parameters",
        f"**{format_size(trained.bytes)}** file",
    ):
        assert part in said[0]


@pytest.mark.parametrize("cost", COSTS)
def test_the_plane_s_axis_is_the_chosen_cost(wine, cost):
    wine.segmented_control(key="cost").set_value(cost).run()
    plane = chart(settle(wine), "plane_chart")
    title = plane["layout"]["xaxis"]["title"]["text"].lower()
    assert {"parameters": "parameters", "bytes": "file size", "macs": "macs"}[cost] in title
    # The reference as a dashed line, and a point of each side.
    assert any(shape["line"].get("dash") == "dash" for shape in plane["layout"]["shapes"])
    assert {"LMM, now", "COC, now"} <= {trace["name"] for trace in plane["data"]}


def test_the_spectra_have_the_marks_of_a_rank_and_the_reference_s_line(wine):
    kept = chart(wine, "low_rank_spectrum")
    notes = " ".join(note["text"] for note in kept["layout"]["annotations"])
    for mark in ("k*", "90 %", "95 %", "99 %"):
        assert mark in notes
    assert {"kept", "left out"} <= {trace["name"] for trace in kept["data"]}
    bounded = chart(wine, "constrained_spectrum")
    assert "reference" in {trace["name"] for trace in bounded["data"]}
    assert len(bounded["data"]) == 2


def test_predicted_values_stand_against_the_true_ones_and_the_reference_s():
    target, predicted = np.array([1.0, 2.0, 4.0]), np.array([1.5, 2.0, 3.0])
    figure = standard.predicted_true(target, predicted, target + 1, LOW_RANK, "y")
    named = {trace.name: trace for trace in figure.data}
    assert list(named["exact"].x) == list(named["exact"].y) == [1, 5]
    for name, values in (("compressed", predicted), ("reference", target + 1)):
        assert np.allclose(named[name].x, target)
        assert np.allclose(named[name].y, values)
