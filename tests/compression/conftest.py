"""One small reference of each kind, trained once a process."""

import numpy as np
import pytest

import compression
import data


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


def _networks(reference, dataset):
    yield "dense", reference.network
    yield "low rank", compression.low_rank_curve(reference, dataset, ranks=[3]).network(0)
    for constraint in ("box", "cardinality"):
        curve = compression.constrained_curve(
            reference, dataset, constraint, bounds=[0.2], method="clip"
        )
        yield constraint, curve.network(0)
    for method in ("low_rank_then_constrained", "low_rank_plus_sparse"):
        curve = compression.combined_curve(
            reference, dataset, method, ranks=[3], bounds=[0.2], epochs=1
        )
        yield method, curve.network(0)


@pytest.fixture(scope="session")
def families(digits, digits_mlp, small_images, small_signals):
    found = dict(_networks(digits_mlp, digits))
    for dataset, model in ((small_images, "lenet5"), (small_signals, "conv1d")):
        reference = compression.train(dataset, model=model, epochs=1)
        found[model] = reference.network
        found[f"{model}, box"] = compression.constrained_curve(
            reference, dataset, bounds=[0.3], method="clip"
        ).network(0)
    images = compression.train(small_images, model="lenet5", epochs=1)
    for method in ("tucker2", "cp"):
        curve = compression.low_rank_curve(images, small_images, method, [2])
        found[method] = curve.network(0)
    return found
