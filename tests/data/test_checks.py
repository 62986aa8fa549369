"""What is said of a dataset before a model learns from it."""

import numpy as np
import pandas as pd
import pytest

import data


def table(rows=300, **columns):
    random = np.random.default_rng(0)
    made = {
        "a": random.normal(size=rows),
        "b": random.normal(size=rows),
        "y": random.choice(["u", "v", "w"], rows),
    }
    return pd.DataFrame(made | columns)


def find_warnings(warnings, words):
    return [warning for warning in warnings if words in warning]


def test_rows_of_each_class_are_counted_in_each_part():
    frame = table()
    found = data.review(data.from_table(frame, "y"))
    assert found.parts.sum(axis=1).to_dict() == frame["y"].value_counts().to_dict()
    assert list(found.parts.columns) == ["learnt from", "validation", "test"]
    assert found.parts.sum().tolist() == [204, 36, 60]
    assert not found.warnings
    assert data.review(data.from_table(frame, "b")).parts.loc["rows"].sum() == 300


GIVEAWAYS = {
    "the target itself": ("y", lambda y: y),
    "a code of each class": ("y", lambda y: y.map({"u": 2, "v": 1, "w": 3})),
    "a line through a number": ("b", lambda b: 3 * b + 1),
    "a curve through a number": ("b", lambda b: np.exp(b)),
}


@pytest.mark.parametrize("case", GIVEAWAYS)
def test_a_column_that_alone_predicts_the_target_is_said(case):
    target, copy = GIVEAWAYS[case]
    frame = table(2000)
    frame["copy"] = copy(frame[target])
    warnings = data.review(data.from_table(frame, target)).warnings
    assert len(find_warnings(warnings, "'copy' alone predicts the target")) == 1
    assert len(find_warnings(warnings, "alone predicts")) == 1


def test_duplicates_across_the_split_are_counted_as_pandas_finds_them():
    frame = pd.concat([table(200), table(200).head(40)], ignore_index=True)
    dataset = data.from_table(frame, "y")
    train = set(map(tuple, dataset.x_train))
    count = sum(tuple(row) in train for row in dataset.x_test)
    assert count > 0
    [warning] = find_warnings(data.review(dataset).warnings, "same inputs")
    assert warning.startswith(f"{count} of {len(dataset.x_test)} test rows")


def test_a_column_that_is_constant_where_it_is_learnt_from_is_said():
    rare = np.zeros(300)
    frame = table(part=["train"] * 200 + ["test"] * 100, rare=rare)
    frame.loc[250, "rare"] = 1.5
    dataset = data.from_table(frame, "y", roles={"part": "test"})
    assert find_warnings(data.review(dataset).warnings, "1 of 3 columns have one value")


def test_the_majority_s_score_is_that_of_always_the_same_answer():
    from sklearn.dummy import DummyClassifier, DummyRegressor

    for target, dummy in (("y", DummyClassifier()), ("b", DummyRegressor())):
        dataset = data.from_table(table(), target)
        fit = dataset.fit_rows
        dummy.fit(dataset.x_train[fit], dataset.y_train[fit])
        expected = dummy.score(dataset.x_test, dataset.y_test)
        assert data.review(dataset).majority == pytest.approx(expected, abs=1e-6)
    rare = data.from_table(table(y=["u"] * 285 + ["v"] * 15), "y")
    assert find_warnings(data.review(rare).warnings, "95% of the rows are of the class 'u'")
