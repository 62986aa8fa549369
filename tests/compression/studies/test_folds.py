"""A study's folds: every row is held out once, groups and times are respected, keys are shared."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import data
from compression import studies
from compression.errors import ArgumentError
from compression.low_rank.cross_validation import cross_validated_rank
from compression.studies.folds import take_fold
from compression.studies.rank_choice import choose_ranks
from compression.studies.store import identify
from compression.studies.study_store import StudyStore

FOLDS = 4
STUDY = studies.Study(
    "folded",
    ("wine",),
    ("mlp",),
    (3,),
    (
        studies.Curves("low_rank", {"method": "truncated_svd", "ranks": [1, 2, 3]}),
        studies.Curves("low_rank", {"method": "activation_aware_svd", "ranks": [1, 2, 3]}),
    ),
    epochs=6,
    folds=FOLDS,
)


@pytest.fixture(scope="module")
def folded():
    store = StudyStore("sqlite://")
    progress = studies.run(STUDY, store, studies.SerialExecutor())
    assert (progress.done, progress.failed) == (FOLDS * 3, 0)
    yield studies.table(store, "folded")
    store.close()


def test_scores_of_folds_are_those_of_the_cross_validated_rank(folded):
    """Which splits and judges by its own code."""
    dataset = data.load("wine", seed=3)
    for method in ("truncated_svd", "activation_aware_svd"):
        other = cross_validated_rank(
            dataset, "mlp", 3, method, [1, 2, 3], folds=FOLDS, training_epochs=6
        )
        own = folded[folded["label"] == method].pivot(
            index="fold", columns="knob", values="validation_score"
        )
        np.testing.assert_allclose(own.to_numpy(), other.scores, atol=1e-12)
        assert own.index.tolist() == [1, 2, 3, 4]


def test_folds_of_a_seed_have_its_test_part_and_a_reference_each(folded):
    references = folded[folded["family"] == "reference"]
    assert references["fold"].tolist() == [1, 2, 3, 4]
    dataset = data.load("wine", seed=3)
    assert (references["test_rows"] == len(dataset.x_test)).all()
    assert references["validation_rows"].sum() == len(dataset.x_train)


def test_the_chosen_rank_is_that_of_the_rule_by_hand(folded):
    found = choose_ranks(folded)
    references = folded[folded["family"] == "reference"]
    ratio = references["validation_rows"].mean() / references["train_rows"].mean()
    for label, curve in found.groupby("label"):
        rows = folded[folded["label"] == label]
        scores = np.array(
            [rows.loc[rows["knob"] == rank, "validation_score"] for rank in curve["rank"]]
        )
        error = scores.std(axis=1, ddof=1) * np.sqrt(1 / FOLDS + ratio)
        np.testing.assert_allclose(curve["mean"], scores.mean(axis=1))
        np.testing.assert_allclose(curve["error"], error)
        reach = stats.t(FOLDS - 1).ppf(0.975) * error
        np.testing.assert_allclose(curve["high"] - curve["mean"], reach)
        best = scores.mean(axis=1).argmax()
        near = scores.mean(axis=1) >= scores.mean(axis=1)[best] - error[best]
        assert curve["rank"][curve["chosen"]].tolist() == [curve["rank"].to_numpy()[near].min()]
        assert curve["best"].to_numpy().argmax() == best


def test_a_rank_that_a_split_lacks_and_a_single_split_choose_nothing(folded):
    lacking = folded.drop(folded.index[(folded["knob"] == 2) & (folded["fold"] == 1)])
    assert set(choose_ranks(lacking)["rank"]) == {1, 3}
    assert choose_ranks(folded[folded["fold"] == 1]).empty
    assert choose_ranks(folded[folded["family"] == "reference"]).empty


def test_without_folds_requests_say_nothing_of_them_and_each_fold_has_a_key():
    plain = replace(STUDY, folds=None)
    (request,) = plain.references()
    names = {"stage", "dataset", "content", "model", "seed", "epochs", "version"}
    assert set(request) == names
    folds = list(STUDY.references())
    assert [each["fold"] for each in folds] == [1, 2, 3, 4]
    assert len({identify(each) for each in (request, *folds)}) == 5
    assert STUDY.count() == 4 * 3
    again = studies.read_study(
        'name = "f"\ndatasets = ["wine"]\nmodels = ["mlp"]\nseeds = [3]\nepochs = 6\nfolds = 4\n'
        '[[curves]]\nfamily = "low_rank"\nmethod = "truncated_svd"\nranks = [1, 2, 3]\n'
    )
    assert list(again.references()) == folds


def held_out(dataset, folds, seed=0):
    return [take_fold(dataset, fold, folds, seed).judged for fold in range(1, folds + 1)]


def test_every_row_is_held_out_once_with_like_shares_of_each_class():
    dataset = data.load("iris", seed=0)
    parts = held_out(dataset, 5)
    rows = np.concatenate([part.validation_rows for part in parts])
    assert sorted(rows) == list(range(len(dataset.x_train)))
    for part in parts:
        counts = np.bincount(dataset.y_train[part.validation_rows], minlength=3)
        assert counts.max() - counts.min() <= 1
    for fold, part in enumerate(parts, start=1):
        learning = take_fold(dataset, fold, 5, 0).learning
        three = (part.validation_rows, learning.validation_rows, learning.fit_rows)
        assert sorted(np.concatenate(three)) == list(range(len(dataset.x_train)))
        assert learning.fit_rows.tolist() == part.fit_rows.tolist()


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_groups_stay_whole(task):
    random = np.random.default_rng(0)
    frame = pd.DataFrame(random.normal(size=(300, 2)), columns=["a", "b"])
    frame["who"] = [f"g{each}" for each in random.integers(0, 25, 300)]
    frame["y"] = np.where(frame["a"] > 0, "yes", "no") if task == "classification" else frame["a"]
    dataset = data.from_table(frame, "y", task=task, roles={"who": "group"})
    assert dataset.groups is not None
    for fold in range(1, 5):
        found = take_fold(dataset, fold, 4, 0)
        sides = [
            set(dataset.groups[rows])
            for rows in (
                found.judged.validation_rows,
                found.learning.validation_rows,
                found.learning.fit_rows,
            )
        ]
        assert all(sides)
        assert len(sides[0] | sides[1] | sides[2]) == sum(map(len, sides))


def test_times_are_learnt_from_only_before_what_is_held_out():
    random = np.random.default_rng(0)
    frame = pd.DataFrame({"a": random.normal(size=200), "y": random.normal(size=200)})
    frame["day"] = pd.Timestamp("2026-01-01") + pd.to_timedelta(random.integers(0, 40, 200), "D")
    dataset = data.from_table(frame, "y", roles={"day": "time"})
    assert dataset.times is not None
    last = None
    for fold in range(1, 6):
        found = take_fold(dataset, fold, 5, 0)
        learnt, stopping, held = (
            dataset.times[rows]
            for rows in (
                found.learning.fit_rows,
                found.learning.validation_rows,
                found.judged.validation_rows,
            )
        )
        assert learnt.max() < stopping.min()
        assert stopping.max() < held.min()
        assert last is None or last < held.min()
        last = held.max()
    with pytest.raises(ArgumentError, match="different times make no 60 folds"):
        take_fold(dataset, 1, 60, 0)


def test_folds_that_cannot_be_are_a_sentence():
    frame = pd.DataFrame({"a": np.arange(40) % 9, "y": np.arange(40.0) % 7})
    frame["g"] = [f"g{n // 8}" for n in range(40)]
    dataset = data.from_table(frame, "y", task="regression", roles={"g": "group"})
    with pytest.raises(ArgumentError, match="groups make no 6 folds: choose 2 to"):
        take_fold(dataset, 1, 6, 0)
    small = data.from_arrays(
        np.random.default_rng(0).normal(size=(73, 2)), ["a"] * 35 + ["b"] * 35 + ["c"] * 3
    )
    with pytest.raises(ArgumentError, match="no row of 'c' to learn from"):
        take_fold(small, 1, 2, 0)  # its one row is among those that say when to stop


def test_folds_of_one_seed_count_as_one_test_score(folded):
    changes = studies.changes_at_shares(folded, [0.9])
    assert (changes["seeds"] == 1).all()
    assert changes["low"].isna().all()
    own = folded[(folded["label"] == "truncated_svd") & (folded["share"] <= 0.9)]
    best = own.sort_values(["validation_score", "bytes"], ascending=[False, True])
    best = best.groupby("fold").first()
    expected = (best["score"] - best["reference_score"]).mean()
    found = changes.set_index("label").loc["truncated_svd", "mean"]
    assert found == pytest.approx(expected)
