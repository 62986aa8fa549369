"""The atlas on its page: winners, advice by size, one cell, and the same computed here."""

import random
import re

import numpy as np
import pandas as pd
import pytest

from benchmarks import article_claims
from benchmarks.hostile_links import HOSTILE, listen
from compression.studies.atlas_files import read_atlas
from compression.studies.claims import DUELS, FILE, read_claims
from compression.studies.protocol import read_protocol
from pages.shared import links
from pages.views.atlas import figures, tables, text
from pages.views.atlas.results import RecomputedPair
from tests.pages.rendering import open_page, render, settle
from tests.pages.tasks import FEW_FAMILIES, recompute_few_families

ATLAS = read_atlas()


@pytest.fixture(scope="module")
def app():
    return render("atlas.py", cell="iris:mlp", atlas_size="0.25")


def frame_with(app, column):
    """The one table on the page that has this column."""
    (found,) = [frame.value for frame in app.dataframe if column in frame.value]
    return found


def test_the_page_shows_winners_advice_a_cell_a_rule_claims_and_the_protocol(app):
    assert [header.value for header in app.header] == [
        "When to use which",
        "One cell",
        "A rule of thumb",
        "What the article says, and what was measured",
        "How it was measured",
    ]
    assert {chart.key for chart in app.get("plotly_chart")} == {"atlas_winners", "atlas_cell"}
    assert all(chart.proto.alt for chart in app.get("plotly_chart"))
    claims = pd.read_csv(FILE)
    (shown,) = [table.value for table in app.table if "verdict" in table.value]
    assert shown.index.tolist() == claims["claim"].tolist()


def test_a_claim_does_not_say_other_than_its_duel(app):
    (shown,) = [table.value for table in app.table if "verdict" in table.value]
    assert set(DUELS) <= set(shown.index)
    for claim, (duel, side) in DUELS.items():
        counts = ATLAS.duels.loc[ATLAS.duels["duel"] == duel, "verdict"].value_counts()
        right, wrong = counts.get(side, 0), counts.get({"wins": "loses", "loses": "wins"}[side], 0)
        verdict, measured = shown.loc[claim, ["verdict", "measured"]]
        if 2 * right > counts.sum() and wrong == 0:
            assert verdict == "holds"
        elif 2 * wrong > counts.sum() and right == 0:
            assert verdict == "does not hold"
        else:
            assert verdict == "not shown either way"
        assert f"{counts.sum()} cells: right in {right}, wrong in {wrong}, a tie in" in measured


def test_a_claim_follows_the_cells_of_its_duel():
    claim = "COC is more accurate than LMM (elsewhere in the text)"
    duel, _ = DUELS[claim]

    def judge(*verdicts):
        duels = pd.DataFrame({"duel": duel, "verdict": verdicts})
        return read_claims(duels).set_index("claim").loc[claim, "verdict"]

    assert judge("loses", "loses", "ties") == "holds"
    assert judge("wins", "wins", "ties") == "does not hold"
    for verdicts in (["ties"], ["wins", "loses"], ["wins", "wins", "loses"], ["loses", "ties"]):
        assert judge(*verdicts) == "not shown either way"
    untouched = read_claims(ATLAS.duels.iloc[:0])
    pd.testing.assert_frame_equal(untouched, pd.read_csv(FILE))


def test_a_claim_measured_anew_is_met_where_the_file_says_the_same():
    measured = [
        article_claims.ClaimVerdict(claim, "0.5 against 0.4", verdict)
        for claim, verdict in (("one", "holds"), ("two", "holds"), ("new", "holds"))
    ]
    shipped = {"two": "does not hold", "one": "holds", "dropped": "holds"}
    rows = article_claims.compare_with_file(measured, shipped)
    met = {row.question.split(":")[0]: row.met for row in rows}
    assert met == {"one": True, "two": False, "new": False, "dropped": False}


def test_every_duel_of_a_claim_is_one_of_the_atlas_and_every_claim_is_there():
    assert {duel for duel, _ in DUELS.values()} <= set(read_protocol().duels)
    assert set(DUELS) <= set(pd.read_csv(FILE)["claim"])


def test_a_link_says_cell_and_size(app):
    assert app.selectbox(key="cell").value == "iris:mlp"
    assert app.button_group(key="atlas_size").value == "0.25"
    link = links.to_atlas("iris", "mlp", "0.25")
    assert link.page == "pages/atlas.py"
    assert link.texts() == {"cell": "iris:mlp", "atlas_size": "0.25"}


