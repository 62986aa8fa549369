"""The page that decides, rendered."""

import json
import re

import pytest

import compression
from compression import BASELINES
from compression.latency import REFERENCE
from compression.low_rank.budgets import budget_curve
from data import load
from pages.shared.format import format_count, format_score, format_size
from pages.shared.models import constrained_tasks
from pages.shared.models import tasks as work
from pages.shared.models.text import reference_line
from pages.views.decide.candidates import PICKED, link_names
from pages.views.decide.series import QUICK
from pages.views.decide.tasks import DENSE
from tests.pages.rendering import render, settle
from tests.pages.views.decide.examples import SERIES, go_on

# A baseline's page is the plane of Compare, where its whole curve stands: see the test below.
EVERY = [
    *(
        name
        for name in SERIES
        if name not in ("spatial_svd", "tucker2", "cp", *BASELINES)
        and not name.endswith("_few_bits")
    ),
    "reference",
]
"""Series of a model without convolutions."""
PAGES = {"Compare", "Combine", "Low rank", "Constrained", "Train"}


def rows_of(everyone, name):
    trained, table = everyone
    rows = table[table["series"] == name]
    # Where no sharing of bytes makes the model smaller, all of them are the reference.
    assert len(rows) or (name == "budgets" and trained.convex)
    return trained, rows


@pytest.mark.parametrize("name", EVERY)
def test_every_row_of_every_series_has_a_page_and_its_own_link(everyone, name):
    _, rows = rows_of(everyone, name)
    assert {link.title for link in rows["link"]} <= PAGES
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


def read_models(app):
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
    app = render("decide.py", dataset="iris", model=trained.model, **asked)
    app.session_state[PICKED] = line["label"].replace(",", "")
    app.run().button(key="open_picked").click().run()
    app = settle(app.switch_page(line["link"].page))
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
        assert (*expected[:2], "") in read_models(app)
    else:
        assert expected in read_models(app)


IRIS = {"dataset": "iris", "model": "softmax_regression"}


WINE = {"dataset": "wine", "model": "mlp"}


def test_a_link_with_a_wish_shows_what_fulfils_it():
    app = render("decide.py", **WINE, lose="2", fewer="1")
    assert app.number_input(key="lose").value == 2
    assert len(app.get("plotly_chart")) == 2
    answer = next(text.value for text in app.markdown if text.value.startswith("Of "))
    assert "models" in answer
    assert "at most 2 points lost on validation" in answer
    assert "at least 1× fewer MACs" in answer
    assert len(app.dataframe[0].value) >= 1


def test_what_a_link_would_have_computed_and_nobody_knows_gets_a_remark():
    title = SERIES["quantized"].title
    app = render("decide.py", **IRIS, more=["nope", title])
    (said,) = [warning.value for warning in app.warning if "Compute more" in warning.value]
    assert said == "Compute more: there is no `nope` here."
    assert app.multiselect(key="more").value == ["quantized"]
    app = settle(app.multiselect(key="more").unselect("quantized").run())
    assert not [warning for warning in app.warning if "Compute more" in warning.value]


def test_every_baseline_competes_unasked_and_a_link_of_before_that_asks_for_one_is_fine():
    titles = [entry.title for entry in BASELINES.values()]
    app = render("decide.py", **WINE, more=titles[2])
    assert not app.warning
    assert app.multiselect(key="more").value == []
    assert not {*titles} & {*app.multiselect(key="more").options}
    spec = json.loads(chart(app, "decide_plane").proto.spec)
    assert {*titles} <= {trace.get("name") for trace in spec["data"]}
    dataset = load("wine", seed=0)
    reference = compression.train(dataset, "mlp", seed=0)
    names = app.multiselect(key="compare").options
    for name, entry in BASELINES.items():
        table = compression.baseline_curve(reference, dataset, name).table
        smallest = table.loc[table["bytes"].idxmin()]
        asked = next(one for one in names if one.startswith(entry.title))
        app.multiselect(key="compare").set_value([asked]).run()
        shown = app.dataframe[-1].value["file"][0]
        assert shown.startswith(format_size(smallest["bytes"]))


