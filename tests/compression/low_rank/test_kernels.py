import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tensorly import cp_to_tensor
from tensorly.decomposition import parafac

from compression.catalog import LOW_RANK_METHODS
from compression.errors import ArgumentError, NotApplicableError
from compression.factors import KernelStages, Stage
from compression.low_rank.cp import CanonicalPolyadic
from compression.low_rank.kernels import decompose_kernel, patches
from compression.low_rank.spatial_svd import SpatialSVD
from compression.low_rank.tucker2 import Tucker2

SHAPES = [
    (6, 4, 3, 3),
    (4, 6, 5, 2),
    (1, 1, 1, 1),
    (5, 2, 1, 1),
    (2, 9, 2, 1),
    (8, 3, 5),
    (2, 7, 3),
]
CASES = [
    (shape, name)
    for shape in SHAPES
    for name, entry in LOW_RANK_METHODS.items()
    if f"conv{len(shape) - 2}d" in entry.layers
]
every_case = pytest.mark.parametrize(("shape", "method"), CASES)


def decompose(shape, method, dtype=np.float64, max_rank=None):
    rng = np.random.default_rng(0)
    kernel = rng.normal(size=shape).astype(dtype)
    seen = 1 + rng.normal(size=(60, kernel[0].size)).astype(dtype)
    return decompose_kernel(kernel, method, seen, max_rank, ridge=0.1, seed=0), kernel, seen


def convolve(inputs, kernel, stride, padding, dilation, groups=1):
    function = {3: torch.nn.functional.conv1d, 4: torch.nn.functional.conv2d}[kernel.ndim]
    kernel = torch.from_numpy(np.ascontiguousarray(kernel))
    return function(inputs, kernel, None, stride, padding, dilation, groups)


@every_case
@pytest.mark.parametrize("setting", ["plain", "strided", "padded", "dilated", "all"])
def test_the_stages_one_after_another_are_the_kernel_that_they_stand_for(shape, method, setting):
    d, _, _ = decompose(shape, method)
    spatial = len(shape) - 2
    stride = {"strided": (2, 3), "all": (3, 2)}.get(setting, (1, 1))[:spatial]
    padding = {"padded": (2, 1), "all": (1, 2)}.get(setting, (0, 0))[:spatial]
    dilation = {"dilated": (2, 1), "all": (1, 2)}.get(setting, (1, 1))[:spatial]
    inputs = torch.from_numpy(
        np.random.default_rng(1).normal(size=(2, shape[1], 11, 12)[: spatial + 2])
    )
    for rank in range(1, d.max_rank + 1):
        stages = d.at(rank)
        outputs = inputs
        for stage in stages.stages:
            settings_ = stage.settings(stride, padding, dilation)
            outputs = convolve(outputs, stage.kernel, **settings_, groups=stage.groups)
        expected = convolve(inputs, stages.kernel, stride, padding, dilation)
        assert outputs.shape == expected.shape
        torch.testing.assert_close(outputs, expected)


@every_case
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_errors_fall_with_the_rank_and_are_the_realised_ones(shape, method, dtype):
    d, _, seen = decompose(shape, method, dtype)
    assert np.all(np.diff(d.errors) <= 0)
    for rank in range(1, d.max_rank + 1):
        tolerance = {np.float32: 1e-5, np.float64: 1e-12}[dtype] * d.errors[0]
        assert d.realised_error(rank, seen) == pytest.approx(d.errors[rank], abs=tolerance)
        assert all(stage.kernel.dtype == dtype for stage in d.at(rank).stages)
        assert d.at(rank).bias_shift.shape == (shape[0],)


# The inputs' main directions, as many as a wide unfolding has rows, are not all of it.
@pytest.mark.parametrize(
    ("shape", "method"), [case for case in CASES if case[1] != "covariance_eigenvectors"]
)
def test_the_last_rank_is_the_kernel_itself(shape, method):
    d, kernel, _ = decompose(shape, method)
    np.testing.assert_allclose(d.at(d.max_rank).kernel, kernel, atol=1e-10)


@every_case
def test_parameters_are_counted_from_the_stages(shape, method):
    d, kernel, _ = decompose(shape, method)
    counted = [sum(stage.kernel.size for stage in d.at(k + 1).stages) for k in range(d.max_rank)]
    assert d.parameters.tolist() == [0, *counted]
    assert d.dense_parameters == kernel.size


@every_case
def test_a_smaller_largest_rank_prepares_the_same_ranks(shape, method):
    d, _, _ = decompose(shape, method)
    some, _, _ = decompose(shape, method, max_rank=1)
    assert some.max_rank == 1
    if method != "randomized_svd":
        np.testing.assert_allclose(some.at(1).kernel, d.at(1).kernel, atol=1e-12)


