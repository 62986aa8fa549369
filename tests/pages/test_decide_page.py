"""The page that decides: its table, what its worker hands over, its figures, and it, rendered."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import compression.catalog
from compression import BASELINES, COMBINED_METHODS, storage
from compression.latency import REFERENCE, RankLatencies
from compression.pareto import mark_front
from data import load
from pages.shared import links
from pages.shared.format import format_count, format_score, format_size
from pages.shared.models import constrained_tasks, requests
from pages.shared.models import tasks as work
from pages.shared.models.text import reference_line
from pages.shared.plots.palette import CONSTRAINED, style
from pages.views.decide import figures, series, tasks
from pages.views.decide.candidates import PAGE_TITLES, add_latency, link_names, list_candidates
from pages.views.decide.series import QUICK, list_series, possible_series
from pages.views.decide.tasks import DENSE, EPOCHS
from tests.pages.rendering import rendered, settled

SERIES = {series.name: series for series in list_series()}


def go_on(*_args):
    return True


@pytest.fixture(scope="module")
def trained():
    return work.reference(go_on, "iris", "softmax_regression", 0)


@pytest.fixture(scope="module")
def box(trained):
    return constrained_tasks.constrained_curve(go_on, trained.origin, "box", "path")


@pytest.fixture(scope="module")
def results(trained, box):
    """Some of the page's series, by name."""
    own = trained.origin
    return {
        "truncated_svd": work.low_rank_curve(go_on, own, "truncated_svd"),
        "truncated_svd_tuned": work.low_rank_curve(
            go_on, own, "truncated_svd", ("linear",), epochs=EPOCHS
        ),
        "box": box,
        "fine_tuned": tasks.fine_tuned(go_on, own),
        "budgets": tasks.budgets(go_on, own),
        "refit": constrained_tasks.constrained_curve(go_on, own, "box", "refit"),
        "quantized": tasks.quantized(
            go_on, own, tuple(box.table["knob"][[5, 30]]), (box.files[5], box.files[30])
        ),
        "low_rank_then_constrained": work.combined_grid(
            go_on,
            own,
            "low_rank_then_constrained",
            "box",
            requests.combined_ranks(trained.layers),
            COMBINED_METHODS["low_rank_then_constrained"].bounds,
            EPOCHS,
        ),
    }


@pytest.fixture(scope="module")
def table(results):
    curves = {SERIES[name]: curve for name, curve in results.items()}
    return list_candidates(results["box"].reference, curves)


def accuracy(file, part="test"):
    import torch

    dataset = load("iris", seed=0)
    x, y = dataset.x_test, dataset.y_test
    if part == "validation":
        rows = dataset.validation_rows
        x, y = dataset.x_train[rows], dataset.y_train[rows]
    with torch.inference_mode():
        outputs = storage.from_bytes(file)(torch.from_numpy(x))
    return float(np.mean(outputs.argmax(1).numpy() == y))


NEW = (
    "fine_tuned",
    "budgets",
    "refit",
    "quantized",
    "low_rank_then_constrained",
)


@pytest.mark.parametrize("name", NEW)
def test_every_row_of_the_page_s_own_jobs_is_what_its_file_is_worth(results, name):
    found = results[name]
    assert len(found.files) == len(found.table)
    for row in (0, len(found.table) - 1):
        line = found.table.iloc[row]
        assert len(found.files[row]) == line["bytes"]
        assert accuracy(found.files[row]) == line["score"]
        assert accuracy(found.files[row], "validation") == line["validation_score"]


def test_a_tuned_rank_s_file_is_worth_what_its_row_says(trained, results):
    for _, line in results["truncated_svd_tuned"].table.iterrows():
        file = work.low_rank_file(
            go_on, trained.origin, "truncated_svd", int(line["knob"]), ("linear",), epochs=EPOCHS
        )
        assert len(file) == line["bytes"]
        assert accuracy(file) == line["score"]
        assert accuracy(file, "validation") == line["validation_score"]


