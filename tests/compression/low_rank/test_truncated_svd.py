import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compression.low_rank.truncated_svd import TruncatedSVD, svd


def random_weight(seed, m, n):
    return np.random.default_rng(seed).normal(size=(m, n))


sizes = st.tuples(st.integers(0, 10_000), st.integers(1, 8), st.integers(1, 8))


@given(sizes)
@settings(deadline=None)
def test_the_error_is_the_tail_of_the_spectrum_in_both_norms(size):
    weight = random_weight(*size)
    s = np.linalg.svd(weight, compute_uv=False)
    d = TruncatedSVD().decompose(weight)
    np.testing.assert_allclose(d.singular_values, s, atol=1e-12)
    for rank in range(1, len(s) + 1):
        residual = weight - d.at(rank).weight
        assert np.linalg.norm(residual) == pytest.approx(np.sqrt(np.sum(s[rank:] ** 2)), abs=1e-10)
        following = s[rank] if rank < len(s) else 0.0
        assert np.linalg.norm(residual, 2) == pytest.approx(following, abs=1e-10)


@given(sizes, st.integers(0, 10_000))
@settings(deadline=None)
def test_no_other_matrix_of_the_rank_is_nearer_in_either_norm(size, seed):
    weight = random_weight(*size)
    d = TruncatedSVD().decompose(weight)
    rng = np.random.default_rng(seed)
    for rank in range(1, d.max_rank + 1):
        factors = d.at(rank)
        # Half of them far away, half of them close by, where a wrong optimum would be found out.
        for step in (1.0, 1e-3):
            left = factors.left + step * rng.normal(size=factors.left.shape)
            right = factors.right + step * rng.normal(size=factors.right.shape)
            for norm in ("fro", 2):
                own = np.linalg.norm(weight - factors.weight, norm)
                assert own <= np.linalg.norm(weight - left @ right, norm) + 1e-12


def test_single_precision_weights_are_decomposed_in_double_precision():
    weight = (random_weight(0, 40, 30) @ np.diag(10.0 ** -np.linspace(0, 6, 30))).astype(np.float32)
    d = TruncatedSVD().decompose(weight)
    np.testing.assert_allclose(
        d.singular_values, np.linalg.svd(weight.astype(np.float64), compute_uv=False), rtol=1e-8
    )


def test_a_decomposition_that_does_not_converge_is_tried_the_slower_way(monkeypatch):
    import scipy.linalg

    genuine = scipy.linalg.svd

    def fails(matrix, *args, lapack_driver="gesdd", **kwargs):
        if lapack_driver == "gesdd":
            raise np.linalg.LinAlgError("SVD did not converge")
        return genuine(matrix, *args, lapack_driver=lapack_driver, **kwargs)

    monkeypatch.setattr(scipy.linalg, "svd", fails)
    weight = random_weight(0, 4, 3)
    u, s, vt = svd(weight)
    np.testing.assert_allclose(u * s @ vt, weight, atol=1e-12)