@given(st.tuples(*(st.integers(1, 4),) * 4), st.integers(0, 1000))
@settings(deadline=None, max_examples=40)
def test_spatial_stages_are_the_nearest_sum_of_columns_times_rows(shape, seed):
    kernel = np.random.default_rng(seed).normal(size=shape)
    out, channels, height, width = shape
    unfolding = np.empty((channels * height, out * width))
    for o, i, a, b in np.ndindex(*shape):
        unfolding[i * height + a, o * width + b] = kernel[o, i, a, b]
    s = np.linalg.svd(unfolding, compute_uv=False)
    d = SpatialSVD().decompose(kernel)
    assert d.max_rank == len(s)
    for rank in range(1, len(s) + 1):
        residual = np.sum((kernel - d.at(rank).kernel) ** 2)
        assert residual == pytest.approx(np.sum(s[rank:] ** 2), abs=1e-10)
        vertical, horizontal = (stage.kernel.shape for stage in d.at(rank).stages)
        assert vertical == (rank, channels, height, 1)
        assert horizontal == (out, rank, 1, width)


def hosvd_error(kernel, k):
    """Truncated higher-order SVD: where the iteration starts, so never better than its end."""
    approximation = kernel
    for mode in (0, 1):
        unfolding = np.moveaxis(kernel, mode, 0).reshape(kernel.shape[mode], -1)
        u = np.linalg.svd(unfolding, full_matrices=False)[0][:, :k]
        approximation = np.moveaxis(np.tensordot(u @ u.T, approximation, axes=(1, mode)), 0, mode)
    return np.sum((kernel - approximation) ** 2)


@given(
    st.one_of(
        st.tuples(st.integers(1, 6), st.integers(1, 6), st.integers(1, 3)),
        st.tuples(*(st.integers(1, 5),) * 2, *(st.integers(1, 3),) * 2),
    ),
    st.integers(0, 1000),
)
@settings(deadline=None, max_examples=25)
def test_tucker_lies_between_the_better_unfolding_and_its_own_start(shape, seed):
    kernel = np.random.default_rng(seed).normal(size=shape)
    d = Tucker2().decompose(kernel)
    for k in range(1, d.max_rank + 1):
        tails = [
            np.sum(
                np.linalg.svd(
                    np.moveaxis(kernel, mode, 0).reshape(shape[mode], -1), compute_uv=False
                )[k:]
                ** 2
            )
            for mode in (0, 1)
        ]
        assert max(tails) - 1e-9 <= d.errors[k] <= hosvd_error(kernel, k) + 1e-9


def test_tucker_finds_a_kernel_of_few_inner_channels():
    rng = np.random.default_rng(0)
    kernel = np.einsum(
        "op,pqab,qi->oiab",
        rng.normal(size=(8, 2)),
        rng.normal(size=(2, 2, 3, 3)),
        rng.normal(size=(2, 6)),
    )
    d = Tucker2().decompose(kernel)
    assert d.errors[1] > 0.01 * d.errors[0]
    assert d.errors[2] < 1e-20 * d.errors[0]
    assert [stage.kernel.shape for stage in d.at(2).stages] == [
        (2, 6, 1, 1),
        (2, 2, 3, 3),
        (8, 2, 1, 1),
    ]


def test_a_side_that_keeps_its_channels_needs_no_stage():
    d = Tucker2().decompose(np.random.default_rng(0).normal(size=(6, 4, 3)))
    assert [stage.kernel.shape for stage in d.at(4).stages] == [(4, 4, 3), (6, 4, 1)]
    assert [stage.kernel.shape for stage in d.at(6).stages] == [(6, 4, 3)]


@pytest.mark.parametrize("spatial", [(3, 3), (5,)])
def test_cp_finds_a_kernel_of_few_terms(spatial):
    rng = np.random.default_rng(0)
    after, before, inside = (rng.normal(size=(n, 3)) for n in (8, 6, np.prod(spatial)))
    kernel = np.einsum("or,ir,sr->ois", after, before, inside).reshape(8, 6, *spatial)
    d = CanonicalPolyadic(iterations=500, tolerance=1e-12).decompose(kernel, max_rank=4)
    assert d.errors[2] > 0.01 * d.errors[0]
    assert d.errors[3] < 1e-8 * d.errors[0]
    single = (1,) * len(spatial)
    shapes = [(3, 6, *single), (3, 1, *spatial), (8, 3, *single)]
    assert [stage.kernel.shape for stage in d.at(3).stages] == shapes
    assert [stage.groups for stage in d.at(3).stages] == [1, 3, 1]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("damping", [0.0, 1e-6])
def test_cp_takes_kernels_whose_best_term_is_hard_to_find(damping):
    """Ties, and leading vectors of the unfoldings that have nothing in common with the kernel."""
    kernels = np.zeros((3, 2, 2, 2))
    kernels[0, 0, 0, 1] = kernels[0, 1, 1, 0] = 1.0
    kernels[1, 0, 0, 1] = kernels[1, 0, 1, 0] = kernels[1, 1, 0, 0] = 1.0  # no best sum of two
    kernels[2] = [[[1, 0], [0, -1]], [[0, -1], [-1, 0]]]
    for kernel in (*kernels, np.eye(4)[..., None] * np.ones(3)):
        d = CanonicalPolyadic(damping=damping).decompose(kernel)
        assert np.all(np.diff(d.errors) <= 0)
        assert d.errors[-1] <= 1e-12
        for rank in range(1, d.max_rank + 1):
            assert d.realised_error(rank) == pytest.approx(d.errors[rank], abs=1e-9)


