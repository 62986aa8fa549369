"""What people are shown of a dataset: its values in their own units."""

import numpy as np
from sklearn import datasets

import data
from data.preview import preview, restore_target


def is_row_of(row, rows):
    return np.isclose(rows, row, atol=1e-4).all(axis=1).any()


def test_first_rows_are_the_source_s_own_values():
    own = datasets.load_iris()
    shown = preview(data.load("iris", seed=0))
    assert shown.table.columns.tolist() == ["class", *own.feature_names]
    for line in shown.table.itertuples(index=False):
        rows = own.data[own.target == own.target_names.tolist().index(line[0])]
        assert is_row_of(np.array(line[1:], float), rows)
    assert shown.pictures is None
    assert shown.target is None


def test_samples_of_each_class_are_counted_in_both_parts():
    iris = data.load("iris", seed=0)
    shown = preview(iris)
    assert shown.class_counts.sum(axis=1).tolist() == [50, 50, 50]
    assert shown.class_counts.sum().to_dict() == {
        "training": len(iris.y_train),
        "test": len(iris.y_test),
    }
    assert shown.rows["training"] + shown.rows["validation"] == len(iris.y_train)


def test_a_number_s_values_are_in_its_own_unit():
    own, dataset = datasets.load_diabetes(), data.load("diabetes", seed=0)
    shown = preview(dataset)
    assert shown.class_counts is None
    assert shown.table.columns[0] == shown.target.name
    everything = np.concatenate([shown.target, restore_target(dataset, dataset.y_test)])
    np.testing.assert_allclose(np.sort(everything), np.sort(own.target), rtol=1e-5)


def test_pictures_are_in_the_source_s_own_ink():
    shown = preview(data.load("digits", seed=0))
    assert shown.pictures.shape == (8, 8, 8)
    images = datasets.load_digits().images.reshape(-1, 64) / 16
    assert all(is_row_of(picture.ravel(), images) for picture in shown.pictures)
