"""What is said of one layer: its spectra, and its weight at every rank."""

import numpy as np
import pytest
from torch import nn

from compression.errors import ArgumentError
from compression.low_rank.approximations import approximate, count_ranks, reshape_patterns
from compression.low_rank.kernels import decompose_kernel
from compression.low_rank.layer_view import layer_ranks, mark_ranks, truncated_matrix, view_layer
from compression.low_rank.truncated_svd import TruncatedSVD


def inputs_of_fc2(reference, dataset):
    """What fc2 sees of the training rows, by NumPy."""
    first = reference.network.fc1
    x = dataset.x_train[dataset.fit_rows].astype(np.float64)
    return np.maximum(x @ first.weight.detach().numpy().T + first.bias.detach().numpy(), 0)


def test_the_spectra_are_those_of_w_of_w_root_sigma_and_of_root_sigma(digits, digits_mlp):
    view = view_layer(digits_mlp, digits, "fc2")
    x = inputs_of_fc2(digits_mlp, digits)
    centred = (x - x.mean(0)) / np.sqrt(len(x))
    weight = view.weight.astype(np.float64)
    for name, matrix in (("weight", weight), ("weighted", centred @ weight.T), ("inputs", centred)):
        expected = np.linalg.svd(matrix, compute_uv=False)[: len(view.spectra[name])]
        assert np.allclose(view.spectra[name], expected, rtol=1e-3, atol=1e-5 * expected[0])


@pytest.mark.parametrize("rank", [1, 7, 40])
def test_the_approximation_loses_what_the_errors_say(rank, digits, digits_mlp):
    view = view_layer(digits_mlp, digits, "fc2")
    left = np.sum((view.weight - view.approximations.weight(rank)) ** 2)
    assert left == pytest.approx(view.approximations.errors[rank], rel=1e-3)
    kept = view.approximations.kept[rank]
    assert kept == pytest.approx(1 - left / np.sum(view.weight**2), rel=1e-3)


def test_a_rank_pays_up_to_the_break_even_and_not_above(digits, digits_mlp):
    view = view_layer(digits_mlp, digits, "fc1")
    ranks = view.approximations.ranks
    rows, columns = view.weight.shape
    assert ranks.break_even * (rows + columns) < rows * columns
    assert (ranks.break_even + 1) * (rows + columns) >= rows * columns
    assert view.marks["break_even"] == ranks.break_even


def test_only_the_first_layer_has_patterns_and_only_the_last_the_mark_of_its_classes(
    digits, digits_mlp
):
    views = [view_layer(digits_mlp, digits, name) for name in ("fc1", "fc2", "fc3")]
    assert views[0].patterns.shape == (64, 8, 8)
    assert np.allclose(np.linalg.norm(views[0].patterns.reshape(64, -1), axis=1), 1, atol=1e-4)
    assert views[1].patterns is None
    assert views[2].patterns is None
    assert [view.marks.get("classes_minus_1") for view in views] == [None, None, 9.0]


def test_a_method_for_convolutions_leaves_a_linear_layer_with_its_spectra(digits, digits_mlp):
    view = view_layer(digits_mlp, digits, "fc1", "tucker2")
    assert view.approximations is None
    assert view.patterns is None
    assert len(view.spectra["weight"]) == 64


def test_a_layer_or_method_that_there_is_not_is_refused_in_words(digits, digits_mlp):
    with pytest.raises(ArgumentError, match="choose from fc1, fc2, fc3"):
        view_layer(digits_mlp, digits, "fc9")
    with pytest.raises(ArgumentError, match="choose one of truncated_svd"):
        view_layer(digits_mlp, digits, "fc1", "svd")


def test_sigma_squared_draws_an_activation_aware_weight_to_the_truncated_one(digits, digits_mlp):
    def weight(method, ridge):
        view = view_layer(digits_mlp, digits, "fc2", method, ridge=ridge)
        return view.approximations.weight(5)

    nearest = weight("truncated_svd", 0.0)
    far, near = (
        np.linalg.norm(weight("activation_aware_svd", ridge) - nearest) for ridge in (0.0, 1e4)
    )
    assert near < 1e-2 * far


