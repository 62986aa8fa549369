"""What is shown of a study is what its table says, and is computed once for what is done."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import sqlalchemy as sql

from compression import studies
from compression.command_line.parser import main
from compression.studies import comparison, driver, fit, overview, specification
from compression.studies.store import BLOBS
from compression.studies.study_store import StudyStore

STUDY = studies.Study(
    "shown",
    ("iris",),
    ("mlp",),
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
    studies.run(STUDY, store, studies.SerialExecutor())
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
    for name in ("changes", "comparisons", "curves", "ranks", "sample", "times", "facts"):
        pd.testing.assert_frame_equal(getattr(again, name), getattr(shown, name), check_dtype=False)
    store.delete(store.study_fits("shown")["key"].tolist()[:1])
    studies.read_overview(store, "shown")
    assert calls
    assert len(store.table("overview shown")) == 1  # the old one is gone
    assert (studies.list_kept(store)["what"] == "overview of shown").sum() == 1
    studies.run(STUDY, store, studies.SerialExecutor())


def test_a_study_that_is_over_is_looked_up_without_a_key_for_each_fit(store, shown, monkeypatch):
    whole = studies.run(STUDY, store, studies.SerialExecutor())
    studies.read_overview(store, "shown")
    store.put_study("changed later", STUDY.to_json(), STUDY.references())

    def make_keys(*_):
        raise AssertionError("every fit's key is made")

    monkeypatch.setattr(driver, "StudyDriver", make_keys)
    monkeypatch.setattr(overview, "read_rows", make_keys)
    told = []
    again = studies.run(STUDY, store, studies.SerialExecutor(), report=lambda now: told.append(now))
    assert again == whole == studies.Progress(9, 0, 9, again.seconds_left)
    assert told == [again]
    assert store.list_studies()["name"][0] == "shown"
    assert studies.read_overview(store, "shown").facts["rows"].tolist() == [15]


def delete_one(store, study, monkeypatch):
    store.delete(store.study_fits(study.name)["key"].tolist()[:1])


def add_one(store, study, monkeypatch):
    """Another driver goes on with a study that was stopped."""
    delete_one(store, study, monkeypatch)
    studies.read_overview(store, study.name)
    studies.run(study, store, studies.SerialExecutor())


def retry_failed(store, study, monkeypatch):
    """It fails again: the counts are as they were."""
    assert store.forget_failed(study.name) == 2
    studies.run(study, store, studies.SerialExecutor())


def change_code(store, study, monkeypatch):
    monkeypatch.setattr(overview, "code_version", lambda *_: "of tomorrow")


@pytest.mark.parametrize("change", [delete_one, add_one, retry_failed, change_code])
def test_a_kept_overview_is_stale_after_a_change(store, monkeypatch, change):
    study = replace(STUDY, name=change.__name__, seeds=(70, 71), epochs=1)
    monkeypatch.setattr(driver, "compute", fail_rounding)
    studies.run(study, store, studies.SerialExecutor())
    studies.read_overview(store, study.name)
    assert not count_computations(store, study, monkeypatch)
    change(store, study, monkeypatch)
    assert count_computations(store, study, monkeypatch)
    assert not count_computations(store, study, monkeypatch)


def count_computations(store, study, monkeypatch):
    calls, compute = [], overview.compute_overview
    with monkeypatch.context() as patch:
        patch.setattr(overview, "compute_overview", lambda *now: calls.append(1) or compute(*now))
        studies.read_overview(store, study.name)
    return len(calls)


@pytest.mark.parametrize("changed", ["a fit deleted", "code", "budgets", "seeds"])
def test_a_study_is_not_over_once_it_lacks_a_fit(store, shown, monkeypatch, changed):
    study, lacking = replace(STUDY, name=f"over, {changed}"), 1
    studies.run(study, store, studies.SerialExecutor())
    if changed == "a fit deleted":
        store.delete(store.study_fits(study.name)["key"].tolist()[-1:])
    elif changed == "code":
        monkeypatch.setattr(specification, "stage_version", lambda *_: "of tomorrow")
        lacking = 9
    elif changed == "seeds":
        study, lacking = replace(study, seeds=(0, 1, 9)), 3
    else:
        study, lacking = replace(study, budgets=(0.9,)), 0
    told = []
    studies.run(study, store, studies.SerialExecutor(), report=lambda now: told.append(now.done))
    assert told[0] == 9 - lacking
    assert store.read_specification(study.name) == study.to_json()
    studies.run(STUDY, store, studies.SerialExecutor())


@pytest.mark.parametrize(
    ("stop_after", "large"),
    [(100, 5), (100, 6), (1, 1)],
    ids=["large", "small", "large and stopped"],
)
def test_who_runs_a_large_study_keeps_what_is_shown_of_it(store, monkeypatch, stop_after, large):
    seeds = (50 + large,)  # of which the store has nothing: 5 rows
    study = replace(STUDY, name=f"from Python, {stop_after}, {large}", seeds=seeds)
    monkeypatch.setattr(overview, "LARGE", large)
    executor = studies.SerialExecutor()
    progress = studies.run(study, store, executor, report=lambda now: now.done < stop_after)
    assert (progress.done < progress.total) == (stop_after == 1)
    if large == 6:
        assert store.table(f"overview {study.name}").empty
        return

    def read_again(*arguments):
        raise AssertionError("the rows are read again")

    monkeypatch.setattr(overview, "read_rows", read_again)
    rows = store.count_rows(study.name)
    assert studies.read_overview(store, study.name).facts["rows"].tolist() == [rows]


def test_curves_are_changes_at_every_size_at_which_all_seeds_have_a_row(store, shown):
    table = studies.table(store, "shown")
    found = shown.curves.set_index(["label", "share"])
    assert found["seeds"].eq(3).all()
    for label, share in found.index:
        best = comparison.best_within(table, share)
        own = best[best["label"] == label]
        change = own["score"] - own["reference_score"]
        assert found.loc[(label, share), "mean"] == pytest.approx(change.mean())


def test_a_curve_ends_where_a_seed_has_no_row_so_small(store, shown):
    table = studies.table(store, "shown")
    large = (table["seed"] == 1) & (table["label"] == "rounding")
    table.loc[large, "share"] = table.loc[large, "share"].clip(lower=0.6)
    ends = overview.trace_curves(table).groupby("label")["share"].min()
    assert ends["rounding"] >= 0.6
    assert ends["truncated_svd"] < 0.1


def test_rows_that_lead_are_all_that_is_chosen_from():
    random = np.random.default_rng(0)
    rows = pd.DataFrame(
        {
            "dataset": "iris",
            "model": "mlp",
            "seed": np.repeat([0, 1], 60),
            "fold": 0,
            "family": "low_rank",
            "label": np.tile(["one", "two"], 60),
            "bytes": random.integers(1, 30, 120),
            "validation_score": random.integers(0, 20, 120) / 20,
            "score": random.random(120),
        }
    )
    rows.loc[random.integers(0, 120, 10), "validation_score"] = np.nan
    rows["share"] = rows["bytes"] / 30
    leading = comparison.find_leading_rows(rows)
    assert len(leading) < 40
    for share in (0.05, 0.1, 0.3, 0.7, 1.0):
        pd.testing.assert_frame_equal(
            comparison.best_within(leading, share), comparison.best_within(rows, share)
        )


def test_a_study_is_judged_at_its_own_budgets(store, shown):
    budgets = (0.9, 0.4)
    studies.run(replace(STUDY, name="sizes", budgets=budgets), store, studies.SerialExecutor())
    own = studies.read_overview(store, "sizes")
    assert set(own.comparisons["share"]) <= set(budgets)
    assert 0.9 in set(own.changes["share"])
    table = studies.table(store, "sizes")
    wanted = studies.changes_at_shares(table, budgets)
    pd.testing.assert_frame_equal(own.changes, wanted, check_dtype=False)


def test_a_fit_that_works_the_second_time_is_shown(store, monkeypatch):
    study, whole = replace(STUDY, name="again", epochs=2), driver.compute
    monkeypatch.setattr(driver, "compute", fail_rounding)
    studies.run(study, store, studies.SerialExecutor())
    assert set(studies.read_overview(store, "again").sample["label"]) == {"truncated_svd"}
    monkeypatch.setattr(driver, "compute", whole)
    store.forget_failed("again")
    studies.run(study, store, studies.SerialExecutor())
    found = studies.read_overview(store, "again").sample["label"]
    assert set(found) == {"truncated_svd", "rounding"}


def fail_rounding(request, file):
    if request.get("settings", {}).get("method") == "rounding":
        return fit.FitOutcome(pd.DataFrame(), None, "it does not work today", 0.0)
    return fit.compute(request, file)


def test_a_renamed_curve_is_shown_by_its_new_name(store, shown):
    studies.read_overview(store, "shown")
    first, second = STUDY.curves
    renamed = replace(STUDY, curves=(first, replace(second, name="Another name")))
    studies.run(renamed, store, studies.SerialExecutor())
    found = studies.read_overview(store, "shown").sample["label"]
    studies.run(STUDY, store, studies.SerialExecutor())
    assert set(found) == {"truncated_svd", "Another name"}


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
    assert shown.curves.empty
    assert shown.comparisons.empty
    assert shown.ranks.empty
    assert shown.sample.empty
    assert shown.times.empty
    empty.close()


def test_the_command_says_what_was_damaged(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    url = "sqlite:///kept.db"
    (tmp_path / "one.toml").write_text(
        'name = "one"\ndatasets = ["iris"]\nmodels = ["softmax_regression"]\nseeds = 1\nepochs = 1\n'
        '[[curves]]\nfamily = "baseline"\nmethod = "rounding"\nknobs = [4]\n'
    )
    words = ["study", "run", "one.toml", "--store", url, "--workers", "1"]
    assert main(words) == 0
    assert "damaged" not in capsys.readouterr().err
    store = StudyStore(url)
    fits = store.study_fits("one")
    store.delete(fits.loc[fits["request"].str.contains('"rounding"'), "key"].tolist())
    engine = sql.create_engine(url)
    with engine.begin() as connection:
        connection.execute(BLOBS.update().values(content=b"\0"))
    engine.dispose()
    store.close()
    assert main(words) == 0
    assert "1 damaged, computed again" in capsys.readouterr().err
