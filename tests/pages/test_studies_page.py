"""Studies: what the menus say is computed, kept and compared."""

import json
from base64 import b64decode
from dataclasses import replace
from io import BytesIO

import numpy as np
import pandas as pd
import pytest

import compression
from compression import studies
from compression.studies.protocol import read_protocol
from compression.studies.specification import build_study
from pages.shared import jobs
from pages.shared.plots.palette import style
from pages.views.studies import every_row, figures, tasks, text
from pages.views.studies.define import list_curves
from tests.pages.rendering import check_links, render, settle

SMALL = {"on": "Iris", "of": "MLP (256-128)", "seeds": "2"}


def small_study(seeds=2):
    curves = {each.label: each for each in list_curves()}
    chosen = tuple(curves[label] for label in ("Truncated SVD", "Rounding to few bits"))
    return studies.Study("small", ("iris",), ("mlp",), tuple(range(seeds)), chosen)


def test_a_small_study_is_computed_and_compared_without_a_click(url):
    app = render("studies.py", **SMALL, rows="true")
    assert any("6 of 6 fits" in each.value for each in app.markdown)
    assert any(each.value.startswith("All ") for each in app.caption)
    check_links(app)
    assert [each.value for each in app.header] == list(text.SECTIONS.values())
    verdicts = app.dataframe[-1].value
    assert verdicts["curve"].tolist() == ["Truncated SVD"]
    assert set(verdicts["verdict"]) <= {"better", "worse", "tie"}
    listed = studies.StudyStore(url).list_studies()
    assert listed["done"].tolist() == [6]


@pytest.mark.usefixtures("url")
def test_of_many_rows_some_lines_are_drawn_and_all_on_request(monkeypatch):
    monkeypatch.setattr(every_row, "DRAWN_LINES", 4)
    for wish, opening in (({}, "4 of {} rows"), ({"all_rows": "true"}, "All {} rows")):
        app = render("studies.py", **SMALL, rows="true", **wish)
        switch = app.toggle(key="all_rows")
        count = switch.label.removeprefix("Draw all ").removesuffix(" lines")
        assert int(count) > 4
        assert any(said.value.startswith(opening.format(count)) for said in app.caption)
        charts = [json.loads(chart.proto.spec)["data"][0] for chart in app.get("plotly_chart")]
        (drawn,) = [chart for chart in charts if chart["type"] == "parcoords"]
        assert count_values(drawn["dimensions"][0]["values"]) == (int(count) if wish else 4)


def count_values(values):
    """Of an axis, which travels as a list or as typed bytes."""
    if isinstance(values, list):
        return len(values)
    return len(np.frombuffer(b64decode(values["bdata"]), values["dtype"]))


def test_a_link_may_name_datasets_and_models_as_the_catalogue_does():
    app = render("studies.py", on=["iris", "Wine"], of=["mlp"], curves="none that there is")
    assert app.multiselect(key="on").value == ["Iris", "Wine"]
    assert app.multiselect(key="of").value == ["MLP (256-128)"]
    assert any("none that there is" in each.value for each in app.warning)


def press(app, key):
    next(each for each in app.button if each.key == key).click().run()
    return settle(app)


def test_what_is_kept_is_found_tagged_tried_again_and_deleted(url):
    """The page's own study has 3 fits; another one has a curve that cannot be."""
    kept = studies.StudyStore(url)
    bad = studies.Curves("low_rank", {"method": "truncated_svd", "ranks": [99]}, name="too large")
    other = studies.Study("other", ("iris",), ("softmax_regression",), (0,), (bad,), epochs=2)
    studies.run(other, kept, studies.SerialExecutor())
    before = kept.study_fits("other").set_index("status")
    app = render("studies.py", **(SMALL | {"seeds": "50", "kept": "true"}))
    assert any(", 2 of studies, 1 failed" in each.value for each in app.markdown)

    app.text_input(key="kept_filter").set_value("too large").run()
    assert app.dataframe[-1].value["sentence"].str.contains("rank 99 is not possible").tolist() == [
        True
    ]
    app.text_input(key="kept_tag").set_value("look at").run()
    press(app, "kept_add_tag")
    assert app.dataframe[-1].value["tags"].tolist() == ["look at"]

    press(app, "kept_retry")
    assert any("`other`: 2 of 2 fits, 1 failed" in each.value for each in app.caption)
    again = kept.study_fits("other").set_index("status")
    assert again.loc["failed", "seconds"] != before.loc["failed", "seconds"]
    assert again.loc["done", "seconds"] == before.loc["done", "seconds"]

    app.text_input(key="kept_filter").set_value("too large").run()
    press(app, "kept_delete")
    assert list(kept.study_fits("other")["status"]) == ["done"]


