"""What is said of a dataset before a model learns from it."""

import numpy as np
import pandas as pd
import pytest

import data
from compression.duration import training_seconds
from compression.models import recipe_of


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


def test_columns_that_nearly_predict_the_target_are_said_from_0_99_on_and_not_below():
    """A line gives R² 1 - v, with noise that has the share v of the target's variance."""
    random = np.random.default_rng(1)
    b = random.normal(size=6000)
    noise = random.normal(size=6000)
    for share, alone in ((0.0085, 1), (0.0115, 0)):
        near = b + np.sqrt(share) * noise
        dataset = data.from_table(pd.DataFrame({"near": near, "b": b}), "b")
        seen = dataset.validation_rows
        r = np.corrcoef(dataset.x_train[seen, 0], dataset.y_train[seen])[0, 1]
        assert (r**2 >= 0.99) == alone
        warnings = data.review(dataset).warnings
        assert len(find_warnings(warnings, "'near' alone predicts the target")) == alone


@pytest.mark.parametrize(("wrong", "alone"), [(2, 1), (4, 0)])
def test_a_code_of_the_classes_is_said_from_an_auc_of_0_99_on(wrong, alone):
    """Wrong in w of 150 rows of one of two classes and in none of the other's: AUC 1 - w/300."""
    frame = pd.DataFrame({"row": np.random.default_rng(0).permutation(2500) + 0.5})
    frame = frame.assign(y=["u", "v"] * 1250, part=["train"] * 2000 + ["test"] * 500)
    split = data.from_table(frame, "y", roles={"part": "test"})
    rows = split.x_train[split.validation_rows, 0] * split.scale[0] + split.mean[0]
    seen = frame.index[frame["row"].isin(np.rint(rows - 0.5) + 0.5) & (frame["y"] == "u")]
    assert len(seen) == 150
    frame["code"] = (frame["y"] == "u").astype(float)
    frame.loc[seen[:wrong], "code"] = 0.0
    warnings = data.review(data.from_table(frame, "y", roles={"part": "test"})).warnings
    assert len(find_warnings(warnings, "'code' alone predicts the target")) == alone


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


def test_the_memory_that_is_expected_is_three_times_the_values_beside_the_process_s_own():
    for rows, classes in ((300, "y"), (3000, "b")):
        dataset = data.from_table(table(rows, c=np.arange(rows) % 7), classes)
        values = rows * len(dataset.feature_names) * 4  # float32
        resamples = 1000 * len(dataset.x_test)
        assert data.review(dataset).bytes == 450 * 2**20 + 3 * values + resamples


def test_the_training_time_that_is_expected_is_an_epoch_s_over_all_rows_and_epochs(monkeypatch):
    clock, trained = [0.0], []

    def train(dataset, model, epochs):
        trained.append((len(dataset.fit_rows), len(dataset.validation_rows), epochs))
        assert len(dataset.x_train) == sum(trained[-1][:2])
        clock[0] += (5.0 if len(trained) == 1 else 0.001) * len(dataset.fit_rows) * epochs

    monkeypatch.setattr("compression.training.train", train)
    monkeypatch.setattr("compression.duration.time.perf_counter", lambda: clock[0])
    dataset = data.from_table(table(5000), "y")
    epochs = recipe_of("mlp", dataset).epochs
    assert training_seconds(dataset) == pytest.approx(0.001 * len(dataset.fit_rows) * epochs)
    assert trained == [(1000, 600, 1)] * 2
    few = data.from_table(table(300), "y")
    assert training_seconds(few) == pytest.approx(0.001 * 204 * epochs)
