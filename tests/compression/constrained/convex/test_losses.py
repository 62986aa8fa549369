import numpy as np
import pytest
from scipy.special import log_softmax
from sklearn.preprocessing import StandardScaler

from compression.constrained.convex import losses
from compression.constrained.convex.losses import check_data, prepare
from compression.errors import ArgumentError

KINDS = ("plain", "scaled", "duplicates", "everything")
every_loss = pytest.mark.parametrize("loss", ["squared", "softmax"])
every_kind = pytest.mark.parametrize("kind", KINDS)


def by_hand(example, weight, intercept):
    """The loss from its definition, on the data as they are."""
    if example.loss == "squared":
        return 0.5 * np.mean((example.y - example.x @ weight - intercept) ** 2)
    logits = example.x @ weight.T + intercept
    return -np.mean(log_softmax(logits, axis=1)[np.arange(len(example.y)), example.y])


def random_point(loss, seed=0):
    return np.random.default_rng(seed).normal(size=loss.shape)


@every_loss
@every_kind
def test_the_loss_of_a_point_is_that_of_its_model(example, kind, loss):
    problem = example(kind, loss)
    prepared = prepare(problem.x, problem.y, loss)
    for seed in range(3):
        point = random_point(prepared, seed)
        assert prepared.value(point) == pytest.approx(
            by_hand(problem, *prepared.to_model(point)), rel=1e-9
        )
        assert prepared.value_and_gradient(point)[0] == pytest.approx(prepared.value(point))


@every_loss
def test_the_zero_model_s_loss_is_what_a_constant_answer_costs(example, loss):
    problem = example("plain", loss)
    prepared = prepare(problem.x, problem.y, loss)
    zero = 0.5 * problem.y.var() if loss == "squared" else np.log(3)
    assert prepared.zero == pytest.approx(zero)
    assert prepared.value(np.zeros(prepared.shape)) == pytest.approx(zero)


@every_loss
@every_kind
def test_the_gradient_and_the_curvature_are_the_slopes_of_loss_and_gradient(example, kind, loss):
    problem = example(kind, loss)
    prepared = prepare(problem.x, problem.y, loss)
    point, step = random_point(prepared), random_point(prepared, 1)
    ahead, behind = (prepared.value_and_gradient(point + h * step) for h in (1e-5, -1e-5))
    slope = (ahead[0] - behind[0]) / 2e-5
    assert np.sum(prepared.gradient(point) * step) == pytest.approx(slope, rel=1e-6)
    bend = (ahead[1] - behind[1]) / 2e-5
    curvature = prepared.curvature(point)
    np.testing.assert_allclose(curvature.product(step), bend, atol=1e-6)
    everywhere = np.ones(prepared.shape, bool)
    full = curvature.block(everywhere)
    np.testing.assert_allclose(full @ step.ravel(), bend.ravel(), atol=1e-6)
    some = np.random.default_rng(2).random(prepared.shape) < 0.5
    np.testing.assert_allclose(
        curvature.block(some), full[np.ix_(some.ravel(), some.ravel())], atol=1e-12
    )
    assert np.linalg.eigvalsh(full)[-1] <= prepared.lipschitz * (1 + 1e-9)


@every_loss
@every_kind
def test_a_model_survives_the_way_to_a_point_and_back(example, kind, loss):
    problem = example(kind, loss)
    prepared = prepare(problem.x, problem.y, loss)
    weight, intercept = prepared.to_model(random_point(prepared))
    again, same = prepared.to_model(prepared.from_model(weight, intercept))
    np.testing.assert_allclose(again, weight, rtol=1e-12)
    np.testing.assert_allclose(same, intercept, rtol=1e-9)


@every_loss
def test_a_constant_column_gets_no_weight_and_a_shifted_one_the_same(example, loss):
    problem = example("duplicates", loss)
    prepared = prepare(problem.x, problem.y, loss)
    assert prepared.inputs.columns.tolist() == list(range(problem.x.shape[1] - 1))
    shifted = prepare(problem.x + 1e3, problem.y, loss)
    point = random_point(prepared)
    assert shifted.value(point) == pytest.approx(prepared.value(point), rel=1e-9)


@pytest.mark.parametrize(
    ("x", "y", "loss", "advice"),
    [
        (np.ones((4, 2)), np.ones(4), "hinge", "squared, softmax"),
        (np.ones((4, 2)), np.ones(3), "squared", "one target a sample"),
        (np.ones((0, 2)), np.ones(0), "squared", "at least 1 x 1"),
        (np.ones((4, 0)), np.ones(4), "squared", "at least 1 x 1"),
        ([["a"], ["b"]], np.ones(2), "squared", "encode"),
        (np.array([[1.0], [np.nan]]), np.ones(2), "squared", "fill or drop"),
        (np.ones((2, 1)), np.array([1.0, np.inf]), "squared", "drop"),
        (np.ones((2, 1)), np.array(["a", "b"]), "softmax", "number the classes"),
        (np.ones((2, 1)), np.array([0.5, 1.0]), "softmax", "0, 1, 2"),
        (np.ones((2, 1)), np.array([-1, 1]), "softmax", "0, 1, 2"),
        (np.ones((2, 1)), np.array([0, 0]), "softmax", "two"),
        (np.ones((2, 1)), np.array([0, 2]), "softmax", "class 1"),
    ],
)
def test_data_that_cannot_be_used_are_refused_with_what_would_do(x, y, loss, advice):
    with pytest.raises(ArgumentError, match=advice):
        check_data(x, y, loss)


def test_images_are_read_as_rows_and_a_column_of_targets_as_targets():
    x, y = check_data(np.ones((4, 2, 3)), np.arange(4.0)[:, None], "squared")
    assert x.shape == (4, 6)
    assert y.shape == (4,)


@pytest.mark.parametrize("numbers", [1, 60, 1_000_000])
def test_columns_are_standardised_in_blocks_as_at_once(monkeypatch, numbers):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(30, 7)) * 10.0 ** rng.integers(-3, 4, 7) + 5
    x[:, 3] = 2.5  # is constant, and has no place
    y = np.arange(30) % 3
    monkeypatch.setattr(losses, "BLOCK", numbers)
    prepared = prepare(x, y, "softmax")
    others = [0, 1, 2, 4, 5, 6]
    scaler = StandardScaler().fit(x[:, others])
    np.testing.assert_array_equal(prepared.inputs.columns, others)
    np.testing.assert_allclose(prepared.inputs.mean, scaler.mean_)
    np.testing.assert_allclose(prepared.inputs.scale, scaler.scale_)
    np.testing.assert_allclose(prepared.design[:-1].T, scaler.transform(x[:, others]), atol=1e-12)
    np.testing.assert_array_equal(prepared.design[-1], 1.0)
    point = random_point(prepared)
    curvature = prepared.curvature(point)
    mask = np.ones(prepared.shape, bool)
    whole = np.diag(curvature.block(mask)).reshape(prepared.shape)
    np.testing.assert_allclose(curvature.diagonal, whole)
