"""One small reference of each kind, trained once a process."""

import numpy as np
import pytest

import compression
import data
from tests.compression.families import MODELS, build_families


@pytest.fixture(scope="session")
def digits():
    return data.load("digits", seed=0)


@pytest.fixture(scope="session")
def digits_mlp(digits):
    return compression.train(digits, model="mlp", seed=0, epochs=4)


@pytest.fixture(scope="session")
def digits_softmax(digits):
    return compression.train(digits, model="softmax_regression", seed=0, epochs=60)


@pytest.fixture(scope="session")
def diabetes():
    return data.load("diabetes", seed=0)


@pytest.fixture(scope="session")
def small_images():
    """120 random 12 x 12 images of three classes: the smallest that the convolutional net takes."""
    generator = np.random.default_rng(0)
    y = np.arange(120) % 3
    x = generator.normal(size=(120, 1, 12, 12)) + y[:, None, None, None]
    return data.prepare(
        data.Samples(x, y), name="small_images", title="Small images", task="classification"
    )


@pytest.fixture(scope="session")
def small_signals():
    generator = np.random.default_rng(0)
    y = np.arange(120) % 3
    x = generator.normal(size=(120, 1, 16)) + y[:, None, None]
    return data.prepare(
        data.Samples(x, y), name="small_signals", title="Small signals", task="classification"
    )


@pytest.fixture(scope="session")
def families(digits, digits_mlp, small_images, small_signals):
    convolutional = {
        model: (compression.train(dataset, model=model, epochs=1), dataset)
        for model, dataset in zip(MODELS, (small_images, small_signals), strict=True)
    }
    return dict(build_families((digits_mlp, digits), convolutional))
