"""A study says what it is made of, or a sentence says what it cannot be."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest

from compression.errors import ArgumentError
from compression.studies import (
    Curves,
    SerialExecutor,
    Study,
    StudyStore,
    build_report,
    failures,
    list_kept,
    read_study,
    run,
    table,
)
from compression.studies.specification import build_study, name_share
from data import uploads

TEXT = """
name = "ranks"
datasets = ["iris", "diabetes"]
models = ["softmax_regression", "linear_regression", "mlp"]
seeds = 3

[[curves]]
family = "low_rank"
method = "truncated_svd"
ranks = [1, 2]
epochs = 3

[[curves]]
family = "constrained"
constraint = "box"
bits = [2, 4]
"""


def test_models_that_do_not_work_for_a_dataset_are_left_out():
    assert read_study(TEXT).pairs() == [
        ("iris", "softmax_regression"),
        ("iris", "mlp"),
        ("diabetes", "linear_regression"),
        ("diabetes", "mlp"),
    ]


def test_each_pair_and_seed_has_a_reference_and_every_curve():
    study = read_study(TEXT)
    references = list(study.references())
    assert len(references) == 4 * 3
    assert len(list(study.curve_requests(references[0]))) == 2
    assert study.count() == 4 * 3 * (1 + 2)


def test_labels_say_the_method_and_what_differs():
    assert [each.label for each in read_study(TEXT).curves] == [
        "truncated_svd, epochs 3",
        "box, few bits",
    ]


def test_a_study_comes_back_from_its_own_json():
    study = read_study(TEXT)
    back = build_study(json.loads(study.to_json()))
    assert list(back.references()) == list(study.references())
    assert [each.label for each in back.curves] == [each.label for each in study.curves]
    reference = next(study.references())
    assert list(back.curve_requests(reference)) == list(study.curve_requests(reference))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('name = "ranks"', "name = 3", "a text"),
        ('name = "ranks"', 'name = ""', "1 to 100 characters"),
        ('name = "ranks"', "", "does not say its name"),
        ('name = "ranks"', 'name = "a\\u0000"', "on one line"),
        ("ranks = [1, 2]", "ridge = nan", "a setting of truncated_svd.* cannot be kept"),
        ("ranks = [1, 2]", "ridge = 2026-11-28", "finite numbers"),
        ('"iris"', '"irises"', "no dataset named 'irises': choose one of"),
        ('"mlp"', '"mpl"', "no model named 'mpl'"),
        ('["iris", "diabetes"]', '"iris"', "a list of names"),
        ('["iris", "diabetes"]', "[]", "at least one"),
        ('"diabetes"', '"iris"', "stands there twice"),
        ("seeds = 3", "seeds = 0", "at least one of its seeds"),
        ("seeds = 3", "seeds = [0.5]", "no seed"),
        ("seeds = 3", "seeds = [true]", "no seed"),
        ("seeds = 3", "seeds = [-1]", "no seed"),
        ("seeds = 3", 'seeds = "3"', "a list of whole numbers"),
        ("seeds = 3", "seeds = 500000", "too many"),
        ("seeds = 3", "seeds = 3\nepochs = 0", "0 epochs train nothing"),
        ("seeds = 3", "seeds = 3\nfold = 3", "has no fold: it has name, .* folds"),
        ("seeds = 3", "seeds = 3\nfolds = 1", "1 folds are not possible: choose 2 to 100"),
        ("seeds = 3", "seeds = 3\nfolds = true", "True folds are not possible"),
        ('family = "low_rank"', 'family = "low"', "no family named 'low'"),
        ('family = "low_rank"', "", "no family named ''"),
        ('"truncated_svd"', '"svd"', "no low-rank method named 'svd'"),
        ('method = "truncated_svd"', "", "needs the setting 'method'"),
        ('constraint = "box"', 'constraint = "boxes"', "no constraint set named 'boxes'"),
        ("epochs = 3", "epoch = 3", "no setting 'epoch': choose of method, ranks"),
        ("bits = [2, 4]", 'bits = "2"', "bits is a list"),
        ("[[curves]]", "[curves]", "no TOML"),
        ("name =", "name", "no TOML"),
    ],
)
def test_what_cannot_be_is_said(old, new, said):
    assert old in TEXT
    with pytest.raises(ArgumentError, match=said):
        read_study(TEXT.replace(old, new))


def test_two_curves_of_one_name_are_refused():
    curves = [Curves("low_rank", {"method": "truncated_svd", "ranks": [k]}) for k in (1, 2)]
    with pytest.raises(ArgumentError, match="both called 'truncated_svd'"):
        Study("s", ("iris",), ("mlp",), (0,), tuple(curves))


def test_two_curves_that_ask_for_the_same_are_refused():
    curves = [Curves("low_rank", {"method": "truncated_svd"}, name=name) for name in "ab"]
    with pytest.raises(ArgumentError, match="the same settings"):
        Study("s", ("iris",), ("mlp",), (0,), tuple(curves))


def test_an_upload_is_studied_while_it_is_kept(tmp_path, monkeypatch):
    monkeypatch.setenv("COMPRESS_UPLOADS", str(tmp_path / "uploads"))
    x = np.random.default_rng(0).normal(size=(90, 3))
    lines = [f"{a},{b},{c},{'yes' if a > 0 else 'no'}" for a, b, c in x]
    upload = uploads.keep_file("\n".join(["a,b,c,answer", *lines]).encode())
    uploads.decode(upload, "own.csv")
    choices = {"title": "own", "target": "answer", "task": "classification"}
    name = uploads.keep_dataset(upload, choices)
    curve = Curves("low_rank", {"method": "truncated_svd", "ranks": [1]})
    study = Study("own", (name,), ("softmax_regression",), (0,), (curve,), 2)
    store = StudyStore("sqlite://")
    assert run(study, store, SerialExecutor()).failed == 0
    assert set(table(store, "own")["dataset"]) == {name}
    before = table(store, "own")
    shutil.rmtree(tmp_path / "uploads")
    pd.testing.assert_frame_equal(table(store, "own"), before)  # what was found of it stays
    assert list_kept(store)["studies"].tolist() == ["own", "own"]
    report = build_report(before, store.read_specification("own"), failures(store, "own"))
    assert f"{name}, Softmax regression" in report
    with pytest.raises(ArgumentError, match="not kept any more"):
        Study("own", (name,), ("softmax_regression",), (1,), (curve,), 2)


def test_budgets_are_said_in_toml_and_change_no_fit():
    plain = read_study(TEXT)
    study = read_study("budgets = [0.75, 0.3]\n" + TEXT)
    assert study.budgets == (0.75, 0.3)
    assert list(study.references()) == list(plain.references())
    assert build_study(json.loads(study.to_json())).budgets == study.budgets
    assert "budgets" not in json.loads(plain.to_json())  # what is kept of it stays as it is


@pytest.mark.parametrize(
    "budgets", ["[]", "[0.0]", "[1.5]", '["half"]', "[true]", "[0.5, 0.5]", "0.5", "[nan]"]
)
def test_sizes_that_are_none_are_refused(budgets):
    with pytest.raises(ArgumentError, match="budget"):
        read_study(f"budgets = {budgets}\n{TEXT}")


def test_a_share_is_a_part_or_a_percentage():
    assert [name_share(each) for each in (0.5, 1 / 3, 1 / 16, 0.3, 0.75, 1.0)] == [
        *("1/2", "1/3", "1/16"),
        *("30 %", "75 %", "100 %"),
    ]


def test_the_report_judges_at_the_studys_budgets(tmp_path):
    study = read_study(
        'name = "sizes"\ndatasets = ["iris"]\nmodels = ["mlp"]\nseeds = 2\nepochs = 1\n'
        'budgets = [0.3]\n[[curves]]\nfamily = "low_rank"\nmethod = "truncated_svd"\nranks = [1]'
    )
    store = StudyStore(f"sqlite:///{tmp_path / 'sizes.db'}")
    run(study, store, SerialExecutor())
    said = build_report(table(store, "sizes"), study.to_json(), failures(store, "sizes"))
    assert "30 %" in said
    assert "1/8" not in said
    store.close()


def test_a_study_takes_a_range_of_seeds():
    """JSON has no range: it ended in a TypeError when the study was run."""
    study = Study(
        "few", ["iris"], ["mlp"], range(3), [Curves("low_rank", {"method": "truncated_svd"})]
    )
    assert study.seeds == (0, 1, 2)
    assert build_study(json.loads(study.to_json())).seeds == (0, 1, 2)