def test_the_promised_model_is_the_choice_until_the_smallest_one_is_taken_by_button_or_link():
    query = {"dataset": "iris", "model": "mlp", "lose": "10", "by": "MACs"}
    app = render("decide.py", **query)
    (said,) = [text.value for text in app.markdown if "**Promised** to lose" in text.value]
    promised = re.search(r"the smallest such model is \*\*(.+?)\*\*", said)[1]
    assert card(app) == promised
    (first,) = [text.value for text in app.markdown if "has the fewest MACs" in text.value]
    best = re.search(r"models \*\*(.+?)\*\* has", first)[1]
    assert best != promised
    app.button(key="take_promised").click().run()
    assert card(app) == best
    assert app.query_params["choice"] == best.replace(",", "")
    linked = render("decide.py", **query, choice=best.replace(",", ""))
    assert card(linked) == best
    linked.button(key="take_promised").click().run()
    assert card(linked) == promised
    # Where the smallest model is the promised one there is nothing to choose.
    same = render("decide.py", **WINE, lose="50")
    assert any("**Promised** to lose" in text.value for text in same.markdown)
    assert "take_promised" not in {button.key for button in same.button}


def test_a_budget_that_starves_a_layer_says_so_on_its_card():
    dataset = load("iris", seed=0)
    reference = compression.train(dataset, "mlp", seed=0)
    table = budget_curve(reference, dataset, unit="bytes").table
    tightest = table[table["knob"] == table["knob"].min()].iloc[0]
    words = " ".join(f"{layer} {rank}" for layer, rank in tightest["ranks"].items())
    assert tightest["warning"]
    title = SERIES["budgets"].title
    app = render("decide.py", dataset="iris", model="mlp", more=title, choice=f"{title} {words}")
    assert not app.warning
    assert f":material/warning: {tightest['warning']}." in [c.value for c in app.caption]
    other = render("decide.py", dataset="iris", model="mlp", more=title)
    assert not [c for c in other.caption if ":material/warning:" in c.value]


def wishes(app):
    return [app.number_input(key=key).value for key in ("lose", "kb", "fewer")]


def test_without_a_wish_the_smallest_that_loses_a_point_of_validation_is_recommended():
    app = render("decide.py", **WINE)
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
            work.low_rank_curve(go_on, trained.origin, ("truncated_svd", None)),
            constrained_tasks.constrained_curve(go_on, trained.origin, "box", "projected_training"),
        )
        for _, line in curve.table.iterrows()
        if line["validation_score"] >= curve.reference["validation_score"] - 0.01 - 1e-9
    ]
    recommended = float(app.dataframe[0].value["file"][0].split(" ")[0].replace(",", ""))
    unit = 1000 if "kB" in app.dataframe[0].value["file"][0] else 1
    assert recommended * unit <= min(kept) + unit / 2


def test_a_link_that_asks_for_a_size_alone_asks_for_no_score():
    assert wishes(render("decide.py", **WINE, kb="20")) == [None, 20, None]
    assert wishes(render("decide.py", **WINE, lose="0")) == [0, None, None]


def test_no_larger_model_is_recommended_where_nothing_is_smaller():
    app = render("decide.py", dataset="diabetes", model="linear_regression")
    assert app.info[0].value.startswith("No compressed model is smaller than the reference")
    assert not app.metric
    assert not any(text.value.startswith("Of ") for text in app.markdown)
    assert not app.dataframe


def test_a_wish_that_nothing_fulfils_is_answered_by_what_is_near():
    app = render("decide.py", **WINE, lose="0", kb="0.01")
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
    app = render("decide.py", **IRIS)
    before = models(app)
    app.multiselect(key="more").set_value(["quantized"]).run()
    assert models(settle(app)) > before
    linked = render("decide.py", **IRIS, more="Box in fewer bits", by="Parameters")
    assert linked.multiselect(key="more").value == ["quantized"]
    assert models(linked) == models(app)


def test_every_choice_has_a_short_name_that_a_link_can_hold(everyone):
    _, table = everyone
    names = link_names(table).tolist()
    assert len(set(names)) == len(names)
    assert not any("," in name for name in names)


def read_comparison(app):
    """What the table of the comparison holds."""
    frames = [frame.value for frame in app.dataframe if "choice" in frame.value]
    if not app.multiselect(key="compare").value:
        return []
    return [name.replace(",", "") for name in frames[-1]["choice"]]


def test_a_link_reproduces_the_comparison_of_series_that_are_still_to_be_computed(table):
    combined = table[table["family"] == "combined"].iloc[-1]
    wanted = ["Truncated SVD rank 1", combined["label"].replace(",", "")]
    query = {"more": "Low rank then bounds", "compare": wanted}
    app = render("decide.py", **IRIS, **query)
    assert sorted(read_comparison(app)) == sorted(wanted)
    assert not app.warning
    app.multiselect(key="compare").set_value([]).run()
    assert read_comparison(app) == []


