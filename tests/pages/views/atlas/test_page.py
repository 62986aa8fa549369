"""The atlas on its page: winners, advice by size, one cell, and the same computed here."""

import numpy as np
import pandas as pd
import pytest

from compression.studies.atlas_files import read_atlas
from compression.studies.claims import DUELS, FILE, read_claims
from compression.studies.protocol import read_protocol
from pages.shared import links
from pages.views.atlas import figures, tables, text
from pages.views.atlas.results import Recomputed
from tests.pages.rendering import open_page, render, settle

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
        wanted = {(True, False): "holds", (False, True): "does not hold"}
        verdict, measured = shown.loc[claim, ["verdict", "measured"]]
        assert verdict == wanted.get((right > 0, wrong > 0), "not shown either way")
        assert f"{counts.sum()} cells: right in {right}, wrong in {wrong}, a tie in" in measured


def test_a_claim_follows_the_cells_of_its_duel():
    claim = "COC is more accurate than LMM (elsewhere in the text)"
    duel, _ = DUELS[claim]

    def judge(*verdicts):
        duels = pd.DataFrame({"duel": duel, "verdict": verdicts})
        return read_claims(duels).set_index("claim").loc[claim, "verdict"]

    assert judge("loses", "ties") == "holds"
    assert judge("wins", "ties") == "does not hold"
    assert judge("ties") == judge("wins", "loses") == "not shown either way"
    untouched = read_claims(ATLAS.duels.iloc[:0])
    pd.testing.assert_frame_equal(untouched, pd.read_csv(FILE))


def test_every_duel_of_a_claim_is_one_of_the_atlas_and_every_claim_is_there():
    assert {duel for duel, _ in DUELS.values()} <= set(read_protocol().duels)
    assert set(DUELS) <= set(pd.read_csv(FILE)["claim"])


def test_a_link_says_cell_and_size(app):
    assert app.selectbox(key="cell").value == "iris:mlp"
    assert app.button_group(key="atlas_size").value == "0.25"
    link = links.to_atlas("iris", "mlp", "0.25")
    assert link.page == "pages/atlas.py"
    assert link.texts() == {"cell": "iris:mlp", "atlas_size": "0.25"}


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
    said = text.describe_rule(rule | {"lost": 0.01, "plain_lost": 0.02, "lines": []})
    assert "No rule of thumb holds" in said
    assert "60 %" in said


def test_the_button_computes_the_cell_and_puts_it_beside_the_file(monkeypatch):
    from pages.shared import jobs
    from pages.views.atlas import cell

    rows = ATLAS.rows[(ATLAS.rows["dataset"] == "iris") & (ATLAS.rows["model"] == "mlp")]
    rows = rows[rows["seed"] == 0]
    asked = []

    def submit(task, *arguments):
        asked.append((task.__name__, *arguments))
        job = jobs.Job("recomputed", "tests.pages.tasks:count", {}, None)
        job.status, job.result = "done", Recomputed(rows)
        return job

    app = settle(open_page("atlas.py", cell="iris:mlp", atlas_size="0.25"))
    monkeypatch.setattr(cell.jobs, "submit", submit)
    app.button(key="atlas_recompute").click().run()
    assert not app.exception
    assert asked == [("recompute_cell", "iris", "mlp", None)]
    shown = frame_with(app, "shipped")
    assert len(shown) == (rows["share"] == 0.25).sum()
    assert (shown["difference"] == 0).all()
    assert any(f"{len(shown)} of {len(shown)} families" in each.value for each in app.markdown)


def test_the_task_hands_rows_back(monkeypatch):
    from compression.studies import Progress, atlas
    from pages.views.atlas import tasks

    seen = []

    def recompute(dataset, model, seeds, store, step):
        assert step(Progress(1, 0, 4))
        return pd.DataFrame({"dataset": [dataset], "model": [model], "seeds": [seeds]})

    monkeypatch.setattr(atlas, "recompute", recompute)
    found = tasks.recompute_cell(lambda *given: not seen.append(given), "iris", "mlp", None)
    assert found.rows.iloc[0].tolist() == ["iris", "mlp", 1]
    assert seen == [(1, 4, None, "fit 1 of 4")]


def test_decide_links_to_the_cell_of_its_reference():
    app = render("decide.py", dataset="iris", model="mlp")
    (link,) = [each for each in app.get("page_link") if "atlas" in each.proto.page]
    assert "cell=iris%3Amlp" in link.proto.query_string


def test_the_duels_count_every_cell():
    shown = tables.count_duels(ATLAS.duels)
    assert shown.drop(columns="in the atlas").sum(axis=1).sum() == len(ATLAS.duels)