def test_a_large_study_says_its_size_and_waits_to_be_started(url):
    def count_asked():
        return sum(
            job.task == "pages.views.studies.tasks:run_study" for job in jobs.shared_pool().jobs()
        )

    before = count_asked()
    app = render("studies.py", **(SMALL | {"seeds": "50"}))
    assert [button.label for button in app.button if "Compute" in button.label] == [
        "Compute 150 fits"
    ]
    assert count_asked() == before
    assert not any("Seeds vary" in each.value for each in app.markdown)
    app = render("studies.py", **(SMALL | {"seeds": "50", "vary": "order"}))
    said = "Seeds vary the order alone; split and initialisation are seed 0's"
    assert any(said in each.value for each in app.markdown)


def test_without_a_store_the_page_says_what_to_do(monkeypatch):
    monkeypatch.setenv("COMPRESS_STORE", "none")
    app = render("studies.py", **SMALL)
    assert "COMPRESS_STORE" in app.info[0].value


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"on": "Diabetes progression", "of": "Softmax regression"}, "None of these models"),
        ({"on": "nothing"}, "at least one of its datasets"),
    ],
)
def test_choices_that_make_no_study_get_a_sentence(url, query, said):
    assert any(said in each.value for each in render("studies.py", **query).info)


def test_the_text_to_take_away_is_the_same_study():
    study = small_study()
    few_bits = replace(study.curves[0], bits=(4, 8), bits_epochs=1)
    study = replace(study, curves=(few_bits, *study.curves[1:]), vary=("order",))
    again = studies.read_study(text.as_toml(study))
    assert list(again.references()) == list(study.references())
    assert again.curves == study.curves


def test_the_same_choices_are_the_same_name_and_other_choices_another():
    names = {text.name_study(small_study(seeds)) for seeds in (2, 3, 3)}
    assert len(names) == 2
    long = studies.Study("x", ("iris",), ("mlp",), (0,), tuple(list_curves()))
    assert len(text.name_study(long)) <= 100


def test_every_curve_of_the_menu_is_one_that_a_study_can_have():
    study = studies.Study("all", ("iris",), ("mlp",), (0,), tuple(list_curves()))
    assert build_study(json.loads(study.to_json())).curves == study.curves


def test_the_figure_has_a_point_and_an_interval_for_each_curve_and_size(url):
    study = small_study(seeds=4)
    results = tasks.run_study(lambda *_: True, study.to_json(), url)
    styles = {each.label: figures.style_of(each) for each in study.curves}
    figure = figures.changes(results.overview.changes, "Iris", "classification", styles)
    by_name = {trace.name: trace for trace in figure.data}
    for label, rows in results.overview.changes.groupby("label"):
        assert list(by_name[label].y) == (100 * rows["mean"]).tolist()
        high = by_name[label].y + by_name[label].error_y.array
        assert high == pytest.approx((100 * rows["high"]).tolist(), nan_ok=True)
        told = [text.NO_INTERVAL in each for each, _ in by_name[label].customdata]
        assert told == rows["high"].isna().tolist()
    known = results.overview.changes["high"].notna()
    assert known.any()
    assert by_name["Truncated SVD"].marker.color == style("low_rank", "truncated_svd").colour


