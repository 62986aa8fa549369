"""What every low-rank method for matrices owes its caller."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from compression import factorize
from compression.catalog import LOW_RANK_METHODS
from compression.errors import ArgumentError, CompressionError
from compression.low_rank.decomposition import (
    Decomposition,
    break_even_rank,
    build,
    output_error,
    weight_error,
)

METHODS = [name for name, entry in LOW_RANK_METHODS.items() if "linear" in entry.layers]
every_method = pytest.mark.parametrize("method", METHODS)
every_type = pytest.mark.parametrize("dtype", [np.float32, np.float64])
EXACT = {np.float32: 2e-5, np.float64: 1e-11}


def decompose(method, weight, inputs=None, max_rank=None, **knobs) -> Decomposition:
    return build(LOW_RANK_METHODS[method].load(), **knobs).decompose(weight, inputs, max_rank)


def weight_and_inputs(shape=(7, 5), samples=40, dtype=np.float64, seed=0):
    rng = np.random.default_rng(seed)
    mixing = rng.normal(size=(shape[1], shape[1]))
    inputs = rng.normal(size=(samples, shape[1])) @ mixing + rng.normal(size=shape[1])
    return rng.normal(size=shape).astype(dtype), inputs.astype(dtype)


@st.composite
def layers(draw):
    """A weight, its inputs and a ridge, small but of any shape and any oddity."""
    dtype = draw(st.sampled_from([np.float32, np.float64]))
    m, n, samples = (draw(st.integers(1, 6)) for _ in range(3))
    numbers = st.floats(-100, 100, width=32)
    weight = draw(hnp.arrays(dtype, (m, n), elements=numbers).filter(np.any))
    inputs = draw(hnp.arrays(dtype, (samples, n), elements=numbers))
    return weight, inputs, draw(st.sampled_from([0.0, 1e-3, 1.0]))


@every_method
@given(layer=layers())
@settings(max_examples=60, deadline=None)
def test_the_predicted_error_falls_with_the_rank_and_is_the_realised_one(method, layer):
    weight, inputs, ridge = layer
    d = decompose(method, weight, inputs, ridge=ridge)
    assert d.max_rank == min(weight.shape)
    assert np.all(np.diff(d.errors) <= 0)
    assert np.all(np.diff(d.singular_values) <= 0)
    # What single precision can hold of the largest product in play, mean included; below its
    # smallest number a bias shift is 0.
    reach = np.sum(weight.astype(np.float64) ** 2)
    least = float(np.finfo(weight.dtype).smallest_subnormal) ** 2 * weight.shape[0]
    if d.mean is not None:
        reach *= np.mean(np.sum(inputs.astype(np.float64) ** 2, axis=1)) + ridge
    for rank in range(1, d.max_rank + 1):
        tolerance = EXACT[weight.dtype.type] * reach + least + 1e-300
        assert abs(d.realised_error(rank, inputs) - d.errors[rank]) <= tolerance


@every_method
@every_type
@pytest.mark.parametrize("shape", [(1, 1), (1, 6), (6, 1), (4, 9), (9, 4)])
def test_factors_have_the_shapes_and_the_type_of_the_weight(method, dtype, shape):
    weight, inputs = weight_and_inputs(shape, dtype=dtype)
    d = decompose(method, weight, inputs)
    for rank in range(1, min(shape) + 1):
        factors = d.at(rank)
        inner = rank if d.nested else factors.left.shape[1]
        assert factors.left.shape == (shape[0], inner)
        assert factors.right.shape == (inner, shape[1])
        assert factors.bias_shift.shape == (shape[0],)
        assert factors.left.dtype == factors.right.dtype == factors.bias_shift.dtype == dtype
        assert d.parameters[rank] == factors.parameters <= rank * sum(shape)
    assert d.dense_parameters == weight.size


@pytest.mark.parametrize("method", [name for name in METHODS if name != "column_groups"])
def test_a_smaller_rank_is_the_front_part_of_a_larger_one(method):
    weight, inputs = weight_and_inputs()
    d = decompose(method, weight, inputs)
    for rank in range(1, d.max_rank):
        assert np.shares_memory(d.at(rank).left, d.at(d.max_rank).left)
        np.testing.assert_array_equal(d.at(rank).left, d.at(d.max_rank).left[:, :rank])
        np.testing.assert_array_equal(d.at(rank).right, d.at(d.max_rank).right[:rank])


@pytest.mark.parametrize("method", [name for name in METHODS if name != "randomized_svd"])
def test_preparing_fewer_ranks_changes_none_of_them(method):
    weight, inputs = weight_and_inputs()
    all_ranks, some = decompose(method, weight, inputs), decompose(method, weight, inputs, 3)
    assert some.max_rank == 3
    np.testing.assert_array_equal(some.errors, all_ranks.errors[:4])
    np.testing.assert_allclose(some.at(2).weight, all_ranks.at(2).weight, atol=1e-12)


@pytest.mark.parametrize("method", METHODS)
@every_type
@pytest.mark.parametrize("samples", [1, 3, 50])
def test_a_tall_weight_comes_back_at_full_rank_however_few_the_samples(method, dtype, samples):
    weight, inputs = weight_and_inputs((9, 4), samples, dtype)
    d = decompose(method, weight, inputs)
    np.testing.assert_allclose(d.at(4).weight, weight, atol=30 * EXACT[dtype])
    np.testing.assert_allclose(d.at(4).bias_shift, 0, atol=100 * EXACT[dtype])


@pytest.mark.parametrize("method", [m for m in METHODS if LOW_RANK_METHODS[m].needs_inputs])
@pytest.mark.parametrize("ridge", [0.0, 0.3])
def test_the_bias_takes_up_what_is_dropped_of_the_mean_input(method, ridge):
    weight, inputs = weight_and_inputs()
    factors = decompose(method, weight, inputs, ridge=ridge).at(2)
    before = inputs @ weight.T
    after = inputs @ factors.weight.T + factors.bias_shift
    np.testing.assert_allclose(before.mean(axis=0), after.mean(axis=0), atol=1e-10)


@every_method
@pytest.mark.parametrize("oddity", ["constant column", "constant rows", "duplicate column", "zero"])
def test_a_singular_covariance_is_no_special_case(method, oddity):
    weight, inputs = weight_and_inputs()
    if oddity == "constant column":
        inputs[:, 2] = 3.0
    elif oddity == "constant rows":
        inputs[:] = inputs[0]
    elif oddity == "duplicate column":
        inputs[:, 1] = inputs[:, 0]
    else:
        inputs[:] = 0.0
    d = decompose(method, weight, inputs)
    for rank in range(1, d.max_rank + 1):
        factors = d.at(rank)
        assert np.isfinite(factors.weight).all()
        assert np.isfinite(factors.bias_shift).all()


@every_method
@pytest.mark.parametrize(
    ("weight", "words"),
    [
        (np.zeros((3, 4)), "zero everywhere"),
        (np.full((3, 4), np.nan), "not finite"),
        (np.array([[1.0, np.inf]]), "not finite"),
        (np.ones(3), "not a matrix"),
        (np.ones((0, 3)), "empty"),
        (np.array([["a"]]), "real numbers"),
        (np.array([[1e200]]), "scale it"),
    ],
)
def test_a_weight_that_cannot_be_factorised_is_refused_in_words(method, weight, words):
    with pytest.raises(ArgumentError, match=words):
        decompose(method, weight, np.ones((2, weight.shape[-1])))


@pytest.mark.parametrize("method", [m for m in METHODS if LOW_RANK_METHODS[m].needs_inputs])
@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        (None, r"give inputs of shape \(N, 4\)"),
        (np.ones((5, 3)), r"give \(N, 4\)"),
        (np.ones((0, 4)), "N >= 1"),
        (np.full((5, 4), np.inf), "not finite"),
    ],
)
def test_inputs_that_do_not_fit_are_refused_in_words(method, inputs, words):
    with pytest.raises(ArgumentError, match=words):
        decompose(method, np.ones((3, 4)), inputs)
    with pytest.raises(ArgumentError, match="ridge"):
        decompose(method, np.ones((3, 4)), np.ones((5, 4)), ridge=-1.0)


@pytest.mark.parametrize("rank", [7, 0, -1, 1.5, True, "2"])
def test_an_impossible_rank_is_answered_with_the_possible_ones(rank):
    with pytest.raises(ArgumentError, match=r"3 x 4 weight: choose 1 to 3"):
        factorize(np.ones((3, 4)), rank)


@every_method
def test_factorize_hands_each_method_the_knobs_that_it_has(method):
    weight, inputs = weight_and_inputs()
    factors = factorize(weight, 3, method, inputs, ridge=0.5, seed=4)
    expected = decompose(method, weight, inputs, 3, ridge=0.5, seed=4).at(3)
    np.testing.assert_array_equal(factors.left, expected.left)
    np.testing.assert_array_equal(factors.right, expected.right)


def test_factorize_names_the_methods_there_are():
    with pytest.raises(ArgumentError, match="truncated_svd"):
        factorize(np.ones((3, 4)), 1, "svd")
    with pytest.raises(CompressionError, match="truncated_svd"):
        factorize(np.ones((3, 4)), 1, "tucker2")


def test_realised_errors_are_measured_on_the_factors_themselves():
    weight, inputs = weight_and_inputs(samples=10_000)
    factors = factorize(weight, 2, "activation_aware_svd", inputs)
    change = inputs @ weight.T - (inputs @ factors.weight.T + factors.bias_shift)
    assert output_error(weight, factors, inputs) == pytest.approx(
        np.mean(np.sum(change**2, axis=1)), rel=1e-10
    )
    assert weight_error(weight, factors) == pytest.approx(
        np.linalg.norm(weight - factors.weight) ** 2, rel=1e-10
    )


@given(m=st.integers(1, 200), n=st.integers(1, 200))
def test_factors_hold_fewer_numbers_up_to_the_break_even_rank_and_not_above(m, n):
    k = break_even_rank(m, n)
    assert k * (m + n) < m * n <= (k + 1) * (m + n)
