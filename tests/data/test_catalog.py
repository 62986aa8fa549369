"""The catalogue, and every dataset in it."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import data

ROOT = Path(__file__).parents[2]
NAMES = tuple(data.DATASETS)
TABLES = ("iris", "synthetic", "digits", "wine", "breast_cancer", "diabetes")

# Loads every dataset, then says which calls for the network were made and what was loaded.
ALONE = """
import hashlib, sys

calls = []


def watch(event, args):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"):
        calls.append(event)
        raise OSError("the network is cut")


sys.addaudithook(watch)
import data

for name in data.DATASETS:
    dataset = data.load(name)
    arrays = [dataset.x_train, dataset.y_train, dataset.x_test, dataset.y_test]
    digest = hashlib.sha256(b"".join(array.tobytes() for array in arrays)).hexdigest()
    print(name, digest)
print("calls", *calls)
"""


def test_the_catalogue_holds_the_datasets_of_the_project():
    assert set(NAMES) == {
        "iris",
        "synthetic",
        "digits",
        "wine",
        "breast_cancer",
        "diabetes",
        "mnist_5k",
        "mnist1d",
        "planted",
    }


@pytest.mark.parametrize("name", NAMES)
def test_an_entry_tells_the_truth_about_its_dataset(name, datasets):
    entry, dataset = data.DATASETS[name], datasets[name]
    assert entry.name == name == dataset.name
    assert (entry.title, entry.task) == (dataset.title, dataset.task)
    assert (entry.source, entry.licence) == (dataset.source, dataset.licence)
    rows = len(dataset.x_train) + len(dataset.x_test)
    assert entry.shape == (rows, dataset.x_train.shape[1])
    assert entry.input_shape == dataset.input_shape
    assert entry.classes == dataset.classes == len(dataset.class_names)
    if entry.task == "classification":
        labels = np.concatenate([dataset.y_train, dataset.y_test])
        assert sorted(set(labels.tolist())) == list(range(entry.classes))
    for text in (entry.title, entry.summary, entry.source, entry.licence):
        assert text
        assert text == text.strip()


@pytest.mark.parametrize("name", NAMES)
def test_arrays_have_the_promised_types_and_shapes(name, datasets):
    dataset = datasets[name]
    features = dataset.x_train.shape[1]
    for x, y in ((dataset.x_train, dataset.y_train), (dataset.x_test, dataset.y_test)):
        assert x.dtype == np.float32
        assert x.shape == (len(y), features)
        assert y.dtype == (np.int64 if dataset.task == "classification" else np.float32)
        assert np.isfinite(x).all()
        assert np.isfinite(y).all()
    assert features == np.prod(dataset.input_shape) == len(dataset.feature_names)
    assert len(set(dataset.feature_names)) == features
    assert all(isinstance(text, str) for text in dataset.feature_names + dataset.class_names)
    assert dataset.outputs == (dataset.classes or 1)


@pytest.mark.parametrize("name", NAMES)
def test_columns_are_standardised_over_the_training_part_unless_constant_there(name, datasets):
    dataset = datasets[name]
    x = dataset.x_train.astype(np.float64)
    constant = x.min(axis=0) == x.max(axis=0)
    np.testing.assert_allclose(x[:, ~constant].mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(x[:, ~constant].std(axis=0), 1, atol=1e-5)
    np.testing.assert_array_equal(dataset.scale[constant], 1)
    np.testing.assert_array_equal(dataset.mean[constant], 0)
    if dataset.task == "regression":
        np.testing.assert_allclose(
            [dataset.y_train.mean(), dataset.y_train.std()], [0, 1], atol=1e-5
        )


@pytest.mark.parametrize("name", NAMES)
def test_four_fifths_of_each_class_are_for_training(name, datasets):
    dataset = datasets[name]
    rows = len(dataset.x_train) + len(dataset.x_test)
    assert len(dataset.x_test) == int(np.ceil(0.2 * rows))
    if dataset.task == "classification":
        train = np.bincount(dataset.y_train)
        test = np.bincount(dataset.y_test)
        np.testing.assert_allclose(train, 0.8 * (train + test), atol=1)


@pytest.mark.parametrize("name", NAMES)
def test_validation_rows_and_fit_rows_share_the_training_part_out(name, datasets):
    dataset = datasets[name]
    validation, fit = dataset.validation_rows, dataset.fit_rows
    assert validation.dtype == fit.dtype == np.int64
    assert (np.diff(validation) > 0).all()
    assert (np.diff(fit) > 0).all()
    rows = len(dataset.x_train)
    np.testing.assert_array_equal(np.sort(np.concatenate([validation, fit])), np.arange(rows))
    assert len(validation) == int(np.ceil(0.15 * rows))
    if dataset.task == "classification":
        share = np.bincount(dataset.y_train[validation]) / np.bincount(dataset.y_train)
        np.testing.assert_allclose(share, 0.15, atol=1.5 / np.bincount(dataset.y_train).min())


@pytest.mark.parametrize("name", TABLES)
def test_the_split_and_the_scaling_are_those_of_scikit_learn(name, datasets):
    from sklearn.model_selection import train_test_split
    from sklearn.preprocessing import StandardScaler

    raw = data.DATASETS[name].samples()
    classes = raw.y if data.DATASETS[name].task == "classification" else None
    train, test = train_test_split(raw.x, test_size=0.2, random_state=0, stratify=classes)
    scaler = StandardScaler().fit(train)
    varied = scaler.var_ > 0
    dataset = datasets[name]
    np.testing.assert_allclose(
        dataset.x_train[:, varied], scaler.transform(train)[:, varied], rtol=1e-4, atol=1e-5
    )
    np.testing.assert_allclose(
        dataset.x_test[:, varied], scaler.transform(test)[:, varied], rtol=1e-4, atol=1e-5
    )
    np.testing.assert_allclose(dataset.x_test[:, ~varied], test[:, ~varied])


@pytest.mark.parametrize("name", TABLES)
def test_values_return_to_their_own_units(name, datasets):
    dataset = datasets[name]
    raw = np.asarray(data.DATASETS[name].samples().x)
    back = np.concatenate([dataset.x_train, dataset.x_test]) * dataset.scale + dataset.mean
    np.testing.assert_allclose(back.sum(axis=0), raw.sum(axis=0), rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(back.min(axis=0), raw.min(axis=0), rtol=1e-5, atol=1e-4)


def test_the_diabetes_target_returns_to_its_own_unit(datasets):
    dataset = datasets["diabetes"]
    back = (
        np.concatenate([dataset.y_train, dataset.y_test]) * dataset.target_scale
        + dataset.target_mean
    )
    assert back.min() == pytest.approx(25, abs=1e-3)
    assert back.max() == pytest.approx(346, abs=1e-3)
    assert dataset.target_name


def test_another_process_loads_the_same_arrays_and_never_asks_for_the_network(datasets):
    from hashlib import sha256

    run = subprocess.run(
        [sys.executable, "-c", ALONE], cwd=ROOT, capture_output=True, text=True, check=True
    )
    *lines, calls = run.stdout.splitlines()
    assert calls == "calls"
    found = dict(line.split() for line in lines)
    for name, dataset in datasets.items():
        arrays = [dataset.x_train, dataset.y_train, dataset.x_test, dataset.y_test]
        assert found.pop(name) == sha256(b"".join(map(np.ndarray.tobytes, arrays))).hexdigest()
    assert not found


@pytest.mark.parametrize("name", ["iris", "diabetes", "planted"])
def test_a_seed_chooses_the_split_and_nothing_else(name):
    first, again, other = data.load(name, seed=3), data.load(name, seed=3), data.load(name, seed=4)
    np.testing.assert_array_equal(first.x_train, again.x_train)
    np.testing.assert_array_equal(first.validation_rows, again.validation_rows)
    assert not np.array_equal(first.x_train, other.x_train)
    assert not np.array_equal(first.validation_rows, other.validation_rows)

    def rows(dataset):
        values = np.concatenate([dataset.x_train, dataset.x_test]) * dataset.scale + dataset.mean
        return np.sort(values.sum(axis=1))

    np.testing.assert_allclose(rows(first), rows(other), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ["nothing", "", "Iris", None, 3, ["iris"]])
def test_an_unknown_name_is_answered_with_the_known_ones(name):
    with pytest.raises(data.DatasetError, match="iris, synthetic, digits") as caught:
        data.load(name)
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize("seed", [-1, 2**32, 0.5, 1.0, "x", None, True, float("nan")])
def test_a_seed_out_of_range_is_answered_with_the_range(seed):
    with pytest.raises(data.DatasetError, match="whole number from 0 to 4294967295"):
        data.load("iris", seed=seed)


@pytest.mark.parametrize("seed", [0, 2**32 - 1, np.int64(7)])
def test_every_seed_in_range_will_do(seed):
    assert len(data.load("iris", seed=seed).x_train) == 120


def test_the_catalogue_cannot_be_changed_by_accident():
    with pytest.raises(TypeError):
        data.DATASETS["mine"] = data.DATASETS["iris"]
    with pytest.raises(AttributeError):
        data.DATASETS["iris"].title = "Other"