def test_a_stopped_study_shows_what_there_is(url):
    seen = []

    def stop(done, total, partial, message):
        seen.append((done, partial))
        return message != "fit 3 of 6"

    results = tasks.run_study(stop, small_study().to_json(), url)
    assert results.done < results.total
    assert results.overview.facts["rows"][0]
    assert seen[0] == (0, None)
    assert seen[-1][1]().overview.facts["rows"].tolist() == results.overview.facts["rows"].tolist()


def test_a_preset_fills_the_menus_and_says_size_and_time_before_it_starts(url):
    app = render("studies.py", **(SMALL | {"seeds": "50"}))
    app.button(key="study_preset_0").click().run()
    settle(app)
    assert app.multiselect(key="on").value == ["Digits; 8 × 8"]
    said = [each.value for each in app.markdown]
    assert any("**30 fits**: 10 references (1 × 2 seeds × 5 folds)" in each for each in said)
    assert any("how long is not known yet: nothing like them has run here" in each for each in said)
    assert [each.label for each in app.button if each.key == "start_study"] == ["Compute 30 fits"]
    app.button(key="study_preset_1").click().run()
    settle(app)
    assert app.multiselect(key="on").value == ["Digits; 8 × 8"]
    assert app.multiselect(key="of").value == [
        "Softmax regression",
        "MLP (256-128)",
        "LeNet-300-100",
    ]
    every = [compression.LOW_RANK_METHODS, compression.CONSTRAINTS]
    every += [compression.COMBINED_METHODS, compression.BASELINES]
    titles = [entry.title for catalogue in every for entry in catalogue.values()]
    # A comma would part a title in the URL.
    assert app.multiselect(key="curves").value == [each.replace(",", ";") for each in titles]
    assert not app.warning
    count = 3 * 10 * (1 + len(titles))
    said = [each.value for each in app.markdown]
    assert any(f"**{count:,} fits**: 30 references (3 × 10 seeds)" in each for each in said)
    assert any("Started here it uses one core. `python -m compression study" in s for s in said)
    parts = read_protocol().studies()
    preset = app.button(key="study_preset_2")
    assert preset.label == f"The atlas, part 1 of {len(parts)}: multilayer networks"
    preset.click().run()
    settle(app)
    assert app.selectbox(key="atlas_part").value == "0"
    assert any(f"**{parts[0].count():,} fits**" in each.value for each in app.markdown)
    app.selectbox(key="atlas_part").set_value("2").run()
    settle(app)
    assert any(f"**{parts[2].count():,} fits**" in each.value for each in app.markdown)
    app.button(key="study_preset_2").click().run()
    settle(app)
    assert app.selectbox(key="atlas_part").value == "0"  # its title's part, whichever was open


def test_curves_have_a_line_and_a_band_for_every_family():
    rows = pd.DataFrame(
        {
            "label": ["Rounding"] * 2 + ["Truncated SVD"] * 3,
            "share": [1.0, 0.25, 0.125, 1.0, 0.5],
            "mean": [0.0, -0.02, -0.1, 0.01, 0.0],
            "low": [-0.01, -0.04, -0.2, float("nan"), -0.02],
            "high": [0.01, 0.0, 0.0, float("nan"), 0.02],
            "seeds": 5,
        }
    )
    bands = figures.curves(rows, "Iris", "classification", LOOKS).data[:2]
    rounding, svd = figures.curves(rows, "Iris", "classification", LOOKS).data[2:]
    assert (list(rounding.x), list(rounding.y)) == ([0.25, 1.0], [-2.0, 0.0])
    assert (list(svd.x), list(svd.y)) == ([0.125, 0.5, 1.0], [-10.0, 0.0, 1.0])
    assert rounding.line.color == LOOKS["Rounding"].colour
    assert sorted(bands[0].y) == [-4, -1, 0, 1]
    assert sorted(bands[1].y) == [-20, -2, 0, 1, 1, 2]  # without an interval: the mean itself
    assert [text.NO_INTERVAL in each for each, _ in svd.customdata] == [False, False, True]


