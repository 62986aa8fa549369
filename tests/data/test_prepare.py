"""The door that every dataset comes through: what it lets in, and what it says to the rest."""

import datetime

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from data import DatasetError, Samples, prepare

RNG = np.random.default_rng(0)
X = RNG.standard_normal((30, 3))
Y = np.arange(30) % 3


def dataset(x=X, y=Y, task="classification", seed=0, input_shape=None, **names):
    return prepare(
        Samples(x, y, **names),
        name="mine",
        title="My table",
        task=task,
        seed=seed,
        input_shape=input_shape,
    )


def with_value(value, row=4, column=1, dtype=object):
    x = X.astype(dtype)
    x[row, column] = value
    return x


def expect_refusal(sentence, **arguments):
    return arguments, sentence


# fmt: off
REFUSED = {
    "no rows": expect_refusal("there are no rows: give", x=np.empty((0, 3)), y=[]),
    "no columns": expect_refusal("there are no columns to learn from: give", x=np.empty((30, 0))),
    "a flat list": expect_refusal(r"shape \(30,\): give a table", x=X[:, 0]),
    "a single number": expect_refusal(r"shape \(\): give a table", x=3.0),
    "ragged rows": expect_refusal("rows of the inputs differ in length: give", x=[[1, 2], [3]], y=[0, 1]),
    "text in a number column": expect_refusal("column 'x2' holds 'red' in row 5, which is no number: turn", x=with_value("red")),
    "text in a named column": expect_refusal("column 'height' holds 'red' in row 5", x=with_value("red"), feature_names=("age", "height", "weight")),
    "very long text": expect_refusal(r"holds 'r{36}\.\.\. in row 5", x=with_value("r" * 10**6)),
    "a table of text": expect_refusal("column 'x2' holds 'red' in row 5", x=with_value("red").astype(str)),
    "an object in a number column": expect_refusal("which is no number", x=with_value([1, 2].append)),
    "complex numbers": expect_refusal("complex numbers: give real ones", x=X + 1j),
    "dates": expect_refusal("holds dates or times: turn them", x=np.full((30, 3), "2020-01-01", "M8[D]")),
    "a date": expect_refusal("datetime.date.* no number", x=with_value(datetime.date(2020, 1, 1))),
    "a missing value": expect_refusal("1 value is missing, the first in column 'x2', row 5: fill", x=with_value(np.nan, dtype=float)),
    "None": expect_refusal("1 value is missing, the first in column 'x2', row 5", x=with_value(None)),
    "an empty cell": expect_refusal("1 value is missing", x=with_value(" ")),
    "pandas' NA": expect_refusal("1 value is missing", x=with_value(pd.NA)),
    "pandas' NaT": expect_refusal("1 value is missing", x=with_value(pd.NaT)),
    "many missing values": expect_refusal(rf"{(X > 0).sum()} values are missing", x=np.where(X > 0, np.nan, X)),
    "an infinite value": expect_refusal("1 value is infinite, the first in column 'x2', row 5: correct", x=with_value(-np.inf, dtype=float)),
    "a number that no float holds": expect_refusal("1 value is infinite", x=with_value(10**400)),
    "a number beyond all use": expect_refusal(r"1 value is beyond ±1e\+30", x=with_value(1e300, dtype=float)),
    "constant columns only": expect_refusal("every column has one value throughout .* give columns that differ", x=np.ones((30, 3))),
    "too few column names": expect_refusal("2 column names for 3 columns", feature_names=("a", "b")),
    "a shape of another size": expect_refusal(r"samples of 3 values cannot have the shape \(1, 2, 2\)", input_shape=(1, 2, 2)),
    "a shape of four axes": expect_refusal(r"cannot have the shape \(1, 1, 1, 1\)", x=np.ones((30, 1, 1, 1, 1))),
    "fewer targets than rows": expect_refusal("30 rows of inputs and 29 targets: give one a row", y=Y[:-1]),
    "a target of two columns": expect_refusal(r"target has the shape \(30, 2\): give one value a row", y=np.ones((30, 2))),
    "one class only": expect_refusal("every row is of the class 'a': give rows of at least two classes", y=["a"] * 30),
    "one sample of a class": expect_refusal("class 'b' has one row, and each class needs at least 3", y=["a"] * 29 + ["b"]),
    "two samples of a class": expect_refusal("class 'b' has 2 rows", y=["a"] * 28 + ["b"] * 2),
    "one sample of two classes": expect_refusal(r"class 'b' has one row \(and 1 more like it\)", y=["a"] * 28 + ["b", "c"]),
    "a number where a class should be": expect_refusal("if the target is a number to predict, choose regression", y=X[:, 0]),
    "fewer rows than classes": expect_refusal("5 rows for 10 classes: give at least 3 rows a class", x=X[:5], y=Y[:5], class_names=tuple("0123456789")),
    "a class without a row": expect_refusal("class 'd' has no row", class_names=tuple("abcd")),
    "a label without a name": expect_refusal("label 2 in row 3 is not the position of one of 2 class names: give whole numbers from 0 to 1", class_names=tuple("ab")),
    "a name in place of its position": expect_refusal("label 'a' in row 1 is not the position", y=list("abc") * 10, class_names=tuple("abc")),
    "a negative label": expect_refusal("label -1 in row 1", y=Y - 1, class_names=tuple("ab")),
    "a missing label": expect_refusal("1 label is missing, the first in row 1: fill", y=[None] + ["a"] * 14 + ["b"] * 15),
    "missing labels": expect_refusal("2 labels are missing", y=[np.nan] * 2 + [1.0, 2.0] * 14),
    "an infinite label": expect_refusal("label in row 1 is infinite", y=[np.inf] + [1.0] * 29),
    "an unknown task": expect_refusal("no task named 'clustering': choose one of classification, regression", task="clustering"),
    "a bad seed": expect_refusal("whole number from 0 to 4294967295", seed=-1),
    "a regression on text": expect_refusal("the target holds 'low' in row 1, which is no number", task="regression", y=["low", "high"] * 15),
    "a regression with a missing target": expect_refusal("1 value is missing, the first in the target, row 1", task="regression", y=[np.nan, *X[1:, 0]]),
    "a regression with an infinite target": expect_refusal("1 value is infinite, the first in the target", task="regression", y=[np.inf, *X[1:, 0]]),
    "a constant target": expect_refusal("the target is 2.5 in every row .* choose another column", task="regression", y=np.full(30, 2.5)),
    "a regression on nine rows": expect_refusal("there are 9 rows: a regression needs at least 10", task="regression", x=X[:9], y=X[:9, 0]),
}
# fmt: on


