"""What a spectrum says about the rank to take.

Every function takes singular values in descending order, in the units of the weights.
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from scipy.integrate import quad
from scipy.optimize import brentq

from ..errors import ArgumentError
from .decomposition import Array, break_even_rank
from .variational_rank import variational_rank

ENERGY_SHARES = (0.90, 0.95, 0.99)

MARKER_TITLES = {
    "break_even": "Break-even rank k*",
    "energy_90": "90 % of the energy",
    "energy_95": "95 % of the energy",
    "energy_99": "99 % of the energy",
    "effective_rank": "Effective rank",
    "stable_rank": "Stable rank",
    "hard_threshold": "Optimal hard threshold",
    "variational": "Variational Bayes",
    "classes_minus_1": "Classes − 1",
}


def energy(singular_values: Array, rank: int) -> float:
    """Share of the spectrum's energy kept at a given rank.

    Parameters
    ----------
    singular_values : ndarray, shape (r,)
    rank : int
        0 <= rank <= r.

    Returns
    -------
    float
        Dimensionless, in [0, 1].

    Raises
    ------
    ArgumentError
        The spectrum is identically zero: there is nothing to keep. Or the rank is out of range.
    """
    shares = energy_curve(singular_values)
    if not 0 <= rank < len(shares):
        raise ArgumentError(f"rank {rank} is not possible: choose 0 to {len(shares) - 1}")
    return float(shares[rank])


def energy_curve(singular_values: Array) -> Array:
    """Share of the energy kept at rank 0, 1, ..., r; shape (r + 1,)."""
    s = _check_values(singular_values)
    # Divide by the largest value, so that squares neither overflow nor vanish.
    squares = (s / s[0]) ** 2
    kept = np.append(0.0, np.cumsum(squares))
    return kept / kept[-1]  # divide by the last value: the curve ends at exactly 1


def energy_ranks(
    singular_values: Array, shares: Sequence[float] = ENERGY_SHARES
) -> dict[float, int]:
    """Smallest rank that keeps each share of the energy.

    Parameters
    ----------
    singular_values : ndarray, shape (r,)
    shares : sequence of float
        Each in (0, 1].

    Returns
    -------
    dict
        Share -> rank.

    Raises
    ------
    ArgumentError
        A share is outside (0, 1], or the spectrum is identically zero.
    """
    curve = energy_curve(singular_values)
    ranks = {}
    for share in shares:
        if not 0 < share <= 1:
            raise ArgumentError(f"energy share {share} is not possible: choose above 0, up to 1")
        ranks[share] = int(np.searchsorted(curve, share, side="left"))
    return ranks


def effective_rank(singular_values: Array) -> float:
    """exp of the entropy of s / Σ s: between 1 and the number of non-zero values.

    Source: Roy & Vetterli 2007, "The effective rank: a measure of effective dimensionality".
    """
    s = _check_values(singular_values)
    p = s / s[0]
    p = p[p > 0] / p.sum()
    return float(np.exp(-np.sum(p * np.log(p))))


def stable_rank(singular_values: Array) -> float:
    """‖W‖_F² / ‖W‖₂²: at least 1, never above the rank, insensitive to small singular values."""
    s = _check_values(singular_values)
    return float(np.sum((s / s[0]) ** 2))


def hard_threshold(singular_values: Array, shape: tuple[int, int]) -> float:
    """The singular value below which a component of a noisy matrix is better dropped.

    The threshold that minimises the asymptotic mean squared error of a low-rank matrix seen
    through white noise.

    Parameters
    ----------
    singular_values : ndarray, shape (min(m, n),)
        The whole spectrum: its median stands for the noise.
    shape : (int, int)
        Of the matrix, in either order.

    Returns
    -------
    float
        τ, in the units of the weight: keep the values above it.

    Raises
    ------
    ArgumentError
        Only part of the spectrum is given.

    Notes
    -----
    Gavish & Donoho 2014, "The optimal hard threshold for singular values is 4/√3",
    arXiv 1305.5870: τ = ω(β) · median(s) with ω = λ*(β) / √(median of the Marčenko–Pastur law),
    β = m/n ≤ 1.
    """
    s = _check_values(singular_values)
    small, large = sorted(shape)
    if len(s) != small:
        raise ArgumentError(
            f"{len(s)} singular values are not the whole spectrum of a "
            f"{shape[0]} x {shape[1]} matrix: give all {small}"
        )
    ratio = small / large
    factor = _threshold_factor(ratio) / np.sqrt(_marchenko_pastur_median(ratio))
    return float(factor * np.median(s))


def hard_threshold_rank(singular_values: Array, shape: tuple[int, int]) -> int:
    """How many singular values stand above :func:`hard_threshold`; may be 0."""
    threshold = hard_threshold(singular_values, shape)
    return int(np.count_nonzero(np.asarray(singular_values) > threshold))


def markers(
    singular_values: Array, shape: tuple[int, int], classes: int | None = None
) -> dict[str, float]:
    """The ranks worth a mark on a spectrum.

    Parameters
    ----------
    singular_values : ndarray, shape (r,)
        The whole spectrum.
    shape : (int, int)
        Of the weight.
    classes : int, optional
        For the last layer of a classifier.

    Returns
    -------
    dict
        Name (a key of ``MARKER_TITLES``) -> rank, in the order of ``MARKER_TITLES``. Marks that
        need more of the spectrum than is given are left out.
    """
    ranks: dict[str, float | None] = {"break_even": float(break_even_rank(*shape))}
    for share, needed in energy_ranks(singular_values).items():
        ranks[f"energy_{share * 100:.0f}"] = needed
    if len(singular_values) == min(shape):
        ranks["effective_rank"] = effective_rank(singular_values)
        ranks["hard_threshold"] = hard_threshold_rank(singular_values, shape)
        ranks["variational"] = variational_rank(singular_values, shape)
    ranks["stable_rank"] = stable_rank(singular_values)
    if classes is not None:
        ranks["classes_minus_1"] = classes - 1
    return {name: float(rank) for name in MARKER_TITLES if (rank := ranks.get(name)) is not None}


def _check_values(singular_values: Array) -> Array:
    s = np.asarray(singular_values, dtype=np.float64)
    if s.ndim != 1 or len(s) == 0 or not np.isfinite(s).all():
        raise ArgumentError("a spectrum is a list of at least one finite singular value")
    if (s < 0).any() or (np.diff(s) > 0).any():
        raise ArgumentError("singular values are >= 0 and in descending order: sort them first")
    if s[0] == 0:
        raise ArgumentError("the spectrum is zero everywhere: there is nothing to keep")
    return s


def _threshold_factor(ratio: float) -> float:
    root = np.sqrt(ratio**2 + 14 * ratio + 1)
    return float(np.sqrt(2 * (ratio + 1) + 8 * ratio / (ratio + 1 + root)))


@lru_cache(maxsize=256)
def _marchenko_pastur_median(ratio: float) -> float:
    """Median of the squared singular values of white noise, of unit variance, per column."""
    centre, half = 1 + ratio, 2 * np.sqrt(ratio)

    # With t = centre − half · cos φ the density has no singularity left at the edge.
    def density(phi: float) -> float:
        t = centre - half * np.cos(phi)
        return (half * np.sin(phi)) ** 2 / (2 * np.pi * ratio * t) if t > 0 else 0.0

    def above_half(phi: float) -> float:
        return quad(density, 0.0, phi)[0] - 0.5

    phi = brentq(above_half, 0.0, np.pi, xtol=1e-10)
    return float(centre - half * np.cos(phi))
