"""A person's own table: what becomes of each column, of each row, and of what stands in the way."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import data
from data import DatasetError, tables
from data.splitting import split_rows

ROWS = 120
RANDOM = np.random.default_rng(0)


def frame(rows=ROWS, **columns):
    """Three classes, two numbers, a category and a column that numbers the rows in no order."""
    random = np.random.default_rng(0)
    made = {
        "row": random.permutation(rows) + 0.5,
        "age": np.round(random.normal(40, 10, rows), 2),
        "city": random.choice(["Bonn", "Köln", "Trier"], rows),
        "kind": random.choice(["a", "b", "c"], rows),
    }
    return pd.DataFrame(made | columns)


def rows_of(dataset, part="train"):
    """Which row of the frame each sample is, by the column that numbers them."""
    x = dataset.x_train if part == "train" else dataset.x_test
    at = dataset.feature_names.index("row")
    return np.rint(x[:, at] * dataset.scale[at] + dataset.mean[at] - 0.5).astype(int)


def test_every_kind_of_column_is_encoded_as_pandas_and_scikit_learn_do():
    age = frame()["age"].where(RANDOM.random(ROWS) > 0.2)
    table = frame(age=age)
    dataset = data.from_table(table, "kind")
    where = {row: position for position, row in enumerate((table["row"] - 0.5).astype(int))}
    train = [where[row] for row in rows_of(dataset)]
    fit = np.array(train)[dataset.fit_rows]

    ages = SimpleImputer(strategy="median", add_indicator=True).fit(table.loc[fit, ["age"]])
    numbers = ages.transform(table.loc[train, ["age"]])
    scale = StandardScaler().fit(ages.transform(table.loc[fit, ["age"]])[:, :1])
    cities = OneHotEncoder(sparse_output=False).fit(table.loc[fit, ["city"]])
    expected = {
        "age": scale.transform(numbers[:, :1])[:, 0],
        "age = missing": numbers[:, 1],
    } | dict(
        zip(
            [f"city = {name}" for name in ("Bonn", "Köln", "Trier")],
            cities.transform(table.loc[train, ["city"]]).T,
            strict=True,
        )
    )
    assert dataset.feature_names == ("row", *expected)
    for name, column in expected.items():
        own = dataset.x_train[:, dataset.feature_names.index(name)]
        np.testing.assert_allclose(own, column, atol=1e-6)
    assert [dataset.feature_names[n] for n in dataset.zero_one] == list(expected)[1:]
    labels = [dataset.class_names[y] for y in dataset.y_train]
    assert labels == table.loc[train, "kind"].tolist()


def test_dates_become_day_weekday_and_hour():
    when = pd.Series(pd.date_range("2026-01-01 06:30", periods=ROWS, freq="31h"))
    when[7] = pd.NaT
    dataset = data.from_table(frame(when=when.astype(str)), "kind")
    where = {row: position for position, row in enumerate((frame()["row"] - 0.5).astype(int))}
    found = when[[where[row] for row in rows_of(dataset)]].reset_index(drop=True)
    values = dict(
        zip(dataset.feature_names, (dataset.x_train * dataset.scale + dataset.mean).T, strict=True)
    )
    known = found.notna()
    days = (found[known].dt.normalize() - pd.Timestamp("1970-01-01")).dt.days
    np.testing.assert_allclose(values["when: day"][known], days, rtol=1e-6)
    np.testing.assert_allclose(values["when: hour"][known], found[known].dt.hour + 0.5, atol=1e-4)
    for name in found[known].dt.day_name().unique():
        np.testing.assert_array_equal(
            values[f"when: weekday = {name}"][known], found[known].dt.day_name() == name
        )
    assert "when: hour = missing" not in values


@pytest.mark.parametrize("part", ["test", "validation"])
def test_rows_that_are_not_learnt_from_move_no_encoder(part):
    table = frame(age=frame()["age"].where(RANDOM.random(ROWS) > 0.2))
    before = data.from_table(table, "kind", seed=3)
    where = {row: position for position, row in enumerate((table["row"] - 0.5).astype(int))}
    rows = rows_of(before, "test") if part == "test" else rows_of(before)[before.validation_rows]
    spoilt = table.copy()
    at = [where[row] for row in rows]
    spoilt.loc[at, "age"] = 1e6
    spoilt.loc[at[0], "age"] = np.nan
    spoilt.loc[at, "city"] = "nowhere"
    after = data.from_table(spoilt, "kind", seed=3)
    assert after.feature_names == before.feature_names
    np.testing.assert_array_equal(after.mean, before.mean)
    np.testing.assert_array_equal(after.scale, before.scale)
    np.testing.assert_array_equal(after.x_train[after.fit_rows], before.x_train[before.fit_rows])
    cities = [n for n, name in enumerate(after.feature_names) if name.startswith("city")]
    own = after.x_test if part == "test" else after.x_train[after.validation_rows]
    assert not own[:, cities].any()  # not met among the rows that are learnt from


@pytest.mark.parametrize(("values", "columns"), [(32, 32), (33, 32)])
def test_of_many_values_the_most_frequent_have_a_column_each(values, columns):
    often = np.repeat([f"v{n:02d}" for n in range(values)], [40] + [12] * (values - 2) + [6])
    table = frame(len(often), code=np.random.default_rng(1).permutation(often))
    dataset = data.from_table(table, "kind")
    own = [name for name in dataset.feature_names if name.startswith("code = ")]
    assert len(own) == columns
    assert ("code = other" in own) == (values > columns)
    at = [dataset.feature_names.index(name) for name in own]
    assert set(np.unique(dataset.x_train[:, at])) == {0, 1}
    np.testing.assert_array_equal(dataset.x_train[:, at].sum(axis=1), 1)
    assert any("31 most frequent" in remark for remark in dataset.remarks) == (values > columns)


def test_identifiers_constants_and_rows_without_a_target_are_left_out_and_said():
    kind = frame()["kind"].mask(np.arange(ROWS) < 9)
    made = data.from_table(
        frame(kind=kind, number=np.arange(ROWS), name=[f"n{n}" for n in range(ROWS)], same="x"),
        "kind",
    )
    assert made.feature_names == ("row", "age", "city = Bonn", "city = Köln", "city = Trier")
    assert len(made.x_train) + len(made.x_test) == ROWS - 9
    said = " ".join(made.remarks)
    for word in ("'number'", "'name'", "'same'", "identifier", "9 rows without 'kind'"):
        assert word in said
    asked = data.from_table(frame(number=np.arange(ROWS)), "kind", roles={"number": "feature"})
    assert "number" in asked.feature_names


@pytest.mark.parametrize(
    ("rows", "different", "role"),
    [(120, 60, "feature"), (120, 61, "ignore"), (121, 60, "feature"), (121, 61, "ignore")],
)
def test_texts_are_an_identifier_that_differ_in_over_half_of_the_rows(rows, different, role):
    code = [f"v{n % different:03d}" for n in range(rows)]
    table = data.read_table(frame(rows, code=code), "kind")
    column = next(column for column in table.columns if column.name == "code")
    assert column.content.distinct == different
    assert column.role == role
    left_out = f"left out: an identifier ({different} different texts in {rows} rows)"
    assert (column.rule == left_out) == (role == "ignore")


def test_a_target_of_whole_numbers_shows_both_readings():
    table = data.read_table(frame(grade=np.arange(ROWS) % 5), "grade")
    assert set(table.readings) == {"classification", "regression"}
    assert table.readings["classification"].startswith("5 classes: 0 (24)")
    assert table.readings["regression"] == "a number from 0 to 4"
    as_classes = data.from_table(table.frame, "grade")
    assert as_classes.task == "classification"
    assert any("read for classification" in remark for remark in as_classes.remarks)
    as_numbers = data.from_table(table.frame, "grade", task="regression")
    own = as_numbers.y_train * as_numbers.target_scale + as_numbers.target_mean
    assert set(np.rint(own).astype(int)) == set(range(5))
    assert not any("read for" in remark for remark in as_numbers.remarks)


def test_columns_that_give_the_target_are_suggested_by_name_or_place():
    assert data.read_table(frame(target=np.arange(ROWS) % 2)).target == "target"
    assert data.read_table(frame()).target == "kind"


CONTENTS = {
    "numbers": ([1.5, 2.5] * 60, "number"),
    "numbers as text": ([" 1.5", "2e3"] * 60, "number"),
    "numbers with gaps that say so": ([*["1.5", "2"] * 58, "?", "NA", "", None], "number"),
    "whole numbers": ([1, 2] * 60, "whole number"),
    "nullable": (pd.array([1, None] * 60, dtype="Int64"), "whole number"),
    "truth": ([True, False] * 60, "yes/no"),
    "truth as text": (["Yes", "no"] * 60, "yes/no"),
    "dates as text": (["2026-01-31", "2026-02-28T12:30:00"] * 60, "date"),
    "German dates": (["31.1.2026", "28.2.2026"] * 60, "date"),
    "American dates": (["1/31/2026", "2/28/2026"] * 60, "date"),
    "dates of a time zone": (pd.date_range("2026-01-01", periods=120, tz="Asia/Tokyo"), "date"),
    "either day or month": (["1/2/2026", "3/4/2026"] * 60, "category"),
    "text": (["red", "green"] * 60, "category"),
    "declared categories": (pd.Categorical([1, 2] * 60), "category"),
    "mostly numbers": (["1", "2", "3"] * 39 + ["low", "5", "6"], "category"),
    "nothing": ([None] * 120, "empty"),
    "lists": ([[1], [2]] * 60, "neither text nor number"),
    "complex": ([1j, 2] * 60, "neither text nor number"),
}


@pytest.mark.parametrize("case", CONTENTS)
def test_what_a_column_holds_is_read_from_its_values(case):
    values, kind = CONTENTS[case]
    table = data.read_table(frame(own=values), "kind")
    column = next(column for column in table.columns if column.name == "own")
    assert column.content.kind == kind
    if case in ("either day or month", "mostly numbers"):
        assert column.content.remark
    if not column.content.fault and kind != "empty":
        made = data.from_table(table.frame, "kind", roles={"own": "feature"})
        assert any(name.startswith("own") for name in made.feature_names)


def test_every_obstacle_is_reported_at_once():
    table = pd.concat(
        [frame(when="soon", size=[np.inf] + [1.0] * (ROWS - 1)), frame()[["age"]]], axis=1
    )
    roles = {"when": "time", "city": "group", "size": "feature", "nobody": "feature", "row": "king"}
    with pytest.raises(DatasetError) as caught:
        data.from_table(table, "price", task="clustering", roles=roles)
    lines = str(caught.value).split("\n")
    for words in (
        "2 columns are named 'age'",
        "no column 'nobody'",
        "'king' is no role",
        "no task named 'clustering'",
        "by groups and by time at once",
        "'when' holds 'soon', which is no time",
        "'size' holds 1 values that are infinite",
        "no column 'price' to predict",
    ):
        assert sum(words in line for line in lines) == 1, words
    assert len(lines) == 8


REFUSED = {
    "a target without a value": ({"kind": None}, {}, "'kind' has no value in it"),
    "a class of one row": ({"kind": ["a"] * 119 + ["b"]}, {}, "'b' has one row"),
    "one class": ({"kind": "a"}, {}, "every row is of the class 'a'"),
    "text as a number": ({}, {"task": "regression"}, "which is no number: choose classification"),
    "a number that never changes": ({"kind": 2.5}, {"task": "regression"}, "2.5 in every row"),
    "fractions as classes": ({"kind": np.arange(120) / 7}, {"task": "classification"}, "no class: choose regression"),
    "two groups": ({"city": ["a", "b"] * 60}, {"roles": {"city": "group"}}, "2 different groups"),
    "gaps in the groups": ({"city": ["a", "b", "c", None] * 30}, {"roles": {"city": "group"}}, "no group in 30 rows"),
    "a test part of nobody": ({"city": "train"}, {"roles": {"city": "test"}}, "no row into the test part"),
    "a test part of anybody": ({}, {"roles": {"city": "test"}}, "use yes and no"),
    "a test part that holds a class": ({"city": frame()["kind"] == "a"}, {"roles": {"city": "test"}}, "'a' has 0 rows outside"),
    "no feature": ({}, {"roles": dict.fromkeys(["row", "age", "city"], "ignore")}, "no column to learn from"),
    "nothing but constants": ({"row": 1.0, "age": 2.0, "city": "x"}, {"roles": dict.fromkeys(["row", "age"], "feature")}, "nothing to tell them apart"),
    "a bad seed": ({}, {"seed": -1}, "the seed -1 cannot be used"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_a_table_that_cannot_be_learnt_from_is_refused_in_a_sentence(case):
    columns, arguments, sentence = REFUSED[case]
    with pytest.raises(DatasetError, match=sentence) as caught:
        data.from_table(frame(**columns), "kind", **arguments)
    assert "\n" not in str(caught.value)


def test_groups_stay_whole_times_in_order_and_a_given_test_part_is_kept():
    table = frame(
        360,
        house=np.arange(360) // 12,
        day=np.arange(360) // 4,
        part=["train", "test", "train"] * 120,
    )
    where = (table["row"] - 0.5).astype(int)
    position = dict(zip(where, range(360), strict=True))
    for target in ("kind", "age"):
        parts = {}
        for role, column in (("group", "house"), ("time", "day"), ("test", "part")):
            made = data.from_table(table, target, roles={column: role})
            train = np.array([position[row] for row in rows_of(made)])
            test = np.array([position[row] for row in rows_of(made, "test")])
            parts[role] = [
                table.loc[rows, column]
                for rows in (train[made.fit_rows], train[made.validation_rows], test)
            ]
            assert sum(map(len, parts[role])) == 360
            assert len({*train, *test}) == 360
        houses = [set(part) for part in parts["group"]]
        assert sum(map(len, houses)) == len(set.union(*houses))
        days = parts["time"]
        assert days[0].max() < days[1].min() <= days[1].max() < days[2].min()
        assert set(parts["test"][2]) == {"test"}
        both = data.from_table(table, target, roles={"part": "test", "house": "group"})
        assert any("30 groups of 'house'" in remark for remark in both.remarks)
        assert "test" not in {*parts["test"][0], *parts["test"][1]}


def test_a_class_that_the_split_keeps_from_learning_is_an_obstacle_and_elsewhere_a_remark():
    times = np.arange(ROWS)
    late = frame(day=times, kind=np.where(times < 100, frame()["kind"], "late"))
    with pytest.raises(DatasetError, match="no row of 'late' to learn from"):
        data.from_table(late, "kind", roles={"day": "time"})
    early = frame(day=times, kind=np.where(times > 20, frame()["kind"], "early"))
    said = data.from_table(early, "kind", roles={"day": "time"}).remarks
    assert sum("no row of 'early'" in remark for remark in said) == 2


def test_too_many_cells_are_sampled_by_class_and_both_counts_are_said(monkeypatch):
    table = frame(2000, kind=["rare"] * 100 + ["usual"] * 1900)
    monkeypatch.setattr(tables, "MOST_CELLS", 5 * 400)
    first, second = (data.from_table(table, "kind", seed=seed) for seed in (0, 1))
    labels = np.concatenate([first.y_train, first.y_test])
    assert len(labels) == 400
    assert (labels == first.class_names.index("rare")).sum() == 20
    assert any("400 of 2,000 rows" in remark for remark in first.remarks)
    assert {*rows_of(first), *rows_of(first, "test")} == {
        *rows_of(second),
        *rows_of(second, "test"),
    }


def test_a_name_says_the_content():
    name = data.from_table(frame(), "kind").name
    assert name.startswith("table-")
    assert data.from_table(frame(), "kind", seed=5).name == name
    assert data.from_table(frame(age=frame()["age"] + 0.01), "kind").name != name
    assert data.from_table(frame(), "kind", roles={"age": "ignore"}).name != name
    assert data.from_table(frame(), "city").name != name


def test_the_given_frame_is_not_changed():
    given_frame = frame(when="2026-01-01", age=frame()["age"].astype(str))
    copy = given_frame.copy(deep=True)
    data.from_table(given_frame, "kind")
    pd.testing.assert_frame_equal(given_frame, copy)


def test_a_model_learns_from_a_table_as_from_any_other_dataset():
    import compression

    random = np.random.default_rng(0)
    city = random.choice(["a", "b", "c"], 300)
    table = pd.DataFrame(
        {"city": city, "noise": random.normal(size=300), "y": np.isin(city, ["a"])}
    )
    dataset = data.from_table(table, "y")
    trained = compression.train(dataset, model="softmax_regression", epochs=100)
    assert trained.score > 0.95
    curve = compression.low_rank_curve(trained, dataset)
    assert len(curve.table) >= 1


TEXTS = st.sampled_from(["a", "b", "", "1", "2.5", "2026-01-01", "yes", "?", "=", "é\x00", "nan"])
CELLS = st.one_of(
    st.none(), st.booleans(), st.integers(-5, 5), st.floats(width=32), TEXTS, st.just(10**400)
)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(
    cells=st.lists(st.lists(CELLS, min_size=14, max_size=14), min_size=2, max_size=4),
    repeat=st.integers(1, 3),
    task=st.sampled_from([None, "classification", "regression"]),
    roles=st.lists(
        st.sampled_from([None, "feature", "group", "time", "test", "ignore"]),
        min_size=4,
        max_size=4,
    ),
    seed=st.integers(0, 3),
)
def test_any_frame_is_a_dataset_or_a_sentence(cells, repeat, task, roles, seed):
    table = pd.DataFrame(
        {f"c{n}": pd.Series(column * repeat, dtype=object) for n, column in enumerate(cells)}
    )
    asked = {f"c{n}": role for n, role in enumerate(roles[: len(cells)]) if role}
    try:
        made = data.from_table(table, "c0", task=task, roles=asked, seed=seed)
    except DatasetError:
        return
    assert np.isfinite(made.x_train).all()
    assert made.x_train.dtype == made.x_test.dtype == np.float32
    assert (
        made.x_train.shape[1]
        == made.x_test.shape[1]
        == len(made.feature_names)
        == len(made.feature_units)
    )
    assert sorted([*made.fit_rows, *made.validation_rows]) == list(range(len(made.x_train)))
    assert len(made.x_test) > 0
    assert len(made.validation_rows) > 0


@settings(max_examples=30, deadline=None, derandomize=True)
@given(
    rows=st.integers(12, 80),
    kinds=st.integers(3, 12),
    by=st.sampled_from(["groups", "times"]),
    classes=st.booleans(),
    seed=st.integers(0, 5),
)
def test_no_group_is_in_two_parts_and_no_part_is_empty(rows, kinds, by, classes, seed):
    random = np.random.default_rng(seed)
    held = np.concatenate([np.arange(kinds), random.integers(0, kinds, rows - kinds)])
    y = random.integers(0, 2, rows) if classes else None
    parts = split_rows(rows, seed, y, **{by: held})
    fit, validation, test = (held[part] for part in (parts.fit, parts.validation, parts.test))
    assert sorted([*parts.fit, *parts.validation, *parts.test]) == list(range(rows))
    assert min(map(len, (fit, validation, test))) > 0
    assert sum(len(set(part)) for part in (fit, validation, test)) == len(set(held))
    if by == "times":
        assert fit.max() < validation.min() < test.min()