@pytest.mark.parametrize("case", REFUSED)
def test_a_table_that_cannot_be_learnt_from_is_refused_in_one_sentence(case):
    arguments, sentence = REFUSED[case]
    with pytest.raises(DatasetError, match=sentence) as caught:
        dataset(**arguments)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 300


LABELS = {
    "strings": (["b", "a", "c"] * 10, ("a", "b", "c")),
    "numpy strings": (np.array(["b", "a", "c"] * 10), ("a", "b", "c")),
    "whole floats": (np.array([2.0, 1.0, 10.0] * 10), ("1", "2", "10")),
    "integers that do not start at 0": (np.array([7, 5, 300] * 10), ("5", "7", "300")),
    "fractions of a float": (np.array([0.5, 1.5, 2.5] * 10), ("0.5", "1.5", "2.5")),
    "truth": (np.array([True, False] * 15), ("False", "True")),
    "numbers and text": ([1, "a", 2] * 10, ("1", "2", "a")),
    "a column of pandas": (pd.Series(["b", "a", "c"] * 10, dtype="category"), ("a", "b", "c")),
    "nullable integers": (pd.Series([2, 1, 10] * 10, dtype="Int64"), ("1", "2", "10")),
    "one column": (np.array([[0], [1], [2]] * 10), ("0", "1", "2")),
}


@pytest.mark.parametrize("kind", LABELS)
def test_labels_of_any_kind_become_positions_in_the_class_names(kind):
    labels, names = LABELS[kind]
    made = dataset(y=labels, x=np.arange(90.0).reshape(30, 3))
    assert made.class_names == names
    assert made.y_train.dtype == np.int64
    # The first column counts the rows in threes: it leads back from a sample to its label.
    rows = np.rint((made.x_test * made.scale + made.mean)[:, 0] / 3).astype(int)
    text = [str(label).removesuffix(".0") for label in np.ravel(np.asarray(labels, object))]
    assert [names[y] for y in made.y_test] == [text[row] for row in rows]


def test_a_data_frame_with_numbers_as_text_and_as_objects_is_a_table():
    frame = pd.DataFrame({"a": X[:, 0].astype(str), "b": X[:, 1].astype(object), "c": X[:, 2]})
    from_frame = dataset(x=frame, feature_names=frame.columns)
    np.testing.assert_array_equal(from_frame.x_train, dataset().x_train)
    assert from_frame.feature_names == ("a", "b", "c")