def test_the_page_says_how_many_smaller_networks_stopped_before_and_why(app):
    epochs = {}
    for line in ATLAS.rows.to_dict("records"):
        if line["family"] == "reference":
            epochs[line["dataset"], line["model"], line["seed"]] = line["epochs"]
    beyond = [
        line["epochs"] - epochs[line["dataset"], line["model"], line["seed"]]
        for line in ATLAS.rows.to_dict("records")
        if line["family"] in ("Smaller network", "Smaller network, few bits")
    ]
    before, longer = sum(each < 10 for each in beyond), sum(each > 10 for each in beyond)
    assert before > 0
    (said,) = [each.value for each in app.markdown if "smaller network has" in each.value]
    assert f"in {before} of {len(beyond):,} rows training stopped before, when" in said
    assert "validation loss had not fallen for as many epochs as the model's recipe waits" in said
    assert f"{longer} rows have more" in said
    as_planned = ATLAS.rows[~ATLAS.rows["family"].str.startswith("Smaller network")]
    assert "0 of 0 rows" in text.describe_smaller(as_planned)
    assert "have more" not in text.describe_smaller(as_planned)


def test_versions_are_said_to_be_of_the_runs_that_had_them(app):
    assert [each.value for each in app.caption if each.value.startswith("The versions")] == [
        "The versions of its 2 runs, by the files of each."
    ]
    one = {"code": "a" * 64, "versions_of": ["a" * 64]}
    assert text.describe_versions(one) == "The versions of its run."
    two = one | {"code": f"{'a' * 64}, {'b' * 64}"}
    assert f"those of code {'b' * 12} are not known" in text.describe_versions(two)
    unknown = {"code": "a" * 64}  # files of before they said it
    assert f"those of code {'a' * 12} are not known" in text.describe_versions(unknown)


def test_the_advice_has_a_line_for_each_pair_with_its_count_of_seeds(app):
    shown, cells = frame_with(app, "best on validation"), ATLAS.cells[ATLAS.cells["share"] == 0.25]
    assert len(shown) == len(read_protocol().pairs())
    assert shown["seeds"].tolist() == cells["seeds"].tolist()
    for line, (_, cell) in zip(shown.to_dict("records"), cells.iterrows(), strict=True):
        assert line["best on validation"] == (cell["winner"] or text.VERDICTS[cell["verdict"]])
        if cell["winner"]:
            assert line["ours"] == text.VERDICTS[cell["verdict"]]


def test_another_size_is_another_advice(app):
    other = render("atlas.py", cell="iris:mlp", atlas_size="0.0625")
    cells = ATLAS.cells[ATLAS.cells["share"] == 0.0625]
    assert frame_with(other, "best on validation")["seeds"].tolist() == cells["seeds"].tolist()
    (said,) = [each.value for each in other.markdown if each.value.startswith("**Iris: MLP")]
    assert "1/16 of the bytes" in said


def test_what_is_not_in_the_atlas_falls_back_with_a_remark():
    page = render("atlas.py", cell="iris:lenet5", atlas_size="0.9")
    remarks = " ".join(each.value for each in page.warning)
    assert "iris:lenet5" in remarks
    assert "0.9" in remarks


def test_the_map_names_winner_and_verdict_of_every_cell():
    (drawn, *_) = figures.winners(ATLAS.cells).data
    assert np.shape(drawn.text) == (len(read_protocol().pairs()), 4)
    words = {each for row in drawn.text for each in row}
    for line in ATLAS.cells.to_dict("records"):
        said = text.describe_cell(line)
        assert said in words
        verdict = text.VERDICTS[line["verdict"]].removeprefix("ours ")
        assert verdict in said.replace("<br>", " ")
    hovers = [each for row in drawn.customdata for each in row]
    judged = ATLAS.cells[ATLAS.cells["low"].notna()].iloc[0].to_dict()
    assert any(text.write_interval(judged) in each for each in hovers)


def test_a_verdict_reads_as_it_is():
    line = ATLAS.cells.iloc[0].to_dict() | {
        "dataset": "digits",
        "model": "mlp",
        "winner": "Cardinality, few bits",
        "ours": "Cardinality, few bits",
        "peer": "Rounding",
        "change": -0.012,
        "low": -0.02,
        "high": -0.004,
        "verdict": "loses",
        "level": "",
        "seeds": 8,
    }
    bits = "+\N{NO-BREAK SPACE}bits</b><br>loses −1.2"
    assert text.describe_cell(line) == f"<b>Cardinality {bits}"
    longer = line | {"winner": "Smaller network, few bits"}
    assert text.describe_cell(longer) == f"<b>Smaller network<br>{bits}"
    assert "−1.2 (−2.0 to −0.4)" in text.describe_choice(line)
    assert text.write_interval(line | {"low": np.nan}) == "the same on every seed"
    nothing = line | {"winner": "", "verdict": "nothing fits"}
    assert "No family has a file" in text.describe_choice(nothing)