def test_choices_are_compared_by_name_and_a_name_that_is_none_is_left_out_with_a_remark():
    app = render("decide.py", **IRIS, compare=["Truncated SVD rank 1", "Truncated SVD rank 99"])
    assert read_comparison(app) == ["Truncated SVD rank 1"]
    assert "Truncated SVD rank 99" in app.warning[0].value
    box = app.multiselect(key="compare")
    added = next(name for name in box.options if name.startswith("Box c ="))
    box.set_value([*box.value, added]).run()
    assert added in read_comparison(app)
    assert not app.warning


def test_a_link_of_before_that_calls_a_relative_bound_c_shows_the_same_choices():
    app = render(
        "decide.py", **WINE, choice="Box c = 0.284", compare=["Box c = 0.5", "Box c = 0.284"]
    )
    assert card(app) == "Box, ρ = 0.284"
    assert read_comparison(app) == ["Box ρ = 0.284"]
    assert "Box c = 0.5" in app.warning[0].value
    # Beside a name of now, and with every curve there from the first run on.
    mixed = render("decide.py", **WINE, compare=["Truncated SVD rank 1", "Box c = 0.284"])
    assert sorted(read_comparison(mixed)) == ["Box ρ = 0.284", "Truncated SVD rank 1"]
    assert not mixed.warning
    convex = render("decide.py", **IRIS)
    boxes = [name for name in convex.multiselect(key="compare").options if "Box" in name]
    assert boxes
    assert all(" c = " in name for name in boxes)


def card(app):
    """The name of the choice whose numbers and buttons are shown."""
    names = [text.value.strip("*") for text in app.markdown if text.value.startswith("**")]
    return next(name for name in names if "reference" not in name)


def test_a_link_shows_the_choice_that_it_names_else_the_best_one_with_a_remark():
    best = card(render("decide.py", **WINE))
    app = render("decide.py", **WINE, choice="Truncated SVD rank 1")
    assert card(app) == "Truncated SVD, rank 1" != best
    assert not app.warning
    unknown = render("decide.py", **WINE, choice="Truncated SVD rank 99")
    assert "Truncated SVD rank 99" in unknown.warning[0].value
    assert card(unknown) == best


def chart(app, key):
    (found,) = [drawn for drawn in app.get("plotly_chart") if drawn.key == key]
    return found


def test_latency_is_measured_on_request_and_then_a_cost():
    app = render("decide.py", **IRIS, measure="true", by="Time for 256")
    assert any("By its MACs low rank is faster" in text.value for text in app.markdown)
    assert "Time of a call with batch 256 (ms)" in chart(app, "decide_plane").proto.spec
    networks = app.dataframe[-1].value["network"].tolist()
    assert networks[:2] == ["Reference", "Constrained (dense)"]


def test_a_wish_that_is_no_number_is_left_out_with_a_remark():
    app = render("decide.py", **IRIS, lose="-3", kb="inf", fewer="many")
    remarks = " ".join(warning.value for warning in app.warning)
    for word in ("`-3`", "`inf`", "`many`"):
        assert word in remarks
    assert [app.number_input(key=key).value for key in ("lose", "kb", "fewer")] == [None] * 3


def test_the_page_says_what_the_choice_is_worth_and_which_family_wins_where():
    """Few validation rows: the page promises nothing, and says how little they could promise."""
    app = render("decide.py", **WINE)
    (said,) = [text.value for text in app.markdown if "Chosen so on resamples" in text.value]
    rows = len(load("wine", seed=0).validation_rows)
    assert f"on {rows} validation samples" in said
    z = 1.2815515655446004  # one-sided 90 %
    assert "**No promise**" in said
    assert f"can promise {100 * round(z**2 / (rows + z**2), 3):g} points at best" in said
    (frame,) = [frame.value for frame in app.dataframe if "best on validation" in frame.value]
    families = {"low rank", "constrained", "combined", "alternatives"}
    assert set(frame["best on validation"]) <= families
    assert frame["at most"].str.contains("kB").any()
    alone = frame["against the best alternative"].str.contains("alternative")
    assert frame["against the best alternative"][~alone].str.match("ahead|behind|level").all()