def test_every_choice_has_a_name_of_its_own_and_none_is_the_reference(table):
    assert table["id"].is_unique
    assert (table["series"] == "reference").sum() == 1
    costs = ["bytes", "parameters", "macs", "validation_score", "score"]
    same = (table[costs] == table.iloc[0][costs]).all(axis=1)
    assert table.loc[same, "family"].eq("baseline").all()


def test_a_choice_leads_to_where_its_row_is(results, table):
    for _, line in table[table["series"].isin(["truncated_svd", "box"])].iterrows():
        row = results[line["series"]].table.iloc[line["place"]]
        knob = "rank" if line["series"] == "truncated_svd" else "bound"
        assert line["link"].query[knob] == row["knob"]
        assert line["link"].page == "pages/compare.py"
        assert line["bytes"] == row["bytes"]
    combined = table.loc[table["family"] == "combined", "link"]
    assert {link.page for link in combined} == {"pages/combine.py"}


SMALL = ("mlp", "softmax_regression")
# A baseline's page is the plane of Compare, where its whole curve stands: see the test below.
EVERY = [
    *(name for name in SERIES if name not in ("spatial_svd", "tucker2", *BASELINES)),
    "reference",
]
"""Series of a model without convolutions."""


@pytest.fixture(scope="module", params=SMALL)
def everyone(request):
    """A model, and all that the page can show of it, by the jobs that the page asks for."""
    job = requests.reference("iris", request.param, 0)
    assert job.wait(60)
    trained, jobs = job.result, {}
    assert requests.constrained_curve(trained, "box").wait(60)  # of which some get fewer bits
    for one in possible_series(trained):
        jobs[one] = one.submit(trained)
    assert all(job.wait(100) for job in jobs.values())
    curves = {series: job.result for series, job in jobs.items()}
    return trained, list_candidates(curves[SERIES["box"]].reference, curves)


def rows_of(everyone, name):
    trained, table = everyone
    rows = table[table["series"] == name]
    # Where no sharing of bytes makes the model smaller, all of them are the reference.
    assert len(rows) or (name == "budgets" and trained.convex)
    return trained, rows


@pytest.mark.parametrize("name", EVERY)
def test_every_row_of_every_series_has_a_page_and_its_own_link(everyone, name):
    _, rows = rows_of(everyone, name)
    assert {link.page for link in rows["link"]} <= set(PAGE_TITLES)
    links = [str(sorted(link.query.items())) for link in rows["link"]]
    if name != "budgets":  # whose rules stand side by side on their page
        assert len(set(links)) == len(rows)
    for _, line in rows.iterrows():
        if line["family"] != "combined" and name not in ("budgets", "reference"):
            knob = "bound" if line["architecture"] in (DENSE, REFERENCE) else "rank"
            assert line["link"].query[knob] == line["knob"]


@pytest.mark.parametrize("name", BASELINES)
def test_a_baseline_opens_the_plane_of_compare_with_its_curve(everyone, name):
    trained, table = everyone
    rows = table[table["series"] == name]
    if rows.empty:
        assert BASELINES[name].knob == "width"
        assert trained.convex
        return
    link = rows["link"].iloc[0]
    assert link.page == "pages/compare.py"
    assert link.query["baselines"] in ("rounding", "all")
    assert rows["choice"].is_unique
    assert (rows["bytes"] < trained.bytes).any() or trained.convex


def shown(app):
    """(score, parameters, file) of every model that a page shows; the file where it is told."""
    labels = ("Test accuracy", "Parameters", "File")
    named = [[number.value for number in app.metric if number.label == label] for label in labels]
    told = set(zip(*named, strict=True))
    for frame in (frame.value for frame in app.dataframe):
        if {"test", "parameters"} <= set(frame):
            for _, line in frame.iterrows():
                file = format_size(line["bytes"]) if "bytes" in frame else ""
                told.add((line["test"], format_count(line["parameters"]), file))
    return told