def test_a_rule_that_does_not_hold_is_called_none():
    rule = {"error": 0.6, "plain_error": 0.5, "plain": "low rank", "cells": 40, "holds": False}
    losses = {"lost": 0.01, "plain_lost": 0.02, "safest": "few bits", "safest_lost": 0.005}
    said = text.describe_rule(rule | losses | {"lines": []})
    assert "No rule of thumb holds" in said
    assert "always saying *low rank*, the most frequent kind here, is wrong in 50 %" in said
    assert "always *low rank* loses 2.0, and always *few bits* loses least: 0.5" in said
    assert "60 %" in said


def test_the_button_computes_the_cell_and_puts_it_beside_the_file(monkeypatch):
    from pages.shared import jobs
    from pages.views.atlas import cell

    rows = ATLAS.rows[(ATLAS.rows["dataset"] == "iris") & (ATLAS.rows["model"] == "mlp")]
    asked = []

    def submit(task, *arguments):
        asked.append((task.__name__, *arguments))
        job = jobs.Job("recomputed", "tests.pages.tasks:count", {}, None)
        job.status, job.result = "done", RecomputedPair(rows, ATLAS.cells)
        return job

    app = settle(open_page("atlas.py", cell="iris:mlp", atlas_size="0.25", here="true"))
    monkeypatch.setattr(cell.jobs, "submit", submit)
    (button,) = [each for each in app.button if each.key == "atlas_recompute"]
    assert button.label == f"Compute {read_protocol().seeds} seeds here"
    button.click().run()
    assert not app.exception
    assert asked == [("recompute_cell", "iris", "mlp", read_protocol().seeds, None)]
    shown, own = frame_with(app, "shipped"), rows[rows["share"] == 0.25]
    assert set(shown["family"]) == set(own["family"])
    assert (shown["difference"] == 0).all()
    assert any(f"{len(own)} of {len(own)} rows" in each.value for each in app.markdown)
    (verdicts,) = [each.value for each in app.markdown if each.value.startswith("**Here**")]
    here, ships = verdicts.split("; **In the file**")
    assert here.removeprefix("**Here**") == ships.partition(". Here p")[0]


def test_before_a_cell_is_computed_the_page_says_how_much_is_to_come(monkeypatch, tmp_path):
    from compression import studies
    from compression.studies.contents import read_contents

    url = f"sqlite:///{tmp_path / 'own.db'}"
    monkeypatch.setenv("COMPRESS_STORE", url)
    link = {"cell": "iris:softmax_regression", "here": "true", "atlas_seeds": "2"}
    study = read_protocol().study_of("iris", "softmax_regression", 2)

    def read_ahead():
        app = render("atlas.py", **link)
        return app, next(each.value for each in app.markdown if "to compute" in each.value)

    app, said = read_ahead()
    assert f"{study.count()} fits to compute; how long is not known yet" in said
    assert "In the file a fit took" in said
    assert app.select_slider(key="atlas_seeds").value == 2
    store = studies.StudyStore(url)
    # A driver remembers the hash of the samples before its first fit.
    request = next(study.references(read_contents(study.datasets, store)))
    store.put(request, b"", name="reference", seconds=40.0)
    store.close()
    assert "about 40 s of one core" in read_ahead()[1]


def test_the_button_computes_a_small_cell_for_real(monkeypatch, tmp_path):
    from compression import studies

    url = f"sqlite:///{tmp_path / 'own.db'}"
    monkeypatch.setenv("COMPRESS_STORE", url)
    link = {"cell": "iris:softmax_regression", "atlas_size": "0.5", "atlas_seeds": "2"}
    app = settle(open_page("atlas.py", here="true", **link))
    app.button(key="atlas_recompute").click().run()
    settle(app)
    # Four bytes of a weight are few beside the names in its file: nothing is half as large.
    said = "Computed here with 2 seeds: no family has a file of this size on any seed."
    assert said in [each.value for each in app.markdown]
    store = studies.StudyStore(url)
    (kept,) = store.list_studies().to_dict("records")
    study = read_protocol().study_of("iris", "softmax_regression", 2)
    assert (kept["name"], kept["fits"], kept["done"]) == (study.name, study.count(), study.count())
    store.close()