def test_images_keep_their_shape_beside_flat_values():
    images = RNG.standard_normal((30, 1, 4, 5))
    made = dataset(x=images)
    assert made.input_shape == (1, 4, 5)
    np.testing.assert_array_equal(made.x_train, dataset(x=images.reshape(30, 20)).x_train)


def test_columns_without_names_are_numbered():
    assert dataset().feature_names == ("x1", "x2", "x3")


def test_the_given_arrays_are_not_changed():
    x, y = X.copy(), Y.copy()
    made = dataset(x=x, y=y)
    made.x_train[:] = 0
    made.y_train[:] = 0
    np.testing.assert_array_equal(x, X)
    np.testing.assert_array_equal(y, Y)


def test_test_rows_have_no_part_in_the_statistics():
    numbered = X.copy()
    numbered[:, 0] = np.arange(30)
    first = dataset(x=numbered)
    test_rows = np.rint(first.x_test[:, 0] * first.scale[0] + first.mean[0]).astype(int)
    moved = numbered.copy()
    moved[test_rows] += 100
    second = dataset(x=moved)
    np.testing.assert_array_equal(second.mean, first.mean)
    np.testing.assert_array_equal(second.scale, first.scale)
    np.testing.assert_array_equal(second.x_train, first.x_train)


@pytest.mark.parametrize("constant", [0.0, 0.1, -3.0, 1e10, 1e-10])
def test_a_constant_column_keeps_its_value_and_is_remarked_on(constant):
    x = X.copy()
    x[:, 1] = constant
    made = dataset(x=x, feature_names=("age", "height", "weight"))
    np.testing.assert_array_equal(made.x_train[:, 1], np.float32(constant))
    np.testing.assert_array_equal(made.x_test[:, 1], np.float32(constant))
    [remark] = made.remarks
    assert "1 of 3 columns" in remark
    assert "'height'" in remark


@pytest.mark.parametrize("column", [np.resize([0.3, 0.1 + 0.2], 30), 1e-160 * X[:, 1]])
def test_a_column_without_a_deviation_to_divide_by_counts_as_constant(column):
    x = X.copy()
    x[:, 1] = column
    made = dataset(x=x)
    np.testing.assert_allclose(made.x_train[:, 1], column[0], rtol=1e-6, atol=1e-40)
    assert "'x2'" in made.remarks[0]


def test_a_column_that_varies_little_is_not_taken_for_a_constant():
    x = X.copy()
    x[:, 1] = 1e6 + 1e-3 * x[:, 1]
    made = dataset(x=x)
    assert not made.remarks
    assert made.x_train[:, 1].std() == pytest.approx(1, abs=1e-3)


def test_more_columns_than_rows_is_allowed_and_remarked_on():
    made = dataset(x=RNG.standard_normal((30, 50)))
    assert made.x_train.shape == (24, 50)
    assert "more columns (50) than training rows (24)" in made.remarks[0]
    assert not dataset().remarks


def test_a_test_value_that_no_float32_holds_is_refused():
    numbered = X.copy()
    numbered[:, 0] = np.arange(30)
    first = dataset(x=numbered)
    test_row = int(np.rint(first.x_test[0, 0] * first.scale[0] + first.mean[0]))
    x = 1e-20 * X
    x[test_row, 0] = 1e29
    with pytest.raises(DatasetError, match="'x1' differs too much between the rows"):
        dataset(x=x)


@settings(max_examples=60, deadline=None)
@given(
    counts=st.lists(st.integers(3, 40), min_size=2, max_size=12),
    seed=st.integers(0, 2**32 - 1),
)
def test_every_class_of_three_rows_or_more_can_be_learnt_chosen_by_and_tested(counts, seed):
    y = np.repeat(np.arange(len(counts)), counts)
    made = dataset(x=np.arange(2.0 * len(y)).reshape(-1, 2), y=y, seed=seed)
    assert set(made.y_train[made.fit_rows]) == set(range(len(counts)))
    assert len(made.validation_rows) >= len(counts)
    assert len(made.y_test) >= len(counts)
    np.testing.assert_array_equal(
        np.bincount(np.concatenate([made.y_train, made.y_test])), np.array(counts)
    )