@pytest.mark.parametrize("name", EVERY)
def test_a_click_on_a_choice_opens_a_page_that_shows_that_very_model(everyone, name):
    trained, rows = rows_of(everyone, name)
    if rows.empty:
        return
    line = rows.iloc[len(rows) // 2]
    asked = {} if name in (*QUICK, "reference") else {"more": SERIES[name].title}
    app = rendered("decide.py", dataset="iris", model=trained.model, **asked)
    app.session_state["_picked"] = line["label"].replace(",", "")
    app.run().button(key="open_picked").click().run()
    app = settled(app.switch_page(line["link"].page))
    assert not [warning.value for warning in app.warning if "info" in warning.icon]
    expected = (
        format_score(line["score"], trained.task),
        format_count(line["parameters"]),
        format_size(line["bytes"]),
    )
    if name == "reference":
        assert reference_line(trained) in [text.value for text in app.markdown]
    elif name == "quantized":
        assert app.select_slider(key="bits").value == line["link"].query["bits"]
        said = [text.value for text in app.markdown if "bytes** instead of" in text.value]
        assert f"**{int(line['bytes']):,} bytes**" in said[0]
    elif name == "budgets" or getattr(SERIES[name], "epochs", 0):  # in a table without files
        assert (*expected[:2], "") in shown(app)
    else:
        assert expected in shown(app)


@pytest.fixture(scope="module")
def measured(trained, box):
    return tasks.latencies(go_on, trained.origin, box.files[0])


def test_latency_counts_macs_as_the_factors_do_and_knows_what_runs_dense(trained, measured):
    rows, columns = trained.layers[0].shape
    ranks = measured.ranks.drop_duplicates("rank").set_index("rank")["counted"]
    assert list(ranks.index) == [1]  # 1 · 7 < 12, 2 · 7 > 12
    assert ranks[1] == pytest.approx(rows * columns / (rows + columns))
    assert {(1, "counted"), (256, "measured")} <= set(measured.break_even)
    assert measured.break_even[1, "counted"] == 1
    assert set(measured.table["model"]) == {REFERENCE, DENSE, "rank 1"}


def test_a_choice_takes_the_time_of_what_it_runs_as(table):
    seconds = {REFERENCE: (3e-6, 1, 1), DENSE: (3.1e-6, 0.9, 1.05), "rank 1": (2e-6, 1.4, 1.6)}
    lines = [
        {
            "model": name,
            "batch": batch,
            "latency": time * batch,
            "ratio_low": low,
            "ratio_high": high,
        }
        for name, (time, low, high) in seconds.items()
        for batch in (1, 256)
    ]
    timed = add_latency(table, RankLatencies(pd.DataFrame(lines), pd.DataFrame(), {}))
    of = timed.set_index("id")["latency_1"]
    assert of["reference: as trained"] == pytest.approx(3e-3)
    assert of["truncated_svd: rank 1"] == pytest.approx(2e-3)
    # A constrained network's ratio may be 1: its time is the reference's, not noise around it.
    for family, expected in (("constrained", 3e-3), ("combined", 2e-3)):
        own = timed[(timed["family"] == family) & ~timed["id"].str.contains("rank [23]")]
        assert np.allclose(own["latency_1"], expected)
    assert np.allclose(timed["latency_256"], 256 * timed["latency_1"], equal_nan=True)


def named(figure, name):
    return [trace for trace in figure.data if trace.name == name]


@pytest.mark.parametrize("part", ["test", "validation"])
def test_the_plane_fades_what_is_dominated_and_bars_the_rest(table, part):
    front = mark_front(table, "parameters", "validation_score")
    figure = figures.plane(table, front, "parameters", part, "classification")
    value, ends = {"test": ("score", "score"), "validation": ("validation_score", "validation")}[
        part
    ]
    for name, rows in table[table["series"] != "reference"].groupby("series"):
        faded, shown = named(figure, rows["method"].iloc[0])
        on_front = rows[front[rows.index]]
        assert [point[0] for point in shown.customdata] == on_front["id"].tolist()
        assert [point[0] for point in faded.customdata] == rows["id"][~front[rows.index]].tolist()
        assert faded.marker.opacity < shown.marker.opacity == 1, name
        assert faded.error_y.array is None
        if len(on_front):
            assert np.allclose(shown.y, 100 * on_front[value])
            tops = np.asarray(shown.y) + np.asarray(shown.error_y.array)
            assert np.allclose(tops, 100 * on_front[f"{ends}_high"])
    (line,) = named(figure, "Pareto front")
    assert sorted(line.x) == sorted(table["parameters"][front])
    (reference,) = named(figure, "Reference")
    assert reference.y[0] == pytest.approx(100 * table[value].iloc[0])
    assert figure.layout.shapes[0].y0 == pytest.approx(100 * table[value].iloc[0])


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
    (ring,) = named(figure, "picked")
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


def test_every_series_has_a_style_and_a_title_of_its_own():
    styles = {(series.style.colour, series.style.symbol) for series in SERIES.values()}
    assert len(styles) == len(SERIES)
    titles = {series.title for series in SERIES.values()}
    assert len(titles) == len(SERIES)
    assert not any("," in title for title in titles)
    assert SERIES["box"].style.colour == CONSTRAINED


def with_copy(monkeypatch, catalogue, name, **changed):
    """A catalogue with one more entry named "new", a copy of another one."""
    entries = dict(getattr(compression.catalog, catalogue))
    entries["new"] = replace(entries[name], name="new", **changed)
    monkeypatch.setattr(series, catalogue, entries)
    return next(one for one in list_series() if one.name == "new")


def test_a_new_low_rank_method_has_a_title_a_spare_style_and_links(monkeypatch, results):
    new = with_copy(monkeypatch, "LOW_RANK_METHODS", "truncated_svd", title="A new method")
    assert (new.title, new.style) == ("A new method", style("low_rank", "new"))
    choices = new.list_choices(results["truncated_svd"])
    assert choices[1].text == choices[1].architecture == "rank 2"
    assert choices[1].link == links.to_compare(method="new", rank=2)


def test_a_new_set_has_a_title_a_spare_style_a_letter_and_links(monkeypatch, box):
    new = with_copy(monkeypatch, "CONSTRAINTS", "cardinality", title="A new set", knob="size z")
    assert (new.title, new.style) == ("A new set", style("constraint", "new"))
    bound = box.table["knob"][3]
    choice = new.list_choices(box)[3]
    assert (choice.text, choice.architecture) == (f"z = {bound:.3g}", DENSE)
    assert choice.link == links.to_compare(constraint="new", bound=bound)


def test_a_new_combined_method_has_a_title_a_spare_style_and_links(monkeypatch, results):
    curve = results["low_rank_then_constrained"]
    rank, bound = int(curve.table["rank"][2]), curve.table["bound"][2]
    entries = ("low_rank_then_constrained", "low_rank_plus_sparse")
    texts = f"rank {rank}, ρ = {bound:g}", f"rank {rank} + {100 * bound:g} % sparse"
    for name, text, chosen in zip(entries, texts, ("box", None), strict=True):
        new = with_copy(monkeypatch, "COMBINED_METHODS", name, title="Both, but new")
        assert (new.title, new.style) == ("Both but new", style("combined", "new"))
        choice = new.list_choices(curve)[2]
        assert choice.text == text
        assert choice.link == links.to_combine(
            method="new", constraint=chosen, epochs=EPOCHS, rank=rank, bound=bound
        )


def test_a_series_of_no_known_style_is_drawn_with_a_spare_one(monkeypatch, results):
    new = with_copy(monkeypatch, "LOW_RANK_METHODS", "truncated_svd", title="A new method")
    curve = results["truncated_svd"]
    table = list_candidates(curve.reference, {new: curve})
    front = mark_front(table, "bytes", "validation_score")
    figure = figures.plane(table, front, "bytes", "test", "classification")
    colours = {trace.marker.color for trace in named(figure, "A new method")}
    assert colours == {style("low_rank", "new").colour}


IRIS = {"dataset": "iris", "model": "softmax_regression"}
WINE = {"dataset": "wine", "model": "mlp"}


def test_a_link_with_a_wish_shows_what_fulfils_it():
    app = rendered("decide.py", **WINE, lose="2", fewer="1")
    assert app.number_input(key="lose").value == 2
    assert len(app.get("plotly_chart")) == 2
    answer = next(text.value for text in app.markdown if text.value.startswith("Of "))
    assert "models" in answer
    assert "at most 2 points lost on validation" in answer
    assert "at least 1× fewer MACs" in answer
    assert len(app.dataframe[0].value) >= 1


def wishes(app):
    return [app.number_input(key=key).value for key in ("lose", "kb", "fewer")]


def test_without_a_wish_the_smallest_that_loses_a_point_of_validation_is_recommended():
    app = rendered("decide.py", **WINE)
    assert wishes(app) == [1, None, None]
    answer = next(text.value for text in app.markdown if text.value.startswith("Of "))
    assert "has the smallest file with at most 1 point lost on validation" in answer
    assert not app.warning
    trained = work.reference(go_on, "wine", "mlp", 0)
    (file,) = [metric for metric in app.metric if metric.label == "File"]
    assert file.delta.endswith("smaller")
    kept = [
        line["bytes"]
        for curve in (
            work.low_rank_curve(go_on, trained.origin, "truncated_svd"),
            constrained_tasks.constrained_curve(go_on, trained.origin, "box", "projected_training"),
        )
        for _, line in curve.table.iterrows()
        if line["validation_score"] >= curve.reference["validation_score"] - 0.01 - 1e-9
    ]
    recommended = float(app.dataframe[0].value["file"][0].split(" ")[0].replace(",", ""))
    unit = 1000 if "kB" in app.dataframe[0].value["file"][0] else 1
    assert recommended * unit <= min(kept) + unit / 2


def test_a_link_that_asks_for_a_size_alone_asks_for_no_score():
    assert wishes(rendered("decide.py", **WINE, kb="20")) == [None, 20, None]
    assert wishes(rendered("decide.py", **WINE, lose="0")) == [0, None, None]


def test_no_larger_model_is_recommended_where_nothing_is_smaller():
    app = rendered("decide.py", dataset="diabetes", model="linear_regression")
    (answer,) = app.info
    assert answer.value.startswith("No compressed model is smaller than the reference")
    assert not app.metric
    assert not any(text.value.startswith("Of ") for text in app.markdown)
    assert not app.dataframe


def test_a_wish_that_nothing_fulfils_is_answered_by_what_is_near():
    app = rendered("decide.py", **WINE, lose="0", kb="0.01")
    (warning,) = app.warning
    assert "at most 0.01 kB" in warning.value
    # No file is that small, so nothing fulfils the other part: only the size can be given way in.
    assert "Size: " in warning.value
    assert "Score: " not in warning.value
    assert len(app.dataframe[0].value) == 1


def models(app):
    """How many models the answer speaks of, or the sentence that there is none."""
    said = " ".join(text.value for text in (*app.markdown, *app.info))
    return int(re.search(r"([\d,]+) models", said)[1].replace(",", ""))


def test_more_series_are_computed_when_they_are_chosen_or_a_link_asks_for_them():
    app = rendered("decide.py", **IRIS)
    before = models(app)
    app.multiselect(key="more").set_value(["quantized"]).run()
    assert models(settled(app)) > before
    linked = rendered("decide.py", **IRIS, more="Box in fewer bits", by="Parameters")
    assert linked.multiselect(key="more").value == ["quantized"]
    assert models(linked) == models(app)


def test_every_choice_has_a_short_name_that_a_link_can_hold(everyone):
    _, table = everyone
    names = link_names(table).tolist()
    assert len(set(names)) == len(names)
    assert not any("," in name for name in names)


def compared(app):
    """What the table of the comparison holds."""
    frames = [frame.value for frame in app.dataframe if "choice" in frame.value]
    if not app.multiselect(key="compare").value:
        return []
    return [name.replace(",", "") for name in frames[-1]["choice"]]


def test_a_link_reproduces_the_comparison_of_series_that_are_still_to_be_computed(table):
    combined = table[table["family"] == "combined"].iloc[-1]
    wanted = ["Truncated SVD rank 1", combined["label"].replace(",", "")]
    query = {"more": "Low rank then bounds", "compare": wanted}
    app = rendered("decide.py", **IRIS, **query)
    assert sorted(compared(app)) == sorted(wanted)
    assert not app.warning
    app.multiselect(key="compare").set_value([]).run()
    assert compared(app) == []


def test_choices_are_compared_by_name_and_a_name_that_is_none_is_left_out_with_a_remark():
    app = rendered("decide.py", **IRIS, compare=["Truncated SVD rank 1", "Truncated SVD rank 99"])
    assert compared(app) == ["Truncated SVD rank 1"]
    assert "Truncated SVD rank 99" in app.warning[0].value
    box = app.multiselect(key="compare")
    added = next(name for name in box.options if name.startswith("Box c ="))
    box.set_value([*box.value, added]).run()
    assert added in compared(app)
    assert not app.warning


def test_a_link_of_before_that_calls_a_relative_bound_c_shows_the_same_choices():
    app = rendered(
        "decide.py", **WINE, choice="Box c = 0.284", compare=["Box c = 0.5", "Box c = 0.284"]
    )
    assert card(app) == "Box, ρ = 0.284"
    assert compared(app) == ["Box ρ = 0.284"]
    assert "Box c = 0.5" in app.warning[0].value
    # Beside a name of now, and with every curve there from the first run on.
    mixed = rendered("decide.py", **WINE, compare=["Truncated SVD rank 1", "Box c = 0.284"])
    assert sorted(compared(mixed)) == ["Box ρ = 0.284", "Truncated SVD rank 1"]
    assert not mixed.warning
    convex = rendered("decide.py", **IRIS)
    boxes = [name for name in convex.multiselect(key="compare").options if "Box" in name]
    assert boxes
    assert all(" c = " in name for name in boxes)


def card(app):
    """The name of the choice whose numbers and buttons are shown."""
    names = [text.value.strip("*") for text in app.markdown if text.value.startswith("**")]
    return next(name for name in names if "reference" not in name)


def test_a_link_shows_the_choice_that_it_names_else_the_best_one_with_a_remark():
    best = card(rendered("decide.py", **WINE))
    app = rendered("decide.py", **WINE, choice="Truncated SVD rank 1")
    assert card(app) == "Truncated SVD, rank 1" != best
    assert not app.warning
    unknown = rendered("decide.py", **WINE, choice="Truncated SVD rank 99")
    assert "Truncated SVD rank 99" in unknown.warning[0].value
    assert card(unknown) == best


def chart(app, key):
    (found,) = [drawn for drawn in app.get("plotly_chart") if drawn.key == key]
    return found


def test_latency_is_measured_on_request_and_then_a_cost():
    app = rendered("decide.py", **IRIS, measure="true", by="Time for 256")
    assert any("By its MACs low rank is faster" in text.value for text in app.markdown)
    assert "Time of a call with batch 256 (ms)" in chart(app, "decide_plane").proto.spec
    networks = app.dataframe[-1].value["network"].tolist()
    assert networks[:2] == ["Reference", "Constrained (dense)"]


def test_a_wish_that_is_no_number_is_left_out_with_a_remark():
    app = rendered("decide.py", **IRIS, lose="-3", kb="inf", fewer="many")
    remarks = " ".join(warning.value for warning in app.warning)
    for word in ("'-3'", "'inf'", "'many'"):
        assert word in remarks
    assert [app.number_input(key=key).value for key in ("lose", "kb", "fewer")] == [None] * 3