def test_what_the_button_computed_for_real_stands_beside_the_file(monkeypatch, tmp_path):
    from pages.views.atlas import cell

    monkeypatch.setenv("COMPRESS_STORE", f"sqlite:///{tmp_path / 'own.db'}")
    monkeypatch.setattr(cell.tasks, "recompute_cell", recompute_few_families)
    link = {"cell": "iris:mlp", "atlas_size": "0.25", "atlas_seeds": "2"}
    app = settle(open_page("atlas.py", here="true", **link))
    app.button(key="atlas_recompute").click().run()
    settle(app)
    families = [*FEW_FAMILIES, "Truncated SVD, few bits"]
    place = "dataset == 'iris' and model == 'mlp' and share == 0.25 and seed < 2"
    shipped = ATLAS.rows.query(place)
    expected = shipped[shipped["family"].isin(families)]
    assert len(expected) == 2 * len(families)
    shown = frame_with(app, "shipped").set_index("family")
    assert set(shown.index) == set(shipped["family"])
    assert set(shown.index[shown["here"] != ""]) == set(families)
    # Another processor may round otherwise, and one sample may then get another answer.
    sample = 1 / expected["test_rows"].iloc[0] + 1e-9
    assert shown.loc[families, "difference"].abs().max() <= sample
    (counted,) = [
        each.value for each in app.markdown if "have the shipped test score" in each.value
    ]
    same, total = map(int, re.match(r"(\d+) of (\d+) rows at this size", counted).groups())
    assert total == len(expected)
    assert (same == total) == (shown.loc[families, "difference"] == 0).all()
    (verdict,) = [each.value for each in app.markdown if each.value.startswith("**Here**")]
    best = expected.groupby("family")["validation_score"].mean()
    assert verdict.startswith("**Here**, 2 seeds: ")
    assert best.idxmax() in verdict or (best == best.max()).sum() > 1
    assert "too few seeds" in verdict.split("; **In the file**")[0]


def test_links_that_are_hostile_compute_nothing():
    chosen = random.Random(0)
    with listen() as heard:
        for value in chosen.sample(HOSTILE, 4):
            app = render("atlas.py", here="true", atlas_seeds=value)
            assert 1 <= app.select_slider(key="atlas_seeds").value <= read_protocol().seeds
        app = render("atlas.py", here=chosen.choice(HOSTILE), atlas_seeds="2")
        assert not app.toggle(key="here").value
    assert not heard


def test_the_task_hands_rows_and_verdicts_back(monkeypatch):
    from compression.studies import Progress, atlas
    from pages.views.atlas import tasks

    seen, asked = [], []
    rows = ATLAS.rows[(ATLAS.rows["dataset"] == "iris") & (ATLAS.rows["model"] == "mlp")]

    def recompute(dataset, model, seeds, store, step):
        asked.append((dataset, model, seeds))
        assert step(Progress(3, 0, 4))
        assert step(Progress(4, 0, 4))
        return rows

    monkeypatch.setattr(atlas, "recompute", recompute)
    found = tasks.recompute_cell(lambda *given: not seen.append(given), "iris", "mlp", 10, None)
    assert found.rows is rows
    assert asked == [("iris", "mlp", 10)]
    assert seen == [(0.0, 1.0, None, "fit 3 of 4"), (1.0, 1.0, None, "fit 4 of 4")]
    own = found.cells[(found.cells["dataset"] == "iris") & (found.cells["model"] == "mlp")]
    assert own["winner"].tolist() == judge_winners(rows)
    monkeypatch.setattr(atlas, "recompute", lambda *given: rows.iloc[:0])
    assert tasks.recompute_cell(lambda *given: False, "iris", "mlp", 10, None).cells.empty


def judge_winners(rows):
    """The family of best mean validation score of those that fit on every seed, at each size."""
    found, seeds = [], rows["seed"].nunique()
    for share in read_protocol().shares:
        families = rows[rows["share"] == share].groupby("family")
        whole = families["seed"].nunique() == seeds
        means = families[["validation_score", "bytes"]].mean()[whole]
        ordered = means.sort_values(["validation_score", "bytes"], ascending=[False, True])
        found.append(ordered.index[0] if len(ordered) else "")
    return found


def test_decide_links_to_the_cell_of_its_reference():
    app = render("decide.py", dataset="iris", model="mlp")
    (link,) = [each for each in app.get("page_link") if "atlas" in each.proto.page]
    assert "cell=iris%3Amlp" in link.proto.query_string


def test_the_duels_count_every_cell():
    shown = tables.count_duels(ATLAS.duels)
    assert shown.drop(columns="in the atlas").sum(axis=1).sum() == len(ATLAS.duels)