@settings(max_examples=60, deadline=None)
@given(
    x=arrays(
        np.float64,
        st.tuples(st.integers(12, 20), st.integers(1, 3)),
        elements=st.floats() | st.floats(-1e30, 1e30) | st.floats(-3, 3),
    ),
    task=st.sampled_from(["classification", "regression"]),
)
def test_any_table_of_floats_is_either_finite_afterwards_or_refused(x, task):
    y = np.arange(len(x)) % 2 if task == "classification" else x[:, 0]
    try:
        made = dataset(x=x, y=y, task=task)
    except DatasetError:
        return
    for values in (made.x_train, made.x_test, made.y_train, made.y_test):
        assert np.isfinite(values).all()
    assert np.abs(made.x_train.mean(axis=0)[made.scale != 1]).max(initial=0) < 1e-3


def test_a_dataset_survives_the_way_to_another_process():
    import pickle

    made = dataset()
    back = pickle.loads(pickle.dumps(made))
    np.testing.assert_array_equal(back.x_train, made.x_train)
    assert (back.class_names, back.remarks) == (made.class_names, made.remarks)


@pytest.mark.parametrize(
    "counts", [(3, 60), (3, 3), (3, 3, 3), (3, 200, 4, 50), (5, 5, 5), (3,) * 12]
)
def test_every_part_has_a_row_of_each_class_of_three_rows_or_more(counts):
    y = np.repeat(np.arange(len(counts)), counts)
    x = np.random.default_rng(0).normal(size=(len(y), 2))
    x[:, 0] = np.arange(len(y))  # tells rows apart
    for seed in range(40):
        found = dataset(x, y, seed=seed)
        parts = (
            found.y_train[found.fit_rows],
            found.y_train[found.validation_rows],
            found.y_test,
        )
        for part in parts:
            assert set(part) == set(range(len(counts)))
        rows = np.concatenate([found.x_train, found.x_test])[:, 0] * found.scale[0] + found.mean[0]
        np.testing.assert_array_equal(np.sort(rows.round()), np.arange(len(y)))
        assert sorted([*found.fit_rows, *found.validation_rows]) == list(range(len(found.x_train)))


def in_one_piece(x, y, task, seed):
    """Standardised as NumPy does it with the whole table at once."""
    found = dataset(x, y, task=task, seed=seed)
    own = found.x_train * found.scale + found.mean
    order = [int(np.abs(x - row).sum(axis=1).argmin()) for row in own]
    return found, x[order]


@pytest.mark.parametrize("block", [1, 400, 10**6])
@pytest.mark.parametrize("width", [1, 2, 3, 7])
def test_a_table_in_blocks_of_columns_is_standardised_as_the_whole_is(width, block, monkeypatch):
    from data import columns

    monkeypatch.setattr(columns, "BLOCK", block)
    x = np.random.default_rng(1).normal(size=(80, width)) * 10.0 ** np.arange(width)
    found, train = in_one_piece(x, np.arange(80) % 2, "classification", 3)
    np.testing.assert_array_equal(found.mean, train.mean(axis=0))
    np.testing.assert_array_equal(found.scale, train.std(axis=0))
    expected = ((train - train.mean(axis=0)) / train.std(axis=0)).astype(np.float32)
    np.testing.assert_array_equal(found.x_train, expected)


def test_what_is_missing_is_counted_and_placed_over_all_blocks(monkeypatch):
    from data import columns

    monkeypatch.setattr(columns, "BLOCK", 6)
    x = X.copy()
    x[[20, 9, 9], [0, 2, 1]] = np.nan
    x[4, 0] = np.inf
    with pytest.raises(
        DatasetError, match=r"3 values are missing, the first in column 'x2', row 10"
    ):
        dataset(x)
    x[np.isnan(x)] = 0
    with pytest.raises(DatasetError, match=r"1 value is infinite, the first in column 'x1', row 5"):
        dataset(x)


@pytest.mark.parametrize("kind", [np.float64, np.float32, np.uint8])
def test_preparing_takes_little_more_memory_than_what_it_gives(kind):
    import tracemalloc

    import sklearn.model_selection  # noqa: F401  (its import is not counted)

    x = (100 * np.random.default_rng(0).random((20_000, 100))).astype(kind)
    y = np.arange(len(x)) % 5
    tracemalloc.start()
    found = dataset(x, y)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(found.x_train) == 16_000
    assert most < 1.5 * 8 * x.size


@pytest.mark.parametrize("part", ["x", "y"])
def test_a_masked_array_is_refused(part):
    values = {"x": X, "y": Y}
    values[part] = np.ma.masked_array(values[part], mask=np.zeros(values[part].shape, bool))
    with pytest.raises(DatasetError, match="masked array"):
        dataset(**values)
