"""What few validation rows can promise of a choice among many models.

The smallest of many models that stays within a loss on the validation rows has often been lucky
there (the winner's curse): what it loses elsewhere is estimated by choosing again on resamples.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .errors import ArgumentError

Array = NDArray[np.floating]

CONFIDENCE = 0.9
_RESAMPLES = 400
_ROUNDING = 1e-6  # of means in single precision


@dataclass(frozen=True)
class Promise:
    """A choice of the smallest model within a loss, and what is to be thought of it.

    Attributes
    ----------
    chosen : int
        Position of the model.
    tried : int
        Models that it was chosen among.
    rows : int
        Validation samples.
    change : float
        Of the chosen model's validation score: what it was chosen for.
    corrected : float
        What such a choice changes on samples that did not choose it; NaN where no resample
        leaves anything to choose.
    promised : int or None
        Position of the smallest model whose loss is within the limit with the stated confidence,
        by its own validation samples; None: there is none.
    least : float
        The smallest loss that so many samples can promise of a model that errs where the
        reference errs; NaN for numbers, where that depends on the errors.
    """

    chosen: int
    tried: int
    rows: int
    change: float
    corrected: float
    promised: int | None
    least: float


def judge_choice(
    costs: Array, gains: NDArray, loss: float, task: str, confidence: float = CONFIDENCE
) -> Promise | None:
    """What to think of choosing the cheapest model that stays within a loss on validation.

    Parameters
    ----------
    costs : ndarray, shape (models,)
    gains : ndarray, shape (models, N)
        What each validation sample adds to each model's change of score, see
        :class:`compression.Curve`.
    loss : float
        That is allowed: 0.01 is a point of accuracy.
    task : str
        "classification" or "regression".
    confidence : float
        Of a promise, in (0.5, 1): one-sided, for one model.

    Returns
    -------
    Promise, or None
        None: no model stays within the loss.

    Notes
    -----
    The corrected change is that of bootstrap bias correction (Tsamardinos, Greasidou & Borboudakis
    2018, arXiv 1708.07180): the choice is made on each resample of the samples and judged on those
    left out. The bound of a promise is Wilson's for the share of samples that only the reference
    gets right, or Student's of the samples' contributions for numbers; it is not widened for the
    number of models: ``python -m benchmarks promise`` measures how often a promise holds.
    """
    if not 0.5 < confidence < 1:
        raise ArgumentError(f"confidence {confidence} is not possible: choose above 0.5, below 1")
    order = np.argsort(costs, kind="stable")
    gains = np.asarray(gains)[order]
    count, rows = gains.shape
    changes = gains.mean(axis=1, dtype=np.float64)
    within = changes >= -loss - _ROUNDING
    if not within.any():
        return None
    kept = lowest_changes(gains, task, confidence) >= -loss
    promised = int(order[np.argmax(kept)]) if kept.any() else None
    least = float("nan")
    if task == "classification":
        least = -float(lowest_changes(np.zeros((1, rows), np.int8), task, confidence)[0])
    first = int(np.argmax(within))
    return Promise(
        chosen=int(order[first]),
        tried=count,
        rows=rows,
        change=float(changes[first]),
        corrected=_choose_again(gains, loss),
        promised=promised,
        least=least,
    )


def lowest_changes(gains: NDArray, task: str, confidence: float = CONFIDENCE) -> Array:
    """A one-sided lower bound of each model's change of score, shape (models,)."""
    from scipy.special import ndtri, stdtrit  # pages read results without SciPy

    rows = gains.shape[1]
    if task == "classification":
        # Take Wilson's upper bound of the share of samples that only the reference gets right.
        # Gains do not count, since among many models some gain by luck.
        z2 = float(ndtri(confidence)) ** 2
        lost = (gains < 0).mean(axis=1)
        half = np.sqrt(z2 * (lost * (1 - lost) + z2 / (4 * rows)) / rows)
        return -(lost + z2 / (2 * rows) + half) / (1 + z2 / rows)
    spread = gains.std(axis=1, ddof=1, dtype=np.float64) if rows > 1 else np.inf
    half = stdtrit(max(rows - 1, 1), confidence) * spread / np.sqrt(rows)
    return gains.mean(axis=1, dtype=np.float64) - half


def _choose_again(gains: NDArray, loss: float) -> float:
    """Mean change, on the samples left out, of what each resample would choose."""
    rows = gains.shape[1]
    random = np.random.default_rng(0)
    drawn = random.multinomial(rows, np.full(rows, 1 / rows), size=_RESAMPLES)
    means = gains.astype(np.float32) @ drawn.T.astype(np.float32) / rows
    within = means >= -loss - _ROUNDING
    # Take the best model where none is within the loss.
    chosen = np.where(within.any(axis=0), within.argmax(axis=0), means.argmax(axis=0))
    outside = drawn == 0
    some = outside.any(axis=1)
    if not some.any():
        return float("nan")
    seen = np.where(outside, gains[chosen], 0).sum(axis=1, dtype=np.float64)
    return float((seen[some] / outside.sum(axis=1)[some]).mean())