def test_the_ranks_of_every_layer_hold_k_times_both_sides(digits, digits_mlp):
    found = layer_ranks(digits_mlp, digits)
    assert [ranks.name for ranks in found] == ["fc1", "fc2", "fc3"]
    for ranks in found:
        layer = digits_mlp.network.get_submodule(ranks.name)
        assert isinstance(layer, nn.Linear)
        sides = layer.in_features + layer.out_features
        assert list(ranks.parameters) == [k * sides for k in range(ranks.max_rank + 1)]
        assert ranks.dense_parameters == layer.weight.numel()
        assert set(ranks.stages[1:]) == {2}


@pytest.mark.parametrize("method", ["spatial_svd", "tucker2", "cp", "truncated_svd"])
def test_a_kernels_approximation_is_that_of_its_stages(method):
    kernel = np.random.default_rng(0).normal(size=(6, 4, 3, 3))
    decomposition = decompose_kernel(kernel, method)
    found = approximate("conv", decomposition, False)
    for rank in (1, found.max_rank):
        expected = decomposition.at(rank).kernel.reshape(6, 36)
        assert np.allclose(found.weight(rank), expected)


def test_a_tucker_rank_pays_where_its_own_stages_hold_fewer_numbers():
    # A kernel of one input channel needs no stage before: k stages' numbers are k (9 + 8).
    kernel = np.random.default_rng(0).normal(size=(8, 1, 3, 3))
    ranks = count_ranks("conv", decompose_kernel(kernel, "tucker2"))
    assert list(ranks.parameters[:5]) == [17 * k for k in range(5)]
    assert list(ranks.stages[:5]) == [0, 2, 2, 2, 2]
    assert ranks.break_even == 4  # 4 · 17 < 72 < 5 · 17
    assert ranks.pays(4)
    assert not ranks.pays(5)
    assert not ranks.pays(1000)


def test_a_kernel_s_break_even_rank_is_its_method_s_and_not_its_unfolding_s():
    kernel = np.random.default_rng(0).normal(size=(4, 16, 3, 3))

    def break_even(method):
        return count_ranks("conv", decompose_kernel(kernel, method)).break_even

    # 576 numbers. Unfolded, 4 x 144: 148 a rank. Columns and rows: 16 · 3 + 4 · 3 a rank. Tucker-2
    # needs no stage after from rank 4 on: 16 k + 4 · 9 k.
    assert break_even("truncated_svd") == 3
    assert break_even("spatial_svd") == 9
    assert break_even("tucker2") == 11


def test_the_matrix_that_a_spatial_method_truncates_has_a_row_a_channel_and_row_of_the_kernel():
    kernel = np.random.default_rng(0).normal(size=(6, 4, 3, 5))
    decomposition = decompose_kernel(kernel, "spatial_svd")
    expected = np.stack([kernel[:, :, row].transpose(1, 0, 2) for row in range(3)], axis=1)
    matrix = truncated_matrix(decomposition)
    assert np.array_equal(matrix, expected.reshape(12, 30))
    tails = np.cumsum(np.linalg.svd(matrix, compute_uv=False)[::-1] ** 2)[::-1]
    assert np.allclose(decomposition.errors[:-1], tails)
    other = truncated_matrix(decompose_kernel(kernel, "truncated_svd"))
    assert np.array_equal(other, kernel.reshape(6, 60))


def test_energy_marks_are_the_method_s_own_and_missing_where_no_rank_keeps_as_much():
    weight = np.diag([3.0, 2.0, 1.0])  # energies 9, 4, 1 of 14
    decomposition = TruncatedSVD().decompose(weight, max_rank=2)
    marks = mark_ranks(np.array([3.0, 2.0, 1.0]), (3, 3), decomposition, None)
    assert marks["energy_90"] == 2  # 13 of 14 are 92.9 %
    assert "energy_95" not in marks
    assert mark_ranks(np.array([3.0, 2.0, 1.0]), (3, 3), None, 3)["energy_95"] == 3


def test_patterns_are_the_first_channel_of_the_right_factor_s_rows():
    weight = np.random.default_rng(0).normal(size=(5, 12))
    decomposition = TruncatedSVD().decompose(weight)
    found = reshape_patterns(decomposition, (2, 3, 2))
    assert np.array_equal(found[1], decomposition.right[1, :6].reshape(3, 2))
    assert reshape_patterns(decomposition, (12,)) is None
    assert reshape_patterns(decomposition, (12, 1)) is None
    kernel = np.random.default_rng(0).normal(size=(4, 2, 3, 3))
    assert reshape_patterns(decompose_kernel(kernel, "tucker2"), (2, 3, 3)) is None