def test_the_page_draws_curves_or_points(url):
    app = render("studies.py", **SMALL)
    (chart,) = [each for each in app.get("plotly_chart") if each.key == "study_iris_mlp"]
    assert "at its smallest file: Rounding to few bits" in chart.proto.alt
    points = render("studies.py", **SMALL, drawn="points")
    (chart,) = [each for each in points.get("plotly_chart") if each.key == "study_iris_mlp"]
    assert "a point a curve" in chart.proto.alt


def test_differences_on_two_datasets_have_their_mean_over_the_datasets(url):
    app = render("studies.py", **(SMALL | {"on": ["iris", "wine"]}))
    charts = {each.key: each for each in app.get("plotly_chart")}
    drawn = json.loads(charts["study_differences_classification"].proto.spec)
    names = [text.name_pair(dataset, "mlp") for dataset in ("iris", "wine")]
    assert drawn["layout"]["yaxis"]["ticktext"] == [*names, "over the datasets"]
    (kept,) = studies.StudyStore(url).list_studies()["name"]
    against = app.selectbox(key="than").value
    compared = studies.compare_labels(studies.table(url, kept), 0.5, against)
    (line,) = studies.average_datasets(compared).to_dict("records")
    (points,) = drawn["data"]
    means = np.frombuffer(b64decode(points["x"]["bdata"]), points["x"]["dtype"])
    assert means[-1] == pytest.approx(100 * line["mean"])


def test_the_rank_is_chosen_over_folds_with_a_link_to_it(url):
    query = SMALL | {"in_folds": "3"}
    app = render("studies.py", **query)
    press(app, "start_study")
    (kept,) = studies.StudyStore(url).list_studies().to_dict("records")
    assert (kept["fits"], kept["done"], kept["failed"]) == (18, 18, 0)
    found = studies.choose_ranks(studies.table(url, kept["name"]))
    assert set(found["splits"]) == {6}
    (taken,) = found["rank"][found["chosen"]]
    assert any(f"**Truncated SVD: rank {taken}**" in each.value for each in app.markdown)
    (link,) = [each for each in app.get("page_link") if "on Low rank" in each.proto.label]
    assert f"rank={taken}" in link.proto.query_string
    assert "dataset=iris" in link.proto.query_string
    # What is kept needs no click.
    again = render("studies.py", **query)
    assert any("18 of 18 fits" in each.value for each in again.markdown)


def test_the_figure_of_ranks_has_the_band_and_the_star_of_the_choice():
    found = pd.DataFrame(
        {
            "dataset": "iris",
            "model": "mlp",
            "label": "Truncated SVD",
            "bits": 32.0,
            "rank": [1, 2, 4],
            "splits": 5,
            "mean": [0.6, 0.90, 0.91],
            "error": 0.02,
            "low": [0.5, 0.85, 0.86],
            "high": [0.7, 0.95, 0.96],
            "best": [False, False, True],
            "chosen": [False, True, False],
            "reference": 0.92,
        }
    )
    look = style("low_rank", "truncated_svd")
    figure = figures.ranks(found, "Iris", "classification", {"Truncated SVD": look})
    band, line, star = figure.data
    assert sorted(band.y) == pytest.approx([50, 70, 85, 86, 95, 96])
    assert list(line.y) == pytest.approx([60, 90, 91])
    assert (list(star.x), list(star.y)) == ([2], pytest.approx([90]))
    assert figure.layout.shapes[0].y0 == pytest.approx(92)
    said = text.describe_rank(found, "classification")
    assert "rank 2**, 90.0 %: the smallest within one standard error (2.0 points)" in said
    assert "the best, rank 4 with 91.0 %" in said


def test_the_rows_to_take_away_are_the_studys_table(url):
    study = replace(small_study(), models=("softmax_regression",), epochs=2)
    studies.run(study, url, studies.SerialExecutor())
    table = studies.table(url, "small")
    parquet = pd.read_parquet(BytesIO(tasks.write_rows(url, "small", "parquet")))
    pd.testing.assert_frame_equal(parquet, table)
    text = pd.read_csv(BytesIO(tasks.write_rows(url, "small", "csv")))
    assert text["score"].tolist() == table["score"].tolist()
    assert "<h1>Study: small</h1>" in tasks.write_html_report(url, "small").decode()