@pytest.mark.parametrize("shape", [(4, 3, 2, 2), (5, 4, 3)])
def test_cp_lies_between_the_unfolding_and_one_random_start(shape):
    """The tail of each unfolding bounds it from below; tensorly's own start from above, nearly."""
    kernel = np.random.default_rng(3).normal(size=shape)
    tensor = kernel.reshape(*shape[:2], -1)
    d = CanonicalPolyadic(iterations=200, tolerance=1e-9).decompose(kernel)
    for k in range(1, d.max_rank + 1):
        for mode in range(3):
            unfolded = np.moveaxis(tensor, mode, 0).reshape(tensor.shape[mode], -1)
            tail = np.linalg.svd(unfolded, compute_uv=False)[k:] ** 2
            assert d.errors[k] >= np.sum(tail) - 1e-9 * d.errors[0]
        cold = parafac(tensor, k, init="random", random_state=0, n_iter_max=200, l2_reg=1e-9)
        other = np.sum((tensor - cp_to_tensor(cold)) ** 2)
        assert d.errors[k] <= other + 0.05 * d.errors[0]


def test_what_the_mean_patch_loses_goes_to_the_bias():
    shape = (4, 3, 3, 3)
    rng = np.random.default_rng(0)
    kernel, inputs = rng.normal(size=shape), 2 + rng.normal(size=(5, 3, 8, 8))
    geometry = {"stride": (1, 1), "padding": (0, 0), "dilation": (1, 1)}
    seen = patches(inputs, (3, 3), **geometry)
    stages = decompose_kernel(kernel, "activation_aware_svd", seen).at(2)
    before = convolve(torch.from_numpy(inputs), kernel, **geometry).numpy()
    after = convolve(torch.from_numpy(inputs), stages.kernel, **geometry).numpy()
    after = after + stages.bias_shift[:, None, None]
    np.testing.assert_allclose(before.mean((0, 2, 3)), after.mean((0, 2, 3)), atol=1e-10)


@pytest.mark.parametrize("spatial", [1, 2])
@pytest.mark.parametrize("setting", [(1, 0, 1), (2, 1, 1), (1, 2, 2), (3, 0, 2)])
def test_patches_times_the_unfolded_kernel_are_the_convolution(spatial, setting):
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(3, 2, 9, 10)[: spatial + 2])
    kernel = rng.normal(size=(4, 2, 3, 2)[: spatial + 2])
    stride, padding, dilation = ((value,) * spatial for value in setting)
    rows = patches(inputs, kernel.shape[2:], stride, padding, dilation)
    expected = convolve(torch.from_numpy(inputs), kernel, stride, padding, dilation).numpy()
    np.testing.assert_allclose(
        rows @ kernel.reshape(4, -1).T, np.moveaxis(expected, 1, -1).reshape(-1, 4), atol=1e-12
    )


def test_a_draw_of_patches_takes_each_at_most_once():
    inputs = np.arange(40.0).reshape(2, 1, 20)
    geometry = ((1,), (1,), (0,), (1,))
    drawn = patches(inputs, *geometry, rows=30, seed=1)
    assert drawn.shape == (30, 1)
    assert len(np.unique(drawn)) == 30
    assert len(patches(inputs, *geometry, rows=1000)) == 40
    with pytest.raises(ArgumentError, match="smaller one"):
        patches(inputs, (30,), (1,), (0,), (1,))
    with pytest.raises(ArgumentError, match="spatial axes"):
        patches(inputs, (3, 3), (1,), (0,), (1,))


def test_composing_stages_follows_the_channels():
    first = np.random.default_rng(0).normal(size=(3, 2, 4))
    mix = np.random.default_rng(1).normal(size=(5, 3, 1))
    stages = KernelStages((Stage(first, (True,)), Stage(mix, (False,))), np.zeros(5))
    np.testing.assert_allclose(stages.kernel, np.einsum("or,ria->oia", mix[..., 0], first))


def test_what_does_not_fit_is_refused_in_words():
    with pytest.raises(NotApplicableError, match="truncated_svd"):
        decompose_kernel(np.ones((2, 3, 4)), "spatial_svd")
    with pytest.raises(ArgumentError, match="one spatial axis"):
        SpatialSVD().decompose(np.ones((2, 3, 4)))
    with pytest.raises(ArgumentError, match="convolution"):
        decompose_kernel(np.ones((2, 3)))
    with pytest.raises(ArgumentError, match="zero everywhere"):
        decompose_kernel(np.zeros((2, 3, 3)), "tucker2")
    with pytest.raises(ArgumentError, match="not finite"):
        decompose_kernel(np.full((2, 3, 3, 3), np.inf), "spatial_svd")
    with pytest.raises(ArgumentError, match="2 x 3 x 3 weight: choose 1 to 3"):
        decompose_kernel(np.ones((2, 3, 3)), "tucker2").at(4)
