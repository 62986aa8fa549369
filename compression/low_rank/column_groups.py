"""Factors for groups of columns: a weight whose inputs fall into groups with inner dimensions each."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from ..factors import Factors, spread_groups
from .activation_aware_svd import ActivationAwareSVD
from .calibration import covariance, mean
from .decomposition import Array, Decomposition, MatrixRanks, check_inputs, check_weight

DEPENDENT = 1e-6
"""An inner dimension that adds less than this share of the largest one's reach adds nothing."""
GAIN = 1e-9
"""Share of the whole error by which groups have to be better than one group, to be taken."""


@dataclass(frozen=True)
class ColumnGroups:
    """Low rank within equal groups of neighbouring columns, as many groups as lose least.

    Rank k may hold as many numbers as a matrix of rank k, k(m + n). With g groups of j inner
    dimensions each, Ŵ = L blockdiag(R_1, ..., R_g) holds g·j·m + j·n: more inner dimensions for
    the same numbers, of which each sees n / g inputs. For every k and each divisor g of n, with
    the largest j that fits: R_i are the j leading directions of W_i on its own inputs (of
    activation-aware SVD), and L solves

        min (1/N) Σ ‖(W − Ŵ)(x − x̄)‖² + σ²‖W − Ŵ‖_F²

    for these R over all groups at once, so that inputs of different groups may be correlated. The
    g of least error is taken; g = 1 is activation-aware SVD, which is never better. What Ŵ drops
    of the mean input moves into the bias.

    Attributes
    ----------
    ridge : float
        σ² >= 0, in squared units of the inputs.

    Notes
    -----
    Groups whose number is chosen by the error at a budget: Liebenwein et al. 2021 (ALDS),
    arXiv 2107.11442. There the weight's own distance counts, and inputs do not.

    Measured (``benchmarks/low_rank_methods.py``, 3 seeds, 10 epochs of training on, test error in %
    beside activation-aware SVD): digits + mlp 38.8 : 73.8 at 4 % of the parameters, 6.3 : 13.7 at
    8 %, 3.5 : 3.9 at 15 %, 2.6 : 2.6 at 30 %; mnist1d + mlp 68.5 : 66.7, 50.6 : 50.2, 44.5 : 45.9,
    38.7 : 38.1: no gain there. It takes about 3.5 times the processor time.
    """

    ridge: float = 0.0

    def decompose(
        self, weight: Array, inputs: Array | None = None, max_rank: int | None = None
    ) -> "GroupedRanks":
        """All ranks of one weight.

        Parameters
        ----------
        weight : ndarray, shape (m, n)
        inputs : ndarray, shape (N, n)
            What the layer sees; any N >= 1.
        max_rank : int, optional
            1 <= max_rank <= min(m, n); all ranks unless given.

        Returns
        -------
        GroupedRanks
            ``errors[k]`` is the objective above; ``singular_values`` are those of W Σ^½.

        Raises
        ------
        ArgumentError
            The weight, inputs, ridge or rank cannot be used.
        """
        whole = ActivationAwareSVD(self.ridge).decompose(weight, inputs, max_rank)
        weight = check_weight(weight)
        inputs = check_inputs(inputs, weight)
        spread = covariance(inputs)
        spread += self.ridge * np.eye(len(spread))
        outputs, columns = weight.shape
        budgets = np.arange(whole.max_rank + 1) * (outputs + columns)

        errors = whole.errors.copy()
        picks: list[_Pick | None] = [None] * len(errors)
        root = _take_root(spread)
        for groups in range(2, columns + 1):
            if columns % groups:
                continue
            fit = _fit_groups(weight.astype(np.float64), root, groups)
            each = np.minimum(budgets // (groups * outputs + columns), len(fit.errors) - 1)
            group_errors = fit.errors[each]
            for rank in np.flatnonzero(group_errors < errors - GAIN * whole.errors[0]):
                errors[rank], picks[rank] = group_errors[rank], _Pick(fit, int(each[rank]))
        return GroupedRanks(
            errors=errors,
            singular_values=whole.singular_values,
            weight=weight,
            mean=mean(inputs).astype(weight.dtype),
            ridge=self.ridge,
            whole=whole,
            picks=tuple(picks),
        )


@dataclass(frozen=True, eq=False)
class _Groups:
    """All inner dimensions of one number of groups: the first of each group, then the second, ...

    Attributes
    ----------
    right : ndarray, shape (p · groups, n / groups)
        Numbers of the right factor.
    kept : ndarray of bool, shape (p · groups,)
        Which dimensions are none that others before them stand for.
    triangle, scores : ndarray, shape (q, q), (q, m)
        Of those: L of the first r solves ``triangle[:r, :r] @ L.T = scores[:r]``.
    errors : ndarray, shape (p + 1,)
        With j dimensions a group.
    """

    groups: int
    right: Array
    kept: NDArray[np.bool_]
    triangle: Array
    scores: Array
    errors: Array

    def factors(self, each: int, weight: Array, centre: Array) -> Factors:
        """Those of so many inner dimensions a group."""
        count = each * self.groups
        kept = self.kept[:count]
        left = np.zeros((len(weight), count))
        used = int(kept.sum())
        left[:, kept] = scipy.linalg.solve_triangular(
            self.triangle[:used, :used], self.scores[:used]
        ).T
        # A grouped layer orders its inner dimensions group by group.
        order = np.arange(count).reshape(each, self.groups).T.ravel()
        left = left[:, order].astype(weight.dtype)
        right = spread_groups(self.right[order], self.groups).astype(weight.dtype)
        shift = weight @ centre - left @ (right @ centre)
        return Factors(left, right, shift, self.groups)


@dataclass(frozen=True, eq=False)
class _Pick:
    fitted: _Groups
    each: int


@dataclass(frozen=True, eq=False, kw_only=True)
class GroupedRanks(MatrixRanks):
    """All ranks of a weight in groups of columns.

    Attributes
    ----------
    whole : Decomposition
        Of one group.
    picks : tuple, shape (r + 1,)
        What rank 0, 1, ..., r takes instead, or None.
    """

    nested: ClassVar[bool] = False

    whole: Decomposition
    picks: tuple[_Pick | None, ...]

    @property
    def parameters(self) -> NDArray[np.int64]:
        counts = self.whole.parameters.copy()
        outputs, columns = self.weight.shape
        for rank, pick in enumerate(self.picks):
            if pick is not None:
                counts[rank] = pick.each * (pick.fitted.groups * outputs + columns)
        return counts

    def _factors(self, rank: int) -> Factors:
        pick = self.picks[rank]
        if pick is None:
            return self.whole.at(rank)
        assert self.mean is not None
        return pick.fitted.factors(pick.each, self.weight, self.mean)


def _take_root(spread: Array) -> Array:
    """A symmetric square root of a covariance."""
    values, vectors = scipy.linalg.eigh(spread)
    return (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T


def _fit_groups(weight: Array, root: Array, groups: int) -> _Groups:
    """Every number of inner dimensions, for one number of groups.

    With F = Σ^½ Rᵀ = Q T, L = (Q_rᵀ Σ^½ Wᵀ)ᵀ T_r^{-ᵀ} is the least-squares fit of the first r
    dimensions, for every r, and keeps the squared length of the first r rows of Q_rᵀ Σ^½ Wᵀ.
    """
    outputs, columns = weight.shape
    width = columns // groups
    size = min(outputs, width)
    blocks = weight.reshape(outputs, groups, width).swapaxes(0, 1)
    group_root = root.reshape(columns, groups, width).swapaxes(0, 1)  # Σ^½'s columns of each group
    bases, cores = np.linalg.qr(blocks) if size < outputs else (np.eye(outputs), blocks)
    products = group_root @ cores.swapaxes(1, 2)
    _, vectors = np.linalg.eigh(products.swapaxes(1, 2) @ products)
    leading = (bases @ vectors)[:, :, ::-1]
    right = np.swapaxes(leading.swapaxes(1, 2) @ blocks, 0, 1)  # (size, groups, width)
    reach = np.moveaxis(group_root @ np.moveaxis(right, 0, 2), 0, 2).reshape(columns, -1)
    target = root @ weight.T
    kept, orthogonal, triangle = _find_independent(reach)
    scores = orthogonal.T @ target
    gains = np.zeros(len(kept))
    gains[kept] = np.sum(scores**2, axis=1)
    rest = float(np.sum((target - orthogonal @ scores) ** 2))
    # Add up from the small end, like the tails of a spectrum.
    tails = np.append(np.cumsum(gains[::-1])[::-1], 0.0) + rest
    return _Groups(groups, right.reshape(-1, width), kept, triangle, scores, tails[::groups])


def _find_independent(columns: Array) -> tuple[NDArray[np.bool_], Array, Array]:
    """Which columns are independent of those before them, and a QR decomposition of these."""
    lengths = np.linalg.norm(columns, axis=0)
    least = DEPENDENT * lengths.max(initial=0.0)
    kept = lengths > least
    while True:
        orthogonal, triangle = scipy.linalg.qr(columns[:, kept], mode="economic")
        alone = np.zeros(int(kept.sum()), bool)
        diagonal = np.abs(np.diagonal(triangle))
        alone[: len(diagonal)] = diagonal > least
        if alone.all():
            return kept, orthogonal, triangle
        kept[np.flatnonzero(kept)[~alone]] = False
