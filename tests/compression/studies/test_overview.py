"""What is shown of a study is what its table says, and is computed once for what is done."""

import numpy as np
import pandas as pd
import pytest

from compression import studies
from compression.studies import comparison, overview
from compression.studies.study_store import StudyStore

STUDY = studies.Study(
    "shown",
    ("iris",),
    ("softmax_regression",),
    (0, 1, 2),
    (
        studies.Curves("low_rank", {"method": "truncated_svd", "ranks": [1, 2]}),
        studies.Curves("baseline", {"method": "rounding", "knobs": [2, 8]}),
    ),
    epochs=3,
)


@pytest.fixture(params=["sqlite", "postgresql"], scope="module")
def store(request, tmp_path_factory):
    if request.param == "postgresql":
        yield StudyStore(request.getfixturevalue("cluster"))
        return
    store = StudyStore("sqlite://")
    yield store
    store.close()


@pytest.fixture(scope="module")
def shown(store):
    studies.run(STUDY, store, studies.InThisProcess())
    return studies.read_overview(store, "shown")


def test_it_says_what_the_table_says(store, shown):
    table = studies.table(store, "shown")
    for found, wanted in (
        (shown.changes, studies.changes_at_shares(table, overview.SHARES)),
        (shown.comparisons, studies.compare_all(table, overview.SHARES)),
        (shown.ranks, studies.choose_ranks(table)),
    ):
        pd.testing.assert_frame_equal(found, wanted, check_dtype=False)
    assert len(shown.ranks) == 2
    curves = table[table["family"] != "reference"].reset_index(drop=True)
    for column in ("seed", "label", "knob", "share", "validation_score"):
        assert shown.sample[column].tolist() == curves[column].tolist()
    np.testing.assert_allclose(shown.sample["change"], curves["score"] - curves["reference_score"])
    assert shown.facts.to_dict("records") == [{"rows": 15, "curves": 12}]


def test_times_are_those_of_the_fits(store, shown):
    fits = store.study_fits("shown")
    own = fits[fits["request"].str.contains('"rounding"')]["seconds"]
    (line,) = shown.times[shown.times["label"] == "rounding"].to_dict("records")
    assert line["fits"] == 3
    assert line["seconds"] == pytest.approx(own.median())
    assert line["low"] <= line["seconds"] <= line["high"]
    assert shown.times["fits"].sum() == 9


def test_it_is_looked_up_until_more_is_done(store, shown, monkeypatch):
    calls, read = [], comparison.read_rows

    def count(*arguments):
        calls.append(1)
        return read(*arguments)

    monkeypatch.setattr(overview, "read_rows", count)
    again = studies.read_overview(store, "shown")
    assert not calls
    for name in ("changes", "comparisons", "ranks", "sample", "times", "facts"):
        pd.testing.assert_frame_equal(getattr(again, name), getattr(shown, name), check_dtype=False)
    store.delete(store.study_fits("shown")["key"].tolist()[:1])
    studies.read_overview(store, "shown")
    assert calls
    assert len(store.table("overview shown")) == 1  # the old one is gone
    assert (studies.list_kept(store)["what"] == "overview of shown").sum() == 1
    studies.run(STUDY, store, studies.InThisProcess())


def test_of_many_rows_the_picture_of_all_draws_some_at_even_distances(store, shown, monkeypatch):
    monkeypatch.setattr(overview, "SAMPLE", 4)
    some = studies.compute_overview(store, "shown").sample
    assert len(some) == 4
    assert some["label"].nunique() == 2


def test_a_study_without_rows_has_an_empty_overview():
    empty = StudyStore("sqlite://")
    empty.put_study("none", STUDY.to_json(), STUDY.references())
    shown = studies.read_overview(empty, "none")
    assert shown.facts["rows"].tolist() == [0]
    assert shown.changes.empty
    assert shown.comparisons.empty
    assert shown.ranks.empty
    assert shown.sample.empty
    assert shown.times.empty
    empty.close()