LOOKS = {
    "Truncated SVD": style("low_rank", "truncated_svd"),
    "Rounding": style("baseline", "rounding"),
}


def test_differences_stand_by_dataset_with_the_mean_over_the_datasets_below():
    compared = pd.DataFrame(
        {
            "pair": ["Iris, MLP", "Wine, MLP"],
            "label": "Truncated SVD",
            "mean": [0.01, -0.03],
            "low": [0.0, -0.05],
            "high": [0.02, -0.01],
        }
    )
    overall = pd.DataFrame({"label": ["Truncated SVD"], "mean": -0.01, "low": -0.2, "high": 0.18})
    figure = figures.differences(compared, overall, "classification", LOOKS)
    (drawn,) = figure.data
    assert list(drawn.x) == pytest.approx([1, -3, -1])
    assert list(drawn.x + drawn.error_x.array) == pytest.approx([2, -1, 18])
    assert list(drawn.x - drawn.error_x.arrayminus) == pytest.approx([0, -5, -20])
    assert list(drawn.y) == [0, 1, 2]
    assert figure.layout.yaxis.ticktext == ("Iris, MLP", "Wine, MLP", "over the datasets")
    alone = figures.differences(compared, overall.iloc[:0], "classification", LOOKS)
    assert alone.layout.yaxis.ticktext == ("Iris, MLP", "Wine, MLP")


def test_coordinates_have_every_row_on_axes_and_a_colour_a_curve():
    sample = pd.DataFrame(
        {
            "dataset": ["iris", "wine"],
            "model": "mlp",
            "seed": [0, 1],
            "fold": [1, 2],
            "label": ["Truncated SVD", "Rounding"],
            "knob": [4.0, 8.0],
            "share": [0.25, 0.5],
            "validation_score": [0.9, 0.8],
            "change": [-0.01, 0.02],
        }
    )
    figure = figures.coordinates(sample, "classification", LOOKS)
    (drawn,) = figure.data
    axes = {each.label: list(each.values) for each in drawn.dimensions}
    assert axes["Curve"] == [1, 0]
    assert axes["Dataset"] == [0, 1]
    assert "Model" not in axes
    assert axes["Test change (points)"] == pytest.approx([-1, 2])
    assert axes["Knob (log)"] == pytest.approx([0.60206, 0.90309], abs=1e-5)
    assert axes["Fold"] == [1, 2]
    assert drawn.line.colorscale[0][1] == LOOKS["Rounding"].colour
    assert drawn.line.colorscale[1][1] == LOOKS["Truncated SVD"].colour


def test_growth_draws_medians_by_size_with_the_middle_half():
    times = pd.DataFrame(
        {
            "pair": ["b", "a"],
            "label": "Truncated SVD",
            "fits": [3, 5],
            "reference_bytes": [5e5, 1e5],
            "seconds": [4.0, 1.0],
            "low": [3.0, 0.5],
            "high": [6.0, 1.5],
        }
    )
    figure = figures.growth(times, LOOKS)
    (drawn,) = figure.data
    assert figure.layout.xaxis.type == "log"
    assert (list(drawn.x), list(drawn.y)) == ([1e5, 5e5], [1.0, 4.0])
    assert list(drawn.error_y.array) == [0.5, 2.0]
    assert list(drawn.error_y.arrayminus) == [0.5, 1.0]
    # Between sizes so near each other a logarithmic axis would have no tick.
    near = figures.growth(times.assign(reference_bytes=[1.3e5, 1.4e5]), LOOKS)
    assert near.layout.xaxis.type is None
    assert near.layout.xaxis.dtick is None


def test_captions_name_a_correction_only_where_splits_differ():
    whole = small_study()
    alone = replace(whole, vary=("order",))
    for describe in (text.describe_changes, text.describe_differences, text.describe_rule):
        assert ("correct" in describe(whole)) or ("Nadeau" in describe(whole))
        assert "correct" not in describe(alone)
        assert "Nadeau" not in describe(alone)
        assert "{" not in describe(whole) + describe(alone)
